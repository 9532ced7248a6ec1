"""The help of a command: its options in groups, their words wrapped to the width of the terminal."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import shutil
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import tyro

_COLUMN = 24  # where the words of an option begin
_WIDEST = 100  # columns that a person reads at ease
_NAMES = {int: "INT", float: "FLOAT", str: "STR", Path: "PATH"}
# By the class that has the options; those of the command itself come first.
_TITLES = {
    "Data": "images",
    "_Rate": "learning rate",
    "Optimization": "optimization",
    "Network": "network",
    "Task": "validation and seed",
    "Execution": "how and where it runs",
    "Saving": "what is kept",
    "Hosts": "several processes",
}


class _Option(NamedTuple):
    """One option, or one word that stands without a name."""

    shown: str
    words: str
    group: str
    positional: bool


def help_text(command: str, options: type, width: int | None = None) -> str:
    """The help of a command with these options, as wide as the terminal where no width is given."""
    width = min(_WIDEST, shutil.get_terminal_size().columns if width is None else width)
    found = list(_options(options))
    places = "".join(f" {each.shown}" for each in found if each.positional)
    paragraphs = (inspect.getdoc(options) or "").split("\n\n")
    lines = [f"usage: jaxlr {command} [OPTIONS]{places}"]
    lines += [line for each in paragraphs for line in ("", *textwrap.wrap(each, width))]
    for group in dict.fromkeys(each.group for each in found):
        lines += ["", f"{group}:"]
        lines += [line for each in found if each.group == group for line in _written(each, width)]
    return "\n".join([*lines, "", "-h, --help prints this."]) + "\n"


def _written(option: _Option, width: int) -> list[str]:
    words = textwrap.wrap(option.words, width - _COLUMN)
    head = f"  {option.shown}"
    if len(head) + 2 <= _COLUMN:
        return [f"{head:{_COLUMN}}{words[0]}", *(f"{'':{_COLUMN}}{line}" for line in words[1:])]
    return [head, *(f"{'':{_COLUMN}}{line}" for line in words)]


def _options(options: type, group: str = "options") -> Iterator[_Option]:
    hints = typing.get_type_hints(options, include_extras=True)
    for field in dataclasses.fields(options):
        hint, *marks = typing.get_args(hints[field.name]) if _is_annotated(hints[field.name]) else [hints[field.name]]
        given = next((mark for mark in marks if hasattr(mark, "metavar")), None)
        if dataclasses.is_dataclass(hint) and given is not None and given.name == "":
            yield from _options(typing.cast(type, hint), "")
            continue
        home = next(each for each in options.__mro__ if field.name in inspect.get_annotations(each))
        name = (given.name if given is not None and given.name else field.name).replace("_", "-")
        metavar = given.metavar if given is not None and given.metavar else _kind(hint)
        positional = tyro.conf.Positional in marks
        shown = metavar if positional else f"--{name}, --no-{name}" if hint is bool else f"--{name} {metavar}"
        words = f"{_documented(home)[field.name]} (default: {_default(field)})"
        yield _Option(shown, words, group or _TITLES.get(home.__name__, "options"), positional)


def _is_annotated(hint: Any) -> bool:
    return typing.get_origin(hint) is typing.Annotated


def _kind(hint: Any) -> str:
    """What to write for a value."""
    if typing.get_origin(hint) is Literal:
        return f"{{{','.join(map(str, typing.get_args(hint)))}}}"
    if isinstance(hint, types.UnionType):
        return "|".join(_kind(each) for each in typing.get_args(hint) if each is not types.NoneType)
    return _NAMES.get(hint, "VALUES")


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default
    return "none given" if value in ("", ()) or value is dataclasses.MISSING else str(value)


@functools.cache
def _documented(options: type) -> dict[str, str]:
    """The words under each field of a class, in one line."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(options))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, words in zip(tree.body, tree.body[1:], strict=False):
        match field, words:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                found[name] = " ".join(text.split())
    return found
