"""Hyperparameters: a number, known or traced, or a schedule of the update count; float32 in every computation.

A number that is known is checked at the door; a traced one passes. A schedule is a callable from the update count to
one number; anything else that it may return, as a mask does, is an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

Number = jax.typing.ArrayLike
NumberOrSchedule = Number | Callable[[Any], Number]


def number(name: str, value: Any, *, minimum: float = -math.inf, below: float = math.inf) -> Any:
    """`value`, if it is one finite number in `[minimum, below)`, or traced."""
    if callable(value):
        raise TypeError(f"{name} must be a number, not a schedule or another callable, got {value!r}")
    _require_scalar(name, value)
    if isinstance(value, Tracer):
        return value
    if not minimum <= float(value) < below:
        raise ValueError(f"{name} must be {_range(minimum, below)}, got {value!r}")
    return value


def number_or_schedule(name: str, value: Any, *, minimum: float = -math.inf, below: float = math.inf) -> Any:
    """`value`, if it is a callable of the update count, or a number as above."""
    return value if callable(value) else number(name, value, minimum=minimum, below=below)


def at_count(name: str, value: NumberOrSchedule, count: jax.Array) -> jax.Array:
    """The number, or the schedule's value at `count`, as a new float32 scalar."""
    if callable(value):
        value = value(count)
        _require_scalar(f"{name}, a schedule of the update count, must return one number; its value", value)
    # A copy: donating the state must not delete an array that belongs to the caller.
    return jnp.array(value, dtype=jnp.float32)


def one_minus_at_count(name: str, value: NumberOrSchedule, count: jax.Array) -> jax.Array:
    """One minus the above; in the host's float64 where it can be, since 1 - 0.999999 has few bits in float32."""
    if is_known(value):
        return jnp.array(1.0 - float(value), dtype=jnp.float32)  # pyright: ignore[reportArgumentType]
    return 1.0 - at_count(name, value, count)


def is_known(value: NumberOrSchedule) -> bool:
    """Whether `value` is a number that can be looked at now."""
    return not callable(value) and not isinstance(value, Tracer)


def is_zero(value: NumberOrSchedule) -> bool:
    """Whether `value` is known to be 0, so that its link may be left out."""
    return is_known(value) and float(value) == 0.0  # pyright: ignore[reportArgumentType]


def choice(name: str, value: Any, options: tuple[Any, ...]) -> Any:
    """`value`, if it is one of `options`."""
    if not any(value is option or (isinstance(option, str) and value == option) for option in options):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")
    return value


def _require_scalar(name: str, value: Any) -> None:
    try:
        dtype = jnp.result_type(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a real number, got {value!r}") from None
    if isinstance(value, str | None) or not (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)):
        raise TypeError(f"{name} must be a real number, got {value!r} (a mask goes to the argument `mask`)")
    if np.shape(value) != ():
        raise TypeError(
            f"{name} must be one number, got an array of shape {np.shape(value)}; for several, use jax.vmap over them"
        )


def _range(minimum: float, below: float) -> str:
    if minimum == -math.inf:
        return "finite" if below == math.inf else f"below {below:g}"
    return f"finite and at least {minimum:g}" if below == math.inf else f"at least {minimum:g} and below {below:g}"
