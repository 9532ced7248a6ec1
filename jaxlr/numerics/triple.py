"""Sums and products of float32 to about 70 bits, where a difference of large numbers must keep its last bits."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxlr.numerics.fusion import while_loop
from jaxlr.numerics.wide import Wide, halves, product_of_halves, quick_two_sum, select, two_sum, where


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Triple:
    """The number `high + middle + low`, each about half a unit in the last place of the one before, or less."""

    high: Any
    middle: Any
    low: Any

    @jax.jit
    def __add__(self, other: Triple) -> Triple:
        high, first = two_sum(self.high, other.high)
        middle, second = two_sum(self.middle, other.middle)
        middle, third = two_sum(middle, first)
        middle, low = two_sum(middle, (self.low + other.low) + (second + third))
        high, middle = two_sum(high, middle)
        return Triple(high, *two_sum(middle, low))

    def __neg__(self) -> Triple:
        return Triple(-self.high, -self.middle, -self.low)

    def __sub__(self, other: Triple) -> Triple:
        return self + -other

    @jax.jit
    def __mul__(self, other: Triple) -> Triple:
        a, b = halves(self.high), halves(other.high)
        high, rest = _exact_product(a, b)
        left, left_rest = quick_two_sum(*product_of_halves(a, halves(other.middle)))
        right, right_rest = quick_two_sum(*product_of_halves(halves(self.middle), b))
        middle, first = two_sum(left, right)
        middle, second = two_sum(middle, rest)
        low = self.middle * other.middle + self.high * other.low + self.low * other.high
        middle, low = two_sum(middle, low + (left_rest + right_rest) + (first + second))
        high, middle = quick_two_sum(high, middle)
        return Triple(high, *quick_two_sum(middle, low))

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


def last_multiple(start: Triple, base: Triple, most: Triple, way: jax.Array) -> tuple[jax.Array, Triple]:
    """The last `start * base**i` up to `most`, and i below 2**32; right to 70 bits less those of i, without a gradient.

    The multiples rise: from a positive start with a base above 1, or from a negative one with a base below it. The bits
    of i are found from its first on, a product each. The powers that it takes are those of any `most` so far from the
    start, by no more than `way` times the nearer to 0 of both: one table of them serves all counts.
    """
    growth = jnp.abs((base.high - 1.0) + base.middle) / lax.min(base.high, jnp.ones_like(base.high))

    def square(way: jax.Array, state: Any) -> Any:
        powers, power, growth, bit = state
        row = jnp.stack([power.high, power.middle, power.low])
        return lax.dynamic_update_index_in_dim(powers, row, bit, 0), power * power, growth * (2.0 + growth), bit + 1

    def is_on_the_way(way: jax.Array, state: Any) -> jax.Array:
        _, _, growth, bit = state
        return jnp.any((growth * (1 - 2.0**-10) <= way) & (bit < 32))

    def step(given: Any, state: Any) -> Any:
        powers, most = given
        index, last, bit = state
        further = last * Triple(*lax.dynamic_index_in_dim(powers, bit, 0, keepdims=False))
        rest = (further.high - most.high) + (further.middle - most.middle) + (further.low - most.low)
        index = index + select(rest <= 0.0, lax.shift_left(jnp.uint32(1), bit.astype(jnp.uint32)), 0)
        return index, where_triple(rest <= 0.0, further, last), bit - 1

    rows = jnp.zeros((32, 3, *base.high.shape), jnp.float32)
    powers, _, _, bits = while_loop(is_on_the_way, square, way, (rows, base, growth, jnp.int32(0)))
    begin = jax.tree.map(lambda part: jnp.broadcast_to(part, most.high.shape), start)
    state = jnp.zeros(most.high.shape, jnp.uint32), begin, bits - 1
    index, last, _ = while_loop(lambda _, state: state[2] >= 0, step, (powers, most), state)
    return index, last


def _exact_product(a: tuple[jax.Array, jax.Array], b: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Of the halves of two numbers, without an error: `product_of_halves` is rounded at the last of its 48 bits."""
    total, first = quick_two_sum(a[0] * b[0], a[0] * b[1])
    total, second = quick_two_sum(total, a[1] * b[0])
    rest, last = two_sum(first + second, a[1] * b[1])
    total, rest = quick_two_sum(total, rest)
    return total, rest + last
