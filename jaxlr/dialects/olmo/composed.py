# ruff: noqa: N802, the names are OLMo-core's
"""OLMo-core's schedulers that are made of others or of stages, and the decay that overrides them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from jaxlr import schedules as core
from jaxlr.arguments import meant
from jaxlr.dialects import common
from jaxlr.dialects.common import Number
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Scalar

Shape: TypeAlias = Literal["linear", "cosine"]
SHAPES = ("linear", "cosine")
STAGE = ("duration", "shape", "start_lr", "start_lr_fraction", "end_lr", "end_lr_fraction")


@dataclasses.dataclass(frozen=True)
class OverrideDecay:
    """A decay from a count on, whatever the schedule would have done.

    Args:
      start: the count at which it begins; an integer, at least 0.
      duration: how long it takes; an integer, at least 1.
      shape: "linear" or "cosine".
      end_lr: the last rate, or
      end_lr_fraction: the last rate as a share of `initial_lr`; one of the two.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> stages = [{"duration": 100, "end_lr": 1.0}]
      >>> rate = olmo.ComposableScheduler(1.0, stages=stages, override_decay=olmo.OverrideDecay(4, 4, end_lr=0.0))
      >>> [float(rate(n)) for n in (0, 4, 5, 8, 9)]
      [1.0, 1.0, 0.75, 0.0, 0.0]
    """

    start: int
    duration: int
    shape: Shape = "linear"
    end_lr: Scalar | None = None
    end_lr_fraction: Scalar | None = None

    def over(self, schedule: Schedule, initial_lr: Number) -> Schedule:
        """The schedule with this decay."""
        leaves.choice("shape", self.shape, SHAPES)
        end = _rate("end_lr", self.end_lr, self.end_lr_fraction, initial_lr)
        return core.cooldown(schedule, self.start, self.duration, shape=self.shape, end_value=end)


def SequentialScheduler(
    initial_lr: Scalar,
    max_steps: int,
    *,
    schedulers: Sequence[Callable[[Any, int], Schedule]],
    schedulers_max: Sequence[int],
    override_decay: OverrideDecay | None = None,
) -> Schedule:
    """One scheduler after another, each from the last rate of the one before.

    A scheduler has its last count, its length, too; the next one goes on with its count 1.

    Args:
      initial_lr, max_steps: see the module; the run is longer than all schedulers but the last.
      schedulers: functions of a peak and a length, such as `functools.partial(olmo.CosWithWarmup, warmup=10)`.
      schedulers_max: the lengths of all but the last; integers, at least 1.
      override_decay: an `OverrideDecay`, or None.

    Example:
      >>> import functools
      >>> from jaxlr.dialects import olmo
      >>> line = functools.partial(olmo.LinearWithWarmup, warmup=0, alpha_f=0.5)
      >>> rate = olmo.SequentialScheduler(1.0, 6, schedulers=[line, line], schedulers_max=[4])
      >>> [float(rate(n)) for n in range(8)]
      [1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.25]
    """
    peak, left = common.number("initial_lr", initial_lr), common.known_length("max_steps", max_steps, minimum=1)
    makers, lengths = list(schedulers), list(schedulers_max)
    if len(lengths) != len(makers) - 1:
        raise ValueError(
            f"schedulers_max must be {len(makers) - 1} lengths, one fewer than schedulers, got {len(lengths)}"
        )
    pieces, start = [], peak
    for i, (make, length) in enumerate(zip(makers, lengths, strict=False)):
        length = common.known_length(f"schedulers_max[{i}]", length, minimum=1)
        if length >= left:
            raise ValueError(f"max_steps must be above the sum of schedulers_max, got {max_steps}")
        here = make(start, length)
        start, left = float(here(length)), left - length
        pieces.append((here.shift(1), length) if i else (here, length + 1))
    last = makers[-1](start, left)
    whole = common.in_turn(*pieces, last=last.shift(1) if pieces else last)
    return whole if override_decay is None else override_decay.over(whole, peak)


def ComposableScheduler(
    initial_lr: Scalar,
    max_steps: int | None = None,
    *,
    stages: Sequence[Mapping[str, Any]],
    override_decay: OverrideDecay | None = None,
) -> Schedule:
    """Straight lines and cosines, one after another.

    Args:
      initial_lr: what the first stage starts from, and fractions are of.
      max_steps: changes nothing.
      stages: one or more tables with `duration`, `shape` ("linear" if left out, or "cosine"), `end_lr` or
        `end_lr_fraction`, and, where a stage starts elsewhere than the one before ends, `start_lr` or
        `start_lr_fraction`.
      override_decay: an `OverrideDecay`, or None.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> stages = [{"duration": 2, "start_lr": 0.0, "end_lr_fraction": 1.0}, {"duration": 2, "end_lr": 0.5}]
      >>> rate = olmo.ComposableScheduler(1.0, stages=stages)
      >>> [float(rate(n)) for n in range(6)]
      [0.0, 0.5, 1.0, 0.75, 0.5, 0.5]
    """
    peak = end = common.number("initial_lr", initial_lr)
    pieces = []
    for i, stage in enumerate(leaves.sequence("stages", stages)):
        for key in stage:
            if key not in STAGE:
                raise ValueError(f"stages[{i}] has no {key!r}{meant(str(key), STAGE)}")
        steps = common.known_length(f"stages[{i}].duration", stage.get("duration"), minimum=1)  # pyright: ignore
        start = end
        if stage.get("start_lr") is not None or stage.get("start_lr_fraction") is not None:
            start = _rate(f"stages[{i}].start_lr", stage.get("start_lr"), stage.get("start_lr_fraction"), peak)
        end = _rate(f"stages[{i}].end_lr", stage.get("end_lr"), stage.get("end_lr_fraction"), peak)
        shape = leaves.choice(f"stages[{i}].shape", stage.get("shape", "linear"), SHAPES)
        pieces.append((common.curve(shape, start, end, steps), steps))
    if not pieces:
        raise ValueError("stages must hold one stage at least, got none")
    whole = common.in_turn(*pieces, last=core.constant(end))
    return whole if override_decay is None else override_decay.over(whole, peak)


def _rate(name: str, value: Scalar | None, fraction: Scalar | None, peak: Number) -> Number:
    if (value is None) == (fraction is None):
        raise ValueError(f"{name} or {name}_fraction must be given, and only one of them, got {value} and {fraction}")
    if value is not None:
        return common.number(name, value)
    return peak * common.number(f"{name}_fraction", fraction)  # pyright: ignore[reportArgumentType], given
