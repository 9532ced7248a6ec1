"""RMSprop: each update over the root of its running mean square."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.trees import (
    absolute_square,
    beside,
    cast_like,
    increment,
    moments_like,
    towards,
    widen_all,
)
from jaxlr.transforms.waiting import kept


class ScaleByRmspropState(NamedTuple):
    """State of `scale_by_rmsprop`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1  # pyright: ignore[reportIncompatibleMethodOverride]
    decay: jax.Array  # float32, (): decay of the last update
    nu: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: mean of the squares
    mu: optax.Updates  # likewise: mean of the updates; () unless centered

    waits = True  # stands still by itself: see waiting.py


def scale_by_rmsprop(
    decay: NumberOrSchedule = 0.99,
    *,
    eps: Number = 1e-8,
    eps_in_sqrt: bool = False,
    centered: bool = False,
    initial_scale: Number = 0.0,
) -> optax.GradientTransformation:
    """Divides each update by the root of the running mean of its squares.

    v = decay v + (1 - decay) u^2, and the new update is u / (sqrt(v) + eps)

    Args:
      decay: share of the mean that stays, in [0, 1); a number or a schedule.
      eps: at least 0; bounds the quotient.
      eps_in_sqrt: u / sqrt(v + eps) (TensorFlow, Keras, optax) in place of u / (sqrt(v) + eps) (PyTorch, Caffe).
      centered: subtract the squared running mean of u from v: the root is of the variance.
      initial_scale: v before the first update; TensorFlow 1's recipes have 1.

    Returns:
      A gradient transformation. For RMSprop with momentum, `scale_by_momentum` follows.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_rmsprop(0.75, eps=0.0)
      >>> updates, _ = link.update(jnp.array([3.0, -0.5]), link.init(jnp.zeros(2)))
      >>> updates.tolist()
      [2.0, -2.0]

    References:
      Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012
      Graves, Generating Sequences With Recurrent Neural Networks, 2013, arXiv:1308.0850 (centered)
    """
    decay = hyperparameters.number_or_schedule("decay", decay, minimum=0.0, below=1.0)
    eps = hyperparameters.number("eps", eps, minimum=0.0)
    hyperparameters.choice("eps_in_sqrt", eps_in_sqrt, (False, True))
    hyperparameters.choice("centered", centered, (False, True))
    initial_scale = hyperparameters.number("initial_scale", initial_scale, minimum=0.0)

    def init(params: optax.Params) -> ScaleByRmspropState:
        count = jnp.zeros([], jnp.int32)
        state = ScaleByRmspropState(
            count=count,
            decay=hyperparameters.at_count("decay", decay, count),
            nu=moments_like(params, fill=initial_scale, real=True),
            mu=moments_like(params) if centered else (),
        )
        return beside(params, state)

    def update(
        updates: optax.Updates,
        state: ScaleByRmspropState,
        params: optax.Params | None = None,
        *,
        due: Any = True,
        **extra: Any,
    ) -> tuple[optax.Updates, ScaleByRmspropState]:
        del params, extra
        weight = hyperparameters.one_minus_at_count("decay", decay, state.count)
        gradients = widen_all(updates)
        nu = kept(due, towards(state.nu, jax.tree.map(absolute_square, gradients), weight), state.nu)
        mu = kept(due, towards(state.mu, gradients, weight), state.mu) if centered else ()
        # Rounding may leave a mean square below the square of the mean.
        variance = jax.tree.map(lambda v, m: jnp.maximum(v - absolute_square(m), 0.0), nu, mu) if centered else nu
        scaled = jax.tree.map(lambda g, v: g / _root(v, eps, eps_in_sqrt), gradients, variance)
        state = ScaleByRmspropState(
            count=kept(due, increment(state.count), state.count),
            decay=kept(due, hyperparameters.at_count("decay", decay, state.count), state.decay),
            nu=cast_like(nu, state.nu),
            mu=cast_like(mu, state.mu),
        )
        return cast_like(scaled, updates), state

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def _root(mean_square: jax.Array, eps: Number, eps_in_sqrt: bool) -> jax.Array:
    return jnp.sqrt(mean_square + eps) if eps_in_sqrt else jnp.sqrt(mean_square) + eps
