"""A run's folder: always a new or an empty one, made whole or not at all."""

import errno
import itertools
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxlr.files import whole

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None

# Stands in a folder from its making to its config.json: whatever ended the process between may be made anew.
_STARTING = ".starting"
_MADE = (_STARTING, "metrics.jsonl", "checkpoints", "*.part", "range_test.json", "range_test.png")
_MADE += ("events.out.tfevents.*.jaxlr", "wandb", "wandb.id", "mlflow.id")


class FolderLock:
    """Holds a folder for one run; the system gives it back when the process ends, however it ends."""

    def __init__(self, folder: Path):
        self._descriptor: int | None = None
        if fcntl is None:
            return
        self._descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise ValueError(f"out: {folder}: another run is writing into this folder") from None
        except OSError:
            self.release()  # a file system without locks

    def release(self) -> None:
        """Gives the folder back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        # Also where a process ends and its modules are gone.
        if self.__dict__.get("_descriptor") is not None:
            close(self.__dict__["_descriptor"])


def check_folder(folder: Path) -> None:
    """Refuses a folder that holds anything but the beginnings of a run that never had its config.json."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not was_left(folder):
            raise ValueError(f"out must be a new or empty folder, got {str(folder)!r}")
    except OSError as error:
        raise ValueError(f"out: {folder}: {error.strerror}") from None


def make_folder(folder: Path | None, name: str) -> Path:
    """Makes the folder, new or empty, and those above it, or none of them; None is the first free one of its name.

    That is runs/NAME-1, runs/NAME-2, ...
    """
    if folder is None:
        numbered = (Path("runs") / f"{name}-{number}" for number in itertools.count(1))
        folder = next(each for each in numbered if not each.exists())
    check_folder(folder)
    made: list[Path] = []
    try:
        for each in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
            each.mkdir()
            made.append(each)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if was_left(folder):
            lock = FolderLock(folder)
            _clear(folder)
            lock.release()
        (folder / _STARTING).touch()
    except OSError as error:
        for each in reversed(made):
            each.rmdir()
        raise ValueError(f"out: {folder}: {error.strerror}") from None
    return folder


def begun(folder: Path) -> None:
    """Says that the folder has its config.json: from now on it is somebody's."""
    (folder / _STARTING).unlink(missing_ok=True)


def discard(folder: Path) -> bool:
    """Takes a folder away that has no config.json yet; gives whether it did."""
    try:
        if not was_left(folder):
            return False
        _clear(folder)
        folder.rmdir()
    except OSError:
        return False
    return True


def was_left(folder: Path) -> bool:
    """Whether a folder is what a process left that ended before its config.json."""
    if not (folder / _STARTING).exists() or (folder / "config.json").exists():
        return False
    return all(any(each.match(name) for name in _MADE) for each in folder.iterdir())


def _clear(folder: Path) -> None:
    for each in sorted(folder.iterdir(), reverse=True):  # the mark last: a process ended here leaves what it found
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Writes a JSON file that is there in whole or not at all."""
    with whole(path) as part:
        part.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
