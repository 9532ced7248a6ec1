"""What the training loop gives out; also what the lines of a run's records say, which need no Flax to be read."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np

__all__ = ["Chunk", "EpochEnd", "Item", "TrainingDiverged", "Updates"]


class Updates(NamedTuple):
    """What some updates in a row did; one entry for each."""

    count: np.ndarray  # int32, (k,): updates applied before this one  # pyright: ignore[reportIncompatibleMethodOverride]
    learning_rate: np.ndarray  # float32, (k,): the rate of this update, from the optimizer state
    loss: np.ndarray  # float32, (k,): mean over its images, with penalties, before the update
    accuracy: np.ndarray  # float32, (k,): share of its images that were right, with dropout, before the update
    gradient_norm: np.ndarray  # float32, (k,): length of the gradient as one vector, penalties included


class Chunk(NamedTuple):
    """What one call of the program did, in order: after it the network is as these updates left it."""

    entries: Updates  # also those that were left out; of these the rate is that of the last one before, the loss NaN
    skipped: np.ndarray  # bool, (k,): which were left out, since their loss or their gradient was not finite
    diverged: bool = False  # one more came, with a loss that is not finite: the network is lost, the loop raises next

    @property
    def updates(self) -> Updates:
        """Those that were applied."""
        return Updates(*(column[~self.skipped] for column in self.entries))


class EpochEnd(NamedTuple):
    """How the network stands after an epoch."""

    epoch: int  # the epoch just completed, from 1
    count: int  # updates applied so far  # pyright: ignore[reportIncompatibleMethodOverride]
    train_accuracy: float  # mean over the epoch's updates, as they went; NaN where accumulation left the epoch none
    validation_accuracy: float
    validation_loss: float  # without penalties


Item: TypeAlias = Chunk | EpochEnd


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
