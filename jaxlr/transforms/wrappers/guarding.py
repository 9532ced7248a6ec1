"""A guard against bad updates: those whose loss or gradient norm lies far outside what the last ones had."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described, telling
from jaxlr.transforms.hyperparameters import Number
from jaxlr.transforms.rate.learning_rate import ScaleByLearningRateState
from jaxlr.transforms.state import walk as states
from jaxlr.transforms.trees import absolute_square, gradients_of, like_updates, map_wide, place_like, root
from jaxlr.transforms.waiting import due_now, micro_step, settled, where_due
from jaxlr.typing import PyTree

_FLAT = 2.0**-20  # of the mean: a sigma is taken for no less, so that rounding is no outlier


@telling()
class Recent(NamedTuple):
    """The last values of something watched."""

    values: jax.Array  # float32, (window,): a ring; an outlier stands in it as the limit that it passed
    filled: jax.Array  # int32, (): how many of them are values
    place: jax.Array  # int32, (): where the next one goes

    def limit(self, sigmas: Any, least: Any) -> jax.Array:
        """mean + sigmas sigma; infinite until there are `least` values."""
        here = jnp.arange(self.values.shape[0]) < self.filled
        many = self.filled.astype(jnp.float32)
        mean = jnp.sum(jnp.where(here, self.values, 0.0)) / jnp.maximum(many, 1.0)
        squares = jnp.sum(jnp.where(here, (self.values - mean) ** 2, 0.0))
        sigma = jnp.sqrt(squares / jnp.maximum(many - 1.0, 1.0))
        limit = mean + sigmas * jnp.maximum(sigma, _FLAT * jnp.abs(mean))
        return jnp.where(self.filled >= jnp.maximum(least, 2), limit, jnp.inf)

    def with_one_more(self, value: jax.Array, limit: jax.Array) -> Recent:
        """The values with one more; one that is not finite, where there is no limit yet, is left out."""
        value = jnp.where(value <= limit, value, limit)
        window = self.values.shape[0]
        new = Recent(
            self.values.at[self.place].set(value), jnp.minimum(self.filled + 1, window), (self.place + 1) % window
        )
        return jax.tree.map(lambda n, o: jnp.where(jnp.isfinite(value), n, o), new, self)


@telling()
class GuardState(NamedTuple):
    """State of `guard`."""

    norms: Recent | tuple[()]  # the last norms of the gradient; () where they are not watched
    losses: Recent | tuple[()]  # the last losses
    seen: jax.Array  # int32, (): updates that it has judged; stays at 2**31 - 1
    acted: jax.Array  # int32, (): of them, those that it has acted on
    left: jax.Array  # int32, (): good updates until a lowered rate is back
    inner_state: optax.OptState  # that of the wrapped optimizer


@described
def guard(
    optimizer: optax.GradientTransformation,
    *,
    watch: Literal["norm", "loss", "both"] = "norm",
    sigmas: Number = 6.0,
    window: int = 128,
    least: int | None = None,
    act: Literal["skip", "clip", "lower"] = "skip",
    factor: Number = 0.5,
    recovery: int = 128,
    axis_name: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Judges each update before it is made, by the last ones, and leaves a bad one out, clips it, or lowers the rate.

    bad: x > mean + sigmas sigma of the last `window` x, or x is not finite; x: the gradient's norm, or the loss

    All of it is in the state: nothing waits for the host. A bad x enters the window as the limit that it passed, so
    that it hides no later one, and a lasting change is got used to. On independent normal values the guard acts with
    the probability P(t > sigmas sqrt(window / (window + 1))), Student's t with window - 1 degrees of freedom: one time
    in 10^8 as it stands. Norms and losses next to 0 have heavier tails: where a network learns its data by heart,
    expect some acts in a thousand updates of a clean run, and give more sigmas. Around `accumulate` it judges
    micro-steps, inside it their mean; the loss comes as `update(..., value=loss)`, which reaches a rule inside it too
    (a plateau's loss; a KL goes to `kl_adaptive` by `observe` then). `guard_counts` says how often it acted.

    Args:
      optimizer: a finished optimizer.
      watch: the "norm" of the gradient, the "loss", or "both": bad is what is bad in either.
      sigmas: above 0.
      window: an integer that is known, at least 2.
      least: values before it judges; half the window if None. What is not finite is always bad.
      act: "skip": the update is 0, and the optimizer's state stands still; "clip": the gradient is shrunk to the limit
        of the norm (one that is not finite is skipped); "lower": skip, and multiply the rate by `factor`.
      factor: of the rate, in (0, 1), for "lower"; several in a row multiply.
      recovery: good updates in which a lowered rate comes back, geometrically; 0 for never.
      axis_name: mesh axis or axes over which `value=` is averaged, inside `jax.shard_map`.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range; "clip" without the norm; when
        initialized, "lower" around an optimizer without `scale_by_learning_rate`; when updated, no loss to watch.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> optimizer = guard(jaxlr.sgd(0.5), window=8)
      >>> state = optimizer.init(jnp.zeros(1))
      >>> for gradient in (1.0, 1.1, 0.9, 1.0, 100.0, 1.0):
      ...   updates, state = optimizer.update(jnp.array([gradient]), state)
      ...   print(f"{updates[0]:.3g}", end=" ")
      -0.5 -0.55 -0.45 -0.5 0 -0.5
      >>> {name: int(count) for name, count in guard_counts(state).items()}
      {'acted': 1, 'seen': 6}

    References:
      OLMo-core's `SkipStepOptimizer` (6 sigma of the last 128, from half of them on)
      Kumar et al., ZClip: Adaptive Spike Mitigation for LLM Pre-Training, 2025, arXiv:2504.02507
    """
    hyperparameters.choice("watch", watch, ("norm", "loss", "both"))
    hyperparameters.choice("act", act, ("skip", "clip", "lower"))
    if act == "clip" and watch != "norm":
        raise ValueError(f"act='clip' shrinks a gradient to the limit of its norm: watch must be 'norm', got {watch!r}")
    if isinstance(window, Tracer):
        raise TypeError("window must be known: it is the length of an array")
    window = hyperparameters.integer("window", window, minimum=2)
    least = window // 2 if least is None else hyperparameters.integer("least", least, minimum=1)
    sigmas = hyperparameters.number("sigmas", sigmas, above=0.0)
    factor = hyperparameters.number("factor", factor, above=0.0, below=1.0)
    recovery = hyperparameters.integer("recovery", recovery, minimum=0)
    inner = optax.with_extra_args_support(optimizer)

    def init(params: optax.Params) -> GuardState:
        inner_state = inner.init(params)
        if act == "lower" and not states.find_states(inner_state, ScaleByLearningRateState):
            raise ValueError("act='lower' needs a rate to lower: end the chain with jaxlr.scale_by_learning_rate")
        state = GuardState(
            norms=_empty(window) if watch in ("norm", "both") else (),
            losses=_empty(window) if watch in ("loss", "both") else (),
            seen=jnp.zeros([], jnp.int32),
            acted=jnp.zeros([], jnp.int32),
            left=jnp.zeros([], jnp.int32),
            inner_state=inner_state,
        )
        return place_like(params, state)

    def update(
        updates: optax.Updates,
        state: GuardState,
        params: optax.Params | None = None,
        *,
        value: Any = None,
        **extra: Any,
    ) -> tuple[optax.Updates, GuardState]:
        if watch != "norm" and value is None:
            raise ValueError(f"watch={watch!r} needs the loss of each update: call update(..., value=loss)")
        values = (_norm(updates), _loss(value, axis_name))
        limits, fresh, bad = {}, {}, jnp.zeros([], jnp.bool_)
        for name, recent, x in zip(GuardState._fields, state[:2], values, strict=False):
            if isinstance(recent, Recent):
                limits[name] = recent.limit(sigmas, least)
                fresh[name] = recent.with_one_more(x, limits[name])
                bad |= ~(x <= limits[name]) | ~jnp.isfinite(x)
        wanted = ~bad
        if act == "clip":
            shrunk = bad & jnp.isfinite(values[0])
            share = jnp.where(shrunk, limits["norms"] / values[0], 1.0)
            updates, wanted = map_wide(lambda u: share * u, updates), wanted | shrunk
        left = _left(state.left, bad, recovery)
        share = jnp.power(factor, state.left / jnp.maximum(recovery, 1)) if act == "lower" else None
        extra |= {} if value is None else {"value": value}
        outer = due_now()
        due = wanted if outer is True else wanted & outer
        with micro_step(due) as now:
            old = _with_rates(state.inner_state, share)
            steps, new = inner.update(updates, old, like_updates(params, updates), **extra)
            new = now.settle(_with_rates_of(new, state.inner_state, share), state.inner_state)
        steps = jax.tree.map(lambda step: jnp.where(due, step, jnp.zeros_like(step)), steps)
        judged = state._replace(
            seen=jnp.asarray(optax.safe_increment(state.seen)),
            acted=state.acted + bad.astype(jnp.int32),
            left=left,
            inner_state=(),
            **fresh,
        )
        kept = where_due(judged, state._replace(inner_state=()))
        return steps, settled(kept._replace(inner_state=new), state)

    return optax.GradientTransformationExtraArgs(cast(Any, init), cast(Any, update))


def guard_counts(x: Any) -> dict[str, jax.Array]:
    """How often a `guard` acted, and how many updates it has judged.

    Args:
      x: as for `current_learning_rate`.

    Returns:
      {"acted": int32, "seen": int32}, scalars; of several guards, by group or one in another, the sums.

    Raises:
      ValueError: no guard is in this state.

    Example:
      See `guard`.
    """
    found = [states.as_arrays(each) for each in states.find_states(x, GuardState).values()]
    if not found:
        raise ValueError("no guard is in this optimizer state: wrap the optimizer in jaxlr.guard(...)")
    return {name: jnp.sum(jnp.stack([getattr(each, name) for each in found])) for name in ("acted", "seen")}


def _empty(window: int) -> Recent:
    return Recent(jnp.zeros(window, jnp.float32), jnp.zeros([], jnp.int32), jnp.zeros([], jnp.int32))


def _norm(updates: PyTree) -> jax.Array:
    squares = [jnp.sum(absolute_square(u)) for u in jax.tree.leaves(gradients_of(updates))]
    return root(sum(squares, start=jnp.zeros([], jnp.float32))).astype(jnp.float32)


def _loss(value: Any, axis_name: Any) -> jax.Array:
    if value is None:
        return jnp.zeros([], jnp.float32)
    hyperparameters.require_scalar("value", value)
    loss = jnp.asarray(value, jnp.float32)
    return loss if axis_name is None else jax.lax.pmean(loss, axis_name)


def _left(left: jax.Array, bad: jax.Array, recovery: Any) -> jax.Array:
    """Good updates until the rate is back; without recovery, the times that it was lowered."""
    lasting = jnp.asarray(recovery == 0)
    good = jnp.where(lasting, left, jnp.maximum(left - 1, 0))
    return jnp.where(bad, left + jnp.maximum(recovery, 1), good)


def _with_rates(state: PyTree, share: jax.Array | None) -> PyTree:
    """The state with its rates multiplied, for one update."""
    if share is None:
        return state
    return states.change_states(state, ScaleByLearningRateState, lambda each: each._replace(factor=each.factor * share))


def _with_rates_of(state: PyTree, old: PyTree, share: jax.Array | None) -> PyTree:
    """The state with the factors that another one has, so that what was set by hand stays to the last bit."""
    if share is None:
        return state
    factors = iter([each.factor for each in states.find_states(old, ScaleByLearningRateState).values()])
    return states.change_states(state, ScaleByLearningRateState, lambda each: each._replace(factor=next(factors)))
