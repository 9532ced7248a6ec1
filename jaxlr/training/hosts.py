"""Several processes that make one run: who they are, and what they must agree on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

__all__ = ["any_host", "first_host", "is_first", "largest"]


def is_first() -> bool:
    """Whether this process writes the run's files and speaks for it."""
    return jax.process_index() == 0


def largest(value: float) -> float:
    """The largest of the hosts' values; all hosts must ask."""
    if jax.process_count() == 1:
        return value
    return float(multihost_utils.process_allgather(np.float32(value)).max())


def any_host(flag: bool) -> bool:
    """Whether a flag is set on any host; all hosts must ask."""
    return bool(largest(float(flag)))


def first_host(function: Callable[[], Any]) -> Any:
    """Calls a function on the first host alone and gives its result to all; all hosts must ask.

    Args:
      function: returns what JSON can hold.

    Raises:
      ValueError: the function raised it; every host does then.
    """
    if jax.process_count() == 1:
        return function()
    outcome: list[Any] = [None, None]
    if is_first():
        try:
            outcome[0] = function()
        except ValueError as error:
            outcome[1] = str(error)
    text = np.frombuffer(json.dumps(outcome).encode(), np.uint8)
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(text))))
    padded = np.resize(text, length) if is_first() else np.zeros(length, np.uint8)
    result, error = json.loads(np.asarray(multihost_utils.broadcast_one_to_all(padded), np.uint8).tobytes())
    if error is not None:
        raise ValueError(error)
    return result
