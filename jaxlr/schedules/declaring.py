"""Factories that only say what they take: each argument goes through a door of `leaves` and on to the formula."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias, TypeVar

from jaxlr.schedules import leaves
from jaxlr.schedules.schedule import Schedule, as_schedule

_Factory = TypeVar("_Factory", bound=Callable[..., Any])
Door: TypeAlias = Callable[[str, Any], Any]  # of an argument's name and value: what the schedule holds

_DOORS: dict[str, Door] = {
    "Scalar": leaves.number,
    "Scalars": leaves.numbers,
    "Length": leaves.length,
    "bool": leaves.flag,
    "Schedule": as_schedule,
}


def declared(
    check: Callable[[SimpleNamespace], None] | None = None, /, **doors: Door
) -> Callable[[_Factory], _Factory]:
    """Makes a factory of a signature: its arguments are checked, and go to the formula `_name` beside it.

    Args:
      check: what is asked of several arguments together, when each has passed its own door.
      **doors: the doors of arguments whose annotation (`Scalar`, `Length`, `Literal`, ...) does not say enough.
    """

    def declare(signature: _Factory) -> _Factory:
        taken = inspect.signature(signature).parameters
        defaults = {name: each.default for name, each in taken.items() if each.default is not each.empty}
        through = {name: _door(each.annotation, doors.get(name)) for name, each in taken.items()}

        @functools.wraps(signature)
        def factory(*positional: Any, **named: Any) -> Schedule:
            signature(*positional, **named)  # Python's own words for an argument that is missing, or one too many
            given = {**defaults, **dict(zip(through, positional, strict=False)), **named}
            arguments = {name: door(name, given[name]) for name, door in through.items()}
            if check is not None:
                check(SimpleNamespace(**arguments))
            return Schedule(signature.__globals__[f"_{signature.__name__}"], **arguments)

        return factory  # pyright: ignore[reportReturnType]

    return declare


def _door(annotation: str, own: Door | None) -> Door:
    kind = annotation.removesuffix(" | None")
    if kind.startswith("Literal"):
        own = functools.partial(leaves.choice, options=re.findall("'(.*?)'", kind))
    door = own or _DOORS[kind]
    return door if kind == annotation else lambda name, value: None if value is None else door(name, value)
