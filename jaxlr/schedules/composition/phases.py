"""Phases: one schedule after another, a warm-up before one."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr.numerics import elementary, wide
from jaxlr.numerics.wide import Wide, from_integer, less, select, where
from jaxlr.schedules import leaves
from jaxlr.schedules.composition.groups import alike
from jaxlr.schedules.families.cosines import cosine_between
from jaxlr.schedules.families.steps import passed
from jaxlr.schedules.family import Cycle, family
from jaxlr.schedules.outline import Outline, between, later, one_by_one, steady
from jaxlr.schedules.position import Position, at_least_one
from jaxlr.schedules.schedule import Schedule, as_schedule
from jaxlr.typing import Length, Lengths, Scalar


def _later(end: int | None, updates: int) -> int | None:
    return None if end is None else updates + end


def _cycle_in_turn(a: SimpleNamespace, count: int) -> Cycle | None:
    started = [boundary for boundary in a.boundaries if boundary < count]
    return a.schedules[len(started)].cycle(count - (started[-1] if started else 0))


def _in_turn(a: SimpleNamespace, here: Position) -> list[Position | None]:
    """Where each schedule stands: one to come at its start."""
    if not leaves.is_known((here, a.boundaries)):
        raise TypeError("at must be a known number for a join: which of its schedules goes on depends on it")
    over = int((np.asarray(a.boundaries) <= np.asarray(here.whole)).sum())
    starts = [jnp.uint32(0), *a.boundaries]
    return [None if i < over else here.since(start) for i, start in enumerate(starts)]


def _outlines_in_turn(a: SimpleNamespace) -> Outline:
    starts = [0, *a.boundaries]
    return one_by_one([(start, later(each, start)) for start, each in zip(starts, a.schedules, strict=True)])


@family(
    end=lambda a: _later(a.schedules[-1].end(), max([0, *a.boundaries])),
    span=lambda a: max([0, *a.boundaries]) + a.schedules[-1].span(),
    cycle=_cycle_in_turn,
    inner=_in_turn,
    outline=_outlines_in_turn,
    milestones="boundaries",
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


def _warm_end(a: SimpleNamespace) -> int | None:
    end = a.schedule.end()
    if not a.overlap:
        return _later(end, a.warmup_steps)
    return None if end is None or a.kind == "1-exp" else max(end, a.warmup_steps)


def _warm_cycle(a: SimpleNamespace, count: int) -> Cycle | None:
    if a.overlap:
        return a.schedule.cycle(count)
    return a.schedule.cycle(count - a.warmup_steps) if count > a.warmup_steps else None


def _warming(a: SimpleNamespace) -> Outline:
    first, steps = steady(0.0 if a.init_value is None else a.init_value), a.warmup_steps
    target = a.schedule if a.overlap else later(a.schedule, steps)
    rising = first if a.kind == "constant" else between(first, target)
    phases = [(0, rising if a.offset else first), (1, rising), (steps, target)] if steps else [(0, target)]
    return one_by_one(phases[:-1] if steps and a.overlap and a.kind == "1-exp" else phases)


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


def _rerouted(old: Schedule, new: Schedule, here: Position) -> Schedule:
    """Another length of a warm-up that has not ended: its first rate is the one from which it leads through here."""
    offset = leaves.Length(0) if new.arguments["kind"] == "constant" else new.arguments["offset"]
    for length in (each.arguments["warmup_steps"] for each in (old, new)):
        if leaves.is_known((here, length, offset)) and int(here.whole) + int(offset) >= int(length):
            ahead = f", with an offset of {int(offset)}" if int(offset) else ""
            raise ValueError(
                f"warmup_steps of the warm-up must stay once that is over: "
                f"at must lie before the end of the warm-up, {int(length)}, got {here.whole}{ahead}"
            )
    return new if new.arguments["kind"] == "constant" else new.replace(init_value=_start(old, new, here))


@jax.jit
def _start(old: Schedule, new: Schedule, here: Position) -> leaves.Number:
    """The first rate of a warm-up of the same kind that leads through the present rate to the target."""
    old, new, here = lax.optimization_barrier((old, new, here))
    numbers = SimpleNamespace(**{name: leaves.decoded(value) for name, value in new.arguments.items()})
    target = numbers.schedule.at(here if numbers.overlap else Position(jnp.uint32(0)))
    done, left = _risen(numbers.kind, here, numbers.offset, numbers.warmup_steps)
    zero, one = wide.constant(0.0), wide.constant(1.0)
    if numbers.kind == "cosine":
        done, left = cosine_between(zero, one, done, left), cosine_between(one, zero, done, left)
    rest = where(left.high > 0.0, left, one)
    if numbers.kind != "exponential":
        return leaves.stored((old.at(here) - target * done) / rest)
    first, scale = elementary.exp((elementary.log(old.at(here)) - elementary.log(target) * done) / rest)
    return leaves.stored(first.scaled(scale))


@family(
    end=_warm_end,
    span=lambda a: max(a.warmup_steps, a.schedule.span()) if a.overlap else a.warmup_steps + a.schedule.span(),
    cycle=_warm_cycle,
    outline=_warming,
    inner=lambda a, here: here if a.overlap else here.since(a.warmup_steps),
    lengths=("warmup_steps",),
    moved=_rerouted,
)
def warmup(
    schedule: Schedule,
    warmup_steps: Length,
    *,
    init_value: Scalar | None = None,
    kind: Literal["constant", "linear", "exponential", "log", "1-exp", "1-sqrt", "cosine"] = "linear",
    offset: Length = 0,
    overlap: bool = False,
) -> Schedule:
    """A warm-up in front of any schedule, which starts at its own count 0 when the warm-up ends.

    With k = n + offset, x = k / warmup_steps, at most 1, and target = schedule(0), for n < warmup_steps:
    lr(n) = init_value + (target - init_value) * f(n)
      f(n) = x                                       kind="linear", the gradual warm-up
      f(n) = log(1 + k) / log(1 + warmup_steps)      kind="log"; DeepSpeed's with one step fewer
      f(n) = 1 - exp(-k / warmup_steps)              kind="1-exp", warmup_steps being the time constant
      f(n) = 1 - sqrt(1 - x)                         kind="1-sqrt"
      f(n) = (1 - cos(pi x)) / 2                     kind="cosine"
    lr(n) = init_value * (target / init_value) ** x  kind="exponential"
    lr(n) = init_value                               kind="constant", a small rate and then the set rate
    and lr(n) = schedule(n - warmup_steps) from n = warmup_steps on.

    With offset=0 the first update has the rate `init_value`: 0 by default, so that it changes nothing. With offset=1 it
    has 1/warmup_steps of the way, and the update before the schedule starts has the target already.

    With overlap=True the target is schedule(n), which runs from the start: the warm-up is a factor over its first
    updates (where init_value is 0) and moves none of its counts. The "1-exp" one then goes on for ever.

    Args:
      schedule: what follows, or what is warmed up.
      warmup_steps: updates of the warm-up; an integer, at least 0.
      init_value: where the warm-up starts; None is 0, the exponential and the constant one need a number. For the
        exponential one it and the target are above 0.
      kind: "linear", "exponential", "constant", "log", "1-exp", "1-sqrt" or "cosine".
      offset: 0 or 1 updates to count ahead, or more.
      overlap: whether the schedule runs from the start.

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
      >>> cuts = jaxlr.multi_step(1.0, [3, 6], 0.5)
      >>> [float(jaxlr.warmup(cuts, 4, overlap=True)(n)) for n in (0, 1, 2, 3, 4, 6)]
      [0.0, 0.25, 0.5, 0.375, 0.5, 0.25]

    References:
      Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017, arXiv:1706.02677
      Ma and Yarats, On the adequacy of untuned warmup for adaptive optimization, 2019, arXiv:1910.04209
    """
    kind = leaves.choice("kind", kind, ("constant", "linear", "exponential", "log", "1-exp", "1-sqrt", "cosine"))
    if init_value is None and kind in ("constant", "exponential"):
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
        overlap=leaves.flag("overlap", overlap),
    )


def _warmup(
    position: Position,
    schedule: Schedule,
    warmup_steps: jax.Array,
    init_value: Wide | None,
    kind: str,
    offset: jax.Array,
    overlap: bool,
) -> Wide:
    warming = position.whole < warmup_steps
    # While warming, `value` is the target; past the warm-up its own formula only has to stay finite.
    value = schedule.at(position if overlap else position.since(warmup_steps))
    if overlap and kind == "1-exp":
        warming, here = (warmup_steps > 0) & (position.whole >= 0), position
    else:
        here = position.replace(select(warming, position.whole, 0))
    first = init_value if init_value is not None else wide.constant(0.0)
    if kind == "constant":
        rising = first
    elif kind == "linear":
        rising = _ahead(here, offset).share(warmup_steps).between(first, value)
    elif kind == "exponential":
        done, _ = _ahead(here, offset).parts(warmup_steps)
        rising = elementary.geometric(first, value, done)
    else:
        done, left = _risen(kind, here, offset, warmup_steps)
        rising = cosine_between(first, value, done, left) if kind == "cosine" else first * left + value * done
    return where(warming, rising, value)


def _ahead(position: Position, offset: jax.Array) -> Position:
    return position.replace(position.whole + offset)


def _risen(kind: str, position: Position, offset: jax.Array, steps: jax.Array) -> tuple[Wide, Wide]:
    """The share of the way from the first rate to the target that is done, and what is left of it."""
    one = wide.constant(1.0)
    if kind == "log":
        whole = elementary.log(from_integer(at_least_one(steps)) + one)
        done = elementary.log(position.wide() + from_integer(offset) + one) / whole
        done = where(less(one, done), one, done)
        return done, one - done
    if kind == "1-exp":
        updates = position.wide() + from_integer(offset)
        kept, scale, gone = elementary.exp_and_rest(-(updates / from_integer(at_least_one(steps))))
        return gone, kept.scaled(scale)
    done, left = _ahead(position, offset).parts(steps)
    if kind != "1-sqrt":
        return done, left
    root = elementary.sqrt(left)
    return done / (one + root), root
