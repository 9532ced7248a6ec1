"""A hyperparameter as a state records it: a node of its own, so that a number written in its place is told from it."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxlr.transforms.describing import STATES, told
from jaxlr.transforms.exporting import exportable
from jaxlr.typing import PyTree


@exportable
class Record(NamedTuple):
    """A number that the optimizer was given, which changes nothing where it stands.

    `state_dict` and the trainer's checkpoints keep it as the number that it is.
    """

    recorded: jax.Array  # float32, (): in the last update; before the first, in that one

    def __repr__(self) -> str:
        return repr(told(self.recorded))

    def __float__(self) -> float:
        return float(self.recorded)


STATES.append(Record)


def as_records(numbers: PyTree) -> PyTree:
    """Every number of a tree as a record."""
    return jax.tree.map(Record, numbers)


def numbers_in(records: PyTree) -> PyTree:
    """The tree with the numbers in place of the records; a number of before there were any stays."""
    return jax.tree.map(lambda each: each.recorded if is_record(each) else each, records, is_leaf=is_record)


def is_record(node: Any) -> bool:
    """Whether this node is a record."""
    return isinstance(node, Record)
