"""Losses by name and penalties on the weights, as pure functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
import optax

from jaxlr.arguments import nearest
from jaxlr.typing import PyTree

Loss = Callable[[jax.Array, jax.Array], jax.Array]


def _of_one_hot(distance: Callable[[jax.Array, jax.Array], jax.Array]) -> Loss:
    """The mean over the classes of a distance between outputs and one-hot labels."""

    def loss(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        return distance(outputs, jax.nn.one_hot(labels, outputs.shape[-1], dtype=outputs.dtype)).mean(axis=-1)

    return loss


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "cross-entropy": optax.losses.softmax_cross_entropy_with_integer_labels,
        "mse": _of_one_hot(optax.losses.squared_error),
        "mae": _of_one_hot(lambda outputs, targets: jnp.abs(outputs - targets)),  # optax.losses has none
        "smooth-l1": _of_one_hot(functools.partial(optax.losses.huber_loss, delta=1.0)),
    }
)


def loss_by_name(name: str) -> Loss:
    """The loss of each example, as a function of the network's outputs and the labels.

    cross-entropy: -log softmax(outputs)[label]. The others compare the outputs with the one-hot label, d = outputs -
    one_hot, and take the mean over the classes of d^2 (mse), |d| (mae), or d^2 / 2 where |d| <= 1 and |d| - 1/2 beyond
    (smooth-l1).

    Args:
      name: "cross-entropy", "mse", "mae" or "smooth-l1".

    Returns:
      A function: outputs (N, classes), labels (N,) of integers -> losses (N,).

    Raises:
      ValueError: no loss has this name.

    Example:
      >>> outputs, label = jnp.array([[3.0, 0.0]]), jnp.array([1])
      >>> [float(loss_by_name(name)(outputs, label)[0]) for name in ("mse", "mae", "smooth-l1")]
      [5.0, 2.0, 1.5]
    """
    if name in LOSSES:
        return LOSSES[name]
    near = nearest(str(name), LOSSES)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {name!r}{hint}")


def l1_penalty(parameters: PyTree) -> jax.Array:
    """The sum of the absolute kernel weights.

    sum |w|

    Kernels are the parameters of rank 2 and more, of convolutions and dense layers; biases and the scales of batch
    normalization are not penalized.

    Example:
      >>> float(l1_penalty({"kernel": jnp.array([[3.0, -4.0]]), "bias": jnp.array([5.0])}))
      7.0
    """
    return sum((jnp.abs(kernel).sum() for kernel in _kernels(parameters)), start=jnp.float32(0))


def l2_penalty(parameters: PyTree) -> jax.Array:
    """Half the sum of the squared kernel weights: its gradient is the weight itself.

    sum w^2 / 2

    Kernels are the parameters of rank 2 and more, as for `l1_penalty`.

    Example:
      >>> float(l2_penalty({"kernel": jnp.array([[3.0, -4.0]]), "bias": jnp.array([5.0])}))
      12.5
    """
    return sum((jnp.square(kernel).sum() for kernel in _kernels(parameters)), start=jnp.float32(0)) / 2


def _kernels(parameters: PyTree) -> list[jax.Array]:
    return [leaf for leaf in jax.tree.leaves(parameters) if jnp.ndim(leaf) >= 2]
