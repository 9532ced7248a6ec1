"""One update and one evaluation of a network, as pure functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import lax

from jaxlr.loops import mean_over
from jaxlr.training.data.splits import Split
from jaxlr.training.loop.mesh import DataMesh
from jaxlr.training.network.losses import l1_penalty, l2_penalty

EVALUATION_BATCH = 256


class State(NamedTuple):
    """Everything that an update changes."""

    parameters: Any  # what the optimizer changes
    variables: Any  # running statistics of batch normalization, dropout's keys
    optimizer: optax.OptState


def make_objective(
    graph: nnx.GraphDef[Any], loss: Callable[..., Any], l1: float, l2: float
) -> Callable[..., tuple[jax.Array, Any]]:
    """The function to make small: parameters, variables, images, labels -> loss, (variables, accuracy)."""

    def objective(parameters, variables, images, labels):
        model = nnx.merge(graph, parameters, variables)
        outputs = model(images)
        value = loss(outputs, labels).mean()
        if l1:
            value += l1 * l1_penalty(parameters)
        if l2:
            value += l2 * l2_penalty(parameters)
        variables = nnx.to_pure_dict(nnx.state(model, nnx.Not(nnx.Param)))
        return value, (variables, _correct(outputs, labels).mean())

    return objective


def make_update(
    graph: nnx.GraphDef[Any],
    optimizer: optax.GradientTransformation,
    loss: Callable[..., Any],
    l1: float,
    l2: float,
    *,
    skip: bool = False,
    sharers: DataMesh | None = None,
) -> Callable[..., tuple[State, jax.Array, jax.Array, jax.Array]]:
    """The function that makes one update: state, images, labels -> state, loss, accuracy, length of the gradient.

    With `skip`, an update whose loss or gradient is not finite leaves the state as it is, and its loss is NaN. The
    `sharers` do a part of the optimizer's work each; None: whoever has the parameters does all of it.
    """
    objective = make_objective(graph, loss, l1, l2)

    def value_and_gradients(parameters, variables, images, labels):
        (value, (variables, accuracy)), gradients = jax.value_and_grad(objective, has_aux=True)(
            parameters, variables, images, labels
        )
        return variables, (gradients, value, accuracy)

    def update(state, images, labels):
        def of_batch(variables, batch):
            return value_and_gradients(state.parameters, variables, *batch)

        variables, (gradients, value, accuracy) = mean_over(of_batch, state.variables, (images, labels))
        if sharers is not None:
            # Whole first, or the order of a sum's terms would depend on which part of it a device needs.
            gradients = sharers.whole(gradients)
        parameters, own = state.parameters, gradients
        if sharers is not None:
            parameters, own = sharers.share(parameters), sharers.share(gradients)
        steps, optimizer_state = optimizer.update(own, state.optimizer, parameters)
        parameters = optax.apply_updates(parameters, steps)
        new = State(parameters, variables, optimizer_state)
        if skip:
            finite = jnp.isfinite(value)
            for leaf in jax.tree.leaves(gradients):
                finite &= jnp.isfinite(leaf).all()
            new = jax.tree.map(lambda after, before: jnp.where(finite, after, before), new, state)
            value = jnp.where(finite, value, jnp.nan)
        # Behind a barrier, or the compiler shares squares with the optimizer, and those round otherwise with `sharers`.
        squares = (jnp.square(leaf).sum() for leaf in jax.tree.leaves(lax.optimization_barrier(gradients)))
        return new, value, accuracy, jnp.sqrt(sum(squares, start=jnp.float32(0)))

    return update


def make_evaluate_batch(
    graph: nnx.GraphDef[Any], loss: Callable[..., Any]
) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """The function that looks at a batch: parameters, variables, images, labels, weights -> sums of loss and hits."""

    def evaluate_batch(parameters, variables, images, labels, weights):
        outputs = nnx.merge(graph, parameters, variables)(images)
        return (weights * loss(outputs, labels)).sum(), (weights * _correct(outputs, labels)).sum()

    return evaluate_batch


def _correct(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    return (outputs.argmax(axis=-1) == labels).astype(jnp.float32)


def padded(split: Split, first: int, size: int = EVALUATION_BATCH) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A batch of a fixed size from `first` on: images, labels and their weights, 0 for what pads it."""
    images, labels = split.images[first : first + size], split.labels[first : first + size]
    missing = size - len(labels)
    images = np.pad(images, [(0, missing), (0, 0), (0, 0), (0, 0)])
    return images, np.pad(labels, (0, missing)), np.pad(np.ones(len(labels), np.float32), (0, missing))
