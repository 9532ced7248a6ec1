"""Clocks: a schedule driven by other counts than its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxlr.numerics.elementary import sqrt
from jaxlr.numerics.wide import Wide, constant, from_integer, less, saturating_product, where
from jaxlr.schedules import leaves
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.families.steps import passed
from jaxlr.schedules.family import Cycle, family
from jaxlr.schedules.outline import Outline, combined, elsewhere, in_proportion, product
from jaxlr.schedules.position import Position, at_least_one, modulo_of, position_of, position_of_ratio
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


def _times(end: int | None, factor: float) -> int | None:
    """The count at which a schedule has come to its end; an integer where `position_of` takes the product for one."""
    return None if end is None else math.ceil(end * factor * (1 - 2.0**-40))


def _driven(
    child: Outline, updates: Callable[[int], float | None], place: Callable[[np.ndarray], np.ndarray]
) -> Outline:
    """Of a schedule on another clock: its count after so many updates, and the updates before one of its counts."""
    return elsewhere(child, [updates(int(turn)) or 0 for turn in child.turns], place)


def _outline_in_epochs(a: SimpleNamespace) -> Outline:
    steps = a.steps_per_epoch
    place = (lambda n: np.floor(n / steps * (1 + 2.0**-40))) if a.staircase else (lambda n: n / steps)
    return _driven(a.schedule, lambda turn: _times(turn, steps), place)


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
    outline=_outline_in_epochs,
    inner=lambda a, here: _in_epochs(here, a.steps_per_epoch, a.staircase),
)
@declared(steps_per_epoch=leaves.interval)
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
    ...


def _per_epoch(position: Position, schedule: Schedule, steps_per_epoch: jax.Array | Wide, staircase: bool) -> Wide:
    return schedule.at(_in_epochs(position, steps_per_epoch, staircase))


def _in_epochs(position: Position, steps: jax.Array | Wide, staircase: bool) -> Position:
    if isinstance(steps, Wide):
        epochs = position_of(position.wide() / _at_least_one_update(steps))
        return Position(epochs.whole) if staircase else epochs
    epoch, inside = position.within(steps)
    return Position(epoch) if staircase else Position(epoch, *inside.parts(steps))


def _at_least_one_update(steps: Wide) -> Wide:
    one = constant(1.0)
    return where(less(steps, one), one, steps)


@family(
    end=lambda a: _times(a.schedule.end(), 1 / a.speed),
    span=lambda a: max(1, math.ceil(a.schedule.span() / a.speed)),
    cycle=_cycle_at_speed,
    outline=lambda a: _driven(a.schedule, lambda turn: _times(turn, 1 / a.speed), lambda n: n * a.speed),
    inner=lambda a, here: position_of(here.wide() * a.speed),
)
@declared(speed=leaves.positive)
def at_speed(schedule: Schedule, speed: Scalar) -> Schedule:
    """A schedule run through faster or more slowly.

    lr(n) = schedule(n * speed)

    The speed need not be whole: between two of its counts a schedule goes on along its curve, and one that changes at
    certain counts only holds its rate. A product within 2**-40 of itself of an integer is that integer, so that
    1 / 2.4 makes steps of 2.4 updates. The place has 44 bits, and the schedule's counts end at 2**32 - 1.

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
    ...


def _at_speed(position: Position, schedule: Schedule, speed: Wide) -> Wide:
    return schedule.at(position_of(position.wide() * speed))


def _updates_of(a: SimpleNamespace, examples: int | None) -> int | None:
    """The updates after which so many units of examples are behind."""
    if examples is None:
        return None
    left, needed = examples * a.unit, 0
    sizes = leaves.length_or_ramp("batch_size", a.batch_size)
    if isinstance(sizes, leaves.Length):
        return -(-left // int(sizes))
    seen, starts = leaves.plain(sizes.seen), sizes.updates.tolist()
    for begun, updates, (_, size) in zip(seen, starts, leaves.plain(sizes), strict=True):
        if begun < left:
            needed = updates + -(-(left - int(begun)) // size)
    return needed


def _outline_in_examples(a: SimpleNamespace) -> Outline:
    sizes = leaves.length_or_ramp("batch_size", a.batch_size)
    if isinstance(sizes, leaves.Length):
        return _driven(a.schedule, lambda turn: _updates_of(a, turn), lambda n: n * a.batch_size / a.unit)
    seen = leaves.nearly(sizes.seen)

    def place(n: np.ndarray) -> np.ndarray:
        piece = np.searchsorted(sizes.updates, n, side="right") - 1
        return (seen[piece] + (n - sizes.updates[piece]) * sizes.sizes[piece]) / a.unit

    driven = _driven(a.schedule, lambda turn: _updates_of(a, turn), place)
    return driven if a.scale is None else combined(driven, in_proportion(1.0), product)


@family(
    end=lambda a: _updates_of(a, a.schedule.end()),
    span=lambda a: max(1, _updates_of(a, a.schedule.span()) or 1),
    inner=lambda a, here: _in_examples(here, a.batch_size, a.unit),
    outline=_outline_in_examples,
)
@declared(batch_size=leaves.length_or_ramp)
def per_example(
    schedule: Schedule,
    batch_size: Length | Mapping[int, int],
    *,
    unit: Length = 1,
    scale: Literal["linear", "sqrt"] | None = None,
) -> Schedule:
    """A schedule written in examples or tokens, driven by updates.

    lr(n) = schedule(e(n) / unit) * factor, e(n) the examples behind update n, n * batch_size

    Between two of its counts a schedule goes on along its curve; the place is exact. A batch size may grow:
    {0: 256, 1_000_000: 512} has 512 from the first update on that has 1,000,000 examples behind it. Then `scale` says
    how the rate grows with it: by size / first size ("linear"), the root of that ("sqrt"), or not at all.

    Args:
      schedule: a schedule whose counts and lengths are examples, or units of them; its counts end at 2**32 - 1.
      batch_size: examples (or tokens) in an update, summed over devices and accumulation; an integer, at least 1, or
        sizes by the number of examples from which they hold, from 0 on.
      unit: examples in one count of the schedule, as 1_000_000 where it is written in millions; an integer, at least 1.
      scale: None, "linear" or "sqrt".

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range, sizes that do not begin at 0 examples, another word for `scale`.
      TypeError: `schedule` is none of jaxlr's, or a size is no integer.

    Example:
      >>> import jaxlr
      >>> line = jaxlr.linear(1.0, 0.0, 1024)
      >>> [float(jaxlr.per_example(line, 256)(n)) for n in range(5)]
      [1.0, 0.75, 0.5, 0.25, 0.0]
      >>> [float(jaxlr.per_example(line, {0: 256, 512: 512})(n)) for n in range(5)]
      [1.0, 0.75, 0.5, 0.0, 0.0]
    """
    ...


def _per_example(
    position: Position, schedule: Schedule, batch_size: jax.Array | leaves.Ramp, unit: jax.Array, scale: str | None
) -> Wide:
    value = schedule.at(_in_examples(position, batch_size, unit))
    if scale is None or not isinstance(batch_size, leaves.Ramp):
        return value
    sizes = batch_size.sizes.astype(jnp.uint32)
    factor = from_integer(sizes[_piece(position, batch_size)]) / from_integer(sizes[0])
    return saturating_product(value, sqrt(factor) if scale == "sqrt" else factor)


def _in_examples(position: Position, batch_size: jax.Array | leaves.Ramp, unit: jax.Array) -> Position:
    unit = at_least_one(unit)
    if isinstance(batch_size, leaves.Ramp):
        piece = _piece(position, batch_size)
        size, start = (each.astype(jnp.uint32)[piece] for each in (batch_size.sizes, batch_size.updates))
        seen = batch_size.seen.decoded()
        seen = Wide(seen.high[piece], seen.low[piece])
        position = position.since(start)
        examples, modulo = seen + position.wide() * from_integer(size), modulo_of(seen) + position.whole * size
    else:
        size = at_least_one(batch_size)
        examples, modulo = position.wide() * from_integer(size), position.whole * size
    value = examples / from_integer(unit)
    return position_of(value) if position.fraction is not None else position_of_ratio(value, modulo, unit)


def _piece(position: Position, ramp: leaves.Ramp) -> jax.Array:
    return passed(position.whole, ramp.updates[1:].astype(jnp.uint32))
