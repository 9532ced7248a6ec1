"""The training loop: the data on the device, many updates in one compiled program, metrics out a chunk at a time."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import lax

from jaxlr.schedules import checks, updates
from jaxlr.training.convolution import compiler_options
from jaxlr.training.losses import loss_by_name
from jaxlr.training.splits import Dataset, Split
from jaxlr.training.step import EVALUATION_BATCH, State, make_evaluate_batch, make_update, padded
from jaxlr.transforms.learning_rate import current_learning_rate

__all__ = ["EpochEnd", "Skipped", "Trainer", "TrainingDiverged", "Updates", "epoch_order"]

_CHUNK_SECONDS = 0.7  # of work between two reports, so that a progress bar moves
_serial = itertools.count()


class Updates(NamedTuple):
    """What some updates in a row did; one entry for each."""

    count: np.ndarray  # int32, (k,): updates applied before this one  # pyright: ignore[reportIncompatibleMethodOverride]
    learning_rate: np.ndarray  # float32, (k,): the rate of this update, from the optimizer state
    loss: np.ndarray  # float32, (k,): mean over its images, with penalties, before the update
    accuracy: np.ndarray  # float32, (k,): share of its images that were right, with dropout, before the update


class EpochEnd(NamedTuple):
    """How the network stands after an epoch."""

    epoch: int  # the epoch just completed, from 1
    count: int  # updates applied so far  # pyright: ignore[reportIncompatibleMethodOverride]
    train_accuracy: float  # mean over the epoch's updates, as they went; NaN where accumulation left the epoch none
    validation_accuracy: float
    validation_loss: float  # without penalties


class Skipped(NamedTuple):
    """An update that was left out because its loss or its gradient was not finite."""

    count: int  # updates applied before  # pyright: ignore[reportIncompatibleMethodOverride]
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


class _Metrics(NamedTuple):
    """Buffers for the metrics of a chunk."""

    learning_rate: jax.Array  # float32, (capacity,)
    loss: jax.Array  # float32, (capacity,)
    accuracy: jax.Array  # float32, (capacity,)


class Trainer:
    """Trains a network and reports on it.

    Each epoch goes through the training images in a random order, an incomplete last batch left out. One update takes
    the mean gradient of `accumulate` batches; the row of batches runs on over the ends of epochs, as in
    `optax.MultiSteps`, so epoch e ends after update floor(e * batches / accumulate). The schedule counts updates.

    The same seed, model and data give the same bits on the same machine, however the work is cut into chunks.

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

    Raises:
      ValueError: a number is out of range, a batch is larger than the training part, a part has no images, or the
        optimizer does not record its rate.
      TypeError: a number is of the wrong kind.

    Example:
      >>> import jaxlr
      >>> from jaxlr.training.data import load_dataset
      >>> from jaxlr.training.models import CNN
      >>> model = CNN((8, 8, 1), 10, width=4, depth=1, dense=8, rngs=nnx.Rngs(0))
      >>> trainer = Trainer(model, jaxlr.adam(0.01), load_dataset("digits"), batch_size=64)
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
    ):
        examples = len(data.train.labels)
        if batch_size > examples:
            raise ValueError(f"batch_size must be at most the {examples} training images, got {batch_size}")
        # Also checks the numbers.
        self._batches = updates(1, examples=examples, batch_size=batch_size)
        updates(1, examples=examples, batch_size=batch_size, accumulate=accumulate)
        checks.length("seed", seed, minimum=0)
        _check_not_negative(l1=l1, l2=l2)
        skip = checks.choice("nonfinite", nonfinite, ("stop", "skip")) == "skip"
        if not len(data.validation.labels):
            raise ValueError("data.validation must have at least one image, got none")
        self.compile_seconds = 0.0
        self._examples, self._batch_size, self._accumulate, self._seed = examples, batch_size, accumulate, seed
        self._validation = data.validation
        self._capacity = math.ceil(self._batches / accumulate)
        self._count = self._skipped = self._epoch = 0
        self._settled = True
        self._accuracies: list[np.ndarray] = []  # of the updates since the last epoch's end
        self._seconds_an_update = math.inf

        model = nnx.clone(model)
        model.eval()
        self._evaluated_graph = nnx.graphdef(model)
        model.train()
        graph, parameters, variables = nnx.split(model, nnx.Param, ...)
        parameters, variables = nnx.to_pure_dict(parameters), nnx.to_pure_dict(variables)
        state = State(parameters, variables, optimizer.init(parameters))
        current_learning_rate(state.optimizer)  # raises here, not in the first update
        # Copies, since each chunk takes the buffers of the state over: those of the model stay the caller's.
        self._state = jax.tree.map(jnp.copy, state)
        self._loss, self._skip = loss_by_name(loss), skip
        self._images, self._labels = jnp.asarray(data.train.images), jnp.asarray(data.train.labels)
        update = make_update(graph, optimizer, self._loss, l1, l2, accumulate, skip=skip)
        compile_ = functools.partial(jax.jit, compiler_options=compiler_options())
        self._train_chunk = compile_(_traced_once(_make_train_chunk(update, skip=skip)), donate_argnums=0)
        self._evaluate_batch = compile_(make_evaluate_batch(self._evaluated_graph, self._loss))
        self._compiled: Callable[..., tuple[State, jax.Array, _Metrics]] | None = None

    @property
    def parameters(self) -> Any:
        """A copy of the current parameters: nested dictionaries of arrays."""
        return jax.tree.map(jnp.copy, self._state.parameters)

    @property
    def state(self) -> tuple[Any, optax.OptState]:
        """The network (parameters, statistics, dropout's keys) and the optimizer state; gone after the next update."""
        return self._state[:2], self._state.optimizer

    @property
    def count(self) -> int:
        """The updates applied so far."""
        return self._count

    @property
    def epoch(self) -> int:
        """The epochs completed so far."""
        return self._epoch

    @property
    def skipped(self) -> int:
        """The updates left out so far."""
        return self._skipped

    @property
    def settled(self) -> bool:
        """Whether what the loop has given out is all that it has done, so that the state belongs to it."""
        return self._settled

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
        self._count, self._skipped, self._epoch = count, skipped, epoch
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
        return updates(epochs, examples=self._examples, batch_size=self._batch_size, accumulate=self._accumulate)

    def run(self, epochs: int, *, stop_every: int | None = None) -> Iterator[Updates | Skipped | EpochEnd]:
        """Trains for some epochs; run again, it goes on where it stands.

        Args:
          epochs: passes over the training images; one that has begun counts as a whole one.
          stop_every: also gives out an item at each multiple of this many updates, to save the state there.

        Returns:
          An iterator that trains as it is read: each update once, in order, several to an `Updates`; a `Skipped` for
          each that was left out; and an `EpochEnd` after the updates of each epoch.

        Raises:
          ValueError: the epochs have no update, or fewer than one epoch is asked for.
          TrainingDiverged: while iterating, once the updates before the bad one are out; with "skip", where an epoch
            has no other.
        """
        last = self._epoch + epochs
        if epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {epochs}")
        if self.updates_total(last) == 0:
            raise ValueError(
                f"accumulate must be at most the {last * self._batches} batches of the run, got {self._accumulate}"
            )
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
        sums = [
            self._evaluate_batch(self._state.parameters, self._state.variables, *padded(split, first))
            for first in range(0, examples, EVALUATION_BATCH)
        ]
        loss, correct = np.asarray(sums, np.float64).sum(axis=0) / examples
        return float(loss), float(correct)

    def _run(self, last: int, stop_every: int | None) -> Iterator[Updates | Skipped | EpochEnd]:
        if self._compiled is None:
            self._compile()
        while self._epoch < last:
            first, end = self.updates_total(self._epoch), self.updates_total(self._epoch + 1)
            rate = math.nan
            while (place := self._count + self._skipped) < end:
                stop = end - place if stop_every is None else min(end - place, stop_every - self._count % stop_every)
                chunk = self._run_chunk(min(stop, self._chunk_length()))
                yield from self._given_out(chunk)
                rate = float(chunk.learning_rate[-1])
            if first < end and not self._accuracies:
                raise TrainingDiverged(self._count, rate, math.nan)
            self._epoch += 1
            validation_loss, validation_accuracy = self.evaluate(self._validation)
            train_accuracy = float(np.concatenate(self._accuracies).mean()) if self._accuracies else math.nan
            self._accuracies = []
            yield EpochEnd(self._epoch, self._count, train_accuracy, validation_accuracy, validation_loss)

    def _given_out(self, chunk: Updates) -> Iterator[Updates | Skipped]:
        """Gives out what a chunk did; where the loss was to be finite, raises at the one that is not."""
        parts = list(_parts(chunk))
        for place, part in enumerate(parts):
            self._settled = place == len(parts) - 1
            if isinstance(part, Updates):
                self._accuracies.append(part.accuracy)
            elif not self._skip:
                raise TrainingDiverged(part.count, part.learning_rate, float(chunk.loss[-1]))
            yield part

    def _compile(self) -> None:
        started = time.perf_counter()
        arguments = (self._state, self._images, self._labels, self._batches_of(0), np.int32(0))
        self._compiled = self._train_chunk.lower(*arguments).compile()
        self.evaluate(self._validation)
        self.compile_seconds = time.perf_counter() - started

    def _chunk_length(self) -> int:
        return max(1, int(_CHUNK_SECONDS / self._seconds_an_update))

    def _run_chunk(self, length: int) -> Updates:
        assert self._compiled is not None
        started = time.perf_counter()
        self._state, done, metrics = self._compiled(
            self._state, self._images, self._labels, self._batches_of(length), np.int32(length)
        )
        done = int(done)
        self._seconds_an_update = (time.perf_counter() - started) / done
        learning_rate, loss, accuracy = (np.asarray(buffer)[:done] for buffer in metrics)
        applied = np.isfinite(loss)
        count = self._count + np.cumsum(applied, dtype=np.int32) - applied
        self._count += int(applied.sum())
        self._skipped += done - int(applied.sum())
        return Updates(count.astype(np.int32), learning_rate, loss, accuracy)

    def _batches_of(self, length: int) -> np.ndarray:
        """The images of the next `length` updates: (capacity, accumulate, batch_size) indices, the rest 0."""
        place = self._count + self._skipped
        first, stop = place * self._accumulate, (place + length) * self._accumulate
        indices = np.zeros((self._capacity * self._accumulate, self._batch_size), np.int32)
        for row, batch in enumerate(range(first, stop)):
            epoch, place = divmod(batch, self._batches)
            order = epoch_order(self._examples, self._seed, epoch)
            indices[row] = order[place * self._batch_size : (place + 1) * self._batch_size]
        return indices.reshape(self._capacity, self._accumulate, self._batch_size)


@functools.lru_cache(maxsize=2)
def epoch_order(examples: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch goes through the training images: the same on every machine and with every NumPy.

    Args:
      examples: how many images there are.
      seed: the seed of the run, at least 0.
      epoch: the epoch, from 0.

    Returns:
      A permutation of 0 ... examples - 1, int32, read-only.

    Example:
      >>> epoch_order(5, seed=0, epoch=0).tolist(), epoch_order(5, seed=0, epoch=1).tolist()
      ([3, 2, 1, 0, 4], [4, 1, 2, 0, 3])
    """
    # NumPy promises the raw stream for ever, but not the permutation that it makes of it.
    keys = np.random.PCG64([seed, epoch]).random_raw(examples)
    order = np.argsort(keys, kind="stable").astype(np.int32)
    order.flags.writeable = False
    return order


def _make_train_chunk(update: Callable, *, skip: bool = False) -> Callable[..., tuple[State, jax.Array, _Metrics]]:
    """The program: the first `length` updates of a buffer; unless `skip`, no further than a loss that is not finite."""

    def train_chunk(state, images, labels, batches, length):
        def unfinished(carry):
            done, finite, _, _ = carry
            return (done < length) if skip else (done < length) & finite

        def step(carry):
            done, _, state, metrics = carry
            chosen = lax.dynamic_index_in_dim(batches, done, keepdims=False)
            state, loss, accuracy = update(state, images[chosen], labels[chosen])
            entry = _Metrics(current_learning_rate(state.optimizer), loss, accuracy)
            metrics = jax.tree.map(lambda buffer, value: buffer.at[done].set(value), metrics, entry)
            return done + 1, jnp.isfinite(loss), state, metrics

        buffers = _Metrics(*(jnp.zeros(len(batches), jnp.float32) for _ in _Metrics._fields))
        start = (jnp.int32(0), jnp.bool_(True), state, buffers)
        done, _, state, metrics = lax.while_loop(unfinished, step, start)
        return state, done, metrics

    return train_chunk


def _traced_once(function: Callable) -> Callable:
    # chex counts by source and name, so each trainer's function needs a name of its own.
    function.__name__ = f"{function.__name__}_{next(_serial)}"
    return chex.assert_max_traces(function, n=1)


def _parts(chunk: Updates) -> Iterator[Updates | Skipped]:
    """A chunk in order: runs of updates with a finite loss, and one by one those without."""
    finite = np.isfinite(chunk.loss)
    borders = [0, *(np.flatnonzero(np.diff(finite)) + 1), len(finite)]
    for first, stop in itertools.pairwise(borders):
        if finite[first]:
            yield Updates(*(column[first:stop] for column in chunk))
        else:
            yield from map(Skipped, map(int, chunk.count[first:stop]), map(float, chunk.learning_rate[first:stop]))


def _check_not_negative(**numbers: float) -> None:
    for name, value in numbers.items():
        if not (value >= 0 and math.isfinite(value)):
            raise ValueError(f"{name} must be at least 0 and finite, got {value!r}")
