"""The arithmetic by itself: each operation has the bits that its docstring promises, compiled too, against mpmath."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxlr
from jaxlr.numerics import elementary, fixed, wide
from jaxlr.numerics.triple import Triple, last_multiple, triple
from jaxlr.numerics.wide import Wide
from jaxlr.schedules.families.cosines import cosine_between
from jaxlr.schedules.position import Position

DRAWS = 400
random = np.random.default_rng(0)


def pairs(low, high, size=DRAWS):
    """Numbers of two float32 between two ends."""
    high_part = random.uniform(low, high, size).astype(np.float32)
    low_part = (np.abs(high_part) * random.uniform(-(2.0**-25), 2.0**-25, size)).astype(np.float32)
    return Wide(jnp.asarray(high_part), jnp.asarray(low_part))


def exact(value, place):
    """The number at a place, as it stands there."""
    return mpmath.fsum(mpmath.mpf(float(part[place])) for part in jax.tree.leaves(value))


def bits_right(result, right, *, beside=None):
    """How many bits of it the worst result has; beside: of that number instead."""
    worst = mpmath.mpf(2) ** -200
    for place, value in enumerate(right):
        size = abs(value) if beside is None else beside
        worst = max(worst, abs(exact(result, place) - value) / size)
    return -float(mpmath.log(worst, 2))


def two_ways(function, *arguments):
    """As the operations come, and compiled."""
    return function(*arguments), jax.jit(function)(*arguments)


@pytest.fixture(autouse=True)
def precise():
    random.bit_generator.state = np.random.default_rng(0).bit_generator.state  # the same, whatever ran before
    with mpmath.workdps(60):
        yield


@pytest.mark.parametrize(
    ("function", "right", "bits"),
    [
        (lambda a, b: a + b, lambda a, b: a + b, 45),
        (lambda a, b: a.plus(b), lambda a, b: a + b, 45),
        (lambda a, b: a * b, lambda a, b: a * b, 45),
        (lambda a, b: a.roughly(b), lambda a, b: a * b, 33),
        (lambda a, b: a / b, lambda a, b: a / b, 44),
        (wide.saturating_sum, lambda a, b: a + b, 45),
        (wide.saturating_product, lambda a, b: a * b, 45),
    ],
)
def test_of_two_numbers(function, right, bits):
    a, b = pairs(0.001, 1000.0), pairs(0.5, 2.0)
    truth = [right(exact(a, place), exact(b, place)) for place in range(DRAWS)]
    for result in two_ways(function, a, b):
        assert bits_right(result, truth) >= bits


def test_a_difference_keeps_the_bits_of_its_terms():
    a, b = pairs(1.0, 2.0), pairs(1.0, 2.0)
    truth = [exact(a, place) - exact(b, place) for place in range(DRAWS)]
    for result in two_ways(lambda a, b: a - b, a, b):
        assert bits_right(result, truth, beside=1) >= 45


def test_a_ratio_of_integers():
    parts = np.concatenate([np.array([0, 1, 1, 2**31 - 1, 2**31 - 1, 2**31 - 2, 3]), 2 ** random.uniform(0, 31, DRAWS)])
    wholes = np.concatenate(
        [np.array([7, 1, 2**31 - 1, 1, 2**31 - 1, 2**31 - 1, 2**24 + 1]), 2 ** random.uniform(0, 31, DRAWS)]
    )
    part, whole = parts.astype(np.uint32), wholes.astype(np.uint32)
    truth = [mpmath.mpf(int(p)) / int(w) for p, w in zip(part, whole, strict=True)]
    for result in two_ways(wide.ratio, jnp.asarray(part), jnp.asarray(whole)):
        assert exact(result, 0) == 0
        assert bits_right(jax.tree.map(lambda each: each[1:], result), truth[1:]) >= 44
    doubled = wide.ratio(jnp.asarray(part), jnp.asarray(whole), times=1)
    assert bits_right(jax.tree.map(lambda each: each[1:], doubled), [2 * each for each in truth[1:]]) >= 44


def ratios():
    """Integers up to 2**31, and how many of them lie apart: anything, next to each other, next to 2**31."""
    wholes = np.concatenate([2 ** random.uniform(1, 31, DRAWS), random.integers(2**30, 2**31, DRAWS)]).astype(int)
    shares = np.concatenate([2 ** -random.uniform(0, 31, DRAWS), random.uniform(0.4, 1, DRAWS)])
    parts = np.clip((wholes * shares).astype(int), 1, wholes - 1)
    parts[::3] = np.maximum(wholes[::3] - random.integers(1, 100, parts[::3].size), 1)
    return parts, wholes


def test_the_logarithm_of_a_ratio_has_all_bits_where_it_is_small():
    parts, wholes = ratios()
    truth = [mpmath.log(mpmath.mpf(int(p)) / int(w)) for p, w in zip(parts, wholes, strict=True)]
    for result in two_ways(
        lambda *both: elementary.logarithm_of_ratio(*both).natural(), *map(jnp.uint32, (parts, wholes))
    ):
        assert bits_right(result, truth) >= 33
    assert elementary.logarithm_of_ratio(jnp.uint32(0), jnp.uint32(7)).natural().high == np.float32(wide.LOG_OF_ZERO)


@pytest.mark.parametrize("exponent", [0.5, 3.0, 40.0, -2.0])
def test_a_power_of_a_ratio(exponent):
    parts, wholes = ratios()
    logarithm = elementary.logarithm_of_ratio(jnp.uint32(parts), jnp.uint32(wholes))
    near = np.abs(exponent * np.log(parts / wholes)) < 80
    truth = [(mpmath.mpf(int(p)) / int(w)) ** mpmath.mpf(exponent) for p, w in zip(parts, wholes, strict=True)]
    y, scale = elementary.power(logarithm, wide.constant(exponent))
    right = [value / mpmath.mpf(2) ** int(k) for value, k in zip(truth, scale, strict=True)]
    for place in np.flatnonzero(near):
        assert abs(exact(y, place) - right[place]) <= right[place] * mpmath.mpf(2) ** -26
    if exponent > 0:
        rest = elementary.power_and_rest(logarithm, wide.constant(exponent))[2]
        assert bits_right(rest, [1 - value for value in truth]) >= 27


def test_a_number_that_is_not_normalized_is_taken_with_all_its_bits():
    value = pairs(-0.9, 0.9)
    spread = Wide(value.high - value.high * 2.0**-12, value.low + value.high * 2.0**-12)
    for function, right in ((elementary.one_more, lambda x: 1 + x), (elementary.one_less, lambda x: 1 - x)):
        truth = [right(exact(spread, place)) for place in range(DRAWS)]
        for result in two_ways(function, spread):
            assert bits_right(result, truth, beside=1) >= 45
            assert np.all(np.abs(result.low) <= 2.0**-23)


@pytest.mark.parametrize("exponent", [-300, -140, -20, 0, 1])
def test_a_scale_down_keeps_the_bits_above_underflow(exponent):
    value = pairs(0.6, 0.9, 1)
    spread = Wide(value.high - value.high * 2.0**-12, value.low + value.high * 2.0**-12)
    right = exact(spread, 0) * mpmath.mpf(2) ** exponent
    error = abs(exact(spread.scaled_down(jnp.int32(exponent)), 0) - right)
    assert error <= (wide.SMALLEST if right < wide.SMALLEST else right * mpmath.mpf(2) ** -45)


@pytest.mark.parametrize("value", [0.0, 0.4, -0.6, 1023.49, -1023.51, 2.0**21 + 0.75, -(2.0**21) - 0.25])
def test_the_nearest_integer(value):
    for result in two_ways(wide.nearest, jnp.float32(value)):
        assert result == round(value)


@pytest.mark.parametrize("value", [0, 1, 2**24 - 1, 2**24 + 1, 2**31 - 1, 2**32 - 129])
def test_an_integer_is_taken_exactly(value):
    result = jax.tree.map(jnp.atleast_1d, wide.from_integer(jnp.uint32(value)))
    assert exact(result, 0) == value


@pytest.mark.parametrize("exponent", [-300, -140, -20, 0, 20, 120, 127, 300])
def test_a_scale_flushes_below_and_stops_above(exponent):
    value = pairs(1.0, 2.0, 1)
    right = min(exact(value, 0) * mpmath.mpf(2) ** exponent, mpmath.mpf(wide.LARGEST))
    result = value.scaled(jnp.int32(exponent))
    if right < wide.SMALLEST:
        assert abs(exact(result, 0)) <= wide.SMALLEST
    else:
        assert abs(exact(result, 0) - right) <= right * mpmath.mpf(2) ** -45


@pytest.mark.parametrize(
    ("function", "right", "ends", "bits", "beside"),
    [
        (fixed.versine, lambda x: 1 - mpmath.cos(mpmath.pi / 2 * x), (1e-4, 1.0), 30, None),
        (fixed.exp2_less_one, lambda f: 2**f - 1, (-0.5, 0.5), 29, None),
        (fixed.exp2_less_one, lambda f: 2**f - 1, (1e-9, 1e-5), 29, None),
        (fixed.atanh, mpmath.atanh, (-0.1716, 0.1716), 34, None),
        (fixed.atanh, mpmath.atanh, (1e-9, 1e-5), 34, None),
        (elementary.sqrt, mpmath.sqrt, (1e-6, 1e6), 44, None),
        (elementary.log, mpmath.log, (1.5, 1e6), 30, None),
        (lambda x: elementary.log(x), mpmath.log, (0.9, 1.1), 34, 1),
        (elementary.one_more, lambda x: 1 + x, (-0.9, 1.0), 45, 1),
        (elementary.one_less, lambda x: 1 - x, (-1.0, 0.9), 45, 1),
        (elementary.less_one, lambda x: x - 1, (0.9, 1.1), 45, 1),
    ],
)
def test_of_one_number(function, right, ends, bits, beside):
    value = pairs(*ends)
    truth = [right(exact(value, place)) for place in range(DRAWS)]
    for result in two_ways(function, value):
        assert bits_right(result, truth, beside=beside) >= bits


def test_exp_and_what_it_leaves_of_1():
    value = pairs(-20.0, 0.0)
    powers = [mpmath.exp(exact(value, place)) for place in range(DRAWS)]
    for y, exponent, rest in two_ways(elementary.exp_and_rest, value):
        scaled = [power / mpmath.mpf(2) ** int(k) for power, k in zip(powers, np.asarray(exponent), strict=True)]
        assert bits_right(y, scaled) >= 28
        assert bits_right(rest, [1 - power for power in powers]) >= 27


def threes():
    high = random.uniform(1.0, 2.0, DRAWS).astype(np.float32)
    parts = [
        high,
        *(np.float32(scale) * random.uniform(-1, 1, DRAWS).astype(np.float32) for scale in (2.0**-25, 2.0**-50)),
    ]
    return Triple(*map(jnp.asarray, parts))


def test_three_float32_have_70_bits():
    a, b = threes(), threes()
    for right, results in (
        (lambda a, b: a + b, two_ways(lambda a, b: a + b, a, b)),
        (lambda a, b: a * b, two_ways(lambda a, b: a * b, a, b)),
    ):
        truth = [right(exact(a, place), exact(b, place)) for place in range(DRAWS)]
        for result in results:
            assert bits_right(result, truth) >= 68


@pytest.mark.parametrize("cancelled", [0.0, 1.0])
def test_of_three_float32_each_is_small_beside_the_one_before(cancelled):
    a, b = threes(), threes()
    b = Triple(-a.high * jnp.float32(cancelled), b.middle, b.low)
    for result in (*two_ways(lambda a, b: a + b, a, b), *two_ways(lambda a, b: a * b, a, threes())):
        high, middle, low = map(np.asarray, (result.high, result.middle, result.low))
        assert np.all(np.abs(middle) <= np.spacing(np.abs(high)) / 2)
        assert np.all(np.abs(low) <= np.spacing(np.abs(middle)) / 2)


@pytest.mark.parametrize("sign", [1, -1], ids=["rising", "falling"])
def test_the_last_multiple_is_found_and_loses_the_bits_of_its_exponent(sign):
    base, start, exponents = threes(), threes(), np.arange(DRAWS, dtype=np.uint32) % 100
    bases = [exact(base, place) ** sign for place in range(DRAWS)]
    if sign < 0:
        base, start = parts_of(bases), jax.tree.map(lambda part: part * jnp.float32(-(2.0**99)), start)
        bases = [exact(base, place) for place in range(DRAWS)]
    truth = [exact(start, place) * power ** int(exponents[place]) for place, power in enumerate(bases)]
    for part in (0.01, 0.99):  # of the way to the next one
        most = parts_of([value * (1 + part * (power - 1)) for value, power in zip(truth, bases, strict=True)])
        given = start, base, most, jnp.full(DRAWS, 2.0**100, jnp.float32)
        for index, multiple in (*two_ways(last_multiple, *given), jax.vmap(last_multiple)(*given)):
            assert np.array_equal(index, exponents)
            assert bits_right(multiple, truth) >= 60


def parts_of(values):
    parts, rest = [], list(values)
    for _ in range(3):
        parts.append(np.array([np.float32(float(value)) for value in rest]))
        rest = [value - mpmath.mpf(float(part)) for value, part in zip(rest, parts[-1], strict=True)]
    return Triple(*map(jnp.asarray, parts))


def test_a_number_of_two_is_one_of_three_exactly():
    value = pairs(0.1, 10.0)
    assert [exact(triple(value), place) for place in range(5)] == [exact(value, place) for place in range(5)]


@pytest.mark.parametrize("total", [3, 1000, 2**24 + 1, 10**9 + 7, 2**31 - 1])
def test_a_line_has_33_bits_of_what_it_adds_to_its_nearer_end(total):
    counts = np.unique(np.concatenate([[0, 1, total // 2, total - 1, total], random.integers(0, total + 1, 200)]))
    first, last = wide.constant(0.0), wide.constant(0.1)

    def line(counts):
        return Position(counts).line(jnp.uint32(total), first, last)

    truth = [mpmath.mpf("0.1") * int(count) / total for count in counts]
    left = [mpmath.mpf("0.1") - value for value in truth]
    for result in two_ways(line, jnp.asarray(counts, jnp.uint32)):
        for place, (value, rest) in enumerate(zip(truth, left, strict=True)):
            nearer = mpmath.mpf("0.1") * mpmath.mpf(2) ** -44 + min(value, rest) * mpmath.mpf(2) ** -33
            assert abs(exact(result, place) - value) <= (nearer if value > rest else value * mpmath.mpf(2) ** -33)


def is_normalized(value):
    return np.all(np.abs(value.low) <= np.abs(value.high) * 2.0**-22)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_what_a_composition_takes_from_its_parts_is_normalized(name):
    given = {"linear": (0.0, 1.0, 1_000_003), "cosine": (1.0, 1_000_003)}
    schedule = getattr(jaxlr, name)(*given[name])
    counts = Position(jnp.asarray(random.integers(1, 1_000_003, DRAWS), jnp.uint32))
    assert not is_normalized(schedule.formula_at(counts))  # or this test would show nothing
    assert is_normalized(schedule.at(counts))


def test_a_rest_and_half_a_cosine_are_normalized():
    parts, wholes = map(jnp.uint32, ratios())
    logarithm = elementary.logarithm_of_ratio(parts, wholes)
    assert is_normalized(elementary.power_and_rest(logarithm, wide.constant(0.5))[2])
    done = wide.ratio(parts, wholes)
    zero, one = (Wide(jnp.full(done.high.shape, x, jnp.float32), jnp.zeros(done.high.shape)) for x in (0.0, 1.0))
    assert is_normalized(cosine_between(zero, one, done, elementary.one_less(done)))
