"""Moments in two bytes or one, between updates: rounded at random, so that no small change is lost on average."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described, telling
from jaxlr.transforms.trees import increment, place_like
from jaxlr.transforms.waiting import due_now, settled, where_due
from jaxlr.typing import PyTree

_STEPS = 127.0  # of the fourth root of a number's share of its block's largest: they span eight decades


@telling()
class Rounded(NamedTuple):
    """An array in two bytes a number."""

    values: jax.Array  # bfloat16, shaped like the array


@telling()
class Blocks(NamedTuple):
    """An array in one byte a number: sign(c) (|c| / 127)^4 times the largest of its block."""

    codes: jax.Array  # int8, shaped like the array
    largest: jax.Array  # float32, (..., blocks): of `block` numbers on the last axis each


@telling()
class SmallStatesState(NamedTuple):
    """State of `small_states`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    inner_state: optax.OptState  # that of the wrapped optimizer, its large moments in small dtypes


@described
def small_states(
    optimizer: optax.GradientTransformation,
    dtype: Literal["bfloat16", "int8"] = "bfloat16",
    *,
    block: int = 128,
    least_size: int = 4096,
    seed: int = 0,
) -> optax.GradientTransformationExtraArgs:
    """Keeps the moments of an optimizer in two bytes or one a number; the update is computed in float32.

    stored = x rounded up or down at random, such that its mean is x

    With b2 = 0.999 a mean square moves by less than a step of bfloat16, and rounded to the nearest it stands still;
    rounded at random it moves as often as it should. "int8" keeps blocks: the largest of each in float32, and of each
    number the signed fourth root of its share in 255 steps, so that one below a 10^8-th of the largest is still known,
    and a mean square is never rounded down to 0. What is random comes from the count, the place and the seed: the same
    training gives the same bits. The rate, the counts and all that is not shaped like a large parameter stay as they
    are, so `current_learning_rate` and its neighbours work.

    Args:
      optimizer: of jaxlr or Optax, or any chain; not one that keeps its parameters' copies in float32, such as
        `with_master_weights`, which goes around this.
      dtype: "bfloat16" or "int8".
      block: numbers on the last axis that share a largest, for "int8".
      least_size: moments of smaller parameters stay as they are.
      seed: at least 0.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> params = {"w": jnp.ones((64, 128)), "b": jnp.ones(128)}
      >>> for optimizer in (jaxlr.adam(0.1), small_states(jaxlr.adam(0.1)), small_states(jaxlr.adam(0.1), "int8")):
      ...   print(f"{state_bytes(optimizer.init(params)) / (64 * 128 + 128):.2f} bytes a parameter")
      8.00 bytes a parameter
      4.07 bytes a parameter
      2.16 bytes a parameter

    References:
      Dettmers et al., 8-bit Optimizers via Block-wise Quantization, 2021, arXiv:2110.02861
      Gonzalez Ortiz et al., FlashOptim, 2026, arXiv:2602.23349 (companding)
      Gupta et al., Deep Learning with Limited Numerical Precision, 2015, arXiv:1502.02551 (stochastic rounding)
    """
    hyperparameters.choice("dtype", dtype, ("bfloat16", "int8"))
    block = hyperparameters.integer("block", block, minimum=1)
    least_size = hyperparameters.integer("least_size", least_size, minimum=0)
    seed = hyperparameters.integer("seed", seed, minimum=0)
    inner = optax.with_extra_args_support(optimizer)

    def pack(leaf: jax.Array, noise: jax.Array) -> Any:
        return _to_bfloat16(leaf, noise) if dtype == "bfloat16" else _to_blocks(leaf, noise, block)

    def init(params: optax.Params) -> SmallStatesState:
        state = inner.init(params)
        shapes = {np.shape(p) for p in jax.tree.leaves(params) if np.ndim(p) and np.size(p) >= least_size}
        packed = jax.tree.map(
            lambda leaf: pack(leaf, _noise(leaf.shape, 0)) if _is_moment(leaf, shapes) else leaf, state
        )
        return place_like(params, SmallStatesState(jnp.zeros([], jnp.int32), packed))

    def update(
        updates: optax.Updates, state: SmallStatesState, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, SmallStatesState]:
        nodes, tree = jax.tree.flatten(state.inner_state, is_leaf=_is_packed)
        old = jax.tree.unflatten(tree, [_unpacked(node, block) for node in nodes])
        steps, new = inner.update(updates, old, params, **extra)
        fresh = [
            pack(leaf, _noise(leaf.shape, _seed(seed, number, state.count))) if _is_packed(node) else leaf
            for number, (node, leaf) in enumerate(zip(nodes, tree.flatten_up_to(new), strict=True))
        ]
        after = SmallStatesState(increment(state.count), jax.tree.unflatten(tree, fresh))
        if due_now() is True:
            return steps, after
        return steps, settled(where_due(after, state), state)

    return optax.GradientTransformationExtraArgs(cast(Any, init), cast(Any, update))


def state_bytes(state: PyTree) -> int:
    """The bytes that the arrays of a state take.

    Args:
      state: an optimizer state, or any tree of arrays or of their shapes.

    Returns:
      The sum over all arrays.

    Example:
      >>> import jax.numpy as jnp
      >>> state_bytes({"a": jnp.zeros(3), "b": jnp.zeros(2, jnp.bfloat16)})
      16
    """
    return sum(math.prod(leaf.shape) * jnp.dtype(leaf.dtype).itemsize for leaf in jax.tree.leaves(state))


def _is_moment(leaf: Any, shapes: set[tuple[int, ...]]) -> bool:
    return leaf.shape in shapes and leaf.dtype == jnp.float32


def _seed(seed: Any, number: int, count: jax.Array) -> jax.Array:
    mixed = jnp.uint32(seed) * jnp.uint32(0x9E3779B9) + jnp.uint32(number) * jnp.uint32(0x85EBCA6B)
    return _hashed(_hashed(mixed) ^ count.astype(jnp.uint32))


def _noise(shape: tuple[int, ...], seed: Any) -> jax.Array:
    """Random uint32, one for each place: a hash of the place, with no key to carry."""
    place = jnp.zeros(shape, jnp.uint32)
    stride = 1
    for axis in reversed(range(len(shape))):
        place += lax.broadcasted_iota(jnp.uint32, shape, axis) * jnp.uint32(stride % 2**32)
        stride *= shape[axis]
    return _hashed(place + jnp.asarray(seed, jnp.uint32))


def _hashed(x: jax.Array) -> jax.Array:
    """Wellons' lowbias32: every bit of the result hangs on every bit of x."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _to_bfloat16(x: jax.Array, noise: jax.Array) -> Rounded:
    """The bfloat16 below or above, in proportion to how near each is."""
    bits = lax.bitcast_convert_type(x, jnp.uint32)
    raised = lax.bitcast_convert_type((bits + (noise & 0xFFFF)) & jnp.uint32(0xFFFF0000), jnp.float32)
    return Rounded(jnp.where(jnp.isfinite(raised), raised, x).astype(jnp.bfloat16))


def _to_blocks(x: jax.Array, noise: jax.Array, block: int) -> Blocks:
    largest = jnp.max(_in_blocks(jnp.abs(x), block), axis=-1)
    share = jnp.abs(x) / _over_blocks(jnp.where(largest > 0, largest, 1.0), x.shape, block)
    root = _STEPS * jnp.sqrt(jnp.sqrt(share))
    low = jnp.floor(root)
    # Between the two values, not between their roots: so the mean is x itself.
    below, above = (low / _STEPS) ** 4, ((low + 1.0) / _STEPS) ** 4
    up = (share - below) / (above - below) > _unit(noise)
    code = jnp.where((share > 0) & (low == 0), 1.0, low + up.astype(low.dtype))
    return Blocks((jnp.sign(x) * jnp.minimum(code, _STEPS)).astype(jnp.int8), largest)


def _unpacked(node: Any, block: int) -> Any:
    if isinstance(node, Rounded):
        return node.values.astype(jnp.float32)
    if not isinstance(node, Blocks):
        return node
    root = node.codes.astype(jnp.float32) / _STEPS
    return jnp.sign(root) * root**4 * _over_blocks(node.largest, node.codes.shape, block)


def _is_packed(node: Any) -> bool:
    return isinstance(node, Rounded | Blocks)


def _unit(noise: jax.Array) -> jax.Array:
    """In [0, 1)."""
    return (noise >> 8).astype(jnp.float32) * jnp.float32(2.0**-24)


def _in_blocks(x: jax.Array, block: int) -> jax.Array:
    blocks = -(-x.shape[-1] // block)
    padded = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, blocks * block - x.shape[-1])])
    return padded.reshape(*x.shape[:-1], blocks, block)


def _over_blocks(largest: jax.Array, shape: tuple[int, ...], block: int) -> jax.Array:
    return jnp.repeat(largest, block, axis=-1)[..., : shape[-1]]
