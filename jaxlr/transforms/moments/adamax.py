"""Adamax: the running mean of the updates over their running maximum."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.moments.debiasing import one_minus_power
from jaxlr.transforms.trees import beside, cast_like, increment, moments_like, towards, widen_all
from jaxlr.transforms.waiting import kept


class ScaleByAdamaxState(NamedTuple):
    """State of `scale_by_adamax`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1  # pyright: ignore[reportIncompatibleMethodOverride]
    b1: jax.Array  # float32, (): b1 of the last update
    mu: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: mean of the updates
    largest: optax.Updates  # likewise: fading maximum of the updates' absolute values

    waits = True  # stands still by itself: see waiting.py


def scale_by_adamax(
    b1: NumberOrSchedule = 0.9,
    b2: Number = 0.999,
    *,
    eps: Number = 1e-8,
    eps_mode: Literal["inside", "outside"] = "inside",
) -> optax.GradientTransformation:
    """Divides the running mean of the updates by a maximum of their absolute values that fades.

    m = b1 m + (1 - b1) u, w = max(b2 w, |u| + eps), and after t updates the new update is m / (1 - b1^t) / w

    Args:
      b1: share of m that stays, in [0, 1); a number or a schedule.
      b2: share of w that stays, in [0, 1).
      eps: at least 0; bounds the quotient.
      eps_mode: "inside": as above (PyTorch, optax); "outside": w = max(b2 w, |u|) and m / (1 - b1^t) / (w + eps)
        (Keras), which does not let eps fade.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_adamax(eps=0.5, eps_mode="outside")
      >>> updates, _ = link.update(jnp.array([0.5, -1.5]), link.init(jnp.zeros(2)))
      >>> updates.round(6).tolist()
      [0.5, -0.75]

    References:
      Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014, arXiv:1412.6980, section 7.1
    """
    b1 = hyperparameters.number_or_schedule("b1", b1, minimum=0.0, below=1.0)
    b2 = hyperparameters.number("b2", b2, minimum=0.0, below=1.0)
    eps = hyperparameters.number("eps", eps, minimum=0.0)
    inside = hyperparameters.choice("eps_mode", eps_mode, ("inside", "outside")) == "inside"

    def init(params: optax.Params) -> ScaleByAdamaxState:
        count = jnp.zeros([], jnp.int32)
        state = ScaleByAdamaxState(
            count=count,
            b1=hyperparameters.at_count("b1", b1, count),
            mu=moments_like(params),
            largest=moments_like(params, real=True),
        )
        return beside(params, state)

    def update(
        updates: optax.Updates,
        state: ScaleByAdamaxState,
        params: optax.Params | None = None,
        *,
        due: Any = True,
        **extra: Any,
    ) -> tuple[optax.Updates, ScaleByAdamaxState]:
        del params, extra
        gradients = widen_all(updates)
        share = hyperparameters.one_minus_at_count("b1", b1, state.count)
        mu = kept(due, towards(state.mu, gradients, share), state.mu)
        sizes = jax.tree.map(lambda g: jnp.abs(g) + eps if inside else jnp.abs(g), gradients)
        largest = jax.tree.map(lambda w, size: jnp.maximum(b2 * w, size), state.largest, sizes)
        largest = kept(due, largest, state.largest)

        count = increment(state.count)
        correction = 1.0 / one_minus_power("b1", b1, state.count, count)
        least = 0.0 if inside else eps
        scaled = jax.tree.map(lambda m, w: m * correction / (w + least), mu, largest)
        state = ScaleByAdamaxState(
            count=kept(due, count, state.count),
            b1=kept(due, hyperparameters.at_count("b1", b1, state.count), state.b1),
            mu=cast_like(mu, state.mu),
            largest=cast_like(largest, state.largest),
        )
        return cast_like(scaled, updates), state

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]
