"""The folder of a search: new, or one of the very same search, which goes on there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxlr.cli.writing import disk_errors
from jaxlr.training.loop.hosts import first_host
from jaxlr.training.runs.config import shortened
from jaxlr.training.runs.folder import FolderLock, begun, check_folder, discard, make_folder, write_json
from jaxlr.training.runs.records.schema import read_json


def again(folder: Path) -> str:
    """How a search that was stopped goes on."""
    return f"the same command with --out {folder} goes on from there"


def check_kept(folder: Path | None, kept: Mapping[str, Any], mark: str, what: str) -> None:
    """Lets a folder pass that is new, empty, or holds this very search; all hosts must ask.

    Args:
      folder: as given; None is a new one.
      kept: the options that tell this search from another.
      mark: one of them that only such a search has.
      what: the word for such a search: "a sweep".
    """
    if folder is not None:
        first_host(lambda: _check(folder, kept, mark, what))


@contextmanager
def kept_folder(folder: Path | None, kept: Mapping[str, Any], name: str) -> Iterator[Path]:
    """The folder that has passed, or the next free one for None, with the options that tell this search from another.

    The first host makes it and holds it while the search runs; all hosts must ask.
    """
    lock: FolderLock | None = None

    def opened() -> str:
        nonlocal lock
        place = folder
        if place is None or not (place / "config.json").exists():
            place = make_folder(place, name)
            with disk_errors(lambda: _without(place)):
                write_json(place / "config.json", kept)
                begun(place)
        lock = FolderLock(place)
        return str(place)

    try:
        yield Path(first_host(opened))
    finally:
        if lock is not None:
            lock.release()  # a frame that matplotlib keeps may hold it until the next garbage collection


def _check(folder: Path, kept: Mapping[str, Any], mark: str, what: str) -> None:
    path, found = folder / "config.json", None
    if path.exists():
        try:
            found = read_json(path)
        except ValueError as error:
            raise ValueError(f"out: {path}: {error}") from None
    if not isinstance(found, dict) or mark not in found:
        check_folder(folder)
        return
    for name, value in kept.items():
        if found.get(name) != value:
            there, given = shortened(found.get(name)), shortened(value)
            raise ValueError(f"out: {folder} holds {what} with {name} {there}, not {given}")


def _without(folder: Path) -> str:
    discard(folder)
    return "the same command starts again"
