"""What the arguments of PyTorch's schedulers have in common: functions, records and live objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import jax
import jax.numpy as jnp

from jaxlr.schedules import leaves

Function: TypeAlias = "Callable[[Any], Any]"  # of the count


class LiveOptimizer(Protocol):
    """What is read of a torch optimizer, whatever its class."""

    @property
    def param_groups(self) -> Sequence[Mapping[str, Any]]:
        """The parameters of each group, and its numbers."""
        ...


class LiveScheduler(Protocol):
    """What is read of a torch scheduler, whatever its class."""

    @property
    def optimizer(self) -> LiveOptimizer:
        """The optimizer whose rates it sets."""
        ...


def require_function(name: str, function: object) -> None:
    """One function."""
    if isinstance(function, list | tuple):
        raise TypeError(f"{name} must be one function, got {function!r}; make one schedule for each parameter group")
    leaves.function(name, function)


def require_traceable(name: str, function: Function, remedy: str) -> None:
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


def named(function: Function) -> Function:
    """The function itself, or, where an object with `__call__` has no name to print, one that calls it."""
    if hasattr(function, "__name__"):
        return function

    def call(count: Any) -> Any:
        return function(count)

    call.__name__ = type(function).__name__
    return call
