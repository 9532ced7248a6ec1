"""What the dialects make schedules of: arguments checked under the source's names, pieces in turn."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxlr.schedules import Schedule, join, leaves


def length(name: str, value: Any, *, minimum: int = 0) -> Any:
    """A number of updates: a Python int, or an int32 array where it is traced."""
    checked = leaves.integer(name, value, minimum=minimum)
    return checked if leaves.is_traced(checked) else int(checked)


def number(name: str, value: Any, *, minimum: float = 0.0) -> Any:
    """A number as it is, checked where it is known."""
    leaves.number(name, value, minimum=minimum)
    return value


def at_least_one(steps: Any) -> Any:
    """The larger of a length and 1."""
    return jnp.maximum(steps, 1) if leaves.is_traced(steps) else max(steps, 1)


def equals(value: Any, number: float) -> bool:
    """Whether a number is known to be this one."""
    return not leaves.is_traced(value) and bool(value == number)


def in_turn(*pieces: tuple[Schedule, Any], last: Schedule) -> Schedule:
    """Schedules for so many updates each, and then the last one; a piece of no updates is left out."""
    kept = [(schedule, steps) for schedule, steps in pieces if not equals(steps, 0)]
    boundaries, end = [], 0
    for _, steps in kept:
        end = end + steps
        boundaries.append(end)
    return join([*(schedule for schedule, _ in kept), last], boundaries) if kept else last
