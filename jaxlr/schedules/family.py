"""What is known of a family of schedules: one record, made where the formula stands, which everybody else asks."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeAlias, TypeVar

from jaxlr.numerics.wide import Wide
from jaxlr.schedules.outline import UNKNOWN, Outline
from jaxlr.schedules.position import Position

_Factory = TypeVar("_Factory", bound=Callable[..., Any])


class Cycle(NamedTuple):
    """A count's place in a cycle."""

    updates: int  # of the cycle that are done; 0 where a cycle has just ended
    length: int  # of the cycle, in updates


# A number of updates, said by the name of an argument or computed from all arguments, which are plain Python numbers.
Fact: TypeAlias = "str | Callable[[SimpleNamespace], int | None]"
# The count at which a curve ends, uint32, and where each of its phases starts and the last one ends.
Borders: TypeAlias = tuple[Any, list[Wide]]
# Where all schedules within stand, or each of those that follow one another: None where it is over.
Places: TypeAlias = "Position | list[Position | None]"


@dataclasses.dataclass(frozen=True)
class Family:
    """A family of schedules; `family` makes it."""

    name: str  # of the factory; the formula is the function `_name` beside it
    make: Callable[..., Any]
    end: Fact | None = None  # the count from which the rate holds, where the family has a horizon
    span: Fact | None = None  # as many updates as show the whole of it; `end`, or what its schedules need, or 1,000
    cycle: Callable[[SimpleNamespace, int], Cycle | None] | None = None  # where a count lies in its cycle
    scales: tuple[str, ...] = ()  # the rates that grow with the distance from the last one
    towards: str | None = None  # the last rate; None where the whole curve is in proportion to `scales`
    borders: Callable[[SimpleNamespace], Borders] | None = None  # for `retime`, from what a formula computes with
    inner: Callable[[SimpleNamespace, Position], Places] | None = None  # where its schedules stand, likewise
    milestones: str | None = None  # the counts at which it changes, of which those to come may be moved
    lengths: tuple[str, ...] = ()  # of parts that `moved` makes longer or shorter
    moved: Callable[[Any, Any, Position], Any] | None = None  # the new schedule, whose rate goes on from the old one's
    steady: bool = False  # it has one rate, from which any curve may go on
    # What is known of the rates, from the numbers as the host has them and the outlines of its schedules.
    outline: Callable[[SimpleNamespace], Outline] = lambda a: UNKNOWN
    infix: str | None = None  # an operator: printed and written between its two operands
    method: bool = False  # printed and written as a method of its schedule
    repeats_itself: bool = False  # what is left of the curve is the curve again, from a lower rate

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The factory's parameters by name."""
        return inspect.signature(self.make).parameters

    @property
    def formula(self) -> Callable[..., Wide]:
        """The formula, found by its name beside the factory."""
        return getattr(sys.modules[self.make.__module__], f"_{self.name}")


RECORDS: dict[str, Family] = {}  # by name; operations of schedules are among them
FAMILIES: dict[str, Callable[..., Any]] = {}  # the factories that are called by their names


def family(**facts: Any) -> Callable[[_Factory], _Factory]:
    """Registers a factory under its name with what is known of its schedules.

    With this, the family is printed, parsed, replaced, written down, drawn, retimed and noted at the end of a run.

    Args:
      **facts: the fields of `Family` that say something.

    Example:
      >>> RECORDS["cosine"].scales, RECORDS["cosine"].towards
      (('init_value',), 'end_value')
    """

    def register(make: _Factory) -> _Factory:
        record = Family(make.__name__, make, **facts)
        RECORDS[record.name] = record
        if record.infix is None and not record.method:
            FAMILIES[record.name] = make
        return make

    return register


def fact(wanted: Fact | None, arguments: SimpleNamespace) -> int | None:
    """What a fact says of these arguments."""
    if wanted is None:
        return None
    return getattr(arguments, wanted) if isinstance(wanted, str) else wanted(arguments)
