"""The counts of an optimizer state: the updates made, for schedules, bias corrections and hyperparameters."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.tree_util import DictKey, GetAttrKey, tree_map_with_path

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.state import search as states
from jaxlr.transforms.trees import like
from jaxlr.transforms.waiting import RECORDS

COUNTS = ("count", "gradient_step")  # of links, and of optax.MultiSteps
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
    known = {} if any(isinstance(count, Tracer) for count in counts.values()) else jax.device_get(counts)
    if len({int(count) for count in known.values()}) > 1:
        listed = ", ".join(f"{name}: {known[name]}" for name in counts)
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
    counted = {path for path, _ in _counts_in(x)}
    if not counted:
        raise ValueError("no updates are counted in this optimizer state: there is nothing to set")
    x = states.change_nodes(x, lambda path, _: path in counted, lambda _, node: _with_count(node, count))
    return x if moments == "keep" else _without_moments(x)


def counts_of(x: Any) -> dict[str, jax.Array]:
    """Every count by its path; those of the numbers that `optax.inject_hyperparams` schedules are among them."""
    found: dict[str, jax.Array] = {}
    for path, node in _counts_in(x):
        is_link = type(node) in RECORDS
        name = jax.tree_util.keystr((*path, GetAttrKey("count")) if is_link else path, simple=True, separator="/")
        found[name] = states.as_arrays(node.count if is_link else node)
    return found


def _with_count(node: Any, count: Any) -> Any:
    if type(node) in RECORDS:
        return node._replace(count=like(states.as_arrays(node.count), count))
    return like(states.as_arrays(node), count)


def _counts_in(x: Any) -> list[tuple[states.Path, Any]]:
    """The links of jaxlr, which begin with a count, and the counts elsewhere; not those around an accumulation."""
    kind = DictKey if states.is_unnamed(states.opt_state_of(x)) else GetAttrKey

    def field(key: Any) -> str:
        return str(states.name_of(key)) if isinstance(key, kind | GetAttrKey) else ""

    def wanted(path: Any, node: Any) -> bool:
        is_named = bool(path) and field(path[-1]) in (*COUNTS, *_WINDOWS)
        return type(node) in RECORDS or (is_named and _is_integer(states.as_arrays(node)))

    found = dict(states.find_nodes(x, wanted))
    place_of = {path: path if type(node) in RECORDS else path[:-1] for path, node in found.items()}
    windows = [path for path in found if place_of[path] != path and field(path[-1]) in _WINDOWS]

    def stands_around(place: Any) -> bool:
        return any(place == window[: len(place)] for window in windows if place != place_of[window])

    return [(path, node) for path, node in found.items() if path not in windows and not stands_around(place_of[path])]


def _without_moments(x: Any) -> Any:
    opt_state = states.as_arrays(states.opt_state_of(x))
    kind = DictKey if states.is_unnamed(opt_state) else GetAttrKey

    def zero(path: Any, leaf: Any) -> Any:
        names = [states.name_of(key) for key in path if isinstance(key, kind)]
        return leaf if "held" in names or _MOMENTS.isdisjoint(names) else jnp.zeros_like(leaf)

    with jax.transfer_guard_host_to_device("allow"):
        return states.with_opt_state(x, tree_map_with_path(zero, opt_state))


def _is_integer(leaf: Any) -> bool:
    return (
        isinstance(leaf, jax.Array | np.ndarray | np.generic)
        and np.shape(leaf) == ()
        and jnp.issubdtype(leaf.dtype, jnp.integer)
    )
