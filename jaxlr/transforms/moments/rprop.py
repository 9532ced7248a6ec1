"""Rprop: a step size for each number, by whether its gradient keeps its sign."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Number
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.trees import moments_like, widen
from jaxlr.typing import PyTree


@link_state()
class ScaleByRpropState(NamedTuple):
    """State of `scale_by_rprop`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    previous: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: the last sign, or 0
    size: optax.Updates  # likewise: step sizes


@described
def scale_by_rprop(
    init_size: Number = 1e-2,
    *,
    shrink: Number = 0.5,
    grow: Number = 1.2,
    min_size: Number = 1e-6,
    max_size: Number = 50.0,
) -> optax.GradientTransformationExtraArgs:
    """Replaces each number of an update by its sign times a step size of its own.

    u of the sign of the one before: s = min(grow s, max_size), and the new update is s sign(u); of the other sign:
    s = max(shrink s, min_size), the new update is 0 and the next sign is as good as any

    `optax.scale_by_rprop` gives each update one step late, and none at the first. The rule takes whole gradients: that
    of a batch changes its sign by chance.

    Args:
      init_size: s before the first update, brought into the limits.
      shrink: the factor after a change of sign, in (0, 1).
      grow: the other factor, above 1.
      min_size: the least s, at least 0.
      max_size: the largest.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range; at init: a parameter is complex.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_rprop(0.25, grow=2.0)
      >>> state = link.init(jnp.zeros(1))
      >>> for gradient in (1.0, 3.0, -2.0, -1.0):
      ...   updates, state = link.update(jnp.array([gradient]), state)
      ...   print(float(updates[0]), end=" ")
      0.25 0.5 0.0 -0.25

    References:
      Riedmiller and Braun, A direct adaptive method for faster backpropagation learning: the RPROP algorithm, 1993
    """
    init_size = hyperparameters.number("init_size", init_size, minimum=0.0)
    shrink = hyperparameters.number("shrink", shrink, above=0.0, below=1.0)
    grow = hyperparameters.number("grow", grow, above=1.0)
    min_size = hyperparameters.number("min_size", min_size, minimum=0.0)
    max_size = hyperparameters.number("max_size", max_size, above=0.0)

    def start(params: PyTree) -> dict[str, PyTree]:
        jax.tree.map(_require_real, params)
        first = jnp.clip(jnp.asarray(init_size, jnp.float32), min_size, max_size)
        return {"previous": moments_like(params), "size": moments_like(params, fill=first)}

    def advance(step: Step, old: ScaleByRpropState, gradients: PyTree) -> dict[str, PyTree]:
        del step
        # By signs alone: a product of two small gradients would be 0.
        turns = jax.tree.map(lambda g, before: jnp.sign(g) * widen(before), gradients, old.previous)

        def sized(turn: jax.Array, size: jax.Array) -> jax.Array:
            factor = jnp.where(turn > 0, grow, jnp.where(turn < 0, shrink, 1.0))
            return jnp.clip(widen(size) * factor, min_size, max_size)

        return {
            "previous": jax.tree.map(lambda turn, g: jnp.where(turn < 0, 0.0, jnp.sign(g)), turns, gradients),
            "size": jax.tree.map(sized, turns, old.size),
        }

    def direction(step: Step, moments: ScaleByRpropState, gradients: PyTree) -> PyTree:
        del step, gradients
        return jax.tree.map(jnp.multiply, moments.previous, moments.size)

    return link(ScaleByRpropState, start=start, advance=advance, direction=direction)


def _require_real(param: jax.Array) -> None:
    if jnp.issubdtype(jnp.result_type(param), jnp.complexfloating):
        raise ValueError(
            f"scale_by_rprop takes real parameters, got one of {jnp.result_type(param)}: "
            "jaxlr.dialects.torch.Rprop takes it as two real ones"
        )
