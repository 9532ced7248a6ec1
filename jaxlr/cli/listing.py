"""`jaxlr list`: read from the source, since importing the schedules takes seconds."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxlr.arguments import meant
from jaxlr.cli.parsing import CommandError

HELP = """\
usage: jaxlr list [NAME...]

Print every schedule with its arguments, or those of these names.
"""
FOOTER = """
Lengths are in updates or, as 10ep, in epochs. With schedules s and t:
  s * 0.5, s + t, s - t, s.clip(0.001, 0.1), s.shift(100), s.repeat(1000)
"""
_WIDTH = 80


class Entry(NamedTuple):
    """What there is to say of a family."""

    name: str
    signature: str  # names and defaults
    sentence: str


def run(arguments: Sequence[str]) -> None:
    """`jaxlr list`."""
    if {"-h", "--help"} & set(arguments):
        print(HELP, end="")
        raise SystemExit(0)
    found = {entry.name: entry for entry in (*entries(), *_registered())}
    for word in arguments:
        if word.startswith("-"):
            raise CommandError(f"unknown option {word}; jaxlr list takes names of schedules, such as cosine")
        if word not in found:
            raise CommandError(f"no schedule {word!r}{meant(word, sorted(found))}")
    rows = [found[name] for name in dict.fromkeys(arguments or sorted(found))]
    if sys.stdout.isatty() and importlib.util.find_spec("rich"):
        _print_table(rows)
    else:
        for name, signature, sentence in rows:
            print(textwrap.fill(name + signature, _WIDTH, subsequent_indent=" " * 8, break_long_words=False))
            print(textwrap.fill(sentence, _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4))
    if not arguments:
        print(FOOTER, end="")


def entries() -> Iterator[Entry]:
    """Every family, as `jaxlr.schedules.FAMILIES` and `signature_text` have them."""
    for path in sorted((Path(__file__).parents[1] / "schedules").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "\n@family(" not in source:
            continue
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and _is_listed(node):
                yield Entry(node.name, _signature(node.args), (ast.get_docstring(node) or "").split("\n")[0])


def _registered() -> Iterator[Entry]:
    """The families of others, which are there only where a program has defined them."""
    if "jaxlr.schedules" not in sys.modules:
        return
    from jaxlr.schedules import FAMILIES, signature_text

    for name, make in FAMILIES.items():
        yield Entry(name, signature_text(name), (inspect.getdoc(make) or "").split("\n")[0])


def _is_listed(function: ast.FunctionDef) -> bool:
    """Whether a function is registered as a family that is called by its name."""
    calls = [
        each for each in function.decorator_list if isinstance(each, ast.Call) and ast.unparse(each.func) == "family"
    ]
    return bool(calls) and not {"infix", "method"} & {word.arg for word in calls[0].keywords}


def _signature(arguments: ast.arguments) -> str:
    places = [*arguments.posonlyargs, *arguments.args]
    parts = _with_defaults(places, [None] * (len(places) - len(arguments.defaults)) + arguments.defaults)
    if arguments.kwonlyargs:
        parts += ["*", *_with_defaults(arguments.kwonlyargs, arguments.kw_defaults)]
    if arguments.kwarg:
        parts.append(f"**{arguments.kwarg.arg}")
    return f"({', '.join(parts)})"


def _with_defaults(arguments: Sequence[ast.arg], defaults: Sequence[ast.expr | None]) -> list[str]:
    pairs = zip(arguments, defaults, strict=True)
    return [each.arg if default is None else f"{each.arg}={_value(default)}" for each, default in pairs]


def _value(default: ast.expr) -> str:
    try:
        return repr(ast.literal_eval(default))
    except ValueError:
        return ast.unparse(default)


def _print_table(rows: Sequence[Entry]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("schedule", "what it does", header_style="bold", show_lines=True)
    for name, signature, sentence in rows:
        table.add_row(Text.assemble((name, "bold cyan"), signature), Text(sentence))
    Console().print(table)
