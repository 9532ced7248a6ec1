"""Calls that a long fuzz found wrong, each with what it is about, against the reference."""

import jax
import numpy as np
import pytest
from fuzz import check
from rows import call

import jaxlr

END, PEAK = 476_351, {"max_lr": 0.0012, "div_factor": 80.0, "final_div_factor": 1.03}

CORNERS = {
    "begins at its end": (
        call("one_cycle", total_steps=4, max_lr=0.1, last="total-1", begin=3, begin_phase=0.0),
        [0, 1, 2, 3, 4],
    ),
    "begins behind its end": (call("warmup_stable_decay", peak_value=0.1, warmup_steps=1, stable_steps=1, decay_steps=2,
                                   begin=9, begin_phase=0.3), [0, 3, 4, 9, 10]),
    "a last phase of no length, resumed": (
        call("one_cycle", total_steps=END, pct_start=0.5, three_phase=True, last="total", begin=105,
             begin_phase=2.6318611736175504e-06, **PEAK),
        [END - 1, END, 2**31 - 1],
    ),
    "a short line far out in other units": (
        call("per_example", batch_size=72, unit=7,
             schedule=call("linear", init_value=0.25, end_value=0.002, transition_steps=307,
                           transition_begin=300_538_123)),
        [29_218_984, 29_219_000, 29_219_013],
    ),
    "next to where a mean of logarithms begins to cancel": (
        call("time_based", init_value=0.03190257, decay_rate=4.192959569619361e-05),
        [1697, 1761, 1852, 1898, 1965],
    ),
    "a slower one of these": (
        call("time_based", init_value=0.41839525, decay_rate=2.8624739296269886e-05),
        [2153, 2193, 2243, 2375],
    ),
    "from a rate that is 0 in float32": (
        call("cooldown", at=4000, steps=17, shape="exponential", end_value=5e-5,
             schedule=call("exponential", init_value=1.9e-5, decay_rate=0.9)),
        [4000, 4001, 4016, 4017],
    ),
    "over more than float32 holds": (
        call("cooldown", at=0, steps=17, shape="exponential", end_value=10.0,
             schedule=call("constant", value=2e-38)),
        [0, 5, 16, 17],
    ),
    "down over more than that": (
        call("warmup", warmup_steps=17, kind="exponential", init_value=1e37,
             schedule=call("constant", value=1e-35)),
        [0, 5, 16, 17],
    ),
    "the last update of a cosine of one epoch": (
        call("per_epoch", steps_per_epoch=44_998, staircase=False,
             schedule=call("cosine", init_value=0.00021952631937, decay_steps=1)),
        [22_498, 22_499, 22_500, 44_997, 44_998],
    ),
    "a tanh that nearly vanishes": (
        call("tanh", init_value=0.02, decay_steps=6909, lower=-1.29, upper=34.84912065221821),
        [6713, 6769, 6908],
    ),
    "sizes that grow behind 2^32 examples": (
        call("per_example", batch_size={0: 4_000_001, 10**10: 8_000_003}, unit=1_000_003,
             schedule=call("cosine", init_value=0.3, decay_steps=40_000)),
        [1, 1000, 2499, 2500, 2501, 3000, 5000],
    ),
    "examples at a place between updates": (
        call("at_speed", speed=0.4,
             schedule=call("per_example", batch_size=3, unit=7,
                           schedule=call("cosine", init_value=0.3, decay_steps=40))),
        [1, 2, 3, 100, 200, 233],
    ),
    "over before it begins, in epochs": (
        call("per_epoch", steps_per_epoch=4, staircase=False,
             schedule=call("cosine", init_value=0.3, decay_steps=3, begin=5, begin_phase=0.25)),
        [0, 1, 2, 3, 11, 12, 20, 21],
    ),
    "just behind a peak between counts": (
        call("one_cycle", max_lr=1.0, total_steps=10, pct_start=0.29),
        [1, 2, 3],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("corner", "counts"), CORNERS.values(), ids=CORNERS)
def test_as_the_reference_has_it(corner, counts):
    result = check("argument", corner, np.asarray(counts, np.int32))
    assert not result.broken, f"{result.error:.4g} ulps at n = {result.count}"


@pytest.mark.parametrize("first", [0.0, -1.0, 1e-45])
def test_a_traced_rate_that_no_power_starts_from_is_no_nan(first):
    made = jax.jit(lambda first: jaxlr.warmup(jaxlr.constant(1.0), 4, init_value=first, kind="exponential"))
    values = np.asarray(made(np.float32(first))(np.arange(6)))
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert values[4] == 1.0
