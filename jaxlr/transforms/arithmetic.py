"""Arithmetic on updates: in float32 at least, the cast to the updates' own dtype last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

PyTree = Any


def widen(x: jax.typing.ArrayLike) -> jax.Array:
    """`x` in float32, or in its own dtype where that is wider."""
    x = jnp.asarray(x)
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def map_wide(function: Callable[..., jax.Array], updates: PyTree, *others: PyTree) -> PyTree:
    """Maps `function` over widened leaves; each result has the dtype of its leaf of `updates`."""

    def on_leaves(update: Any, *rest: Any) -> jax.Array:
        return function(widen(update), *map(widen, rest)).astype(jnp.result_type(update))

    return jax.tree.map(on_leaves, updates, *others)
