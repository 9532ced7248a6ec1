"""big_vision's schedule under its own words, against rates recorded from big_vision."""

import numpy as np
import pytest
import record_big_vision as record
from recorded import BOTH, assert_sane, assert_traces, differences

import jaxlr
from jaxlr.dialects.big_vision import create_learning_rate_schedule

# name, unit, first rate, count of the last rate of a run of N updates, what comes after, the test of the border
CONVENTIONS = [
    (
        "`linear`, `cosine`",
        "any of four",
        "0",
        "N",
        "0 or `end`",
        "test_the_end_is_one_past_the_last_update",
    ),
    ("`rsqrt`", "any of four", "0", "none", "goes on", "test_the_root_counts_from_the_end_of_the_warm_up"),
    ("`stair`", "updates", "0", "each of `steps`", "held", "test_stairs_do_not_wait_for_the_warm_up"),
    ("cooldown", "any of four", "1", "N", "0", "test_the_end_is_one_past_the_last_update"),
    (
        "`warmup_epochs` and the like",
        "rounded, 1 at least",
        "0",
        "W, the peak",
        "held",
        "test_a_duration_in_every_unit",
    ),
]


def made(name, arguments):
    return create_learning_rate_schedule(**arguments)


@BOTH
@pytest.mark.parametrize("name", record.NAMES)
def test_is_what_big_vision_recorded(name, draws):
    for found, arguments in differences(record, made, name, draws):
        assert found <= 1e-6, arguments


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_the_end_is_one_past_the_last_update(kind):
    rate = create_learning_rate_schedule(10, decay_type=kind, warmup_steps=2)
    assert [float(rate(n)) for n in (0, 1, 2, 6, 10, 11)] == [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    assert float(rate(9)) > 0
    cooled = create_learning_rate_schedule(10, cooldown_steps=4)
    assert [float(cooled(n)) for n in (0, 6, 7, 9, 10, 11, 10**6)] == [1.0, 1.0, 0.75, 0.25, 0.0, 0.0, 0.0]


def test_the_root_counts_from_the_end_of_the_warm_up():
    rate = create_learning_rate_schedule(100, decay_type="rsqrt", timescale=4, warmup_steps=2)
    assert [float(rate(n)) for n in (0, 1, 2, 14, 62)] == [0.0, 0.5, 1.0, 0.5, 0.25]
    shifted = create_learning_rate_schedule(100, decay_type="rsqrt", timescale=4, shift=12, warmup_steps=2)
    assert [float(shifted(n)) for n in (1, 2, 50)] == [0.25, 0.5, 0.25]


def test_stairs_do_not_wait_for_the_warm_up():
    rate = create_learning_rate_schedule(9, warmup_steps=4, steps=[2, 6], mults=[0.5, 0.25])
    assert [float(rate(n)) for n in (0, 1, 2, 4, 5, 6, 9)] == [0.0, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("duration", "updates"),
    [
        ({"warmup_steps": 20}, 20),
        ({"warmup_examples": 5120}, 20),
        ({"warmup_examples": 5120 + 127}, 20),
        ({"warmup_examples": 1}, 1),
        ({"warmup_epochs": 2}, 20),
        ({"warmup_epochs": 2.04}, 20),
        ({"warmup_percent": 0.2}, 20),
        ({"warmup_percent": 0.0}, 0),
        ({"warmup_percent": 0.2, "warmup_epochs": -1}, 20),
        ({}, 0),
    ],
)
def test_a_duration_in_every_unit(duration, updates):
    rate = create_learning_rate_schedule(100, 256, 2560, **duration)
    assert [float(rate(n)) == 1.0 for n in (updates - 1, updates)] == [updates < 1, True]


@pytest.mark.parametrize("kind", record.NAMES)
@pytest.mark.parametrize(("total", "warm"), [(1, 0), (1, 1), (1, 5), (2, 1)])
def test_short_runs_and_counts_past_the_end_are_finite(kind, total, warm):
    rate = create_learning_rate_schedule(total, decay_type=kind, warmup_steps=warm, cooldown_steps=1)
    assert_sane(rate, end=total)


def test_a_cooldown_longer_than_the_run_begins_on_its_way():
    rate = create_learning_rate_schedule(4, cooldown_steps=8)
    assert [float(rate(n)) for n in (0, 2, 4, 5)] == [0.5, 0.25, 0.0, 0.0]


@pytest.mark.ci
def test_numbers_can_be_traced():
    def steps(total, base, warm, cool, kind):
        return create_learning_rate_schedule(
            total, base=base, decay_type=kind, warmup_steps=warm, cooldown_steps=cool, scale_with_batchsize=True,
            batch_size=512,
        )  # fmt: skip

    def units(total, batch, data, epochs, percent, power):
        return create_learning_rate_schedule(
            total, batch, data, 0.1, "polynomial", warmup_epochs=epochs, cooldown_percent=percent, power=power
        )

    for kind in record.NAMES:
        assert_traces(lambda *numbers, kind=kind: steps(*numbers, kind), 50, 0.3, 7, 11)
    assert_traces(units, 50, 256, 2560, 0.75, 0.25, 1.5)


def test_a_schedule_is_written_down():
    for name in record.NAMES:
        rate = made(name, record.cases(name)[0])
        assert jaxlr.schedules.parse(repr(rate)).to_dict() == rate.to_dict()


def test_the_rate_scales_with_the_batch():
    rate = create_learning_rate_schedule(10, 1024, base=0.1, scale_with_batchsize=True)
    assert float(rate(0)) == np.float32(0.4)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"decay_type": "cos"}, ValueError, "decay_type must be one of 'linear', 'polynomial', 'cosine'"),
        ({"warmup_step": 3}, TypeError, "no argument 'warmup_step'; did you mean 'warmup_steps'?"),
        ({"warmup_steps": 3, "warmup_percent": 0.1}, ValueError, "warmup_steps and warmup_percent must not both be"),
        ({"warmup_epochs": 3}, ValueError, "data_size must be given for warmup_epochs"),
        ({"cooldown_examples": 3}, ValueError, "batch_size must be given for cooldown_examples"),
        ({"warmup_percent": 5}, ValueError, "warmup_percent must be at most 1, got 5"),
        ({"warmup_steps": 10}, ValueError, "warmup_steps must be below total_steps, 10, got 10 updates"),
        ({"scale_with_batchsize": True}, ValueError, "batch_size must be given for scale_with_batchsize=True"),
        ({"steps": [3, 5], "mults": [0.1]}, ValueError, "mults must be one for each of steps, got 1 for 2 steps"),
        ({"steps": [5, 3], "mults": [0.1, 0.2]}, ValueError, "steps must be in rising order"),
        ({"decay_type": "rsqrt", "timescale": 0}, ValueError, "timescale must be at least 1, got 0"),
        ({"decay_type": "rsqrt", "shift": -1}, ValueError, "shift must be at least 0, got -1"),
        ({"decay_type": "polynomial", "power": 0}, ValueError, "power must be above 0"),
        ({"warmup_steps": 2.5}, TypeError, "warmup_steps must be an integer number of updates, got 2.5"),
    ],
)
def test_what_cannot_be_is_said(arguments, error, words):
    with pytest.raises(error, match=words):
        create_learning_rate_schedule(10, **arguments)
