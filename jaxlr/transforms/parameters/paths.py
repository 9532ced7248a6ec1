"""Parameters by the names on the way to them, the same for dictionaries, Flax modules and their states."""

from __future__ import annotations

from typing import Any

import jax
from jax.tree_util import GetAttrKey

Names = tuple[str, ...]
Path = tuple[Any, ...]  # of jax's entries, which have no type in common


def leaves_by_names(tree: Any) -> dict[Names, Any]:
    """Every leaf of a tree by the names on the way to it."""
    return {names(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def names(path: Path) -> Names:
    """A path's entries as text; a variable of `nnx` is named as the parameter in it."""
    entries = path[:-1] if path and path[-1] == GetAttrKey("value") else path
    return tuple(jax.tree_util.keystr((entry,), simple=True) for entry in entries)


def text(entries: Names) -> str:
    """The names as one word: `layer/kernel`."""
    return "/".join(entries) or "."
