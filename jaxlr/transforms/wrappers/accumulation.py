"""Accumulation of gradients over micro-steps."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.trees import cast_like, moments_like, place_like, widen
from jaxlr.transforms.waiting import where_due_outside


class AccumulateState(NamedTuple):
    """State of `accumulate`."""

    micro_step: jax.Array  # int32, (): gradients in the mean since the last update
    mean: optax.Updates  # float32 (wider where the parameters are) or `dtype`: mean of these gradients
    inner_state: optax.OptState  # that of the wrapped optimizer


def accumulate(
    optimizer: optax.GradientTransformation, every: int, *, dtype: Any = None
) -> optax.GradientTransformationExtraArgs:
    """Updates once in `every` micro-steps, with the mean of their gradients; in between the parameters stay.

    Counts and schedules advance with the updates, as under `optax.MultiSteps`, to which this is an alternative that
    needs no temporary copies: the state is written in place, also on the micro-steps that make no update.

    Args:
      optimizer: a finished optimizer.
      every: micro-steps in an update, at least 1.
      dtype: dtype in which the mean is stored; float32 if None (wider where the parameters are).

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: `every` is not an integer of at least 1, or `dtype` is not a floating-point dtype.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.optimizers import sgd
      >>> optimizer = accumulate(sgd(0.5), 2)
      >>> state = optimizer.init(jnp.zeros(1))
      >>> for gradient in (1.0, 3.0):
      ...   updates, state = optimizer.update(jnp.array([gradient]), state)
      ...   print(float(updates[0]))
      0.0
      -1.0
    """
    every = hyperparameters.integer("every", every, minimum=1)
    dtype = hyperparameters.floating_dtype("dtype", dtype)
    inner = optax.with_extra_args_support(optimizer)

    def init(params: optax.Params) -> AccumulateState:
        return place_like(
            params, AccumulateState(jnp.zeros([], jnp.int32), moments_like(params, dtype), inner.init(params))
        )

    def update(
        updates: optax.Updates, state: AccumulateState, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, AccumulateState]:
        fresh = state.micro_step == 0
        weight = 1.0 / (state.micro_step + 1).astype(jnp.float32)

        def with_one_more(mean: jax.Array, gradient: jax.Array) -> jax.Array:
            mean, gradient = widen(mean), widen(gradient)
            return jnp.where(fresh, gradient, mean + (gradient - mean) * weight)

        mean = jax.tree.map(with_one_more, state.mean, updates)
        due = state.micro_step + 1 >= every
        steps, inner_state = inner.update(mean, state.inner_state, params, due=due, **extra)
        steps = jax.tree.map(lambda step: jnp.where(due, step, jnp.zeros_like(step)), steps)
        micro_step = jnp.where(due, 0, state.micro_step + 1)
        # Links that know `due` have chosen already; those of other libraries have not.
        inner_state = where_due_outside(due, inner_state, state.inner_state)
        return cast_like(steps, updates), AccumulateState(micro_step, cast_like(mean, state.mean), inner_state)

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]
