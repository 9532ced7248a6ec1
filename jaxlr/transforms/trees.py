"""Arithmetic on trees of arrays: in float32 at least, the cast to a stored dtype last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer
from jax.sharding import NamedSharding, PartitionSpec, SingleDeviceSharding

PyTree = Any
State = TypeVar("State")


def widen(x: jax.typing.ArrayLike) -> jax.Array:
    """`x` in float32, or in its own dtype where that is wider."""
    x = jnp.asarray(x)
    return x.astype(_wide(x.dtype))


def widen_all(tree: PyTree) -> PyTree:
    """A tree with every leaf widened, for a state to begin with; zeros where only the shape of a leaf is known."""

    def leaf(x: Any) -> jax.Array:
        return jnp.zeros_like(x, dtype=_wide(x.dtype)) if isinstance(x, jax.ShapeDtypeStruct) else widen(x)

    return jax.tree.map(leaf, tree)


def is_wide(tree: PyTree) -> bool:
    """Whether every leaf is in float32 or wider."""
    return all(_wide(jnp.result_type(leaf)) == jnp.result_type(leaf) for leaf in jax.tree.leaves(tree))


def gradients_of(updates: PyTree, *moments: PyTree) -> PyTree:
    """The updates widened; an error names the one that is no array of numbers, or is None where there are moments."""
    gaps: list[Any] = []

    def leaf(path: Any, update: Any) -> jax.Array | None:
        if update is None:
            return gaps.append(path)
        if getattr(update, "dtype", None) == jax.dtypes.float0:
            raise TypeError(
                f"the gradient of {jax.tree_util.keystr(path)} is float0, so its parameter holds integers: leave it "
                "out with None (equinox), optax.masked or ParameterGroups(frozen=...)"
            )
        return widen(update)

    wide = jax.tree_util.tree_map_with_path(leaf, updates, is_leaf=_is_none)
    if gaps:
        held = [path for path, _ in jax.tree_util.tree_leaves_with_path(moments, is_leaf=is_masked)]
        known = {path[1:end] for path in held for end in range(1, len(path) + 1)}  # the first says which moments
        for path in filter(known.__contains__, gaps):
            raise TypeError(
                f"the gradient of {jax.tree_util.keystr(path)} is None, and the optimizer was initialized with its "
                "parameter: give zeros where the loss does not use it, freeze it with ParameterGroups(frozen=...), or "
                "put None in its place for init too (equinox.filter)"
            )
    return wide


def like_updates(params: PyTree, updates: PyTree) -> PyTree:
    """The parameters, None where an update is None: there they may be anything, such as an activation function."""
    if params is None or not any(update is None for update in jax.tree.leaves(updates, is_leaf=_is_none)):
        return params
    return jax.tree.map(lambda u, p: None if u is None else p, updates, params, is_leaf=_is_none)


def stored_like(tree: State, like: State) -> State:
    """A state with the dtypes of another: a state's dtypes never change, whatever an update computes in."""

    def leaf(new: Any, old: Any) -> Any:
        dtype = jnp.result_type(old)
        return new if new is old or jnp.result_type(new) == dtype else jnp.asarray(new).astype(dtype)

    return jax.tree.map(leaf, tree, like)


def like(leaf: jax.Array, value: Any) -> jax.Array:
    """`value` with the dtype, shape and place of a scalar of a state; no transfer but the one that is asked for."""
    if isinstance(leaf, Tracer) or isinstance(value, Tracer):
        return jnp.broadcast_to(jnp.asarray(value, leaf.dtype), leaf.shape)
    known = np.broadcast_to(np.asarray(jax.device_get(value), leaf.dtype), leaf.shape)
    return jax.device_put(known, leaf.sharding if leaf.committed else None)


def map_wide(function: Callable[..., jax.Array], updates: PyTree, *others: PyTree) -> PyTree:
    """Maps `function` over widened leaves; each result has the dtype of its leaf of `updates`."""
    return cast_like(jax.tree.map(function, gradients_of(updates), *map(widen_all, others)), updates)


def cast_like(tree: PyTree, like: PyTree) -> PyTree:
    """`tree` with the dtypes of `like`."""
    return jax.tree.map(lambda leaf, example: leaf.astype(jnp.result_type(example)), tree, like)


def moments_like(params: PyTree, dtype: Any = None, *, fill: jax.typing.ArrayLike = 0.0, real: bool = False) -> PyTree:
    """Arrays shaped and sharded as the parameters, in `dtype` or else in float32 (wider where the parameters are)."""

    def leaf(param: Any) -> jax.Array:
        wide = _wide(jnp.result_type(param))
        own = jnp.finfo(wide).dtype if real else wide
        return jnp.full_like(param, fill, dtype=own if dtype is None else dtype)

    return jax.tree.map(leaf, params)


def increment(count: jax.Array) -> jax.Array:
    """`count + 1`, or `count` at the largest number of its dtype."""
    return jnp.asarray(optax.safe_increment(count))


def place_like(params: PyTree, state: State) -> State:
    """The state with its scalars on the devices of the parameters.

    A jitted step returns them there. Were they elsewhere before the first step, the second would be compiled again.
    """
    arrays = [leaf for leaf in jax.tree.leaves(params) if isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer)]
    placed = next((leaf.sharding for leaf in arrays if leaf.committed), None)
    if isinstance(placed, NamedSharding):
        placed = NamedSharding(placed.mesh, PartitionSpec())
    elif not isinstance(placed, SingleDeviceSharding):
        return state
    return jax.tree.map(lambda leaf: leaf if jnp.ndim(leaf) else jax.device_put(leaf, placed), state)


def _wide(dtype: Any) -> Any:
    with jax.numpy_dtype_promotion("standard"):  # asked for here, so "strict" has nothing to object to
        return jnp.promote_types(dtype, jnp.float32)


def is_masked(node: Any) -> bool:
    """Whether this is what `optax.masked` puts in a parameter's place."""
    return isinstance(node, optax.MaskedNode)


def _is_none(leaf: Any) -> bool:
    return leaf is None


@jax.custom_jvp
def root(x: jax.Array) -> jax.Array:
    """The square root, whose derivative at 0 is 0: a gradient of 0 must not make that of a whole training NaN."""
    return jnp.sqrt(x)


@root.defjvp
def _root_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (tangent,) = primals, tangents
    y = root(x)
    return y, jnp.where(x == 0, jnp.zeros_like(y), tangent / (2.0 * jnp.where(x == 0, jnp.ones_like(y), y)))


def absolute_square(x: jax.Array) -> jax.Array:
    """|x|^2, real also for complex numbers."""
    return jnp.real(x * jnp.conj(x))


def update_moment(mean: PyTree, samples: PyTree, weight: jax.Array) -> PyTree:
    """The running mean moved by `weight` of the way to the samples: `mean + weight (samples - mean)`.

    In this form the weight is the host's `1 - b`; as `b mean + (1 - b) samples`, a b of 0.999999 would be rounded by 3%
    of its distance from 1.
    """
    return jax.tree.map(lambda m, s: widen(m) + weight * (s - widen(m)), mean, samples)


def is_function(x: Any) -> bool:
    """Whether this is there to be called; a model that can be called, and so a tree made like it, is a tree."""
    return callable(x) and (isinstance(x, jax.tree_util.Partial) or jax.tree_util.all_leaves([x]))
