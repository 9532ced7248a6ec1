"""A run of several processes where the library that connects them gives up: one line in place of a stack of C++.

It ends the whole process by `abort` when a peer dies or is not there, from whatever thread, and writes pages before it.
What it writes goes to a file that nobody keeps, and the signal of `abort` to a handler that says what is meant.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any, TextIO

from jaxlr.cli import stopping

_OF_PEERS = re.compile("distributed service|coordination|heartbeat", re.IGNORECASE)
_LOOKED_AT = 2**16  # bytes
_open: list[tuple[Any, contextlib.ExitStack]] = []  # of a process that is about to end


@contextlib.contextmanager
def peers_in_one_line(command: str, reason: Callable[[], str]) -> Iterator[None]:
    """Makes an `abort` into one line on stderr, which says what `reason` gives, and exit code 1."""
    if sys.platform == "win32":
        yield
        return
    with contextlib.ExitStack() as stack:
        unread = stack.enter_context(tempfile.TemporaryFile())
        terminal = stack.enter_context(_apart("stderr", unread))
        stack.enter_context(_apart("stdout", unread))
        stack.enter_context(stopping.speaking_to(terminal))
        ends: list[BaseException] = []

        def line() -> str:
            if ends:
                return str(ends[0])
            written = os.pread(unread.fileno(), _LOOKED_AT, 0).decode(errors="replace")
            what = reason() if _OF_PEERS.search(written) else f"an unforeseen fault: {written.partition(chr(10))[0]}"
            return f"{what}; {stopping.how_it_stands()}"

        def say(_: int) -> None:
            if not stopping.has_spoken():
                os.write(terminal, f"jaxlr {command}: {line()}\n".encode(errors="replace"))
            os._exit(getattr(ends[0], "code", 1) if ends else 1)

        handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(say)
        # Python's own handler would only note the signal, and the process would end before anybody reads the note.
        install = ctypes.CDLL(None).signal
        install.restype, install.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
        stack.callback(install, signal.SIGABRT, install(signal.SIGABRT, ctypes.cast(handler, ctypes.c_void_p)))
        try:
            yield
        except BaseException as error:
            if not getattr(error, "by_all", False):
                # The process ends, but until it does the library may still write of the lost peer, and abort.
                ends.append(error)
                _open.append((handler, stack.pop_all()))
            raise


@contextlib.contextmanager
def _apart(name: str, other: IO[bytes]) -> Iterator[int]:
    """Keeps the stream of this name for Python, sends to a file what libraries of C write to it; gives the stream's."""
    python: TextIO = getattr(sys, name)
    number = {"stdout": 1, "stderr": 2}[name]
    python.flush()
    with os.fdopen(os.dup(number), "w", buffering=1, encoding=python.encoding, errors="backslashreplace") as own:
        os.dup2(other.fileno(), number)
        setattr(sys, name, own)
        try:
            yield own.fileno()
        finally:
            with contextlib.suppress(OSError):
                own.flush()
            setattr(sys, name, python)
            os.dup2(own.fileno(), number)
