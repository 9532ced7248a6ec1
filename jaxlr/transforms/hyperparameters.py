"""Hyperparameters: a number, known or traced, or a schedule of the update count; float32 in every computation.

A number that is known is checked at the door; a traced one passes. A schedule is a callable from the update count to
one number; anything else that it may return, as a mask does, is an error.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxlr.schedules import Schedule
from jaxlr.schedules.leaves import StoredLeaf
from jaxlr.schedules.outline import UNKNOWN, Outline

Number = jax.typing.ArrayLike
NumberOrSchedule = Number | Callable[[Any], Number]
_ROUNDED = (jnp.bfloat16, jnp.float16)
_MOST_COUNTS = 16  # at which a schedule is run to see whether it is a rate
_BETWEEN = 63  # at which it is run between two turns
_ROUNDING = 2.0**-36  # of the largest rate


def number(
    name: str, value: Any, *, minimum: float = -math.inf, above: float = -math.inf, below: float = math.inf
) -> Any:
    """`value`, if it is one finite number at least `minimum`, above `above` and below `below`, or traced.

    A known number comes back as a Python float, which turns no float32 array into float64; a traced one as float32.
    """
    if isinstance(value, Held):
        raise TypeError(
            f"{name} must be a number or a schedule, got held(...): the state holds a schedule for the learning rate "
            "of all parameters alone, also under a rule"
        )
    if callable(value):
        raise TypeError(f"{name} must be a number, not a schedule or another callable, got {value!r}")
    require_scalar(name, value)
    if isinstance(value, Tracer):
        return value.astype(jnp.float32)
    if getattr(value, "dtype", None) in _ROUNDED and _has_lost_digits(float(value)):
        raise ValueError(
            f"{name} is {value.dtype}, which keeps two or three digits of it; it must be float32, as it is within "
            "optax.inject_hyperparams(..., hyperparam_dtype=jnp.float32)"
        )
    if not (minimum <= float(value) < below and above < float(value)):
        raise ValueError(f"{name} must be {_range(minimum, above, below)}, got {value!r}")
    return float(value)


def _has_lost_digits(value: float) -> bool:
    """Whether a number of half precision is none that somebody wrote, as 0.5 is and 0.10009765625 is not."""
    return float(f"{value:.6g}") != value


def number_or_schedule(name: str, value: Any, *, minimum: float = -math.inf, below: float = math.inf) -> Any:
    """`value`, if it is a callable of the update count, or a number as above.

    A schedule of jaxlr is refused for what it surely gives at one of the counts where its curve turns.
    """
    if not callable(value):
        return number(name, value, minimum=minimum, below=below)
    if isinstance(value, Schedule):
        require_outline(name, value, minimum=minimum, below=below)
    return value


def require_outline(name: str, schedule: Schedule, *, minimum: float, below: float = math.inf) -> None:
    """Raises for a schedule that is known by its numbers, which may lie on a device, to leave a range; runs nothing."""
    outline, low, high = _outline(schedule)
    for out, rates in ((high < minimum, high), (low >= below, low)):
        if out.any():
            raise ValueError(_at(name, outline.turns[out][0], rates[out][0], minimum, below))


def require_start(
    name: str, value: NumberOrSchedule, count: jax.Array, *, minimum: float, below: float = math.inf
) -> None:
    """Raises for a function of the count whose first rate is known to leave a range, under jit too.

    A schedule of jaxlr is run at the counts of which its outline leaves that open, and at some between two turns where
    their bounds do; under jit if it holds functions.

    Args:
      name, value, minimum, below: as for `number_or_schedule`.
      count: 0 as `init` has it: traced under jit.
    """
    if not callable(value):
        return
    counts: Sequence[Any] = [0]
    if isinstance(value, Schedule):
        if (isinstance(count, Tracer) and not value.holds_functions) or _has(value, Tracer):
            return
        outline, low, high = _outline(value)
        largest = max(map(abs, filter(math.isfinite, [*low, *high])), default=0.0)
        rounding = high - low <= _ROUNDING * largest  # what is left of 0 is 0
        at_turns = outline.turns[((low < minimum) & ~rounding) | (high >= below)][:_MOST_COUNTS].tolist()
        counts = [*at_turns, *_out_between(value, outline, minimum, below)]
    with jax.ensure_compile_time_eval():
        rates = [at_count(name, value, jnp.asarray(each, jnp.int32)) for each in counts]
    for each, rate in zip(counts, rates, strict=True):
        if not isinstance(rate, Tracer) and not (minimum <= float(rate) < below and math.isfinite(float(rate))):
            raise ValueError(_at(name, each, float(rate), minimum, below))


def _out_between(schedule: Schedule, outline: Outline, minimum: float, below: float) -> list[int]:
    """The first count between two turns at which a rate is seen outside, where finite bounds leave that open.

    A sum of two curves may dip where neither turns: it is run at counts that are even between the turns, all at once.
    """
    starts, ends = outline.turns[:-1], outline.turns[1:]
    starts, ends = starts[ends - starts > 1], ends[ends - starts > 1]
    low, high = outline.at(starts + 1)
    rounding = 2.0**-24 * np.maximum(abs(low), abs(high))  # that of float32: the terms may leave no more
    is_open = np.isfinite(rounding) & ((low < minimum - rounding) | (high >= below + rounding))
    pieces = np.flatnonzero(is_open)[:_MOST_COUNTS]
    if not pieces.size:
        return []
    shares = np.arange(1, _BETWEEN + 1) / (_BETWEEN + 1)
    counts = np.round(starts[pieces, None] + shares * (ends - starts)[pieces, None]).astype(np.int32)
    with jax.ensure_compile_time_eval():
        rates = np.asarray(schedule(jnp.asarray(counts)), np.float64)
    slack = rounding[pieces, None]
    return counts[(rates < minimum - slack) | (rates >= below + slack)][:1].tolist()


def _outline(schedule: Schedule) -> tuple[Outline, np.ndarray, np.ndarray]:
    """Where a schedule turns, and the bounds of its rates there."""
    try:
        outline = (jax.device_get(schedule) if _has(schedule, jax.Array) else schedule).outline()
        low, high = outline.at(outline.turns)
    except RecursionError:  # too deep to look at; where it is too deep to run, that is said there
        outline = UNKNOWN
        low, high = outline.at(outline.turns)
    return outline, low, high


def _has(schedule: Schedule, kind: type) -> bool:
    return any(isinstance(leaf, kind) for leaf in jax.tree.leaves(schedule))


def _at(name: str, count: Any, rate: float, minimum: float, below: float) -> str:
    return f"{name} at count {count} must be {_range(minimum, -math.inf, below)}, got {rate:g}"


def at_count(name: str, value: NumberOrSchedule, count: jax.Array) -> jax.Array:
    """The number, or the schedule's value at `count`, as a new float32 scalar."""
    if callable(value):
        value = value(count)
        require_scalar(f"{name}, a schedule of the update count, must return one number; its value", value)
    # A copy: donating the state must not delete an array that belongs to the caller.
    return jnp.array(value, dtype=jnp.float32)


def one_minus_at_count(name: str, value: NumberOrSchedule, count: jax.Array) -> jax.Array:
    """One minus the above; in the host's float64 where it can be, since 1 - 0.999999 has few bits in float32."""
    if isinstance(value, float):
        return jnp.array(1.0 - value, dtype=jnp.float32)
    return 1.0 - at_count(name, value, count)


@dataclasses.dataclass(frozen=True)
class Held:
    """What `held` returns: a learning rate, and nothing else."""

    schedule: Schedule

    def copy(self) -> Schedule:
        """The schedule in arrays of its own, which may be donated."""
        return jax.tree.map(jnp.array, self.schedule)

    def at(self, count: jax.Array, now: Any) -> jax.Array:
        """The rate by the schedule that the state holds."""
        return at_count("learning_rate", now, count)


@dataclasses.dataclass(frozen=True)
class Hyperparameter:
    """A number or a schedule of the update count, with the name that errors call it by."""

    name: str
    value: Any  # checked
    minimum: float = -math.inf
    below: float = math.inf

    def first(self, count: jax.Array) -> jax.Array:
        """Its value at count 0, checked where it is known."""
        require_start(self.name, self.value, count, minimum=self.minimum, below=self.below)
        return self.at(count)

    def at(self, count: jax.Array) -> jax.Array:
        """Its value at a count, as a new float32 scalar."""
        return at_count(self.name, self.value, count)

    def one_minus(self, count: jax.Array) -> jax.Array:
        """One minus the above, in the host's float64 where it can be."""
        return one_minus_at_count(self.name, self.value, count)


def share(name: str, value: NumberOrSchedule) -> Hyperparameter:
    """What stays of a running mean: a number in [0, 1), or a schedule."""
    return hyperparameter(name, value, minimum=0.0, below=1.0)


def hyperparameter(name: str, value: NumberOrSchedule, *, minimum: float, below: float = math.inf) -> Hyperparameter:
    """A number or a schedule within a range."""
    return Hyperparameter(name, number_or_schedule(name, value, minimum=minimum, below=below), minimum, below)


def choice(name: str, value: Any, options: tuple[Any, ...]) -> Any:
    """`value`, if it is one of `options`."""
    if not any(value is option or (isinstance(option, str) and value == option) for option in options):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")
    return value


def integer(name: str, value: Any, *, minimum: int, whole: bool = False) -> Any:
    """`value`, if it is one integer at least `minimum`, or traced; `whole`: a length, where 2.0 is 2."""
    if whole and isinstance(value, float | np.floating) and not isinstance(value, Tracer):
        if not float(value).is_integer():
            raise TypeError(f"{name} must be an integer, got {value!r}; make it one with int(...)")
        value = int(value)
    if isinstance(value, Tracer):
        return value.astype(jnp.int32)
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    try:
        known = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if not minimum <= known < 2**31 - 1:
        raise ValueError(f"{name} must be at least {minimum}, got {value!r}")
    return known


def floating_dtype(name: str, dtype: Any) -> Any:
    """`dtype`, if it is None or the dtype of real floating-point numbers."""
    if dtype is not None and not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"{name} must be a floating-point dtype or None, got {dtype!r}")
    return dtype


def require_scalar(name: str, value: Any) -> None:
    """Raises unless `value` is one real number, known or traced."""
    if isinstance(value, StoredLeaf):
        raise TypeError(
            f"{name} must be a real number, got one as a schedule stores it, a {type(value).__name__}: "
            "schedule.to_dict() has its numbers"
        )
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


def _range(minimum: float, above: float, below: float) -> str:
    limits = [("at least", minimum), ("above", above), ("below", below)]
    return " and ".join(["finite", *(f"{word} {limit:g}" for word, limit in limits if math.isfinite(limit))])
