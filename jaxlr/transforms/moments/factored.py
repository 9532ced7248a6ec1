"""Adafactor's mean square: of a matrix only the means of its rows and of its columns are kept."""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Number
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.trees import absolute_square, moments_like, widen
from jaxlr.typing import PyTree


@link_state(corrected=True)
class ScaleByFactoredRmsState(NamedTuple):
    """State of `scale_by_factored_rms`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    rows: (
        optax.Updates
    )  # float32 (wider where the parameters are), (..., rows, 1), or shaped like a vector: mean squares
    columns: optax.Updates  # likewise, (..., 1, columns), or () for a vector: mean squares


@described
def scale_by_factored_rms(
    decay_exponent: Number = -0.8, *, eps: Number | None = 1e-30, eps_mode: Literal["added", "least"] = "added"
) -> optax.GradientTransformationExtraArgs:
    """Divides each update by the root of its mean square, which for a matrix is that of its row times its column.

    r = r + t^c (mean over columns(u^2) - r), k likewise over rows, v = r k / mean(r), and after t updates the new
    update is u / sqrt(v). A matrix is the last two axes of an array; a vector keeps v itself

    Args:
      decay_exponent: c; below 0, so that the means get slower and the first is the first square.
      eps: bounds the quotient, at least 0; None for the machine epsilon of the arithmetic, 1.2e-7.
      eps_mode: "added": to u^2 (the paper, Keras); "least": v is at least eps^2, mean(r) at least eps (PyTorch).

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_factored_rms()
      >>> gradient = jnp.array([[1.0, 2.0], [2.0, 4.0]])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> bool(jnp.allclose(updates, 1.0)), state.rows.tolist(), state.columns.tolist()
      (True, [[2.5], [10.0]], [[2.5, 10.0]])

    References:
      Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018, arXiv:1804.04235
    """
    exponent = hyperparameters.number("decay_exponent", decay_exponent, below=0.0)
    eps = None if eps is None else hyperparameters.number("eps", eps, minimum=0.0)
    added = hyperparameters.choice("eps_mode", eps_mode, ("added", "least")) == "added"

    def start(params: PyTree) -> dict[str, PyTree]:
        zeros = moments_like(params, real=True)
        return {"rows": jax.tree.map(_rows, zeros), "columns": jax.tree.map(_columns, zeros)}

    def advance(step: Step, old: ScaleByFactoredRmsState, gradients: PyTree) -> dict[str, PyTree]:
        weight = step.number.astype(jnp.float32) ** exponent

        def moved(mean: jax.Array, sample: jax.Array) -> jax.Array:
            return widen(mean) + weight * (sample - widen(mean))

        squares = jax.tree.map(lambda g: absolute_square(g) + (_least(eps, g) if added else 0.0), gradients)
        return {
            "rows": jax.tree.map(lambda r, s: moved(r, _rows(s)), old.rows, squares),
            "columns": jax.tree.map(lambda k, s: moved(k, _columns(s)), old.columns, squares),
        }

    def direction(step: Step, moments: ScaleByFactoredRmsState, gradients: PyTree) -> PyTree:
        del step

        def leaf(g: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
            least = 0.0 if added else _least(eps, g)
            square = jnp.maximum(_square(rows, columns, least), least * least)
            return jnp.where(square > 0, g / jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)

        return jax.tree.map(leaf, gradients, moments.rows, moments.columns)

    return link(ScaleByFactoredRmsState, start=start, advance=advance, direction=direction)


def _rows(squares: jax.Array) -> jax.Array:
    return jnp.mean(squares, axis=-1, keepdims=True) if squares.ndim > 1 else squares


def _columns(squares: jax.Array) -> jax.Array:
    # Of a vector nothing is left to keep; a sum of none of it lies where the vector does.
    return jnp.mean(squares, axis=-2, keepdims=True) if squares.ndim > 1 else jnp.zeros_like(jnp.sum(squares))


def _square(rows: jax.Array, columns: jax.Array, least: jax.typing.ArrayLike) -> jax.Array:
    if columns.ndim < 2:
        return rows
    mean = jnp.maximum(jnp.mean(rows, axis=-2, keepdims=True), least)
    return jnp.where(mean > 0, rows / jnp.where(mean > 0, mean, 1.0), 0.0) * columns


def _least(eps: Number | None, like: jax.Array) -> jax.typing.ArrayLike:
    return float(jnp.finfo(like.dtype).eps) if eps is None else eps
