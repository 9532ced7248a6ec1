"""The training of `jaxlr train` update by update, which `jaxlr.branches` runs for many budgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

import jaxlr
from jaxlr.schedules import Schedule
from jaxlr.training.data.datasets import Dataset
from jaxlr.training.loop.update import State
from jaxlr.training.runs.config import Task
from jaxlr.training.runs.starting.assembly import make_optimizer
from jaxlr.training.searches.sweep import PureTraining


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
    training = PureTraining(config, data)

    def step(state: State, schedule: Schedule, count: jax.Array) -> State:
        return training.update(make_optimizer(config, schedule))(state, count)[0]

    def score(state: State) -> dict[str, jax.Array]:
        means = training.validate(state) / training.validated
        return {"validation_loss": means[0], "validation_accuracy": means[1]}

    return step, training.start(make_optimizer(config, jaxlr.constant(0.0))), score
