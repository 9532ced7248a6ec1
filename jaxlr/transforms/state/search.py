"""Finding and changing states inside whatever holds an optimizer state."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.tree_util import DictKey, GetAttrKey, keystr

from jaxlr.transforms.groups.paths import Path

State = TypeVar("State")


def find_states(x: Any, kind: type[State] | tuple[type[State], ...]) -> dict[str, State]:
    """Every state of one kind in an optimizer state, a Flax `TrainState` or an `nnx.Optimizer`, by label or path.

    The label is that of `optax.partition`. Where there is none, or several states share it, the path stands instead.
    """
    found = _found(x, kind)
    uses = collections.Counter(label_of(path) for path, _ in found)
    return {label if (label := label_of(path)) and uses[label] == 1 else _text(path): node for path, node in found}


def change_states(x: Any, kind: type[State], change: Callable[[State], State], *, group: str | None = None) -> Any:
    """The same container with `change` applied to its states of one kind, or to those of one label or path."""

    def on_node(path: Path, node: Any) -> Any:
        chosen = isinstance(node, kind) and group in (None, label_of(path), _text(path))
        return change(node) if chosen else node

    old = as_arrays(opt_state_of(x))
    new = jax.tree_util.tree_map_with_path(on_node, old, is_leaf=lambda node: isinstance(node, kind))
    return with_opt_state(x, new)


def groups_of(x: Any, kind: type[Any]) -> set[str]:
    """The labels and paths by which `change_states` knows the states of one kind."""
    return {name(path) for path, _ in _found(x, kind) for name in (label_of, _text)} - {""}


def opt_state_of(x: Any) -> Any:
    """The optimizer state in a container, or `x` itself if it has none."""
    return getattr(x, "opt_state", x)


def with_opt_state(x: Any, new: Any) -> Any:
    """The container with another optimizer state of the same structure.

    An `nnx.Optimizer` holds its leaves in variables: those that change are written in place.
    """
    old = opt_state_of(x)
    holders = jax.tree.leaves(old, is_leaf=_is_variable)
    if not any(map(_is_variable, holders)):
        return jax.tree.map(lambda node: new if node is old else node, x, is_leaf=lambda node: node is old)
    for holder, leaf in zip(holders, jax.tree.leaves(new), strict=True):
        if jnp.asarray(holder) is not leaf:
            holder[...] = leaf
    return x


def as_arrays(tree: Any) -> Any:
    """A state, or a part of one, with plain arrays where an `nnx.Optimizer` holds variables."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if _is_variable(leaf) else leaf, tree, is_leaf=_is_variable)


def label_of(path: Path) -> str:
    """The labels of `optax.partition` on a path."""
    return "/".join(
        str(key.key)
        for before, key in itertools.pairwise(path)
        if isinstance(before, GetAttrKey) and before.name == "inner_states" and isinstance(key, DictKey)
    )


def _found(x: Any, kind: type[State] | tuple[type[State], ...]) -> list[tuple[Path, State]]:
    leaves = jax.tree_util.tree_leaves_with_path(opt_state_of(x), is_leaf=lambda node: isinstance(node, kind))
    return [(path, node) for path, node in leaves if isinstance(node, kind)]


def _is_variable(node: Any) -> bool:
    """Whether `node` is a variable of `flax.nnx`, told without importing it."""
    return hasattr(node, "__jax_array__") and hasattr(type(node), "value")


def _text(path: Path) -> str:
    return keystr(path, simple=True, separator="/") or "."
