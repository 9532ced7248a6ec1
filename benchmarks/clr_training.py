"""The training of benchmarks/clr.py: one program for an optimizer and a family, its schedule and its seed as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

import jaxlr
from jaxlr.training.data.datasets import Dataset
from jaxlr.training.loop.order import BatchOrder
from jaxlr.training.loop.update import State, make_evaluate_batch, make_update
from jaxlr.training.network.convolution import compiler_options
from jaxlr.training.network.losses import loss_by_name
from jaxlr.training.network.models import CNN

BATCH = 100


class Cifar10Full(nnx.Module):
    """Caffe's cifar10_full, the network of the paper: three convolutions, pooled, with local response normalization."""

    def __init__(self, image: tuple[int, int, int], classes: int, *, rngs: nnx.Rngs):
        height, width, channels = image

        def convolution(inputs: int, outputs: int, deviation: float) -> nnx.Conv:
            return nnx.Conv(inputs, outputs, (5, 5), kernel_init=nnx.initializers.normal(deviation), rngs=rngs)

        self.convolution0 = convolution(channels, 32, 1e-4)
        self.convolution1 = convolution(32, 32, 1e-2)
        self.convolution2 = convolution(32, 64, 1e-2)
        self.dense = nnx.Linear((height // 8) * (width // 8) * 64, classes, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Images (N, H, W, C), uint8, to outputs (N, classes)."""
        x = images.astype(jnp.float32) / 255 - 0.5
        x = normalized_locally(nnx.relu(pooled(self.convolution0(x), nnx.max_pool)))
        x = normalized_locally(pooled(nnx.relu(self.convolution1(x)), nnx.avg_pool))
        x = pooled(nnx.relu(self.convolution2(x)), nnx.avg_pool)
        return self.dense(x.reshape(len(x), -1))


def pooled(x: jax.Array, pool: Callable) -> jax.Array:
    return pool(x, window_shape=(3, 3), strides=(2, 2), padding="SAME")


def normalized_locally(x: jax.Array) -> jax.Array:
    """Divides by (1 + 5e-5 / 3 times the sum of squares in 3 neighbouring channels) ** 0.75."""
    squares = jnp.pad(x * x, [(0, 0), (0, 0), (0, 0), (1, 1)])
    sums = squares[..., :-2] + squares[..., 1:-1] + squares[..., 2:]
    return x / (1 + 5e-5 / 3 * sums) ** 0.75


class Inputs(NamedTuple):
    """What differs between the seeds."""

    parameters: Any
    variables: Any
    batches: jax.Array  # int32, (updates, BATCH)


class Study:
    """Trains one network on one data set under any schedule.

    Args:
      data: the images.
      width: channels of the first convolution of jaxlr's CNN; None: the paper's network.
      evaluations: how often a training looks at the images that judge it, evenly apart, at the end at last.
      judges: how many of the validation and of the test images judge it.
    """

    def __init__(self, data: Dataset, *, width: int | None, evaluations: int, judges: int):
        self.data, self.width, self.evaluations = data, width, evaluations
        self.images, self.labels = jnp.asarray(data.train.images), jnp.asarray(data.train.labels)
        self.judges = {
            name: (jnp.asarray(split.images[:judges]), jnp.asarray(split.labels[:judges]))
            for name, split in (("validation", data.validation), ("test", data.test))
        }
        self._programs: dict[tuple[str, int], Callable] = {}
        self.traces = 0

    def inputs(self, seed: int, updates: int) -> Inputs:
        """The initial network of a seed and the order of its images."""
        _, parameters, variables = nnx.split(self._network(seed), nnx.Param, ...)
        batches = BatchOrder(len(self.data.train.labels), BATCH, 1, seed).indices(0, updates)[:, 0]
        return Inputs(nnx.to_pure_dict(parameters), nnx.to_pure_dict(variables), jnp.asarray(batches))

    def accuracies(self, optimizer: str, schedule: jaxlr.Schedule, inputs: Inputs, judge: str) -> np.ndarray:
        """The accuracy at each evaluation: float32, (evaluations,); 0 from where the loss is not finite."""
        key = (optimizer, len(inputs.batches))
        if key not in self._programs:
            self._programs[key] = jax.jit(self._training(optimizer), compiler_options=compiler_options())
        return np.asarray(self._programs[key](schedule, inputs, self.images, self.labels, *self.judges[judge]))

    def _network(self, seed: int) -> nnx.Module:
        image, rngs = self.data.train.images.shape[1:], nnx.Rngs(seed)
        if self.width is None:
            return Cifar10Full(image, self.data.classes, rngs=rngs)
        return CNN(image, self.data.classes, width=self.width, dropout=0.0, rngs=rngs)

    def _training(self, optimizer: str) -> Callable:
        model, loss = self._network(0), loss_by_name("cross-entropy")
        model.eval()
        evaluate = make_evaluate_batch(nnx.graphdef(model), loss)
        model.train()
        graph = nnx.graphdef(model)

        def training(schedule, inputs, images, labels, judge_images, judge_labels):
            self.traces += 1
            rule = jaxlr.sgd(schedule, momentum=0.9) if optimizer == "sgd" else jaxlr.adam(schedule)
            update = make_update(graph, rule, loss, 0.0, 0.0)

            def step(state, chosen):
                return update(state, images[chosen][None], labels[chosen][None])[:2]

            def leg(state, batches):
                state, losses = lax.scan(step, state, batches)
                weights = jnp.ones(len(judge_labels))
                _, hits = evaluate(state.parameters, state.variables, judge_images, judge_labels, weights)
                return state, (hits / len(judge_labels), jnp.isfinite(losses).all())

            legs = inputs.batches.reshape(self.evaluations, -1, BATCH)
            start = State(inputs.parameters, inputs.variables, rule.init(inputs.parameters))
            _, (accuracies, finite) = lax.scan(leg, start, legs)
            return jnp.where(jnp.cumprod(finite) > 0, accuracies, 0.0)

        return training
