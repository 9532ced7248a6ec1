"""What the tests know of a family: one row each, with its exact value and its draw; and calls of it as data."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

SMALLEST = float(np.finfo(np.float32).tiny)
RATES = {
    "value",
    "values",
    "init_value",
    "end_value",
    "base_lr",
    "max_lr",
    "peak_value",
    "min",
    "max",
    "factor",
    "left",
    "right",
}


@dataclasses.dataclass(frozen=True)
class Of:
    """An example by the arguments of the row's own family; further counts than the usual ones are its borders."""

    counts: tuple[int, ...]
    arguments: dict[str, Any]


def of(*counts, **arguments):
    return Of(counts, arguments)


@dataclasses.dataclass(frozen=True)
class Row:
    """What the tests need to know of a family, or of an operation of schedules."""

    # The value at a count in mpmath, from its definition alone, by the arguments of the factory; schedules among them
    # are functions of a count.
    exact: Callable[..., Any]
    # By dice: arguments of the factory, and counts where the curve changes.
    draw: Callable[[Any], tuple[dict[str, Any], list[int]]]
    # By the name of the test. An alias, whose promises are those of another family, has none.
    examples: dict[str, Of] = dataclasses.field(default_factory=dict)
    # Of each number the range that ten values of it are taken from; integers where it is a length.
    numbers: dict[str, tuple] = dataclasses.field(default_factory=dict)
    # The other arguments of a call; a list of numbers is one of them.
    others: dict[str, Any] = dataclasses.field(default_factory=dict)
    # Schedules in the middle of which a new horizon is given, 2000 in all, and which words of `keep` they take.
    retimed: list[tuple[str, dict[str, int]]] = dataclasses.field(default_factory=list)
    keeps: tuple[str, ...] = ("rate", "phase")
    # Why a family with a length has no end that could be moved.
    not_retimed: str = ""

    @property
    def name(self):
        return self.exact.__name__


ROWS: dict[str, Row] = {}


def row(exact, draw, **others):
    """Adds the row of a family, which is named as its exact value is."""
    ROWS[exact.__name__] = Row(exact, draw, **others)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Call:
    """A call of a factory as data: its name, and its arguments as Python numbers, words and further calls."""

    name: str = dataclasses.field(metadata={"static": True})
    arguments: dict[str, Any]

    def schedule(self):
        from jaxlr.schedules.family import RECORDS

        arguments = made(self.arguments)
        if "fn" in arguments:  # the one argument that a factory takes by position only
            return RECORDS[self.name].make(arguments.pop("fn"), **arguments)
        return RECORDS[self.name].make(**arguments)

    def exact(self, count):
        """The exact value at a count."""
        arguments = {name: _each(value, lambda call: call.exact) for name, value in self.arguments.items()}
        return ROWS[self.name].exact(count, **arguments)

    def bound(self):
        """How many ulps it may err: 1 for each schedule that is no composition, 1.5 for a function of the user."""
        inner = [call for value in self.arguments.values() for call in _calls(value)]
        return sum(call.bound() for call in inner) if inner else 1.5 if self.name == "custom" else 1.0

    def largest(self):
        """The largest rate in it: what an error is measured by where the curve crosses zero."""
        own = [abs(x) for name in RATES & set(self.arguments) for x in np.ravel(self.arguments[name]) if _is_number(x)]
        inner = [call.largest() for value in self.arguments.values() for call in _calls(value)]
        return math.prod(own + inner) if self.name == "product" else max(own + inner, default=1.0)

    def slack(self):
        """The error besides ulps.

        2**-30 of the largest number where terms cancel; 2**-45 where restarts of a fractional growth lie between
        counts, more for a growth next to 1; and what flushes to 0 inside of a composition.
        """
        own = [x for name in RATES & set(self.arguments) for x in np.ravel(self.arguments[name]) if _is_number(x)]
        inner = [call for value in self.arguments.values() for call in _calls(value)]
        slack = 2.0**-30 * self.largest() if self.name == "difference" or min(own, default=0) < 0 else 0.0
        if self.grows_by_a_fraction():
            growth = self.arguments["t_mul"]
            slack = max(slack, 2.0**-45 * self.largest() * max(1.0, growth) / abs(growth - 1))
        if self.name == "raised":  # a base that small counts as 0
            slack = max(slack, SMALLEST ** min(1.0, self.arguments["right"]))
        if self.name == "quotient":
            slack = max(slack, SMALLEST / abs(self.arguments["right"]))
        if inner:
            slack = max(slack, SMALLEST * max(1.0, self.largest()), *(call.slack() for call in inner))
        return slack

    def reach(self):
        """How much of the distance from 0 the places of a schedule inside may be off, where they lie between counts."""
        inner = [call.reach() for value in self.arguments.values() for call in _calls(value)]
        own = 0.0
        if self.name == "at_speed" and self.arguments["speed"] % 1:
            own = 2.0**-44
        if self.name == "with_restarts" and self.grows_by_a_fraction():
            own = self.reach_of_restarts()
        return max([own, *inner])

    def reach_of_restarts(self):
        """The same for its own restarts; for cycles that get shorter no more than what decides their starts."""
        growth = self.arguments["t_mul"]
        return 2.0**-44 * (growth / (growth - 1) if growth > 1 else 1.0)

    def grows_by_a_fraction(self):
        return self.name in ("cosine_restarts", "with_restarts") and self.arguments["t_mul"] % 1 > 0


def call(name, **arguments):
    return Call(name, arguments)


ANY = {"init_value": (0.1, 1.0), "base_lr": (0.0, 0.1), "max_lr": (0.5, 1.0), "end_value": (0.0, 0.05)}
LATER = {"begin": (0, 9), "begin_phase": (0.0, 0.9)}
SEVEN = call("cosine", init_value=1.0, decay_steps=7)
UNIT = "its length is a unit, not an end"
ENDLESS = "goes on for ever"


def made(arguments):
    """Arguments with schedules in the place of calls."""
    return {name: _each(value, Call.schedule) for name, value in arguments.items()}


def _each(value, make):
    if isinstance(value, Call):
        return make(value)
    return [_each(item, make) for item in value] if isinstance(value, list) else value


def _calls(value):
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, Call)]


def _is_number(value):
    return isinstance(value, int | float | np.floating)
