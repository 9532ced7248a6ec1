"""One place where whatever ends a command becomes one line and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Sequence

from jaxlr.arguments import brief
from jaxlr.cli import stopping
from jaxlr.cli.parsing import CommandError
from jaxlr.cli.writing import wrapped

_LENGTH = 400  # of what another library says
_ISSUES = "please report it with that file"


def exit_code(command: str, words: Sequence[str], function: Callable[[], None]) -> int:
    """Calls a function; whatever it raises is told in one line on stderr.

    The exit code is 0 where it is done, 1 where it failed, 2 of wrong arguments or input, 130 where it was interrupted.
    """
    try:
        function()
        sys.stdout.flush()
    except CommandError as error:
        if not isinstance(error.__context__, BrokenPipeError):
            _say(command, str(error))
        return error.code
    except KeyboardInterrupt:
        _say(command, "interrupted")
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has enough
        _close_stdout()
        return 1
    except Exception as error:
        code, line = _known(error) or (1, f"an unforeseen fault: {_short(error)}; {_details(words, error)}")
        if isinstance(error, OSError) and not error.filename:
            _close_stdout()
        _say(command, line)
        return code
    return 0


def _known(error: Exception) -> tuple[int, str] | None:
    """The exit code and the line of what is known to happen."""
    if isinstance(error, OSError):
        return 1, f"{brief(str(error.filename or 'standard output'))}: {error.strerror or error}"
    if isinstance(error, RecursionError):
        return 2, "something given is nested too deeply"
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return 1, f"the memory does not suffice: {_short(error)}"
    if type(error).__name__ == "JaxRuntimeError":
        return 1, f"the device failed: {_short(error)}"
    return None


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {text}' if text else ''}"[:_LENGTH]


def _details(words: Sequence[str], error: Exception) -> str:
    """Writes what a person who mends it needs; says where."""
    import importlib.metadata
    import platform
    import shlex
    import tempfile
    import time
    import traceback

    names = ("jaxlr", "jax", "jaxlib", "optax", "flax", "orbax-checkpoint", "numpy")
    lines = [f"jaxlr {shlex.join(words)}", f"python {platform.python_version()} on {platform.platform()}"]
    for name in names:
        try:
            lines.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{name} is not installed")
    lines += ["", *traceback.format_exception(error)]
    try:
        descriptor, path = tempfile.mkstemp(prefix=f"jaxlr-fault-{time.strftime('%Y%m%d-%H%M%S')}-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("\n".join(lines))
    except OSError as failure:
        return f"its details could not be written ({failure.strerror})"
    return f"its details are in {path}, {_ISSUES}"


def _say(command: str, line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody hears it
        print(wrapped(f"{f'jaxlr {command}' if command else 'jaxlr'}: {line}", sys.stderr), file=sys.stderr, flush=True)
    stopping.spoke()


def _close_stdout() -> None:
    """Sends the rest nowhere, so that Python's own flush at the end says nothing."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (AttributeError, OSError, ValueError) as error:
        if getattr(error, "errno", None) not in (None, errno.EBADF):
            raise
