"""The counts of an optimizer state: the updates made, for schedules, bias corrections and hyperparameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.tree_util import DictKey, GetAttrKey, tree_map_with_path

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.state import walk as states
from jaxlr.transforms.trees import like
from jaxlr.transforms.waiting import RECORDS

COUNTS = ("count", "gradient_step")  # of links, and of optax.MultiSteps
_WINDOWS = frozenset({"micro_step", "mini_step"})  # where windows are counted
# What tells that updates were left out, of optax.apply_if_finite and guard; and optax.contrib.sam, which always does.
_LEFT_OUT = frozenset({"total_notfinite", "acted", "adv_state"})
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
      ValueError: nothing counts updates in this state, or its counts differ, or some were left out of an optimizer that
        counts none, inside of what counts them; the message lists them.

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
    listed = ", ".join(f"{name}: {known[name]}" for name in counts if known)
    if len({int(count) for count in known.values()}) > 1:
        raise ValueError(f"the counts of this state differ: {listed}; set_update_count sets them together")
    if left_out := [name for name, number in _left_out_of(x, first).items() if known and int(number) > 0]:
        raise ValueError(
            f"the counts of this state are not those of an optimizer that counts none: {listed}; {', '.join(left_out)} "
            "tells that updates were left out of it. Those of jaxlr count: give one of them in its place"
        )
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
    field = _fields_of(x)

    def wanted(path: Any, node: Any) -> bool:
        is_named = field(path) in (*COUNTS, *_WINDOWS)
        return type(node) in RECORDS or (is_named and _is_integer(states.as_arrays(node)))

    found = dict(states.find_nodes(x, wanted))
    windows = [path for path, node in found.items() if type(node) not in RECORDS and field(path) in _WINDOWS]

    def stands_around(place: Any) -> bool:
        return any(place == window[: len(place)] for window in windows if place != window[:-1])

    return [pair for pair in found.items() if pair[0] not in windows and not stands_around(_place(*pair))]


def _left_out_of(x: Any, count: Any) -> dict[str, Any]:
    """By path, the updates that were left out somewhere inside of a count, where no other count tells those made."""
    field = _fields_of(x)
    counted = [_place(*pair) for pair in _counts_in(x)]

    def is_around(place: Any, inner: Any) -> bool:
        return place == inner[: len(place)]

    def tells(place: Any, inner: Any) -> bool:
        """Whether a count is of the same updates: it is inside, or in the same chain."""
        n = next((n for n, (one, other) in enumerate(zip(place, inner, strict=False)) if one != other), len(inner))
        return not is_around(place, inner) and not (n < len(inner) and states.is_label(inner[:n]))

    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): count if field(path) == "adv_state" else node
        for path, node in states.find_nodes(x, lambda path, _: field(path) in _LEFT_OUT)
        if any(is_around(place, path[:-1]) for place in counted)
        and not any(tells(place, path[:-1]) for place in counted)
    }


def _place(path: Any, node: Any) -> Any:
    """The path of the state whose count this is."""
    return path if type(node) in RECORDS else path[:-1]


def _fields_of(x: Any) -> Callable[[Any], str]:
    """What gives the name of the field at the end of a path; "" for what is none."""
    kind = DictKey if states.is_unnamed(states.opt_state_of(x)) else GetAttrKey
    return lambda path: str(states.name_of(path[-1])) if path and isinstance(path[-1], kind | GetAttrKey) else ""


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
