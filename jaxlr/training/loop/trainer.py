"""The training loop: many updates in one compiled program on all devices, metrics out a chunk at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxlr.errors import TrainingDiverged
from jaxlr.schedules import leaves
from jaxlr.training.data.splits import Dataset, Split
from jaxlr.training.loop import hosts
from jaxlr.training.loop.chunk import TrainChunk, recorded
from jaxlr.training.loop.feed import Feed, Resident, Streamed, are_resident, memory_of
from jaxlr.training.loop.items import Chunk, EpochEnd, Item, Updates
from jaxlr.training.loop.mesh import DataMesh, choose_devices
from jaxlr.training.loop.programs import check_order, evaluated_at_once, make_programs, parted, starting_state
from jaxlr.training.loop.update import State, padded
from jaxlr.training.network.losses import loss_by_name

_CHUNK_SECONDS = 0.7  # of work between two reports, so that a progress bar moves


class Trainer:
    """Trains a network and reports on it.

    Each epoch goes through the training images in a random order, an incomplete last batch left out. One update takes
    the mean gradient of `accumulate` batches; the row of batches runs on over the ends of epochs, as in
    `optax.MultiSteps`, so epoch e ends after update floor(e * batches / accumulate). The schedule counts updates.

    The same seed, model and data give the same bits on the same machine, however the work is cut into chunks and
    wherever the images lie. Each device takes a part of every batch: the means over a batch, those of batch
    normalization too, are over all of it, so that another number of devices changes no more than the order of sums.

    Args:
      model: an `nnx.Module` that maps images to outputs (N, classes), as `CNN` does; it is copied.
      optimizer: a gradient transformation that records its rate: one of jaxlr's, or a chain that ends with
        `jaxlr.scale_by_learning_rate`.
      data: the images.
      batch_size: images in a batch.
      accumulate: batches whose gradients make one update.
      loss: "cross-entropy", "mse", "mae" or "smooth-l1".
      l1: weight of the sum of the absolute kernel weights in the loss.
      l2: weight of half the sum of the squared kernel weights in the loss.
      seed: decides the order of the images; the model brings its own keys for dropout.
      nonfinite: what a loss that is not finite does: "stop" raises, "skip" leaves the update out, as it does one whose
        gradient is not finite; parameters, statistics, optimizer and count then stay, and the next batch comes.
      devices: how many devices share a batch, evenly; None: all, those of every host.
      zero: whether the devices share the optimizer state as well (ZeRO stage 1).
      images_on: "device" puts all training images on every device; "host" leaves them where they are, for one in a
        mapped file, and hands them out a few updates ahead; "auto" is "device" where they take at most half of its
        memory.

    Attributes:
      devices: how many share each batch.
      count: the updates applied so far.
      epoch: the epochs completed so far.
      skipped: the updates left out so far.
      compile_seconds: spent on compilation.

    Raises:
      ValueError: a number is out of range, a batch is larger than the training part or no multiple of the devices, a
        part has no images, or the optimizer does not record its rate.
      TypeError: a number is of the wrong kind.

    Example:
      >>> import jaxlr
      >>> from jaxlr.training.data.datasets import load_dataset
      >>> from jaxlr.training.network.models import CNN
      >>> model = CNN((8, 8, 1), 10, width=4, depth=1, dense=8, rngs=nnx.Rngs(0))
      >>> trainer = Trainer(model, jaxlr.sgd(0.1), load_dataset("digits"), batch_size=64)
      >>> [type(item).__name__ for item in trainer.run(epochs=1)][-1]
      'EpochEnd'
    """

    def __init__(
        self,
        model: nnx.Module,
        optimizer: optax.GradientTransformation,
        data: Dataset,
        *,
        batch_size: int,
        accumulate: int = 1,
        loss: str = "cross-entropy",
        l1: float = 0.0,
        l2: float = 0.0,
        seed: int = 0,
        nonfinite: str = "stop",
        devices: int | None = None,
        zero: bool = False,
        images_on: str = "auto",
    ):
        self._order = check_order(data, batch_size=batch_size, accumulate=accumulate, seed=seed)
        for name, weight in (("l1", l1), ("l2", l2)):
            if not (weight >= 0 and math.isfinite(weight)):
                raise ValueError(f"{name} must be at least 0 and finite, got {weight!r}")
        self._skip = leaves.choice("nonfinite", nonfinite, ("stop", "skip")) == "skip"
        self.compile_seconds: float = 0.0
        self._mesh = DataMesh(choose_devices(batch_size, devices))
        resident = are_resident(images_on, data.train, memory_of(jax.local_devices()[0]))
        self._feed: Feed = (Resident if resident else Streamed)(data.train, self._order, self._mesh)
        self._validation = data.validation
        self.devices: int = self._mesh.size
        self.count: int = 0
        self.epoch: int = 0
        self.skipped: int = 0
        self._accuracies: list[np.ndarray] = []  # of the updates since the last epoch's end
        self._seconds_an_update = math.inf

        network = parted(model)
        self._evaluated_graph = network.evaluated_graph
        state = starting_state(network, optimizer)
        recorded(state.optimizer)  # raises here, not in the first update
        programs = make_programs(
            network,
            state,
            optimizer,
            self._mesh,
            self._feed,
            capacity=self._feed.capacity,
            loss=loss_by_name(loss),
            l1=l1,
            l2=l2,
            skip=self._skip,
            zero=zero,
        )
        self._state = self._mesh.copies(state, programs.shardings)
        self._train_chunk, self._evaluate_batch = programs.train_chunk, programs.evaluate_batch
        self._compiled: TrainChunk | None = None

    @property
    def parameters(self) -> Any:
        """A copy of the current parameters: nested dictionaries of arrays."""
        return jax.tree.map(jnp.copy, self._state.parameters)

    @property
    def state(self) -> tuple[Any, optax.OptState]:
        """The network (parameters, statistics, dropout's keys) and the optimizer state; gone after the next update."""
        return self._state[:2], self._state.optimizer

    def load(
        self,
        state: tuple[Any, optax.OptState],
        *,
        count: int,
        epoch: int,
        accuracies: np.ndarray,
        skipped: int = 0,
    ) -> None:
        """Goes to another place of the run: the updates that come next are those that came next there.

        Args:
          state: what `state` was.
          count: the updates applied there.
          epoch: the epochs completed there.
          accuracies: of the updates after the last of these epochs, float32.
          skipped: the updates left out there.
        """
        (parameters, variables), optimizer = state
        self._state = State(parameters, variables, optimizer)
        self.count, self.skipped, self.epoch = count, skipped, epoch
        self._accuracies = [np.asarray(accuracies, np.float32)] if len(accuracies) else []

    def load_network(self, network: Any) -> None:
        """Starts from other weights and statistics; dropout's keys and the optimizer state stay as they are.

        Args:
          network: the first part of what another `state` was.
        """
        parameters, variables = network
        keys = {path for path, _ in jax.tree.leaves_with_path(nnx.to_pure_dict(nnx.state(self.model, nnx.RngState)))}
        variables = jax.tree.map_with_path(
            lambda path, old, new: old if path in keys else new, self._state.variables, variables
        )
        self._state = self._state._replace(parameters=parameters, variables=variables)

    @property
    def model(self) -> nnx.Module:
        """A copy of the network as it is now, in evaluation mode."""
        return nnx.merge(self._evaluated_graph, *jax.tree.map(jnp.copy, self._state[:2]))

    def updates_total(self, epochs: int) -> int:
        """The updates in some epochs: floor(epochs * batches / accumulate)."""
        return self._order.updates(epochs)

    def run(self, epochs: int, *, stop_every: int | None = None) -> Iterator[Item]:
        """Trains for some epochs; run again, it goes on where it stands.

        Args:
          epochs: passes over the training images; one that has begun counts as a whole one.
          stop_every: also gives out an item at each multiple of this many updates, to save the state there.

        Returns:
          An iterator that trains as it is read: each update once, in order, several to a `Chunk`, and an `EpochEnd`
          after the updates of each epoch. When an item comes out, `state` is that after it.

        Raises:
          ValueError: the epochs have no update, or fewer than one epoch is asked for.
          TrainingDiverged: while iterating, once the updates before the bad one are out; with "skip", where an epoch
            has no other.
        """
        last = self.epoch + epochs
        if epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {epochs}")
        self._order.steps_per_epoch(last)  # raises where there is no update
        return self._run(last, stop_every)

    def evaluate(self, split: Split) -> tuple[float, float]:
        """The mean loss, without penalties, and the accuracy on a part of the data.

        Args:
          split: images and labels, at least one of each.

        Returns:
          (loss, accuracy).

        Raises:
          ValueError: the part has no images.
        """
        examples = len(split.labels)
        if not examples:
            raise ValueError("split must have at least one image, got none")
        size = evaluated_at_once(self._mesh)
        sums = [
            self._evaluate_batch(*self._state[:2], *map(self._mesh.split, padded(split, first, size)))
            for first in range(0, examples, size)
        ]
        loss, correct = np.asarray(sums, np.float64).sum(axis=0) / examples
        return float(loss), float(correct)

    def _run(self, last: int, stop_every: int | None) -> Iterator[Item]:
        if self._compiled is None:
            self._compile()
        while self.epoch < last:
            first, end = self.updates_total(self.epoch), self.updates_total(self.epoch + 1)
            rate = math.nan
            while (place := self.count + self.skipped) < end:
                stop = end - place if stop_every is None else min(end - place, stop_every - self.count % stop_every)
                made, others = self._run_chunk(min(stop, self._chunk_length()))
                rate, left_out = float(made.learning_rate[-1]), ~np.isfinite(made.loss)
                diverged = not self._skip and bool(left_out[-1])
                good = len(left_out) - diverged
                entries = Updates(*(column[:good] for column in made))
                chunk = Chunk(
                    entries, left_out[:good], diverged, {name: values[:good] for name, values in others.items()}
                )
                if len(accuracies := chunk.updates.accuracy):
                    self._accuracies.append(accuracies)
                if good:
                    yield chunk
                if diverged:
                    raise TrainingDiverged(self.count, rate, float(made.loss[-1]))
            if first < end and not self._accuracies:
                raise TrainingDiverged(self.count, rate, math.nan)
            self.epoch += 1
            validation_loss, validation_accuracy = self.evaluate(self._validation)
            train_accuracy = float(np.concatenate(self._accuracies).mean()) if self._accuracies else math.nan
            self._accuracies = []
            yield EpochEnd(self.epoch, self.count, train_accuracy, validation_accuracy, validation_loss)

    def _compile(self) -> None:
        started = time.perf_counter()
        arguments = (self._state, self._feed.fed(self.count + self.skipped, 0), np.int32(0))
        self._compiled = self._train_chunk.lower(*arguments).compile()
        self.evaluate(self._validation)
        self.compile_seconds = time.perf_counter() - started

    def _chunk_length(self) -> int:
        return max(1, min(int(_CHUNK_SECONDS / self._seconds_an_update), self._feed.room(self.count + self.skipped)))

    def _run_chunk(self, length: int) -> tuple[Updates, dict[str, np.ndarray]]:
        assert self._compiled is not None
        first = self.count + self.skipped
        started = time.perf_counter()
        self._state, done, metrics = self._compiled(self._state, self._feed.fed(first, length), np.int32(length))
        self._feed.look_ahead(first)
        done = int(done)
        # All hosts take the same updates in a chunk.
        self._seconds_an_update = hosts.largest(time.perf_counter() - started) / done
        *columns, others = jax.tree.map(lambda buffer: np.asarray(buffer)[:done], tuple(metrics))
        applied = np.isfinite(columns[metrics._fields.index("loss")])
        count = self.count + np.cumsum(applied, dtype=np.int32) - applied
        self.count += int(applied.sum())
        self.skipped += done - int(applied.sum())
        return Updates(count.astype(np.int32), *columns), others
