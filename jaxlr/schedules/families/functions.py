"""A schedule from any function, its numbers still data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlr.numerics.wide import Wide, from_float32
from jaxlr.schedules import leaves
from jaxlr.schedules.family import family
from jaxlr.schedules.position import Position
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Scalar


@family()
def custom(fn: Callable[..., Any], /, **numbers: Scalar) -> Schedule:
    """Any function of the count as a schedule (PyTorch's LambdaLR).

    lr(n) = fn(n, **numbers)

    Args:
      fn: takes the count, an int32 array of any shape, and the numbers, float32 or int32 arrays; returns an array of
        the count's shape. It is traced, so it chooses with `jnp.where`, not with `if`. Under `per_epoch` without
        staircase the count is a float32 number of epochs.
      **numbers: numbers or arrays that become leaves of the schedule: they can be traced, replaced and mapped over.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape). As exact as `fn` is.

    Raises:
      TypeError: `fn` is no function, or a number is none.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.custom(lambda n, scale: scale / (1 + n), scale=2.0)
      >>> [float(rate(n)) for n in (0, 1, 3)]
      [2.0, 1.0, 0.5]
    """
    arguments = {name: _leaf(name, value) for name, value in numbers.items()}
    return Schedule(_custom, fn=leaves.function("fn", fn), **arguments)


def _custom(position: Position, fn: Callable[..., Any], **numbers: Any) -> Wide:
    count = position.count()
    value = fn(count, **{name: n.nearest() if isinstance(n, Wide) else n for name, n in numbers.items()})
    return from_float32(jnp.asarray(value).astype(jnp.float32))


def _leaf(name: str, value: Any) -> Any:
    if isinstance(value, leaves.StoredLeaf | jax.Array) or np.ndim(value):
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return leaves.offset(name, value)
    return leaves.number(name, value)
