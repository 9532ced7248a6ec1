"""The training of `jaxlr train` as pure functions of its state and its schedule, for searches that compile it whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxlr.schedules import Schedule
from jaxlr.training.data.datasets import Dataset
from jaxlr.training.loop.order import BatchOrder
from jaxlr.training.loop.programs import check_order, parted
from jaxlr.training.loop.update import EVALUATION_BATCH, State, make_evaluate_batch, make_update, padded
from jaxlr.training.network.losses import loss_by_name
from jaxlr.training.runs.config import Task
from jaxlr.training.runs.starting.assembly import make_model, make_optimizer


def order_of(config: Task, data: Dataset) -> BatchOrder:
    """The order in which these options go through the images.

    Raises:
      ValueError: the training images fill no batch.
    """
    return check_order(data, batch_size=config.batch_size, accumulate=config.accumulate, seed=config.seed)


class PureTraining:
    """One training in its parts: where it starts, its updates, and how good the network is.

    Args:
      config: the options; its `epochs` are the most that are trained, its `schedule` is not looked at.
      data: the images.

    Raises:
      ValueError: an option does not fit the images, or the training has no update.
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

    def optimizer(self, schedule: Schedule) -> optax.GradientTransformation:
        """The optimizer under a schedule."""
        return make_optimizer(self._config, schedule)

    def start(self, optimizer: optax.GradientTransformation) -> State:
        """The state at count 0."""
        network = self._network
        return State(network.parameters, network.variables, optimizer.init(network.parameters))

    def update(self, optimizer: optax.GradientTransformation) -> Callable[[State, jax.Array], tuple[Any, ...]]:
        """The update of a count, on the images that `jaxlr train` takes: state, count -> as `make_update` has it."""
        config = self._config
        update = make_update(self._network.graph, optimizer, self._loss, config.l1, config.l2, config.accumulate)

        def at(state: State, count: jax.Array) -> Any:
            return update(state, self._images[self._batches[count]], self._labels[self._batches[count]])

        return at

    def validate(self, state: State) -> jax.Array:
        """The sums of loss and hits over the `validated` images of the validation part, (2,)."""
        evaluate_batch = make_evaluate_batch(self._network.evaluated_graph, self._loss)
        sums = lax.map(lambda batch: jnp.stack(evaluate_batch(*state[:2], *batch)), self._validation)
        return sums.sum(axis=0)
