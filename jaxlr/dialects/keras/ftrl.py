# ruff: noqa: N802, the name is Keras'
"""Keras' Ftrl: the parameters follow from sums of gradients, not from the parameters before."""

from __future__ import annotations

from typing import NamedTuple, Unpack

import jax
import jax.numpy as jnp
import optax

from jaxlr.dialects.keras.shared import Optimizer, Others, Rate, chain, decayed
from jaxlr.dialects.rates import known_rate
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule, number
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.trees import moments_like, widen
from jaxlr.typing import PyTree


@link_state()
class FtrlState(NamedTuple):
    """State of `Ftrl`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    total: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: sum of the squares
    linear: optax.Updates  # likewise: sum of the gradients, less what the parameters weigh


@described
def Ftrl(
    learning_rate: Rate = 0.001,
    learning_rate_power: Number = -0.5,
    initial_accumulator_value: Number = 0.1,
    l1_regularization_strength: Number = 0.0,
    l2_regularization_strength: Number = 0.0,
    l2_shrinkage_regularization_strength: Number = 0.0,
    beta: Number = 0.0,
    weight_decay: NumberOrSchedule | None = None,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' Ftrl: follow the regularized leader, with exact zeros under an L1 strength.

    n' = n + g^2, z += g + 2 shrinkage p - (n'^q - n^q) / rate p, q = -learning_rate_power,
    p = (clip(z, -l1, l1) - z) / (n'^q / rate + 2 (l2 + beta / (2 rate)))

    The parameters follow from z and n alone: `set_learning_rate` scales the step from the old ones to the new. A rate
    of 0, for which Keras divides by 0, makes no step.

    Args:
      learning_rate: a number or a schedule.
      learning_rate_power: at most 0; 0 for a rate that does not fall.
      initial_accumulator_value: n before the first update, at least 0.
      l1_regularization_strength: at least 0.
      l2_regularization_strength: at least 0.
      l2_shrinkage_regularization_strength: at least 0; shrinks p without entering n.
      beta: at least 0.
      weight_decay, **others: see `optimizers`; the decayed p enters z.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.Ftrl(1.0, initial_accumulator_value=0.0, l1_regularization_strength=1.0)
      >>> params = jnp.zeros(2)
      >>> updates, _ = optimizer.update(jnp.array([2.0, 0.5]), optimizer.init(params), params)
      >>> updates.tolist() == [-0.5, 0.0]
      True

    References:
      McMahan and others, Ad Click Prediction: a View from the Trenches, 2013
    """
    rate = known_rate("learning_rate", learning_rate, "Keras' Ftrl has it inside of its sums")
    numbers = {
        "initial_accumulator_value": initial_accumulator_value,
        "l1_regularization_strength": l1_regularization_strength,
        "l2_regularization_strength": l2_regularization_strength,
        "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
        "beta": beta,
    }
    first, l1, l2, shrinkage, beta = (number(name, value, minimum=0.0) for name, value in numbers.items())
    power = number("learning_rate_power", learning_rate_power)
    if isinstance(power, float) and power > 0:
        raise ValueError(f"learning_rate_power must be at most 0, got {learning_rate_power!r}")

    def shrunk(step: Step) -> PyTree:
        return decayed("Ftrl", step, rate, weight_decay, others.get("mask"))

    def start(params: PyTree) -> dict[str, PyTree]:
        return {"total": moments_like(params, fill=first), "linear": moments_like(params)}

    def advance(step: Step, old: FtrlState, gradients: PyTree) -> dict[str, PyTree]:
        over = _over(rate(step.count))

        def linear(z: jax.Array, n: jax.Array, g: jax.Array, p: jax.Array) -> jax.Array:
            grown = (widen(n) + g * g) ** -power - widen(n) ** -power
            return widen(z) + (g + 2.0 * shrinkage * p - grown * over * p)

        return {
            "total": jax.tree.map(lambda n, g: widen(n) + g * g, old.total, gradients),
            "linear": jax.tree.map(linear, old.linear, old.total, gradients, shrunk(step)),
        }

    def direction(step: Step, moments: FtrlState, gradients: PyTree) -> PyTree:
        over = _over(rate(step.count))

        def leaf(z: jax.Array, n: jax.Array, p: jax.Array) -> jax.Array:
            weight = n**-power * over + 2.0 * l2 + beta * over
            new = jnp.where(weight > 0, (jnp.clip(z, -l1, l1) - z) / jnp.where(weight > 0, weight, 1.0), 0.0)
            return (widen(p) - new) * over

        return jax.tree.map(leaf, moments.linear, moments.total, step.params)

    return chain([link(FtrlState, start=start, advance=advance, direction=direction)], learning_rate, None, others)


def _over(rate: jax.Array) -> jax.Array:
    return jnp.where(rate > 0, 1.0 / jnp.where(rate > 0, rate, 1.0), 0.0)
