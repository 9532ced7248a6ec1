"""The gradient of a rate by each number, against differences of the exact value."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ROWS
from reference import mpf
from rows import Call

import jaxlr

EXAMPLES = {
    name: row.examples.get(f"{name}_power", list(row.examples.values())[-1]).arguments  # one that takes every number
    for name, row in ROWS.items()
    if row.examples and any(isinstance(low, float) for low, _ in row.numbers.values())
}
MARKS = dict.fromkeys(EXAMPLES, pytest.mark.long)
MARKS |= dict.fromkeys(("linear", "cosine", "exponential", "one_cycle"), ())
MARKS |= dict.fromkeys(("time_based", "cosine_restarts", "polynomial", "warmup", "tanh"), pytest.mark.ci)
STEP = mpf(10) ** -18


def slope(name, arguments, key, count):
    """The derivative by an argument; None where the curve has a corner."""
    at = mpf(arguments[key])
    before, here, after = (Call(name, arguments | {key: at + step}).exact(count) for step in (-STEP, 0, STEP))
    left, right = (here - before) / STEP, (after - here) / STEP
    return float((left + right) / 2) if abs(right - left) <= (abs(left) + abs(right) + 1) * 1e-6 else None


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks) for name, marks in MARKS.items()])
def test_are_those_of_the_exact_value(name):
    arguments = EXAMPLES[name]
    schedule = Call(name, arguments).schedule()
    ranges = {key: ends for key, ends in ROWS[name].numbers.items() if key in schedule.arguments}
    numbers = {key: 0.25 * low + 0.75 * high for key, (low, high) in ranges.items() if isinstance(low, float)}
    counts = np.random.default_rng(0).integers(1, max(2, schedule.span()), 8).astype(np.int32)
    found = jax.jit(jax.jacfwd(lambda numbers: schedule.replace(**numbers)(counts)))(numbers)
    for key, derivative in found.items():
        slopes = [slope(name, arguments | numbers, key, int(count)) for count in counts]
        smooth = [value is not None for value in slopes]
        expected = np.array([value for value in slopes if value is not None])
        np.testing.assert_allclose(
            np.asarray(derivative)[smooth],
            expected,
            rtol=1e-4,
            atol=1e-5 * np.abs(expected).max(initial=0),
            err_msg=key,
        )


@pytest.mark.parametrize("decay", [0.0, 1e-38, 1e-31, 1e-20, 2.0**-36, 2.0**-34])
def test_that_of_a_decay_of_next_to_nothing_is_finite(decay):
    slope = jax.grad(lambda rate: jaxlr.time_based(0.1, rate)(1000))(jnp.float32(decay))
    np.testing.assert_allclose(slope, -0.1 * sum(range(1000)), rtol=2e-4)  # and a term of decay * 2e7
