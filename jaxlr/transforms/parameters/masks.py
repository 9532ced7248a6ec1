"""Which parameters a transformation acts on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxlr.transforms.parameters import paths
from jaxlr.transforms.trees import is_function, is_masked

Mask = Any | Callable[[Any], Any] | None


def resolve(mask: Mask, params: Any) -> Any:
    """A tree of booleans shaped like `params`.

    Entries are matched by name, so a mask made from a dictionary fits the `nnx.State` of the same parameters. An entry
    may stand for a whole subtree.
    """
    if mask is None:
        return jax.tree.map(lambda _: True, params)
    entries = paths.leaves_by_names(mask(params) if is_function(mask) else mask)
    for names, entry in entries.items():
        if not isinstance(entry, bool | np.bool_):
            raise TypeError(f"mask must hold True or False, got {entry!r} at {paths.text(names)}")
    unused = set(entries) - _hidden(params)

    def decide(path: tuple[Any, ...], param: Any) -> bool:
        del param
        names = paths.names(path)
        for length in range(len(names), -1, -1):
            if names[:length] in entries:
                unused.discard(names[:length])
                return bool(entries[names[:length]])
        raise ValueError(f"mask has no entry for the parameter {paths.text(names)}")

    decided = jax.tree_util.tree_map_with_path(decide, params)
    if unused and jax.tree.leaves(params):
        raise ValueError(f"mask has an entry for {', '.join(map(paths.text, sorted(unused)))}, which is no parameter")
    return decided


def _hidden(params: Any) -> set[paths.Names]:
    """The names, and those of their subtrees, that a mask may have an entry for though they are left out here."""
    return {names[:length] for names in left_out(params) for length in range(len(names) + 1)}


def left_out(params: Any) -> set[paths.Names]:
    """The names of the parameters in whose place something stands that is none."""
    leaves = jax.tree_util.tree_leaves_with_path(params, is_leaf=_is_left_out)
    return {paths.names(path) for path, leaf in leaves if _is_left_out(leaf)}


def _is_left_out(node: Any) -> bool:
    """What `optax.masked` and `optax.partition` put in a parameter's place, and what equinox filters out."""
    return node is None or is_masked(node)


def both(*given: Mask) -> Mask:
    """The mask of what all of them choose."""
    known = [mask for mask in given if mask is not None]
    if len(known) < 2:
        return known[0] if known else None
    return lambda params: jax.tree.map(lambda *uses: all(uses), *(resolve(mask, params) for mask in known))
