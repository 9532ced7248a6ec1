"""A whole training as one pure function of its schedule, which `jaxlr.sweep` runs for many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxlr.loops import while_finite
from jaxlr.schedules import Schedule
from jaxlr.training.data.datasets import Dataset
from jaxlr.training.loop.order import BatchOrder
from jaxlr.training.loop.programs import check_order, parted
from jaxlr.training.loop.update import EVALUATION_BATCH, State, make_evaluate_batch, make_update, padded
from jaxlr.training.network.losses import loss_by_name
from jaxlr.training.runs.config import Task
from jaxlr.training.runs.starting.assembly import make_model, make_optimizer


def order_of(config: Task, data: Dataset) -> BatchOrder:
    """The order in which these options go through the images."""
    return check_order(data, batch_size=config.batch_size, accumulate=config.accumulate, seed=config.seed)


def steps_per_epoch(config: Task, data: Dataset) -> float:
    """Updates in an epoch; not whole where an accumulation goes on across an epoch's end."""
    return order_of(config, data).steps_per_epoch(config.epochs)


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
      >>> import jax, jaxlr
      >>> from jaxlr.training.data.datasets import load_dataset
      >>> config = Task(width=2, depth=1, batch_size=256, epochs=1, optimizer="sgd")
      >>> training = make_training(config, load_dataset("digits"))
      >>> int(jax.jit(training)(jaxlr.constant(0.01))["updates"])
      5
    """
    pure, order = PureTraining(config, data), order_of(config, data)
    ends = jnp.asarray([order.updates(epoch) for epoch in range(1, config.epochs + 1)], jnp.int32)

    def training(schedule: Schedule) -> dict[str, Any]:
        optimizer = make_optimizer(config, schedule)
        update = pure.update(optimizer)

        def one_update(_, carry):
            done, state, sums = carry
            state, value, accuracy, _ = update(state, done)
            finite = jnp.isfinite(value)
            return (done + finite, state, sums + jnp.stack([value, accuracy])), (), finite

        def one_epoch(carry, end):
            first, finite, state = carry
            start = (first, state, jnp.zeros(2))
            _, finite, (done, state, sums), _ = while_finite(one_update, start, (), end - first, finite)
            totals = pure.validate(state)
            figures = jnp.concatenate([sums / (done - first), totals / pure.validated])
            return (done, finite, state), jnp.where(finite, figures, jnp.nan)

        start = (jnp.int32(0), jnp.bool_(True), pure.start(optimizer))
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


class PureTraining:
    """One training in its parts: where it starts, its updates, and how good the network is.

    Args:
      config: the options; its `epochs` are the most that are trained, its `schedule` is not looked at.
      data: the images.
    """

    def __init__(self, config: Task, data: Dataset):
        order = order_of(config, data)
        order.steps_per_epoch(config.epochs)  # raises where there is no update
        self._config, self._network, self._loss = config, parted(make_model(config, data)), loss_by_name(config.loss)
        self._images, self._labels = jnp.asarray(data.train.images), jnp.asarray(data.train.labels)
        self._batches = jnp.asarray(order.indices(0, order.updates(config.epochs)))
        batches = [padded(data.validation, first) for first in range(0, len(data.validation), EVALUATION_BATCH)]
        self._validation = tuple(jnp.asarray(np.stack(column)) for column in zip(*batches, strict=True))
        self.validated: int = len(data.validation)

    def start(self, optimizer: optax.GradientTransformation) -> State:
        """The state at count 0."""
        network = self._network
        return State(network.parameters, network.variables, optimizer.init(network.parameters))

    def update(self, optimizer: optax.GradientTransformation) -> Callable[[State, jax.Array], tuple[Any, ...]]:
        """The update of a count, on the images that `jaxlr train` takes: state, count -> as `make_update` has it."""
        config = self._config
        update = make_update(self._network.graph, optimizer, self._loss, config.l1, config.l2)

        def at(state: State, count: jax.Array) -> Any:
            return update(state, self._images[self._batches[count]], self._labels[self._batches[count]])

        return at

    def validate(self, state: State) -> jax.Array:
        """The sums of loss and hits over the `validated` images of the validation part, (2,)."""
        evaluate_batch = make_evaluate_batch(self._network.evaluated_graph, self._loss)
        sums = lax.map(lambda batch: jnp.stack(evaluate_batch(*state[:2], *batch)), self._validation)
        return sums.sum(axis=0)
