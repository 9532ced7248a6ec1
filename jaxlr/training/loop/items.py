"""What the training loop gives out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["EpochEnd", "Skipped", "TrainingDiverged", "Updates"]


class Updates(NamedTuple):
    """What some updates in a row did; one entry for each."""

    count: np.ndarray  # int32, (k,): updates applied before this one
    learning_rate: np.ndarray  # float32, (k,): the rate of this update, from the optimizer state
    loss: np.ndarray  # float32, (k,): mean over its images, with penalties, before the update
    accuracy: np.ndarray  # float32, (k,): share of its images that were right, with dropout, before the update
    gradient_norm: np.ndarray  # float32, (k,): length of the gradient as one vector, penalties included


class EpochEnd(NamedTuple):
    """How the network stands after an epoch."""

    epoch: int  # the epoch just completed, from 1
    count: int  # updates applied so far
    train_accuracy: float  # mean over the epoch's updates, as they went; NaN where accumulation left the epoch none
    validation_accuracy: float
    validation_loss: float  # without penalties


class Skipped(NamedTuple):
    """An update that was left out because its loss or its gradient was not finite."""

    count: int  # updates applied before
    learning_rate: float  # of the last update before it that was applied


class TrainingDiverged(RuntimeError):  # noqa: N818, what happened is a better name than that it is an error
    """The loss became NaN or infinite.

    Attributes:
      count: updates applied before.
      learning_rate: the rate of the update that had this loss.
      loss: the loss.

    Example:
      >>> print(TrainingDiverged(count=120, learning_rate=8.0, loss=float("nan")))
      the loss became nan at count 120, where the learning rate was 8
    """

    def __init__(self, count: int, learning_rate: float, loss: float):
        super().__init__(f"the loss became {loss} at count {count}, where the learning rate was {learning_rate:g}")
        self.count = count
        self.learning_rate = learning_rate
        self.loss = loss
