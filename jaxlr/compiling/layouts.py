"""How many bytes an array takes on a device, which may lay it out in tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def parts_of(arguments: Any, names: Sequence[str], formats: Sequence[Any] | None = None) -> dict[str, int]:
    """The bytes a device of each part of a program's arguments, each leaf of which belongs to the part named with it.

    Example:
      >>> shape = lambda *sides: jax.ShapeDtypeStruct(sides, np.float32)
      >>> parts_of([shape(3, 5), shape(2), shape(7)], ["weights", "weights", "batch"])
      {'weights': 68, 'batch': 28}
    """
    parts: dict[str, int] = {}
    leaves = jax.tree.leaves(arguments)
    for leaf, name, form in zip(leaves, names, formats or [None] * len(leaves), strict=True):
        parts[name] = parts.get(name, 0) + bytes_of(leaf, form)
    return parts


def bytes_of(leaf: Any, form: Any = None) -> int:
    """The bytes of an array's part on one device, whose last sides are filled up to whole tiles.

    Example:
      >>> bytes_of(jax.ShapeDtypeStruct((3, 5), np.float32))
      60
    """
    if form is not None and form.layout is None:
        return 0  # no part of the program
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.eval_shape(jax.random.key_data, jax.ShapeDtypeStruct(leaf.shape, leaf.dtype))
    sharding = getattr(leaf, "sharding", None)
    shape = leaf.shape if sharding is None or len(leaf.shape) == 0 else sharding.shard_shape(leaf.shape)
    if form is not None and form.layout.tiling:
        shape = _filled(shape, form.layout.major_to_minor, form.layout.tiling[0])
    return math.prod(shape) * np.dtype(leaf.dtype).itemsize


def _filled(shape: tuple[int, ...], order: tuple[int, ...], tile: tuple[int, ...]) -> list[int]:
    """The sides from the outermost to the innermost, of which the last are multiples of the tile's."""
    sides = [1] * (len(tile) - len(shape)) + [shape[axis] for axis in order]
    outer = len(sides) - len(tile)
    return sides[:outer] + [-(-side // unit) * unit for side, unit in zip(sides[outer:], tile, strict=True)]
