"""What the host knows of a schedule without running it is true: its bounds hold the exact value."""

import jax
import numpy as np
import pytest
from cases import ROWS, dice_of, examples_of, names
from draws import LAST, call_of

import jaxlr


@pytest.mark.parametrize("name", names(ROWS))
def test_the_bounds_hold_the_exact_value(name):
    dice = dice_of(name, 11)
    for _ in range(12):
        call, marks = call_of(dice, name)
        outline = call.schedule().outline()
        counts = np.unique(np.clip([0, 1, 2, *outline.turns[:8], *outline.turns[:8] + 1, *marks, LAST], 0, LAST))
        low, high = outline.at(counts)
        exact = np.array([float(call.exact(int(count))) for count in counts])
        slack = 1e-9 * np.clip(abs(exact), 1e-30, 1e30)
        assert np.all(low <= exact + slack), call
        assert np.all(high >= exact - slack), call


def test_of_every_family_something_is_known():
    counts = np.array([0, 1, 2, 100])
    outlines = {
        row.name: each.schedule.outline().at(counts) for row in ROWS.values() for each in examples_of(row).values()
    }
    assert [name for name, bounds in outlines.items() if np.isinf(bounds).all()] == ["custom"]  # a function of the user


# The rates at some counts, by hand: there the bounds are one number.
KNOWN = {
    "linear": (jaxlr.linear(0.1, -0.1, 50), {0: 0.1, 50: -0.1, 99: -0.1}),
    "difference": (jaxlr.constant(0.1) - jaxlr.linear(0.0, 0.3, 100), {0: 0.1, 100: -0.2}),
    "product": (-2.0 * jaxlr.cosine(0.1, 100, end_value=0.05), {0: -0.2, 100: -0.1}),
    "join": (jaxlr.join([jaxlr.constant(0.1), jaxlr.linear(0.1, -0.1, 5)], [10]), {9: 0.1, 10: 0.1, 15: -0.1}),
    "per_epoch": (jaxlr.per_epoch(jaxlr.linear(0.1, -0.1, 3), 2.5), {0: 0.1, 8: -0.1}),
    "per_example": (jaxlr.per_example(jaxlr.linear(0.1, -0.1, 100), {0: 4, 10: 8}), {0: 0.1, 14: -0.1}),
    "warmup": (jaxlr.warmup(jaxlr.cosine(0.1, 10, end_value=-0.1), 5), {0: 0.0, 5: 0.1, 15: -0.1}),
    "cooldown": (jaxlr.cooldown(jaxlr.constant(0.1), 5, 5, end_value=-0.1), {4: 0.1, 5: 0.1, 10: -0.1}),
    "piecewise": (jaxlr.piecewise_constant([0.1, -0.1, 0.2], [3, 5]), {2: 0.1, 3: -0.1, 4: -0.1, 5: 0.2, 99: 0.2}),
    "triangular": (jaxlr.triangular(-0.1, 0.1, 5), {0: -0.1, 5: 0.1, 10: -0.1}),
    "trapezoid": (jaxlr.warmup_stable_decay(0.2, 4, 4, 4, end_value=-0.1), {0: 0.0, 4: 0.2, 8: 0.2, 12: -0.1}),
    "shift": (jaxlr.linear(0.1, -0.1, 50).shift(10), {40: -0.1}),
    "repeat": (jaxlr.linear(0.1, -0.1, 50).repeat(60), {0: 0.1, 55: -0.1, 60: 0.1}),
    "clip": ((jaxlr.constant(0.1) - 0.3).clip(min=0.0), {0: 0.0}),
}


@pytest.mark.parametrize("name", KNOWN)
def test_where_the_numbers_say_it_the_rate_is_known(name):
    schedule, rates = KNOWN[name]
    for bounds in schedule.outline().at(np.array(list(rates))):
        np.testing.assert_allclose(bounds, list(rates.values()), rtol=1e-11, atol=1e-12)


def test_nothing_is_known_of_what_is_traced_or_of_several():
    def check(value):
        low, high = (0.5 * jaxlr.linear(value, -0.1, 50)).outline().at(np.array([0, 50]))
        assert np.all(np.isinf(low) & np.isinf(high))
        return value

    jax.jit(check)(0.1)
    several = jax.vmap(lambda value: jaxlr.cosine(value, 50))(np.array([0.1, -0.1]))
    assert np.all(np.isinf(jax.device_get(several).outline().at(np.array([0, 50]))))
