"""One row for each public schedule, from which every promise is parametrized.

A row stands in the file of its shape, as the family does in the package: beside it its exact value, written from the
source in mpmath, and its draw. These files never import jaxlr. A test names what is missing. Whether a family is left
to `pytest -m ci` follows from where it stands: those under `jaxlr.schedules` alone are.
"""

import importlib
import pkgutil
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from draws import LAST, Dice
from rows import ROWS, Call

import jaxlr
from jaxlr.schedules import FAMILIES, Schedule
from jaxlr.schedules.family import RECORDS

for _shape in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_shape.name}")

# Every test uses counts of one shape, that of the draws, so that a family is compiled once for most of them.
SHAPE = 32
# The families; the other rows are operations of schedules.
CASES = {name: row for name, row in ROWS.items() if name in FAMILIES}
EXACT = {name: row.exact for name, row in ROWS.items()}


class Example(NamedTuple):
    """A schedule, its value as an exact number, and counts at which both are asked for."""

    schedule: Schedule
    exact: Callable[[int], Any]
    counts: list[int]


def examples_of(row):
    """The examples of a row by name."""
    return {name: _made(Call(row.name, of.arguments), of.counts) for name, of in row.examples.items()}


def _made(call, counts):
    counts = [0, 1, 2, 3, 1000, 10**7 + 1, LAST - 1, LAST, *counts]
    return Example(call.schedule(), call.exact, counts + [0] * (SHAPE - len(counts)))


def problems():
    """What is wrong with the rows: one line for each schedule without one, and for each row without a schedule."""
    for name in RECORDS.keys() - ROWS.keys():
        yield f"{name} has no row: add one to a file of tests/cases, with its exact value and its draw"
    for name in ROWS.keys() - RECORDS.keys():
        yield f"{name} has a row in tests/cases and is no schedule"


def dice_of(name, seed):
    """Dice of a family's own: its draws stay the same when another family is added."""
    return Dice((seed, zlib.crc32(name.encode())))


def marked(name):
    """The marks of a test of this family: the rare ones wait for `pytest -m ci`."""
    import pytest  # not before: the fuzz runs where it is not installed

    return pytest.mark.ci if name in CASES and not hasattr(jaxlr, name) else ()


def names(families):
    """The names as parameters."""
    import pytest

    return [pytest.param(name, id=name, marks=marked(name)) for name in families]
