"""Reduce on plateau: a rule over any learning rate that cuts it when a metric has stopped improving."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import telling
from jaxlr.transforms.hyperparameters import Held, Number, NumberOrSchedule
from jaxlr.transforms.rate.controller import Controller, base_of, controller_state


@telling()
class PlateauNumbers(NamedTuple):
    """The numbers of a rule, in the state so that `observe` needs nothing else; each update brings them up to date."""

    sign: Any  # float32, (): 1 for a metric that should fall, -1 for one that should rise
    factor: Any  # float32, (): a cut multiplies the rate by it
    limit: Any  # int32, (): bad observations in a row that make a cut
    relative: Any  # float32, (): the margin of an improvement, as a share of the best metric
    absolute: Any  # float32, (): the margin of an improvement
    cooldown: Any  # int32, (): observations after a cut that are never bad; below 0 they are not looked at either
    min_lr: Any  # float32, (): cuts stop at this rate
    min_scale: Any  # float32, (): cuts stop at this share of the rate without the rule
    eps: Any  # float32, (): smaller cuts are not made
    window: Any  # int32, (): metrics averaged into one observation
    skip_nan: Any  # bool, (): a NaN is no observation


@controller_state("reduce_on_plateau")
@telling("numbers")
class PlateauState(NamedTuple):
    """State of a rule, inside that of `scale_by_learning_rate`."""

    numbers: PlateauNumbers
    base: jax.Array  # float32, (): the rate without the rule at the last update
    scale: jax.Array  # float32, (): what the cuts have left of it
    best: jax.Array  # float32, (): best observation, signed so that less is better
    bad: jax.Array  # int32, (): bad observations since the last good one or cut
    cooling: jax.Array  # int32, (): observations that are still never bad; below 0 they are not looked at either
    total: jax.Array  # float32, (): sum of the metrics in the unfinished window
    seen: jax.Array  # int32, (): how many they are

    def rate(self) -> jax.Array:
        """The rate under the rule: between the base and `min_lr`, and never above the base."""
        return _reduced(self, self.scale)

    def shown(self, metric: jax.Array) -> PlateauState:
        """The state after one more metric."""
        return _shown(self, metric)

    def undone(self) -> PlateauState:
        """The state without its cuts."""
        return self._replace(scale=jnp.ones_like(self.scale))


class ReduceOnPlateau(Controller):
    """What `reduce_on_plateau` returns: a rate and the rule over it."""

    name = "reduce_on_plateau"

    def init(self, base: jax.Array) -> PlateauState:
        """The state before the first observation."""
        return PlateauState(
            numbers=self.fresh_numbers(),
            base=jnp.array(base),
            scale=jnp.ones([], jnp.float32),
            best=jnp.full([], jnp.inf, jnp.float32),
            bad=jnp.zeros([], jnp.int32),
            cooling=jnp.zeros([], jnp.int32),
            total=jnp.zeros([], jnp.float32),
            seen=jnp.zeros([], jnp.int32),
        )


def reduce_on_plateau(
    learning_rate: NumberOrSchedule | Held,
    *,
    mode: Literal["min", "max"] = "min",
    factor: Number = 0.1,
    patience: int = 10,
    threshold: Number = 1e-4,
    threshold_mode: Literal["rel", "abs"] = "rel",
    cooldown: int = 0,
    min_lr: Number = 0.0,
    min_scale: Number = 0.0,
    eps: Number = 1e-8,
    patience_rule: Literal["torch", "keras"] = "torch",
    best_in_cooldown: bool = True,
    window: int = 1,
    nan: Literal["bad", "skip"] = "bad",
    axis_name: Any = None,
) -> ReduceOnPlateau:
    """Cuts a learning rate when a metric has stopped improving; goes wherever a learning rate goes.

    rate(n) = min(s(n), max(s(n) * scale, min_lr)); scale is 1 at first, and each cut multiplies it by `factor`

    The metric comes from `jaxlr.observe(opt_state, metric)`, once an epoch, or from `update(..., value=metric)`.

    Args:
      learning_rate: a number, a schedule, or one that is `held`.
      mode: "min" if the metric should fall, "max" if it should rise.
      factor: in [0, 1).
      patience: bad observations in a row that are borne; the next makes the cut (the last of them, with Keras' rule).
      threshold: an observation is good if it is better than the best by more than `threshold * abs(best)` ("rel") or
        `threshold` ("abs"). So a metric below 0 works; PyTorch's own "rel" rule never cuts on one.
      threshold_mode: "rel" or "abs"; Keras' `min_delta` is "abs".
      cooldown: observations after a cut that do not count as bad (one fewer with Keras' rule).
      min_lr: cuts stop at this rate; a schedule may go below it.
      min_scale: cuts stop at this share of the schedule's rate.
      eps: a cut of the rate by no more than this is not made.
      patience_rule: "torch" or "keras".
      best_in_cooldown: whether an observation within the cooldown may be the best one, as in PyTorch and Keras.
      window: the mean of so many metrics is one observation.
      nan: what a NaN is: a "bad" observation (PyTorch, Keras), or none at all: "skip".
      axis_name: mesh axis or axes over which `value=` is averaged, inside `jax.shard_map`; see also `observe`.

    Returns:
      A rule for `scale_by_learning_rate` or an optimizer.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.transforms import current_learning_rate, observe, scale_by_learning_rate
      >>> link = scale_by_learning_rate(reduce_on_plateau(1.0, factor=0.5, patience=1))
      >>> state = link.init(jnp.zeros(1))
      >>> for loss in (3.0, 2.0, 2.0, 2.0, 2.0):
      ...   updates, state = link.update(jnp.ones(1), observe(state, loss))
      ...   print(float(current_learning_rate(state)), end=" ")
      1.0 1.0 1.0 0.5 0.5
    """
    learning_rate = base_of(learning_rate)
    mode = hyperparameters.choice("mode", mode, ("min", "max"))
    relative = hyperparameters.choice("threshold_mode", threshold_mode, ("rel", "abs")) == "rel"
    keras = hyperparameters.choice("patience_rule", patience_rule, ("torch", "keras")) == "keras"
    patience = hyperparameters.integer("patience", patience, minimum=0)
    cooldown = hyperparameters.integer("cooldown", cooldown, minimum=0)
    cooling = jnp.maximum(cooldown - 1, 0) if keras else cooldown
    threshold = hyperparameters.number("threshold", threshold, minimum=0.0)
    numbers = PlateauNumbers(
        sign=1.0 if mode == "min" else -1.0,
        factor=hyperparameters.number("factor", factor, minimum=0.0, below=1.0),
        limit=jnp.maximum(patience, 1) if keras else patience + 1,
        relative=threshold if relative else 0.0,
        absolute=0.0 if relative else threshold,
        cooldown=cooling if hyperparameters.choice("best_in_cooldown", best_in_cooldown, (True, False)) else -cooling,
        min_lr=hyperparameters.number("min_lr", min_lr, minimum=0.0),
        min_scale=hyperparameters.number("min_scale", min_scale, minimum=0.0),
        eps=hyperparameters.number("eps", eps, minimum=0.0),
        window=hyperparameters.integer("window", window, minimum=1),
        skip_nan=np.bool_(hyperparameters.choice("nan", nan, ("bad", "skip")) == "skip"),
    )
    return ReduceOnPlateau(learning_rate, numbers, axis_name)


def _shown(state: PlateauState, metric: jax.Array) -> PlateauState:
    skipped = state.numbers.skip_nan & jnp.isnan(metric)
    total = jnp.where(skipped, state.total, state.total + state.numbers.sign * metric)
    seen = jnp.where(skipped, state.seen, state.seen + 1)
    complete = ~skipped & (seen >= state.numbers.window)
    judged = _judged(state, total / jnp.maximum(seen, 1).astype(jnp.float32))
    judged = jax.tree.map(lambda new, old: jnp.where(complete, new, old), judged, state)
    return judged._replace(total=jnp.where(complete, 0.0, total), seen=jnp.where(complete, 0, seen))


def _judged(state: PlateauState, observation: jax.Array) -> PlateauState:
    """PyTorch's rule; the others are the same with another limit and cooldown."""
    numbers = state.numbers
    margin = numbers.absolute + numbers.relative * jnp.abs(state.best)
    good = observation < jnp.where(jnp.isinf(state.best), state.best, state.best - margin)
    good, cooling = good & (state.cooling >= 0), state.cooling != 0
    bad = jnp.where(good | cooling, 0, state.bad + 1)
    due = bad >= numbers.limit
    scale = jnp.maximum(state.scale * numbers.factor, jnp.minimum(numbers.min_scale, state.scale))
    worthwhile = _reduced(state, state.scale) - _reduced(state, scale) > numbers.eps
    return state._replace(
        scale=jnp.where(due & worthwhile, scale, state.scale),
        best=jnp.where(good, observation, state.best),
        bad=jnp.where(due, 0, bad),
        cooling=jnp.where(due, numbers.cooldown, state.cooling - jnp.sign(state.cooling)),
    )


def _reduced(state: PlateauState, scale: jax.Array) -> jax.Array:
    return jnp.minimum(state.base, jnp.maximum(state.base * scale, state.numbers.min_lr))
