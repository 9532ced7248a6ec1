"""exp, log, sqrt and sine to about 40 bits, from additions and products alone."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr.numerics.wide import LOG_OF_ZERO, Wide, between, constant, frexp, from_float32, where

Array = jax.Array
_LOG_SPAN = 180.0  # exp(-180) is 0 and exp(180) is infinite in float32, for every weight in front that is not absurd


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
