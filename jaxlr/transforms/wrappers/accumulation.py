"""Accumulation of gradients over micro-steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described, telling
from jaxlr.transforms.trees import (
    cast_like,
    gradients_of,
    increment,
    is_wide,
    like_updates,
    moments_like,
    place_like,
    widen,
)
from jaxlr.transforms.waiting import due_now, micro_step, settled, where_due
from jaxlr.typing import PyTree


@telling()
class AccumulateState(NamedTuple):
    """State of `accumulate`."""

    micro_step: jax.Array  # int32, (): gradients in the mean since the last update
    mean: optax.Updates  # float32 (wider where the parameters are) or `dtype`: mean of these gradients
    inner_state: optax.OptState  # that of the wrapped optimizer
    count: jax.Array  # int32, (): updates made; stays at 2**31 - 1
    weight: jax.Array  # float32, (): sum of the weights in the mean
    value: jax.Array  # float32, (): mean of the values shown since the last update


@described
def accumulate(
    optimizer: optax.GradientTransformation, every: int | Callable[[Any], Any], *, dtype: Any = None
) -> optax.GradientTransformationExtraArgs:
    """Updates once in `every` micro-steps, with the mean of their gradients; in between the parameters stay.

    mean = sum of w g / sum of w, over the micro-steps since the last update; w is 1 unless given

    Counts and schedules advance with the updates, as under `optax.MultiSteps`, to which this is an alternative that
    needs no temporary copies: the state is written in place, also on the micro-steps that make no update. It nests with
    any wrapper and with itself. Its `update` takes three keywords:

    - `weight`: of this micro-step's gradient, such as its number of examples or tokens; at least 0, 1 if left out. A
      window whose weights sum to 0 makes no update, and none is counted; a weight of NaN makes the mean NaN
    - `value`: a metric; the optimizer is shown the mean of the window, weighted alike
    - `flush`: True makes the update now, from what there is, as at the end of an epoch

    Args:
      optimizer: a finished optimizer.
      every: micro-steps in an update, at least 1; or a function of the updates made so far (int32) that gives them.
      dtype: dtype in which the mean is stored; float32 if None (wider where the parameters are).

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: `every` is not a whole number of at least 1, or `dtype` is not a floating-point dtype; in
        an update, a known `weight` is negative, not finite or no number, or the optimizer takes no gradient wider than
        the parameters.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.optimizers import sgd
      >>> optimizer = accumulate(sgd(0.5), 2)
      >>> state = optimizer.init(jnp.zeros(1))
      >>> for gradient in (1.0, 3.0):
      ...   updates, state = optimizer.update(jnp.array([gradient]), state)
      ...   print(float(updates[0]))
      0.0
      -1.0
    """
    if not callable(every):
        every = hyperparameters.integer("every", every, minimum=1, whole=True)
    dtype = hyperparameters.floating_dtype("dtype", dtype)
    inner = optax.with_extra_args_support(optimizer)

    def init(params: optax.Params) -> AccumulateState:
        state = AccumulateState(
            micro_step=jnp.zeros([], jnp.int32),
            mean=moments_like(params, dtype),
            inner_state=inner.init(params),
            count=jnp.zeros([], jnp.int32),
            weight=jnp.zeros([], jnp.float32),
            value=jnp.zeros([], jnp.float32),
        )
        return place_like(params, state)

    def update(
        updates: optax.Updates,
        state: AccumulateState,
        params: optax.Params | None = None,
        *,
        weight: Any = None,
        value: Any = None,
        flush: Any = False,
        **extra: Any,
    ) -> tuple[optax.Updates, AccumulateState]:
        outer = due_now()
        window = _with_one_more(state, updates, weight, value)
        wanted = every(state.count) if callable(every) else every
        full = window.micro_step >= jnp.asarray(wanted, jnp.int32)
        complete = full | jnp.asarray(flush, jnp.bool_)
        made = complete if weight is None else complete & ~(window.weight <= 0)
        due = made if outer is True else made & outer
        extra |= {} if value is None else {"value": window.value}
        extra |= {} if weight is None else {"weight": window.weight}
        params = like_updates(params, updates)
        dtypes = _own_dtypes(inner, updates, state.inner_state, params, extra)
        with micro_step(due) as now:
            try:
                steps, inner_state = inner.update(window.mean, state.inner_state, params, **extra)
            except TypeError as error:
                if is_wide(updates):
                    raise
                # Of gradients as narrow as these it has just given its dtypes.
                raise TypeError(
                    "the optimizer takes gradients of the parameters' dtype alone, and accumulate shows it their mean, "
                    "in float32: give accumulate(jaxlr.with_master_weights(optimizer), every), which widens both"
                ) from error
            inner_state = now.settle(inner_state, state.inner_state)
        steps = jax.tree.map(lambda step: jnp.where(due, step, jnp.zeros_like(step)), steps)
        emptied = window._replace(
            micro_step=jnp.where(complete, 0, window.micro_step),
            count=jnp.where(made, increment(state.count), state.count),
            mean=cast_like(window.mean, state.mean),
        )
        kept = where_due(emptied._replace(inner_state=()), state._replace(inner_state=()))
        new = kept._replace(inner_state=inner_state)
        return cast_like(steps, dtypes), settled(new, state)

    return optax.GradientTransformationExtraArgs(cast(Any, init), cast(Any, update))


def _with_one_more(state: AccumulateState, updates: PyTree, weight: Any, value: Any) -> AccumulateState:
    """The window with one more gradient in its means; the mean in float32 or wider."""
    first = state.micro_step == 0
    known = weight is not None and not isinstance(weight, jax.Array)  # what is on a device isn't waited for
    given = hyperparameters.number("weight", weight, minimum=0.0) if known else weight
    one = hyperparameters.at_count("weight", 1.0 if given is None else given, state.count)
    total = jnp.where(first, 0.0, state.weight) + one
    share = jnp.where(total == 0, 0.0, one / total)

    def moved(mean: jax.Array, sample: jax.Array) -> jax.Array:
        mean = widen(mean)
        if weight is None:
            return jnp.where(first, sample, mean + (sample - mean) * share)
        mean = jnp.where(first, jnp.zeros_like(mean), mean)  # so that the first may weigh nothing
        return mean + (sample - mean) * share

    metric = state.value if value is None else hyperparameters.at_count("value", value, state.count)
    return state._replace(
        micro_step=state.micro_step + 1,
        mean=jax.tree.map(moved, state.mean, gradients_of(updates, state.mean)),
        weight=total,
        value=moved(state.value, metric),
    )


def _own_dtypes(
    inner: optax.GradientTransformationExtraArgs, updates: PyTree, state: Any, params: PyTree, extra: dict[str, Any]
) -> PyTree:
    """Leaves of the dtypes that the optimizer itself gives for gradients of these: it is shown their wider mean."""
    if is_wide(updates):
        return updates
    return jax.eval_shape(lambda: inner.update(updates, state, params, **extra))[0]
