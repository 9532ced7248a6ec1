"""Adam: the running mean of the updates over the root of their mean square, both corrected for their start at 0."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.debiasing import one_minus_power
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Hyperparameter, Number, NumberOrSchedule
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.records import Record
from jaxlr.transforms.trees import (
    absolute_square,
    increment,
    moments_like,
    root,
    update_moment,
    widen,
)
from jaxlr.typing import PyTree


@link_state("b1", corrected=True)
class ScaleByAdamState(NamedTuple):
    """State of `scale_by_adam`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    b1: Record  # b1 of the last update
    mu: optax.Updates  # mu_dtype, shaped like the parameters: mean of the updates
    nu: optax.Updates  # nu_dtype, shaped like the parameters: mean of the squares
    nu_max: optax.Updates  # like nu: the largest so far; () without amsgrad


@link_state("b1", "b2", corrected=True)
class ScaleByAdamWithB2State(NamedTuple):
    """State of `scale_by_adam` where b2 is a schedule."""

    count: jax.Array  # as above
    b1: Record
    b2: Record  # b2 of the last update
    mu: optax.Updates
    nu: optax.Updates
    nu_max: optax.Updates
    gathered: jax.Array  # float32, (): 1 less the product of every b2 so far, the weight that nu has gathered


@described
def scale_by_adam(
    b1: NumberOrSchedule = 0.9,
    b2: NumberOrSchedule = 0.999,
    *,
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    eps_mode: Literal["outside", "hat"] = "outside",
    amsgrad: Literal[False, "raw", "corrected"] = False,
    nesterov: bool = False,
    mu_dtype: Any = None,
    nu_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Divides the running mean of the updates by the root of the running mean of their squares.

    m = b1 m + (1 - b1) u, v = b2 v + (1 - b2) u^2, and after t updates (this one included) the new update is
    (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    The corrections are right to a few units in the last place, also for b2 = 0.999999 at the first update.

    Args:
      b1: share of m that stays, in [0, 1); a number or a schedule, corrected with 1 - b1(t)^t as in PyTorch.
      b2: share of v that stays, in [0, 1); a number or a schedule, corrected with 1 less the product of every b2 so
        far, which is the weight that v has gathered.
      eps: at least 0; bounds the quotient.
      eps_root: at least 0; added to the corrected v, inside the root.
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
    beta1 = hyperparameters.share("b1", b1)
    beta2 = hyperparameters.share("b2", b2)
    scheduled = callable(beta2.value)
    eps = hyperparameters.number("eps", eps, minimum=0.0)
    eps_root = hyperparameters.number("eps_root", eps_root, minimum=0.0)
    hyperparameters.choice("eps_mode", eps_mode, ("outside", "hat"))
    hyperparameters.choice("amsgrad", amsgrad, (False, "raw", "corrected"))
    hyperparameters.choice("nesterov", nesterov, (False, True))
    mu_dtype = hyperparameters.floating_dtype("mu_dtype", mu_dtype)
    nu_dtype = hyperparameters.floating_dtype("nu_dtype", nu_dtype)

    def start(params: PyTree) -> dict[str, PyTree]:
        squares = moments_like(params, nu_dtype, real=True)
        largest = moments_like(params, nu_dtype, real=True) if amsgrad else ()
        gathered = {"gathered": jnp.zeros([], jnp.float32)} if scheduled else {}
        return {"mu": moments_like(params, mu_dtype), "nu": squares, "nu_max": largest, **gathered}

    def advance(step: Step, old: Any, gradients: PyTree) -> dict[str, PyTree]:
        mu = update_moment(old.mu, gradients, step.one_minus(beta1))
        share = step.one_minus(beta2)
        nu = update_moment(old.nu, jax.tree.map(absolute_square, gradients), share)
        gathered = {"gathered": old.gathered + share * (1.0 - old.gathered)} if scheduled else {}
        return {"mu": mu, "nu": nu, **gathered, "nu_max": partial(largest, step, old) if amsgrad else ()}

    def weight_of_squares(step: Step, moments: Any) -> jax.Array:
        return moments.gathered if scheduled else step.debiasing(beta2)

    def largest(step: Step, old: ScaleByAdamState, moments: ScaleByAdamState) -> PyTree:
        samples = moments.nu
        if amsgrad == "corrected":
            gathered = weight_of_squares(step, moments)
            samples = jax.tree.map(lambda v: v / gathered, moments.nu)
        return jax.tree.map(lambda v, sample: jnp.maximum(widen(v), sample), old.nu_max, samples)

    def direction(step: Step, moments: ScaleByAdamState, gradients: PyTree) -> PyTree:
        correction = 1.0 / jnp.sqrt(weight_of_squares(step, moments))
        square = moments.nu_max if amsgrad else moments.nu
        scale = 1.0 if amsgrad == "corrected" else correction
        least = eps * correction if eps_mode == "hat" else eps
        mean = _looking_ahead(beta1, step, moments.mu, gradients) if nesterov else _corrected(beta1, step, moments.mu)
        if isinstance(eps_root, float) and eps_root == 0.0:
            return jax.tree.map(lambda m, v: m / (root(v) * scale + least), mean, square)
        return jax.tree.map(lambda m, v: m / (root(v * scale**2 + eps_root) + least), mean, square)

    records = {"b1": beta1, "b2": beta2} if scheduled else {"b1": beta1}
    state = ScaleByAdamWithB2State if scheduled else ScaleByAdamState
    return link(state, start=start, advance=advance, direction=direction, records=records)


def _corrected(b1: Hyperparameter, step: Step, mu: PyTree) -> PyTree:
    gathered = step.debiasing(b1)
    return jax.tree.map(lambda m: m * (1.0 / gathered), mu)


def _looking_ahead(b1: Hyperparameter, step: Step, mu: PyTree, gradients: PyTree) -> PyTree:
    share, gathered = step.one_minus(b1), step.debiasing(b1)
    following = one_minus_power(b1, step.count, increment(step.number))
    ahead, here = (1.0 - share) / following, share / gathered
    return jax.tree.map(lambda m, g: ahead * m + here * g, mu, gradients)
