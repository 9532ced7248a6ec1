"""The records of a run: metrics.jsonl, a line an update and one an epoch, and beside it whoever takes them as well."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from jaxlr.training.loop.items import Chunk, EpochEnd, Item, Updates
from jaxlr.training.runs.records.position import Position
from jaxlr.training.runs.records.schema import Check, check_fields, integer, number, optional, parse_json
from jaxlr.training.runs.records.writers import Writer, scalars_of

FILE = "metrics.jsonl"
Record: TypeAlias = Mapping[str, Any]  # what a line holds: numbers, null for one that is not finite

_FIGURES = Updates._fields[1:]
_EPOCH = EpochEnd._fields
# What readers cannot do without: older runs lack some of the others.
_CHECKS: Mapping[str, Check] = {name: optional(number()) for name in (*_FIGURES, *_EPOCH[2:], "skipped")}
_CHECKS = {**_CHECKS, "count": integer(), "epoch": integer(least=1)}
_NEEDED = {"epoch": ("count", "validation_accuracy"), "skipped": ("count", "skipped")}


def encode(item: Item) -> str:
    """The lines that an item of the loop makes.

    Example:
      >>> encode(EpochEnd(1, 4, float("nan"), 0.25, 2.0))
      '{"epoch": 1, "count": 4, "train_accuracy": null, "validation_accuracy": 0.25, "validation_loss": 2.0}\\n'
    """
    return "".join(f"{json.dumps(record)}\n" for record in _records(item))


def parse_records(lines: str, *, whole: bool = True) -> list[Record]:
    """The records that lines hold; a last line that is cut off is an error where the lines are whole, else left out.

    Example:
      >>> parse_records('{"count": 0, "learning_rate": 0.5, "loss": null}\\n{"cou', whole=False)
      [{'count': 0, 'learning_rate': 0.5, 'loss': None}]
    """
    *ended, last = lines.split("\n")
    if last and whole:
        raise ValueError(f"line {len(ended) + 1} is cut off")
    records = []
    for place, line in enumerate(ended, 1):
        try:
            record = parse_json(line)
        except ValueError:
            raise ValueError(f"line {place} is no record") from None
        try:
            check_fields(record, _checks(record), what="a record")
        except ValueError as error:
            raise ValueError(f"line {place}: {error}") from None
        records.append(record)
    return records


def decode(records: Iterable[Record]) -> Iterator[Item]:
    """What the loop gave out, in float64: the updates from one epoch's end to the next as one chunk.

    Example:
      >>> chunk, end = decode([{"count": 0, "learning_rate": 0.5, "loss": 2.5}, {"epoch": 1, "count": 1}])
      >>> chunk.updates.loss.tolist(), end.count
      ([2.5], 1)
    """
    for is_end, group in itertools.groupby(records, lambda record: "epoch" in record):
        if is_end:
            for record in group:
                yield EpochEnd(record["epoch"], record["count"], *(_number(record.get(name)) for name in _EPOCH[2:]))
            continue
        lines = list(group)
        skipped = np.array(["skipped" in line for line in lines])
        rates = [line.get("learning_rate", line.get("skipped")) for line in lines]
        others = ([line.get(name) for line in lines] for name in _FIGURES[1:])
        figures = (np.array([_number(value) for value in column], np.float64) for column in (rates, *others))
        yield Chunk(Updates(np.array([line["count"] for line in lines], np.int64), *figures), skipped)


class Curves(NamedTuple):
    """A run's figures as arrays."""

    updates: Updates  # all that were applied
    ends: np.ndarray  # int64, (epochs,): updates applied at each epoch's end
    train_accuracy: np.ndarray  # float64, (epochs,)
    validation_accuracy: np.ndarray  # float64, (epochs,)
    validation_loss: np.ndarray  # float64, (epochs,)


def curves(records: Iterable[Record]) -> Curves:
    """The figures of a run as arrays; fields that are missing are NaN."""
    items = list(decode(records))
    none = Updates(np.zeros(0, np.int64), *(np.zeros(0) for _ in _FIGURES))
    parts = [none, *(item.updates for item in items if isinstance(item, Chunk))]
    ends = [item for item in items if isinstance(item, EpochEnd)]
    columns = (np.array([end[place] for end in ends], np.float64) for place in range(2, len(_EPOCH)))
    counts = np.array([end.count for end in ends], np.int64)
    return Curves(Updates(*map(np.concatenate, zip(*parts, strict=True))), counts, *columns)


def read_start(folder: Path, length: int) -> Sequence[Item]:
    """What the loop has given out up to a checkpoint that has seen so many bytes of the file."""
    if not length:
        return ()
    path = folder / FILE
    try:
        with path.open("rb") as file:
            content = file.read(length)
    except OSError as error:
        raise ValueError(f"resume: {path}: {error.strerror}") from None
    if len(content) < length:
        raise ValueError(f"resume: {path}: {len(content):,} bytes, but the checkpoint has seen {length:,}")
    try:
        return list(decode(parse_records(content.decode())))
    except ValueError as error:
        raise ValueError(f"resume: {path}: damaged: {error}") from None


class Records:
    """Writes the records of a run that starts or goes on.

    Args:
      folder: of the run.
      start: where it starts or goes on; lines that this has not seen are cut off.
      writers: to whom the figures go as well.
    """

    def __init__(self, folder: Path, start: Position, *, writers: Sequence[Writer] = ()):
        self._path = folder / FILE
        self._file = self._path.open("ab" if start.resumed else "xb")
        self._file.truncate(start.metrics_bytes)
        self._file.seek(0, os.SEEK_END)
        self._writers = writers

    def write(self, item: Item, *, images_per_second: float) -> None:
        """Writes an item of the loop; a process that is killed afterwards loses nothing of it."""
        with _naming(self._path):
            self._file.write(encode(item).encode())
            self._file.flush()
        if self._writers:
            figures = list(scalars_of(item, images_per_second=images_per_second))
            for writer in self._writers:
                with _naming(getattr(writer, "path", self._path)):
                    writer.log(figures)

    def sync(self) -> int:
        """Waits until the disk has all lines, and gives back their bytes."""
        with _naming(self._path):
            os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Closes the files; what could not be written has been told before."""
        for each in (self._file, *self._writers):
            with contextlib.suppress(OSError):
                getattr(each, "close", lambda: None)()

    @property
    def note(self) -> str | None:
        """What a writer has not taken; None where it has taken all."""
        return next((note for writer in self._writers if (note := getattr(writer, "note", None))), None)


class NoRecords:
    """The records on the hosts that write none."""

    note: str | None = None

    def write(self, item: Item, *, images_per_second: float) -> None:
        """Leaves it to the first host."""

    def sync(self) -> int:
        """No bytes; what a checkpoint says of the records is the first host's."""
        return 0

    def close(self) -> None:
        """Has nothing to close."""


def finite(value: Any) -> float | None:
    """A number as JSON has it: a float32 as the double that equals it, NaN and the infinities as null.

    Example:
      >>> finite(float("nan")) is None
      True
    """
    return float(value) if math.isfinite(value) else None


def _records(item: Item) -> Iterator[Record]:
    if isinstance(item, EpochEnd):
        epoch, count, *figures = item
        yield dict(zip(_EPOCH, (int(epoch), int(count), *map(finite, figures)), strict=True))
        return
    for place, (skipped, count, rate, *others) in enumerate(zip(item.skipped, *item.entries, strict=True)):
        if skipped:
            yield {"count": int(count), "skipped": float(rate)}
            continue
        known = {name: finite(values[place]) for name, values in item.hyperparameters.items()}
        yield {"count": int(count), **dict(zip(_FIGURES, map(finite, (rate, *others)), strict=True)), **known}


def _checks(record: Any) -> Mapping[str, Check]:
    """What a line must hold, and what it holds beside that and is known."""
    if not isinstance(record, Mapping):
        return {}
    needed = next((names for kind, names in _NEEDED.items() if kind in record), ("count", "learning_rate", "loss"))
    return {name: check for name, check in _CHECKS.items() if name in needed or name in record}


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    # An open file does not tell its name when it cannot be written.
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
