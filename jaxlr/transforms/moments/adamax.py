"""Adamax: the running mean of the updates over their running maximum."""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.records import Record
from jaxlr.transforms.trees import moments_like, update_moment
from jaxlr.typing import PyTree


@link_state("b1", corrected=True)
class ScaleByAdamaxState(NamedTuple):
    """State of `scale_by_adamax`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    b1: Record  # b1 of the last update
    mu: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: mean of the updates
    largest: optax.Updates  # likewise: fading maximum of the updates' absolute values


@described
def scale_by_adamax(
    b1: NumberOrSchedule = 0.9,
    b2: Number = 0.999,
    *,
    eps: Number = 1e-8,
    eps_mode: Literal["inside", "outside"] = "inside",
) -> optax.GradientTransformationExtraArgs:
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
    beta1 = hyperparameters.share("b1", b1)
    b2 = hyperparameters.number("b2", b2, minimum=0.0, below=1.0)
    eps = hyperparameters.number("eps", eps, minimum=0.0)
    inside = hyperparameters.choice("eps_mode", eps_mode, ("inside", "outside")) == "inside"

    def start(params: PyTree) -> dict[str, PyTree]:
        return {"mu": moments_like(params), "largest": moments_like(params, real=True)}

    def advance(step: Step, old: ScaleByAdamaxState, gradients: PyTree) -> dict[str, PyTree]:
        sizes = jax.tree.map(lambda g: jnp.abs(g) + eps if inside else jnp.abs(g), gradients)
        return {
            "mu": update_moment(old.mu, gradients, step.one_minus(beta1)),
            "largest": jax.tree.map(lambda w, size: jnp.maximum(b2 * w, size), old.largest, sizes),
        }

    def direction(step: Step, moments: ScaleByAdamaxState, gradients: PyTree) -> PyTree:
        del gradients
        correction = 1.0 / step.debiasing(beta1)
        least = 0.0 if inside else eps
        return jax.tree.map(lambda m, w: m * correction / (w + least), moments.mu, moments.largest)

    return link(ScaleByAdamaxState, start=start, advance=advance, direction=direction, records={"b1": beta1})
