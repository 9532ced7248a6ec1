"""Reading and setting the learning rate in an optimizer state, and the schedule that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer

from jaxlr.schedules import Schedule
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.rate import controller
from jaxlr.transforms.rate.learning_rate import ScaleByLearningRateState, by_state, heard
from jaxlr.transforms.state import walk as states
from jaxlr.transforms.trees import like

KEEP: Any = type("KEEP", (), {"__repr__": lambda self: "KEEP"})()  # the value that `set_learning_rate` leaves as it is


def current_schedule(x: Any) -> Schedule:
    """The schedule that an optimizer state holds.

    Args:
      x: as for `current_learning_rate`.

    Returns:
      The schedule with its numbers of now.

    Raises:
      ValueError: none is held, or several.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> current_schedule(jaxlr.scale_by_learning_rate(jaxlr.held(jaxlr.constant(0.5))).init(jnp.zeros(1)))
      constant(value=0.5)
    """
    found = {label: each.held for label, each in _states(x).items() if isinstance(each.held, Schedule)}
    if any(isinstance(each.held, Mapping) for each in _states(x).values()):
        raise ValueError(
            "the numbers of the held schedule are here without its form, as nnx.state leaves them: give the "
            "nnx.Optimizer itself"
        )
    if not found:
        raise ValueError("no schedule is held in this optimizer state: give the learning rate as jaxlr.held(schedule)")
    texts = {repr(schedule) for schedule in found.values()}
    if len(texts) > 1:
        raise ValueError(f"several schedules are held: {', '.join(f'{name}: {each}' for name, each in found.items())}")
    return jax.tree.map(jnp.array, next(iter(found.values())))


def set_schedule(x: Any, schedule: Schedule) -> Any:
    """Puts another schedule of the same form into an optimizer state; nothing recompiles.

    Args:
      x: as for `current_learning_rate`.
      schedule: such as `current_schedule(x).replace(...)` or `jaxlr.retime(current_schedule(x), ...)`.

    Returns:
      The container that was given, with the rate of its next update.

    Raises:
      ValueError: no schedule is held, or one of another form, or `schedule` is known to fall below 0.

    Example:
      See `held`.
    """
    current_schedule(x)
    hyperparameters.require_outline("schedule", schedule, minimum=0.0)

    def change(state: ScaleByLearningRateState) -> ScaleByLearningRateState:
        if not isinstance(state.held, Schedule):
            return state
        if jax.tree.structure(schedule) != jax.tree.structure(state.held):
            raise ValueError(f"schedule must have the form of the held {state.held!r}, got {schedule!r}")
        numbers = jax.tree.map(lambda old, new: like(old, new), state.held, schedule)
        return state._replace(held=numbers)

    return states.change_states(x, ScaleByLearningRateState, change)


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
      >>> import jax.numpy as jnp, jaxlr
      >>> float(current_learning_rate(jaxlr.scale_by_learning_rate(0.25).init(jnp.zeros(3))))
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
    known = jax.device_get(rates)
    if len({rate.tobytes() for rate in map(np.asarray, known.values())}) > 1:
        listed = ", ".join(f"{label}: {known[label]}" for label in rates)
        raise ValueError(f"several learning rates: {listed}; read them with jaxlr.learning_rates")
    return first


def learning_rates(x: Any) -> dict[str, jax.Array]:
    """Every recorded learning rate, by the label of `optax.partition`, or else by the path to the state that holds it.

    Args:
      x: as for `current_learning_rate`.

    Returns:
      Float32 scalars; an empty dictionary where no rate is recorded.

    Example:
      >>> import jax.numpy as jnp, jaxlr, optax
      >>> two = {"slow": jaxlr.scale_by_learning_rate(0.125), "fast": jaxlr.scale_by_learning_rate(0.5)}
      >>> params = {"head": jnp.ones(2), "body": jnp.ones(2)}
      >>> state = optax.partition(two, {"head": "fast", "body": "slow"}).init(params)
      >>> {label: float(rate) for label, rate in learning_rates(state).items()}
      {'fast': 0.5, 'slow': 0.125}
    """
    return {label: jnp.array(state.learning_rate) for label, state in _states(x).items()}


def set_learning_rate(x: Any, value: Any = KEEP, *, factor: Any = None, group: str | None = None) -> Any:
    """Sets the learning rate by hand, from the next update on.

    Nothing recompiles: the state keeps its structure, dtypes and sharding. `current_learning_rate` says the new rate at
    once. Where a rule such as `reduce_on_plateau` watches, what it did so far is undone: the rate is `value`, and it
    goes on from there.

    Args:
      x: as for `current_learning_rate`.
      value: the rate in place of the number or schedule, known or traced; None gives that back. Set for all, groups of
        parameters have it times their factors; set for a group, it has it as it is.
      factor: multiplies whatever comes from now on, and lasts when the schedule is given back; 1 until set.
      group: set only the rate of this label of `optax.partition` or group of parameters, or at this path (see
        `learning_rates`).

    Returns:
      The container that was given: a new one where it can be copied; an `nnx.Optimizer` or a plain object with
      `opt_state` is written in place.

    Raises:
      TypeError: `value` or `factor` is not a number, both are left out, or the container can't be written.
      ValueError: either is negative or not finite, no rate is recorded, or there is no such group.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> link = jaxlr.scale_by_learning_rate(0.5)
      >>> state = set_learning_rate(link.init(jnp.zeros(1)), 0.25)
      >>> updates, state = link.update(jnp.ones(1), state)
      >>> float(updates[0]), float(current_learning_rate(state))
      (-0.25, 0.25)
      >>> state = set_learning_rate(state, None, factor=0.5)
      >>> updates, state = link.update(jnp.ones(1), state)
      >>> float(updates[0])
      -0.25
    """
    if value is KEEP and factor is None:
        raise TypeError("set_learning_rate needs a value, or factor=; None as value gives the schedule back")
    numbers = {
        name: hyperparameters.number(name, given, minimum=0.0)
        for name, given in (("value", value), ("factor", factor))
        if given is not None and given is not KEEP
    }
    groups = states.groups_of(x, ScaleByLearningRateState)
    if not groups:
        raise ValueError(_not_recorded(x))
    if group is not None and group not in groups:
        raise ValueError(f"group must be one of {', '.join(map(repr, sorted(groups)))}, got {group!r}")

    def change(state: ScaleByLearningRateState) -> ScaleByLearningRateState:
        state = heard(state)
        if "factor" in numbers:
            state = state._replace(factor=like(state.factor, numbers["factor"]))
        if value is None:
            state = state._replace(overridden=like(state.overridden, False))
        elif "value" in numbers:
            override = like(state.override, numbers["value"])
            override = override if group else override * state.share
            state = state._replace(overridden=like(state.overridden, True), override=override)
        rate = by_state(state, state.base)
        if controller.is_controller_state(state.rule):
            watched = state.rule._replace(base=rate)
            watched = _placed(watched.undone(), watched) if "value" in numbers else watched
            state, rate = state._replace(rule=watched), watched.rate()
        return state._replace(learning_rate=rate, written=jnp.array(rate))

    return states.change_states(x, ScaleByLearningRateState, change, group=group)


def observe(x: Any, metric: Any, *, axis_name: Any = None) -> Any:
    """Shows a metric to `reduce_on_plateau`, `kl_adaptive` or `greedy`: once an epoch, say, outside or inside jit.

    Args:
      x: as for `current_learning_rate`.
      metric: one number, such as a validation loss.
      axis_name: mesh axis or axes to average it over, inside `jax.shard_map`, so that all devices decide alike.

    Returns:
      The container that was given: a new one, or an `nnx.Optimizer` itself, written in place. What the rule
      makes of it shows in the next update.

    Raises:
      TypeError: `metric` is not one number.
      ValueError: no rate is under a rule.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> link = jaxlr.scale_by_learning_rate(jaxlr.reduce_on_plateau(1.0, factor=0.5, patience=0))
      >>> state = observe(observe(link.init(jnp.zeros(1)), 3.0), 3.0)
      >>> float(link.update(jnp.ones(1), state)[0][0])
      -0.5
    """
    found = _states(x)
    if not any(controller.is_controller_state(state.rule) for state in found.values()):
        raise ValueError(
            "nothing to observe: no learning rate in this optimizer state is under a rule, such as "
            "jaxlr.reduce_on_plateau(...), jaxlr.kl_adaptive(...) or jaxlr.greedy(...)"
        )

    def change(state: ScaleByLearningRateState) -> ScaleByLearningRateState:
        if not controller.is_controller_state(state.rule):
            return state
        return state._replace(rule=controller.observed(state.rule, metric, axis_name))

    return states.change_states(x, ScaleByLearningRateState, change)


def _placed(rule: Any, old: Any) -> Any:
    """The state of a rule, with what is new in it where the old lies."""
    return jax.tree.map(lambda leaf, new: leaf if new is leaf else like(leaf, new), old, rule)


def _states(x: Any) -> dict[str, ScaleByLearningRateState]:
    found = states.find_states(x, ScaleByLearningRateState)
    return {label: states.as_arrays(state) for label, state in found.items()}


def _not_recorded(x: Any) -> str:
    if isinstance(x, optax.GradientTransformation):
        return "this is an optimizer, which records nothing: give its state, as optimizer.init and update return it"
    return (
        "no learning rate is recorded in this optimizer state: end the chain with jaxlr.scale_by_learning_rate, "
        "or use one of jaxlr.sgd, jaxlr.rmsprop, jaxlr.adam, jaxlr.adamw"
    )
