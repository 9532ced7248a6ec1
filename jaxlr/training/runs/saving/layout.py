"""The arrays of a tree by name, and whether those that were kept are of the same kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from jaxlr.errors import CheckpointError
from jaxlr.transforms.records import numbers_in


def named_arrays(tree: Any) -> dict[str, Any]:
    """The arrays of a tree by their paths: what is kept knows no classes of ours.

    Example:
      >>> named_arrays({"w": [1.0, 2.0]})
      {'w.0': 1.0, 'w.1': 2.0}
    """
    leaves = jax.tree.leaves_with_path(numbers_in(tree))
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def layout_of(named: Mapping[str, Any]) -> dict[str, str]:
    """The kind of each array, as text.

    Example:
      >>> import numpy as np
      >>> layout_of({"w": np.zeros((2, 3), np.float32)})
      {'w': 'float32[2,3]'}
    """
    return {name: f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]" for name, leaf in named.items()}


def check_layout(what: str, saved: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Raises a CheckpointError that names the first array of another kind."""
    for name in [*wanted, *saved]:
        there, here = saved.get(name, "absent"), wanted.get(name, "absent")
        if there != here:
            raise CheckpointError(f"{what}: {name} is {there} there and {here} here")
