"""The command line: each command parses its options, calls one function, and prints.

Exit codes: 0 done; 1 a run that failed; 2 wrong arguments or input, with one line on stderr; 130 interrupted.
"""

import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from jaxlr.arguments import unknown
from jaxlr.cli.parsing import CommandError

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


@dataclass(frozen=True)
class Command:
    """A command: what it does, the module whose `run` does it, and what it needs beyond the core."""

    summary: str
    module: str
    extra: str
    needs: tuple[str, ...]


_DRAWING = ("tyro", "matplotlib")
_REPORTING = ("tyro", "rich", "matplotlib")
_TRAINING = ("tyro", "flax", "chex", "pooch", "rich", "matplotlib")
# A further command is a module beside these, with a function `run(arguments)`, and a line here.
COMMANDS = {
    "train": Command("train a small convolutional network on real images", "jaxlr.cli.train", "train", _TRAINING),
    "find": Command("find learning rates by a range test", "jaxlr.cli.find", "train", _TRAINING),
    "sweep": Command("train once for each of many learning rates, and compare", "jaxlr.cli.sweep", "train", _TRAINING),
    "report": Command("compare runs of train in one picture and one table", "jaxlr.cli.report", "train", _REPORTING),
    "list": Command("print every schedule with its arguments", "jaxlr.cli.listing", "plot", ("tyro",)),
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
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] == "help":
        arguments = [*arguments[1:2], "--help"]
    name = arguments[0] if arguments else "--help"
    try:
        if name in ("-h", "--help"):
            lines = (f"  {each:8}{command.summary}" for each, command in COMMANDS.items())
            print(HELP.format(commands="\n".join(lines)), end="")
        elif name == "--version":
            print(f"jaxlr {importlib.metadata.version('jaxlr')}")
        elif name in COMMANDS:
            _require(name, COMMANDS[name])
            importlib.import_module(COMMANDS[name].module).run(arguments[1:])
        else:
            raise CommandError(unknown("command", name, COMMANDS))
    except CommandError as error:
        where = f"jaxlr {name}" if name in COMMANDS else "jaxlr"
        print(f"{where}: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print(f"jaxlr {name}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _require(name: str, command: Command) -> None:
    """Says how to install what the command needs before it starts."""
    missing = [package for package in command.needs if not _is_installed(package)]
    if missing:
        raise CommandError(f'needs {", ".join(missing)}: pip install "jaxlr[{command.extra}]"')


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False
