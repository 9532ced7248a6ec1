"""Nadam: Adam with Nesterov's momentum and a momentum that rises to its final value."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Hyperparameter, Number, NumberOrSchedule
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.records import Record
from jaxlr.transforms.trees import (
    absolute_square,
    increment,
    moments_like,
    root,
    update_moment,
)
from jaxlr.typing import PyTree


@link_state("b1", corrected=True)
class ScaleByNadamState(NamedTuple):
    """State of `scale_by_nadam`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    b1: Record  # b1 of the last update
    product: jax.Array  # float32, (): product of the momenta of all updates
    mu: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: mean of the updates
    nu: optax.Updates  # likewise: mean of the squares


@described
def scale_by_nadam(
    b1: NumberOrSchedule = 0.9, b2: Number = 0.999, *, eps: Number = 1e-8, momentum_decay: Number = 4e-3
) -> optax.GradientTransformationExtraArgs:
    """Divides Nesterov's look-ahead of the running mean by the root of the running mean of the squares.

    c(t) = b1 (1 - 0.5 * 0.96^(t momentum_decay)), m = b1 m + (1 - b1) u, v = b2 v + (1 - b2) u^2, and after t updates
    (this one included) the new update is (c(t+1) m / (1 - c(1)...c(t+1)) + (1 - c(t)) u / (1 - c(1)...c(t))) /
    (sqrt(v / (1 - b2^t)) + eps)

    Args:
      b1: share of m that stays and the final momentum, in [0, 1); a number or a schedule.
      b2: share of v that stays, in [0, 1).
      eps: at least 0; bounds the quotient.
      momentum_decay: how fast the momentum rises from b1 / 2 to b1, at least 0: 0.004 in PyTorch, 1 in Keras.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_nadam(0.5, momentum_decay=0.0, eps=0.0)
      >>> updates, _ = link.update(jnp.array([0.5, -2.0]), link.init(jnp.zeros(2)))
      >>> [round(float(update), 5) for update in updates]
      [1.13333, -1.13333]

    References:
      Dozat, Incorporating Nesterov Momentum into Adam, 2016
    """
    beta1 = hyperparameters.share("b1", b1)
    beta2 = Hyperparameter("b2", hyperparameters.number("b2", b2, minimum=0.0, below=1.0))
    eps = hyperparameters.number("eps", eps, minimum=0.0)
    momentum_decay = hyperparameters.number("momentum_decay", momentum_decay, minimum=0.0)

    def start(params: PyTree) -> dict[str, PyTree]:
        return {
            "product": jnp.ones([], jnp.float32),
            "mu": moments_like(params),
            "nu": moments_like(params, real=True),
        }

    def momenta(step: Step) -> tuple[jax.Array, jax.Array]:
        final = step.at(beta1)
        here, following = (_momentum(final, t, momentum_decay) for t in (step.number, increment(step.number)))
        return here, following

    def advance(step: Step, old: ScaleByNadamState, gradients: PyTree) -> dict[str, PyTree]:
        return {
            "product": old.product * momenta(step)[0],
            "mu": update_moment(old.mu, gradients, step.one_minus(beta1)),
            "nu": update_moment(old.nu, jax.tree.map(absolute_square, gradients), step.one_minus(beta2)),
        }

    def direction(step: Step, moments: ScaleByNadamState, gradients: PyTree) -> PyTree:
        here, following = momenta(step)
        product = moments.product
        ahead, now = following / (1.0 - product * following), (1.0 - here) / (1.0 - product)
        correction = 1.0 / jnp.sqrt(step.debiasing(beta2))
        mean = jax.tree.map(lambda m, g: ahead * m + now * g, moments.mu, gradients)
        return jax.tree.map(lambda m, v: m / (root(v) * correction + eps), mean, moments.nu)

    return link(ScaleByNadamState, start=start, advance=advance, direction=direction, records={"b1": beta1})


def _momentum(final: jax.Array, count: jax.Array, decay: Number) -> jax.Array:
    """`final (1 - 0.5 * 0.96 ** (count * decay))`."""
    return final * (1.0 - 0.5 * jnp.exp(count.astype(jnp.float32) * (decay * math.log(0.96))))
