"""Links that stand still until an update is due, so that `accumulate` can run them on every micro-step.

A link that chooses between its new and its old moments first, and computes its update from the chosen ones, lets XLA
write the moments in place. Chosen from outside, afterwards, they are copied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from jaxlr.typing import PyTree

_State = TypeVar("_State")

# What the states that stand still by themselves record of their hyperparameters, by class.
RECORDS: dict[type[Any], tuple[str, ...]] = {}


def link_state(*records: str) -> Callable[[type[_State]], type[_State]]:
    """Marks the state of a link: it stands still by itself where no update is due, and records these of its fields.

    The class is a NamedTuple whose first field is `count`; the records follow, then the moments.
    """

    def mark(state: type[_State]) -> type[_State]:
        RECORDS[state] = records
        return state

    return mark


def where_due(due: Any, new: PyTree, old: PyTree) -> PyTree:
    """`new` where an update is due, else `old`; `due` is True outside `accumulate`."""
    if due is True:
        return new
    return jax.tree.map(lambda n, o: jnp.where(due, n, jnp.asarray(o).astype(n.dtype)), new, old)


def where_due_outside(due: Any, new: PyTree, old: PyTree) -> PyTree:
    """The same for states of any links: those that `link_state` marks have chosen already."""
    return jax.tree.map(lambda n, o: n if _waits(n) else where_due(due, n, o), new, old, is_leaf=_waits)


def _waits(node: Any) -> bool:
    return type(node) in RECORDS
