"""The training of `jaxlr train` update by update, which `jaxlr.branches` runs for many budgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

import jaxlr
from jaxlr.schedules import Schedule
from jaxlr.training.data.datasets import Dataset
from jaxlr.training.loop.update import State, make_evaluate_batch, make_update
from jaxlr.training.network.losses import loss_by_name
from jaxlr.training.runs.config import Task
from jaxlr.training.runs.starting.assembly import make_model, make_optimizer
from jaxlr.training.searches.sweep import batches_of, in_batches, steps_per_epoch


def make_steps(
    config: Task, data: Dataset
) -> tuple[Callable[[Any, Schedule, jax.Array], Any], State, Callable[[Any], dict[str, jax.Array]]]:
    """A training as a step, a state and a score.

    The images come in the order of `jaxlr train`, so a budget in whole epochs is that training of so many epochs.

    Args:
      config: the options; its `epochs` are the most that are trained, its `schedule` is not looked at.
      data: the images.

    Returns:
      step: (state, schedule, count) -> state; the state at count 0; score: state -> {"validation_accuracy",
      "validation_loss"}.

    Raises:
      ValueError: an option does not fit the images.

    Example:
      >>> import jaxlr
      >>> from jaxlr.training.data.datasets import load_dataset
      >>> config = Task(width=2, depth=1, batch_size=256, epochs=1, optimizer="sgd")
      >>> step, state, score = make_steps(config, load_dataset("digits"))
      >>> sorted(score(jax.jit(step)(state, jaxlr.constant(0.01), 0)))
      ['validation_accuracy', 'validation_loss']
    """
    steps_per_epoch(config, data)
    model, loss = make_model(config, data), loss_by_name(config.loss)
    model.eval()
    evaluate_batch = make_evaluate_batch(nnx.graphdef(model), loss)
    model.train()
    graph, *states = nnx.split(model, nnx.Param, ...)
    parameters, variables = map(nnx.to_pure_dict, states)
    images, labels = jnp.asarray(data.train.images), jnp.asarray(data.train.labels)
    batches = jnp.asarray(batches_of(config, len(labels)))
    validation = jax.tree.map(jnp.asarray, in_batches(data.validation))

    def step(state: State, schedule: Schedule, count: jax.Array) -> State:
        update = make_update(graph, make_optimizer(config, schedule), loss, config.l1, config.l2, config.accumulate)
        return update(state, images[batches[count]], labels[batches[count]])[0]

    def score(state: State) -> dict[str, jax.Array]:
        sums = lax.map(lambda batch: jnp.stack(evaluate_batch(*state[:2], *batch)), validation).sum(axis=0)
        means = sums / len(data.validation.labels)
        return {"validation_loss": means[0], "validation_accuracy": means[1]}

    optimizer = make_optimizer(config, jaxlr.constant(0.0))
    return step, State(parameters, variables, optimizer.init(parameters)), score
