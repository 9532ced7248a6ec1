"""Warm restarts: a curve again and again, in cycles that may grow or get shorter."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from jaxlr.numerics.wide import Wide, from_integer, where
from jaxlr.schedules import leaves
from jaxlr.schedules.cycles import ENDING, Growth, cycle_of
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.families.cosines import along_cosine
from jaxlr.schedules.family import Cycle, family
from jaxlr.schedules.leaves import Factor
from jaxlr.schedules.outline import UNKNOWN, Outline, one_by_one, steady, through
from jaxlr.schedules.position import Position, at_least_one, position_of
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


def _three_cycles(first: int, t_mul: float, limit: int | None = None) -> int:
    """As many, or all cycles."""
    return _end(first, t_mul, limit) or math.ceil(first * (1 + t_mul + t_mul**2))


def _end(first: int, t_mul: float, limit: int | None = None) -> int | None:
    """The first count behind all cycles: `limit` of them, and those of at least one update where they get shorter."""
    growth = math.log1p(t_mul - 1)
    cycles = math.inf if t_mul >= 1 else 1 + math.floor((math.log(first) + ENDING) / -growth)
    cycles = cycles if limit is None else min(cycles, limit)
    if cycles * growth > 700:  # behind every count, and beyond floats
        return None
    end = first * (cycles if t_mul == 1 else math.expm1(cycles * growth) / (t_mul - 1))
    return None if end >= 2.0**31 else math.ceil(end * (1 - 2.0**-44))


def _place(first: int, t_mul: float, count: int, limit: int | None = None) -> Cycle | None:
    end = _end(first, t_mul, limit)
    if end is not None and count >= end:
        return None
    rest, length, cycle = float(count), float(first), 0
    if t_mul == 1:  # there may be 2 ** 31 of them
        cycle, rest = divmod(count, first)
    while rest >= length - count * 2.0**-44:
        rest, length, cycle = max(rest - length, 0.0), length * t_mul, cycle + 1
    return Cycle(int(rest), round(length))


def _then_its_end(a: SimpleNamespace, first: int, cycles: Outline, limit: int | None = None) -> Outline:
    """The cycles, and the end value where they end."""
    end = _end(first, a.t_mul, limit)
    return one_by_one([(0, cycles)] if end is None else [(0, cycles), (end, steady(a.end_value))])


def _peaks(a: SimpleNamespace) -> Outline:
    both = a.init_value, a.end_value
    cycles = through((0, a.init_value), (a.first_decay_steps - 1, *both), *[] if a.m_mul > 1 else [(2**31, *both)])
    return _then_its_end(a, a.first_decay_steps, cycles)


def _first_cycle(a: SimpleNamespace) -> Outline:
    return _then_its_end(a, a.period, one_by_one([(0, a.schedule), (a.period, UNKNOWN)]), a.limit)


def _growth(name: str, value: Any) -> Any:
    """The number as a leaf, an integer one as an integer, and a known 1 as a word: each is a smaller program."""
    leaf = leaves.growth(name, value)
    return 1 if leaves.is_known(leaf) and np.ndim(jax.tree.leaves(leaf)[0]) == 0 and leaves.plain(leaf) == 1 else leaf


@family(
    end=lambda a: _end(a.first_decay_steps, a.t_mul),
    span=lambda a: _three_cycles(a.first_decay_steps, a.t_mul),
    cycle=lambda a, n: _place(a.first_decay_steps, a.t_mul, n),
    outline=_peaks,
)
@declared(t_mul=_growth, m_mul=leaves.factor)
def cosine_restarts(
    init_value: Scalar, first_decay_steps: Length, *, t_mul: Scalar = 1, m_mul: Scalar = 1.0, end_value: Scalar = 0.0
) -> Schedule:
    """Half a cosine again and again, each cycle `t_mul` times as long as the one before (SGDR).

    Cycle i lasts T_i = first_decay_steps * t_mul ** i updates; t updates into it
    lr = end_value + (init_value - end_value) * m_mul ** i * (1 + cos(pi t / T_i)) / 2

    Cycle i begins at first_decay_steps * (t_mul ** i - 1) / (t_mul - 1), which may lie between counts. A restart's
    first update has the full peak; the end value is approached and never held where `t_mul` is at least 1. Below it,
    cycles that get shorter than one update end the schedule at its end value. Any number of cycles is the same program.
    Restarts are decided on integers where `t_mul` is one, else to 44 bits of the count: 10 * 1.1 is 11. A traced
    `t_mul` may be on either side of 1.

    Args:
      init_value: the first peak.
      first_decay_steps: updates in the first cycle; an integer, at least 1.
      t_mul: how much longer each next cycle is; above 0, and below 1 each is shorter.
      m_mul: how much higher each next peak is above `end_value`; at least 0.
      end_value: the rate that every cycle falls to, and that holds after the last one.

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
      >>> rate = jaxlr.cosine_restarts(1.0, 4, t_mul=0.5)  # cycles of 4, 2 and 1
      >>> [round(float(rate(n)), 4) for n in range(9)], rate.end()
      ([1.0, 0.8536, 0.5, 0.1464, 1.0, 0.5, 1.0, 0.0, 0.0], 7)

    References:
      Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, arXiv:1608.03983
    """
    ...


def _cosine_restarts(
    position: Position,
    init_value: Wide,
    first_decay_steps: jax.Array,
    t_mul: Growth,
    m_mul: Factor,
    end_value: Wide,
) -> Wide:
    cycle, place = cycle_of(position, at_least_one(first_decay_steps), t_mul)
    fall = along_cosine(place)
    _, kept = fall.parts()
    power, scale = m_mul.power(from_integer(cycle))
    later = end_value + (kept * (init_value - end_value) * power).scaled(scale)
    # In the first cycle the peak is as it was given: end + (init - end) loses what a large end value swallows.
    return where(cycle == 0, fall.between(init_value, end_value), later)


@family(
    end=lambda a: _end(a.period, a.t_mul, a.limit),
    span=lambda a: _three_cycles(a.period, a.t_mul, a.limit),
    cycle=lambda a, n: _place(a.period, a.t_mul, n, a.limit),
    outline=_first_cycle,
)
@declared(t_mul=_growth, m_mul=leaves.factor)
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

    With `t_mul` below 1 each is faster than the one before, and cycles that get shorter than one update end the
    schedule at `end_value`. Where a cycle begins is said at `cosine_restarts`.

    Args:
      schedule: the curve of the first cycle.
      period: updates in the first cycle; an integer, at least 1.
      t_mul: how much longer each next cycle is; above 0, and below 1 each is shorter.
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
      >>> rate = with_restarts(jaxlr.linear(1.0, 0.5, 4), 4, t_mul=0.5, end_value=0.25)
      >>> [float(rate(n)) for n in range(9)]
      [1.0, 0.875, 0.75, 0.625, 1.0, 0.75, 1.0, 0.25, 0.25]
    """
    ...


def _with_restarts(
    position: Position,
    schedule: Schedule,
    period: jax.Array,
    t_mul: Growth,
    m_mul: Factor,
    limit: jax.Array | None,
    end_value: Wide,
) -> Wide:
    first = at_least_one(period)
    cycle, place = cycle_of(position, first, t_mul)
    length = from_integer(first)
    near = length * Wide(place.near.high * 0.5, place.near.low * 0.5)
    inside = position_of(where(place.early, near, length - near))
    power, scale = m_mul.power(from_integer(cycle))
    value = (schedule.at(inside) * power).scaled(scale)
    value = value if limit is None else where(cycle >= limit, end_value, value)
    if isinstance(t_mul, int | jax.Array):
        return value
    return where(place.early | (place.near.high > 0.0), value, end_value)  # nothing is left of the last cycle
