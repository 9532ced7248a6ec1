"""Precision of a chain."""

from __future__ import annotations

from typing import Any

import optax

from jaxlr.transforms.arithmetic import cast_like, widen_all


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
        scaled, state = inner.update(widen_all(updates), state, params, **extra)
        return cast_like(scaled, updates), state

    return optax.GradientTransformationExtraArgs(inner.init, update)  # pyright: ignore[reportArgumentType]
