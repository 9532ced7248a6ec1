"""Formulas over schedules: product, sum, difference, clip, shift, repeat; `Schedule`'s operators use them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxlr.numerics.wide import Wide, less, saturating_product, saturating_sum, where
from jaxlr.schedules.position import Position, unsigned


def product(position: Position, left: Any, right: Any) -> Wide:
    """left(n) * right(n)."""
    return saturating_product(_at(left, position), _at(right, position))


def total(position: Position, left: Any, right: Any) -> Wide:
    """left(n) + right(n)."""
    return saturating_sum(_at(left, position), _at(right, position))


def difference(position: Position, left: Any, right: Any) -> Wide:
    """left(n) - right(n)."""
    return saturating_sum(_at(left, position), -_at(right, position))


def clip(position: Position, schedule: Any, min: Wide, max: Wide) -> Wide:
    """The schedule within [min, max]."""
    value = schedule.at(position)
    value = where(less(value, min), min, value)
    return where(less(max, value), max, value)


def shift(position: Position, schedule: Any, k: jax.Array) -> Wide:
    """schedule(n + k), and schedule(0) where n + k is below 0."""
    later = position.since(unsigned(-k))
    saturated = jnp.minimum(later.whole, jnp.uint32(0xFFFFFFFF) - unsigned(k)) + unsigned(k)
    return schedule.at(Position(saturated, later.fraction))


def repeat(position: Position, schedule: Any, period: jax.Array) -> Wide:
    """schedule(n mod period)."""
    return schedule.at(position.within(unsigned(period))[1])


PRINTED = {
    product: lambda left, right: f"({left} * {right})",
    total: lambda left, right: f"({left} + {right})",
    difference: lambda left, right: f"({left} - {right})",
    clip: lambda schedule, min, max: f"{schedule}.clip(min={min}, max={max})",
    shift: lambda schedule, k: f"{schedule}.shift({k})",
    repeat: lambda schedule, period: f"{schedule}.repeat({period})",
}


def _at(operand: Any, position: Position) -> Wide:
    return operand if isinstance(operand, Wide) else operand.at(position)
