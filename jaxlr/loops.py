"""Many updates in a row inside one compiled program, which end where the loss is no longer finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax

__all__ = ["while_finite"]

Carried = TypeVar("Carried")
Columns = TypeVar("Columns")


def while_finite(
    update: Callable[[jax.Array, Carried], tuple[Carried, Columns, jax.Array]],
    state: Carried,
    columns: Columns,
    length: int | jax.Array,
    finite: bool | jax.Array = True,
) -> tuple[jax.Array, jax.Array, Carried, Columns]:
    """Makes `length` updates, or as many as it takes to one that is not finite.

    Args:
      update: the updates made before, int32, and the state -> the state, what this update shows, and whether to go on.
      state: before the first update.
      columns: a buffer for each number that an update shows, with room for `length` of them; () for none.
      length: int32, ().
      finite: whether to make the first update.

    Returns:
      How many updates were made, whether the last was finite, the state after it, and what each of them showed.

    Example:
      >>> halve = lambda place, value: (value / 2, value, value > 1.0)
      >>> count, finite, value, shown = while_finite(halve, jnp.float32(3), jnp.zeros(5), 5)
      >>> int(count), bool(finite), float(value), shown.tolist()
      (3, False, 0.375, [3.0, 1.5, 0.75, 0.0, 0.0])
    """

    def unfinished(carry):
        place, finite, _, _ = carry
        return (place < length) & finite

    def step(carry):
        place, _, state, columns = carry
        state, entry, finite = update(place, state)
        columns = jax.tree.map(lambda column, value: column.at[place].set(value), columns, entry)
        return place + 1, finite, state, columns

    return lax.while_loop(unfinished, step, (jnp.int32(0), jnp.bool_(finite), state, columns))
