"""Float32 arithmetic to about 45 bits, on any backend, whatever its compiler rewrites.

A `Wide` is an unevaluated sum of two float32. No function of the hardware is used (a TPU's `log` is off by up to
4,000 ulps) and nothing here relies on how a product is rounded:

- only exact products (12 by 12 bits, split by masking) enter a sum whose last bits matter: a fused multiply-add changes
  nothing, and what is rounded is rounded at 2**-45 of the result;
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
SMALLEST = float(np.finfo(np.float32).tiny)  # what is nearer to 0 is 0 on some devices
LOG_OF_ZERO = -1e20  # finite, so that no updates of a zero decay are 0 * LOG_OF_ZERO = 0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Wide:
    """The number `high + low`, with `high` within a few units in the last place of it, unless it is not normalized."""

    high: Any
    low: Any

    def __add__(self, other: Wide) -> Wide:
        high, error = two_sum(self.high, other.high)
        return Wide(*quick_two_sum(high, error + (self.low + other.low)))

    def plus(self, other: Wide) -> Wide:
        """The sum where nothing cancels, which keeps the high part near."""
        high, error = two_sum(self.high, other.high)
        return Wide(high, error + (self.low + other.low))

    def minus(self, other: Wide) -> Wide:
        """The difference where hardly anything cancels."""
        high, error = two_difference(self.high, other.high)
        return Wide(high, error + (self.low - other.low))

    def __neg__(self) -> Wide:
        return Wide(-self.high, -self.low)

    def __sub__(self, other: Wide) -> Wide:
        high, error = two_difference(self.high, other.high)
        return Wide(*quick_two_sum(high, error + (self.low - other.low)))

    def __mul__(self, other: Wide) -> Wide:
        high, error = split_product(self.high, other.high)
        # One product a sum: of two, XLA contracts the one or the other, and two programs differ in the last bit.
        return Wide(high, (error + self.high * other.low) + self.low * other.high)

    def __truediv__(self, other: Wide) -> Wide:
        """Long division with two digits: 45 bits, and 30 where a reciprocal has 16 good ones, as on a TPU."""
        first = guess(self.high / other.high)
        product = other.times(first)
        rest = (self.high - product.high) + (self.low - product.low)
        return Wide(first, guess(rest / other.high))

    def times(self, other: Array) -> Wide:
        """The product with one float32."""
        high, error = split_product(self.high, other)
        return Wide(high, error + self.low * other)

    def roughly(self, other: Wide) -> Wide:
        """The product to 33 bits, for a sum: its low part reaches 2**-11 of the high one, as that of one factor may."""
        (a_high, a_low), (b_high, b_low) = halves(self.high), halves(other.high)
        small = a_low * b_low + self.high * other.low
        return Wide(a_high * b_high, (a_high * b_low + a_low * b_high) + (small + self.low * other.high))

    def normalized(self) -> Wide:
        """The number with the high part near, where its low part may have grown."""
        return Wide(*quick_two_sum(self.high, self.low))

    def doubled(self) -> Wide:
        """Twice the number, exactly."""
        return Wide(self.high + self.high, self.low + self.low)

    def scaled(self, exponent: Array) -> Wide:
        """`self * 2**exponent` for any int32 exponent; flushes to 0 below, stops at the largest float32 above."""
        exponent = between(exponent, -252, 254)
        half = lax.shift_right_arithmetic(exponent, _like(exponent, 1))
        first, second = power_of_two(half), power_of_two(exponent - half)
        high, low = quick_two_sum(self.high, self.low)
        high, low = high * first * second, low * first * second
        most = between(high, -LARGEST, LARGEST)
        return Wide(most, select(most == high, low, 0.0))

    def scaled_down(self, exponent: Array) -> Wide:
        """The same for exponents up to 1 and a result below the largest float32."""
        exponent = select(exponent < -252, -252, exponent)
        half = lax.shift_right_arithmetic(exponent, _like(exponent, 1))
        first, second = power_of_two(half), power_of_two(exponent - half)
        high, low = quick_two_sum(self.high, self.low)
        return Wide(high * first * second, low * first * second)

    def rounded(self) -> Wide:
        """The nearest integer; the gradient passes as if it were not rounded."""
        high = jnp.round(self.high)
        high, low = quick_two_sum(high, jnp.round(self.low + (self.high - high)))
        high, low = lax.stop_gradient((high, low))
        return Wide(high + (self.high - lax.stop_gradient(self.high)), low)

    def nearest(self) -> Array:
        """The nearest float32."""
        return self.high + self.low


def constant(value: float) -> Wide:
    """A Python float as a `Wide` that no compiler pass can fold into its neighbours."""
    high, low = split(value)
    return Wide(*lax.optimization_barrier((jnp.float32(high), jnp.float32(low))))


def hidden(value: float) -> Array:
    """A Python float as a float32 that no compiler pass can fold into its neighbours."""
    return lax.optimization_barrier(jnp.float32(value))


def split(value: float) -> tuple[np.float32, np.float32]:
    """A Python float as two float32, on the host."""
    with np.errstate(under="ignore"):
        high = np.float32(value)
        return high, np.float32(value - float(high))


def guess(value: Array) -> Array:
    """A quotient or a root to 23 bits, which is enough for what is corrected later.

    XLA computes neither twice. What many operations use would cut the program into parts that each compute again what
    they share with the others; a rounded one is cheap to it, and all stays one loop.
    """
    return lax.reduce_precision(value, exponent_bits=8, mantissa_bits=22)


def from_integer(value: Array) -> Wide:
    """A uint32 exactly; the last 128 within 1, for their float32 is no uint32."""
    high = value.astype(jnp.float32)
    return Wide(high, (value - high.astype(jnp.uint32)).astype(jnp.int32).astype(jnp.float32))


def from_float32(value: Array) -> Wide:
    """A float32 exactly."""
    return Wide(value, jnp.zeros_like(value))


def ratio(part: Array, whole: Array, *, times: int = 0) -> Wide:
    """`part / whole * 2**times` for uint32 and `whole >= 1`: 44 bits, and 36 where a reciprocal has 16 good ones.

    Both are shifted until they have 31 bits: from 2**31 on the last is left out, and the quotient has 32 bits.
    Two digits of it, of 11 bits each, are guesses whose remainders are exact integers; what the last one leaves is
    small enough for a plain product with the inverse.
    """
    part, whole = alike(part, whole)
    (m, part_zeros), (n, whole_zeros) = mantissa(part), mantissa(whole)
    inverse = guess(2048.0 / n.astype(jnp.float32))
    first = nearest(m.astype(jnp.float32) * inverse)
    rest = m * 2048 - first * n  # wraps on the way, and is exact
    second = nearest(rest.astype(jnp.float32) * inverse)
    last = (rest * 2048 - second * n).astype(jnp.float32) * (inverse * jnp.float32(2.0**-11))
    unit = lax.bitcast_convert_type((whole_zeros - part_zeros + jnp.uint32(127 - 22 + times)) << 23, jnp.float32)
    return Wide((first * 2048 + second).astype(jnp.float32) * unit, last * unit)


def mantissa(value: Array) -> tuple[Array, Array]:
    """A uint32, shifted until it has 31 bits, as int32, and its leading zeros."""
    zeros = lax.clz(value)
    return (lax.shift_left(value, zeros) >> 1).astype(jnp.int32), zeros


def nearest(value: Array) -> Array:
    """The nearest integer of a float32 below 2**22, from its bits: XLA guards a conversion for what is larger."""
    return lax.bitcast_convert_type(value + jnp.float32(1.5 * 2.0**23), jnp.int32) - 0x4B400000


def select(condition: Array, this: Any, other: Any) -> Array:
    """`jnp.where` in one operation, for arrays of one type; a Python number takes the type of the other."""
    if not hasattr(this, "dtype"):
        this = jnp.asarray(this, other.dtype)
    if not hasattr(other, "dtype"):
        other = jnp.asarray(other, this.dtype)
    return lax.select(*alike(condition, this, other))


def alike(*arrays: Array) -> tuple[Array, ...]:
    """The arrays in one shape, which the functions of `lax` need."""
    shape = jnp.broadcast_shapes(*(array.shape for array in arrays))
    return tuple(array if array.shape == shape else jnp.broadcast_to(array, shape) for array in arrays)


def where(condition: Array, this: Wide, other: Wide) -> Wide:
    """`this` where the condition holds, else `other`."""
    return Wide(select(condition, this.high, other.high), select(condition, this.low, other.low))


def only(condition: Array, value: Wide) -> Wide:
    """The value where the condition holds, else 0."""
    return Wide(select(condition, value.high, 0.0), select(condition, value.low, 0.0))


def unless(condition: Array, value: Wide) -> Wide:
    """0 where the condition holds, else the value."""
    return Wide(select(condition, 0.0, value.high), select(condition, 0.0, value.low))


def less(this: Wide, other: Wide) -> Array:
    """Whether `this < other`."""
    return (this.high - other.high) + (this.low - other.low) < 0.0


def frexp(value: Wide) -> tuple[Wide, Array]:
    """`(m, k)` with `value = m * 2**k` and |m| in [1, 2) (up to 4 at the end of float32), 0 for 0."""
    exponent = between(((_bits(value.high) >> 23) & 0xFF).astype(jnp.int32) - 127, -127, 126)
    unit = power_of_two(-exponent)
    return Wide(value.high * unit, value.low * unit), exponent


def saturating_sum(this: Wide, other: Wide) -> Wide:
    """`this + other`, which stops at the largest float32."""
    plain = this.high + other.high
    limited = between(plain, -LARGEST, LARGEST)
    over = limited != plain
    return where(over, Wide(limited, jnp.zeros_like(plain)), unless(over, this) + unless(over, other))


def saturating_product(this: Wide, other: Wide) -> Wide:
    """`this * other`, with all bits next to underflow, and never past the largest float32."""
    (this, k), (other, j) = frexp(this), frexp(other)
    return (this * other).scaled(k + j)


def between(value: Array, low: Any, high: Any) -> Array:
    """`jnp.clip`, by comparisons: jaxlib 0.12 compiles a minimum or a rounding of a long formula for minutes on CPU."""
    low, high = (jnp.asarray(bound, value.dtype) for bound in (low, high))
    return select(value < low, low, select(value > high, high, value))


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """`a + b` as the nearest float32 and what it leaves out, exactly."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_difference(a: Array, b: Array) -> tuple[Array, Array]:
    """The same of `a - b`."""
    total = a - b
    part = total - a
    return total, (a - (total - part)) - (b + part)


def quick_two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """The same for |a| >= |b|, or a = 0."""
    total = a + b
    return total, b - (total - a)


def power_of_two(exponent: Array) -> Array:
    """`2.0 ** exponent` for exponent in [-126, 127], without the hardware's exp2."""
    return lax.bitcast_convert_type((exponent + 127) << 23, jnp.float32)


def halves(value: Array) -> tuple[Array, Array]:
    """The upper 12 bits and the lower 12: their products are exact. The lower half carries the gradient."""
    upper = lax.bitcast_convert_type(_bits(value) & jnp.uint32(0xFFFFF000), jnp.float32)
    return upper, value - upper


def split_product(a: Array, b: Array) -> tuple[Array, Array]:
    """`a * b` as a float32 and what it leaves out, to 48 bits."""
    return product_of_halves(halves(a), halves(b))


def product_of_halves(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    """The same of what is taken apart already."""
    (a_high, a_low), (b_high, b_low) = a, b
    total, first = quick_two_sum(a_high * b_high, a_high * b_low)
    total, second = quick_two_sum(total, a_low * b_high)
    return total, (first + second) + a_low * b_low


def _bits(value: Array) -> Array:
    return lax.bitcast_convert_type(value, jnp.uint32)


def _like(value: Array, number: Any) -> Array:
    return jnp.full_like(value, number)
