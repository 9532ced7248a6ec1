"""Phases: one schedule after another, a warm-up before one, a schedule written in epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Literal

import jax
import jax.numpy as jnp

from jaxlr.numerics import wide
from jaxlr.numerics.wide import Wide, from_integer, less, where
from jaxlr.schedules import leaves
from jaxlr.schedules.families.cosines import cosine_between
from jaxlr.schedules.family import Borders, Cycle, family
from jaxlr.schedules.position import Position, at_least_one, blend, position_of, way
from jaxlr.schedules.schedule import Schedule, as_schedule
from jaxlr.typing import Length, Lengths, Scalar


def _later(end: int | None, updates: int) -> int | None:
    return None if end is None else updates + end


def _times(end: int | None, factor: float) -> int | None:
    return None if end is None else math.ceil(end * factor)


def _cycle_in_turn(a: SimpleNamespace, count: int) -> Cycle | None:
    started = [boundary for boundary in a.boundaries if boundary < count]
    return a.schedules[len(started)].cycle(count - (started[-1] if started else 0))


def _cycle_of_epochs(a: SimpleNamespace, count: int) -> Cycle | None:
    whole, inside = divmod(count, a.steps_per_epoch)
    place = a.schedule.cycle(whole)
    return place and Cycle(place.updates * a.steps_per_epoch + inside, place.length * a.steps_per_epoch)


def _cycle_at_speed(a: SimpleNamespace, count: int) -> Cycle | None:
    place = a.schedule.cycle(int(count * a.speed))
    return place and Cycle(round(place.updates / a.speed), round(place.length / a.speed))


def _three_phases(a: SimpleNamespace) -> Borders:
    up, flat = a.warmup_steps, a.warmup_steps + a.stable_steps
    end = flat + jnp.minimum(a.decay_steps, ~flat)
    return end, [wide.constant(0.0), *map(from_integer, (up, flat, end))]


@family()
def constant(value: Scalar) -> Schedule:
    """The same rate for every update.

    lr(n) = value

    Args:
      value: the rate.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: `value` is not finite.

    Example:
      >>> import jaxlr
      >>> jaxlr.constant(0.25)(1000)
      Array(0.25, dtype=float32)
    """
    return Schedule(_constant, value=leaves.number("value", value))


def _constant(position: Position, value: Wide) -> Wide:
    zeros = jnp.zeros(position.whole.shape, jnp.float32)
    return Wide(value.high + zeros, value.low + zeros)


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
    value = schedules[0].at(position)
    for i, schedule in enumerate(schedules[1:]):
        start = boundaries[i]
        value = where(position.whole >= start, schedule.at(position.since(start)), value)
    return value


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
    ahead = Position(jnp.where(warming, position.whole, jnp.uint32(0)) + offset, position.fraction)
    value = schedule.at(position.since(steps))  # while warming, that is schedule(0): the target
    first = init_value if init_value is not None else wide.constant(0.0)
    if kind == "constant":
        rising = first
    elif kind == "linear":
        rising = blend(first, value, ahead, steps)
    else:
        done, _ = ahead.parts(steps)
        power, scale = wide.exp(wide.log(value / first) * done)
        rising = (first * power).scaled(scale)
    return where(warming, rising, value)


@family(
    end=lambda a: _times(a.schedule.end(), a.steps_per_epoch),
    span=lambda a: a.steps_per_epoch * a.schedule.span(),
    cycle=_cycle_of_epochs,
)
def per_epoch(schedule: Schedule, steps_per_epoch: Length, *, staircase: bool = True) -> Schedule:
    """A schedule written in epochs, driven by updates.

    lr(n) = schedule(floor(n / steps_per_epoch)), or schedule(n / steps_per_epoch) if not `staircase`

    Args:
      schedule: a schedule whose counts and lengths are epochs.
      steps_per_epoch: updates in an epoch, see `jaxlr.updates`; an integer, at least 1.
      staircase: whether the rate stays through an epoch, as where a framework steps its scheduler once an epoch.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: `steps_per_epoch` is below 1.
      TypeError: `schedule` is none of jaxlr's, or `steps_per_epoch` is no integer.

    Example:
      >>> import jaxlr
      >>> epochs = jaxlr.exponential(1.0, 0.25)
      >>> [float(jaxlr.per_epoch(epochs, 2)(n)) for n in (0, 1, 2, 3, 4)]
      [1.0, 1.0, 0.25, 0.25, 0.0625]
      >>> [float(jaxlr.per_epoch(epochs, 2, staircase=False)(n)) for n in (0, 1, 2, 3, 4)]
      [1.0, 0.5, 0.25, 0.125, 0.0625]
    """
    return Schedule(
        _per_epoch,
        schedule=as_schedule("schedule", schedule),
        steps_per_epoch=leaves.length("steps_per_epoch", steps_per_epoch),
        staircase=leaves.flag("staircase", staircase),
    )


def _per_epoch(position: Position, schedule: Schedule, steps_per_epoch: jax.Array, staircase: bool) -> Wide:
    steps = steps_per_epoch
    epoch, inside = position.within(steps)
    if staircase:
        return schedule.at(Position(epoch))
    return schedule.at(Position(epoch, inside.wide() / from_integer(at_least_one(steps))))


@family(
    end=lambda a: _times(a.schedule.end(), 1 / a.speed),
    span=lambda a: max(1, math.ceil(a.schedule.span() / a.speed)),
    cycle=_cycle_at_speed,
)
def at_speed(schedule: Schedule, speed: Scalar) -> Schedule:
    """A schedule run through faster or more slowly.

    lr(n) = schedule(n * speed)

    The speed need not be whole: between two of its counts a schedule goes on along its curve, and one that changes at
    certain counts only holds its rate. A product within 2**-40 of itself of an integer is that integer, so that
    1 / 2.4 makes steps of 2.4 updates. The schedule's counts end at 2**32 - 1.

    Args:
      schedule: any schedule.
      speed: counts of the schedule in one update, above 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: `speed` is not above 0.
      TypeError: `schedule` is none of jaxlr's.

    Example:
      >>> import jaxlr
      >>> from jaxlr.schedules import at_speed
      >>> rate = at_speed(jaxlr.step_decay(1.0, 0.5, 1), 1 / 2.5)
      >>> [float(rate(n)) for n in (0, 2, 3, 4, 5, 7, 8)]
      [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
    """
    return Schedule(_at_speed, schedule=as_schedule("schedule", schedule), speed=leaves.positive("speed", speed))


def _at_speed(position: Position, schedule: Schedule, speed: Wide) -> Wide:
    return schedule.at(position_of(position.wide() * speed))


@family(
    end=lambda a: a.warmup_steps + a.stable_steps + a.decay_steps,
    scales=("peak_value", "init_value"),
    towards="end_value",
    borders=_three_phases,
)
def warmup_stable_decay(
    peak_value: Scalar,
    warmup_steps: Length,
    stable_steps: Length,
    decay_steps: Length,
    *,
    init_value: Scalar = 0.0,
    end_value: Scalar = 0.0,
    decay: Literal["linear", "cosine", "1-sqrt"] = "linear",
    begin: Length = 0,
    begin_phase: Scalar = 0.0,
) -> Schedule:
    """Rises, stays, falls (WSD, the trapezoid).

    lr(n) = init_value + (peak_value - init_value) * n / warmup_steps      for n < warmup_steps
    lr(n) = peak_value                                                     for the next stable_steps
    lr(n) = peak_value + (end_value - peak_value) * f(x)                   then, x from 0 to 1 in decay_steps, and holds
    with f(x) = x ("linear"), (1 - cos(pi x)) / 2 ("cosine") or sqrt(x) ("1-sqrt")

    Args:
      peak_value: the rate of the stable phase.
      warmup_steps: updates of the rise; an integer, at least 0.
      stable_steps: updates at the peak; an integer, at least 0.
      decay_steps: updates of the fall; an integer, at least 1.
      init_value: the rate of the first update.
      end_value: the rate at the end.
      decay: "linear", "cosine" or "1-sqrt".
      begin: the count at which it begins to move; an integer, at least 0. `jaxlr.retime` sets it where the horizon of a
        run changes.
      begin_phase: the share of all three phases that it counts as over by then, in [0, 1]; the rest comes evenly.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range, another word for `decay`.
      TypeError: a length is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.warmup_stable_decay(1.0, 2, 2, 4)
      >>> [float(rate(n)) for n in range(9)]
      [0.0, 0.5, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]

    References:
      Hu et al., MiniCPM, 2024, arXiv:2404.06395
      Haegele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations, 2024, arXiv:2405.18392
    """
    return Schedule(
        _warmup_stable_decay,
        peak_value=leaves.number("peak_value", peak_value),
        warmup_steps=leaves.length("warmup_steps", warmup_steps, minimum=0),
        stable_steps=leaves.length("stable_steps", stable_steps, minimum=0),
        decay_steps=leaves.length("decay_steps", decay_steps),
        init_value=leaves.number("init_value", init_value),
        end_value=leaves.number("end_value", end_value),
        decay=leaves.choice("decay", decay, ("linear", "cosine", "1-sqrt")),
        begin=leaves.length("begin", begin, minimum=0),
        begin_phase=leaves.share("begin_phase", begin_phase),
    )


def _warmup_stable_decay(
    position: Position,
    peak_value: Wide,
    warmup_steps: jax.Array,
    stable_steps: jax.Array,
    decay_steps: jax.Array,
    init_value: Wide,
    end_value: Wide,
    decay: str,
    begin: jax.Array,
    begin_phase: Wide,
) -> Wide:
    rise, fall = warmup_steps, decay_steps
    stable = rise + stable_steps
    end = stable + jnp.minimum(fall, ~stable)  # no more than a uint32 holds; no count comes so far
    behind, ahead = way(position, end, begin, begin_phase)
    up, length = from_integer(at_least_one(rise)), from_integer(at_least_one(fall))
    rising = init_value * ((up - behind) / up) + peak_value * (behind / up)
    none, whole = wide.constant(0.0), wide.constant(1.0)
    falls, ended = less(from_integer(stable), behind), position.whole >= end
    done = where(ended, whole, where(falls, (behind - from_integer(stable)) / length, none))
    left = where(ended, none, where(falls, ahead / length, whole))
    if decay == "cosine":
        falling = cosine_between(peak_value, end_value, done, left)
    elif decay == "linear":
        falling = peak_value * left + end_value * done
    else:
        root = wide.sqrt(done)
        falling = peak_value * (left / (wide.constant(1.0) + root)) + end_value * root
    return where(less(behind, from_integer(rise)), rising, falling)
