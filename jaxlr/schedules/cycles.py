"""Where a position stands in cycles of which each is so many times as long as the one before."""

from __future__ import annotations

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from jaxlr.numerics.fusion import together
from jaxlr.numerics.triple import Triple, last_multiple, triple, where_triple
from jaxlr.numerics.wide import (
    Wide,
    alike,
    between,
    constant,
    from_integer,
    guess,
    hidden,
    less,
    nearest,
    select,
    unless,
    where,
)
from jaxlr.schedules.cycle_table import ENDED, ENDLESS, CycleTable
from jaxlr.schedules.position import Position, Share

ENDING = 2.0**-40  # so much of an update may lack of a last cycle, which decimals mean to be one: 10 * 0.1
_MEANT = 2.0**-44  # so much of a count may lack of a start, which decimals mean to be one: 10 * 1.1
# An integer one as a uint32, a known 1 as itself, any other known one as its table where that is short.
Growth: TypeAlias = Wide | Triple | CycleTable | jax.Array | int


def cycle_of(position: Position, first: jax.Array, t_mul: Growth) -> tuple[jax.Array, Share]:
    """The cycle's index, and the place in it: at its end where no cycle of an update is left."""
    if isinstance(t_mul, CycleTable):
        return _tabled_cycle(position, first, t_mul)
    cycle, inside = position.within(first)
    place = inside.share(first)
    if isinstance(t_mul, int):
        return cycle, place
    if isinstance(t_mul, Wide | Triple):
        t_mul = triple(t_mul) if isinstance(t_mul, Wide) else t_mul
        changes = (t_mul.high != 1.0) | (t_mul.middle != 0.0)
        other_cycle, other_place = _changing_cycle(position, first, where_triple(changes, t_mul, triple(constant(2.0))))
    else:
        changes = t_mul > 1
        other_cycle, other_place = _multiplied_cycle(position, first, t_mul)
    early = select(changes, other_place.early, place.early)
    return select(changes, other_cycle, cycle), Share(where(changes, other_place.near, place.near), early)


def _multiplied_cycle(position: Position, first: jax.Array, t_mul: jax.Array) -> tuple[jax.Array, Share]:
    """An integer `t_mul > 1`: at most 32 cycles before the last count, in integers alone."""
    t_mul = lax.max(t_mul, jnp.full_like(t_mul, 2))
    zero = jnp.zeros_like(position.whole)
    rest, before, length, cycle = position.whole, zero, first + zero, zero
    longest = lax.div(*alike(jnp.uint32(0xFFFFFFFF), t_mul))  # of the lengths whose next one is a uint32
    for _ in range(32):  # not a loop of the program: a round of it takes as long as all of them
        later = rest >= length
        rest, before = rest - select(later, length, 0), select(later, length, before)
        cycle = cycle + later.astype(jnp.uint32)
        length = select(later, select(length > longest, 0xFFFFFFFF, length * t_mul), length)
    # The last length may be above all uint32.
    whole = where(cycle == 0, from_integer(first), from_integer(before) * from_integer(t_mul))
    behind = Position(rest, position.fraction, position.rest).wide()
    ahead = whole - behind
    early = less(behind, ahead)
    return cycle, Share(where(early, behind, ahead).doubled() / whole, early)


def _tabled_cycle(position: Position, first: jax.Array, table: CycleTable) -> tuple[jax.Array, Share]:
    """Any known growth but those that are next to 1: the cycle's index is guessed, and its start looked up."""
    unit, here = from_integer(first), position.wide()
    tolerance = here.high * jnp.float32(_MEANT)
    length = lax.stop_gradient(table.growth * here + unit)  # of a cycle that would begin here
    # The guess is rounded, and a fifth of a cycle off: it is the right one or the next.
    longer = _binary_logarithm(guess(lax.max(length.high, jnp.full_like(length.high, 0.25)) / unit.high))
    cycle = between(nearest(longer * table.cycles), 0, table.starts.high.shape[-1] - 2).astype(jnp.uint32)
    first_length, place = triple(unit), triple(from_integer(position.whole))
    if position.fraction is not None:
        place = place + triple(position.fraction)

    def since(cycle: jax.Array) -> Wide:
        start = jax.tree.map(lambda part: part.at[cycle].get(mode="promise_in_bounds"), table.starts)
        return (place - first_length * start).wide()

    this = since(cycle)
    begun = (this.high >= -tolerance) | (cycle == 0)
    other = since(select(begun, cycle + 1, cycle - 1))
    behind, ahead = where(begun, this, other), -where(begun, other, this)
    whole = behind + ahead
    over = less(whole, constant(1.0 - ENDING))
    early = less(behind, ahead) & ~over
    near = where(early, behind, ahead)
    near = unless(over | (near.high <= tolerance), near)  # of the last cycle nothing may be left ahead
    cycle = select(over, 0, cycle - (~begun).astype(jnp.uint32))
    return cycle, Share(near.doubled() / where(over, constant(1.0), whole), early)


def _binary_logarithm(value: jax.Array) -> jax.Array:
    """That of a positive float32, 0.009 off."""
    bits = lax.bitcast_convert_type(value, jnp.int32)
    over_one = (bits & 0x7FFFFF).astype(jnp.float32) * jnp.float32(2.0**-23)
    return ((bits >> 23) - 127).astype(jnp.float32) + over_one * (1.344 - 0.344 * over_one)


def _changing_cycle(position: Position, first: jax.Array, t_mul: Triple) -> tuple[jax.Array, Share]:
    """Any `t_mul` but 1, by multiples of the first length: cycle i starts at `unit (t_mul**i - 1) / growth`."""
    one = triple(constant(1.0))
    t_mul = where_triple(t_mul.high < ENDLESS, t_mul, triple(constant(ENDLESS)))
    t_mul = where_triple(t_mul.high > ENDED, t_mul, triple(constant(ENDED)))
    t_mul, growth = together((t_mul, t_mul - one))
    unit, whole = triple(from_integer(first)), from_integer(position.whole)
    # Times `growth` and plus `unit`, a start is a multiple of the unit, and the position is `target`. Both may be large
    # and what lies between them is needed to all its bits.
    place = triple(whole) if position.fraction is None else triple(whole) + triple(position.fraction)
    scale = select(growth.high > 2.0**32, jnp.float32(2.0**-64), jnp.float32(1.0))  # a length is above 2**128
    signed = select(growth.high < 0.0, -scale, scale)  # cycles that get shorter count downwards
    target, unit = (jax.tree.map(lambda part: part * signed, each) for each in (place * growth + unit, unit))
    target, unit = together((target, unit))
    # A product that is whole in decimals, such as 10 * 1.1, is a restart although its float32 digits are above it.
    integers = (t_mul.high == jnp.round(t_mul.high)) & (t_mul.middle == 0)
    tolerance = select(integers, 0.0, whole.high * jnp.abs(growth.high * scale) * jnp.float32(_MEANT))
    most = Triple(target.high, target.middle, target.low + tolerance)
    way = select(growth.high > 0.0, jnp.float32(2.0**32) * growth.high * (scale / unit.high), -unit.high)
    cycle, start = _last_start(unit, t_mul, most, way)
    length, into = start * growth, target - start
    behind, ahead = into.wide(), (length - into).wide()
    early = less(behind, ahead)
    near = where(early, behind, ahead)  # of the last cycle nothing may be left ahead
    return cycle, Share(unless(near.high <= tolerance, near).doubled() / length.wide(), early)


def _last_start(unit: Triple, t_mul: Triple, most: Triple, way: jax.Array) -> tuple[jax.Array, Triple]:
    """The last `unit * t_mul**i` up to `most` that is at least one update, and i."""
    unit, ratio, most, way = lax.stop_gradient((unit, t_mul, most, way))
    least = Triple(*map(hidden, (-1.0, ENDING, 0.0)))
    below = (unit.high < 0.0) & ((most.high - least.high) + (most.middle - least.middle) > 0.0)
    most = where_triple(below, least, most)
    cycle, start = last_multiple(unit, ratio, most, way)
    # What the loop hides from a gradient: d start / d t_mul.
    change = (t_mul.high - ratio.high) + (t_mul.middle - ratio.middle) + (t_mul.low - ratio.low)
    change = lax.stop_gradient(start.high * cycle.astype(jnp.float32) / ratio.high) * change
    return cycle, Triple(start.high + change, start.middle, start.low)
