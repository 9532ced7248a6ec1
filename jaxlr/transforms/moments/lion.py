"""Lion: the sign of a running mean of the updates."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.trees import moments_like, widen
from jaxlr.typing import PyTree


@link_state("b1")
class ScaleByLionState(NamedTuple):
    """State of `scale_by_lion`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    b1: jax.Array  # float32, (): share of the mean in the last direction
    mu: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: the running mean


def scale_by_lion(b1: NumberOrSchedule = 0.9, b2: Number = 0.99) -> optax.GradientTransformationExtraArgs:
    """Replaces each update by the sign of its mixture with a running mean.

    sign(b1 m + (1 - b1) u), then m = b2 m + (1 - b2) u

    Args:
      b1: share of the mean in the direction, in [0, 1); a number or a schedule.
      b2: share of the mean that stays, in [0, 1).

    Returns:
      A gradient transformation.

    Example:
      >>> link = scale_by_lion()
      >>> updates, state = link.update(jnp.array([3.0, -0.25]), link.init(jnp.zeros(2)))
      >>> updates.tolist()
      [1.0, -1.0]

    References:
      Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, arXiv:2302.06675
    """
    mixed = hyperparameters.share("b1", b1)
    kept = hyperparameters.share("b2", b2)

    def start(params: PyTree) -> dict[str, PyTree]:
        return {"mu": moments_like(params)}

    def advance(step: Step, old: ScaleByLionState, gradients: PyTree) -> dict[str, PyTree]:
        share = step.one_minus(kept)
        return {"mu": jax.tree.map(lambda m, g: step.at(kept) * widen(m) + share * g, old.mu, gradients)}

    def direction(step: Step, moments: ScaleByLionState, gradients: PyTree) -> PyTree:
        rest = step.one_minus(mixed)
        return jax.tree.map(lambda m, g: jnp.sign(step.at(mixed) * widen(m) + rest * g), step.before.mu, gradients)

    return link(ScaleByLionState, start=start, advance=advance, direction=direction, records={"b1": mixed})
