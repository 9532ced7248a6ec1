"""Finding and changing jaxlr's states inside whatever holds an optimizer state."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.tree_util import DictKey, GetAttrKey, KeyEntry, keystr

State = TypeVar("State")


def find_states(x: Any, kind: type[State]) -> dict[str, State]:
    """Every state of one kind in an optimizer state, a Flax `TrainState` or an `nnx.Optimizer`, by label or path.

    The label is that of `optax.partition`. Where there is none, or several states share it, the path stands instead.
    """
    leaves = jax.tree_util.tree_leaves_with_path(_opt_state_of(x), is_leaf=lambda node: isinstance(node, kind))
    found = [(path, node) for path, node in leaves if isinstance(node, kind)]
    uses = collections.Counter(_label(path) for path, _ in found)
    return {label if (label := _label(path)) and uses[label] == 1 else _path(path): node for path, node in found}


def change_states(x: Any, kind: type[State], change: Callable[[State], State], *, group: str | None = None) -> Any:
    """The same container with `change` applied to its states of one kind, or to those of one label or path.

    An `nnx.Optimizer` holds its leaves in variables: those are written in place.
    """
    opt_state = _opt_state_of(x)
    written = []

    def on_node(path: tuple[KeyEntry, ...], node: Any) -> Any:
        if not isinstance(node, kind) or group not in (None, _label(path), _path(path)):
            return node
        changed = change(as_arrays(node))
        variables = jax.tree.leaves(node, is_leaf=_is_variable)
        if not any(map(_is_variable, variables)):
            return changed
        for variable, leaf in zip(variables, jax.tree.leaves(changed), strict=True):
            variable[...] = leaf
        written.append(node)
        return node

    new = jax.tree_util.tree_map_with_path(on_node, opt_state, is_leaf=lambda node: isinstance(node, kind))
    if written:
        return x
    return jax.tree.map(lambda node: new if node is opt_state else node, x, is_leaf=lambda node: node is opt_state)


def groups_of(x: Any, kind: type[Any]) -> set[str]:
    """The labels and paths by which `change_states` knows a state."""
    leaves = jax.tree_util.tree_leaves_with_path(_opt_state_of(x), is_leaf=lambda node: isinstance(node, kind))
    paths = [path for path, node in leaves if isinstance(node, kind)]
    return {name(path) for path in paths for name in (_label, _path)} - {""}


def _opt_state_of(x: Any) -> Any:
    return getattr(x, "opt_state", x)


def as_arrays(state: State) -> State:
    """A state, or one field of it, with plain arrays where an `nnx.Optimizer` holds variables."""
    return jax.tree.map(jnp.asarray, state, is_leaf=_is_variable)


def _is_variable(node: Any) -> bool:
    """Whether `node` is a variable of `flax.nnx`, told without importing it."""
    return hasattr(node, "__jax_array__") and hasattr(type(node), "value")


def _label(path: tuple[KeyEntry, ...]) -> str:
    return "/".join(
        str(key.key)
        for before, key in itertools.pairwise(path)
        if isinstance(before, GetAttrKey) and before.name == "inner_states" and isinstance(key, DictKey)
    )


def _path(path: tuple[KeyEntry, ...]) -> str:
    return keystr(path, simple=True, separator="/") or "."
