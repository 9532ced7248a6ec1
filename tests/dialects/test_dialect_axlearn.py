"""AXLearn's schedules under their own names, against values recorded from AXLearn."""

import pytest
import record_axlearn as record
from recorded import BOTH, assert_sane, assert_traces, differences

import jaxlr
from jaxlr.dialects import axlearn as dialect

# name, unit, rate at the first step, count of the last rate of a run of N updates, what comes after, the border's test
CONVENTIONS = [
    (
        "`linear_schedule_with_warmup`",
        "steps from 1",
        "peak / W",
        "N, the last step",
        "held",
        "test_the_first_step_is_1",
    ),
    ("`cosine_with_linear_warmup`", "steps from 1", "peak / W", "N, the last step", "held", "test_the_first_step_is_1"),
    ("`warmup_stable_decay`", "steps from 1", "peak / W", "N, the last step", "held", "test_the_first_step_is_1"),
    (
        "`segment_wise`",
        "steps from 1",
        "segment(1)",
        "each sum of steps",
        "goes on",
        "test_segments_begin_at_their_step_1",
    ),
    ("`stepwise`", "steps from 0", "sub(1)", "start_step - 1", "goes on", "test_sub_schedules_begin_at_their_step_0"),
    ("`polynomial`, `exponential`", "steps from 0", "at x = 1 / N", "end_step", "held", "test_a_curve_holds_outside"),
]


def made(name, arguments):
    for several in {"sub", "segments"} & arguments.keys():
        arguments = arguments | {several: [record.built(made, part) for part in arguments[several]]}
    return getattr(dialect, name)(**arguments)


@BOTH
@pytest.mark.parametrize("name", record.NAMES)
def test_is_what_axlearn_recorded(name, draws):
    for found, arguments in differences(record, made, name, draws):
        assert found <= 1e-6, arguments


def test_every_name_is_recorded():
    assert sorted(record.NAMES) == dialect.__all__


def test_the_first_step_is_1():
    for rate in (
        dialect.linear_schedule_with_warmup(1.0, max_step=8, warmup_steps=4),
        dialect.cosine_with_linear_warmup(1.0, max_step=8, warmup_steps=4),
        dialect.warmup_stable_decay(1.0, max_step=8, decay_begin_step=4, warmup_steps=4),
    ):
        updates = rate.shift(1)
        assert [float(updates(n)) for n in (0, 1, 3, 5, 7, 8)] == [0.25, 0.5, 1.0, 0.5, 0.0, 0.0]
        assert float(updates(6)) > 0
    risen = dialect.constant_with_linear_warmup(1.0, warmup_steps=4, begin_value=0.5)
    assert [float(risen(n)) for n in (0, 1, 2, 4, 5)] == [0.0, 0.625, 0.75, 1.0, 1.0]


def test_segments_begin_at_their_step_1():
    line = dialect.polynomial(end_step=4, end_value=1.0)
    rate = dialect.segment_wise([line, 0.5, line], segment_steps=[2, 1])
    assert [float(rate(n)) for n in (0, 1, 2, 3, 4, 5, 7, 8)] == [0.0, 0.25, 0.5, 0.5, 0.25, 0.5, 1.0, 1.0]


def test_sub_schedules_begin_at_their_step_0():
    line = dialect.polynomial(end_step=4, end_value=1.0)
    rate = dialect.stepwise([line, None, line], [2, 3])
    assert [float(rate(n)) for n in (0, 1, 2, 3, 4, 7, 8)] == [0.0, 0.25, 1.0, 0.0, 0.25, 1.0, 1.0]


def test_a_curve_holds_outside():
    curve = dialect.exponential(begin_step=2, begin_value=4.0, end_step=4, end_value=1.0)
    assert [float(curve(n)) for n in (0, 2, 3, 4, 5)] == [4.0, 4.0, 2.0, 1.0, 1.0]
    never = dialect.polynomial(begin_step=3, begin_value=0.25, end_step=3, end_value=1.0)
    assert [float(never(n)) for n in (0, 3, 4)] == [0.25] * 3


@pytest.mark.parametrize(
    "schedule",
    [
        dialect.decay_bias_correction(0.999),
        dialect.decay_bias_correction(0.0),
        dialect.adafactor(warmup_steps=1),
        dialect.adafactor_decay_rate(step_offset=20),
        dialect.ema_schedule(step_offset=3),
        dialect.inverse_sqrt(),
        dialect.warmup_stable_decay(1.0, max_step=0, decay_begin_step=0, warmup_steps=0),
        dialect.linear_schedule_with_warmup(1.0, max_step=0, warmup_steps=0),
    ],
)
def test_every_step_has_a_value(schedule):
    assert_sane(schedule)


def test_a_bias_is_corrected():
    """A moving average of ones is 1 from the first step on, as the mean of what was seen."""
    decay, mean = dialect.decay_bias_correction(0.9), 0.0
    for step in range(1, 6):
        weight = float(decay(step))
        mean = mean * weight + step * (1 - weight)
    expected = sum(0.9 ** (5 - s) * s for s in range(1, 6)) / sum(0.9 ** (5 - s) for s in range(1, 6))
    assert mean == pytest.approx(expected, rel=1e-6)


@pytest.mark.ci
def test_numbers_can_be_traced():
    for name in record.NAMES:
        if name in ("stepwise", "segment_wise"):
            continue
        arguments = {key: value for key, value in record.cases(name)[1].items() if value is not None}
        keys = list(arguments)
        function = getattr(dialect, name)
        assert_traces(
            lambda *numbers, f=function, k=keys: f(**dict(zip(k, numbers, strict=True))).shift(1), *arguments.values()
        )
    assert_traces(lambda a, b: dialect.segment_wise([0.5, 0.25, None], segment_steps=[a, b]), 3, 4)


def test_a_schedule_is_written_down():
    for name in record.NAMES:
        rate = made(name, record.cases(name)[0])
        assert jaxlr.schedules.parse(repr(rate)).to_dict() == rate.to_dict()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: dialect.polynomial(begin_step=3, end_step=2), ValueError, "end_step must be at least begin"),
        (lambda: dialect.polynomial(power=0), ValueError, "power must be above 0"),
        (lambda: dialect.exponential(begin_value=1.0), ValueError, "end_value must be above 0"),
        (lambda: dialect.exponential(begin_step=1), ValueError, "end_step must be above begin_step, 1, got 1"),
        (lambda: dialect.inverse_sqrt(0), ValueError, "warmup_steps must be at least 1, got 0"),
        (lambda: dialect.adafactor(warmup_steps=0), ValueError, "warmup_steps must be at least 1, got 0"),
        (lambda: dialect.adafactor(decay_power=1.0), ValueError, "decay_power must be below 1, got 1.0"),
        (lambda: dialect.adafactor(step_offset=-1), ValueError, "step_offset must be at least 0, got -1"),
        (lambda: dialect.decay_bias_correction(1.0), ValueError, "decay must be below 1, got 1.0"),
        (lambda: dialect.ema_schedule(warmup_steps=0), ValueError, "warmup_steps must be at least 1, got 0"),
        (lambda: dialect.stepwise([0.1, 0.2], [1, 2]), ValueError, "boundaries must be one fewer than schedules"),
        (lambda: dialect.stepwise([0.1, abs], [1]), TypeError, r"sub\[1\] must be"),
        (lambda: dialect.segment_wise([0.1], segment_steps=[1]), ValueError, "segment_steps must be one fewer"),
        (lambda: dialect.segment_wise([0.1, 1.0], segment_steps=[-1]), ValueError, r"segment_steps\[0\] must be"),
        (lambda: dialect.cosine_with_linear_warmup(1.0, max_step=500), ValueError, "max_step must be above 500, where"),
        (
            lambda: dialect.warmup_stable_decay(1.0, max_step=9, decay_begin_step=3, warmup_steps=4),
            ValueError,
            "decay_begin_step must be at least warmup_steps, 4, got 3",
        ),
        (
            lambda: dialect.warmup_stable_decay(1.0, max_step=9, decay_begin_step=10, warmup_steps=4),
            ValueError,
            "max_step must be at least decay_begin_step, 10, got 9",
        ),
        (
            lambda: dialect.linear_schedule_with_warmup(1.0, max_step=9, warmup_steps=10),
            ValueError,
            "max_step must be at least warmup_steps, 10, got 9",
        ),
        (lambda: dialect.constant_with_linear_warmup(0.1, warmup=3), TypeError, "warmup"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()
