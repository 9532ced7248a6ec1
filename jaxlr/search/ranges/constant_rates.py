"""Constant rates compared: each starts from the same weights, so that no rate is judged by what others left behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jaxlr.optimizers import sgd
from jaxlr.search.ranges.result import Curve, RangeTest
from jaxlr.search.trials import arguments
from jaxlr.search.trials.trial import COMPLETED, CompilerOption, Optimizer, compiled_trials
from jaxlr.typing import PyTree

_DIVERGENCE = 4.0  # as in `lr_range_test`


def constant_rate_test(
    loss_fn: Callable[..., Any],
    params: PyTree,
    batches: PyTree,
    *,
    optimizer: Optimizer = sgd,
    start: float = 1e-5,
    end: float = 10.0,
    num_rates: int = 31,
    num_steps: int = 10,
    scale: str = "exponential",
    model_state: PyTree = None,
    key: jax.Array | None = None,
    opt_state: PyTree = None,
    metric_fn: Callable[..., Any] | None = None,
    metric_batch: PyTree = None,
    repeat: bool = False,
    accumulate: int = 1,
    seeds: int = 1,
    strategy: str = "auto",
    compiler_options: Mapping[str, CompilerOption] | None = None,
) -> RangeTest:
    """Trains for a few updates at each of several constant rates, always from the same weights, in one program.

    In a ramp the weights at a high rate are those that all lower rates have trained; here every rate is judged alone,
    on the same batches, by the mean loss on them after its updates. A rate of 0 runs beside the others and gives the
    loss that is no change.

    Args:
      loss_fn: as for `lr_range_test`.
      params: as there.
      batches: as there; the first num_steps * accumulate of them are used, by each rate.
      optimizer: as there.
      start: the lowest rate.
      end: the highest rate.
      num_rates: rates to try, at least 2.
      num_steps: updates at each rate, at least 1.
      scale: "exponential" or "linear".
      model_state: as there.
      key: as there; every rate sees the same random numbers.
      opt_state: as there.
      metric_fn: as there; measured after the updates.
      metric_batch: what the metric is measured on; without, all batches that were trained on.
      repeat: whether to go through the batches again when they are used up.
      accumulate: as there.
      seeds: as there: each compares all rates on another order of the batches, with another key.
      strategy: how the trials run: "map", one after another, or "vmap", side by side; "auto": "map" on a CPU.
      compiler_options: as for `jax.jit`.

    Returns:
      A `RangeTest` with an entry for each rate: `losses` after the updates, or where the trial stopped, since the loss
      had risen to more than 4 times its best or was not finite; the same in `smoothed`. `max_stable` is the largest
      rate that did not stop and whose loss is no higher than without training.

    Raises:
      ValueError: a number out of range, too few batches, or a function that does not return a scalar.
      TypeError: an argument of the wrong kind.

    Example:
      >>> import jax.numpy as jnp
      >>> def loss(params, batch):
      ...   return 2.0 * jnp.sum((params - batch) ** 2)
      >>> result = constant_rate_test(loss, jnp.ones(3), jnp.zeros((10, 1)), start=1e-3, end=10.0, num_rates=41)
      >>> result.recommendation, round(result.max_stable, 2)
      (0.04, 0.4)
    """
    num_rates = arguments.count("num_rates", num_rates, 2)
    num_steps = arguments.count("num_steps", num_steps, 1)
    seeds = arguments.count("seeds", seeds, 1)
    rates = arguments.grid(start, end, num_rates, scale)
    key = arguments.random_key(key)
    problem = arguments.problem(
        loss_fn,
        optimizer,
        metric_fn,
        metric_batch,
        stateful=model_state is not None or key is not None,
        accumulate=accumulate,
        final_loss=True,
        strategy=strategy,
        compiler_options=compiler_options,
    )
    batches, order = arguments.in_order(batches, num_steps, problem.accumulate, seeds, repeat=repeat)

    # One trial for each seed and rate, and one without a rate.
    tried = np.concatenate(([np.float32(0.0)], rates))
    order = np.repeat(order, len(tried), axis=0)
    keys = arguments.keys_of(key, seeds)
    keys = None if keys is None else keys[np.repeat(np.arange(seeds), len(tried))]
    every = np.tile(np.repeat(tried[:, None], num_steps, axis=1), (seeds, 1))
    limits = arguments.limits(num_steps, smoothing=0.0, divergence=_DIVERGENCE)
    begin = arguments.start(params, model_state, opt_state)
    record = jax.device_get(compiled_trials(problem)(every, limits, order, keys, begin, batches, metric_batch))

    shape = (seeds, len(tried))
    losses, metrics = np.reshape(record.final_loss, shape), np.reshape(record.final_metric, shape)
    gradients = np.reshape(record.entries.gradient[:, 0], shape)
    diverged = np.reshape(record.reason != COMPLETED, shape)
    seen = np.reshape(record.entries.loss, (*shape, num_steps)).astype(np.float64)
    if metric_fn is None:
        metrics = [None] * seeds
    rows = zip(losses, metrics, gradients, diverged, seen, strict=True)
    return RangeTest.from_curves([_curve(rates, *row, num_steps) for row in rows])


def _curve(
    rates: np.ndarray,
    losses: np.ndarray,
    metrics: np.ndarray | None,
    gradients: np.ndarray,
    diverged: np.ndarray,
    seen: np.ndarray,
    num_steps: int,
) -> Curve:
    bad, risen = np.flatnonzero(~np.isfinite(losses[1:])), np.flatnonzero(diverged[1:])
    text = f"end: {len(rates)} rates, {num_steps} updates each"
    first = rates[risen[0]] if len(risen) else math.inf
    if len(risen):
        text = f"diverged: from rate {first:.3g} on the loss rose to more than {_DIVERGENCE:g} times its best"
    if len(bad) and rates[bad[0]] <= first:
        text = f"nan: from rate {rates[bad[0]]:.3g} on the loss is not finite after {num_steps} updates"
    changes, errors = _changes(seen, losses, diverged)
    return Curve(
        learning_rates=rates,
        losses=losses[1:],
        smoothed=losses[1:],
        metrics=None if metrics is None else metrics[1:],
        gradients=gradients[1:],
        reason=text,
        start_loss=float(losses[0]),
        start_metric=None if metrics is None else float(metrics[0]),
        ramp_steps=len(rates),
        diverged=diverged[1:],
        changes=changes,
        errors=errors,
    )


def _changes(seen: np.ndarray, losses: np.ndarray, diverged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each rate changed in the loss, and its standard error, against no training on the same batches.

    From the later half of the losses before each update, (rates, updates): of batches that have not been trained on.
    A single update leaves only the loss on its own batch.
    """
    late = seen[:, max(1, seen.shape[1] // 2) :]
    with np.errstate(invalid="ignore", over="ignore"):
        if late.shape[1] < 2:
            changes, errors = losses[1:] - losses[0].astype(np.float64), np.zeros(len(losses) - 1)
        else:
            apart = late[1:] - late[0]
            changes, errors = apart.mean(axis=1), apart.std(axis=1, ddof=1) / math.sqrt(late.shape[1])
    # What stopped on the way has no later losses: it counts as risen, but a number keeps the rates above it in sight.
    high = np.abs(changes[np.isfinite(changes)]).max(initial=1.0)
    bad = diverged[1:] | ~np.isfinite(changes) | ~np.isfinite(losses[1:])
    return np.where(bad, high, changes), np.where(bad, 0.0, errors)
