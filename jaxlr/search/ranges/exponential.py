"""The learning-rate range test: one short training under a rising rate, and what its curve says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jaxlr.optimizers import sgd
from jaxlr.search.ranges.result import Curve, RangeTest
from jaxlr.search.trials import arguments
from jaxlr.search.trials.trial import (
    COMPLETED,
    DIVERGED,
    CompilerOption,
    Optimizer,
    Record,
    compiled_trials,
    run_sequence,
)
from jaxlr.typing import PyTree


def lr_range_test(
    loss_fn: Callable[..., Any],
    params: PyTree,
    batches: PyTree,
    *,
    optimizer: Optimizer = sgd,
    start: float = 1e-7,
    end: float = 10.0,
    num_steps: int = 100,
    scale: str = "exponential",
    model_state: PyTree = None,
    key: jax.Array | None = None,
    opt_state: PyTree = None,
    metric_fn: Callable[..., Any] | None = None,
    metric_batch: PyTree = None,
    repeat: bool = False,
    accumulate: int = 1,
    seeds: int = 1,
    smoothing: float = 0.98,
    divergence: float = 4.0,
    strategy: str = "auto",
    compiler_options: Mapping[str, CompilerOption] | None = None,
) -> RangeTest:
    """Trains for some updates under a rising learning rate, and says which rates are good.

    rate(n) = start (end / start) ** (n / (num_steps - 1)), or start + (end - start) n / (num_steps - 1)

    Nothing of the caller's changes: the weights, the optimizer's state and the key are read, never written or donated.
    The whole test is one compiled program that stops by itself when the loss diverges or is not finite. The rates and
    everything else with numbers in it are data: a second test with other ends, another scale or other weights of the
    same shapes, with the same functions, compiles nothing.

    Args:
      loss_fn: (params, batch) -> scalar; if `model_state` or `key` is given,
        (params, model_state, batch, key) -> (scalar, model_state), with None for the one that is not given.
      params: the weights to start from.
      batches: an array, or a tuple, dict or other tree of arrays, with a leading axis of batches; or a list, an
        iterator or a loader of batches, which one compiled step takes one after another, no more than are needed.
      optimizer: a function of the rate, such as `jaxlr.sgd`, `optax.lion` or `functools.partial(jaxlr.sgd,
        momentum=0.9)`; or a finished transformation that ends with `jaxlr.scale_by_learning_rate`.
      start: the first rate, above 0 on an exponential scale.
      end: the last rate.
      num_steps: rates to try, at least 2; each is one update.
      scale: "exponential" or "linear".
      model_state: what the loss function passes on, such as the running statistics of batch normalization.
      key: a random key, such as for dropout; each batch gets one of its own from it.
      opt_state: the optimizer's state to start from; a new one without.
      metric_fn: a metric such as the accuracy, of the same arguments as `loss_fn`, returns a scalar; measured before
        each update.
      metric_batch: what the metric is measured on, such as a validation batch; without, the batch of the update.
      repeat: whether to go through the batches again when they are used up. An iterator's are then kept in memory.
      accumulate: batches whose mean gradient makes one update; num_steps * accumulate batches are used.
      seeds: how many tests to make at once, each with another order of the batches and another key; the first is the
        test that `seeds=1` makes. The result has the medians, and their spread.
      smoothing: share of the running mean of the losses that stays, in [0, 1); the mean is without bias from the first
        loss on.
      divergence: the test stops when the smoothed loss is above so many times its best; `math.inf`: never. A best near
        0 or below counts as a quarter of the fall that led to it, or as its own size, whichever is more.
      strategy: how several seeds run: "map", one after another, or "vmap", side by side; "auto": "map" on a CPU.
      compiler_options: as for `jax.jit`.

    Returns:
      The curves, why the test stopped, and their suggestions: see `RangeTest`.

    Raises:
      ValueError: a number out of range, too few batches, or a function that does not return a scalar.
      TypeError: an argument of the wrong kind.

    Example:
      A quadratic with curvature 4 is stable below a rate of 2 / 4.

      >>> import jax.numpy as jnp
      >>> def loss(params, batch):
      ...   return 2.0 * jnp.sum((params - batch) ** 2)
      >>> result = lr_range_test(loss, jnp.ones(3), jnp.zeros((100, 1)), start=1e-3, end=10.0)
      >>> print(result.stop_reason)
      diverged: the smoothed loss rose to more than 4 times its best at rate 1.71, step 81 of 100
      >>> round(result.max_stable, 2)
      0.46

    References:
      Smith, Cyclical Learning Rates for Training Neural Networks, 2017, arXiv:1506.01186, section 3.3
      Gugger, How Do You Find A Good Learning Rate, 2018
    """
    num_steps = arguments.count("num_steps", num_steps, 2)
    seeds = arguments.count("seeds", seeds, 1)
    rates = arguments.grid(start, end, num_steps, scale)
    limits = arguments.limits(num_steps, smoothing, divergence)
    key = arguments.random_key(key)
    problem = arguments.problem(
        loss_fn,
        optimizer,
        metric_fn,
        metric_batch,
        stateful=model_state is not None or key is not None,
        accumulate=accumulate,
        final_loss=False,
        strategy=strategy,
        compiler_options=compiler_options,
    )
    begin = arguments.start(params, model_state, opt_state)
    if arguments.is_sequence(batches) and seeds == 1:
        if isinstance(batches, list):
            arguments.require_enough(len(arguments.at_least_one(batches)), num_steps * problem.accumulate, repeat)
        source = itertools.cycle(batches) if repeat else batches
        record = run_sequence(problem, rates, limits, key, begin, source, metric_batch)
    else:
        batches, order = arguments.in_order(batches, num_steps, problem.accumulate, seeds, repeat=repeat)
        keys = arguments.keys_of(key, seeds)
        every = np.tile(rates, (seeds, 1))
        record = compiled_trials(problem)(every, limits, order, keys, begin, batches, metric_batch)
    record = jax.device_get(record)
    has_metric = metric_fn is not None
    return RangeTest.from_curves([_curve(record, seed, rates, divergence, has_metric) for seed in range(seeds)])


def _curve(record: Record, seed: int, rates: np.ndarray, divergence: float, has_metric: bool) -> Curve:
    done, reason = int(record.done[seed]), int(record.reason[seed])
    columns = [np.asarray(column[seed][:done]) for column in record.entries]
    losses, smoothed, metrics, gradients, updates, references = columns
    place = f"at rate {rates[done - 1]:.3g}, step {done} of {len(rates)}"
    if reason == COMPLETED:
        text = f"end: all {len(rates)} steps were made, up to rate {rates[-1]:.3g}"
    elif reason == DIVERGED:
        text = f"diverged: the smoothed loss rose to more than {divergence:g} times its best {place}"
    else:
        text = f"nan: the loss became {losses[-1]} {place}"
    return Curve(
        learning_rates=rates[:done],
        losses=losses,
        smoothed=smoothed,
        metrics=metrics if has_metric else None,
        gradients=gradients,
        references=references,
        updates=updates,
        reason=text,
        start_loss=None,
        start_metric=None,
        ramp_steps=len(rates),
    )
