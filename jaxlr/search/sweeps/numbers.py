"""The numbers of a schedule by name, those of schedules within it too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jaxlr.arguments import meant
from jaxlr.schedules import Schedule, leaves

_STEP = re.compile(r"[^.\[\]]+")


def numbers_of(schedule: Schedule) -> dict[str, int | float]:
    """Every number of a schedule by its name, as `max_lr`.

    Inside other schedules the names lead there: `schedule.max_lr`, `schedules[0].value`.

    Example:
      >>> import jaxlr
      >>> numbers_of(jaxlr.warmup(jaxlr.multi_step(0.1, [30, 60], 0.5), 5))
      {'schedule.init_value': 0.1, 'schedule.milestones[0]': 30, 'schedule.milestones[1]': 60,
       'schedule.decay_rate': 0.5, 'warmup_steps': 5, 'offset': 0}
    """
    return dict(_walk("", schedule))


def full_name(schedule: Schedule, name: str) -> str:
    """The whole name of a number, from it or from its last part where no other number ends so.

    Example:
      >>> import jaxlr
      >>> full_name(jaxlr.warmup(jaxlr.cosine(0.1, 100), 10), "init_value")
      'schedule.init_value'
    """
    names = list(numbers_of(schedule))
    found = [each for each in names if each == name] or [each for each in names if each.endswith(f".{name}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"{schedule.name} has several numbers {name!r}: {', '.join(found)}")
    raise ValueError(f"{schedule.name} has no number {name!r}{meant(name, names)}")


def with_number(schedule: Schedule, name: str, value: int | float) -> Schedule:
    """The same schedule with one number changed, checked as when it was made.

    Example:
      >>> import jaxlr
      >>> with_number(jaxlr.warmup(jaxlr.cosine(0.1, 100), 10), "init_value", 0.5)
      warmup(schedule=cosine(init_value=0.5, decay_steps=100), warmup_steps=10)
    """
    return _replaced(schedule, _STEP.findall(full_name(schedule, name)), value)


def _walk(name: str, value: Any) -> Iterator[tuple[str, int | float]]:
    if isinstance(value, Schedule):
        for argument, inner in value.arguments.items():
            yield from _walk(f"{name}.{argument}" if name else argument, inner)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _walk(f"{name}[{index}]", inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value
    elif leaves.is_leaf(value):
        yield from _walk(name, leaves.plain(value))


def _replaced(value: Any, steps: list[str], new: int | float) -> Any:
    if not steps:
        return new
    first, rest = steps[0], steps[1:]
    if isinstance(value, Schedule):
        return value.replace(**{first: _replaced(value.arguments[first], rest, new)})
    items = list(value) if isinstance(value, list | tuple) else leaves.plain(value)
    items[int(first)] = _replaced(items[int(first)], rest, new)
    return items
