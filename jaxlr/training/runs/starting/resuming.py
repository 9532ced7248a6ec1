"""Taking a run up again: which options may change, what becomes of the schedule, and how far it must go."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxlr.arguments import brief
from jaxlr.schedules import Schedule, parse
from jaxlr.schedules.retiming import adds_phases, retime_as
from jaxlr.training.loop.items import Chunk, Item
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.records.position import Position
from jaxlr.training.runs.starting.rates import check_end, check_rates

_MAY_CHANGE = ("schedule", "epochs", "data", "data_dir", "devices", "zero", "images_on")
_MAY_CHANGE += ("checkpoint_every", "keep_checkpoints", "events")

_REASON = 400  # letters of why something cannot be
_ROUNDING = 1e-6  # of a rate: so near is the same


def check_changes(kept: TrainConfig, config: TrainConfig) -> None:
    """Refuses the changes that would make another run.

    Example:
      >>> check_changes(TrainConfig(), TrainConfig(batch_size=32))
      Traceback (most recent call last):
      ValueError: resume: batch_size must stay 64, got 32; a run from these weights with other options is --from
    """
    options = vars(config)
    for name, before in vars(kept).items():
        if before != options[name] and name not in _MAY_CHANGE:
            raise ValueError(
                f"resume: {name} must stay {brief(repr(before))}, got {brief(repr(options[name]))}; "
                "a run from these weights with other options is --from"
            )


def check_data(before: str, now: str, kept: str | None, found: str) -> None:
    """Refuses data that are not those of the run; where they lie does not matter.

    `before` and `now` are names or paths, `kept` and `found` fingerprints; None is of a run that has none.

    Example:
      >>> check_data("a.npz", "elsewhere/a.npz", "12", "12")
      >>> check_data("a.npz", "a.npz", "12", "34")
      Traceback (most recent call last):
      ValueError: resume: data: 'a.npz' does not hold what the run was trained on; train anew, or start with --from
    """
    if kept is None and before != now:
        raise ValueError(
            f"resume: data must stay {before!r}, got {now!r}: the run has kept no fingerprint of its images"
        )
    if kept not in (None, found):
        raise ValueError(
            f"resume: data: {now!r} does not hold what the run was trained on; train anew, or start with --from"
        )


def check_epochs(folder: Path, epochs: int, position: Position, updates_total: Callable[[int], int]) -> None:
    """Refuses epochs that end before the place that the run has reached, and those of a run that is over."""
    if is_done(folder) and epochs <= position.epoch:
        raise ValueError(
            f"resume: {folder}: the run of {position.epoch} epochs is over; more --epochs go on, --from starts anew"
        )
    made = position.count + position.skipped
    reached = next(epoch for epoch in itertools.count(position.epoch) if updates_total(epoch) >= made)
    if epochs < reached:
        raise ValueError(
            f"resume: epochs must be at least {reached}, got {epochs}: "
            f"{folder} has reached count {position.count:,} in epoch {reached}"
        )


def schedule_of(history: Sequence[tuple[int, str]], *, steps_per_epoch: float) -> Schedule:
    """The schedule of a run that may have been changed on the way, from what was asked for, and from which count on.

    Example:
      >>> schedule_of([(0, "linear(1.0, 0.0, 100)"), (50, "linear(1.0, 0.0, 150)")], steps_per_epoch=10)(100)
      Array(0.25, dtype=float32)
    """
    (_, text), *changes = history
    schedule = asked = parse(text, steps_per_epoch=steps_per_epoch)
    for count, text in changes:
        new = parse(text, steps_per_epoch=steps_per_epoch)
        schedule, asked = changed_schedule(schedule, asked, new, count), new
    return schedule


def changed_schedule(schedule: Schedule, asked: Schedule, new: Schedule, count: int) -> Schedule:
    """The schedule that goes on with other numbers from a count on, by the rule of `retime`.

    Args:
      schedule: that of the run so far.
      asked: what was asked for it, before any change.
      new: what is asked for now: made of the same families, with other numbers; a curve in the place of a constant; or
        what was asked for and a next schedule, as `join([asked, next], [count])`.
      count: updates applied.
    """
    if asked.to_dict() == new.to_dict():
        return schedule
    try:
        if (end := schedule.end()) is not None and count >= end and not adds_phases(asked, new):
            raise ValueError(f"{schedule!r} has ended at {end}, and no curve goes on from its last rate; start anew")
        if (end := new.end()) is not None and count >= end:
            raise ValueError(f"it has ended by then, at {end}; give a longer one")
        return retime_as(schedule, count, asked, new)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"resume: schedule cannot become {brief(repr(new))} at count {count}: {brief(str(error), _REASON)}; "
            "a run from these weights with another schedule is --from"
        ) from None


class Epochs(NamedTuple):
    """How far a run was to go, and how far it is to go now."""

    planned: int
    now: int
    updates: Callable[[int], int]  # in so many epochs


def check_rest(
    folder: Path, text: str, schedule: Schedule, position: Position, epochs: Epochs, *, changed: bool
) -> None:
    """Refuses what is left of a run where its rate falls below 0, or where more epochs would learn nothing."""
    planned, total = (epochs.updates(each) - position.skipped for each in (epochs.planned, epochs.now))
    anew = f"or start anew from these weights with --from {folder}"
    if total > planned and not changed:
        an_epoch = epochs.updates(1)
        check_end(text, schedule, count=position.count, planned=planned, total=total, an_epoch=an_epoch, anew=anew)
    # A run that was let start with a rate of 0 at its end may also go through to that.
    instead = f"give a --schedule that does not end at 0, go on from a place before its decay has ended, {anew}"
    more = changed or total > planned
    check_rates(text, schedule, position.count, total - position.count, instead=instead if more else None)


def rate_note(before: Schedule, schedule: Schedule, count: int) -> str:
    """What the rate does where a schedule becomes another.

    Example:
      >>> import jaxlr
      >>> rate_note(jaxlr.constant(0.1), jaxlr.constant(0.01), 50)
      'the rate goes from 0.1 to 0.01'
    """
    old, new = float(before(count)), float(schedule(count))
    if abs(new - old) <= _ROUNDING * abs(old):
        return "the rate goes on from where it is"
    return f"the rate goes from {old:g} to {new:g}"


def epoch_accuracies(items: Sequence[Item]) -> np.ndarray:
    """The accuracies of the updates since the last epoch's end."""
    return items[-1].updates.accuracy if items and isinstance(items[-1], Chunk) else np.zeros(0)


def is_done(folder: Path) -> bool:
    """Whether a run has gone through to its summary."""
    try:
        return json.loads((folder / "summary.json").read_text(encoding="utf-8"))["status"] == "done"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
