"""Variations of one schedule, written as `--vary max_lr "logspace(0.001, 1, 10)"`."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence

import numpy as np

from jaxlr.schedules import Schedule
from jaxlr.search.sweeps.numbers import full_name, numbers_of, with_number

_WORD = re.compile(r"\w+\([^()]*\)|[^\s,]+")
_RANGE = re.compile(r"(?P<kind>logspace|linspace)\((?P<arguments>[^()]*)\)")
_DIGITS = 4  # of the numbers in a range: what is found is written down, and more of them find nothing


def variations(
    schedule: Schedule, numbers: Sequence[tuple[str, str]], *, steps_per_epoch: float | None = None
) -> list[Schedule]:
    """The schedule with every combination of some numbers, set in their order, the last one fastest.

    Each is a name and its values as text, as for `values_of`.

    Example:
      >>> import jaxlr
      >>> variations(jaxlr.cosine(0.1, 100), [("init_value", "0.5 0.25"), ("decay_steps", "1ep")], steps_per_epoch=30)
      [cosine(init_value=0.5, decay_steps=30), cosine(init_value=0.25, decay_steps=30)]
    """
    names = [full_name(schedule, name) for name, _ in numbers]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is varied twice")
    columns = []
    for name, (_, text) in zip(names, numbers, strict=True):
        try:
            values = values_of(text, steps_per_epoch=steps_per_epoch)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        whole = isinstance(numbers_of(schedule)[name], int)
        columns.append(list(dict.fromkeys(_whole(name, value) if whole else value for value in values)))
    return [_with_all(schedule, names, values) for values in itertools.product(*columns)]


def values_of(text: str, *, steps_per_epoch: float | None = None) -> list[float]:
    """The numbers in a text, in its order.

    Args:
      text: numbers apart by spaces or commas, lengths in epochs (2ep), and ranges with both ends: `logspace(0.001, 1,
        10)` is 10 numbers from 0.001 to 1, each the same factor above the one before; `linspace(0.1, 0.5, 5)`
        likewise with the same difference. A range's numbers are rounded to 4 digits.
      steps_per_epoch: updates in an epoch.

    Example:
      >>> values_of("0.5 logspace(0.001, 1, 4)")
      [0.5, 0.001, 0.01, 0.1, 1.0]
      >>> values_of("logspace(-3, 0, 4)")
      Traceback (most recent call last):
      ValueError: 'logspace(-3, 0, 4)' must start and stop above 0, such as logspace(0.001, 1, 10)
    """
    values = [value for word in _WORD.findall(text) for value in _read(word, steps_per_epoch)]
    if not values:
        raise ValueError("give at least one value, such as 0.01 or logspace(0.001, 1, 10)")
    return values


def _read(word: str, steps_per_epoch: float | None) -> list[float]:
    if match := _RANGE.fullmatch(word):
        return _range(word, match["kind"], match["arguments"].split(","))
    if word.endswith("ep"):
        if steps_per_epoch is None:
            raise ValueError(f"{word} needs to know the updates in an epoch; write the length in updates")
        return [round(_number(word.removesuffix("ep"), word) * steps_per_epoch)]
    return [_number(word, word)]


def _range(word: str, kind: str, arguments: Sequence[str]) -> list[float]:
    if len(arguments) != 3:
        raise ValueError(f"{word!r} needs start, stop and how many, such as {kind}(0.001, 1, 10)")
    start, stop, count = (_number(argument.strip(), word) for argument in arguments)
    if count != int(count) or not 2 <= count <= 10_000:
        raise ValueError(f"{word!r} must have from 2 to 10000 numbers, got {arguments[2].strip()}")
    if kind == "logspace" and not (start > 0 and stop > 0):
        raise ValueError(f"{word!r} must start and stop above 0, such as logspace(0.001, 1, 10)")
    spaced = np.geomspace if kind == "logspace" else np.linspace
    return [float(f"{value:.{_DIGITS}g}") for value in spaced(start, stop, int(count))]


def _number(text: str, word: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(
            f"{word!r} has no meaning; write numbers, 2ep, logspace(0.001, 1, 10) or linspace(0.1, 0.5, 5)"
        )
    return value


def _whole(name: str, value: float) -> int:
    if abs(value - round(value)) > 1e-3 * abs(value):
        raise ValueError(f"{name} must be an integer, got {value!r}")
    return round(value)


def _with_all(schedule: Schedule, names: Sequence[str], values: Sequence[float]) -> Schedule:
    for name, value in zip(names, values, strict=True):
        schedule = with_number(schedule, name, value)
    return schedule
