"""When a run saves itself, and what it says of itself then."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jaxlr.training.loop import hosts
from jaxlr.training.loop.items import EpochEnd, Item
from jaxlr.training.loop.trainer import Trainer
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.records.metrics import NoRecords, Records, finite
from jaxlr.training.runs.records.position import Position

if TYPE_CHECKING:
    from jaxlr.training.runs.saving.checkpoints import Checkpoints

_UNASKED_SECONDS = 60.0  # between two checkpoints that nobody asked for


class Clock:
    """The seconds of training, over all the processes of a run; compilation is left out."""

    def __init__(self, trainer: Trainer, before: float):
        self._trainer, self._before, self._started = trainer, before, time.perf_counter()

    def seconds(self) -> float:
        """The seconds up to now."""
        return self._before + time.perf_counter() - self._started - self._trainer.compile_seconds


class Saving:
    """Saves a run when it is due."""

    def __init__(self, config: TrainConfig, trainer: Trainer, folder: Path, start: Position, clock: Clock):
        self.updates: int | None
        self.updates, self._epochs = config.checkpoint_interval()
        self._keep, self._trainer, self._folder = config.keep_checkpoints, trainer, folder
        self._start, self._clock = start, clock
        self._started = self._saved = time.monotonic()
        self._checkpoints: Checkpoints | None = None

    def is_due(self, item: Item) -> bool:
        """Whether to save after this item of the loop."""
        if isinstance(item, EpochEnd):
            if self._epochs is not None:
                return item.epoch % self._epochs == 0
            if self.updates is not None:
                return self._trainer.count % self.updates == 0
            return hosts.any_host(time.monotonic() - self._saved >= _UNASKED_SECONDS)
        if item.diverged or self.updates is None or self._trainer.count % self.updates:
            return False
        # Where an epoch ends here too, its evaluation comes first: the checkpoint then knows how good it is.
        trainer = self._trainer
        return trainer.count + trainer.skipped != trainer.updates_total(trainer.epoch + 1)

    def save(self, records: Records | NoRecords, item: Item | None) -> None:
        """Takes the state as it is after an item, None before the first; it is written while the run goes on."""
        accuracy = item.validation_accuracy if isinstance(item, EpochEnd) else math.nan
        position = dataclasses.replace(
            self._start,
            count=self._trainer.count,
            epoch=self._trainer.epoch,
            skipped=self._trainer.skipped,
            # The checkpoint must never know of lines that the disk does not have.
            metrics_bytes=records.sync(),
            seconds=self._clock.seconds(),
        )
        if self._checkpoints is None:
            # Orbax takes a second to import: a short run does without.
            from jaxlr.training.runs.saving.checkpoints import Checkpoints

            self._checkpoints = Checkpoints(self._folder, keep=self._keep)
        self._checkpoints.save(self._trainer.state, position, validation_accuracy=finite(accuracy))
        self._saved = time.monotonic()

    def save_end(self, records: Records | NoRecords, last: EpochEnd) -> None:
        """Saves the end of a run that saves or has taken its time, and waits until everything is on the disk."""
        late = hosts.any_host(time.monotonic() - self._started >= _UNASKED_SECONDS)
        if self.updates or self._epochs or self._checkpoints or late:
            self.save(records, last)
            self.finish()

    def finish(self) -> None:
        """Waits until everything is on the disk."""
        if self._checkpoints is not None:
            self._checkpoints.finish()

    def close(self) -> None:
        """Ends the threads that write."""
        if self._checkpoints is not None:
            self._checkpoints.close()
