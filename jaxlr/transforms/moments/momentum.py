"""Momentum: a running sum of the updates."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.trees import beside, cast_like, increment, moments_like, widen, widen_all
from jaxlr.transforms.waiting import kept


class ScaleByMomentumState(NamedTuple):
    """State of `scale_by_momentum`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1  # pyright: ignore[reportIncompatibleMethodOverride]
    momentum: jax.Array  # float32, (): decay of the last update
    buffer: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: the running sum

    waits = True  # stands still by itself: see waiting.py


def scale_by_momentum(
    decay: NumberOrSchedule = 0.9,
    *,
    dampening: Number = 0.0,
    nesterov: bool = False,
    first: Literal["gradient", "average"] = "gradient",
) -> optax.GradientTransformation:
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
    decay = hyperparameters.number_or_schedule("decay", decay, minimum=0.0, below=1.0)
    dampening = hyperparameters.number("dampening", dampening)
    hyperparameters.choice("nesterov", nesterov, (False, True))
    hyperparameters.choice("first", first, ("gradient", "average"))

    def init(params: optax.Params) -> ScaleByMomentumState:
        count = jnp.zeros([], jnp.int32)
        momentum = hyperparameters.at_count("decay", decay, count)
        return beside(params, ScaleByMomentumState(count, momentum, moments_like(params)))

    def update(
        updates: optax.Updates,
        state: ScaleByMomentumState,
        params: optax.Params | None = None,
        *,
        due: Any = True,
        **extra: Any,
    ) -> tuple[optax.Updates, ScaleByMomentumState]:
        del params, extra
        momentum = hyperparameters.at_count("decay", decay, state.count)
        share = hyperparameters.one_minus_at_count("dampening", dampening, state.count)
        if first == "gradient":
            share = jnp.where(state.count == 0, 1.0, share)
        gradients = widen_all(updates)
        buffer = jax.tree.map(lambda m, g: momentum * widen(m) + share * g, state.buffer, gradients)
        buffer = kept(due, buffer, state.buffer)
        ahead = jax.tree.map(lambda m, g: g + momentum * m, buffer, gradients) if nesterov else buffer
        state = ScaleByMomentumState(
            count=kept(due, increment(state.count), state.count),
            momentum=kept(due, momentum, state.momentum),
            buffer=cast_like(buffer, state.buffer),
        )
        return cast_like(ahead, updates), state

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]
