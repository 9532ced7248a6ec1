"""Clipping of the gradient by its norm."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Number
from jaxlr.transforms.trees import absolute_square, gradients_of, map_wide, root


@described
def clip_by_global_norm(max_norm: Number) -> optax.GradientTransformationExtraArgs:
    """Shrinks all updates together so that their common norm is at most `max_norm`.

    u -> u min(1, max_norm / norm), norm = sqrt(sum of |u|^2 over all updates)

    One factor for all: unlike a choice for each element it fuses into the optimizer and needs no copy of the gradient.

    Args:
      max_norm: above 0.

    Returns:
      A gradient transformation without state.

    Raises:
      TypeError: `max_norm` is not a number.
      ValueError: `max_norm` is not above 0.

    Example:
      >>> import jax.numpy as jnp
      >>> link = clip_by_global_norm(1.0)
      >>> updates, _ = link.update({"a": jnp.array([3.0]), "b": jnp.array([4.0])}, link.init(None))
      >>> round(float(updates["a"][0]), 6), round(float(updates["b"][0]), 6)
      (0.6, 0.8)

    References:
      Pascanu et al., On the difficulty of training Recurrent Neural Networks, 2012, arXiv:1211.5063
    """
    max_norm = hyperparameters.number("max_norm", max_norm, above=0.0)

    def init(params: optax.Params) -> optax.EmptyState:
        del params
        return optax.EmptyState()

    def update(
        updates: optax.Updates, state: optax.EmptyState, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, optax.EmptyState]:
        del params, extra
        squares = [jnp.sum(absolute_square(u)) for u in jax.tree.leaves(gradients_of(updates))]
        norm = root(sum(squares, start=jnp.zeros([], jnp.float32)))
        factor = jax.lax.optimization_barrier(max_norm / jnp.maximum(norm, max_norm))  # computed once
        return map_wide(lambda u: factor * u, updates), state

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]
