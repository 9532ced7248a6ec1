"""Muon's direction: an update as the orthogonal matrix near it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Number
from jaxlr.transforms.parameters import paths
from jaxlr.transforms.trees import widen

Coefficients = tuple[Number, Number, Number]


@described
def orthogonalize(
    coefficients: Coefficients = (3.4445, -4.775, 2.0315),
    *,
    steps: int = 5,
    eps: Number = 1e-7,
    eps_mode: Literal["added", "least"] = "added",
) -> optax.GradientTransformationExtraArgs:
    """Brings the singular values of each update, a matrix, near 1 by Newton and Schulz's iteration.

    x = u / (|u| + eps), then `steps` times x = a x + b (x x') x + c (x x')^2 x, all in float32; |u| is the root of the
    sum of squares. With the coefficients of Muon the singular values end between 0.7 and 1.2

    `chain(scale_by_momentum(0.95, nesterov=True), orthogonalize(), ...)` is Muon.

    Args:
      coefficients: a, b and c.
      steps: iterations, at least 1.
      eps: at least 0; bounds the first quotient.
      eps_mode: "added": as above (Keras, optax); "least": u / max(|u|, eps) (PyTorch).

    Returns:
      A gradient transformation without a state.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range. At init and update: an array is no real
        matrix; what is none belongs to another optimizer.

    Example:
      >>> import jax.numpy as jnp
      >>> link = orthogonalize((1.5, -0.5, 0.0), steps=20)
      >>> updates, _ = link.update(jnp.array([[3.0, 0.0], [4.0, 5.0]]), link.init(jnp.zeros((2, 2))))
      >>> jnp.abs(updates @ updates.T).round(4).tolist()
      [[1.0, 0.0], [0.0, 1.0]]

    References:
      Jordan and others, Muon: An optimizer for hidden layers in neural networks, 2024
    """
    if not isinstance(coefficients, tuple | list) or len(coefficients) != 3:
        raise TypeError(f"coefficients must be three numbers, got {coefficients!r}")
    a, b, c = (hyperparameters.number(f"coefficients[{i}]", each) for i, each in enumerate(coefficients))
    count = hyperparameters.integer("steps", steps, minimum=1)
    eps = hyperparameters.number("eps", eps, minimum=0.0)
    added = hyperparameters.choice("eps_mode", eps_mode, ("added", "least")) == "added"

    def leaf(path: paths.Path, update: jax.Array) -> jax.Array:
        _require_matrix(path, update)
        x = widen(update)
        wide = x.shape[0] <= x.shape[1]
        x = x if wide else x.T  # the smaller of the two products
        size = jnp.sqrt(jnp.sum(x * x))
        bound = size + eps if added else jnp.maximum(size, eps)
        x = jnp.where(bound > 0, x / jnp.where(bound > 0, bound, 1.0), 0.0)
        for _ in range(count):
            square = x @ x.T
            x = a * x + (b * square + c * (square @ square)) @ x
        return (x if wide else x.T).astype(update.dtype)

    def init(params: optax.Params) -> optax.EmptyState:
        jax.tree_util.tree_map_with_path(_require_matrix, params)
        return optax.EmptyState()

    def update(
        updates: optax.Updates, state: optax.EmptyState, params: optax.Params | None = None, **extra: object
    ) -> tuple[optax.Updates, optax.EmptyState]:
        del params, extra
        return jax.tree_util.tree_map_with_path(leaf, updates), state

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def _require_matrix(path: paths.Path, array: jax.Array) -> None:
    shape, dtype = jnp.shape(array), jnp.result_type(array)
    if len(shape) != 2 or jnp.issubdtype(dtype, jnp.complexfloating):
        raise ValueError(
            f"only real matrices can be orthogonalized, got {paths.text(paths.names(path)) or 'a parameter'} of shape "
            f"{shape} and {dtype}: give it to another optimizer, with ParameterGroups or optax.partition"
        )


def scale_by_shape(factor: Callable[[tuple[int, ...]], float]) -> optax.GradientTransformation:
    """Multiplies each update by a number that its shape gives; there is no state.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_shape(lambda shape: max(shape) ** 0.5)
      >>> link.update(jnp.ones((1, 4)), link.init(jnp.zeros((1, 4))))[0].tolist()
      [[2.0, 2.0, 2.0, 2.0]]
    """

    def update(updates: optax.Updates, params: optax.Params | None) -> optax.Updates:
        del params
        return jax.tree.map(lambda leaf: leaf * factor(jnp.shape(leaf)), updates)

    return optax.stateless(update)
