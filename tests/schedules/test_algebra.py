"""Schedules as numbers: products, sums, differences, clips, shifts, repeats."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import SHAPE

import jaxlr
from jaxlr.schedules import Schedule

COUNTS = np.arange(SHAPE)
RATE = jaxlr.cosine(0.3, 20, end_value=0.1)
OTHER = jaxlr.triangular(0.0, 1.0, 7)
VALUES = np.asarray(RATE(COUNTS), np.float64)
OTHERS = np.asarray(OTHER(COUNTS), np.float64)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (RATE * 0.5, VALUES * 0.5),
        (0.5 * RATE, VALUES * 0.5),
        (RATE * OTHER, VALUES * OTHERS),
        (RATE + OTHER, VALUES + OTHERS),
        (1 + RATE, VALUES + 1),
        (RATE - OTHER, VALUES - OTHERS),
        (1 - RATE, 1 - VALUES),
        (-RATE, -VALUES),
        (RATE / 3, VALUES / 3),
        (RATE / np.float32(0.25), VALUES * 4),
        (np.float64(2.0) * RATE, VALUES * 2),
        (jnp.float32(2.0) * RATE, VALUES * 2),
        (RATE**2.5, VALUES**2.5),
        (RATE**-1, 1 / VALUES),
        (3 / RATE, 3 / VALUES),
        (np.float32(0.5) / RATE, 0.5 / VALUES),
        (+RATE, VALUES),
        (OTHER**0.5, OTHERS**0.5),
        ((RATE - 0.2) ** 2, (VALUES - 0.2) ** 2),
        ((RATE - 0.2) ** 3, (VALUES - 0.2) ** 3),
        ((OTHER - 0.5) ** 0.5, np.sqrt(np.maximum(OTHERS - 0.5, 0))),
        (RATE**0, np.ones(SHAPE)),
        (RATE.clip(min=0.15), np.maximum(VALUES, 0.15)),
        (RATE.clip(max=0.15), np.minimum(VALUES, 0.15)),
        (RATE.clip(0.15, 0.25), np.clip(VALUES, 0.15, 0.25)),
        (RATE.shift(5), np.asarray(RATE(COUNTS + 5))),
        (RATE.shift(-5), np.asarray(RATE(np.maximum(COUNTS - 5, 0)))),
        (RATE.repeat(6), np.asarray(RATE(COUNTS % 6))),
    ],
    ids=repr,
)
def test_equals_the_operation_on_the_values(schedule, expected):
    np.testing.assert_allclose(np.asarray(schedule(COUNTS)), expected, rtol=2e-7, atol=1e-8)
    again = Schedule.from_dict(schedule.to_dict())
    np.testing.assert_array_equal(np.asarray(again(COUNTS)), np.asarray(schedule(COUNTS)))


def test_compositions_are_data():
    def make(peak, steps):
        return (jaxlr.warmup(jaxlr.cosine(peak, steps), 3) * 0.5 + 0.01).clip(0.02, 1.0).shift(1)

    peaks, steps = jnp.array([0.1, 0.2]), jnp.array([10, 20])
    batch = jax.vmap(make)(peaks, steps)
    together = jax.vmap(lambda schedule: schedule(COUNTS))(batch)
    for i in range(2):
        separate = make(peaks[i], int(steps[i]))(COUNTS)
        np.testing.assert_array_equal(np.asarray(together[i]), np.asarray(separate))


@pytest.mark.parametrize(
    "schedule",
    [
        jaxlr.constant(1e30) * jaxlr.constant(1e30),
        jaxlr.constant(3e38) + jaxlr.constant(3e38),
        jaxlr.constant(-3e38) - jaxlr.constant(3e38),
        jaxlr.exponential(1.0, 2.0) * jaxlr.exponential(1.0, 2.0),
        jaxlr.exponential(1.0, 2.0) + jaxlr.exponential(1.0, 2.0),
    ],
    ids=repr,
)
def test_stops_at_the_largest_number(schedule):
    values = np.asarray(schedule(np.array([0, 63, 64, 100, 127, 128, 10**6, 2**31 - 1])))
    assert np.isfinite(values).all()
    assert abs(values[-1]) == np.finfo(np.float32).max


def test_a_product_keeps_its_bits_next_to_underflow():
    decay = jaxlr.exponential(1.0, 0.99)
    for count in (4000, 4200, 4300):
        assert float((decay * decay)(count)) == pytest.approx(0.99 ** (2 * count), rel=2e-7)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RATE / 0, ValueError, "the divisor must not be 0, got 0.0"),
        (lambda: RATE / OTHER, TypeError, "the divisor must be a number, got triangular"),
        (lambda: RATE / OTHER, TypeError, r"multiply by its power: schedule \* it \*\* -1"),
        (lambda: abs(RATE), TypeError, r"write jaxlr\.custom\(lambda n: abs\(schedule\(n\)\)\)"),
        (lambda: 2**RATE, TypeError, r"write jaxlr\.custom\(lambda n: number \*\* schedule\(n\)\)"),
        (lambda: RATE**OTHER, TypeError, "the exponent must be a number, got triangular"),
        (lambda: RATE.clip(), ValueError, "min or max must be given"),
        (lambda: RATE * (lambda n: n), TypeError, "jaxlr.custom"),
    ],
)
def test_what_has_no_value_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_traced_divisor_and_exponent():
    rate = jax.jit(lambda s, x: ((s / x)(3), (s**x)(3)))
    assert rate(RATE, 2.0) == (float((RATE / 2.0)(3)), float((RATE**2.0)(3)))
    assert np.isfinite(rate(RATE, 0.0)).all()
    assert float((jaxlr.linear(0.0, 1.0, 10) ** -2.0)(0)) == np.finfo(np.float32).max
