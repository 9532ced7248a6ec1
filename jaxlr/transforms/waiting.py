"""Links that stand still until an update is due, so that `accumulate` can run them on every micro-step.

A link that chooses between its new and its old moments first, and computes its update from the chosen ones, lets XLA
write the moments in place. Chosen from outside, afterwards, they are copied.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

PyTree = Any


def where_due(due: Any, new: PyTree, old: PyTree) -> PyTree:
    """`new` where an update is due, else `old`; `due` is True outside `accumulate`."""
    if due is True:
        return new
    return jax.tree.map(lambda n, o: jnp.where(due, n, jnp.asarray(o).astype(n.dtype)), new, old)


def where_due_outside(due: Any, new: PyTree, old: PyTree) -> PyTree:
    """The same for states of any links: those with the attribute `waits` have chosen already."""
    return jax.tree.map(lambda n, o: n if _waits(n) else where_due(due, n, o), new, old, is_leaf=_waits)


def _waits(node: Any) -> bool:
    return getattr(type(node), "waits", False)
