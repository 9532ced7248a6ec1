"""Nadam: Adam with Nesterov's momentum and a momentum that rises to its final value."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.moments.debiasing import one_minus_power
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


class ScaleByNadamState(NamedTuple):
    """State of `scale_by_nadam`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1  # pyright: ignore[reportIncompatibleMethodOverride]
    b1: jax.Array  # float32, (): b1 of the last update
    product: jax.Array  # float32, (): product of the momenta of all updates
    mu: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: mean of the updates
    nu: optax.Updates  # likewise: mean of the squares

    waits = True  # stands still by itself: see waiting.py


def scale_by_nadam(
    b1: NumberOrSchedule = 0.9, b2: Number = 0.999, *, eps: Number = 1e-8, momentum_decay: Number = 4e-3
) -> optax.GradientTransformation:
    """Divides Nesterov's look-ahead of the running mean by the root of the running mean of the squares.

    c(t) = b1 (1 - 0.5 * 0.96^(t momentum_decay)), m = b1 m + (1 - b1) u, v = b2 v + (1 - b2) u^2, and after t updates
    (this one included) the new update is (c(t+1) m / (1 - c(1)...c(t+1)) + (1 - c(t)) u / (1 - c(1)...c(t))) /
    (sqrt(v / (1 - b2^t)) + eps)

    Args:
      b1: share of m that stays and the final momentum, in [0, 1); a number or a schedule.
      b2: share of v that stays, in [0, 1).
      eps: at least 0; bounds the quotient.
      momentum_decay: how fast the momentum rises from b1 / 2 to b1, at least 0: 0.004 in PyTorch, 1 in Keras.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_nadam(0.5, momentum_decay=0.0, eps=0.0)
      >>> updates, _ = link.update(jnp.array([0.5, -2.0]), link.init(jnp.zeros(2)))
      >>> [round(float(update), 5) for update in updates]
      [1.13333, -1.13333]

    References:
      Dozat, Incorporating Nesterov Momentum into Adam, 2016
    """
    b1 = hyperparameters.number_or_schedule("b1", b1, minimum=0.0, below=1.0)
    b2 = hyperparameters.number("b2", b2, minimum=0.0, below=1.0)
    eps = hyperparameters.number("eps", eps, minimum=0.0)
    momentum_decay = hyperparameters.number("momentum_decay", momentum_decay, minimum=0.0)

    def init(params: optax.Params) -> ScaleByNadamState:
        count = jnp.zeros([], jnp.int32)
        state = ScaleByNadamState(
            count=count,
            b1=hyperparameters.at_count("b1", b1, count),
            product=jnp.ones([], jnp.float32),
            mu=moments_like(params),
            nu=moments_like(params, real=True),
        )
        return beside(params, state)

    def update(
        updates: optax.Updates,
        state: ScaleByNadamState,
        params: optax.Params | None = None,
        *,
        due: Any = True,
        **extra: Any,
    ) -> tuple[optax.Updates, ScaleByNadamState]:
        del params, extra
        gradients = widen_all(updates)
        share1 = hyperparameters.one_minus_at_count("b1", b1, state.count)
        share2 = hyperparameters.one_minus_at_count("b2", b2, state.count)
        mu = kept(due, towards(state.mu, gradients, share1), state.mu)
        nu = kept(due, towards(state.nu, jax.tree.map(absolute_square, gradients), share2), state.nu)

        count = increment(state.count)
        final = hyperparameters.at_count("b1", b1, state.count)
        here, following = (_momentum(final, t, momentum_decay) for t in (count, increment(count)))
        product = state.product * here
        ahead, now = following / (1.0 - product * following), (1.0 - here) / (1.0 - product)
        correction = 1.0 / jnp.sqrt(one_minus_power("b2", b2, state.count, count))
        mean = jax.tree.map(lambda m, g: ahead * m + now * g, mu, gradients)
        scaled = jax.tree.map(lambda m, v: m / (jnp.sqrt(v) * correction + eps), mean, nu)
        state = ScaleByNadamState(
            count=kept(due, count, state.count),
            b1=kept(due, final, state.b1),
            product=kept(due, product, state.product),
            mu=cast_like(mu, state.mu),
            nu=cast_like(nu, state.nu),
        )
        return cast_like(scaled, updates), state

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def _momentum(final: jax.Array, count: jax.Array, decay: Number) -> jax.Array:
    """`final (1 - 0.5 * 0.96 ** (count * decay))`."""
    return final * (1.0 - 0.5 * jnp.exp(count.astype(jnp.float32) * (decay * math.log(0.96))))
