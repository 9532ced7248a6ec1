"""The learning rate: the link that applies and records it, and the functions that read it."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer

from jaxlr.transforms import hyperparameters, states
from jaxlr.transforms.arithmetic import increment, map_wide
from jaxlr.transforms.hyperparameters import NumberOrSchedule

_NOT_RECORDED = (
    "no learning rate is recorded in this optimizer state: end the chain with jaxlr.scale_by_learning_rate, "
    "or use one of jaxlr.sgd, jaxlr.rmsprop, jaxlr.adam, jaxlr.adamw"
)


class ScaleByLearningRateState(NamedTuple):
    """State of `scale_by_learning_rate`; the same for a number and for a schedule."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1  # pyright: ignore[reportIncompatibleMethodOverride]
    learning_rate: jax.Array  # float32, (): rate of the last update; before the first, what the schedule gives it
    overridden: jax.Array  # bool, (): whether `override` stands in place of the number or schedule
    override: jax.Array  # float32, (): the rate that was set by hand


def scale_by_learning_rate(learning_rate: NumberOrSchedule) -> optax.GradientTransformationExtraArgs:
    """Multiplies by minus the learning rate and records the rate: the last link of a chain.

    u -> -rate(n) u, n = updates applied before this one

    The rate is float32 whatever the dtype of the updates, which they keep. A change of the number, or of a schedule's
    numbers, needs no new compilation where the transformation is made inside the jitted step from a traced rate.

    Args:
      learning_rate: a number, known or traced, or a schedule: a callable update count (int32) -> rate.

    Returns:
      A gradient transformation whose state records `count` and `learning_rate`.

    Raises:
      TypeError: `learning_rate` is neither, or the schedule does not return one number.
      ValueError: `learning_rate` is negative or not finite.

    Example:
      >>> import jax.numpy as jnp, optax
      >>> chain = optax.chain(optax.scale_by_lion(), scale_by_learning_rate(lambda n: 0.5 / (1 + n)))
      >>> params = jnp.array([1.0])
      >>> state = chain.init(params)
      >>> for _ in range(2):
      ...   updates, state = chain.update(jnp.array([3.0]), state, params)
      >>> float(updates[0]), float(current_learning_rate(state))
      (-0.25, 0.25)
    """
    learning_rate = hyperparameters.number_or_schedule("learning_rate", learning_rate, minimum=0.0)

    def init(params: optax.Params) -> ScaleByLearningRateState:
        del params
        count = jnp.zeros([], jnp.int32)
        return ScaleByLearningRateState(
            count=count,
            learning_rate=hyperparameters.at_count("learning_rate", learning_rate, count),
            overridden=jnp.zeros([], jnp.bool_),
            override=jnp.zeros([], jnp.float32),
        )

    def update(
        updates: optax.Updates, state: ScaleByLearningRateState, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, ScaleByLearningRateState]:
        del params, extra
        rate = hyperparameters.at_count("learning_rate", learning_rate, state.count)
        rate = jnp.where(state.overridden, state.override, rate)
        updates = map_wide(lambda update: -rate * update, updates)
        return updates, state._replace(count=increment(state.count), learning_rate=rate)

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def current_learning_rate(x: Any) -> jax.Array:
    """The learning rate of the last update; before the first update, that of the first.

    Args:
      x: an optimizer state, however deep `optax.chain`, `optax.masked`, `optax.partition`, `optax.MultiSteps` or
        `optax.apply_if_finite` has wrapped it; or what holds one: a Flax `TrainState` or `nnx.Optimizer`.

    Returns:
      The rate, a float32 scalar.

    Raises:
      ValueError: no rate is recorded, or several different ones are; the message lists them.

    Example:
      >>> import jax.numpy as jnp
      >>> float(current_learning_rate(scale_by_learning_rate(0.25).init(jnp.zeros(3))))
      0.25
    """
    rates = learning_rates(x)
    if not rates:
        raise ValueError(_NOT_RECORDED)
    first, *others = rates.values()
    if not others:
        return first
    if any(isinstance(rate, Tracer) for rate in rates.values()):
        raise ValueError(
            f"several learning rates ({', '.join(rates)}): inside jit, read them with jaxlr.learning_rates"
        )
    if any(np.any(np.asarray(rate) != np.asarray(first)) for rate in others):
        listed = ", ".join(f"{label}: {np.asarray(rate)}" for label, rate in rates.items())
        raise ValueError(f"several learning rates: {listed}; read them with jaxlr.learning_rates")
    return first


def learning_rates(x: Any) -> dict[str, jax.Array]:
    """Every recorded learning rate, by the label of `optax.partition`, or else by the path to the state that holds it.

    Args:
      x: as for `current_learning_rate`.

    Returns:
      Float32 scalars; an empty dictionary where no rate is recorded.

    Example:
      >>> import jax.numpy as jnp, optax
      >>> two = {"slow": scale_by_learning_rate(0.125), "fast": scale_by_learning_rate(0.5)}
      >>> params = {"head": jnp.ones(2), "body": jnp.ones(2)}
      >>> state = optax.partition(two, {"head": "fast", "body": "slow"}).init(params)
      >>> {label: float(rate) for label, rate in learning_rates(state).items()}
      {'fast': 0.5, 'slow': 0.125}
    """
    return {label: _rate(state) for label, state in states.find_states(x, ScaleByLearningRateState).items()}


def _rate(state: ScaleByLearningRateState) -> jax.Array:
    first = states.array(state.count) == 0
    return jnp.where(
        first & states.array(state.overridden), states.array(state.override), states.array(state.learning_rate)
    )
