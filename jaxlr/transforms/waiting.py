"""Standing still until an update is due, in any nesting.

`accumulate` runs the optimizer on every micro-step and keeps what it makes only where an update is due. It chooses from
outside, leaf by leaf, so whatever stands between, and whoever wrote it, is right. What it chooses that way is copied; a
link that chooses between its new and its old moments first, and computes its update from the chosen ones, lets XLA
write them in place. So the links of jaxlr ask `due_now()`, choose, and say so with `settled`: what they settled is not
chosen again. Nothing of this travels through `update`, and a link that is not asked in time (one compiled on its own,
one in a branch of `lax.cond`) settles nothing and is chosen from outside like any other.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from jaxlr.transforms.describing import telling
from jaxlr.transforms.trees import stored_like
from jaxlr.typing import PyTree

try:
    from jax.extend.core import get_opaque_trace_state
except ImportError:  # before jax 0.10, as in the oldest cell of tests/programs/matrix.py
    from jax.core import get_opaque_trace_state

_State = TypeVar("_State")

# What the states that stand still by themselves record of their hyperparameters, by class.
RECORDS: dict[type[Any], tuple[str, ...]] = {}
# Those whose count corrects moments that start at 0, by class.
CORRECTED: set[type[Any]] = set()


@dataclasses.dataclass(frozen=True)
class Window:
    """One micro-step of one `accumulate`, while its optimizer is run."""

    due: jax.Array  # bool, (): whether this micro-step makes an update
    _trace: Any = dataclasses.field(default_factory=get_opaque_trace_state)
    # By the new leaf's identity: the new leaf and the old one it was chosen against, held so that no identity returns.
    _pairs: dict[int, tuple[Any, Any]] = dataclasses.field(default_factory=dict)

    @property
    def is_here(self) -> bool:
        """Whether the program being traced is the one in which `due` was computed: else it can't be asked."""
        return get_opaque_trace_state() == self._trace

    def note(self, new: PyTree, old: PyTree) -> None:
        """Remembers that these leaves were chosen against those."""
        leaves, before = jax.tree.leaves(new), jax.tree.leaves(old)
        self._pairs.update({id(leaf): (leaf, other) for leaf, other in zip(leaves, before, strict=True)})

    def settle(self, new: _State, old: _State) -> _State:
        """`new` where an update is due, else `old`; a leaf that was settled against the same old one stays."""

        def choose(leaf: Any, before: Any) -> Any:
            if leaf is before or self._pairs.get(id(leaf), (None, None))[1] is before:
                return leaf
            return jnp.where(self.due, leaf, before)

        return jax.tree.map(choose, stored_like(new, old), old)


_window: contextvars.ContextVar[Window | None] = contextvars.ContextVar("window", default=None)


@contextlib.contextmanager
def micro_step(due: jax.Array) -> Iterator[Window]:
    """While a wrapped optimizer is run: `due` for the links that ask."""
    window = Window(due)
    token = _window.set(window)
    try:
        yield window
    finally:
        _window.reset(token)


def due_now() -> Any:
    """Whether an update is due: True outside `accumulate`, and wherever its micro-step can't be asked."""
    window = _window.get()
    return window.due if window is not None and window.is_here else True


def where_due(new: PyTree, old: PyTree) -> PyTree:
    """`new` where an update is due, else `old`."""
    due = due_now()
    if due is True:
        return new
    return jax.tree.map(lambda n, o: jnp.where(due, n, jnp.asarray(o).astype(n.dtype)), new, old)


def settled(new: _State, old: _State) -> _State:
    """`new`, every leaf of which has been chosen against its like in `old` by `where_due`."""
    window = _window.get()
    if window is not None and window.is_here:
        window.note(new, old)
    return new


def link_state(
    *records: str, corrected: bool = False, quiet: tuple[str, ...] = ()
) -> Callable[[type[_State]], type[_State]]:
    """Marks the state of a link: it holds no other states, and records these of its fields.

    `corrected`: the count tells how far the moments have come from 0, so a parameter that has none cannot join later.
    `quiet`: fields that it does not print.
    The class is a NamedTuple whose first field is `count`; the records follow, then the moments.
    """

    def mark(state: type[_State]) -> type[_State]:
        RECORDS[state] = records
        CORRECTED.update({state} if corrected else ())
        return telling(*quiet)(state)

    return mark
