"""Tiger: the sign of a running mean, and nothing else."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import NumberOrSchedule
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.trees import moments_like, update_moment
from jaxlr.typing import PyTree


@link_state("b1")
class ScaleByTigerState(NamedTuple):
    """State of `scale_by_tiger`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    b1: jax.Array  # float32, (): b1 of the last update
    mu: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: mean of the updates


def scale_by_tiger(b1: NumberOrSchedule = 0.945) -> optax.GradientTransformationExtraArgs:
    """Replaces each update by the sign of the running mean of the updates.

    m = b1 m + (1 - b1) u, and the new update is sign(m)

    Args:
      b1: share of m that stays, in [0, 1); a number or a schedule.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_tiger(0.5)
      >>> state = link.init(jnp.zeros(2))
      >>> for gradient in ([1.0, -1.0], [-0.25, -0.25]):
      ...   updates, state = link.update(jnp.array(gradient), state)
      >>> updates.tolist()
      [1.0, -1.0]

    References:
      Su, Tiger: A Tight-fisted Optimizer, 2023
    """
    beta1 = hyperparameters.share("b1", b1)

    def advance(step: Step, old: ScaleByTigerState, gradients: PyTree) -> dict[str, PyTree]:
        return {"mu": update_moment(old.mu, gradients, step.one_minus(beta1))}

    def direction(step: Step, moments: ScaleByTigerState, gradients: PyTree) -> PyTree:
        del step, gradients
        return jax.tree.map(jnp.sign, moments.mu)

    return link(
        ScaleByTigerState,
        start=lambda params: {"mu": moments_like(params)},
        advance=advance,
        direction=direction,
        records={"b1": beta1},
    )
