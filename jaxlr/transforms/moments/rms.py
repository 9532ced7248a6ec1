"""RMSprop: each update over the root of its running mean square."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.records import Record
from jaxlr.transforms.trees import (
    absolute_square,
    moments_like,
    root,
    update_moment,
)
from jaxlr.typing import PyTree


@link_state("decay", corrected=True)
class ScaleByRmspropState(NamedTuple):
    """State of `scale_by_rmsprop`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    decay: Record  # decay of the last update
    nu: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: mean of the squares
    mu: optax.Updates  # likewise: mean of the updates; () unless centered


@described
def scale_by_rmsprop(
    decay: NumberOrSchedule = 0.99,
    *,
    eps: Number = 1e-8,
    eps_in_sqrt: bool = False,
    centered: bool = False,
    initial_scale: Number = 0.0,
    bias_correction: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Divides each update by the root of the running mean of its squares.

    v = decay v + (1 - decay) u^2, and the new update is u / (sqrt(v) + eps)

    Args:
      decay: share of the mean that stays, in [0, 1); a number or a schedule.
      eps: at least 0; bounds the quotient.
      eps_in_sqrt: u / sqrt(v + eps) (TensorFlow, Keras, optax) in place of u / (sqrt(v) + eps) (PyTorch, Caffe).
      centered: subtract the squared running mean of u from v: the root is of the variance.
      initial_scale: v before the first update; TensorFlow 1's recipes have 1.
      bias_correction: divide v, and the mean of u where centered, by 1 - decay^t, t updates with this one.

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
    beta = hyperparameters.share("decay", decay)
    eps = hyperparameters.number("eps", eps, minimum=0.0)
    hyperparameters.choice("eps_in_sqrt", eps_in_sqrt, (False, True))
    hyperparameters.choice("centered", centered, (False, True))
    hyperparameters.choice("bias_correction", bias_correction, (False, True))
    initial_scale = hyperparameters.number("initial_scale", initial_scale, minimum=0.0)

    def start(params: PyTree) -> dict[str, PyTree]:
        squares = moments_like(params, fill=initial_scale, real=True)
        return {"nu": squares, "mu": moments_like(params) if centered else ()}

    def advance(step: Step, old: ScaleByRmspropState, gradients: PyTree) -> dict[str, PyTree]:
        weight = step.one_minus(beta)
        nu = update_moment(old.nu, jax.tree.map(absolute_square, gradients), weight)
        return {"nu": nu, "mu": update_moment(old.mu, gradients, weight) if centered else ()}

    def direction(step: Step, moments: ScaleByRmspropState, gradients: PyTree) -> PyTree:
        gathered = step.debiasing(beta) if bias_correction else 1.0
        variance = jax.tree.map(lambda v: v / gathered, moments.nu) if bias_correction else moments.nu
        if centered:  # rounding may leave a mean square below the square of the mean
            variance = jax.tree.map(
                lambda v, m: jnp.maximum(v - absolute_square(m / gathered), 0.0), variance, moments.mu
            )
        return jax.tree.map(lambda g, v: g / _root(v, eps, eps_in_sqrt), gradients, variance)

    return link(ScaleByRmspropState, start=start, advance=advance, direction=direction, records={"decay": beta})


def _root(mean_square: jax.Array, eps: Number, eps_in_sqrt: bool) -> jax.Array:
    return root(mean_square + eps) if eps_in_sqrt else root(mean_square) + eps
