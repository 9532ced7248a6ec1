"""What the dialects make schedules of: arguments checked under the source's names, pieces in turn."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias, TypeVar

import jax
import jax.numpy as jnp

from jaxlr.arguments import meant
from jaxlr.schedules import Schedule, cosine, join, k_decay, leaves, linear, warmup
from jaxlr.typing import Length, Scalar

Function: TypeAlias = "Callable[..., object]"
Number: TypeAlias = "float | jax.Array"  # what a dialect computes with: known, or traced
Updates: TypeAlias = "int | jax.Array"
Checked = TypeVar("Checked")
Made = TypeVar("Made", bound=Function)


class Beside(NamedTuple):
    """What a scheduler moves beside the rate."""

    name: str  # the argument of an optimizer
    make: Function  # of its schedule, from the scheduler's arguments
    optimizer: str  # one of jaxlr that takes it


BESIDE: dict[Function, Beside] = {}  # by scheduler


def moved_beside(scheduler: Function, name: str, optimizer: str) -> Callable[[Made], Made]:
    """Says of a function that it makes what a scheduler moves beside the rate."""

    def register(make: Made) -> Made:
        BESIDE[scheduler] = Beside(name, make, optimizer)
        return make

    return register


def length(name: str, value: Length, *, minimum: int = 0) -> Updates:
    """A number of updates: a Python int, or an int32 array where it is traced."""
    leaf = leaves.length(name, value, minimum=minimum)
    return leaves.plain(leaf) if leaves.is_known(leaf) else jnp.asarray(value, jnp.int32)


def known_length(name: str, value: Length, *, minimum: int = 0) -> int:
    """A number of updates that others are rounded from, or that are recorded, which must be known."""
    found = length(name, value, minimum=minimum)
    if not isinstance(found, int):
        raise TypeError(f"{name} must be known, got a traced number: the form of the schedule depends on it")
    return found


def known_share(name: str, value: Scalar) -> float:
    """A share of a length, in [0, 1], which must be known."""
    if not leaves.is_known(leaves.share(name, value)):
        raise TypeError(f"{name} must be known, got a traced number: the form of the schedule depends on it")
    return float(value)  # pyright: ignore[reportArgumentType], a known number; with all of its digits


def number(name: str, value: Scalar, *, minimum: float = 0.0) -> Number:
    """A number as it is, checked where it is known."""
    leaves.number(name, value, minimum=minimum)
    return value  # pyright: ignore[reportReturnType], computed with like a float


def signed(name: str, value: Scalar) -> Number:
    """A number of either sign as it is."""
    return number(name, value, minimum=-math.inf)


def share(name: str, value: Scalar) -> Number:
    """A number in [0, 1] as it is."""
    leaves.share(name, value)
    return value  # pyright: ignore[reportReturnType], computed with like a float


def positive(name: str, value: Scalar) -> Number:
    """A number above 0 as it is."""
    leaves.positive(name, value)
    return value  # pyright: ignore[reportReturnType], computed with like a float


def at_least_one(steps: Updates) -> Updates:
    """The larger of a length and 1."""
    return jnp.maximum(steps, 1) if isinstance(steps, jax.Array) else max(steps, 1)


def select(condition: bool | jax.Array, this: Number, other: Number) -> Number:
    """One of two numbers, by a condition that may be traced."""
    if isinstance(condition, jax.Array):
        return jnp.where(condition, this, other)
    return this if condition else other


def each(check: Callable[..., Checked], name: str, values: object, **limits: object) -> list[Checked]:
    """Each of several numbers as such a check of its name and value gives it."""
    return [check(f"{name}[{i}]", value, **limits) for i, value in enumerate(leaves.sequence(name, values))]


def cut(part: Number, steps: Updates) -> Updates:
    """A share of so many updates, without its fraction; in float32 where one of them is traced."""
    if known(part, steps):
        return int(float(part) * int(steps))
    return jnp.floor(jnp.asarray(part, jnp.float32) * jnp.asarray(steps, jnp.float32)).astype(jnp.int32)


def positive_part(steps: Updates) -> Updates:
    """The larger of a length and 0."""
    return jnp.maximum(steps, 0) if isinstance(steps, jax.Array) else max(steps, 0)


def equals(value: object, number: float) -> bool:
    """Whether a number is known to be this one."""
    return not leaves.is_traced(value) and bool(value == number)


def known(*values: object) -> bool:
    """Whether numbers can be compared now."""
    return not any(map(leaves.is_traced, values))


def curve(shape: str, first: Number, last: Number, steps: Updates) -> Schedule:
    """From one value to another, by a word: "linear", "cosine", or "1-sqrt", which is fast at first."""
    if shape == "linear":
        return linear(first, last, steps)
    if shape == "cosine":
        return cosine(first, steps, end_value=last)
    return k_decay(first, steps, k=0.5, end_value=last, shape="linear")


def in_turn(*pieces: tuple[Schedule, Updates], last: Schedule) -> Schedule:
    """Schedules for so many updates each, and then the last one; a piece of no updates is left out."""
    kept = [(schedule, steps) for schedule, steps in pieces if not equals(steps, 0)]
    boundaries, end = [], 0
    for _, steps in kept:
        end = end + steps
        boundaries.append(end)
    return join([*(schedule for schedule, _ in kept), last], boundaries) if kept else last


def warmed(schedule: Schedule, steps: Updates, first: Number | None = None) -> Schedule:
    """A straight line to where the schedule starts, and then the schedule."""
    return schedule if equals(steps, 0) else warmup(schedule, steps, init_value=first)


def up_and(after: Schedule, peak: Number, steps: Updates, first: Number = 0.0) -> Schedule:
    """A straight line to the peak, and then what need not start there."""
    return in_turn((linear(first, peak, at_least_one(steps)), steps), last=after)


def resumed(schedule: Schedule, last_epoch: Length, name: str = "last_epoch") -> Schedule:
    """The schedule from `last_epoch + 1` on."""
    start = length(name, last_epoch, minimum=-1) + 1
    return schedule if equals(start, 0) else schedule.shift(start)


def begun(schedule: Schedule, start: Updates) -> Schedule:
    """The schedule from a count on, and its first value before."""
    return schedule if equals(start, 0) else schedule.shift(-start)


def refuse_unknown(make: Function, others: Mapping[str, object], options: frozenset[str]) -> None:
    """Raises for a keyword that is neither an argument of a function nor one of the options of all its siblings."""
    for name in others.keys() - options:
        known = {*inspect.signature(make).parameters, *options} - {"others"}
        raise TypeError(f"{make.__name__} has no argument {name!r}{meant(name, known)}")
