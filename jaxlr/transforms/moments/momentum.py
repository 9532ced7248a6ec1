"""Momentum: a running sum of the updates."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Hyperparameter, Number, NumberOrSchedule
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.records import Record
from jaxlr.transforms.trees import moments_like, widen
from jaxlr.typing import PyTree


@link_state("momentum")
class ScaleByMomentumState(NamedTuple):
    """State of `scale_by_momentum`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    momentum: Record  # decay of the last update
    buffer: optax.Updates  # float32 (wider where the parameters are) or accumulator_dtype, shaped like the parameters


@described
def scale_by_momentum(
    decay: NumberOrSchedule = 0.9,
    *,
    dampening: Number = 0.0,
    nesterov: bool = False,
    first: Literal["gradient", "average"] = "gradient",
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Replaces each update by a running sum of the updates.

    m = decay m + (1 - dampening) u, and the new update is m, or u + decay m with `nesterov`

    The rate stands outside the buffer where `scale_by_learning_rate` follows, as in PyTorch, and inside it where it
    goes before, as in Keras and Caffe.

    Args:
      decay: share of the buffer that stays, in [0, 1); a number or a schedule.
      dampening: share of each update that does not enter the buffer; 0 gives a sum, `decay` a moving average.
      nesterov: look one step ahead.
      first: "gradient": the buffer begins as the first update, undamped (PyTorch); "average": it begins as 0, so that
        with `dampening=decay` it is the textbook's moving average `m = b m + (1 - b) u`.
      accumulator_dtype: dtype in which the buffer is stored; float32 if None (wider where the parameters are).

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_momentum(0.5)
      >>> state = link.init(jnp.zeros(1))
      >>> for _ in range(3):
      ...   updates, state = link.update(jnp.ones(1), state)
      >>> float(updates[0])
      1.75

    References:
      Sutskever et al., On the importance of initialization and momentum in deep learning, 2013
    """
    beta = hyperparameters.share("decay", decay)
    damping = Hyperparameter("dampening", hyperparameters.number("dampening", dampening))
    hyperparameters.choice("nesterov", nesterov, (False, True))
    hyperparameters.choice("first", first, ("gradient", "average"))

    accumulator_dtype = hyperparameters.floating_dtype("accumulator_dtype", accumulator_dtype)

    def start(params: PyTree) -> dict[str, PyTree]:
        return {"buffer": moments_like(params, accumulator_dtype)}

    def advance(step: Step, old: ScaleByMomentumState, gradients: PyTree) -> dict[str, PyTree]:
        momentum, share = step.at(beta), step.one_minus(damping)
        if first == "gradient":
            share = jnp.where(step.count == 0, 1.0, share)
        return {"buffer": jax.tree.map(lambda m, g: momentum * widen(m) + share * g, old.buffer, gradients)}

    def direction(step: Step, moments: ScaleByMomentumState, gradients: PyTree) -> PyTree:
        if not nesterov:
            return moments.buffer
        momentum = step.at(beta)
        return jax.tree.map(lambda m, g: g + momentum * m, moments.buffer, gradients)

    return link(ScaleByMomentumState, start=start, advance=advance, direction=direction, records={"momentum": beta})
