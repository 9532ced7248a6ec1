"""Lines for a terminal, and what to say where a disk takes no more."""

from __future__ import annotations

import contextlib
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import TextIO

from jaxlr.cli.parsing import CommandError


@contextlib.contextmanager
def disk_errors(again: Callable[[], str]) -> Iterator[None]:
    """Makes errors of files that cannot be written into one line, with what to do once that is mended, and exit code 1.

    Example:
      >>> with disk_errors(lambda: "the same command starts again"):
      ...   raise OSError(28, "No space left on device", "runs/a/config.json")
      Traceback (most recent call last):
      jaxlr.cli.parsing.CommandError: runs/a/config.json: No space left on device; once that is mended, the same \
command starts again
    """
    try:
        yield
    except BrokenPipeError:  # nobody reads on
        raise
    except OSError as error:
        where = error.filename or "standard output"
        raise CommandError(f"{where}: {error.strerror or error}; once that is mended, {again()}", code=1) from None


def say(text: str) -> None:
    """Prints a line at once: on a terminal with its words wrapped, elsewhere as it is, for programs that read it."""
    print(wrapped(text, sys.stdout), flush=True)


def wrapped(text: str, stream: TextIO) -> str:
    """A line as it goes to a stream: its words wrapped where that is a terminal."""
    if not stream.isatty():
        return text
    return textwrap.fill(text, shutil.get_terminal_size().columns, break_long_words=False, break_on_hyphens=False)
