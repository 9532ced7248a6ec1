"""The frame of a search on the command line: one or several processes, in a folder where it can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rich.console import Console
from rich.table import Table

from jaxlr.cli import stopping
from jaxlr.cli.parsing import CommandError, input_errors
from jaxlr.cli.peers import lost_peers, need_same_options, several
from jaxlr.cli.search_folder import again
from jaxlr.cli.sweep_options import SweepOptions
from jaxlr.cli.writing import disk_errors
from jaxlr.training.loop.hosts import is_first


class _InAFolder(Protocol):
    @property
    def folder(self) -> Path: ...


_Ready = TypeVar("_Ready", bound=_InAFolder)
_Result = TypeVar("_Result")


def searched(
    options: SweepOptions,
    prepare: Callable[[SweepOptions, ExitStack], _Ready],
    search: Callable[[_Ready, SweepOptions], _Result],
    write: Callable[[_Ready, _Result], Any],
    kept: str,
) -> tuple[_Ready, _Result] | None:
    """Searches, and lets the first process write what was found.

    Args:
      options: of the command.
      prepare: checks all that can be wrong, then makes the folder, which the stack gives back at the end.
      search: runs what is left.
      write: writes the files.
      kept: what is in the folder when the search is stopped: "finished groups".

    Returns:
      What is ready and what was found, for the process that speaks; None for the others.
    """
    with ExitStack() as stack:
        with input_errors(), several("sweep", options.hosts):
            with input_errors(), lost_peers(), Console().status("getting ready ..."):
                need_same_options(options.same_everywhere)
                ready = prepare(options, stack)
            with _stopped(ready.folder, kept):
                result = search(ready, options)
            speaks = is_first()
        if not speaks:
            return None
        with disk_errors(lambda: again(ready.folder)):
            write(ready, result)
    return ready, result


def print_table(names: Sequence[str], rows: Iterable[Iterable[str]]) -> None:
    """Prints figures in columns, an empty line above and below; a column without a name holds words."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print("", table, "", sep="\n")


@contextmanager
def _stopped(folder: Path, kept: str) -> Iterator[None]:
    """Says how the search goes on, whatever ends it."""
    stands = f"{kept} are in {folder}/, {again(folder)}"
    stopping.stands(lambda: stands)
    try:
        with disk_errors(lambda: again(folder)), input_errors(of_files=False), lost_peers():
            yield
    except KeyboardInterrupt:
        raise CommandError(f"interrupted; {stands}", code=130) from None
