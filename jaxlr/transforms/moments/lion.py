"""Lion: the sign of a mean of the updates that looks ahead."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import NumberOrSchedule
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.trees import moments_like, update_moment, widen
from jaxlr.typing import PyTree


@link_state("b1", "b2")
class ScaleByLionState(NamedTuple):
    """State of `scale_by_lion`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    b1: jax.Array  # float32, (): b1 of the last update
    b2: jax.Array  # float32, (): b2 of the last update
    mu: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: mean of the updates


def scale_by_lion(b1: NumberOrSchedule = 0.9, b2: NumberOrSchedule = 0.99) -> optax.GradientTransformationExtraArgs:
    """Replaces each update by a sign.

    The new update is sign(b1 m + (1 - b1) u); then m = b2 m + (1 - b2) u

    Args:
      b1: share of m in the direction, in [0, 1); a number or a schedule.
      b2: share of m that stays, in [0, 1); a number or a schedule.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_lion()
      >>> updates, _ = link.update(jnp.array([0.5, -2.0, 0.0]), link.init(jnp.zeros(3)))
      >>> updates.tolist()
      [1.0, -1.0, 0.0]

    References:
      Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, arXiv:2302.06675
    """
    ahead, stays = hyperparameters.share("b1", b1), hyperparameters.share("b2", b2)

    def start(params: PyTree) -> dict[str, PyTree]:
        return {"mu": moments_like(params)}

    def advance(step: Step, old: ScaleByLionState, gradients: PyTree) -> dict[str, PyTree]:
        return {"mu": update_moment(old.mu, gradients, step.one_minus(stays))}

    def direction(step: Step, moments: ScaleByLionState, gradients: PyTree) -> PyTree:
        share = step.one_minus(ahead)
        return jax.tree.map(lambda m, g: jnp.sign(widen(m) + share * (g - widen(m))), step.before.mu, gradients)

    return link(ScaleByLionState, start=start, advance=advance, direction=direction, records={"b1": ahead, "b2": stays})
