"""Runs read back from their folders, to be compared; one that still goes on or was cut off is read up to there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxlr.training.runs.config import TrainConfig, load_config, to_json
from jaxlr.training.runs.records import metrics
from jaxlr.training.runs.records.schema import Check, check_fields, parse_json

ENDS = ("done", "stopped", "interrupted", "diverged")
UNFINISHED = "unfinished"  # it goes on, or was killed


@dataclass(frozen=True)
class PastRun:
    """What a run's folder says."""

    folder: Path
    config: TrainConfig
    status: str  # done, stopped, interrupted, diverged, or UNFINISHED
    count: np.ndarray  # int64, (updates,): updates applied before each one
    learning_rate: np.ndarray  # float64, (updates,)
    loss: np.ndarray  # float64, (updates,)
    epoch_end: np.ndarray  # int64, (epochs,): updates applied at each epoch's end
    validation_accuracy: np.ndarray  # float64, (epochs,)
    test_accuracy: float | None  # None unless the run is done
    images_per_second: float | None  # None while the run is not over

    @property
    def last_validation_accuracy(self) -> float | None:
        """That of the last epoch, and so of the weights that the run keeps; None before the first one ends."""
        last = self.validation_accuracy[-1:]
        return float(last[0]) if np.isfinite(last).any() else None

    @property
    def best_validation_accuracy(self) -> float | None:
        """The highest of all epochs; None before the first one ends."""
        finite = self.validation_accuracy[np.isfinite(self.validation_accuracy)]
        return float(finite.max()) if len(finite) else None


def read_run(folder: Path) -> PastRun:
    """Reads the files of a run."""
    path = folder / metrics.FILE
    lines = _read(path)
    config = load_config(folder / "config.json")
    summary = _read_summary(folder / "summary.json")
    try:
        curves = metrics.curves(metrics.parse_records(lines, whole=summary is not None))
        updates = curves.updates
        if summary is not None and summary["updates"] != len(updates.count):
            raise ValueError(f"{len(updates.count):,} updates, but summary.json tells of {summary['updates']:,}")
    except ValueError as error:
        raise ValueError(f"{path}: damaged: {error}") from None
    if not len(updates.count):
        raise ValueError(f"{folder}: has no update yet")
    summary = summary or {"status": UNFINISHED, "test_accuracy": None, "images_per_second": None}
    return PastRun(
        folder,
        config,
        status=summary["status"],
        count=updates.count,
        learning_rate=updates.learning_rate,
        loss=updates.loss,
        epoch_end=curves.ends,
        validation_accuracy=curves.validation_accuracy,
        test_accuracy=summary["test_accuracy"],
        images_per_second=summary["images_per_second"],
    )


def split_options(runs: Sequence[PastRun]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The options that all runs share, and for each run those in which they differ; what saves and reports is left out.

    Example:
      >>> import dataclasses
      >>> none = np.array([])
      >>> first = PastRun(Path("a"), TrainConfig(), "done", none, none, none, none, none, 0.5, 1.0)
      >>> common, differing = split_options([first, dataclasses.replace(first, config=TrainConfig(epochs=3))])
      >>> differing, "epochs" in common, common["seed"]
      ([{'epochs': 16}, {'epochs': 3}], False, 0)
    """
    options = [to_json(run.config) for run in runs]
    names = [name for name in options[0] if name not in _OF_NO_MATTER]
    differing = [name for name in names if any(each[name] != options[0][name] for each in options)]
    common = {name: options[0][name] for name in names if name not in differing}
    return common, [{name: each[name] for name in differing} for each in options]


_SUMMARY: Mapping[str, Check] = {
    "status": lambda value: value in ENDS,
    "updates": lambda value: isinstance(value, int),
    "test_accuracy": lambda value: value is None or isinstance(value, float),
    "images_per_second": lambda value: isinstance(value, int | float),
}
_OF_NO_MATTER = ("data_dir", "checkpoint_every", "keep_checkpoints", "events")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{path.parent}: no folder of jaxlr train: it has no {path.name}") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: damaged: not a text") from None


def _read_summary(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    text = _read(path)
    try:
        summary = parse_json(text)
        check_fields(summary, _SUMMARY, what="a summary")
    except ValueError:
        raise ValueError(f"{path}: damaged: not a run's summary") from None
    return summary
