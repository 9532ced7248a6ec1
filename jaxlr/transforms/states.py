"""Finding jaxlr's states inside whatever holds an optimizer state."""

from __future__ import annotations

import collections
import itertools
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.tree_util import DictKey, GetAttrKey, KeyEntry, keystr

State = TypeVar("State")


def find_states(x: Any, kind: type[State]) -> dict[str, State]:
    """Every state of one kind in an optimizer state, a Flax `TrainState` or an `nnx.Optimizer`, by label or path.

    The label is that of `optax.partition`. Where there is none, or several states share it, the path stands instead.
    """
    leaves = jax.tree_util.tree_leaves_with_path(opt_state_of(x), is_leaf=lambda node: isinstance(node, kind))
    found = [(path, node) for path, node in leaves if isinstance(node, kind)]
    uses = collections.Counter(_label(path) for path, _ in found)
    return {label if (label := _label(path)) and uses[label] == 1 else _path(path): node for path, node in found}


def opt_state_of(x: Any) -> Any:
    """The optimizer state in `x`: its attribute `opt_state` if there is one, else `x` itself."""
    return getattr(x, "opt_state", x)


def array(leaf: Any) -> jax.Array:
    """A leaf of a state as an array; `nnx.Optimizer` holds each in a variable of its own."""
    return jnp.asarray(leaf)


def _label(path: tuple[KeyEntry, ...]) -> str:
    return "/".join(
        str(key.key)
        for before, key in itertools.pairwise(path)
        if isinstance(before, GetAttrKey) and before.name == "inner_states" and isinstance(key, DictKey)
    )


def _path(path: tuple[KeyEntry, ...]) -> str:
    return keystr(path, simple=True, separator="/") or "."
