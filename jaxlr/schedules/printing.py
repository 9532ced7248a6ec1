"""Schedules written down: as the call that makes them, and as JSON-able data."""

from __future__ import annotations

import inspect
import math
import reprlib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

import jax
import numpy as np

from jaxlr.schedules import leaves
from jaxlr.schedules.family import RECORDS, Family

# Schedules within schedules that a text or a dictionary may hold: twice as many overflow Python's stack when traced.
DEEPEST = 64

_Schedule = TypeVar("_Schedule")
_Result = TypeVar("_Result")
_known: ContextVar[dict[Any, Any] | None] = ContextVar("known", default=None)  # of schedules, by identity


def is_static(value: Any) -> bool:
    """Whether an argument selects the program: a word, a flag, a Python number, a function."""
    return isinstance(value, str | bool | int) or (callable(value) and not _is_schedule(value))


def written(family: Family, arguments: Mapping[str, Any]) -> str:
    """The call that makes a schedule, as Python and the command line read it."""
    if family.infix is not None:
        left, right = map(_printed, arguments.values())
        return f"({left} {family.infix} {right})"
    shown = changed(family, arguments)
    receiver = f"{shown.pop('schedule')!r}." if family.method else ""
    if family.method and len(family.parameters) == 2:
        return f"{receiver}{family.name}({_printed(*shown.values())})"
    listed = ", ".join(f"{name}={_printed(value)}" for name, value in shown.items())
    return f"{receiver}{family.name}({listed})"


def inside_out(what: str, schedule: _Schedule, of: Callable[[_Schedule], _Result]) -> _Result:
    """`of(schedule)`, after that of all schedules in it, the innermost first: none is too deep for Python's stack."""
    known = _known.get()
    token = _known.set(known := {}) if known is None else None
    try:
        return _of_all(what, schedule, of, known)
    finally:
        if token is not None:
            _known.reset(token)


def _of_all(what: str, schedule: Any, of: Callable[[Any], Any], known: dict[Any, Any]) -> Any:
    if (what, id(schedule)) in known:
        return known[what, id(schedule)]
    if what in known:  # it is being asked of all
        return of(schedule)
    order = [schedule]
    for each in order:  # which grows meanwhile
        order += [child for child in each.children() if (what, id(child)) not in known]
    known[what] = True
    for each in reversed(order):
        known[what, id(each)] = of(each)
    del known[what]
    return known[what, id(schedule)]


def whole(schedule: Any) -> str:
    """The text of a schedule with every entry of its lists, of which `repr` shows the ends of long ones.

    Example:
      >>> from jaxlr import multi_step, schedules
      >>> many = multi_step(0.1, list(range(1, 2001)), 0.5)
      >>> len(repr(many)), schedules.parse(whole(many)).to_dict() == many.to_dict()
      (75, True)
    """
    before = leaves.MOST_PRINTED.set(math.inf)
    try:
        return repr(schedule)
    finally:
        leaves.MOST_PRINTED.reset(before)


def changed(family: Family, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that differ from their defaults."""
    defaults = {name: parameter.default for name, parameter in family.parameters.items()}
    nothing = inspect.Parameter.empty
    return {name: value for name, value in arguments.items() if not _equals(value, defaults.get(name, nothing))}


def to_data(value: Any) -> Any:
    """An argument as JSON-able data; a function stands as its own name."""
    if _is_schedule(value):
        return value.to_dict()
    if isinstance(value, list | tuple):
        return [to_data(item) for item in value]
    if callable(value):
        return {"function": value.__name__}
    if value is None or is_static(value):
        return value
    if not leaves.is_known(value):
        raise TypeError("a schedule with traced numbers has no values to write down")
    return leaves.plain(value)


def from_data(data: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:
    """The schedule that `to_data` described; functions are given, never imported by name."""
    if not isinstance(data, Mapping) or set(data) == {"function"}:
        raise ValueError(f"data must be a mapping such as to_dict() returns, got {reprlib.repr(data)}")
    return _from_data(data, functions, "data", DEEPEST)


def _from_data(data: Any, functions: Mapping[str, Callable[..., Any]], place: str, deeper: int) -> Any:
    if not isinstance(data, list | Mapping):
        return data
    if not deeper:
        raise ValueError(f"data must be nested at most {DEEPEST} deep, got more at {place[:60]}...")
    if isinstance(data, list):
        return [_from_data(item, functions, f"{place}[{i}]", deeper - 1) for i, item in enumerate(data)]
    if set(data) == {"function"}:
        name = data["function"]
        if not isinstance(name, str) or name not in functions:
            raise ValueError(f"functions must hold the function {name!r} of {place}, got {sorted(functions)}")
        return functions[name]
    name, arguments = data.get("family"), data.get("arguments")
    if not isinstance(name, str) or name not in RECORDS:
        raise ValueError(f"family must be the name of a schedule, got {reprlib.repr(name)} at {place}")
    if not isinstance(arguments, Mapping) or not all(isinstance(key, str) for key in arguments):
        raise ValueError(
            f"arguments of {name} must be a mapping of names to values, got {reprlib.repr(arguments)} at {place}"
        )
    made = {n: _from_data(v, functions, f"{place}.arguments.{n}", deeper - 1) for n, v in arguments.items()}
    try:
        return make(name, made)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{place}: {error}") from None


def make(name: str, arguments: Mapping[str, Any]) -> Any:
    """Calls the factory of this name with arguments by name, also where it takes one by position only."""
    signature = inspect.signature(RECORDS[name].make)
    positional = [p for p, kind in signature.parameters.items() if kind.kind is kind.POSITIONAL_ONLY]
    missing = [p for p in positional if p not in arguments]
    if missing:
        raise TypeError(f"{name}: missing a required argument: {missing[0]!r}")
    keywords = {key: value for key, value in arguments.items() if key not in positional}
    try:
        bound = signature.bind(*(arguments[p] for p in positional), **keywords)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    return RECORDS[name].make(*bound.args, **bound.kwargs)


def _is_schedule(value: Any) -> bool:
    return hasattr(value, "formula_at")


def _equals(value: Any, default: Any) -> bool:
    if default is inspect.Parameter.empty:
        return False
    if value is None or is_static(value):
        return value is default or value == default
    if _is_schedule(value) or not leaves.is_known(value) or np.ndim(jax.tree.leaves(value)[0]):
        return False
    return default is not None and leaves.plain(value) == default


def _printed(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_printed, value))}]"
    if _is_schedule(value):
        return repr(value)
    if callable(value):
        return value.__name__
    return repr(value) if value is None or is_static(value) else leaves.printed(value)
