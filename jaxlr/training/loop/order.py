"""The order in which a run goes through its images."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from jaxlr.schedules import leaves, updates


@functools.lru_cache(maxsize=2)
def epoch_order(examples: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch, from 0, goes through the training images, int32 and read-only.

    It is the same on every machine and with every NumPy.

    Example:
      >>> epoch_order(5, seed=0, epoch=0).tolist(), epoch_order(5, seed=0, epoch=1).tolist()
      ([3, 2, 1, 0, 4], [4, 1, 2, 0, 3])
    """
    # NumPy promises the raw stream for ever, but not the permutation that it makes of it.
    keys = np.random.PCG64([seed, epoch]).random_raw(examples)
    order = np.argsort(keys, kind="stable").astype(np.int32)
    order.flags.writeable = False
    return order


@dataclass(frozen=True)
class BatchOrder:
    """Which images each update of a run takes; an epoch's incomplete last batch is left out.

    Example:
      >>> BatchOrder(examples=5, batch_size=2, accumulate=1, seed=0).indices(1, 2).tolist()
      [[[1, 0]], [[4, 1]]]
    """

    examples: int  # how many training images there are
    batch_size: int  # images in a batch
    accumulate: int  # batches in an update; their row runs on over the ends of epochs
    seed: int  # of the run

    def __post_init__(self) -> None:
        self.updates(1)  # raises where a number is wrong
        leaves.length("seed", self.seed, minimum=0)

    @property
    def batches(self) -> int:
        """The batches of an epoch."""
        return self.examples // self.batch_size

    def updates(self, epochs: int) -> int:
        """The updates in some epochs: floor(epochs * batches / accumulate)."""
        return updates(epochs, examples=self.examples, batch_size=self.batch_size, accumulate=self.accumulate)

    def steps_per_epoch(self, epochs: int) -> float:
        """Updates in an epoch of a run; not whole where an accumulation goes on across an epoch's end."""
        if not self.updates(epochs):
            batches = epochs * self.batches
            raise ValueError(f"accumulate must be at most the {batches} batches of the run, got {self.accumulate}")
        return self.batches / self.accumulate

    @property
    def updates_in_epoch(self) -> int:
        """The updates that an epoch has, or has begun."""
        return -(-self.batches // self.accumulate)

    def indices(self, first: int, length: int) -> np.ndarray:
        """The images of `length` updates from `first` on: (length, accumulate, batch_size) int32."""
        rows = np.empty((length * self.accumulate, self.batch_size), np.int32)
        for row, batch in enumerate(range(first * self.accumulate, (first + length) * self.accumulate)):
            epoch, place = divmod(batch, self.batches)
            order = epoch_order(self.examples, self.seed, epoch)
            rows[row] = order[place * self.batch_size : (place + 1) * self.batch_size]
        return rows.reshape(length, self.accumulate, self.batch_size)
