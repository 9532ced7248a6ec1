"""Polynomials in fixed point, from int32 alone: no rounding, so the same bits on every device and by every compiler.

Each takes a `Wide` as a 31-bit integer, runs Horner's rule on integers, and gives a `Wide`. Products are cut off after
32 bits, 1.2 units too low on average, which the constants make up for. Integers have no gradient: each polynomial comes
with the derivative of its function, in plain float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxlr.numerics.wide import Wide, halves, nearest, quick_two_sum

Array = jax.Array
_Halves = tuple[Array, Array]


def _differentiable(slope: Callable[[Wide, Wide], Array]) -> Callable[[Callable[[Wide], Wide]], Callable[[Wide], Wide]]:
    """Gives a function that computes with integers a derivative, from the argument and the value."""

    def with_slope(function: Callable[[Wide], Wide]) -> Callable[[Wide], Wide]:
        differentiable = jax.custom_jvp(function)

        @differentiable.defjvp
        def _jvp(primals: Any, tangents: Any) -> tuple[Wide, Wide]:
            (x,), (dx,) = primals, tangents
            value = differentiable(x)
            change = slope(x, value) * (dx.high + dx.low)
            return value, Wide(change, jnp.zeros_like(change))

        return differentiable

    return with_slope


@_differentiable(lambda x, _: jnp.float32(jnp.pi / 2) * jnp.sin(jnp.float32(jnp.pi / 2) * x.high))
def versine(x: Wide) -> Wide:
    """`1 - cos(pi/2 * x)` for x in [0, 1], to 30 bits of itself; not normalized."""
    upper, lower = halves(x.high)
    square = upper * upper
    rest = ((upper + upper) * lower + lower * lower) + (x.high + x.high) * x.low  # x**2 is both, to 46 bits
    t = top, bottom = _halves(_as_integer(Wide(square, rest), 2.0**30))
    value = 216827 - _down(top, 2)  # in units of 2**-32; what it changes by is too little to matter below the top
    value = _units(0.0018386046651, 36) - _down(value * top + _down(53300 * bottom, 14), 10)
    value = _units(0.0417269938300, 34) - _times(value, t)
    value = _units(0.5073390199677, 32) - _times(value, t)
    value = _units(2.4674011003561, 30) - 1 - _times(value, t)  # (1 - cos(pi x / 2)) * 2 / x**2
    return _product(value, 2.0**-31, Wide(square, rest))


@_differentiable(lambda _, value: jnp.float32(math.log(2)) * (1.0 + (value.high + value.low)))
def exp2_less_one(f: Wide) -> Wide:
    """`2**f - 1` for f in [-1/2, 1/2], to 29 bits of itself; not normalized."""
    t = top, _ = _signed_halves(_as_integer(f, 2.0**31))
    value = _units(0.00015461330718, 27) + _signed_down(_units(1.52527071916e-5, 31) * top, 19)
    value = _units(0.0013333669498, 35) + _signed_down(value * top, 7)
    value = _units(0.0096180570346, 34) + _signed_times(value, t)
    value = _units(0.0555041072755, 33) + _signed_times(value, t)
    value = _units(0.2402265092007, 32) + _signed_times(value, t)
    value = _units(0.6931471805816, 31) + 1 + _large_signed_times(value, t)  # (2**f - 1) / f
    return _product(value, 2.0**-31, f)


@_differentiable(lambda s, _: 1.0 / (1.0 - (s.high + s.low) * (s.high + s.low)))
def atanh(s: Wide) -> Wide:
    """The inverse hyperbolic tangent for |s| up to 0.1716, to 34 bits of itself."""
    t = top, _ = _halves(_square(lax.abs(_as_integer(s, 2.0**33))))  # s * s in units of 2**-36
    value = _units(0.1109565066, 17) + _down(_units(0.0968218024, 17) * top, 20)
    value = _units(0.1428587817, 25) + _down(value * top, 12)
    value = _units(0.1999999939, 29) + _times(value, t)
    value = _units(0.3333333333, 33) + 8 + _times(value, t)
    more = _product(_large_times(value, t), 2.0**-37, s)  # atanh(s) / s - 1 are at most 0.01
    high, error = quick_two_sum(s.high, more.high)
    return Wide(high, error + (s.low + more.low))


def _product(value: Array, unit: float, x: Wide) -> Wide:
    """`value * unit * x`, of an unsigned value, to 35 bits; its low part reaches 2**-11 of the high one."""
    first = _down(value, 20).astype(jnp.float32) * jnp.float32(unit * 2.0**20)
    second = (value & 0xFFFFF).astype(jnp.float32) * jnp.float32(unit)
    upper, lower = halves(x.high)
    return Wide(first * upper, (first * lower + second * (x.high + x.low)) + first * x.low)


def _as_integer(x: Wide, scale: Any) -> Array:
    """`x * scale`, of which the low part is below 2**22."""
    return (x.high * scale).astype(jnp.int32) + nearest(x.low * scale)


def _units(value: float, bits: int) -> int:
    """A number in units of `2**-bits`, as the int32 with the bits of that uint32, plus what products lack."""
    number = round(value * 2.0**bits)
    return number - 2**32 if number >= 2**31 else number


def _halves(value: Array) -> _Halves:
    """The upper 16 bits and the lower 16, of an unsigned value."""
    return _down(value, 16), value & 0xFFFF


def _signed_halves(value: Array) -> _Halves:
    """The upper 16 bits with the sign, and the lower 16."""
    return _signed_down(value, 16), value & 0xFFFF


def _square(value: Array) -> Array:
    """`value**2 / 2**30` for value in [0, 2**31), at most 3 off."""
    top, bottom = _halves(value)
    return (top * top << 2) + _down(top * bottom, 13)


def _times(value: Array, factor: _Halves) -> Array:
    """`value * factor / 2**32`, both unsigned and so small that the sum of the middle products is below 2**32."""
    (top, bottom), (high, low) = factor, _halves(value)
    return high * top + _down(high * bottom + low * top, 16)


def _large_times(value: Array, factor: _Halves) -> Array:
    """The same for any two numbers; at most 3 too low."""
    (top, bottom), (high, low) = factor, _halves(value)
    return high * top + _down(high * bottom, 16) + _down(low * top, 16)


def _signed_times(value: Array, factor: _Halves) -> Array:
    """`value * factor / 2**32`, both with a sign and so small that the sum of the middle products is below 2**31."""
    (top, bottom), (high, low) = factor, _signed_halves(value)
    return high * top + _signed_down(high * bottom + low * top, 16)


def _large_signed_times(value: Array, factor: _Halves) -> Array:
    """The same for any two numbers; at most 3 too low."""
    (top, bottom), (high, low) = factor, _signed_halves(value)
    return high * top + _signed_down(high * bottom, 16) + _signed_down(low * top, 16)


def _down(value: Array, bits: Any) -> Array:
    return lax.shift_right_logical(value, jnp.broadcast_to(jnp.int32(bits), value.shape))


def _signed_down(value: Array, bits: int) -> Array:
    return lax.shift_right_arithmetic(value, jnp.broadcast_to(jnp.int32(bits), value.shape))
