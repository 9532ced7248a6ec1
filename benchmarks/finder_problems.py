"""The problems of `finder.py`: tiny trainings of different kinds, drawn anew from a generator each time.

Weights and batches are drawn on the host: random numbers inside a program take longer to compile than all the rest.
"""

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxlr
from jaxlr.training.data.datasets import load_dataset

Tree = Any


class Problem(NamedTuple):
    """What is trained: a loss, and where its weights and batches come from."""

    initial: Callable[[np.random.Generator], Tree]  # -> weights
    sample: Callable[[np.random.Generator, int], Tree]  # , examples -> a batch
    loss: Callable[[Tree, Tree], jax.Array]
    sizes: tuple[int, ...] = (8, 64, 512)


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.standard_normal(shape, np.float32)


def dense(random: np.random.Generator, inputs: int, outputs: int) -> Tree:
    kernel = normal(random, inputs, outputs) * np.float32(math.sqrt(2.0 / inputs))
    return {"kernel": kernel, "bias": np.zeros(outputs, np.float32)}


def apply(layer: Tree, values: jax.Array) -> jax.Array:
    return values @ layer["kernel"] + layer["bias"]


def quadratic(lowest: float, highest: float, noise: float) -> Problem:
    """Curvatures from `lowest` to `highest` around a centre that each example sees with noise."""
    curvatures = np.geomspace(lowest, highest, 20, dtype=np.float32)

    def loss(weights, batch):
        return jnp.mean(jnp.sum(curvatures * (weights - batch) ** 2, axis=-1)) / 2.0

    def sample(random, examples):
        return np.float32(noise) * normal(random, examples, 20)

    return Problem(lambda random: 1.0 + np.float32(0.3) * normal(random, 20), sample, loss)


def linear_regression() -> Problem:
    truth = normal(np.random.default_rng(10), 10)

    def sample(random, examples):
        inputs = normal(random, examples, 10)
        return inputs, inputs @ truth + np.float32(0.5) * normal(random, examples)

    def loss(weights, batch):
        return jnp.mean((batch[0] @ weights - batch[1]) ** 2)

    return Problem(lambda random: np.float32(0.1) * normal(random, 10), sample, loss)


def pure_noise() -> Problem:
    """Labels that have nothing to do with the inputs, new ones in every batch."""

    def sample(random, examples):
        return normal(random, examples, 20), random.integers(0, 5, examples).astype(np.int32)

    return Problem(
        lambda random: {"kernel": np.zeros((20, 5), np.float32), "bias": np.zeros(5, np.float32)},
        sample,
        lambda weights, batch: cross_entropy(apply(weights, batch[0]), batch[1]),
    )


@functools.cache
def images(name: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Small images with mean 0 and deviation 1, and their labels; those of 28 x 28 as means over 4 x 4."""
    data = load_dataset(name, data_dir=folder).train
    pixels = np.asarray(data.images, np.float32)[:10_000, :, :, 0]
    if pixels.shape[1] == 28:
        pixels = pixels.reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4))
    return (pixels - pixels.mean()) / pixels.std(), np.asarray(data.labels, np.int32)[: len(pixels)]


def of_images(name: str, folder: Path | None, initial, outputs, wrong: float = 0.0, **others) -> Problem:
    """A classification; of each batch's labels the share `wrong` is drawn anew."""
    pixels, labels = images(name, folder)

    def sample(random, examples):
        rows = random.integers(0, len(labels), examples)
        drawn = random.integers(0, 10, examples).astype(np.int32)
        return pixels[rows], np.where(random.random(examples) < wrong, drawn, labels[rows])

    def loss(weights, batch):
        return cross_entropy(outputs(weights, batch[0]), batch[1])

    return Problem(functools.partial(initial, size=pixels.shape[1]), sample, loss, **others)


def flat(values: jax.Array) -> jax.Array:
    return values.reshape(len(values), -1)


def logistic(random: np.random.Generator, size: int) -> Tree:
    return {"kernel": np.zeros((size * size, 10), np.float32), "bias": np.float32(0.01) * normal(random, 10)}


def perceptron(random: np.random.Generator, size: int, width: int = 32) -> Tree:
    return {"hidden": dense(random, size * size, width), "out": dense(random, width, 10)}


def perceptron_outputs(weights: Tree, values: jax.Array) -> jax.Array:
    return apply(weights["out"], jax.nn.relu(apply(weights["hidden"], flat(values))))


def normalized(random: np.random.Generator, size: int) -> Tree:
    return {**perceptron(random, size), "scale": np.ones(32, np.float32), "shift": np.zeros(32, np.float32)}


def normalized_outputs(weights: Tree, values: jax.Array) -> jax.Array:
    """A hidden layer whose units are normalized over the batch."""
    hidden = apply(weights["hidden"], flat(values))
    hidden = (hidden - hidden.mean(axis=0)) * jax.lax.rsqrt(hidden.var(axis=0) + 1e-5)
    return apply(weights["out"], jax.nn.relu(hidden * weights["scale"] + weights["shift"]))


def convolutional(random: np.random.Generator, size: int) -> Tree:
    return {"first": dense(random, 9, 8), "second": dense(random, 72, 16), "out": dense(random, 16, 10)}


def patches(values: jax.Array, stride: int) -> jax.Array:
    """The 3 x 3 neighbourhoods: convolutions of many networks side by side become products of matrices."""
    places = np.arange(0, values.shape[1] - 2, stride)
    rows = places[:, None] + np.arange(3)
    taken = values[:, rows[:, None, :, None], rows[None, :, None, :]]
    return taken.reshape(len(values), len(places), len(places), -1)


def convolutional_outputs(weights: Tree, values: jax.Array) -> jax.Array:
    values = jax.nn.relu(apply(weights["first"], patches(values[..., None], 1)))
    values = jax.nn.relu(apply(weights["second"], patches(values, 2)))
    return apply(weights["out"], values.mean(axis=(1, 2)))


def transformer() -> Problem:
    """One block with causal attention on a text made here: each letter depends on the two before it."""
    letters, length, width = 12, 8, 12
    writer = np.random.default_rng(7)
    follow = writer.dirichlet(np.full(letters, 0.15), size=(letters, letters)).cumsum(axis=-1)
    text = [0, 1]
    for draw in writer.random(20_000):
        text.append(min(int(np.searchsorted(follow[text[-2], text[-1]], draw)), letters - 1))
    written = np.asarray(text, np.int32)
    hidden = np.where(np.tril(np.ones((length, length), bool)), np.float32(0.0), np.float32(-1e9))

    def initial(random):
        scale = np.float32(1.0 / math.sqrt(width))
        return {
            "letters": normal(random, letters, width) * scale,
            "places": normal(random, length, width) * scale,
            "attention": normal(random, 3, width, width) * scale,
            "up": dense(random, width, 24),
            "down": dense(random, 24, width),
            "out": dense(random, width, letters),
        }

    def scaled(values):
        return (values - values.mean(-1, keepdims=True)) * jax.lax.rsqrt(values.var(-1, keepdims=True) + 1e-5)

    def loss(weights, batch):
        values = weights["letters"][batch[:, :-1]] + weights["places"]
        query, key, value = jnp.einsum("btd,kde->kbte", scaled(values), weights["attention"])
        shares = jax.nn.softmax(query @ key.swapaxes(1, 2) / math.sqrt(width) + hidden)
        values = values + shares @ value
        values = values + apply(weights["down"], jax.nn.gelu(apply(weights["up"], scaled(values))))
        return cross_entropy(apply(weights["out"], scaled(values)), batch[:, 1:])

    def sample(random, examples):
        places = random.integers(0, len(written) - length - 1, examples)
        return written[places[:, None] + np.arange(length + 1)]

    return Problem(initial, sample, loss, sizes=(8, 64))


def batches(problem: Problem, random: np.random.Generator, count: int, size: int) -> Tree:
    """As arrays with a leading axis of batches."""
    drawn = problem.sample(random, count * size)
    return jax.tree.map(lambda leaf: leaf.reshape(count, size, *leaf.shape[1:]), drawn)


def trained(problem: Problem, updates: int = 4000) -> Problem:
    """The same from weights at which a long training with a falling rate has ended."""
    optimizer = jaxlr.adamw(jaxlr.cosine(0.01, updates), weight_decay=0.0)

    def update(carry, batch):
        weights, state = carry
        gradients = jax.grad(problem.loss)(weights, batch)
        changes, state = optimizer.update(gradients, state, weights)
        return (optax.apply_updates(weights, changes), state), None

    random = np.random.default_rng(0)
    weights = jax.tree.map(jnp.asarray, problem.initial(random))
    train = jax.jit(lambda carry, batches: jax.lax.scan(update, carry, batches)[0])
    weights, _ = train((weights, optimizer.init(weights)), batches(problem, random, updates, 128))
    return problem._replace(initial=lambda random: weights)


def problems(fashion: Path | None) -> dict[str, Callable[[], Problem]]:
    """Every problem by name; `fashion` is the folder with Fashion-MNIST's files, without it those are left out."""
    on_images = {
        "logistic": (logistic, lambda weights, values: apply(weights, flat(values))),
        "mlp": (perceptron, perceptron_outputs),
        "batchnorm": (normalized, normalized_outputs),
        "cnn": (convolutional, convolutional_outputs),
    }
    found = {
        "quadratic 0.01-1": lambda: quadratic(0.01, 1.0, 0.5),
        "quadratic 1-100": lambda: quadratic(1.0, 100.0, 0.5),
        "quadratic 1-1": lambda: quadratic(1.0, 1.0, 2.0),
        "linear regression": linear_regression,
        "pure noise": pure_noise,
        "trained mlp": lambda: trained(of_images("digits", None, perceptron, perceptron_outputs, wrong=0.3)),
    }
    for name, (initial, outputs) in on_images.items():
        sizes = (8, 64) if name in ("cnn", "batchnorm") else (8, 64, 512)
        found[f"{name}, digits"] = functools.partial(of_images, "digits", None, initial, outputs, sizes=sizes)
        if fashion is not None and name in ("mlp", "cnn"):
            found[f"{name}, fashion"] = functools.partial(
                of_images, "fashion-mnist", fashion, initial, outputs, sizes=sizes
            )
    found["transformer"] = transformer
    return found
