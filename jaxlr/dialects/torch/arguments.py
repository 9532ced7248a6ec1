"""What the arguments of PyTorch's schedulers have in common: functions, and where a schedule goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxlr.schedules import Schedule, leaves


def resumed(schedule: Schedule, last_epoch: int) -> Schedule:
    """The schedule from `last_epoch + 1` on."""
    start = int(leaves.integer("last_epoch", last_epoch, minimum=-1)) + 1
    return schedule.shift(start) if start else schedule


def recorded_steps(total_steps: Any) -> int:
    """The length of a record: known, for it is made at once."""
    return int(leaves.length("total_steps", total_steps))


def require_function(name: str, function: Any) -> None:
    """One function."""
    if isinstance(function, list | tuple):
        raise TypeError(f"{name} must be one function, got {function!r}; make one schedule for each parameter group")
    leaves.function(name, function)


def require_traceable(name: str, function: Callable[..., Any], remedy: str) -> None:
    """A function of the count that JAX can trace."""
    try:
        traced = jax.eval_shape(lambda n: jnp.asarray(function(n), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32))
    except Exception as error:  # whatever a function does with a number that has no value yet
        label = getattr(function, "__name__", repr(function))
        reason = str(error).strip().split("\n")[0].rstrip(".:")
        raise TypeError(
            f"{name} must be a function that JAX can trace, got {label} ({type(error).__name__}: {reason}); {remedy}"
        ) from error
    if traced.shape:
        raise TypeError(f"{name} must return one number for a count, got an array of shape {traced.shape}")


def named(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself, or, where an object with `__call__` has no name to print, one that calls it."""
    if hasattr(function, "__name__"):
        return function

    def call(count: Any) -> Any:
        return function(count)

    call.__name__ = type(function).__name__
    return call
