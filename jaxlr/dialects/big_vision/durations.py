"""Durations as big_vision's configurations say them: in updates, examples, epochs or as a share of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates

UNITS = ("steps", "examples", "epochs", "percent")


class Durations:
    """The durations among the arguments of a run, in updates.

    Args:
      arguments: keyword -> value; one that is below 0 or None counts as left out.
      total_steps: updates of the run.
      batch_size: examples in an update, or None.
      data_size: examples in an epoch, or None.
    """

    def __init__(self, arguments: Mapping[str, Any], total_steps: Updates, batch_size: Any, data_size: Any):
        self._arguments, self._total = arguments, total_steps
        self._sizes = {"batch_size": batch_size, "data_size": data_size}

    def updates(self, prefix: str, default: Any = 0) -> Updates:
        """A duration in updates: rounded to the nearest, and at least 1 but for 0 itself.

        Raises:
          ValueError: it is said in two units, a size that its unit needs is missing, or it is out of range.
        """
        names = [f"{prefix}_{unit}" for unit in UNITS if _there(self._arguments.get(f"{prefix}_{unit}"))]
        if len(names) > 1:
            raise ValueError(f"{names[0]} and {names[1]} must not both be given")
        if not names:
            return common.length(prefix, default)
        (name,) = names
        value, unit = self._arguments[name], name.rpartition("_")[2]
        if unit == "steps":
            return common.length(name, value)
        number = common.number(name, value)
        if unit == "percent":
            if common.known(number) and number > 1:
                raise ValueError(f"{name} must be at most 1, got {number}")
            return _whole(number * self._total)
        examples = number if unit == "examples" else number * (self._size("data_size", name) / self._batch(name))
        return _whole(examples / self._batch(name) if unit == "examples" else examples)

    def _batch(self, name: str) -> Number:
        return self._size("batch_size", name)

    def _size(self, size: str, name: str) -> Number:
        if self._sizes[size] is None:
            raise ValueError(f"{size} must be given for {name}")
        return common.positive(size, self._sizes[size])


def _there(value: Any) -> bool:
    return value is not None and not (common.known(value) and value < 0)


def _whole(updates: Number) -> Updates:
    """The nearest whole number of updates, 1 for less; 0 for none."""
    if isinstance(updates, jax.Array):
        return jnp.where(updates > 0, jnp.maximum(jnp.round(updates), 1), 0).astype(jnp.int32)
    return max(1, round(updates)) if updates else 0
