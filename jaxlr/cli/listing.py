"""`jaxlr list`."""

import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxlr.cli.parsing import parse
from jaxlr.schedules import FAMILIES, signature_text

FOOTER = """
Lengths are in updates or, as 10ep, in epochs. With schedules s and t:
  s * 0.5, s + t, s - t, s.clip(0.001, 0.1), s.shift(100), s.repeat(1000)
"""


@dataclass(frozen=True)
class ListOptions:
    """Print every schedule with its arguments."""


def run(arguments: Sequence[str]) -> None:
    """`jaxlr list`."""
    parse("list", ListOptions, arguments)
    rows = [(name, signature_text(name), _first_line(make)) for name, make in sorted(FAMILIES.items())]
    if sys.stdout.isatty() and importlib.util.find_spec("rich"):
        _print_table(rows)
    else:
        for name, signature, sentence in rows:
            print(f"{name}{signature}\n    {sentence}")
    print(FOOTER, end="")


def _print_table(rows: Sequence[tuple[str, str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("schedule", "what it does", header_style="bold", show_lines=True)
    for name, signature, sentence in rows:
        table.add_row(Text.assemble((name, "bold cyan"), signature), Text(sentence))
    Console().print(table)


def _first_line(make: Callable[..., object]) -> str:
    return (inspect.getdoc(make) or "").split("\n")[0]
