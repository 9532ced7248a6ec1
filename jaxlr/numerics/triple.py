"""Sums and products of float32 to about 70 bits, where a difference of large numbers must keep its last bits."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxlr.numerics.fusion import while_loop
from jaxlr.numerics.wide import Wide, halves, quick_two_sum, split_product, two_sum, where


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Triple:
    """The number `high + middle + low`, each at most half a unit in the last place of the one before."""

    high: Any
    middle: Any
    low: Any

    @jax.jit
    def __add__(self, other: Triple) -> Triple:
        high, first = two_sum(self.high, other.high)
        middle, second = two_sum(self.middle, other.middle)
        middle, third = two_sum(middle, first)
        return _renormalized(high, middle, (self.low + other.low) + (second + third))

    def __neg__(self) -> Triple:
        return Triple(-self.high, -self.middle, -self.low)

    def __sub__(self, other: Triple) -> Triple:
        return self + -other

    @jax.jit
    def __mul__(self, other: Triple) -> Triple:
        high, rest = _exact_product(self.high, other.high)
        left, left_rest = _two_product(self.high, other.middle)
        right, right_rest = _two_product(self.middle, other.high)
        middle, first = two_sum(left, right)
        middle, second = two_sum(middle, rest)
        low = self.middle * other.middle + self.high * other.low + self.low * other.high
        return _renormalized(high, middle, low + (left_rest + right_rest) + (first + second))

    def wide(self) -> Wide:
        """The nearest number of two float32."""
        return Wide(*two_sum(self.high, self.middle + self.low))


def triple(value: Wide) -> Triple:
    """A number of two float32 exactly."""
    return Triple(value.high, value.low, jnp.zeros_like(value.high))


def where_triple(condition: jax.Array, this: Triple, other: Triple) -> Triple:
    """`this` where the condition holds, else `other`."""
    pair = where(condition, Wide(this.high, this.middle), Wide(other.high, other.middle))
    return Triple(pair.high, pair.low, jnp.where(condition, this.low, other.low))


def integer_power(base: Triple, exponent: jax.Array) -> Triple:
    """`base ** exponent` for uint32 exponents, right to 70 bits less those of the exponent; it has no gradient."""

    def turn(_: Any, state: Any) -> Any:
        result, square, rest = state
        return where_triple(rest & 1 == 1, result * square, result), square * square, rest >> 1

    ones = jnp.ones(exponent.shape, jnp.float32)
    start = (Triple(ones, ones * 0, ones * 0), jax.tree.map(lambda part: ones * part, base), exponent)
    return while_loop(lambda state: jnp.any(state[2] > 0), turn, (), start)[0]


def _renormalized(high: jax.Array, middle: jax.Array, low: jax.Array) -> Triple:
    middle, low = two_sum(middle, low)
    high, middle = two_sum(high, middle)
    middle, low = two_sum(middle, low)
    return Triple(high, middle, low)


def _two_product(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    return quick_two_sum(*split_product(a, b))


def _exact_product(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The same without an error: a split product is rounded at the last of its 48 bits."""
    (a_high, a_low), (b_high, b_low) = halves(a), halves(b)
    total, first = quick_two_sum(a_high * b_high, a_high * b_low)
    total, second = quick_two_sum(total, a_low * b_high)
    rest, last = two_sum(first + second, a_low * b_low)
    total, rest = quick_two_sum(total, rest)
    return total, rest + last
