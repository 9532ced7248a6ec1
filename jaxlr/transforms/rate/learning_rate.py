"""The learning rate: the link that applies and records it, and the functions that read and set it."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.rate import plateau
from jaxlr.transforms.rate.plateau import PlateauState, ReduceOnPlateau
from jaxlr.transforms.state import search as states
from jaxlr.transforms.trees import increment, map_wide, place_like
from jaxlr.transforms.waiting import link_state, settled, where_due


@link_state()
class ScaleByLearningRateState(NamedTuple):
    """State of `scale_by_learning_rate`; the same for a number and for a schedule."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    learning_rate: jax.Array  # float32, (): rate of the last update; before the first, what the schedule gives it
    overridden: jax.Array  # bool, (): whether `override` stands in place of the number or schedule
    override: jax.Array  # float32, (): the rate that was set by hand
    plateau: PlateauState | tuple[()]  # that of the rule reduce_on_plateau; () without one


def scale_by_learning_rate(learning_rate: NumberOrSchedule | ReduceOnPlateau) -> optax.GradientTransformationExtraArgs:
    """Multiplies by minus the learning rate and records the rate: the last link of a chain.

    u -> -rate(n) u, n = updates applied before this one

    The rate is float32 whatever the dtype of the updates, which they keep. A change of the number, or of a schedule's
    numbers, needs no new compilation where the transformation is made inside the jitted step from a traced rate.

    Args:
      learning_rate: a number, known or traced; a schedule: a callable update count (int32) -> rate; or
        `reduce_on_plateau` over either.

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
    rule = learning_rate if isinstance(learning_rate, ReduceOnPlateau) else None
    base = rule.learning_rate if rule else learning_rate
    base = hyperparameters.number_or_schedule("learning_rate", base, minimum=0.0)

    def init(params: optax.Params) -> ScaleByLearningRateState:
        count = jnp.zeros([], jnp.int32)
        rate = hyperparameters.at_count("learning_rate", base, count)
        state = ScaleByLearningRateState(
            count=count,
            learning_rate=rate,
            overridden=jnp.zeros([], jnp.bool_),
            override=jnp.zeros([], jnp.float32),
            plateau=rule.init(rate) if rule else (),
        )
        return place_like(params, state)

    def update(
        updates: optax.Updates,
        state: ScaleByLearningRateState,
        params: optax.Params | None = None,
        *,
        value: Any = None,
        **extra: Any,
    ) -> tuple[optax.Updates, ScaleByLearningRateState]:
        del params, extra
        rate = hyperparameters.at_count("learning_rate", base, state.count)
        rate = jnp.where(state.overridden, state.override, rate)
        watched = state.plateau
        if bool(rule) != isinstance(watched, PlateauState):
            raise ValueError(f"this state was made with{'out' if rule else ''} reduce_on_plateau; see load_state_dict")
        if rule and isinstance(watched, PlateauState):
            watched = watched._replace(numbers=rule.fresh_numbers(), base=rate)
            watched = watched if value is None else plateau.observed(watched, value, rule.axis_name)
            rate = plateau.reduced(watched)
        updates = map_wide(lambda update: -rate * update, updates)
        new = state._replace(count=increment(state.count), learning_rate=rate, plateau=watched)
        return updates, settled(where_due(new, state), state)

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
        raise ValueError(_not_recorded(x))
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


def set_learning_rate(x: Any, value: Number | None, *, group: str | None = None) -> Any:
    """Sets the learning rate by hand, from the next update on.

    Nothing recompiles: the state keeps its structure, dtypes and sharding. Where `reduce_on_plateau` watches, its cuts
    so far are undone, so that the rate is `value`, and later ones cut it.

    Args:
      x: as for `current_learning_rate`.
      value: the rate in place of the number or schedule, known or traced; None gives that back.
      group: set only the rate of this label of `optax.partition`, or at this path (see `learning_rates`).

    Returns:
      The container that was given: a new one, or an `nnx.Optimizer` itself, written in place.

    Raises:
      TypeError: `value` is not a number.
      ValueError: `value` is negative or not finite, no rate is recorded, or there is no such group.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_learning_rate(0.5)
      >>> state = set_learning_rate(link.init(jnp.zeros(1)), 0.25)
      >>> updates, state = link.update(jnp.ones(1), state)
      >>> float(updates[0]), float(current_learning_rate(state))
      (-0.25, 0.25)
      >>> updates, state = link.update(jnp.ones(1), set_learning_rate(state, None))
      >>> float(updates[0])
      -0.5
    """
    if value is not None:
        value = hyperparameters.number("value", value, minimum=0.0)
    groups = states.groups_of(x, ScaleByLearningRateState)
    if not groups:
        raise ValueError(_not_recorded(x))
    if group is not None and group not in groups:
        raise ValueError(f"group must be one of {', '.join(map(repr, sorted(groups)))}, got {group!r}")

    def change(state: ScaleByLearningRateState) -> ScaleByLearningRateState:
        if value is None:
            return state._replace(overridden=jnp.zeros_like(state.overridden))
        if isinstance(state.plateau, PlateauState):
            base, scale = jnp.full_like(state.plateau.base, value), jnp.ones_like(state.plateau.scale)
            state = state._replace(plateau=state.plateau._replace(base=base, scale=scale))
        override = jnp.full_like(state.override, value)
        return state._replace(overridden=jnp.ones_like(state.overridden), override=override)

    return states.change_states(x, ScaleByLearningRateState, change, group=group)


def observe(x: Any, metric: Any, *, axis_name: Any = None) -> Any:
    """Shows a metric to `reduce_on_plateau`: once an epoch, outside or inside jit.

    Args:
      x: as for `current_learning_rate`.
      metric: one number, such as a validation loss.
      axis_name: mesh axis or axes to average it over, inside `jax.shard_map`, so that all devices decide alike.

    Returns:
      The container that was given: a new one, or an `nnx.Optimizer` itself, written in place. A cut shows in the next
      update.

    Raises:
      TypeError: `metric` is not one number.
      ValueError: no rate is reduced on plateau.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.transforms import reduce_on_plateau
      >>> link = scale_by_learning_rate(reduce_on_plateau(1.0, factor=0.5, patience=0))
      >>> state = observe(observe(link.init(jnp.zeros(1)), 3.0), 3.0)
      >>> float(link.update(jnp.ones(1), state)[0][0])
      -0.5
    """
    found = states.find_states(x, ScaleByLearningRateState)
    if not any(isinstance(state.plateau, PlateauState) for state in found.values()):
        raise ValueError("nothing to observe: no learning rate in this optimizer state is jaxlr.reduce_on_plateau(...)")

    def change(state: ScaleByLearningRateState) -> ScaleByLearningRateState:
        if not isinstance(state.plateau, PlateauState):
            return state
        return state._replace(plateau=plateau.observed(state.plateau, metric, axis_name))

    return states.change_states(x, ScaleByLearningRateState, change)


def _rate(state: ScaleByLearningRateState) -> jax.Array:
    """The recorded rate; before the first update, one that was set by hand is that of the first."""
    state = states.as_arrays(state)
    return jnp.where((state.count == 0) & state.overridden, state.override, state.learning_rate)


def _not_recorded(x: Any) -> str:
    if isinstance(x, optax.GradientTransformation):
        return "this is an optimizer, which records nothing: give its state, as optimizer.init and update return it"
    return (
        "no learning rate is recorded in this optimizer state: end the chain with jaxlr.scale_by_learning_rate, "
        "or use one of jaxlr.sgd, jaxlr.rmsprop, jaxlr.adam, jaxlr.adamw"
    )
