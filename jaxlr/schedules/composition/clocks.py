"""Clocks: a schedule driven by other counts than its own."""

from __future__ import annotations

import math
from types import SimpleNamespace

import jax

from jaxlr.numerics.wide import Wide, constant, from_integer, less, where
from jaxlr.schedules import leaves
from jaxlr.schedules.family import Cycle, family
from jaxlr.schedules.position import Position, at_least_one, position_of
from jaxlr.schedules.schedule import Schedule, as_schedule
from jaxlr.typing import Length, Scalar


def _times(end: int | None, factor: float) -> int | None:
    """The count at which a schedule has come to its end; an integer where `position_of` takes the product for one."""
    return None if end is None else math.ceil(end * factor * (1 - 2.0**-40))


def _cycle_of_epochs(a: SimpleNamespace, count: int) -> Cycle | None:
    whole = math.floor(count / a.steps_per_epoch * (1 + 2.0**-40))
    inside = max(0, count - whole * a.steps_per_epoch)
    place = a.schedule.cycle(whole)
    return place and Cycle(round(place.updates * a.steps_per_epoch + inside), round(place.length * a.steps_per_epoch))


def _cycle_at_speed(a: SimpleNamespace, count: int) -> Cycle | None:
    place = a.schedule.cycle(int(count * a.speed))
    return place and Cycle(round(place.updates / a.speed), round(place.length / a.speed))


@family(
    end=lambda a: _times(a.schedule.end(), a.steps_per_epoch),
    span=lambda a: _times(a.schedule.span(), a.steps_per_epoch),
    cycle=_cycle_of_epochs,
)
def per_epoch(schedule: Schedule, steps_per_epoch: Length | Scalar, *, staircase: bool = True) -> Schedule:
    """A schedule written in epochs, driven by updates.

    lr(n) = schedule(floor(n / steps_per_epoch)), or schedule(n / steps_per_epoch) if not `staircase`

    An epoch may end between two updates, as 1,281,167 examples in batches of 1,024 do: with a fraction as
    `steps_per_epoch` the k-th epoch begins at the first n >= k * steps_per_epoch. A quotient within 2**-40 of itself of
    an integer is that integer.

    Args:
      schedule: a schedule whose counts and lengths are epochs.
      steps_per_epoch: updates in an epoch, see `jaxlr.updates`; at least 1, whole or not.
      staircase: whether the rate stays through an epoch, as where a framework steps its scheduler once an epoch.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: `steps_per_epoch` is below 1.
      TypeError: `schedule` is none of jaxlr's, or `steps_per_epoch` is no number.

    Example:
      >>> import jaxlr
      >>> epochs = jaxlr.exponential(1.0, 0.25)
      >>> [float(jaxlr.per_epoch(epochs, 2)(n)) for n in (0, 1, 2, 3, 4)]
      [1.0, 1.0, 0.25, 0.25, 0.0625]
      >>> [float(jaxlr.per_epoch(epochs, 2, staircase=False)(n)) for n in (0, 1, 2, 3, 4)]
      [1.0, 0.5, 0.25, 0.125, 0.0625]
      >>> [float(jaxlr.per_epoch(epochs, 2.5)(n)) for n in (0, 2, 3, 4, 5)]
      [1.0, 1.0, 0.25, 0.25, 0.0625]
    """
    return Schedule(
        _per_epoch,
        schedule=as_schedule("schedule", schedule),
        steps_per_epoch=leaves.interval("steps_per_epoch", steps_per_epoch),
        staircase=leaves.flag("staircase", staircase),
    )


def _per_epoch(position: Position, schedule: Schedule, steps_per_epoch: jax.Array | Wide, staircase: bool) -> Wide:
    if isinstance(steps_per_epoch, Wide):
        epochs = position_of(position.wide() / _at_least_one_update(steps_per_epoch))
        return schedule.at(Position(epochs.whole) if staircase else epochs)
    epoch, inside = position.within(steps_per_epoch)
    if staircase:
        return schedule.at(Position(epoch))
    return schedule.at(Position(epoch, inside.wide() / from_integer(at_least_one(steps_per_epoch))))


def _at_least_one_update(steps: Wide) -> Wide:
    one = constant(1.0)
    return where(less(steps, one), one, steps)


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
