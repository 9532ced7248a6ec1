"""What the training loop gives out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxlr.errors import TrainingDiverged

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
