"""Warm restarts: a curve again and again, in cycles that may grow."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr.numerics.triple import Triple, integer_power, triple
from jaxlr.numerics.wide import Wide, alike, constant, from_integer, less, select, unless, where
from jaxlr.schedules import leaves
from jaxlr.schedules.families.cosines import along_cosine
from jaxlr.schedules.family import Cycle, family
from jaxlr.schedules.leaves import Factor
from jaxlr.schedules.position import Position, Share, at_least_one, position_of
from jaxlr.schedules.schedule import Schedule, as_schedule
from jaxlr.typing import Length, Scalar

_ENDLESS = 2.0**64  # a growth after which no count leaves the start of the second cycle; its square is in float32


def _three_cycles(first: int, t_mul: float) -> int:
    return math.ceil(first * (1 + t_mul + t_mul**2))


def _place(first: int, t_mul: float, count: int, limit: int | None = None) -> Cycle | None:
    rest, length, cycle = float(count), float(first), 0
    if t_mul == 1:  # there may be 2 ** 31 of them
        cycle, rest = divmod(count, first)
    while rest >= length:
        rest, length, cycle = rest - length, length * t_mul, cycle + 1
    return None if limit is not None and cycle >= limit else Cycle(int(rest), round(length))


@family(
    span=lambda a: _three_cycles(a.first_decay_steps, a.t_mul),
    cycle=lambda a, n: _place(a.first_decay_steps, a.t_mul, n),
)
def cosine_restarts(
    init_value: Scalar, first_decay_steps: Length, *, t_mul: Scalar = 1, m_mul: Scalar = 1.0, end_value: Scalar = 0.0
) -> Schedule:
    """Half a cosine again and again, each cycle `t_mul` times as long as the one before (SGDR).

    Cycle i lasts T_i = first_decay_steps * t_mul ** i updates; t updates into it
    lr = end_value + (init_value - end_value) * m_mul ** i * (1 + cos(pi t / T_i)) / 2

    A restart's first update has the full peak; the end value is approached and never held. Any number of cycles is the
    same program. Restarts are decided on integers where `t_mul` is one, else to 44 bits of the count: 10 * 1.1 is 11.

    Args:
      init_value: the first peak.
      first_decay_steps: updates in the first cycle; an integer, at least 1.
      t_mul: how much longer each next cycle is; at least 1.
      m_mul: how much higher each next peak is above `end_value`; at least 0.
      end_value: the rate that every cycle falls to.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `first_decay_steps` is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.cosine_restarts(1.0, 2, t_mul=2, m_mul=0.5)
      >>> [round(float(rate(n)), 4) for n in (0, 1, 2, 3, 4, 5, 6)]
      [1.0, 0.5, 0.5, 0.4268, 0.25, 0.0732, 0.25]

    References:
      Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, arXiv:1608.03983
    """
    return Schedule(
        _cosine_restarts,
        init_value=leaves.number("init_value", init_value),
        first_decay_steps=leaves.length("first_decay_steps", first_decay_steps),
        t_mul=_growth(t_mul),
        m_mul=leaves.factor("m_mul", m_mul),
        end_value=leaves.number("end_value", end_value),
    )


def _cosine_restarts(
    position: Position,
    init_value: Wide,
    first_decay_steps: jax.Array,
    t_mul: Wide | jax.Array | int,
    m_mul: Factor,
    end_value: Wide,
) -> Wide:
    cycle, place = _cycle_of(position, at_least_one(first_decay_steps), t_mul)
    fall = along_cosine(place)
    _, kept = fall.parts()
    power, scale = m_mul.power(from_integer(cycle))
    later = end_value + (kept * (init_value - end_value) * power).scaled(scale)
    # In the first cycle the peak is as it was given: end + (init - end) loses what a large end value swallows.
    return where(cycle == 0, fall.between(init_value, end_value), later)


@family(span=lambda a: _three_cycles(a.period, a.t_mul), cycle=lambda a, n: _place(a.period, a.t_mul, n, a.limit))
def with_restarts(
    schedule: Schedule,
    period: Length,
    *,
    t_mul: Scalar = 1,
    m_mul: Scalar = 1.0,
    limit: Length | None = None,
    end_value: Scalar = 0.0,
) -> Schedule:
    """The first `period` updates of any schedule again and again, each time `t_mul` times as slowly.

    Cycle i lasts T_i = period * t_mul ** i updates; t updates into it
    lr = m_mul ** i * schedule(period * t / T_i), and lr = end_value from cycle `limit` on

    Args:
      schedule: the curve of the first cycle.
      period: updates in the first cycle; an integer, at least 1.
      t_mul: how much longer each next cycle is; at least 1.
      m_mul: how much higher each next cycle is; at least 0.
      limit: the number of cycles, at least 1, or None for cycles without end.
      end_value: the rate after the last cycle.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `schedule` is none of jaxlr's, `period` or `limit` is no integer.

    Example:
      >>> import jaxlr
      >>> from jaxlr.schedules import with_restarts
      >>> rate = with_restarts(jaxlr.linear(1.0, 0.0, 2), 2, t_mul=2, m_mul=0.5, limit=2)
      >>> [float(rate(n)) for n in range(8)]
      [1.0, 0.5, 0.5, 0.375, 0.25, 0.125, 0.0, 0.0]
    """
    return Schedule(
        _with_restarts,
        schedule=as_schedule("schedule", schedule),
        period=leaves.length("period", period),
        t_mul=_growth(t_mul),
        m_mul=leaves.factor("m_mul", m_mul),
        limit=None if limit is None else leaves.length("limit", limit),
        end_value=leaves.number("end_value", end_value),
    )


def _with_restarts(
    position: Position,
    schedule: Schedule,
    period: jax.Array,
    t_mul: Wide | jax.Array | int,
    m_mul: Factor,
    limit: jax.Array | None,
    end_value: Wide,
) -> Wide:
    first = at_least_one(period)
    cycle, place = _cycle_of(position, first, t_mul)
    length = from_integer(first)
    near = length * Wide(place.near.high * 0.5, place.near.low * 0.5)
    inside = position_of(where(place.early, near, length - near))
    power, scale = m_mul.power(from_integer(cycle))
    value = (schedule.at(inside) * power).scaled(scale)
    return value if limit is None else where(cycle >= limit, end_value, value)


def _growth(t_mul: Any) -> Any:
    """The number as a leaf, an integer one as an integer, and a known 1 as a word: each is a smaller program."""
    leaf = leaves.growth("t_mul", t_mul)
    return 1 if leaves.is_known(leaf) and np.ndim(jax.tree.leaves(leaf)[0]) == 0 and leaves.plain(leaf) == 1 else leaf


def _cycle_of(position: Position, first: jax.Array, t_mul: Wide | jax.Array | int) -> tuple[jax.Array, Share]:
    """The cycle's index, and the place in it."""
    cycle, inside = position.within(first)
    place = inside.share(first)
    if isinstance(t_mul, int):
        return cycle, place
    if isinstance(t_mul, Wide):
        grows = less(constant(1.0), t_mul)
        grown_cycle, grown_place = _growing_cycle(position, first, t_mul)
    else:
        grows = t_mul > 1
        grown_cycle, grown_place = _multiplied_cycle(position, first, t_mul)
    early = select(grows, grown_place.early, place.early)
    return select(grows, grown_cycle, cycle), Share(where(grows, grown_place.near, place.near), early)


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


def _growing_cycle(position: Position, first: jax.Array, t_mul: Wide) -> tuple[jax.Array, Share]:
    """Any `t_mul > 1`, by multiples of the first length: cycle i starts at `unit (t_mul**i - 1) / growth`."""
    one = constant(1.0)
    t_mul = where(less(one, t_mul), t_mul, constant(2.0))
    t_mul = where(t_mul.high < _ENDLESS, t_mul, constant(_ENDLESS))
    growth, unit, whole = t_mul - one, from_integer(first), from_integer(position.whole)
    # Times `growth` and plus `unit`, a start is a multiple of the unit, and the position is `target`. Both may be large
    # and what lies between them is needed to all its bits.
    place = triple(whole) if position.fraction is None else triple(whole) + triple(position.fraction)
    target = place * triple(growth) + triple(unit)
    # A product that is whole in decimals, such as 10 * 1.1, is a restart although its float32 digits are above it.
    integers = (t_mul.high == jnp.round(t_mul.high)) & (t_mul.low == 0)
    tolerance = select(integers, 0.0, (whole.high * growth.high) * jnp.float32(2.0**-44))
    cycle, start = _last_start(target, triple(unit), t_mul, growth, tolerance, position.whole >= first)
    unit_of_both = select(growth.high > 2.0**32, jnp.float32(2.0**-64), jnp.float32(1.0))  # a length is above 2**128
    into, start = (jax.tree.map(lambda part: part * unit_of_both, each) for each in (target - start, start))
    length = start * triple(growth)
    behind, ahead = into.wide(), (length - into).wide()
    behind = unless(behind.high <= tolerance * unit_of_both, behind)
    early = less(behind, ahead)
    near = where(early, behind, ahead)
    return cycle, Share(unless(near.high < 0.0, near).doubled() / length.wide(), early)


def _last_start(
    target: Triple, unit: Triple, t_mul: Wide, growth: Wide, tolerance: jax.Array, later: jax.Array
) -> tuple[jax.Array, Triple]:
    """The largest i with `unit * t_mul**i <= target`, and that multiple.

    Each round goes as far as a bound from below of `log(target / start) / log(t_mul)` is sure of, and one at least.
    """
    target, unit, growth, factor = lax.stop_gradient((target, unit, growth, t_mul))
    ratio = triple(factor)
    # log(t) <= (t - 1/t) / 2; log2(1 + r) >= r for r <= 1, and log2 of a float is at least its bits as a number.
    scale = jnp.float32(2 * math.log(2) * (1 - 2.0**-10)) * factor.high / (growth.high * (1.0 + factor.high))

    def on(state: Any) -> Any:
        cycle, start, more = state
        more_by = ((target.high - start.high) + (target.middle - start.middle)) / start.high
        bits = lax.bitcast_convert_type(1.0 + more_by, jnp.int32) - (127 << 23)
        log2 = select(more_by < 1.0, more_by, bits.astype(jnp.float32) * jnp.float32(2.0**-23))
        sure = (log2 * scale).astype(jnp.uint32)
        steps = select(more, lax.max(sure, jnp.ones_like(sure)), 0)
        start = start * integer_power(ratio, steps)
        over = start * ratio
        rest = (over.high - target.high) + (over.middle - target.middle) + (over.low - target.low)
        return cycle + steps, start, more & (rest <= tolerance)

    shape = later.shape
    begin = (jnp.zeros(shape, jnp.uint32), jax.tree.map(lambda part: jnp.broadcast_to(part, shape), unit), later)
    cycle, start, _ = lax.while_loop(lambda state: jnp.any(state[2]), on, begin)
    # What the loop hides from a gradient: d start / d t_mul.
    change = (t_mul.high - factor.high) + (t_mul.low - factor.low)
    change = lax.stop_gradient(start.high * cycle.astype(jnp.float32) / factor.high) * change
    return cycle, Triple(start.high + change, start.middle, start.low)
