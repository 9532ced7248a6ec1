"""exp, log, the root and the sine, from additions and products alone."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr.numerics.fixed import atanh, exp2_less_one, versine
from jaxlr.numerics.wide import (
    LOG_OF_ZERO,
    SMALLEST,
    Wide,
    alike,
    between,
    constant,
    frexp,
    guess,
    halves,
    hidden,
    mantissa,
    nearest,
    only,
    power_of_two,
    quick_two_sum,
    ratio,
    select,
    two_difference,
    where,
)

__all__ = [
    "Logarithm",
    "exp",
    "exp_and_rest",
    "geometric",
    "less_one",
    "log",
    "logarithm",
    "logarithm_of_ratio",
    "one_less",
    "one_more",
    "power",
    "power_and_rest",
    "power_less_one",
    "sqrt",
    "versine",
]

Array = jax.Array
_LOG_2 = np.float32(round(math.log(2) * 2**16) / 2**16)
_LOG_2_REST = np.float32(math.log(2) - float(_LOG_2))
_SPAN = 260.0  # 2**-260 is 0 and 2**260 is infinite in float32, for every weight in front that is not absurd
_STEEP = 2.0**100  # an exponent that makes 0, 1 or infinity of every number


def exp(value: Wide, times: Wide | None = None) -> tuple[Wide, Array]:
    """`(y, k)` with `exp(value * times) = y * 2**k`, y in [0.7, 1.42]; multiply by y first, scale by k last.

    The value stays the same from count to count, where it may: what it takes is then computed once.
    """
    binary = value * constant(1 / math.log(2))
    less_one, exponent = _reduced(binary if times is None else binary * times)
    return one_more(less_one), exponent


def exp_and_rest(value: Wide) -> tuple[Wide, Array, Wide]:
    """`(y, k, 1 - exp(value))` with y and k as from `exp`, for value <= 0: each accurate where it is small."""
    return _with_rest(value * constant(1 / math.log(2)))


def power(base: Logarithm, exponent: Wide) -> tuple[Wide, Array]:
    """`(y, k)` with `base ** exponent = y * 2**k`, of the base's logarithm."""
    less_one, scale = power_less_one(base, exponent)
    return one_more(less_one), scale


def power_less_one(base: Logarithm, exponent: Wide) -> tuple[Wide, Array]:
    """`(y - 1, k)` with y and k as from `power`, the first accurate where it is small; not normalized."""
    return _reduced(base.binary_times(exponent))


def power_and_rest(base: Logarithm, exponent: Wide) -> tuple[Wide, Array, Wide]:
    """`(y, k, 1 - base ** exponent)` with y and k as from `power`, for a base up to 1 and an exponent above 0."""
    return _with_rest(base.binary_times(exponent))


@dataclasses.dataclass(frozen=True)
class Logarithm:
    """The logarithm of `2**order * exp(2 * half)`, where the number is not 0."""

    order: Any  # float32, an integer
    half: Wide
    nonzero: Any  # bool

    def natural(self) -> Wide:
        """The natural logarithm; `LOG_OF_ZERO` of 0."""
        # Of the exponents' eight bits and sixteen of log(2) the product is exact; of the rest 24 bits do.
        result = Wide(self.order * _LOG_2, self.order * _LOG_2_REST) + self.half.doubled()
        return where(self.nonzero, result, constant(LOG_OF_ZERO))

    def binary_times(self, exponent: Wide) -> Wide:
        """The logarithm to the base 2, times an exponent."""
        exponent = _clipped(exponent, -_STEEP, _STEEP)
        of_half = (exponent * constant(2 / math.log(2))).roughly(self.half)  # the first product is one for all counts
        upper, lower = halves(exponent.high)
        of_order = Wide(upper * self.order, lower * self.order + exponent.low * self.order)
        zero = Wide(exponent.high * LOG_OF_ZERO, jnp.zeros_like(exponent.high))
        return where(self.nonzero, of_order + of_half, zero)


def logarithm(value: Wide, less_one: Wide | None = None) -> Logarithm:
    """The logarithm, for `value >= 0`; that of 0 below the smallest normal float32.

    Near 1 it is as accurate as `less_one`, that is `value - 1`, where the caller knows it better than the value tells.
    """
    positive = value.high >= SMALLEST
    scaled, exponent = frexp(Wide(select(positive, value.high, 1.0), value.low))
    upper = scaled.high > math.sqrt(2)
    exponent = exponent + upper.astype(jnp.int32)
    unit = select(upper, jnp.float32(0.5), jnp.float32(1.0))
    scaled = Wide(scaled.high * unit, scaled.low * unit)
    over_one = Wide(*quick_two_sum(scaled.high - hidden(1.0), scaled.low))  # the difference is exact
    if less_one is not None:
        over_one = where((exponent == 0) & positive, less_one, over_one)
    return Logarithm(exponent.astype(jnp.float32), atanh(over_one / _more(2.0, over_one)), positive)


def log(value: Wide, less_one: Wide | None = None) -> Wide:
    """The natural logarithm, as `logarithm` has it."""
    return logarithm(value, less_one).natural()


def logarithm_of_ratio(part: Array, whole: Array) -> Logarithm:
    """The logarithm of `part / whole`, for uint32 and `whole >= 1`, of all bits also where it is small.

    Of integers m and n it is 2 atanh((m - n) / (m + n)), the quotient of two integers.
    """
    part, whole = alike(part, whole)
    (m, part_zeros), (n, whole_zeros) = mantissa(part), mantissa(whole)
    m_size, n_size = m.astype(jnp.float32), n.astype(jnp.float32)
    twice_m = (m_size * jnp.float32(math.sqrt(2)) < n_size).astype(jnp.int32)
    twice_n = (n_size * jnp.float32(math.sqrt(2)) < m_size).astype(jnp.int32)
    order = (whole_zeros - part_zeros).astype(jnp.int32) + twice_n - twice_m
    m, n = lax.shift_left(m, twice_m).astype(jnp.uint32), lax.shift_left(n, twice_n).astype(jnp.uint32)
    quarter = (m >> 2) + (n >> 2)  # of the sum, which has up to 34 bits
    s = ratio(lax.abs((m - n).astype(jnp.int32)).astype(jnp.uint32), quarter, times=-2)
    lost = (m + n - (quarter << 2)).astype(jnp.float32) / quarter.astype(jnp.float32)
    low = s.low - s.high * (lost * 0.25)
    sign = select(m < n, jnp.float32(-1.0), jnp.float32(1.0))
    return Logarithm(order.astype(jnp.float32), atanh(Wide(s.high * sign, low * sign)), part > 0)


def geometric(first: Wide, last: Wide, done: Wide) -> Wide:
    """`first * (last / first)**done` for last >= 0, from the smallest normal float32 where first is below it.

    The quotient need not be a float32: it is that of the mantissas.
    """
    first = where(first.high >= SMALLEST, first, constant(SMALLEST))
    (first, first_exponent), (last, last_exponent) = frexp(first), frexp(last)
    binary = (last_exponent - first_exponent).astype(jnp.float32)
    factor, exponent = exp(log(last / first) + constant(math.log(2)).times(binary), done)
    return (first * factor).scaled(exponent + first_exponent)


def sqrt(value: Wide) -> Wide:
    """The square root, for `value >= 0`; 0 below the smallest normal float32."""
    positive = value.high >= SMALLEST
    high = select(positive, value.high, 1.0)
    root = guess(lax.sqrt(high))
    square = Wide(root, jnp.zeros_like(root)).times(root)
    rest = (high - square.high) + (value.low - square.low)
    return only(positive, Wide(root, guess(rest / (root + root))))  # a guess with 16 good bits, as a TPU's, then has 30


def one_more(value: Wide) -> Wide:
    """`1 + value` for |value| <= 1."""
    return _more(1.0, value)


def one_less(value: Wide) -> Wide:
    """`1 - value` for |value| <= 1."""
    return _more(1.0, -value)


def less_one(value: Wide) -> Wide:
    """`value - 1`, of all bits also where they cancel."""
    high, error = two_difference(value.high, hidden(1.0))
    return Wide(*quick_two_sum(high, error + value.low))


def _clipped(value: Wide, low: float, high: float) -> Wide:
    clipped = between(value.high, low, high)
    return Wide(clipped, select(clipped == value.high, value.low, 0.0))


def _more(number: float, value: Wide) -> Wide:
    """`number + value` for |value| <= number, also of a value that is not normalized."""
    first = hidden(number)
    high = first + (value.high + value.low)
    return Wide(high, (value.high - (high - first)) + value.low)


def _with_rest(binary: Wide) -> tuple[Wide, Array, Wide]:
    less_one, exponent = _reduced(binary)
    y = one_more(less_one)
    scale = power_of_two(between(exponent, -60, 0))
    return y, exponent, where(exponent == 0, -less_one.normalized(), one_less(Wide(y.high * scale, y.low * scale)))


def _reduced(binary: Wide) -> tuple[Wide, Array]:
    """`(y, k)` with `2**binary = (1 + y) * 2**k` and |y| <= 0.42, accurate where y is small; y is not normalized."""
    binary = _clipped(binary, -_SPAN, _SPAN)
    exponent = nearest(binary.high)
    return exp2_less_one(Wide(binary.high - exponent.astype(jnp.float32), binary.low)), exponent
