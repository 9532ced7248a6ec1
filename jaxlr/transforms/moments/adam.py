"""Adam: the running mean of the updates over the root of their mean square, both corrected for their start at 0."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

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
    widen,
    widen_all,
)
from jaxlr.transforms.waiting import kept


class ScaleByAdamState(NamedTuple):
    """State of `scale_by_adam`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1  # pyright: ignore[reportIncompatibleMethodOverride]
    b1: jax.Array  # float32, (): b1 of the last update
    mu: optax.Updates  # mu_dtype, shaped like the parameters: mean of the updates
    nu: optax.Updates  # nu_dtype, shaped like the parameters: mean of the squares
    nu_max: optax.Updates  # like nu: the largest so far; () without amsgrad

    waits = True  # stands still by itself: see waiting.py


def scale_by_adam(
    b1: NumberOrSchedule = 0.9,
    b2: Number = 0.999,
    *,
    eps: Number = 1e-8,
    eps_mode: Literal["outside", "hat"] = "outside",
    amsgrad: Literal[False, "raw", "corrected"] = False,
    nesterov: bool = False,
    mu_dtype: Any = None,
    nu_dtype: Any = None,
) -> optax.GradientTransformation:
    """Divides the running mean of the updates by the root of the running mean of their squares.

    m = b1 m + (1 - b1) u, v = b2 v + (1 - b2) u^2, and after t updates (this one included) the new update is
    (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    The corrections are right to a few units in the last place, also for b2 = 0.999999 at the first update.

    Args:
      b1: share of m that stays, in [0, 1); a number or a schedule, corrected with 1 - b1(t)^t as in PyTorch.
      b2: share of v that stays, in [0, 1).
      eps: at least 0; bounds the quotient.
      eps_mode: "outside": as above; "hat": m sqrt(1 - b2^t) / (1 - b1^t) / (sqrt(v) + eps) (Keras, Caffe, and the
        paper's efficient form), which is larger in effect at the start.
      amsgrad: divide by the largest mean square so far: False; "raw": the largest v, then corrected (PyTorch, Keras);
        "corrected": the largest corrected v (optax).
      nesterov: b1 m / (1 - b1^(t+1)) + (1 - b1) u / (1 - b1^t) in place of the corrected m.
      mu_dtype: dtype in which m is stored; float32 if None (wider where the parameters are).
      nu_dtype: dtype in which v is stored; likewise. In bfloat16 a v with b2 near 1 stops moving.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_adam(b2=0.999999, eps=0.0)
      >>> updates, _ = link.update(jnp.array([0.5, -2.0]), link.init(jnp.zeros(2)))
      >>> updates.round(6).tolist()
      [1.0, -1.0]

    References:
      Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014, arXiv:1412.6980
      Reddi et al., On the Convergence of Adam and Beyond, 2018, arXiv:1904.09237 (amsgrad)
      Dozat, Incorporating Nesterov Momentum into Adam, 2016
    """
    b1 = hyperparameters.number_or_schedule("b1", b1, minimum=0.0, below=1.0)
    b2 = hyperparameters.number("b2", b2, minimum=0.0, below=1.0)
    eps = hyperparameters.number("eps", eps, minimum=0.0)
    hyperparameters.choice("eps_mode", eps_mode, ("outside", "hat"))
    hyperparameters.choice("amsgrad", amsgrad, (False, "raw", "corrected"))
    hyperparameters.choice("nesterov", nesterov, (False, True))
    mu_dtype = hyperparameters.floating_dtype("mu_dtype", mu_dtype)
    nu_dtype = hyperparameters.floating_dtype("nu_dtype", nu_dtype)

    def init(params: optax.Params) -> ScaleByAdamState:
        count = jnp.zeros([], jnp.int32)
        state = ScaleByAdamState(
            count=count,
            b1=hyperparameters.at_count("b1", b1, count),
            mu=moments_like(params, mu_dtype),
            nu=moments_like(params, nu_dtype, real=True),
            nu_max=moments_like(params, nu_dtype, real=True) if amsgrad else (),
        )
        return beside(params, state)

    def update(
        updates: optax.Updates,
        state: ScaleByAdamState,
        params: optax.Params | None = None,
        *,
        due: Any = True,
        **extra: Any,
    ) -> tuple[optax.Updates, ScaleByAdamState]:
        del params, extra
        gradients = widen_all(updates)
        share1 = hyperparameters.one_minus_at_count("b1", b1, state.count)
        share2 = hyperparameters.one_minus_at_count("b2", b2, state.count)
        mu = kept(due, towards(state.mu, gradients, share1), state.mu)
        nu = kept(due, towards(state.nu, jax.tree.map(absolute_square, gradients), share2), state.nu)

        count = increment(state.count)
        gathered1 = one_minus_power("b1", b1, state.count, count)
        gathered2 = one_minus_power("b2", b2, state.count, count)
        correction = 1.0 / jnp.sqrt(gathered2)
        if amsgrad:
            samples = jax.tree.map(lambda v: v / gathered2, nu) if amsgrad == "corrected" else nu
            nu_max = jax.tree.map(lambda v, sample: jnp.maximum(widen(v), sample), state.nu_max, samples)
            nu_max = kept(due, nu_max, state.nu_max)
        else:
            nu_max = ()
        square = nu_max if amsgrad else nu
        scale = 1.0 if amsgrad == "corrected" else correction
        least = eps * correction if eps_mode == "hat" else eps
        if nesterov:
            following = one_minus_power("b1", b1, state.count, increment(count))
            ahead, here = (1.0 - share1) / following, share1 / gathered1
            mean = jax.tree.map(lambda m, g: ahead * m + here * g, mu, gradients)
        else:
            mean = jax.tree.map(lambda m: m * (1.0 / gathered1), mu)
        scaled = jax.tree.map(lambda m, v: m / (jnp.sqrt(v) * scale + least), mean, square)
        state = ScaleByAdamState(
            count=kept(due, count, state.count),
            b1=kept(due, hyperparameters.at_count("b1", b1, state.count), state.b1),
            mu=cast_like(mu, state.mu),
            nu=cast_like(nu, state.nu),
            nu_max=cast_like(nu_max, state.nu_max),
        )
        return cast_like(scaled, updates), state

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]
