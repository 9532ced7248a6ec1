"""exp, log, the root and the sine, from additions and products alone."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr.numerics.fixed import atanh_excess, exp2_slope, versine
from jaxlr.numerics.wide import (
    LOG_OF_ZERO,
    SMALLEST,
    Wide,
    between,
    constant,
    frexp,
    guess,
    hidden,
    only,
    power_of_two,
    quick_two_sum,
    select,
    two_difference,
    where,
)

__all__ = ["exp", "exp_and_rest", "geometric", "less_one", "log", "one_less", "one_more", "sqrt", "versine"]

Array = jax.Array
_LOG_2 = np.float32(round(math.log(2) * 2**16) / 2**16)
_LOG_2_REST = np.float32(math.log(2) - float(_LOG_2))
_LOG_SPAN = 180.0  # exp(-180) is 0 and exp(180) is infinite in float32, for every weight in front that is not absurd


def exp(value: Wide) -> tuple[Wide, Array]:
    """`(y, k)` with `exp(value) = y * 2**k` and y in [0.7, 1.42]; multiply by y first, scale by k last."""
    less_one, exponent = _reduced_expm1(value)
    return one_more(less_one), exponent


def exp_and_rest(value: Wide) -> tuple[Wide, Array, Wide]:
    """`(y, k, 1 - exp(value))` with y and k as from `exp`, for value <= 0: each accurate where it is small."""
    less_one, exponent = _reduced_expm1(value)
    y = one_more(less_one)
    scale = power_of_two(between(exponent, -60, 0))
    return y, exponent, where(exponent == 0, -less_one, one_less(Wide(y.high * scale, y.low * scale)))


def log(value: Wide, less_one: Wide | None = None) -> Wide:
    """The natural logarithm, for `value >= 0`; `LOG_OF_ZERO` below the smallest normal float32.

    Near 1 it is as accurate as `less_one`, that is `value - 1`, where the caller knows it better than the value tells.
    """
    positive = value.high >= SMALLEST
    mantissa, exponent = frexp(Wide(select(positive, value.high, 1.0), value.low))
    upper = mantissa.high > math.sqrt(2)
    exponent = exponent + upper.astype(jnp.int32)
    half = select(upper, jnp.float32(0.5), jnp.float32(1.0))
    mantissa = Wide(mantissa.high * half, mantissa.low * half)
    over_one = Wide(*quick_two_sum(mantissa.high - hidden(1.0), mantissa.low))  # the difference is exact
    if less_one is not None:
        over_one = where((exponent == 0) & positive, less_one, over_one)
    s = over_one / (one_more(over_one) + constant(1.0))  # the logarithm is 2 atanh(s)
    binary = exponent.astype(jnp.float32)
    # Of the exponents' eight bits and sixteen of log(2) the product is exact; of the rest 24 bits do.
    result = Wide(binary * _LOG_2, binary * _LOG_2_REST) + s.plus(s * atanh_excess(s)).doubled()
    return where(positive, result, constant(LOG_OF_ZERO))


def geometric(first: Wide, last: Wide, done: Wide) -> Wide:
    """`first * (last / first)**done` for last >= 0, from the smallest normal float32 where first is below it.

    The quotient need not be a float32: it is that of the mantissas.
    """
    first = where(first.high >= SMALLEST, first, constant(SMALLEST))
    (first, first_exponent), (last, last_exponent) = frexp(first), frexp(last)
    binary = (last_exponent - first_exponent).astype(jnp.float32)
    factor, exponent = exp((log(last / first) + constant(math.log(2)).times(binary)) * done)
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
    one = hidden(1.0)
    high = one + value.high
    return Wide(high, (value.high - (high - one)) + value.low)


def one_less(value: Wide) -> Wide:
    """`1 - value` for |value| <= 1."""
    one = hidden(1.0)
    high = one - value.high
    return Wide(high, ((one - high) - value.high) - value.low)


def less_one(value: Wide) -> Wide:
    """`value - 1`, of all bits also where they cancel."""
    high, error = two_difference(value.high, hidden(1.0))
    return Wide(*quick_two_sum(high, error + value.low))


def _clipped(value: Wide, low: float, high: float) -> Wide:
    clipped = between(value.high, low, high)
    return Wide(clipped, select(clipped == value.high, value.low, 0.0))


def _reduced_expm1(value: Wide) -> tuple[Wide, Array]:
    """`(y, k)` with `exp(value) = (1 + y) * 2**k` and |y| <= 0.42, accurate where y is small."""
    binary = _clipped(value, -_LOG_SPAN, _LOG_SPAN) * constant(1 / math.log(2))
    half = select(binary.high < 0.0, jnp.float32(-0.5), jnp.float32(0.5))
    exponent = (binary.high + half).astype(jnp.int32)  # the conversion cuts the fraction off
    rest = Wide(binary.high - exponent.astype(jnp.float32), binary.low)
    return rest * exp2_slope(rest), exponent
