"""GreedyLR: a rate that is raised while a metric improves and lowered while it does not."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxlr.numerics import wide
from jaxlr.numerics.wide import Wide
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import telling
from jaxlr.transforms.hyperparameters import Held, Number, NumberOrSchedule
from jaxlr.transforms.rate.controller import Controller, base_of, controller_state, exactly
from jaxlr.transforms.rate.scales import bounded, clamped, limits

_SAME = 2.0**-36  # of a rate: what the arithmetic may leave between it and a limit that it has reached


@telling()
class GreedyNumbers(NamedTuple):
    """The numbers of a rule: two float32 each, (), but for the integers."""

    sign: Any  # float32, (): 1 for a metric that should fall, -1 for one that should rise
    factor: Wide  # a cut multiplies the rate by it, a raise divides
    patience: Any  # int32, (): good or bad metrics in a row that are borne
    relative: Wide  # the margin of an improvement, as a share of the best metric
    absolute: Wide  # the margin of an improvement
    cooldown: Any  # int32, (): metrics after a cut that are not judged
    warmup: Any  # int32, (): metrics after a raise that are not judged
    min_lr: Wide  # cuts stop at it
    max_lr: Wide  # raises stop at it
    eps: Wide  # smaller changes of the rate are not made
    reset_start: Any  # int32, (): cuts due at min_lr after which everything begins anew


@telling()
class GreedyMemory(NamedTuple):
    """What the rule remembers, and forgets at a reset."""

    scale: Wide  # two float32, (): what cuts and raises have made of the rate
    best: Wide  # two float32, (): best metric, signed so that less is better
    good: jax.Array  # int32, (): good metrics in a row
    bad: jax.Array  # int32, (): bad metrics in a row
    resting: jax.Array  # int32, (): metrics that are still not judged
    left: jax.Array  # int32, (): cuts due at min_lr until a reset
    recent: jax.Array | tuple[()]  # float32, (window_size,): the last metrics, where they are smoothed
    total: Wide  # two float32, (): their sum
    seen: jax.Array  # int32, (): metrics since the reset


@controller_state("greedy")
@telling("numbers")
class GreedyState(NamedTuple):
    """State of the rule, inside that of `scale_by_learning_rate`."""

    numbers: GreedyNumbers
    base: jax.Array  # float32, (): the rate without the rule at the last update
    first: Wide  # two float32, (): the scale at first
    memory: GreedyMemory

    def rate(self) -> jax.Array:
        """The base times the scale; past the limits only where the base itself is."""
        return bounded(self.base, self.memory.scale, self.numbers.min_lr, self.numbers.max_lr)

    def shown(self, metric: jax.Array) -> GreedyState:
        """The state after one more metric."""
        signed, memory = _smoothed(self.memory, self.numbers.sign * metric)
        return self._replace(memory=_judged(self, memory, signed))

    def undone(self) -> GreedyState:
        """The state without its cuts and raises."""
        one = wide.from_float32(jnp.ones_like(self.base))
        return self._replace(first=one, memory=self.memory._replace(scale=one))


@dataclasses.dataclass(frozen=True)
class Greedy(Controller):
    """What `greedy` returns: a rate and the rule over it."""

    window: int | None = None  # metrics in the running mean; None without one

    name = "greedy"

    def init(self, base: jax.Array) -> GreedyState:
        """The state before the first metric."""
        numbers, first = self.fresh_numbers(), jax.tree.map(jnp.array, self.first())
        recent = () if self.window is None else jnp.zeros(self.window, jnp.float32)
        memory = _forgetful(jax.tree.map(jnp.array, first), numbers.reset_start, recent)
        return GreedyState(numbers, jnp.array(base), first, memory)


def greedy(
    learning_rate: NumberOrSchedule | Held,
    *,
    mode: Literal["min", "max"] = "min",
    factor: Number = 0.95,
    patience: int = 10,
    threshold: Number = 1e-6,
    threshold_mode: Literal["rel", "abs"] = "abs",
    cooldown: int = 0,
    warmup: int = 0,
    min_lr: Number = 1e-3,
    max_lr: Number = 1.0,
    eps: Number = 1e-8,
    smooth: bool = False,
    window_size: int = 50,
    reset_start: int = 500,
    axis_name: Any = None,
) -> Greedy:
    """Raises a learning rate while a metric improves, and cuts it while it does not; goes wherever a rate goes.

    more than `patience` good metrics in a row: rate = min(rate / factor, max_lr), then `warmup` metrics are not judged;
    more than `patience` bad ones: rate = max(rate factor, min_lr), then `cooldown` metrics are not judged

    Transformers' `GreedyLR`, decision by decision, inside jit, `lax.scan` and `jax.vmap`. The metric comes from
    `jaxlr.observe(opt_state, metric)` or from `update(..., value=metric)`. Over a schedule cuts and raises multiply
    what it gives. Its own limits are Transformers': with a rate below `min_lr` nothing is ever cut.

    Args:
      learning_rate: a number, a schedule, or one that is `held`.
      mode: "min" if the metric should fall, "max" if it should rise.
      factor: above 0 and below 1.
      patience: good or bad metrics in a row that are borne; the next moves the rate.
      threshold: a metric is good if it is better than the best by more than `threshold * abs(best)` ("rel") or
        `threshold` ("abs"). So a metric below 0 works; Transformers' own "rel" takes a flat one for ever better.
      threshold_mode: "rel" or "abs".
      cooldown: metrics after a cut that are not judged.
      warmup: metrics after a raise that are not judged.
      min_lr: cuts stop at this rate.
      max_lr: raises stop at this rate.
      eps: a change of the rate by no more than this is not made.
      smooth: judge the mean of the last `window_size` metrics.
      window_size: an integer that is known, at least 1.
      reset_start: so many cuts due at `min_lr`, with no raise between them, and the rate is what it was at first, and
        all that was seen is forgotten; in groups of parameters each by itself.
      axis_name: mesh axis or axes over which `value=` is averaged, inside `jax.shard_map`; see also `observe`.

    Returns:
      A rule for `scale_by_learning_rate` or an optimizer.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> link = jaxlr.scale_by_learning_rate(greedy(0.1, factor=0.5, patience=1))
      >>> state = link.init(jnp.zeros(1))
      >>> for loss in (3.0, 2.0, 1.0, 1.0, 1.0, 1.0):
      ...   _, state = link.update(jnp.ones(1), jaxlr.observe(state, loss))
      ...   print(f"{jaxlr.current_learning_rate(state):.3g}", end=" ")
      0.1 0.2 0.2 0.2 0.1 0.1

    References:
      Subramanian et al., GreedyLR: A Novel Adaptive Learning Rate Scheduler, 2025, arXiv:2512.14527
      transformers 5.24.0, `transformers.optimization.GreedyLR`
    """
    learning_rate = base_of(learning_rate)
    mode = hyperparameters.choice("mode", mode, ("min", "max"))
    relative = hyperparameters.choice("threshold_mode", threshold_mode, ("rel", "abs")) == "rel"
    threshold = hyperparameters.number("threshold", threshold, minimum=0.0)
    hyperparameters.choice("smooth", smooth, (False, True))
    if isinstance(window_size, Tracer):
        raise TypeError("window_size must be known: it is the length of an array")
    window = hyperparameters.integer("window_size", window_size, minimum=1)
    numbers = GreedyNumbers(
        sign=1.0 if mode == "min" else -1.0,
        factor=exactly(hyperparameters.number("factor", factor, above=0.0, below=1.0)),
        patience=hyperparameters.integer("patience", patience, minimum=0),
        relative=exactly(threshold if relative else 0.0),
        absolute=exactly(0.0 if relative else threshold),
        cooldown=hyperparameters.integer("cooldown", cooldown, minimum=0),
        warmup=hyperparameters.integer("warmup", warmup, minimum=0),
        **limits(min_lr, max_lr),
        eps=exactly(hyperparameters.number("eps", eps, minimum=0.0)),
        reset_start=hyperparameters.integer("reset_start", reset_start, minimum=0),
    )
    return Greedy(learning_rate, numbers, axis_name, window if smooth else None)


def _forgetful(scale: Wide, left: jax.Array, recent: Any) -> GreedyMemory:
    """The memory at first and after a reset."""
    zero, none = jnp.zeros([], jnp.float32), jnp.zeros([], jnp.int32)
    best = Wide(jnp.full([], jnp.inf, jnp.float32), zero)
    recent = jax.tree.map(jnp.zeros_like, recent)
    return GreedyMemory(scale, best, none, none, none, jnp.array(left), recent, Wide(zero, zero), none)


def _smoothed(memory: GreedyMemory, metric: jax.Array) -> tuple[Wide, GreedyMemory]:
    """The metric, or the running mean with it."""
    given = wide.from_float32(metric)
    if isinstance(memory.recent, tuple):
        return given, memory
    window = memory.recent.shape[0]
    place = memory.seen % window
    total = memory.total + given - wide.from_float32(memory.recent[place])  # 0 until it is full
    seen = memory.seen + 1
    many = jnp.minimum(seen, window).astype(jnp.float32)
    recent = memory.recent.at[place].set(metric)
    seen = jnp.where(seen >= 2**30, seen - 2**30 // window * window, seen)  # the place stays, nothing overflows
    return total / wide.from_float32(many), memory._replace(recent=recent, total=total, seen=seen)


def _judged(state: GreedyState, memory: GreedyMemory, metric: Wide) -> GreedyMemory:
    """Transformers' rule."""
    numbers = state.numbers
    better = _is_better(numbers, memory.best, metric)
    judged = memory.resting == 0
    good = jnp.where(judged & better, memory.good + 1, 0)
    bad = jnp.where(judged & ~better, memory.bad + 1, 0)
    raises, cuts = good > numbers.patience, bad > numbers.patience
    scale = _moved(state, memory.scale, raises, cuts)
    at_least = cuts & _has_reached(state.base, scale, numbers.min_lr)
    left = jnp.where(raises, numbers.reset_start, memory.left - at_least.astype(jnp.int32))
    rest = jnp.where(raises, numbers.warmup, jnp.where(cuts, numbers.cooldown, jnp.maximum(memory.resting - 1, 0)))
    new = memory._replace(
        scale=scale,
        best=wide.where(judged & better, metric, memory.best),
        good=jnp.where(raises, 0, good),
        bad=jnp.where(cuts, 0, bad),
        resting=rest,
        left=left,
    )
    anew = _forgetful(state.first, numbers.reset_start, memory.recent)._replace(resting=rest)
    return jax.tree.map(lambda a, b: jnp.where(at_least & (left <= 0), a, b), anew, new)


def _is_better(numbers: GreedyNumbers, best: Wide, metric: Wide) -> jax.Array:
    """Whether a metric is below the best by more than the margin; below infinity is any other number."""
    known = wide.where(jnp.isinf(best.high), metric, best)
    size = wide.where(known.high < 0, -known, known)
    margin = numbers.relative * size + numbers.absolute
    return jnp.where(jnp.isinf(best.high), metric.high < best.high, ((metric - known) + margin).high < 0)


def _moved(state: GreedyState, scale: Wide, raises: jax.Array, cuts: jax.Array) -> Wide:
    """The scale after a raise or a cut, if that changes the rate by enough."""
    numbers = state.numbers
    raised = clamped(state.base, scale / numbers.factor, most=numbers.max_lr)
    cut = clamped(state.base, scale * numbers.factor, least=numbers.min_lr)
    up = ((raised - scale).times(state.base) - numbers.eps).high > 0
    down = ((scale - cut).times(state.base) - numbers.eps).high > 0
    return wide.where(raises & up, raised, wide.where(cuts & down, cut, scale))


def _has_reached(base: jax.Array, scale: Wide, least: Wide) -> jax.Array:
    """Whether the rate is at its lower limit or below it."""
    rate = scale.times(base)
    return (rate - least).high <= _SAME * rate.high
