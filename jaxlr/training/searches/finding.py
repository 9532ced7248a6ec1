"""The range test of the trainer's network on its images, and the schedule that follows from it."""

from __future__ import annotations

import functools
from typing import Any, Literal

from flax import nnx

from jaxlr.errors import NoSuggestion
from jaxlr.schedules import leaves
from jaxlr.search import RangeTest, constant_rate_test, lr_range_test
from jaxlr.training.data.datasets import Dataset
from jaxlr.training.loop.programs import parted
from jaxlr.training.loop.update import make_objective
from jaxlr.training.network.convolution import compiler_options
from jaxlr.training.network.losses import loss_by_name
from jaxlr.training.runs.config import Task, default_schedule
from jaxlr.training.runs.starting.assembly import make_model, make_optimizer
from jaxlr.training.searches.sweep import order_of


def initial_network(config: Task, data: Dataset) -> Any:
    """The parameters and the other variables that a run with these options starts from: nested dictionaries."""
    network = parted(make_model(config, data))
    return network.parameters, network.variables


def find_rates(
    config: Task,
    data: Dataset,
    *,
    mode: Literal["ramp", "constant"] = "ramp",
    start: float = 1e-6,
    end: float = 10.0,
    num_rates: int = 100,
    hold: int = 10,
    seeds: int = 1,
    network: Any = None,
) -> RangeTest:
    """Tests learning rates for a run with these options: its network, its optimizer, its batches in its order.

    The metric is the accuracy, with dropout, on the batch of an update before it; in the mode "constant" on all batches
    after the updates.

    Args:
      config: the options; its schedule is not looked at.
      data: the images.
      mode: "ramp", one training under a rising rate; "constant", each rate from the same weights.
      start: the lowest rate.
      end: the highest rate.
      num_rates: rates to try; in a ramp each is one update.
      hold: updates at each rate in the mode "constant".
      seeds: tests to make, each with the batches in another order; the result has medians and a spread.
      network: the parameters and variables to start from; None: `initial_network`.

    Returns:
      The curves and their suggestions.

    Raises:
      ValueError: a number is out of range, or a batch larger than the training part.

    Example:
      >>> from jaxlr.training.data.datasets import load_dataset
      >>> config = Task(width=2, depth=1, batch_size=256, optimizer="sgd")
      >>> result = find_rates(config, load_dataset("digits"), start=1e-4, end=1.0, num_rates=5)
      >>> [float(f"{rate:.2g}") for rate in result.learning_rates]
      [0.0001, 0.001, 0.01, 0.1, 1.0]
    """
    leaves.choice("mode", mode, ("ramp", "constant"))
    rows = order_of(config, data).indices(0, num_rates if mode == "ramp" else hold).reshape(-1, config.batch_size)
    batches = data.train.images[rows], data.train.labels[rows]
    parameters, variables = initial_network(config, data) if network is None else network
    objective = make_objective(nnx.graphdef(make_model(config, data)), loss_by_name(config.loss), config.l1, config.l2)

    def loss_fn(parameters, variables, batch, _):
        value, (variables, _) = objective(parameters, variables, *batch)
        return value, variables

    def accuracy(parameters, variables, batch, _):
        return objective(parameters, variables, *batch)[1][1]

    options: dict[str, Any] = {
        "optimizer": functools.partial(make_optimizer, config),
        "start": start,
        "end": end,
        "model_state": variables,
        "metric_fn": accuracy,
        "accumulate": config.accumulate,
        "seeds": seeds,
        "compiler_options": compiler_options(),
    }
    if mode == "ramp":
        return lr_range_test(loss_fn, parameters, batches, num_steps=num_rates, **options)
    return constant_rate_test(loss_fn, parameters, batches, num_rates=num_rates, num_steps=hold, **options)


def schedule_of(config: Task, result: RangeTest) -> str:
    """The schedule that a range test proposes for a run: the default one, its peak at the recommendation."""
    if result.recommendation is None:
        raise NoSuggestion(result.why)
    return default_schedule(config.epochs, float(f"{result.recommendation / 10.0:.2g}"), float(result.recommendation))
