"""Phases: one schedule after another, a warm-up before one."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxlr.numerics import elementary, wide
from jaxlr.numerics.wide import Wide, select, where
from jaxlr.schedules import leaves
from jaxlr.schedules.composition.groups import alike
from jaxlr.schedules.families.steps import passed
from jaxlr.schedules.family import Cycle, family
from jaxlr.schedules.position import Position
from jaxlr.schedules.schedule import Schedule, as_schedule
from jaxlr.typing import Length, Lengths, Scalar


def _later(end: int | None, updates: int) -> int | None:
    return None if end is None else updates + end


def _cycle_in_turn(a: SimpleNamespace, count: int) -> Cycle | None:
    started = [boundary for boundary in a.boundaries if boundary < count]
    return a.schedules[len(started)].cycle(count - (started[-1] if started else 0))


@family(
    end=lambda a: _later(a.schedules[-1].end(), max([0, *a.boundaries])),
    span=lambda a: max([0, *a.boundaries]) + a.schedules[-1].span(),
    cycle=_cycle_in_turn,
)
def join(schedules: Sequence[Schedule], boundaries: Lengths) -> Schedule:
    """One schedule after another, each from its own count 0.

    lr(n) = schedules[i](n - boundaries[i - 1]) for boundaries[i - 1] <= n < boundaries[i]

    The next schedule takes over at n = boundary.

    Args:
      schedules: two or more schedules; a single one needs no boundary.
      boundaries: the counts at which the second, third, ... schedule starts; integers in rising order, one fewer than
        schedules.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: the number of boundaries is wrong, or they are out of order.
      TypeError: a schedule is none of jaxlr's, or a boundary is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.join([jaxlr.constant(1.0), jaxlr.cosine(0.5, 2)], [2])
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4)]
      [1.0, 1.0, 0.5, 0.25, 0.0]
    """
    children = tuple(as_schedule(f"schedules[{i}]", s) for i, s in enumerate(leaves.sequence("schedules", schedules)))
    boundaries = leaves.lengths("boundaries", boundaries, minimum=0)
    leaves.one_fewer("boundaries", boundaries, "schedules", children)
    return Schedule(_join, schedules=children, boundaries=boundaries)


def _join(position: Position, schedules: tuple[Schedule, ...], boundaries: jax.Array) -> Wide:
    piece = passed(position.whole, boundaries)
    start = _entry(jnp.concatenate([jnp.zeros(1, jnp.uint32), boundaries]), piece)
    place, groups = position.since(start), alike(schedules)
    value = _one_of(schedules, groups[0], piece).at(place)
    for group in groups[1:]:
        here = _entry(jnp.asarray(np.isin(np.arange(len(schedules)), group)), piece)
        value = where(here, _one_of(schedules, group, piece).at(place), value)
    return value


def _one_of(schedules: tuple[Schedule, ...], group: list[int], piece: jax.Array) -> Schedule:
    """The schedule of a piece; of schedules that differ in numbers only, one with the numbers of that piece."""
    if len(group) == 1:
        return schedules[group[0]]
    entries = np.zeros(len(schedules), np.uint32)
    entries[group] = np.arange(len(group))
    entry = piece if len(group) == len(schedules) else _entry(jnp.asarray(entries), piece)
    return jax.tree.map(lambda *numbers: _entry(jnp.stack(numbers), entry), *(schedules[i] for i in group))


def _entry(values: jax.Array, index: jax.Array) -> jax.Array:
    """The value at each index."""
    return values.at[index].get(mode="promise_in_bounds")


@family(
    end=lambda a: _later(a.schedule.end(), a.warmup_steps),
    span=lambda a: a.warmup_steps + a.schedule.span(),
    cycle=lambda a, n: a.schedule.cycle(n - a.warmup_steps) if n > a.warmup_steps else None,
)
def warmup(
    schedule: Schedule,
    warmup_steps: Length,
    *,
    init_value: Scalar | None = None,
    kind: Literal["constant", "linear", "exponential"] = "linear",
    offset: Length = 0,
) -> Schedule:
    """A warm-up in front of any schedule, which starts at its own count 0 when the warm-up ends.

    With x = (n + offset) / warmup_steps, at most 1, and target = schedule(0), for n < warmup_steps:
    lr(n) = init_value + (target - init_value) * x            kind="linear", the gradual warm-up
    lr(n) = init_value * (target / init_value) ** x           kind="exponential"
    lr(n) = init_value                                        kind="constant", a small rate and then the set rate
    and lr(n) = schedule(n - warmup_steps) from n = warmup_steps on.

    With offset=0 the first update has the rate `init_value`: 0 by default, so that it changes nothing. With offset=1 it
    has 1/warmup_steps of the way, and the update before the schedule starts has the target already.

    Args:
      schedule: what follows.
      warmup_steps: updates of the warm-up; an integer, at least 0.
      init_value: where the warm-up starts; None is 0 for the linear one, the others need a number. For the exponential
        one it and the target are above 0.
      kind: "linear", "exponential" or "constant".
      offset: 0 or 1 updates to count ahead, or more.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a length out of range, another `kind`, an `init_value` missing or out of range.
      TypeError: `schedule` is none of jaxlr's, or a length is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.warmup(jaxlr.constant(1.0), 4)
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4)]
      [0.0, 0.25, 0.5, 0.75, 1.0]
      >>> [float(rate.replace(offset=1)(n)) for n in (0, 1, 2, 3, 4)]
      [0.25, 0.5, 0.75, 1.0, 1.0]

    References:
      Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017, arXiv:1706.02677
    """
    kind = leaves.choice("kind", kind, ("constant", "linear", "exponential"))
    if init_value is None and kind != "linear":
        raise ValueError(f"init_value must be given for kind={kind!r}, got None")
    if init_value is not None:
        init_value = leaves.number("init_value", init_value)
        if kind == "exponential" and leaves.is_known(init_value) and (init_value.high <= 0).any():
            raise ValueError(f"init_value must be above 0 for kind={kind!r}, got {leaves.printed(init_value)}")
    return Schedule(
        _warmup,
        schedule=as_schedule("schedule", schedule),
        warmup_steps=leaves.length("warmup_steps", warmup_steps, minimum=0),
        init_value=init_value,
        kind=kind,
        offset=leaves.length("offset", offset, minimum=0),
    )


def _warmup(
    position: Position,
    schedule: Schedule,
    warmup_steps: jax.Array,
    init_value: Wide | None,
    kind: str,
    offset: jax.Array,
) -> Wide:
    steps = warmup_steps
    warming = position.whole < steps
    # Past the warm-up its own formula only has to stay finite, so the sum below may not overflow.
    ahead = Position(select(warming, position.whole, 0) + offset, position.fraction)
    value = schedule.at(position.since(steps))  # while warming, that is schedule(0): the target
    first = init_value if init_value is not None else wide.constant(0.0)
    if kind == "constant":
        rising = first
    elif kind == "linear":
        rising = ahead.share(steps).between(first, value)
    else:
        done, _ = ahead.parts(steps)
        power, scale = elementary.exp(elementary.log(value / first) * done)
        rising = (first * power).scaled(scale)
    return where(warming, rising, value)
