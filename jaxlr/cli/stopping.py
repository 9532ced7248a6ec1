"""Ctrl-C and SIGTERM, heard from the first moment of a command to its last.

Python runs a signal's handler between two steps of the main thread, which may be minutes inside a compiler, and an
exception raised there is lost in whatever calls Python back. So the signals go to a thread of their own: it ends the
process at once, or lets a run save itself first; the second one ends it in any case.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Ear:
    """What has come, and what is to be done about it."""

    def __init__(self, command: str):
        self.command, self.came, self.patient, self.stderr, self.spoken = command, 0, False, 2, False
        self.stands: Callable[[], str] = lambda: "nothing has been begun"

    def listen(self, signals: socket.socket) -> None:
        """Reads the numbers of the signals as they come; ends where the other side is closed."""
        while numbers := signals.recv(64):
            for number in numbers:
                if number in _SIGNALS:
                    self.hear(number)

    def hear(self, number: int) -> None:
        """The first signal of a run that saves itself is kept for it; any other ends the process here."""
        first, self.came = not self.came, self.came or number
        if first and self.patient:
            return
        if sys.stdout.isatty():
            # The cursor, which a bar has hidden, and the bar's line.
            os.write(sys.stdout.fileno(), b"\x1b[?25h\r\x1b[K")
        os.write(self.stderr, f"jaxlr {self.command}: {name_of(number)}; {self.stands()}\n".encode(errors="replace"))
        os._exit(128 + number)


_deaf = _ear = _Ear("")  # where nobody listens, nothing ever comes


def name_of(number: int) -> str:
    """How a person calls a signal.

    Example:
      >>> name_of(signal.SIGINT), name_of(signal.SIGTERM)
      ('interrupted', 'ended by SIGTERM')
    """
    return "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"


@contextlib.contextmanager
def listening(command: str, *, last: bool = False) -> Iterator[None]:
    """Hears the signals for a command; in another than the main thread nobody can, and they stay as they are.

    Args:
      command: its name, for the one line.
      last: whether the process ends with it. The work is done then, and a signal that comes while Python takes itself
        apart would end it without a word.
    """
    global _ear
    if threading.current_thread() is not threading.main_thread() or _ear is not _deaf:
        yield
        return
    ear, (heard, told) = _Ear(command), socket.socketpair()
    told.setblocking(False)
    before = {number: signal.signal(number, _nothing) for number in _SIGNALS}
    wakeup = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=ear.listen, args=(heard,), daemon=True)
    thread.start()
    _ear = ear
    try:
        yield
    finally:
        _ear = _deaf
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if last else handler)
        told.close()
        thread.join(1.0)
        heard.close()


@contextlib.contextmanager
def patience() -> Iterator[Callable[[], bool]]:
    """Lets a run save itself on the first signal; gives a function that says whether one has come."""
    ear = _ear
    ear.patient = True
    try:
        yield lambda: bool(ear.came)
    finally:
        ear.patient = False


def hear_again() -> None:
    """Takes the signals back from jax.distributed, which puts a handler of its own in the place of Python's."""
    if _ear is not _deaf:
        for number in _SIGNALS:
            signal.signal(number, _nothing)


def came() -> int:
    """The number of the first signal; 0 where none has come."""
    return _ear.came


def spoke() -> None:
    """Keeps that the one line of a command that fails has been said."""
    _ear.spoken = True


def has_spoken() -> bool:
    """Whether it has."""
    return _ear.spoken


def stands(how: Callable[[], str]) -> None:
    """Keeps what gives the words to say of the work where a signal ends it at once."""
    _ear.stands = how


def how_it_stands() -> str:
    """What `stands` has kept to be said."""
    return _ear.stands()


@contextlib.contextmanager
def speaking_to(descriptor: int) -> Iterator[None]:
    """Says what there is to say to this open file where stderr goes elsewhere."""
    ear, _ear.stderr = _ear, descriptor
    try:
        yield
    finally:
        ear.stderr = 2


def _nothing(*_: object) -> None:
    """The handler: the number has gone to the thread already."""
