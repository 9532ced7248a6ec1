"""Precision: chains that compute in float32, and float32 master copies of narrower parameters."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms.describing import described, telling
from jaxlr.transforms.parameters.context import reading_decays
from jaxlr.transforms.trees import cast_like, gradients_of, is_wide, like_updates, stored_like, widen, widen_all
from jaxlr.transforms.waiting import settled, where_due
from jaxlr.transforms.wrappers.last import is_conditional, refuse_followers


@telling("expected")
class MasterWeightsState(NamedTuple):
    """State of `with_master_weights`."""

    master: optax.Params  # float32 (wider where the parameters are): the parameters before they are rounded
    inner_state: optax.OptState  # that of the wrapped transformation
    expected: optax.Params = ()  # where the updates have the gradients' dtypes: the parameters that they lead to


@described
def in_float32(inner: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """Runs a chain in float32 and casts once, at its end, to the dtypes that the updates came with.

    Each link alone keeps the dtype of its updates, so between the links of a bare chain bfloat16 gradients are rounded
    each time: an Adam step of 1 swallows a decoupled weight decay of 0.001.

    Args:
      inner: a gradient transformation; its state is the state.

    Returns:
      A gradient transformation.

    Example:
      >>> import jax.numpy as jnp, optax
      >>> links = optax.chain(optax.add_decayed_weights(0.003), optax.add_decayed_weights(0.003))
      >>> one = jnp.array([1.0], jnp.bfloat16)
      >>> for chain in (links, in_float32(links)):
      ...   updates, _ = chain.update(one, chain.init(one), one)
      ...   print(float(updates[0]))
      1.0
      1.0078125
    """
    inner = optax.with_extra_args_support(inner)

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, optax.OptState]:
        scaled, new = inner.update(gradients_of(updates), state, like_updates(params, updates), **extra)
        return cast_like(scaled, updates), stored_like(new, state)

    return optax.GradientTransformationExtraArgs(inner.init, update)  # pyright: ignore[reportArgumentType]


def widened(link: optax.GradientTransformation) -> optax.GradientTransformation:
    """One of optax's links among float32 updates: its state begins in float32 at least, its parameters are widened."""
    return optax.GradientTransformation(
        lambda params: link.init(widen_all(params)),
        lambda updates, state, params=None: link.update(
            gradients_of(updates, *cast(Any, state)), state, widen_all(like_updates(params, updates))
        ),
    )


@described
def with_master_weights(inner: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """Keeps float32 copies of the parameters, so that updates too small for bfloat16 add up.

    w += inner's update at w, in float32; the parameters follow: p = w rounded to p's dtype

    The updates that come out are float32: `optax.apply_updates` adds them to the narrower parameters, rounds once, and
    so lands on the rounded copy. Where float32 has no number that leads there, and where a parameter was changed
    elsewhere (a projection, weights that were loaded, another optimizer around), the copy is the parameter. What scales
    the updates afterwards goes inside.

    Inside `optax.apply_if_finite`, `conditionally_mask` and `conditionally_transform`, whose branches must agree, the
    updates have the dtypes of the gradients, and the state keeps the parameters that they lead to. The copy is the
    same; a parameter that more than doubles or halves in one update lands within the rounding of that update, and on
    the rounded copy with the next.

    Args:
      inner: a finished optimizer, ending with the rate.

    Returns:
      A gradient transformation; its update needs the parameters.

    Raises:
      ValueError: a chain has a link behind it, or the update is called without parameters.

    Example:
      >>> import jax.numpy as jnp, optax
      >>> from jaxlr.optimizers import sgd
      >>> for optimizer in (sgd(1e-3), with_master_weights(sgd(1e-3))):
      ...   params = jnp.array([1.0], jnp.bfloat16)
      ...   state = optimizer.init(params)
      ...   for _ in range(100):
      ...     updates, state = optimizer.update(jnp.ones(1, jnp.bfloat16), state, params)
      ...     params = optax.apply_updates(params, updates)
      ...   print(params)
      [1]
      [0.898438]

    References:
      Micikevicius et al., Mixed Precision Training, 2017, arXiv:1710.03740
    """
    inner = optax.with_extra_args_support(inner)

    def init(params: optax.Params) -> MasterWeightsState:
        refuse_followers("with_master_weights")
        # A copy: both may be donated. Of shapes alone it is 0, and follows the parameters at the first update.
        master = jax.tree.map(jnp.array, widen_all(params))
        expected = cast_like(master, params) if is_conditional() and not is_wide(params) else ()
        return MasterWeightsState(master, inner.init(master), expected)

    def update(
        updates: optax.Updates,
        state: MasterWeightsState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, MasterWeightsState]:
        if params is None:
            raise ValueError("with_master_weights needs the parameters: call update(updates, state, params)")
        params = like_updates(params, updates)
        gradients = gradients_of(updates, state.master)
        if reading_decays():
            steps, _ = inner.update(gradients, state.inner_state, jax.tree.map(widen, params), **extra)
            return steps if _is_free(state) else cast_like(steps, updates), state
        rounded = cast_like(state.master, params) if _is_free(state) else state.expected
        before = jax.tree.map(_followed, state.master, rounded, params)
        steps, inner_state = inner.update(gradients, state.inner_state, before, **extra)
        wanted = where_due(jax.tree.map(lambda w, step: w + step.astype(w.dtype), before, steps), before)
        # The copy first, and what leads to it from the copy: so both are written in place.
        if _is_free(state):
            master = settled(jax.tree.map(_landed, wanted, params), state.master)
            return jax.tree.map(_change, master, params), MasterWeightsState(master, inner_state)
        # Held back, or the compiler adds what is not rounded.
        narrow = jax.lax.optimization_barrier(cast_like(jax.tree.map(_change, wanted, params), params))
        changes = cast_like(narrow, updates)
        landed = cast_like(jax.tree.map(lambda p, c: widen(p) + widen(c), params, changes), params)
        kept = settled(MasterWeightsState(wanted, (), where_due(landed, params)), state._replace(inner_state=()))
        return changes, kept._replace(inner_state=inner_state)

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def _is_free(state: MasterWeightsState) -> bool:
    """Whether the updates may have a dtype of their own."""
    return isinstance(state.expected, tuple) and not state.expected


def _followed(master: jax.Array, expected: jax.Array, param: jax.Array) -> jax.Array:
    """The copy, or the parameter where it is not what was expected, so that it was changed elsewhere."""
    return jnp.where(expected == param, master, param.astype(master.dtype))


def _change(wanted: jax.Array, param: jax.Array) -> jax.Array:
    """What leads from the parameter to the rounded copy."""
    return widen(wanted.astype(param.dtype)) - widen(param)


def _landed(wanted: jax.Array, param: jax.Array) -> jax.Array:
    """The copy, or where the changed parameter will be if it can't be led to the rounded copy."""
    change = _change(wanted, param)
    landed = (param.astype(change.dtype) + change).astype(param.dtype)
    return jnp.where(landed == wanted.astype(param.dtype), wanted, landed.astype(wanted.dtype))
