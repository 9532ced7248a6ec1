"""Loops inside a compiled program: many updates in a row, and the mean over the batches of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax

__all__ = ["mean_over", "while_finite"]

Carried = TypeVar("Carried")
Columns = TypeVar("Columns")
Shown = TypeVar("Shown")


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


def mean_over(
    function: Callable[[Carried, Columns], tuple[Carried, Shown]], carried: Carried, batches: Columns
) -> tuple[Carried, Shown]:
    """Goes through batches one after another, and takes the mean of what they show.

    Args:
      function: what goes on from batch to batch, a batch -> the same, what the batch shows: a tree of floats.
      carried: before the first batch.
      batches: a tree of arrays with a leading axis; a single one costs no loop.

    Returns:
      What has gone on after the last batch, and the mean.

    Example:
      >>> total, mean = mean_over(lambda total, batch: (total + batch, 2 * batch), jnp.float32(0), jnp.arange(4.0))
      >>> float(total), float(mean)
      (6.0, 3.0)
    """
    count = len(jax.tree.leaves(batches)[0])

    def of_first(carried, batches):
        return function(carried, jax.tree.map(lambda leaf: leaf[0], batches))

    if count == 1:
        return of_first(carried, batches)

    def add(carry, batch):
        carried, sums = carry
        carried, shown = function(carried, batch)
        return (carried, jax.tree.map(jnp.add, sums, shown)), None

    _, shapes = jax.eval_shape(of_first, carried, batches)
    zeros = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
    (carried, sums), _ = lax.scan(add, (carried, zeros), batches)
    return carried, jax.tree.map(lambda total: (total / count).astype(total.dtype), sums)
