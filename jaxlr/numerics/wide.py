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
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array
LARGEST = float(np.finfo(np.float32).max)
LOG_OF_ZERO = -1e20  # finite, so that no updates of a zero decay are 0 * LOG_OF_ZERO = 0


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
