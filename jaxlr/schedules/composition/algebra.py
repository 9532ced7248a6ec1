"""Formulas over schedules: product, sum, difference, clip, shift, repeat; `Schedule`'s operators call them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp

from jaxlr.numerics.wide import Wide, less, saturating_product, saturating_sum, where
from jaxlr.schedules import leaves
from jaxlr.schedules.family import Cycle, family
from jaxlr.schedules.position import Position
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


def _last_end(a: SimpleNamespace) -> int | None:
    """Where the last of the operands ends, if all that are schedules do."""
    ends = [each.end() for each in (a.left, a.right) if isinstance(each, Schedule)]
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


@family(infix="*", end=_last_end)
def product(left: Scalar | Schedule, right: Scalar | Schedule) -> Schedule:
    """left(n) * right(n)."""
    return Schedule(_product, left=_operand(left), right=_operand(right))


def _product(position: Position, left: Any, right: Any) -> Wide:
    return saturating_product(_at(left, position), _at(right, position))


@family(infix="+", end=_last_end)
def total(left: Scalar | Schedule, right: Scalar | Schedule) -> Schedule:
    """left(n) + right(n)."""
    return Schedule(_total, left=_operand(left), right=_operand(right))


def _total(position: Position, left: Any, right: Any) -> Wide:
    return saturating_sum(_at(left, position), _at(right, position))


@family(infix="-", end=_last_end)
def difference(left: Scalar | Schedule, right: Scalar | Schedule) -> Schedule:
    """left(n) - right(n)."""
    return Schedule(_difference, left=_operand(left), right=_operand(right))


def _difference(position: Position, left: Any, right: Any) -> Wide:
    return saturating_sum(_at(left, position), -_at(right, position))


@family(method=True, end=lambda a: a.schedule.end())
def clip(schedule: Schedule, min: Scalar, max: Scalar) -> Schedule:
    """The schedule within [min, max]."""
    low, high = leaves.number("min", min), leaves.number("max", max)
    leaves.ordered("min", low, "max", high)
    return Schedule(_clip, schedule=schedule, min=low, max=high)


def _clip(position: Position, schedule: Schedule, min: Wide, max: Wide) -> Wide:
    value = schedule.at(position)
    value = where(less(value, min), min, value)
    return where(less(max, value), max, value)


def _sooner(updates: int | None, k: int) -> int | None:
    return None if updates is None else max(0, updates - k)


@family(
    method=True,
    end=lambda a: _sooner(a.schedule.end(), a.k),
    span=lambda a: max(1, a.schedule.span() - a.k),
    cycle=lambda a, n: a.schedule.cycle(max(n + a.k, 0)),
)
def shift(schedule: Schedule, k: Length) -> Schedule:
    """schedule(n + k), and schedule(0) where n + k is below 0."""
    return Schedule(_shift, schedule=schedule, k=leaves.offset("k", k))


def _shift(position: Position, schedule: Schedule, k: jax.Array) -> Wide:
    ahead, back = (jnp.maximum(part, 0).astype(jnp.uint32) for part in (k, -k))
    later = position.since(back)
    saturated = jnp.minimum(later.whole, jnp.uint32(0xFFFFFFFF) - ahead) + ahead
    return schedule.at(Position(saturated, later.fraction))


@family(method=True, span=lambda a: 4 * a.period, cycle=lambda a, n: Cycle(n % a.period, a.period))
def repeat(schedule: Schedule, period: Length) -> Schedule:
    """schedule(n mod period)."""
    return Schedule(_repeat, schedule=schedule, period=leaves.length("period", period))


def _repeat(position: Position, schedule: Schedule, period: jax.Array) -> Wide:
    return schedule.at(position.within(period)[1])


def _operand(value: Scalar | Schedule) -> Any:
    return value if isinstance(value, Schedule) else leaves.number("the other operand", value)


def _at(operand: Any, position: Position) -> Wide:
    return operand if isinstance(operand, Wide) else operand.at(position)
