"""The learning rate: the link that applies and records it, and the functions that read and set it."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer

from jaxlr.schedules import Schedule
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.groups.context import Group, current_rates
from jaxlr.transforms.hyperparameters import NumberOrSchedule, number_or_schedule
from jaxlr.transforms.rate import plateau
from jaxlr.transforms.rate.plateau import PlateauState, ReduceOnPlateau
from jaxlr.transforms.state import search as states
from jaxlr.transforms.trees import increment, like, map_wide, place_like, widen
from jaxlr.transforms.waiting import link_state, settled, where_due

KEEP: Any = type("KEEP", (), {"__repr__": lambda self: "KEEP"})()  # the value that `set_learning_rate` leaves as it is


@link_state()
class ScaleByLearningRateState(NamedTuple):
    """State of `scale_by_learning_rate`; the same for a number and for a schedule."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    learning_rate: jax.Array  # float32, (): rate of the last update; before the first, what the schedule gives it
    overridden: jax.Array  # bool, (): whether `override` stands in place of the number or schedule
    override: jax.Array  # float32, (): the rate that was set by hand
    plateau: PlateauState | tuple[()]  # that of the rule reduce_on_plateau; () without one
    base: jax.Array  # float32, (): what the number or schedule gave at the last update
    factor: jax.Array  # float32, (): what was set by hand to multiply any rate
    share: jax.Array  # float32, (): the factor of its group, of a rate that is set for all; 1 without one
    held: Schedule | tuple[()]  # the schedule itself, where it was given as `held`


class GroupedRatesState(NamedTuple):
    """State of `scale_by_learning_rate` inside a `ParameterGroups` with rates."""

    groups: dict[str, ScaleByLearningRateState]  # by the name of the group


def scale_by_learning_rate(
    learning_rate: NumberOrSchedule | ReduceOnPlateau | Held,
) -> optax.GradientTransformationExtraArgs:
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
    given = rule.learning_rate if rule else learning_rate
    base = given if isinstance(given, Held) else _Rate(number_or_schedule("learning_rate", given, minimum=0.0))

    def start(rate: jax.Array, share: Any = 1.0) -> ScaleByLearningRateState:
        return ScaleByLearningRateState(
            count=jnp.zeros([], jnp.int32),
            learning_rate=rate,
            overridden=jnp.zeros([], jnp.bool_),
            override=jnp.zeros([], jnp.float32),
            plateau=rule.init(rate) if rule else (),
            base=jnp.array(rate),
            factor=jnp.ones([], jnp.float32),
            share=jnp.array(share, jnp.float32),
            held=base.copy() if isinstance(base, Held) else (),
        )

    def init(params: optax.Params) -> ScaleByLearningRateState | GroupedRatesState:
        count = jnp.zeros([], jnp.int32)
        rate = base.at(count, base.copy() if isinstance(base, Held) else ())
        require_usable("learning_rate", rate)
        groups = current_rates(start, params)
        if groups is None:
            return place_like(params, start(rate))
        states = {group.name: start(group.at(rate, count), group.share) for group in _each(groups)}
        return place_like(params, GroupedRatesState(states))

    def advance(
        state: ScaleByLearningRateState, rate: jax.Array, value: Any
    ) -> tuple[jax.Array, ScaleByLearningRateState]:
        new = state._replace(base=rate, count=increment(state.count))
        rate = jnp.where(state.overridden, state.override, rate) * state.factor
        watched = state.plateau
        if bool(rule) != isinstance(watched, PlateauState):
            raise ValueError(f"this state was made with{'out' if rule else ''} reduce_on_plateau; see load_state_dict")
        if rule and isinstance(watched, PlateauState):
            watched = watched._replace(numbers=rule.fresh_numbers(), base=rate)
            watched = watched if value is None else plateau.observed(watched, value, rule.axis_name)
            rate = plateau.reduced(watched)
        return rate, new._replace(learning_rate=rate, plateau=watched)

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None, *, value: Any = None, **extra: Any
    ) -> tuple[optax.Updates, Any]:
        del params, extra
        groups = current_rates(state, updates)
        if (groups is not None) != isinstance(state, GroupedRatesState):
            raise ValueError(
                f"this state was made with{'out' if groups is not None else ''} the rates of ParameterGroups around "
                "the optimizer, and is updated otherwise; see load_state_dict"
            )
        if groups is None:
            rate, new = advance(state, base.at(state.count, state.held), value)
            return map_wide(lambda update: -rate * update, updates), settled(where_due(new, state), state)
        first = next(iter(state.groups.values()))
        common = base.at(first.count, first.held)
        rates, states = {}, {}
        for group in _each(groups):
            old = state.groups[group.name]
            rates[group.name], states[group.name] = advance(old, group.at(common, old.count), value)
        updates = jax.tree.map(lambda u, g: (-rates[g.name] * widen(u)).astype(u.dtype), updates, groups)
        new = GroupedRatesState({name: states.get(name, old) for name, old in state.groups.items()})
        return updates, settled(where_due(new, state), state)

    return optax.GradientTransformationExtraArgs(cast(Any, init), cast(Any, update))


def held(schedule: Schedule) -> Held:
    """A schedule whose numbers live in the optimizer's state: saved with it, and changed in mid-run without a retrace.

    Args:
      schedule: of jaxlr.

    Returns:
      What goes where a learning rate goes; `current_schedule` reads it from a state, `set_schedule` puts another of the
      same form there.

    Raises:
      TypeError: `schedule` is not a `jaxlr.Schedule`.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> link = scale_by_learning_rate(held(jaxlr.linear(1.0, 0.0, 10)))
      >>> state = set_schedule(link.init(jnp.zeros(1)), jaxlr.linear(0.5, 0.0, 20))
      >>> current_schedule(state)
      linear(init_value=0.5, end_value=0.0, transition_steps=20)
      >>> float(link.update(jnp.ones(1), state)[0][0])
      -0.5
    """
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule must be a jaxlr.Schedule, got {schedule!r}")
    return Held(schedule)


@dataclasses.dataclass(frozen=True)
class Held:
    """What `held` returns."""

    schedule: Schedule

    def copy(self) -> Schedule:
        """The schedule in arrays of its own, which may be donated."""
        return jax.tree.map(jnp.array, self.schedule)

    def at(self, count: jax.Array, now: Any) -> jax.Array:
        """The rate by the schedule that the state holds."""
        return hyperparameters.at_count("learning_rate", now, count)


@dataclasses.dataclass(frozen=True)
class _Rate:
    """A number, or a schedule that stands in the program."""

    value: Any

    def at(self, count: jax.Array, now: Any) -> jax.Array:
        """The rate; there is nothing in the state to ask."""
        del now
        return hyperparameters.at_count("learning_rate", self.value, count)


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
      >>> current_schedule(scale_by_learning_rate(held(jaxlr.constant(0.5))).init(jnp.zeros(1)))
      constant(value=0.5)
    """
    found = {label: each.held for label, each in _states(x).items() if isinstance(each.held, Schedule)}
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
      ValueError: no schedule is held, or one of another form.

    Example:
      See `held`.
    """
    current_schedule(x)

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
    return {label: jnp.array(state.learning_rate) for label, state in _states(x).items()}


def set_learning_rate(x: Any, value: Any = KEEP, *, factor: Any = None, group: str | None = None) -> Any:
    """Sets the learning rate by hand, from the next update on.

    Nothing recompiles: the state keeps its structure, dtypes and sharding. `current_learning_rate` says the new rate at
    once. Where `reduce_on_plateau` watches, its cuts so far are undone: the rate is `value`, and later cuts cut it.

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
      >>> import jax.numpy as jnp
      >>> link = scale_by_learning_rate(0.5)
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
        if "factor" in numbers:
            state = state._replace(factor=like(state.factor, numbers["factor"]))
        if value is None:
            state = state._replace(overridden=like(state.overridden, False))
        elif "value" in numbers:
            override = like(state.override, numbers["value"])
            override = override if group else override * state.share
            state = state._replace(overridden=like(state.overridden, True), override=override)
        rate = jnp.where(state.overridden, state.override, state.base) * state.factor
        if isinstance(state.plateau, PlateauState):
            watched = state.plateau._replace(base=rate)
            watched = watched._replace(scale=like(watched.scale, 1.0)) if "value" in numbers else watched
            state, rate = state._replace(plateau=watched), plateau.reduced(watched)
        return state._replace(learning_rate=rate)

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
    found = _states(x)
    if not any(isinstance(state.plateau, PlateauState) for state in found.values()):
        raise ValueError("nothing to observe: no learning rate in this optimizer state is jaxlr.reduce_on_plateau(...)")

    def change(state: ScaleByLearningRateState) -> ScaleByLearningRateState:
        if not isinstance(state.plateau, PlateauState):
            return state
        return state._replace(plateau=plateau.observed(state.plateau, metric, axis_name))

    return states.change_states(x, ScaleByLearningRateState, change)


def require_usable(name: str, rate: jax.Array) -> None:
    """Raises for a rate that is known to train uphill or to be no number."""
    if isinstance(rate, Tracer):
        return
    known = float(jax.device_get(rate))
    if not 0.0 <= known < float("inf"):
        raise ValueError(f"{name} at count 0 must be finite and at least 0, got {known:g}")


def _states(x: Any) -> dict[str, ScaleByLearningRateState]:
    found = states.find_states(x, ScaleByLearningRateState)
    return {label: states.as_arrays(state) for label, state in found.items()}


def _each(groups: Any) -> list[Group]:
    """The groups on a tree, each once, in the order of their names."""
    found = {group.name: group for group in jax.tree.leaves(groups)}
    return [found[name] for name in sorted(found)]


def _not_recorded(x: Any) -> str:
    if isinstance(x, optax.GradientTransformation):
        return "this is an optimizer, which records nothing: give its state, as optimizer.init and update return it"
    return (
        "no learning rate is recorded in this optimizer state: end the chain with jaxlr.scale_by_learning_rate, "
        "or use one of jaxlr.sgd, jaxlr.rmsprop, jaxlr.adam, jaxlr.adamw"
    )
