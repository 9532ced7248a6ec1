"""What the files of a run may hold: a table a kind of file, and one line that names the field that is otherwise."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

Check = Callable[[Any], bool]

COUNT = 2**31 - 1  # the largest number of updates: counts are int32
_BYTES = 2**24  # of a JSON file; a config has a thousand


def integer(least: int = 0, most: int = COUNT) -> Check:
    """An integer in a range, both ends included.

    Example:
      >>> [integer()(value) for value in (3, -1, 10**30, "3", True, 3.0)]
      [True, False, False, False, False, False]
    """
    return lambda value: type(value) is int and least <= value <= most


def number(least: float = -math.inf) -> Check:
    """A finite number, at least as large as another.

    Example:
      >>> [number(0)(value) for value in (3, 0.5, -1, float("nan"), 10**400)]
      [True, True, False, False, False]
    """

    def check(value: Any) -> bool:
        if type(value) not in (int, float):
            return False
        try:
            return math.isfinite(value) and value >= least
        except OverflowError:
            return False

    return check


def text(most: int = 100_000) -> Check:
    """A text of at most so many letters."""
    return lambda value: isinstance(value, str) and len(value) <= most


def optional(check: Check) -> Check:
    """The same, or null."""
    return lambda value: value is None or check(value)


def listed(*checks: Check) -> Check:
    """A list whose entries pass a check; with several checks each entry is a list that passes them in turn.

    Example:
      >>> [listed(integer())([1, 2]), listed(integer(), text())([[0, "cosine(0.1, 9)"]]), listed(integer())([[1]])]
      [True, True, False]
    """

    def entry(value: Any) -> bool:
        if len(checks) == 1:
            return checks[0](value)
        return (
            isinstance(value, list | tuple)
            and len(value) == len(checks)
            and all(c(v) for c, v in zip(checks, value, strict=True))
        )

    return lambda value: isinstance(value, list | tuple) and all(map(entry, value))


def check_fields(found: Any, fields: Mapping[str, Check], *, what: str) -> None:
    """Refuses data that lacks a field or holds one that its check does not pass; others are let be.

    Example:
      >>> check_fields({"count": "75"}, {"count": integer()}, what="a position")
      Traceback (most recent call last):
      ValueError: count is '75', which a position cannot hold there
    """
    if not isinstance(found, Mapping):
        raise ValueError(f"expected {what}, an object, got {shown_value(found)}")
    for name, passes in fields.items():
        if name not in found:
            raise ValueError(f"{what} has no {name}")
        if not passes(found[name]):
            raise ValueError(f"{name} is {shown_value(found[name])}, which {what} cannot hold there")


def read_json(path: Path) -> Any:
    """Reads a JSON file of a run: at most 16 MiB, not deeper than Python's own reader goes, without NaN.

    A message does not name the file.
    """
    with path.open("rb") as file:
        content = file.read(_BYTES + 1)
    if len(content) > _BYTES:
        raise ValueError(f"not a JSON file: more than {_BYTES:,} bytes")
    return parse_json(content)


def parse_json(content: str | bytes) -> Any:
    """Reads JSON, of which NaN and the infinities are none.

    Example:
      >>> parse_json('{"loss": NaN}')
      Traceback (most recent call last):
      ValueError: not a JSON file: NaN
    """
    try:
        return json.loads(content, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("not a JSON file: nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("not a JSON file: not a text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not a JSON file: {error}") from None
    except ValueError as error:
        raise ValueError(f"not a JSON file: {str(error).removeprefix('not a JSON file: ').partition(';')[0]}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"not a JSON file: {constant}")


def shown_value(value: Any) -> str:
    """A value in a message, of which nobody reads more than a few words."""
    try:
        shown = repr(value)
    except (RecursionError, ValueError):  # too deep, or of more digits than Python prints
        shown = f"a {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
