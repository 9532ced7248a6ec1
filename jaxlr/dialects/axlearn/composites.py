"""AXLearn's schedules of several pieces."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeAlias

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.axlearn.curves import line
from jaxlr.dialects.common import Updates
from jaxlr.schedules import Schedule, leaves
from jaxlr.schedules.schedule import as_schedule
from jaxlr.typing import Length, Scalar

Part: TypeAlias = "Schedule | Scalar | None"


def stepwise(sub: Sequence[Part], start_step: Sequence[Length]) -> Schedule:
    """One schedule after another, each from its own step 0: `jaxlr.join`.

    lr(n) = sub[i](n - start_step[i - 1]) for start_step[i - 1] <= n < start_step[i]

    Args:
      sub: schedules, or numbers; None is 1.
      start_step: the steps at which the second, third, ... starts; integers in rising order.

    Raises:
      ValueError: `start_step` is not one fewer than `sub`, or not in rising order.
      TypeError: a part is neither a schedule nor a number.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> rate = axlearn.stepwise([axlearn.polynomial(end_step=2, end_value=1.0), 0.5], [3])
      >>> [float(rate(n)) for n in (0, 1, 2, 3)]
      [0.0, 0.5, 1.0, 0.5]
    """
    return core.join(_parts("sub", sub), leaves.sequence("start_step", start_step))


def segment_wise(segments: Sequence[Part], *, segment_steps: Sequence[Length]) -> Schedule:
    """One schedule after another, each from its own step 1.

    lr(n) = segments[k](n - done) for done < n <= done + segment_steps[k], done being the steps of the segments before;
    lr(0) = 0

    Args:
      segments: schedules, or numbers; None is 1.
      segment_steps: the steps of each but the last one; integers, at least 0.

    Raises:
      ValueError: `segment_steps` is not one fewer than `segments`, or one is below 0.
      TypeError: a segment is neither a schedule nor a number.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> rate = axlearn.segment_wise([axlearn.polynomial(end_step=2, end_value=1.0), 0.5], segment_steps=[2])
      >>> [float(rate(n)) for n in (0, 1, 2, 3)]
      [0.0, 0.5, 1.0, 0.5]
    """
    parts, steps = _parts("segments", segments), common.each(common.length, "segment_steps", segment_steps)
    leaves.one_fewer("segment_steps", steps, "segments", parts)
    starts = [1 + done for done in itertools.accumulate(steps, initial=0)]
    return core.join([core.constant(0.0), *(part.shift(1) for part in parts)], starts)


def cosine_with_linear_warmup(
    peak_lr: Scalar,
    *,
    max_step: Length,
    warmup_steps: Length = 500,
    begin_value: Scalar = 0.0,
    alpha: Scalar = 0.0,
    decay_begin_step: Length | None = None,
) -> Schedule:
    """Up in a straight line, along the peak, and down half a cosine to `alpha` of it.

    Args:
      peak_lr: the peak, which step `warmup_steps` has.
      max_step: the step of the end, behind the beginning of the fall.
      warmup_steps: steps of the rise; an integer, at least 0.
      begin_value: where the rise begins, at step 0.
      alpha: last rate over peak.
      decay_begin_step: the last step at the peak; None, or one up to warmup_steps: the fall follows the rise.

    Raises:
      ValueError: a number out of range, or `max_step` before the fall.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> axlearn.cosine_with_linear_warmup(0.5, max_step=10_000)
      warmup(schedule=cosine(init_value=0.5, decay_steps=9500), warmup_steps=500)
    """
    peak, warm = common.number("peak_lr", peak_lr), common.length("warmup_steps", warmup_steps)
    end = common.length("max_step", max_step)
    flat = common.length("decay_begin_step", 0 if decay_begin_step is None else decay_begin_step)
    stable = common.positive_part(flat - warm)
    steps = end - warm - stable
    if common.known(steps) and steps < 1:
        raise ValueError(f"max_step must be above {warm + stable}, where the fall begins, got {max_step}")
    fall = core.cosine(peak, common.at_least_one(steps), end_value=peak * common.number("alpha", alpha))
    return _from_step_1(common.in_turn((core.constant(peak), stable), last=fall), warm, begin_value)


def warmup_stable_decay(
    peak_lr: Scalar,
    *,
    max_step: Length,
    decay_begin_step: Length,
    warmup_steps: Length = 500,
    begin_value: Scalar = 0.0,
    alpha: Scalar = 0.0,
) -> Schedule:
    """Up in a straight line, along the peak, and down in a straight line to `alpha` of it.

    Args:
      peak_lr: the peak, from step `warmup_steps` to step `decay_begin_step`.
      max_step: the step of the end; where it is decay_begin_step, the peak holds.
      decay_begin_step: the last step at the peak, not before warmup_steps.
      warmup_steps: steps of the rise; an integer, at least 0.
      begin_value: where the rise begins, at step 0.
      alpha: last rate over peak.

    Raises:
      ValueError: a number out of range, or steps out of order.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> rate = axlearn.warmup_stable_decay(1.0, max_step=8, decay_begin_step=4, warmup_steps=2)
      >>> [float(rate(n)) for n in (0, 1, 2, 4, 5, 8, 9)]
      [0.0, 0.5, 1.0, 1.0, 0.75, 0.0, 0.0]
    """
    peak, warm = common.number("peak_lr", peak_lr), common.length("warmup_steps", warmup_steps)
    flat, end = common.length("decay_begin_step", decay_begin_step), common.length("max_step", max_step)
    if common.known(flat, warm) and flat < warm:
        raise ValueError(f"decay_begin_step must be at least warmup_steps, {warm}, got {flat}")
    if common.known(end, flat) and end < flat:
        raise ValueError(f"max_step must be at least decay_begin_step, {flat}, got {end}")
    fall = line(peak, peak * common.number("alpha", alpha), end - flat)
    return _from_step_1(common.in_turn((core.constant(peak), flat - warm), last=fall), warm, begin_value)


def constant_with_linear_warmup(peak_lr: Scalar, *, warmup_steps: Length = 500, begin_value: Scalar = 0.0) -> Schedule:
    """Up in a straight line, and along the peak.

    Args:
      peak_lr: the peak, from step `warmup_steps` on.
      warmup_steps: steps of the rise; an integer, at least 0.
      begin_value: where the rise begins, at step 0.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> axlearn.constant_with_linear_warmup(0.5)
      warmup(schedule=constant(value=0.5), warmup_steps=500)
    """
    warm = common.length("warmup_steps", warmup_steps)
    return _from_step_1(core.constant(common.number("peak_lr", peak_lr)), warm, begin_value)


def linear_schedule_with_warmup(
    peak_lr: Scalar,
    *,
    max_step: Length,
    warmup_steps: Length,
    begin_value: Scalar = 0.0,
    end_value: Scalar = 0.0,
) -> Schedule:
    """Up in a straight line, and down in a straight line.

    Args:
      peak_lr: the peak, which step `warmup_steps` has.
      max_step: the step of the end; where it is warmup_steps, the peak holds.
      warmup_steps: steps of the rise; an integer, at least 0.
      begin_value: where the rise begins, at step 0.
      end_value: the last rate.

    Raises:
      ValueError: a number out of range, or `max_step` before `warmup_steps`.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> axlearn.linear_schedule_with_warmup(0.5, max_step=100, warmup_steps=10)
      warmup(schedule=linear(init_value=0.5, end_value=0.0, transition_steps=90), warmup_steps=10)
    """
    peak, warm = common.number("peak_lr", peak_lr), common.length("warmup_steps", warmup_steps)
    end = common.length("max_step", max_step)
    if common.known(end, warm) and end < warm:
        raise ValueError(f"max_step must be at least warmup_steps, {warm}, got {end}")
    return _from_step_1(line(peak, common.number("end_value", end_value), end - warm), warm, begin_value)


def _parts(name: str, parts: Sequence[Part]) -> list[Schedule]:
    """Each part as a schedule; None is 1."""
    found = []
    for i, part in enumerate(leaves.sequence(name, parts)):
        value = 1.0 if part is None else part
        is_number = not callable(value)
        found.append(core.constant(value) if is_number else as_schedule(f"{name}[{i}]", value))
    return found


def _from_step_1(after: Schedule, warm: Updates, begin_value: Scalar) -> Schedule:
    """A warm-up and what follows, from step 1 on; 0 at step 0, as segments are there."""
    first = common.number("begin_value", begin_value)
    schedule = common.warmed(after, warm, None if common.equals(first, 0) else first)
    if common.equals(first, 0) and common.known(warm) and warm > 0:
        return schedule
    return core.join([core.constant(0.0), schedule.shift(1)], [1])
