"""A training's state as plain arrays, which a compiled program takes and a file keeps, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxlr.typing import PyTree


class PlainState:
    """How a state is written as arrays, random keys as their bits; every later one is like the one at first."""

    def __init__(self, state: PyTree):
        leaves, self._structure = jax.tree.flatten(state)
        self._keys = [jax.random.key_impl(leaf) if _is_key(leaf) else None for leaf in leaves]

    def plain(self, state: PyTree) -> list[Any]:
        """The arrays of a state, known or traced."""
        leaves = self._structure.flatten_up_to(state)
        return [
            jax.random.key_data(leaf) if key is not None else jnp.asarray(leaf)
            for leaf, key in zip(leaves, self._keys, strict=True)
        ]

    def state(self, arrays: Sequence[Any]) -> PyTree:
        """The state that such arrays are."""
        leaves = [
            jax.random.wrap_key_data(jnp.asarray(array), impl=key) if key is not None else array
            for array, key in zip(arrays, self._keys, strict=True)
        ]
        return jax.tree.unflatten(self._structure, leaves)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
