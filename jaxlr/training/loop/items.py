"""What the training loop gives out; also what the lines of a run's records say, which need no Flax to be read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np

from jaxlr.errors import TrainingDiverged as TrainingDiverged


class Updates(NamedTuple):
    """What some updates in a row did; one entry for each."""

    count: np.ndarray  # int32, (k,): updates applied before this one
    learning_rate: np.ndarray  # float32, (k,): the rate of this update, from the optimizer state; of groups the highest
    loss: np.ndarray  # float32, (k,): mean over its images, with penalties, before the update
    accuracy: np.ndarray  # float32, (k,): share of its images that were right, with dropout, before the update
    gradient_norm: np.ndarray  # float32, (k,): length of the gradient as one vector, penalties included


class Chunk(NamedTuple):
    """What one call of the program did, in order: after it the network is as these updates left it."""

    entries: Updates  # also those that were left out; of these the rate is that of the last one before, the loss NaN
    skipped: np.ndarray  # bool, (k,): which were left out, since their loss or their gradient was not finite
    diverged: bool = False  # one more came, with a loss that is not finite: the network is lost, the loop raises next
    # What else the optimizer records, float32 (k,) by name: momentum, b1, weight decay, and the rate of every group.
    hyperparameters: Mapping[str, np.ndarray] = MappingProxyType({})

    @property
    def updates(self) -> Updates:
        """Those that were applied."""
        return Updates(*(column[~self.skipped] for column in self.entries))


class EpochEnd(NamedTuple):
    """How the network stands after an epoch."""

    epoch: int  # the epoch just completed, from 1
    count: int  # updates applied so far
    train_accuracy: float  # mean over the epoch's updates, as they went; NaN where accumulation left the epoch none
    validation_accuracy: float
    validation_loss: float  # without penalties


Item: TypeAlias = Chunk | EpochEnd
