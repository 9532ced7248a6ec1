"""Taking a run up again: which options may change, what becomes of the schedule, and how far it must go."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxlr.schedules import Schedule, leaves, parse, retime
from jaxlr.training.loop.items import Chunk, Item
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.records.position import Position

__all__ = [
    "changed_schedule",
    "check_changes",
    "check_data",
    "check_epochs",
    "epoch_accuracies",
    "is_done",
    "schedule_of",
]

_MAY_CHANGE = ("schedule", "epochs", "data", "data_dir", "devices", "zero", "images_on")
_MAY_CHANGE += ("checkpoint_every", "keep_checkpoints", "events")


def check_changes(kept: TrainConfig, config: TrainConfig) -> None:
    """Refuses the changes that would make another run.

    Raises:
      ValueError: an option differs that must not.

    Example:
      >>> check_changes(TrainConfig(), TrainConfig(batch_size=32))
      Traceback (most recent call last):
      ValueError: resume: batch_size must stay 64, got 32; a run from these weights with other options is --from
    """
    options = vars(config)
    for name, before in vars(kept).items():
        if before != options[name] and name not in _MAY_CHANGE:
            raise ValueError(
                f"resume: {name} must stay {before!r}, got {options[name]!r}; "
                "a run from these weights with other options is --from"
            )


def check_data(before: str, now: str, kept: str | None, found: str) -> None:
    """Refuses data that are not those of the run; where they lie does not matter.

    Args:
      before: the name or path that the run has kept.
      now: that of now.
      kept: the fingerprint of the run's data; None where it has none.
      found: that of what was read.

    Raises:
      ValueError: the data are others, or nobody can tell.

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
    """Refuses epochs that end before the place that the run has reached, and those of a run that is over.

    Args:
      folder: of the run.
      epochs: that are asked for.
      position: where the run stands.
      updates_total: the updates in some epochs.

    Raises:
      ValueError: there are too few.
    """
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
    """The schedule of a run that may have been changed on the way.

    Args:
      history: what was asked for, and from which count on; the first from 0.
      steps_per_epoch: updates in an epoch.

    Raises:
      ValueError: a change that `retime` refuses.

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
      new: what is asked for now: the same family, with other numbers.
      count: updates applied.

    Raises:
      ValueError: another family, or a change that `retime` refuses.
    """
    inner = [each.arguments["schedule"] if each.name == "warmup" else each for each in (asked, new)]
    if asked.name != new.name or inner[0].name != inner[1].name:
        raise ValueError(f"resume: schedule must stay {_family(asked)}, only its numbers may change; got {new!r}")
    if asked.name == "warmup" and (moved := [n for n in _differing(asked, new) if n != "schedule"]):
        raise ValueError(f"resume: {moved[0]} of the warm-up must stay, only the schedule after it may change")
    names = _differing(*inner)
    if not names:
        return schedule
    if (end := schedule.end()) is not None and count >= end:
        raise ValueError(
            f"resume: schedule cannot become {new!r} at count {count}: {schedule!r} has ended at {end}, and no curve "
            "goes on from its last rate; start anew from the weights of the run, with --from"
        )
    try:
        return retime(schedule, count, **{name: inner[1].arguments[name] for name in names})
    except (TypeError, ValueError) as error:
        raise ValueError(f"resume: schedule cannot become {new!r} at count {count}: {error}") from None


def epoch_accuracies(items: Sequence[Item]) -> np.ndarray:
    """The accuracies of the updates since the last epoch's end."""
    return items[-1].updates.accuracy if items and isinstance(items[-1], Chunk) else np.zeros(0)


def is_done(folder: Path) -> bool:
    """Whether a run has gone through to its summary."""
    try:
        return json.loads((folder / "summary.json").read_text(encoding="utf-8"))["status"] == "done"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _differing(old: Schedule, new: Schedule) -> list[str]:
    return [name for name in new.arguments if _plain(old.arguments[name]) != _plain(new.arguments[name])]


def _plain(value: Any) -> Any:
    """An argument as something that can be compared."""
    if isinstance(value, Schedule):
        return value.to_dict()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, str | bool) or callable(value) else leaves.plain(value)


def _family(schedule: Schedule) -> str:
    if schedule.name == "warmup":
        return f"warmup({schedule.arguments['schedule'].name})"
    return schedule.name
