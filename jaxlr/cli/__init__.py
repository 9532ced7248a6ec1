"""The command line: each command parses its options, calls one function, and prints.

Exit codes: 0 done; 1 a run that failed; 2 wrong arguments or input, with one line on stderr; 130 stopped by Ctrl-C,
143 by SIGTERM: a run has saved itself then.
"""

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from jaxlr.cli.stopping import listening  # and nothing else before it listens

HELP = """\
usage: jaxlr COMMAND [OPTIONS]

Learning-rate schedules and optimizers for JAX.

commands:
{commands}

Each command has its own help: jaxlr COMMAND --help

A schedule is written as a call, its lengths in updates or in epochs:
  jaxlr train --schedule "warmup(cosine(0.1, 10ep), 1ep)"
  jaxlr plot "triangular2(0.001, 0.01, 200)" "cosine(0.01, 1600)"
"""


class Command(NamedTuple):
    """A command: what it does, the module whose `run` does it, and what it needs beyond the core."""

    summary: str
    module: str
    extra: str
    needs: tuple[str, ...]


_DRAWING = ("tyro", "matplotlib")
_REPORTING = ("tyro", "rich", "matplotlib")
_TRAINING = ("tyro", "flax", "pooch", "rich", "matplotlib")
# A further command is a module beside these, with a function `run(arguments)`, and a line here.
COMMANDS = {
    "train": Command("train a small convolutional network on real images", "jaxlr.cli.train", "train", _TRAINING),
    "find": Command("find learning rates by a range test", "jaxlr.cli.find", "train", _TRAINING),
    "sweep": Command("train once for each of many learning rates, and compare", "jaxlr.cli.sweep", "train", _TRAINING),
    "report": Command("compare runs of train in one picture and one table", "jaxlr.cli.report", "train", _REPORTING),
    "list": Command("print every schedule with its arguments", "jaxlr.cli.listing", "plot", ()),
    "port": Command("say in jaxlr what a recipe of another framework says", "jaxlr.cli.port", "plot", _DRAWING),
    "plot": Command("draw one or several schedules", "jaxlr.cli.plot", "plot", _DRAWING),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
      arguments: the words of the command line; those of this process by default.

    Returns:
      The exit code.

    Example:
      >>> main(["--version"])
      jaxlr 0.1.0
      0
    """
    with listening(_named(sys.argv[1:] if arguments is None else arguments), last=arguments is None):
        if arguments is None:
            _calm()
        from jaxlr.cli.faults import exit_code

        words = list(sys.argv[1:] if arguments is None else arguments)
        name = _named(words)
        return exit_code(name if name in COMMANDS else "", words, lambda: _dispatch(words))


def _named(words: Sequence[str]) -> str:
    return words[0] if words else "--help"


def _dispatch(words: list[str]) -> None:
    import importlib

    from jaxlr.arguments import unknown
    from jaxlr.cli.parsing import CommandError

    if words[:1] == ["help"]:
        words = [*words[1:2], "--help"]
    name = _named(words)
    if name in ("-h", "--help"):
        lines = (f"  {each:8}{command.summary}" for each, command in COMMANDS.items())
        print(HELP.format(commands="\n".join(lines)), end="")
    elif name == "--version":
        from importlib.metadata import version

        print(f"jaxlr {version('jaxlr')}")
    elif name in COMMANDS:
        _require(COMMANDS[name])
        importlib.import_module(COMMANDS[name].module).run(words[1:])
    else:
        raise CommandError(unknown("command", name, COMMANDS))


def _calm() -> None:
    """What a process of its own owes its terminal: no warnings of libraries, no letter that it cannot show."""
    if not sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")
    os.environ["MPLBACKEND"] = "agg"  # pictures go to files
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _require(command: Command) -> None:
    """Says how to install what the command needs before it starts."""
    from jaxlr.cli.parsing import CommandError

    missing = [package for package in command.needs if not _is_installed(package)]
    if missing:
        raise CommandError(f'needs {", ".join(missing)}: pip install "jaxlr[{command.extra}]"')


def _is_installed(package: str) -> bool:
    import importlib.util

    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False
