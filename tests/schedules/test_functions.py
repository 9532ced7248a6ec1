"""Schedules of functions: what jax compiles for them does not stay for ever."""

import gc

import jax

import jaxlr
from jaxlr.schedules.schedule import _Programs


def programs():
    gc.collect()
    return len(jax.devices()[0].client.live_executables())


def test_programs_of_functions_are_freed_again(monkeypatch):
    monkeypatch.setattr(_Programs, "MOST", 12)
    before = programs()
    for number in range(30):
        schedule = jaxlr.custom(lambda n, scale, number=number: scale * n + number, scale=0.5)
        schedule = jaxlr.constant(0.5) + schedule if number % 8 == 0 else schedule
        assert float(schedule(2)) == number + 1 + 0.5 * (number % 8 == 0)
    assert programs() - before <= _Programs.MOST + 8  # a few small ones are jax's own


def test_a_function_is_compiled_once():
    traces = []

    def function(n, scale):
        traces.append(1)
        return scale * n

    schedule = jaxlr.custom(function, scale=0.5)
    for scale in (0.5, 0.25, 0.125):
        assert float(schedule.replace(scale=scale)(8)) == 8 * scale
    assert len(traces) == 1
