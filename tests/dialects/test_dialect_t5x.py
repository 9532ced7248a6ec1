"""The factor strings of t5x and scenic, against rates recorded from both."""

import jax.numpy as jnp
import numpy as np
import pytest
import record_t5x as record
from recorded import BOTH, assert_sane, assert_traces, differences

import jaxlr
from jaxlr.dialects import t5x as dialect

t5x, scenic = dialect.create_learning_rate_scheduler, dialect.compound_lr_scheduler
# name, unit, first rate, count of the last rate of a run of N updates, what comes after, the test of the border
CONVENTIONS = [
    ("`linear_warmup`", "updates", "0, at least `min_learning_rate`", "W, the peak", "held", "test_t5x_warms_up"),
    ("`linear_decay`", "updates", "0", "W + 1 / decay_factor", "the minimum", "test_t5x_falls_to_its_minimum"),
    ("`decay_every`, `cosine_decay`", "updates", "1", "none", "goes on", "test_t5x_drops_and_starts_anew"),
    ("scenic `linear_warmup`", "updates", "`warmup_alpha`", "W, the peak", "held", "test_scenic_warms_up"),
    ("scenic `piecewise_constant`", "updates", "1", "event + 1", "held", "test_scenic_changes_after_an_event"),
    ("scenic `linear_decay`, `linear_cooldown`", "updates", "1", "N", "0", "test_scenic_ends_at_n"),
]  # fmt: skip


def made(name, arguments):
    return (t5x if name.startswith("t5x") else scenic)(**arguments)


@BOTH
@pytest.mark.parametrize("name", record.NAMES)
def test_is_what_the_source_recorded(name, draws):
    for found, arguments in differences(record, made, name, draws):
        assert found <= 1e-6, arguments


def test_t5x_warms_up():
    rate = t5x("constant * linear_warmup", 1.0, warmup_steps=4)
    assert [float(rate(n)) for n in (0, 1, 3, 4, 5)] == [np.float32(1e-8), 0.25, 0.75, 1.0, 1.0]
    later = t5x("constant * linear_warmup", 1.0, warmup_steps=4, step_offset=10)
    assert [float(later(n)) for n in (0, 10, 11, 14)] == [np.float32(1e-8), np.float32(1e-8), 0.25, 1.0]


def test_t5x_falls_to_its_minimum():
    rate = t5x("linear_decay", 1.0, warmup_steps=4, decay_factor=0.25, min_learning_rate=0.125)
    assert [float(rate(n)) for n in (0, 1, 4, 5, 7, 8, 9)] == [0.125, 0.25, 1.0, 0.75, 0.25, 0.125, 0.125]


def test_t5x_drops_and_starts_anew():
    drops = t5x("constant * decay_every", 1.0, steps_per_decay=3, decay_factor=0.5)
    assert [float(drops(n)) for n in (0, 2, 3, 5, 6)] == [1.0, 1.0, 0.5, 0.5, 0.25]
    waves = t5x("constant * cosine_decay", 1.0, warmup_steps=2, steps_per_cycle=4)
    assert [float(waves(n)) for n in (0, 2, 4, 6, 8)] == [1.0, 1.0, 0.5, 1.0, 0.5]


def test_scenic_warms_up():
    rate = scenic("constant * linear_warmup", 1.0, warmup_steps=4, warmup_alpha=0.5)
    assert [float(rate(n)) for n in (0, 1, 4, 5)] == [0.5, 0.625, 1.0, 1.0]
    assert float(scenic("constant * linear_warmup", 1.0, warmup_steps=0)(0)) == 1.0


def test_scenic_changes_after_an_event():
    pieces = {"decay_events": [2, 4], "decay_factors": [0.5, 0.25]}
    constant = scenic("constant * piecewise_constant", 1.0, **pieces)
    assert [float(constant(n)) for n in (1, 2, 3, 4, 5)] == [1.0, 1.0, 0.5, 0.5, 0.25]
    lines = scenic("constant * piecewise_linear", 1.0, **pieces)
    assert [float(lines(n)) for n in (0, 1, 2, 3, 4, 5)] == [1.0, 0.75, 0.5, 0.375, 0.25, 0.25]


def test_scenic_ends_at_n():
    falling = scenic("constant * linear_decay", 1.0, total_steps=4)
    assert [float(falling(n)) for n in (0, 3, 4, 5)] == [1.0, 0.25, 0.0, 0.0]
    cooling = scenic("constant * linear_cooldown", 1.0, total_steps=8, cooldown_steps=4)
    assert [float(cooling(n)) for n in (4, 7, 8, 9)] == [1.0, 0.25, 0.0, 0.0]


@pytest.mark.parametrize("factor", record.T5X)
def test_no_warm_up_is_no_division_by_zero(factor):
    rate = t5x(f"constant * linear_warmup * {factor}", 1.0, warmup_steps=0)
    assert_sane(rate)
    assert float(rate(0)) == 1.0


def test_what_falls_below_zero_in_the_source_stays_at_zero():
    twice = t5x("linear_decay * linear_decay", 1.0, warmup_steps=2, decay_factor=0.5, min_learning_rate=0.0)
    assert_sane(twice, end=4)
    cooling = scenic("constant * linear_cooldown", 1.0, total_steps=20, cooldown_steps=30, warmup_steps=5)
    assert_sane(cooling, end=20)
    np.testing.assert_allclose(cooling(np.arange(7)), [0.5] * 6 + [14 / 30], rtol=1e-6)


def test_every_restart_of_growing_cycles_has_its_own_peak():
    waves = scenic("constant * cosine_decay", 1.0, steps_per_cycle=10, t_mul=3, m_mul=0.5)
    assert [float(waves(10 * (3**i - 1) // 2)) for i in range(12)] == [0.5**i for i in range(12)]


@pytest.mark.ci
def test_numbers_can_be_traced():
    for factor in record.T5X:
        for arguments in record.cases(f"t5x {factor}")[:3]:
            factors = arguments.pop("factors")
            assert_traces(lambda *n, f=factors: t5x(f, *n), *arguments.values())

    def compound(base, warm, scale, total, cooldown, floor):
        return scenic(
            "constant * linear_warmup * rsqrt_decay * linear_decay * linear_cooldown", base, warmup_steps=warm,
            timescale=scale, total_steps=total, cooldown_steps=cooldown, end_learning_rate=floor,
        )  # fmt: skip

    assert_traces(compound, 0.1, 5, 20, 70, 10, 0.01)
    assert_traces(compound, 0.1, 5, 20, 50, 60, 0.01)

    def cosine(base, warm, cycle, alpha):
        return scenic("constant * cosine_decay", base, warmup_steps=warm, steps_per_cycle=cycle, alpha=alpha)

    assert_traces(cosine, 0.1, 5, 20, 0.25)


def test_a_schedule_is_written_down():
    for name in record.NAMES:
        rate = made(name, record.cases(name)[0])
        assert jaxlr.schedules.parse(repr(rate)).to_dict() == rate.to_dict()
        assert rate(jnp.arange(3)).shape == (3,)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: t5x("constant * rsqrt"), ValueError, "'rsqrt', which is no factor; did you mean 'rsqrt_decay'?"),
        (lambda: t5x("constant * __import__('os').getcwd()"), ValueError, "it is names with \\* between them"),
        (lambda: t5x("constant * polynomial"), ValueError, "factors has 'polynomial', which is no factor"),
        (lambda: t5x(""), ValueError, "factors has '', which is no factor"),
        (lambda: t5x("constant ** 2"), ValueError, "factors has '', which is no factor"),
        (lambda: t5x("x" * 10**5), ValueError, r"factors has 'x{60}\.\.\.', which is no factor"),
        (lambda: t5x("linear_warmup*" * 10**5), ValueError, "factors must be at most 50 names, got 100,001"),
        (lambda: t5x(["constant"]), TypeError, "factors must be text such as"),
        (lambda: t5x(warmup_steps=-1), ValueError, "warmup_steps must be at least 0, got -1"),
        (lambda: t5x("decay_every", steps_per_decay=0), ValueError, "steps_per_decay must be at least 1, got 0"),
        (lambda: t5x(min_learning_rate=-1.0), ValueError, "min_learning_rate must be at least 0"),
        (lambda: scenic("linear_warmup"), ValueError, "warmup_steps must be given for the factor 'linear_warmup'"),
        (lambda: scenic("decay_every", steps_per_decay=3), ValueError, "decay_factor must be given for the factor"),
        (lambda: scenic("rsqrt_normalized_decay"), ValueError, "did you mean 'rsqrt_decay'"),
        (
            lambda: scenic("linear_decay", warmup_steps=9, total_steps=9),
            ValueError,
            "total_steps must be above warmup_steps, 9, for the factor 'linear_decay', got 9",
        ),
        (lambda: scenic("cosine_decay", steps_per_cycle=9, t_mul=0.5), ValueError, "t_mul must be at least 1"),
        (lambda: scenic("linear_warmup", warmup_steps=9, warmup_alpha=2.0), ValueError, "warmup_alpha must be at"),
        (
            lambda: scenic("piecewise_linear", decay_events=[3, 3], decay_factors=[0.5, 0.2]),
            ValueError,
            "decay_events must be in strictly rising order",
        ),
        (
            lambda: scenic("piecewise_constant", decay_events=[3], decay_factors=[0.5, 0.2]),
            ValueError,
            "decay_factors must be one for each of decay_events, got 2 for 1 events",
        ),
        (lambda: scenic("constant", warm_steps=3), TypeError, "warm_steps"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
