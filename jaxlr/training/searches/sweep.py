"""A whole training as one pure function of its schedule, which `jaxlr.sweep` runs for many."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

import jaxlr
from jaxlr.loops import while_finite
from jaxlr.schedules import Schedule
from jaxlr.training.data.datasets import Dataset
from jaxlr.training.data.splits import Split
from jaxlr.training.loop.order import epoch_order
from jaxlr.training.loop.update import EVALUATION_BATCH, State, make_evaluate_batch, make_update, padded
from jaxlr.training.network.losses import loss_by_name
from jaxlr.training.runs.config import Task
from jaxlr.training.runs.starting.assembly import make_model, make_optimizer


def steps_per_epoch(config: Task, data: Dataset) -> float:
    """Updates in an epoch; not whole where an accumulation goes on across an epoch's end.

    Raises:
      ValueError: the training images fill no batch, or the run has no update.
    """
    examples = len(data.train.labels)
    if config.batch_size > examples:
        raise ValueError(f"batch_size must be at most the {examples} training images, got {config.batch_size}")
    batches = examples // config.batch_size
    if config.accumulate > config.epochs * batches:
        raise ValueError(
            f"accumulate must be at most the {config.epochs * batches} batches of the run, got {config.accumulate}"
        )
    return batches / config.accumulate


def make_training(config: Task, data: Dataset) -> Callable[[Schedule], dict[str, Any]]:
    """The training of `jaxlr train` with these options as a pure function of the schedule.

    The same initial weights, the same images in the same order, the same dropout: what differs between two calls is the
    schedule alone. It stops where the loss becomes NaN or infinite. The test images stay untouched.

    Args:
      config: the options; its `schedule` is not looked at.
      data: the images.

    Returns:
      A function: schedule -> {
        "validation_accuracy", "validation_loss": after the last epoch, NaN where the loss diverged;
        "best_validation_accuracy": of all epochs;
        "train_loss", "train_accuracy": means over the last epoch, as it went;
        "updates": int32, how many were made before the end or before the loss diverged;
        "epochs": the same accuracies and losses after every epoch, each (epochs,) }

    Raises:
      ValueError: an option does not fit the images.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from jaxlr.training.data.datasets import load_dataset
      >>> config = Task(width=2, depth=1, batch_size=256, epochs=1, optimizer="sgd")
      >>> training = make_training(config, load_dataset("digits"))
      >>> int(jax.jit(training)(jaxlr.constant(0.01))["updates"])
      5
    """
    steps_per_epoch(config, data)
    model = make_model(config, data)
    loss = loss_by_name(config.loss)
    model.eval()
    evaluate_batch = make_evaluate_batch(nnx.graphdef(model), loss)
    model.train()
    graph, *states = nnx.split(model, nnx.Param, ...)
    parameters, variables = map(nnx.to_pure_dict, states)
    images, labels = jnp.asarray(data.train.images), jnp.asarray(data.train.labels)
    batches, ends = jnp.asarray(batches_of(config, len(labels))), jnp.asarray(_ends(config, len(labels)))
    validation = jax.tree.map(jnp.asarray, in_batches(data.validation))

    def training(schedule: Schedule) -> dict[str, Any]:
        optimizer = make_optimizer(config, schedule)
        update = make_update(graph, optimizer, loss, config.l1, config.l2, config.accumulate)

        def one_update(_, carry):
            done, state, sums = carry
            state, value, accuracy, _ = update(state, images[batches[done]], labels[batches[done]])
            finite = jnp.isfinite(value)
            return (done + finite, state, sums + jnp.stack([value, accuracy])), (), finite

        def one_epoch(carry, end):
            first, finite, state = carry
            start = (first, state, jnp.zeros(2))
            _, finite, (done, state, sums), _ = while_finite(one_update, start, (), end - first, finite)
            totals = lax.map(lambda batch: jnp.stack(evaluate_batch(*state[:2], *batch)), validation).sum(axis=0)
            figures = jnp.concatenate([sums / (done - first), totals / len(data.validation.labels)])
            return (done, finite, state), jnp.where(finite, figures, jnp.nan)

        start = (jnp.int32(0), jnp.bool_(True), State(parameters, variables, optimizer.init(parameters)))
        (done, _, _), figures = lax.scan(one_epoch, start, ends)
        names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
        epochs = dict(zip(names, figures.T, strict=True))
        return {
            **{name: curve[-1] for name, curve in epochs.items()},
            "best_validation_accuracy": jnp.nanmax(epochs["validation_accuracy"]),
            "updates": done,
            "epochs": epochs,
        }

    return training


def _ends(config: Task, examples: int) -> np.ndarray:
    """The count at the end of each epoch."""
    updates = functools.partial(
        jaxlr.updates, examples=examples, batch_size=config.batch_size, accumulate=config.accumulate
    )
    return np.asarray([updates(epoch) for epoch in range(1, config.epochs + 1)], np.int32)


def batches_of(config: Task, examples: int) -> np.ndarray:
    """The images of every update: (updates, accumulate, batch_size) indices, in the order of `Trainer`."""
    used = examples // config.batch_size * config.batch_size
    rows = [epoch_order(examples, config.seed, epoch)[:used] for epoch in range(config.epochs)]
    an_update = config.accumulate * config.batch_size
    indices = np.concatenate(rows)
    return indices[: len(indices) // an_update * an_update].reshape(-1, config.accumulate, config.batch_size)


def in_batches(split: Split) -> tuple[np.ndarray, ...]:
    """Images, labels and weights in batches of one size: each (batches, size, ...)."""
    batches = [padded(split, first) for first in range(0, len(split.labels), EVALUATION_BATCH)]
    return tuple(np.stack(column) for column in zip(*batches, strict=True))
