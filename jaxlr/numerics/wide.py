"""Float32 arithmetic to about 46 bits, on any backend, whatever its compiler rewrites.

A `Wide` is an unevaluated sum of two float32. No function of the hardware is used (a TPU's `log` is off by up to
4,000 ulps) and nothing here relies on how a product is rounded:

- only exact products (12 by 12 bits, split by masking) enter an error-free sum: a fused multiply-add changes nothing;
- constants hide behind an optimization barrier, or XLA refolds the sums that they stand in;
- a quotient is a guess whose remainder is computed.

References:
  Dekker, A floating-point technique for extending the available precision, 1971, doi:10.1007/BF01397083
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array
LARGEST = float(np.finfo(np.float32).max)
LOG_OF_ZERO = -1e20  # finite, so that no updates of a zero decay are 0 * LOG_OF_ZERO = 0
_LOG_SPAN = 180.0  # exp(-180) is 0 and exp(180) is infinite in float32, for every weight in front that is not absurd


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Wide:
    """The number `high + low`, with `high` the nearest float32 to it."""

    high: Any
    low: Any

    def __add__(self, other: Wide) -> Wide:
        high, error = two_sum(self.high, other.high)
        return Wide(*_quick_two_sum(high, error + (self.low + other.low)))

    def __neg__(self) -> Wide:
        return Wide(-self.high, -self.low)

    def __sub__(self, other: Wide) -> Wide:
        return self + -other

    def __mul__(self, other: Wide) -> Wide:
        high, error = two_product(self.high, other.high)
        return Wide(*_quick_two_sum(high, error + (self.high * other.low + self.low * other.high)))

    def __truediv__(self, other: Wide) -> Wide:
        """Long division with two digits: 46 bits, and 32 where a reciprocal has 16 good ones, as on a TPU."""
        first = self.high / other.high
        rest = self - other.times(first)
        return Wide(*_quick_two_sum(first, rest.high / other.high))

    def times(self, other: Array) -> Wide:
        """The product with one float32."""
        high, error = two_product(self.high, other)
        return Wide(*_quick_two_sum(high, error + self.low * other))

    def scaled(self, exponent: Array) -> Wide:
        """`self * 2**exponent` for any int32 exponent; flushes to 0 below, stops at the largest float32 above."""
        exponent = between(exponent, -252, 254)
        half = exponent // 2
        rest = exponent - half
        high = self.high * _power_of_two(half) * _power_of_two(rest)
        low = self.low * _power_of_two(half) * _power_of_two(rest)
        most = between(high, -LARGEST, LARGEST)
        return Wide(most, jnp.where(most == high, low, 0.0))

    def rounded(self) -> Wide:
        """The nearest integer; the gradient passes as if it were not rounded."""
        high = jnp.round(self.high)
        high, low = _quick_two_sum(high, jnp.round(self.low + (self.high - high)))
        high, low = lax.stop_gradient((high, low))
        return Wide(high + (self.high - lax.stop_gradient(self.high)), low)

    def nearest(self) -> Array:
        """The nearest float32."""
        return self.high + self.low


def constant(value: float) -> Wide:
    """A Python float as a `Wide` that no compiler pass can fold into its neighbours."""
    high, low = split(value)
    return Wide(*lax.optimization_barrier((jnp.float32(high), jnp.float32(low))))


def split(value: float) -> tuple[np.float32, np.float32]:
    """A Python float as two float32, on the host."""
    with np.errstate(under="ignore"):
        high = np.float32(value)
        return high, np.float32(value - float(high))


def from_integer(value: Array) -> Wide:
    """A uint32 exactly."""
    top = (value & jnp.uint32(0xFFFFFF00)).astype(jnp.float32)
    bottom = (value & jnp.uint32(0xFF)).astype(jnp.float32)
    return Wide(*_quick_two_sum(top, bottom))


def from_float32(value: Array) -> Wide:
    """A float32 exactly."""
    return Wide(value, jnp.zeros_like(value))


def where(condition: Array, this: Wide, other: Wide) -> Wide:
    """`this` where the condition holds, else `other`."""
    return Wide(jnp.where(condition, this.high, other.high), jnp.where(condition, this.low, other.low))


def less(this: Wide, other: Wide) -> Array:
    """Whether `this < other`."""
    return jnp.where(this.high == other.high, this.low < other.low, this.high < other.high)


def exp(value: Wide) -> tuple[Wide, Array]:
    """`(y, k)` with `exp(value) = y * 2**k` and y in [0.7, 1.42]; multiply by y first, scale by k last."""
    y, exponent = _reduced_expm1(value)
    return y + constant(1.0), exponent


def exp_and_rest(value: Wide) -> tuple[Wide, Array, Wide]:
    """`(y, k, 1 - exp(value))` with y and k as from `exp`, for value <= 0: each accurate where it is small."""
    less_one, exponent = _reduced_expm1(value)
    y = less_one + constant(1.0)
    return y, exponent, where(exponent == 0, -less_one, constant(1.0) - y.scaled(exponent))


def log(value: Wide, less_one: Wide | None = None) -> Wide:
    """The natural logarithm, for `value >= 0`; `LOG_OF_ZERO` below the smallest normal float32.

    Near 1 it is as accurate as `less_one`, that is `value - 1`, where the caller knows it better than the value tells.
    """
    positive = value.high >= np.finfo(np.float32).tiny
    mantissa, exponent = frexp(where(positive, value, constant(1.0)))
    upper = mantissa.high > math.sqrt(2)
    exponent = exponent + upper.astype(jnp.int32)
    mantissa = where(upper, Wide(mantissa.high * 0.5, mantissa.low * 0.5), mantissa)
    over_one = mantissa - constant(1.0)
    if less_one is not None:
        over_one = where((exponent == 0) & positive, less_one, over_one)
    s = over_one / (over_one + constant(2.0))  # the logarithm is 2 atanh(s)
    series = _series(s * s, [2 / k for k in range(3, 23, 2)], wide=3)
    result = (s + s) + s * (s * s * series) + constant(math.log(2)).times(exponent.astype(jnp.float32))
    return where(positive, result, constant(LOG_OF_ZERO))


def sqrt(value: Wide) -> Wide:
    """The square root, for `value >= 0`; 0 below the smallest normal float32."""
    positive = value.high >= np.finfo(np.float32).tiny
    value = where(positive, value, constant(1.0))
    root = from_float32(lax.sqrt(value.high))
    for _ in range(2):  # a guess with 16 good bits, as a TPU's, then has all
        root = root + (value - root * root) / (root + root)
    return where(positive, root, constant(0.0))


def frexp(value: Wide) -> tuple[Wide, Array]:
    """`(m, k)` with `value = m * 2**k` and |m| in [1, 2) (up to 4 at the end of float32), 0 for 0."""
    exponent = between(((_bits(value.high) >> 23) & 0xFF).astype(jnp.int32) - 127, -127, 126)
    unit = _power_of_two(-exponent)
    return Wide(value.high * unit, value.low * unit), exponent


def saturating_sum(this: Wide, other: Wide) -> Wide:
    """`this + other`, which stops at the largest float32."""
    plain = this.high + other.high
    zero, limited = constant(0.0), between(plain, -LARGEST, LARGEST)
    over, most = limited != plain, Wide(limited, jnp.zeros_like(plain))
    return where(over, most, where(over, zero, this) + where(over, zero, other))


def saturating_product(this: Wide, other: Wide) -> Wide:
    """`this * other`, with all bits next to underflow, and never past the largest float32."""
    (this, k), (other, j) = frexp(this), frexp(other)
    return (this * other).scaled(k + j)


def sine_squared(quarter_turns: Wide) -> Wide:
    """`sin(pi/2 * quarter_turns) ** 2` for quarter_turns in [0, 1/2]."""
    quarter = _clipped(quarter_turns, 0.0, 0.5) * constant(math.pi / 8)
    square = quarter * quarter
    terms = [(-1) ** (k + 1) * 2.0 ** (2 * k - 1) / math.factorial(2 * k) for k in range(1, 9)]
    result = square * _series(square, terms, wide=3)
    for _ in range(2):  # sin(2x)**2 = 4 sin(x)**2 (1 - sin(x)**2)
        product = result * (constant(1.0) - result)
        result = Wide(4.0 * product.high, 4.0 * product.low)
    return result


def _clipped(value: Wide, low: float, high: float) -> Wide:
    clipped = between(value.high, low, high)
    return Wide(clipped, jnp.where(clipped == value.high, value.low, 0.0))


def _reduced_expm1(value: Wide) -> tuple[Wide, Array]:
    """`(y, k)` with `exp(value) = (1 + y) * 2**k` and |y| <= 0.42, accurate where y is small."""
    value = _clipped(value, -_LOG_SPAN, _LOG_SPAN)
    binary = lax.stop_gradient(value.high) * (1 / math.log(2))
    exponent = (binary + jnp.where(binary < 0, -0.5, 0.5)).astype(jnp.int32)  # the conversion cuts the fraction off
    x = value - constant(math.log(2)).times(exponent.astype(jnp.float32))
    eighth = Wide(x.high * 0.125, x.low * 0.125)
    result = eighth * _series(eighth, [1 / math.factorial(k) for k in range(1, 9)], wide=4)
    for _ in range(3):  # exp(2x) - 1 = (exp(x) - 1) (exp(x) + 1)
        result = result * (result + constant(2.0))
    return result, exponent


def between(value: Array, low: Any, high: Any) -> Array:
    """`jnp.clip`, by comparisons: jaxlib 0.12 compiles a minimum or a rounding of a long formula for minutes on CPU."""
    return jnp.where(
        value < low, jnp.asarray(low, value.dtype), jnp.where(value > high, jnp.asarray(high, value.dtype), value)
    )


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """`a + b` as the nearest float32 and what it leaves out, exactly."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _quick_two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """For |a| >= |b|, or a = 0."""
    total = a + b
    return total, b - (total - a)


def two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """`a * b` as a float32 and what it leaves out, to 48 bits."""
    a_high, a_low = _halves(a)
    b_high, b_low = _halves(b)
    total, first = two_sum(a_high * b_high, a_high * b_low)
    total, second = two_sum(total, a_low * b_high)
    return _quick_two_sum(total, (first + second) + a_low * b_low)


def _halves(value: Array) -> tuple[Array, Array]:
    """The upper 12 bits and the lower 12: their products are exact. The lower half carries the gradient."""
    upper = lax.bitcast_convert_type(_bits(value) & jnp.uint32(0xFFFFF000), jnp.float32)
    return upper, value - upper


def _bits(value: Array) -> Array:
    return lax.bitcast_convert_type(value, jnp.uint32)


def _power_of_two(exponent: Array) -> Array:
    """`2.0 ** exponent` for exponent in [-126, 127], without the hardware's exp2."""
    return lax.bitcast_convert_type((exponent + 127) << 23, jnp.float32)


def _series(x: Wide, coefficients: list[float], *, wide: int) -> Wide:
    """Horner's rule: the first coefficients in `Wide`, the rest in plain float32, where its error does not reach."""
    result = from_float32(x.high * _polynomial(x.high, coefficients[wide:]))
    for coefficient in reversed(coefficients[1:wide]):
        result = x * (result + constant(coefficient))
    return result + constant(coefficients[0])


def _polynomial(x: Array, coefficients: list[float]) -> Array:
    """Horner's rule in plain float32: for terms whose error does not reach the result."""
    result = jnp.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = result * x + jnp.float32(coefficient)
    return result
