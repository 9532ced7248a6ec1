"""The records of a run as it goes: lines of metrics.jsonl, and an event file of TensorBoard where it is asked for."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxlr.training.loop.trainer import EpochEnd, Skipped, Updates
from jaxlr.training.runs.events import EventFile, write_item
from jaxlr.training.runs.position import Position
from jaxlr.training.runs.summary import finite

__all__ = ["NoRecords", "Records"]


class Records:
    """Writes the records of a run that starts or goes on.

    Args:
      folder: of the run.
      start: where it starts or goes on; lines that this has not seen are cut off.
      events: whether to write an event file as well.

    Raises:
      OSError: a file cannot be written; it has the file's name.
    """

    def __init__(self, folder: Path, start: Position, *, events: bool):
        self._path = folder / "metrics.jsonl"
        self._file = self._path.open("ab" if start.resumed else "xb")
        self._file.truncate(start.metrics_bytes)
        self._file.seek(0, os.SEEK_END)
        self._events = EventFile(folder, start=start.count if start.resumed else None) if events else None

    def write(self, item: Updates | Skipped | EpochEnd, *, images_per_second: float) -> None:
        """Writes an item of the loop; a process that is killed afterwards loses nothing of it.

        Raises:
          OSError: it cannot be written.
        """
        with _naming(self._path):
            self._file.write("".join(f"{json.dumps(record)}\n" for record in _records(item)).encode())
            self._file.flush()
        if self._events is not None:
            with _naming(self._events.path):
                write_item(self._events, item, images_per_second=images_per_second)

    def sync(self) -> int:
        """Waits until the disk has all lines, and gives back their bytes.

        Raises:
          OSError: it cannot be written.
        """
        with _naming(self._path):
            os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Closes the files; what could not be written has been told before."""
        for file in (self._file, self._events):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()


class NoRecords:
    """The records on the hosts that write none."""

    def write(self, item: Updates | Skipped | EpochEnd, *, images_per_second: float) -> None:
        """Leaves it to the first host."""

    def sync(self) -> int:
        """No bytes; what a checkpoint says of the records is the first host's."""
        return 0

    def close(self) -> None:
        """Has nothing to close."""


def _records(item: Updates | Skipped | EpochEnd) -> Iterator[dict[str, Any]]:
    """The lines of metrics.jsonl that an item of the loop makes."""
    if isinstance(item, EpochEnd):
        yield {
            "epoch": int(item.epoch),
            "count": int(item.count),
            "train_accuracy": finite(item.train_accuracy),
            "validation_accuracy": finite(item.validation_accuracy),
            "validation_loss": finite(item.validation_loss),
        }
        return
    if isinstance(item, Skipped):
        yield {"count": item.count, "skipped": item.learning_rate}
        return
    for count, rate, loss, accuracy, norm in zip(*item, strict=True):
        yield {
            "count": int(count),
            "learning_rate": finite(rate),
            "loss": finite(loss),
            "accuracy": finite(accuracy),
            "gradient_norm": finite(norm),
        }


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    # An open file does not tell its name when it cannot be written.
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
