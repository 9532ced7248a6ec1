"""Where a schedule stands: whole updates, and a fraction of one when a schedule in epochs is driven by updates."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jax import lax

from jaxlr.numerics.wide import Wide, constant, from_integer, where

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class Position:
    """The count `whole + fraction`, whole a uint32 array, fraction in [0, 1) or None for 0."""

    whole: Array
    fraction: Wide | None = None

    def wide(self) -> Wide:
        """The position as one number."""
        whole = from_integer(self.whole)
        return whole if self.fraction is None else whole + self.fraction

    def count(self) -> Array:
        """The position as a user's function takes it: int32, saturating, or float32 where it has a fraction."""
        if self.fraction is not None:
            return self.wide().nearest()
        return jnp.minimum(self.whole, jnp.uint32(0x7FFFFFFF)).astype(jnp.int32)

    def since(self, start: Array) -> Position:
        """The position counted from `start`; 0 before it."""
        started = self.whole >= start
        fraction = None if self.fraction is None else where(started, self.fraction, _zeros(self.fraction))
        return Position(jnp.where(started, self.whole - start, jnp.uint32(0)), fraction)

    def within(self, period: Array) -> tuple[Array, Position]:
        """The number of whole periods before this position, and the position inside its period."""
        period = at_least_one(period)
        cycle = self.whole // period
        return cycle, Position(self.whole - cycle * period, self.fraction)

    def parts(self, total: Array) -> tuple[Wide, Wide]:
        """`(done, left)` with `done + left = 1`: how much of `total` lies behind and ahead; (1, 0) from `total` on."""
        inside = self.whole < total
        total = at_least_one(total)
        ahead = jnp.where(inside, total - self.whole, jnp.uint32(0))
        early = self.whole < ahead
        near = from_integer(jnp.where(early, self.whole, ahead))
        if self.fraction is not None:
            fraction = where(inside, self.fraction, _zeros(self.fraction))
            near = near + where(early, fraction, -fraction)
        near = near / from_integer(total)
        far = constant(1.0) - near
        return where(early, near, far), where(early, far, near)


def position_of(value: Wide) -> Position:
    """A number, at least 0, as a position: an integer where it is within 2**-40 of itself of one; at most 2**32 - 1."""
    nearest = lax.stop_gradient(value.rounded())
    difference = value - nearest
    close = jnp.abs(difference.high) <= value.high * jnp.float32(2.0**-40)
    below = ~close & (difference.high < 0)
    fraction = where(below, constant(1.0) + difference, difference)
    fits = (nearest.high < 2.0**32) | ((nearest.high == 2.0**32) & (nearest.low < 0))
    fraction = where(close | ~fits, _zeros(fraction), fraction)
    high = jnp.where(nearest.high < 2.0**32, nearest.high, 0.0).astype(jnp.uint32)
    low = jnp.where(fits, nearest.low, 0.0).astype(jnp.int32).astype(jnp.uint32)  # may be negative: modulo 2**32
    return Position(jnp.where(fits, high + low - below.astype(jnp.uint32), jnp.uint32(0xFFFFFFFF)), fraction)


def shares(position: Position, total: Array, begin: Array, phase: Wide) -> tuple[Wide, Wide]:
    """`(done, left)` of a way of `total` updates of which `phase`, a share, was done at the count `begin`.

    The rest is taken evenly, so that the way still ends at `total`; before `begin` it stands still.
    """
    begin = begin
    done, left = position.since(begin).parts(jnp.where(total > begin, total - begin, jnp.uint32(0)))
    rest = constant(1.0) - phase
    return phase + rest * done, rest * left


def progress(
    position: Position, total: Array, begin: Array | None = None, phase: Wide | None = None
) -> tuple[Wide, Wide]:
    """`shares` in updates: what lies behind and what lies ahead; exact integers where nothing was shifted."""
    inside = position.whole < total
    behind = from_integer(jnp.where(inside, position.whole, total))
    ahead = from_integer(jnp.where(inside, total - position.whole, jnp.uint32(0)))
    if position.fraction is not None:
        fraction = where(inside, position.fraction, _zeros(position.fraction))
        behind, ahead = behind + fraction, ahead - fraction
    if begin is None or phase is None:
        return behind, ahead
    shifted = (begin > 0) | (phase.high != 0.0)
    done, left = shares(position, total, begin, phase)
    length = from_integer(total)
    return where(shifted, length * done, behind), where(shifted, length * left, ahead)


def at_least_one(length: Array) -> Array:
    """Guards a division by a traced length of 0."""
    return jnp.maximum(length, jnp.uint32(1))


def blend(first: Wide, last: Wide, position: Position, total: Array) -> Wide:
    """Linear from `first` at 0 to `last` at `total`, exact at both; nothing cancels for two ends of one sign."""
    done, left = position.parts(total)
    return first * left + last * done


def _zeros(value: Wide) -> Wide:
    return Wide(jnp.zeros_like(value.high), jnp.zeros_like(value.low))
