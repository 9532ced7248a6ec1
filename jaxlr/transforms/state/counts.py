"""The counts of an optimizer state: the updates made, for schedules, bias corrections and hyperparameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer
from jax.tree_util import DictKey, GetAttrKey, tree_map_with_path

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.state import search as states
from jaxlr.transforms.trees import like

__all__ = ["COUNTS", "set_update_count", "update_count"]

COUNTS = ("count", "gradient_step")  # of links, and of optax.MultiSteps
_INJECTED = "hyperparams_states"  # of `optax.inject_hyperparams`
_WINDOWS = frozenset({"micro_step", "mini_step"})  # where windows are counted
# Moments and means by the names that jaxlr's states and Optax' have for them.
_MOMENTS = frozenset(
    {"mu", "nu", "nu_max", "buffer", "total", "trace", "mean", "acc_grads", "largest", "sum_of_squares"}
)


def update_count(x: Any) -> jax.Array:
    """The updates that an optimizer has made; where it accumulates in an accumulation, those of the innermost.

    Args:
      x: as for `current_learning_rate`.

    Returns:
      int32, a scalar.

    Raises:
      ValueError: nothing counts updates in this state, or its counts differ; the message lists them.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> optimizer = jaxlr.adam(0.1)
      >>> _, state = optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)))
      >>> int(update_count(state))
      1
    """
    counts = counts_of(x)
    if not counts:
        raise ValueError("no updates are counted in this optimizer state: end the chain with scale_by_learning_rate")
    first = next(iter(counts.values()))
    known = not any(isinstance(count, Tracer) for count in counts.values())
    if known and any(int(count) != int(first) for count in counts.values()):
        listed = ", ".join(f"{name}: {int(count)}" for name, count in counts.items())
        raise ValueError(f"the counts of this state differ: {listed}; set_update_count sets them together")
    return jnp.array(first, jnp.int32)


def set_update_count(x: Any, count: Any, *, moments: Literal["keep", "zero"] = "keep") -> Any:
    """Sets every count of an optimizer state at once: of schedules, bias corrections and hyperparameters.

    What stands around an accumulation, such as another one, counts for itself, and goes on as it was.

    Args:
      x: as for `current_learning_rate`.
      count: updates made, at least 0, known or traced.
      moments: "keep", or "zero": all means and moments begin anew; with a count above 0 they are corrected as if they
        had gathered so long.

    Returns:
      The container that was given, as `set_learning_rate` gives it back.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range, or nothing counts updates.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> optimizer = jaxlr.sgd(jaxlr.linear(1.0, 0.0, 10))
      >>> state = set_update_count(optimizer.init(jnp.ones(1)), 5)
      >>> float(optimizer.update(jnp.ones(1), state)[0][0])
      -0.5
    """
    count = hyperparameters.integer("count", count, minimum=0)
    hyperparameters.choice("moments", moments, ("keep", "zero"))
    counted = set(counts_of(x))
    if not counted:
        raise ValueError("no updates are counted in this optimizer state: there is nothing to set")

    fields = _fields_of(x)

    def change(path: Any, leaf: Any) -> Any:
        if _text(path) in counted:
            return like(leaf, count)
        if moments == "zero" and not _MOMENTS.isdisjoint(fields(path)):
            return jnp.zeros_like(leaf)
        return leaf

    return states.with_opt_state(x, tree_map_with_path(change, states.as_arrays(states.opt_state_of(x))))


def counts_of(x: Any) -> dict[str, jax.Array]:
    """Every count by its path; those of the numbers that `optax.inject_hyperparams` schedules are among them."""
    leaves = jax.tree_util.tree_leaves_with_path(states.as_arrays(states.opt_state_of(x)))
    fields = _fields_of(x)
    counts = {path: leaf for path, leaf in leaves if _is_count(fields(path), leaf)}
    windows = [path[:-1] for path, _ in leaves if not _WINDOWS.isdisjoint(fields(path)[-1:])]
    # Numbers that are scheduled go by micro-steps, if there are.
    scheduled = {path[: fields(path).index(_INJECTED)] for path in counts if _INJECTED in fields(path)}

    def stands_around(path: Any) -> bool:
        own = path[:-1]
        return own not in scheduled and any(own == each[: len(own)] and own != each for each in windows)

    return {_text(path): leaf for path, leaf in counts.items() if not stands_around(path)}


def _text(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _is_count(fields: list[str], leaf: Any) -> bool:
    return bool(fields) and fields[-1] in COUNTS and _is_integer(leaf)


def _fields_of(x: Any) -> Callable[[Any], list[str]]:
    """The fields on a path, "" for what is none; no fields within a held schedule, whose lengths count no updates."""
    kind = DictKey if states.is_unnamed(states.opt_state_of(x)) else GetAttrKey

    def fields(path: Any) -> list[str]:
        names = [str(states.name_of(key)) if isinstance(key, kind) else "" for key in path]
        return [] if "held" in names else names

    return fields


def _is_integer(leaf: Any) -> bool:
    return not isinstance(leaf, optax.MaskedNode) and np.shape(leaf) == () and jnp.issubdtype(leaf.dtype, jnp.integer)
