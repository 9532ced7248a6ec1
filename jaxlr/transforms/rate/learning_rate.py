"""The learning rate: the link that applies and records it."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from jaxlr.schedules import Schedule
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described, telling
from jaxlr.transforms.hyperparameters import Held, NumberOrSchedule, number_or_schedule, require_outline, require_start
from jaxlr.transforms.parameters.context import Group, current_rates
from jaxlr.transforms.rate import controller
from jaxlr.transforms.rate.controller import Controller, ControllerState
from jaxlr.transforms.trees import cast_like, gradients_of, increment, map_wide, place_like
from jaxlr.transforms.waiting import link_state, settled, where_due

_BY_HAND = -(2.0**100)  # no rate


@link_state(quiet=("written", "overridden", "override", "base", "factor", "share"))
class ScaleByLearningRateState(NamedTuple):
    """State of `scale_by_learning_rate`; the same for a number and for a schedule."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    learning_rate: jax.Array  # float32, (): rate of the last update; before the first, what the schedule gives it
    # float32, (): the same; where the two differ, somebody wrote a rate over the record, which stands from then on
    written: jax.Array
    # int32, (): 1 where `override` stands in place of the number or schedule, else 0. No bool: what is around may blend
    # states arithmetically, as `optax.contrib.sam` does, and their dtypes must not change.
    overridden: jax.Array
    override: jax.Array  # float32, (): the rate that was set by hand
    rule: ControllerState | tuple[()]  # that of a rule such as reduce_on_plateau; () without one
    base: jax.Array  # float32, (): what the number or schedule gave at the last update
    factor: jax.Array  # float32, (): what was set by hand to multiply any rate
    share: jax.Array  # float32, (): the factor of its group, of a rate that is set for all; 1 without one
    held: Schedule | tuple[()]  # the schedule itself, where it was given as `held`


@telling()
class GroupedRatesState(NamedTuple):
    """State of `scale_by_learning_rate` inside a `ParameterGroups` with rates."""

    groups: dict[str, ScaleByLearningRateState]  # by the name of the group


@described
def scale_by_learning_rate(
    learning_rate: NumberOrSchedule | Controller | Held,
) -> optax.GradientTransformationExtraArgs:
    """Multiplies by minus the learning rate and records the rate: the last link of a chain.

    u -> -rate(n) u, n = updates applied before this one

    The rate is float32 whatever the dtype of the updates, which they keep. A change of the number, or of a schedule's
    numbers, needs no new compilation where the transformation is made inside the jitted step from a traced rate.
    A rate that is written over the record, as by `optax.tree.set(state, learning_rate=...)`, stands from the next
    update on, as if by `set_learning_rate`, which checks it and says it of groups.

    Args:
      learning_rate: a number, known or traced; a schedule: a callable update count (int32) -> rate; or
        a rule over either: `reduce_on_plateau`, `kl_adaptive`, `greedy`.

    Returns:
      A gradient transformation whose state records `count` and `learning_rate`.

    Raises:
      TypeError: `learning_rate` is neither, or the schedule does not return one number.
      ValueError: `learning_rate` is negative or not finite, at any count at which that is known.

    Example:
      >>> import jax.numpy as jnp, jaxlr, optax
      >>> chain = optax.chain(optax.scale_by_lion(), scale_by_learning_rate(lambda n: 0.5 / (1 + n)))
      >>> params = jnp.array([1.0])
      >>> state = chain.init(params)
      >>> for _ in range(2):
      ...   updates, state = chain.update(jnp.array([3.0]), state, params)
      >>> float(updates[0]), float(jaxlr.current_learning_rate(state))
      (-0.25, 0.25)
    """
    rule = learning_rate if isinstance(learning_rate, Controller) else None
    given = rule.learning_rate if rule else learning_rate
    base = given if isinstance(given, Held) else _Rate(number_or_schedule("learning_rate", given, minimum=0.0))

    def start(rate: jax.Array, share: Any = 1.0) -> ScaleByLearningRateState:
        return ScaleByLearningRateState(
            count=jnp.zeros([], jnp.int32),
            learning_rate=rate,
            written=jnp.array(rate),
            overridden=jnp.zeros([], jnp.int32),
            override=jnp.zeros([], jnp.float32),
            rule=rule.init(rate) if rule else (),
            base=jnp.array(rate),
            factor=jnp.ones([], jnp.float32),
            share=jnp.array(share, jnp.float32),
            held=base.copy() if isinstance(base, Held) else (),
        )

    def init(params: optax.Params) -> ScaleByLearningRateState | GroupedRatesState:
        count = jnp.zeros([], jnp.int32)
        require_start("learning_rate", base.schedule if isinstance(base, Held) else base.value, count, minimum=0.0)
        rate = base.at(count, base.copy() if isinstance(base, Held) else ())
        groups = current_rates(start, params)
        if groups is None:
            return place_like(params, start(rate))
        for group in _each(groups):
            require_start(f"the rate of the group {group.name!r}", group.rate, count, minimum=0.0)
        states = {group.name: start(group.at(rate, count), group.share) for group in _each(groups)}
        return place_like(params, GroupedRatesState(states))

    def advance(
        state: ScaleByLearningRateState, rate: jax.Array, value: Any
    ) -> tuple[jax.Array, ScaleByLearningRateState]:
        controller.require_same(rule, state.rule)
        new = state._replace(base=rate, count=increment(state.count))
        if not (rule and controller.is_controller_state(state.rule)):
            # What was written over the record stays there: a loop carries the three numbers of `heard` untouched.
            now, by_hand = _record(state)
            rate = jnp.where(by_hand, now, by_state(state, rate))
            return rate, new._replace(learning_rate=rate, written=jnp.where(by_hand, _BY_HAND, rate))
        state = heard(state)
        new = new._replace(overridden=state.overridden, override=state.override, factor=state.factor)
        watched = cast(ControllerState, state.rule)._replace(numbers=rule.fresh_numbers(), base=by_state(state, rate))
        watched = watched if value is None else controller.observed(watched, value, rule.axis_name)
        rate = watched.rate()
        return rate, new._replace(learning_rate=rate, written=jnp.array(rate), rule=watched)

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
        if not state.groups:  # all its parameters are left out
            return updates, state
        first = next(iter(state.groups.values()))
        common = base.at(first.count, first.held)
        rates, states = {}, {}
        for group in _each(groups):
            old = state.groups[group.name]
            rates[group.name], states[group.name] = advance(old, group.at(common, old.count), value)
        steps = jax.tree.map(lambda u, g: -rates[g.name] * u, gradients_of(updates), groups)
        new = GroupedRatesState({name: states.get(name, old) for name, old in state.groups.items()})
        return cast_like(steps, updates), settled(where_due(new, state), state)

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
      ValueError: it is known to fall below 0.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> link = scale_by_learning_rate(held(jaxlr.linear(1.0, 0.0, 10)))
      >>> state = jaxlr.set_schedule(link.init(jnp.zeros(1)), jaxlr.linear(0.5, 0.0, 20))
      >>> jaxlr.current_schedule(state)
      linear(init_value=0.5, end_value=0.0, transition_steps=20)
      >>> float(link.update(jnp.ones(1), state)[0][0])
      -0.5
    """
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule must be a jaxlr.Schedule, got {schedule!r}")
    require_outline("schedule", schedule, minimum=0.0)
    return Held(schedule)


@dataclasses.dataclass(frozen=True)
class _Rate:
    """A number, or a schedule that stands in the program."""

    value: Any

    def at(self, count: jax.Array, now: Any) -> jax.Array:
        """The rate; there is nothing in the state to ask."""
        del now
        return hyperparameters.at_count("learning_rate", self.value, count)


def _record(state: ScaleByLearningRateState) -> tuple[jax.Array, jax.Array]:
    """The recorded rate, and whether somebody wrote it over the record."""
    rate = jnp.asarray(state.learning_rate, jnp.float32)
    return rate, (rate < state.written) | (rate > state.written)  # not where it is NaN


def by_state(state: ScaleByLearningRateState, rate: jax.Array) -> jax.Array:
    """What was set by hand, or else this rate, times the factor that was."""
    return jnp.where(state.overridden > 0, state.override, rate) * state.factor


def heard(state: ScaleByLearningRateState) -> ScaleByLearningRateState:
    """The state in which a rate that somebody wrote over the record is one that was set by hand."""
    rate, by_hand = _record(state)
    heard = state._replace(
        overridden=jnp.where(by_hand, jnp.ones_like(state.overridden), state.overridden),
        override=jnp.where(by_hand, rate, state.override),
        factor=jnp.where(by_hand, jnp.ones_like(state.factor), state.factor),
    )
    if not controller.is_controller_state(state.rule):
        return heard
    rule = jax.tree.map(lambda new, old: jnp.where(by_hand, new, old), state.rule.undone(), state.rule)
    return heard._replace(rule=rule)


def _each(groups: Any) -> list[Group]:
    """The groups on a tree, each once, in the order of their names."""
    found = {group.name: group for group in jax.tree.leaves(groups)}
    return [found[name] for name in sorted(found)]
