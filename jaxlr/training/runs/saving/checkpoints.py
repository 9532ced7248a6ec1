"""Checkpoints of a run, kept by orbax: each is written beside the run, and is there in whole or not at all.

What cannot be written, read, or put into the places of a network or optimizer is a `CheckpointError`, as in `weights`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

from jaxlr.errors import CheckpointError
from jaxlr.training.loop.hosts import tells_of_a_peer
from jaxlr.training.runs.records.position import Position, to_position
from jaxlr.training.runs.records.schema import check_fields, text
from jaxlr.training.runs.saving.checksums import FILE as CHECKSUMS
from jaxlr.training.runs.saving.checksums import changed_file, write_checksums
from jaxlr.training.runs.saving.layout import check_layout, layout_of, named_arrays

FOLDER = "checkpoints"
_NEWER_OF_A_RATE = ("base", "factor", "share", "written")
_PARTS = ("network", "optimizer")
_MESSAGE_LENGTH = 400


class Checkpoints:
    """Writes a run's checkpoints while it goes on; keeps the last ones, and the best by validation accuracy.

    Args:
      folder: the run's folder; they lie in `checkpoints/` in it, each named after its count.
      keep: how many of the last ones.
    """

    def __init__(self, folder: Path, *, keep: int):
        self.folder: Path = folder / FOLDER
        self._count: int | None = None  # of the checkpoint that is being written
        best = BestN(
            get_metric_fn=lambda metrics: metrics["validation_accuracy"], n=1, keep_checkpoints_without_metrics=False
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=AnyPreservationPolicy([LatestN(keep), best]),
            # What a kill left half-written; the folder's lock says that nobody is still writing it.
            cleanup_tmp_directories=True,
            async_options=ocp.options.AsyncOptions(post_finalization_callback=self._checksum),
        )
        # Orbax logs a failure in its threads with a traceback, and raises it as well.
        self._quiet = contextlib.ExitStack()
        self._quiet.enter_context(_silent_log())
        self._quiet.enter_context(_without_late_answers())
        self._failed = False
        with self._writing():
            self.folder.mkdir(exist_ok=True)
            # Orbax wants an absolute path.
            self._manager = ocp.CheckpointManager(self.folder.absolute(), options=options)
            if jax.process_index() == 0:
                # By a kill; the checkpoint is whole without it. What is incomplete is orbax's, which is taking it away.
                for left in self.folder.glob(f"*/{CHECKSUMS}.part"):
                    if left.parent.name.isdigit():
                        left.unlink()

    def save(self, state: Any, position: Position, *, validation_accuracy: float | None = None) -> None:
        """Takes the state as it is and writes it while the run goes on; a count that is there already is left.

        Args:
          state: (network, optimizer state), two pytrees of arrays.
          position: where the run stands.
          validation_accuracy: at an epoch's end, so that the best is kept.

        Raises:
          CheckpointError: this checkpoint or the one before it cannot be written; those before them are whole.
        """
        if self._manager.latest_step() == position.count:
            return
        parts = dict(zip(_PARTS, map(named_arrays, state), strict=True))
        notes = dataclasses.asdict(position) | {"layout": {name: layout_of(part) for name, part in parts.items()}}
        metrics = None if validation_accuracy is None else {"validation_accuracy": validation_accuracy}
        with self._writing():
            self._manager.wait_until_finished()  # the one before: its checksums must know whose they are
            self._seal()
        self._count = position.count
        items = {name: ocp.args.StandardSave(part) for name, part in parts.items()}  # pyright: ignore[reportCallIssue]
        with self._writing():
            self._manager.save(
                position.count,
                args=ocp.args.Composite(**items, position=ocp.args.JsonSave(notes)),  # pyright: ignore[reportCallIssue]
                metrics=metrics,
            )

    def finish(self) -> None:
        """Waits until what has been taken is on the disk."""
        with self._writing():
            self._manager.wait_until_finished()
            self._seal()

    def _checksum(self) -> None:
        """Writes the checksums into the checkpoint that is about to be complete."""
        if jax.process_index() == 0:
            for place in self.folder.glob(f"{self._count}*"):
                if place.name.partition(".")[0] == str(self._count):
                    write_checksums(place, "*/**/*")  # those above change until `_seal`: see test_integrity

    def _seal(self) -> None:
        """Adds those of the two small files that orbax writes at the very end."""
        if jax.process_index() == 0 and self._count is not None and (self.folder / str(self._count)).is_dir():
            write_checksums(self.folder / str(self._count))

    def close(self) -> None:
        """Ends the threads that write; a failure that nobody waited for is lost."""
        with contextlib.suppress(Exception), self._writing():
            self._manager.close()
        # After a failure some threads of orbax and tensorstore live on until the process ends, and would tell of that.
        if not self._failed:
            self._quiet.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with _errors(f"{self.folder}: cannot write a checkpoint"):
                yield
        except Exception:
            self._failed = True
            raise


def has_checkpoint(folder: Path) -> bool:
    """Whether a run has a complete checkpoint."""
    place = folder / FOLDER
    if not place.is_dir():
        return False
    with _errors(f"{place}: cannot be read"), _reader(place) as manager:
        return manager.latest_step() is not None


def read_position(folder: Path) -> Position:
    """Where the last complete checkpoint of a run stands."""
    notes, _ = _read_notes(folder)
    return notes


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the network's arrays in the last complete checkpoint of a run, by their paths."""
    _, layout = _read_notes(folder)
    return {
        name.partition(".")[2]: tuple(map(int, re.findall(r"\d+", array.partition("[")[2])))
        for name, array in layout["network"].items()
    }


def load_state(folder: Path, count: int, state: Any) -> Any:
    """Reads the checkpoint of this count into the places of a state like it, on the devices where that lies."""
    return tuple(_load(folder, count, dict(zip(_PARTS, state, strict=True))).values())


def load_network(folder: Path, network: Any) -> Any:
    """Reads the network alone out of the last complete checkpoint of a run.

    Raises:
      CheckpointError: there is none, it is of another network, or cannot be read.
    """
    position, _ = _read_notes(folder)
    return _load(folder, position.count, {"network": network})["network"]


def _load(folder: Path, count: int, wanted: Mapping[str, Any]) -> dict[str, Any]:
    place = folder / FOLDER / str(count)
    position, layout = _read_notes(folder, count)
    named = {name: named_arrays(part) for name, part in wanted.items()}
    saved = {name: _as_older(part, layout[name]) for name, part in named.items()}
    for name in wanted:
        check_layout(f"{place}: checkpoint of another {name}", layout[name], layout_of(saved[name]))
    targets = {
        name: ocp.args.StandardRestore(part)  # pyright: ignore[reportCallIssue]
        for name, part in saved.items()
    }
    with _errors(_unreadable(place)), _reader(place.parent) as manager:
        found = manager.restore(position.count, args=ocp.args.Composite(**targets))
        return {
            name: jax.tree.unflatten(
                jax.tree.structure(part), [_found(found[name], each, named[name][each]) for each in named[name]]
            )
            for name, part in wanted.items()
        }


def _as_older(named: dict[str, Any], layout: Mapping[str, str]) -> dict[str, Any]:
    """The arrays by name as an older checkpoint has a rate's state: without some, and with a bool as one."""

    def is_newer(name: str) -> bool:
        link, _, field = name.rpartition(".")
        return field in _NEWER_OF_A_RATE and name not in layout and f"{link}.overridden" in layout

    def was_bool(name: str) -> bool:
        return name.endswith(".overridden") and layout.get(name, "").startswith("bool[")

    kept = {name: leaf for name, leaf in named.items() if not is_newer(name)}
    return {name: leaf.astype(bool) if was_bool(name) else leaf for name, leaf in kept.items()}


def _found(found: Mapping[str, Any], name: str, fresh: Any) -> Any:
    """An array of a checkpoint; what an older one lacks is as it was then: the rate as it came, times 1."""
    link, _, field = name.rpartition(".")
    if field == "overridden":
        return found[name].astype(fresh.dtype)
    if name in found:
        return found[name]
    return jnp.array(found[f"{link}.learning_rate"]) if field in ("base", "written") else fresh


def _reader(place: Path) -> ocp.CheckpointManager:
    # Made where the log is silent, which tells of what read_only implies.
    return ocp.CheckpointManager(place.absolute(), options=ocp.CheckpointManagerOptions(read_only=True))


def _read_notes(folder: Path, count: int | None = None) -> tuple[Position, dict[str, dict[str, str]]]:
    place = folder / FOLDER
    if not place.is_dir():
        raise CheckpointError(f"{folder}: holds no checkpoint; a run writes them with --checkpoint-every")
    with _errors(f"{place}: cannot be read"), _reader(place) as manager:
        count = manager.latest_step() if count is None else count
        if count is not None:
            if (name := changed_file(place / str(count))) is not None:
                raise CheckpointError(f"{_unreadable(place / str(count))} ({name} is not what was written)")
            with _errors(_unreadable(place / str(count))):
                restored = manager.restore(count, args=ocp.args.Composite(position=ocp.args.JsonRestore()))  # pyright: ignore[reportCallIssue]
                notes: dict[str, Any] = dict(restored["position"])
                check_fields(notes, {"layout": _is_layout}, what="a checkpoint")
                return to_position(notes), notes["layout"]
    raise CheckpointError(f"{place}: holds no complete checkpoint")  # no read has failed: after its context


def _is_layout(layout: Any) -> bool:
    is_text = text()
    return isinstance(layout, Mapping) and all(
        isinstance(layout.get(part), Mapping) and all(map(is_text, layout[part].values())) for part in _PARTS
    )


def _unreadable(place: Path) -> str:
    before = [int(each.name) for each in place.parent.iterdir() if each.name.isdecimal() and each != place]
    older = [count for count in before if count < int(place.name)]
    where = f"at the one before, count {max(older):,}" if older else "at its beginning"
    return f"{place}: truncated or damaged checkpoint; without this folder a resumed run starts {where}"


@contextlib.contextmanager
def _errors(what: str) -> Iterator[None]:
    """Makes whatever orbax raises into one line; it has no class of error of its own."""
    try:
        with _silent_log(), _without_late_answers():
            yield
    except CheckpointError:
        raise
    except Exception as error:
        if tells_of_a_peer(error):
            raise  # processes agree in the middle of a write: one of them is gone, and the disk is fine
        place = what.partition(": ")[0]
        reason = " ".join(str(error).replace(f"{place}/", "").split()) or type(error).__name__
        # What the system said, which tensorstore hides behind what it was about to do.
        if code := re.search(r"os_error_code='(\d+)'", reason):
            reason = os.strerror(int(code[1]))
        raise CheckpointError(f"{what} ({reason[:_MESSAGE_LENGTH]})") from error


@contextlib.contextmanager
def _silent_log() -> Iterator[None]:
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


class _without_late_answers:  # noqa: N801, a context
    """Gives `sys.unraisablehook` nothing of what other reads or writes say after one of them has failed.

    Tensorstore's threads then answer to a loop that orbax has closed, at any time until the process ends: the hook is
    given back at the end of the context, unless that is an error.
    """

    def __enter__(self) -> None:
        self._before = sys.unraisablehook
        if not isinstance(getattr(self._before, "__self__", None), _without_late_answers):
            sys.unraisablehook = self._tell

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and sys.unraisablehook == self._tell:
            sys.unraisablehook = self._before

    def _tell(self, unraisable: sys.UnraisableHookArgs) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            self._before(unraisable)
