"""Where a schedule stands: whole updates, and a fraction of one when a schedule in epochs is driven by updates."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jax import lax

from jaxlr.numerics.elementary import Logarithm, logarithm, logarithm_of_ratio, one_less
from jaxlr.numerics.wide import (
    Wide,
    alike,
    constant,
    from_integer,
    halves,
    only,
    ratio,
    select,
    two_difference,
    unless,
    where,
)

Array = jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Position:
    """The count `whole + fraction`, whole a uint32 array, fraction in [0, 1) or None for 0.

    `rest`, that is `1 - fraction`, comes with a fraction: next to 1 the difference would lose its bits.
    """

    whole: Array
    fraction: Wide | None = None
    rest: Wide | None = None

    def replace(self, whole: Array) -> Position:
        """Another count with the same fraction."""
        return Position(whole, self.fraction, self.rest)

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
        later = self.replace(self.whole - lax.min(*alike(self.whole, start)))
        return later if self.fraction is None else later.whole_unless(self.whole >= start)

    def whole_unless(self, moves: Array) -> Position:
        """The position, without its fraction where it does not move."""
        if self.fraction is None or self.rest is None:
            return self
        return Position(self.whole, only(moves, self.fraction), where(moves, self.rest, constant(1.0)))

    def within(self, period: Array) -> tuple[Array, Position]:
        """The number of whole periods before this position, and the position inside its period."""
        period = at_least_one(period)
        cycle = lax.div(*alike(self.whole, period))
        return cycle, self.replace(self.whole - cycle * period)

    def share(self, total: Array) -> Share:
        """The share of a way of `total` updates; all of it is done from `total` on."""
        ahead, whole = self._ahead(total), at_least_one(total)
        if self.fraction is None or self.rest is None:
            return Share(ratio(lax.min(*alike(self.whole, ahead)), whole, times=1), self.whole < ahead)
        inside = ahead > 0
        after = ahead - inside.astype(jnp.uint32)  # whole updates behind the one that this lies in
        early = inside & ((self.whole < after) | ((self.whole == after) & (self.fraction.high < 0.5)))
        near = from_integer(select(early, self.whole, after))
        part = only(inside, where(early, self.fraction, self.rest))
        return Share((near + part).doubled() / from_integer(whole), early)

    def line(self, total: Array, first: Wide, last: Wide) -> Wide:
        """What `share(total).between(first, last)` is, with one division for all counts: of the way, by its updates."""
        if self.fraction is not None:
            return self.share(total).between(first, last)
        ahead, whole = self._ahead(total), at_least_one(total)
        early = self.whole < ahead
        zeros = lax.clz(whole)
        inverse = ratio(lax.shift_right_logical(jnp.full_like(whole, 2**31), zeros), whole)
        slope = half_way(first, last).roughly(inverse)
        updates = lax.min(*alike(self.whole, ahead))  # from the nearer end
        most = updates & lax.shift_right_logical(jnp.full_like(updates, 0xFFF00000), lax.clz(updates))  # 12 bits
        # Over the same power of two, so that both factors are near 1.
        scale = lax.bitcast_convert_type((zeros + 97) << 23, jnp.float32)
        signed = select(early, scale, -scale)
        high = most.astype(jnp.int32).astype(jnp.float32) * signed
        low = (updates - most).astype(jnp.int32).astype(jnp.float32) * signed
        upper, lower = halves(slope.high)
        # The products of the high parts are exact: 33 bits of what is added.
        rest = ((lower * high + upper * low) + (lower + slope.low) * low) + slope.low * high
        return where(early, first, last).plus(Wide(upper * high, rest))

    def parts(self, total: Array) -> tuple[Wide, Wide]:
        """`(done, left)` with `done + left = 1`: how much of `total` lies behind and ahead; (1, 0) from `total` on."""
        return self.share(total).parts()

    def logarithm_of_done(self, total: Array) -> Logarithm:
        """That of the first of `parts`: of integers it needs no more than these."""
        if self.fraction is not None:
            done, left = self.parts(total)
            return logarithm(done, -left)
        whole = at_least_one(total)
        return logarithm_of_ratio(whole - self._ahead(total), whole)

    def logarithm_of_left(self, total: Array) -> Logarithm:
        """That of the second."""
        if self.fraction is not None:
            done, left = self.parts(total)
            return logarithm(left, -done)
        return logarithm_of_ratio(self._ahead(total), at_least_one(total))

    def _ahead(self, total: Array) -> Array:
        """The whole updates before `total`."""
        return total - lax.min(*alike(self.whole, total))


@dataclasses.dataclass(frozen=True)
class Share:
    """How much of a way is done, measured from its nearer end, where that number has all its bits."""

    near: Wide  # from that end to the middle: 0 at the end, 1 in the middle
    early: Array  # whether it is the first end

    def parts(self) -> tuple[Wide, Wide]:
        """`(done, left)`, of the whole way."""
        near = Wide(self.near.high * 0.5, self.near.low * 0.5)
        far = one_less(near)
        return where(self.early, near, far), where(self.early, far, near)

    def between(self, first: Wide, last: Wide) -> Wide:
        """`first` where nothing is done, `last` where all is, both exactly, and in a straight line from one to another.

        It is the nearer end plus a part of the way to the middle: nothing cancels for two ends of one sign, and half
        the way is never longer than the largest float32.
        """
        end, other = where(self.early, first, last), where(self.early, last, first)
        return end.plus(half_way(end, other).roughly(self.near))


def half_way(first: Wide, last: Wide) -> Wide:
    """Half the way from one to the other."""
    high, error = two_difference(last.high * 0.5, first.high * 0.5)
    return Wide(high, error + (last.low - first.low) * 0.5)


def position_of(value: Wide) -> Position:
    """A number, at least 0, as a position: an integer where it is within 2**-40 of itself of one; at most 2**32 - 1."""
    nearest = lax.stop_gradient(value.rounded())
    difference = value - nearest
    close = jnp.abs(difference.high) <= value.high * jnp.float32(2.0**-40)
    below = ~close & (difference.high < 0)
    apart = where(below, -difference, difference)
    other = constant(1.0) - apart
    fits = _is_count(nearest)
    none = close | ~fits
    fraction, rest = unless(none, where(below, other, apart)), where(none, constant(1.0), where(below, apart, other))
    high = select(nearest.high < 2.0**32, nearest.high, 0.0).astype(jnp.uint32)
    low = select(fits, nearest.low, 0.0).astype(jnp.int32).astype(jnp.uint32)  # may be negative: modulo 2**32
    return Position(select(fits, high + low - below.astype(jnp.uint32), 0xFFFFFFFF), fraction, rest)


def position_of_ratio(value: Wide, dividend: Array, divisor: Array) -> Position:
    """A quotient of integers as a position, exactly; at most 2**32 - 1.

    Args:
      value: the quotient, less than 1/2 off.
      dividend: modulo 2**32; uint32.
      divisor: uint32, from 1 to 2**31 - 1.
    """
    nearest = lax.stop_gradient(value.rounded())
    fits = _is_count(nearest)
    whole = modulo_of(nearest)
    remainder = (dividend - whole * divisor).astype(jnp.int32)  # wraps on the way, and is exact
    below = (remainder < 0).astype(jnp.uint32)
    done, left = Position(remainder.astype(jnp.uint32) + below * divisor).parts(divisor)
    return Position(select(fits, whole - below, 0xFFFFFFFF), only(fits, done), where(fits, left, constant(1.0)))


def _is_count(value: Wide) -> Array:
    return (value.high < 2.0**32) | ((value.high == 2.0**32) & (value.low < 0))


def modulo_of(value: Wide) -> Array:
    """An integer below 2**56 modulo 2**32; uint32."""
    wraps = jnp.floor(value.high * jnp.float32(2.0**-32))
    high = (value.high - wraps * jnp.float32(2.0**32)).astype(jnp.uint32)
    return high + value.low.astype(jnp.int32).astype(jnp.uint32)  # which may be negative


def resumed(position: Position, total: Array, begin: Array, phase: Wide) -> Share:
    """The share of a way of `total` updates of which `phase` was done at the count `begin`.

    The rest is taken evenly, so that the way still ends at `total`; before `begin` it stands still.
    """
    share = position.since(begin).share(total - lax.min(*alike(total, begin)))
    # In half ways: what was done, two times the phase, and then 1 - phase of the share; or what of it is left.
    behind = select(share.early, jnp.float32(2.0), jnp.float32(0.0))
    way = share.near.plus(phase * _less(behind, share.near))
    over = way.high > 1.0 + 2.0**-12  # past the middle, as only what is done can be; a high part alone may be less far
    return Share(where(over, _less(behind, way), way), share.early ^ over)


def progress(position: Position, total: Array, begin: Array, phase: Wide) -> tuple[Wide, Wide]:
    """The same in updates: what lies behind and what lies ahead; exact integers where nothing was shifted."""
    length = from_integer(total)
    done = phase * length
    start = lax.min(*alike(total, begin))
    left, way = total - lax.clamp(*alike(start, position.whole, total)), at_least_one(total - start)
    # A way that would begin at its end, or behind it, is one update that is done.
    inside, ahead = from_integer(way - left), from_integer(left)
    if position.fraction is not None and position.rest is not None:
        moves = (left > 0) & (position.whole >= start)
        ahead = from_integer(left - moves.astype(jnp.uint32)) + only(moves, position.rest)
        inside = inside + only(moves, position.fraction)
    speed = length.minus(done) / from_integer(way)
    return done.plus(inside * speed), ahead * speed


def _less(two: Array, value: Wide) -> Wide:
    """`two - value` for 2, or 0, and |value| <= 2."""
    high = two - value.high
    return Wide(high, ((two - high) - value.high) - value.low)


def at_least_one(length: Array) -> Array:
    """Guards a division by a traced length of 0."""
    return lax.max(length, jnp.ones_like(length))
