"""RAdam: Adam that takes plain momentum steps until its mean square is worth dividing by."""

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
    moments_like,
    root,
    update_moment,
)
from jaxlr.typing import PyTree

_THRESHOLD = 5.0


@link_state("b1", corrected=True)
class ScaleByRadamState(NamedTuple):
    """State of `scale_by_radam`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    b1: Record  # b1 of the last update
    mu: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: mean of the updates
    nu: optax.Updates  # likewise, real: mean of the squares


@described
def scale_by_radam(
    b1: NumberOrSchedule = 0.9, b2: Number = 0.999, *, eps: Number = 1e-8
) -> optax.GradientTransformationExtraArgs:
    """Adam's step, rectified by how many squares its mean has seen; until that is above 5, the corrected mean alone.

    m and v as in Adam, R = 2 / (1 - b2) - 1, r = R - 2 t b2^t / (1 - b2^t), and the t-th new update is
    m / (1 - b1^t), times sqrt((r - 4) (r - 2) R / ((R - 4) (R - 2) r)) sqrt(1 - b2^t) / (sqrt(v) + eps) where r > 5

    This is PyTorch's rule; `optax.scale_by_radam` adds eps to the corrected root and rectifies from r = 5 on.

    Args:
      b1: share of m that stays, in [0, 1); a number or a schedule, corrected with 1 - b1(t)^t as in PyTorch.
      b2: share of v that stays, in [0, 1).
      eps: at least 0; bounds the quotient.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_radam()
      >>> updates, _ = link.update(jnp.array([3.0, -0.5]), link.init(jnp.zeros(2)))
      >>> updates.round(6).tolist()
      [3.0, -0.5]

    References:
      Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2019, arXiv:1908.03265
    """
    beta1 = hyperparameters.share("b1", b1)
    beta2 = Hyperparameter("b2", hyperparameters.number("b2", b2, minimum=0.0, below=1.0))
    eps = hyperparameters.number("eps", eps, minimum=0.0)

    def start(params: PyTree) -> dict[str, PyTree]:
        return {"mu": moments_like(params), "nu": moments_like(params, real=True)}

    def advance(step: Step, old: ScaleByRadamState, gradients: PyTree) -> dict[str, PyTree]:
        return {
            "mu": update_moment(old.mu, gradients, step.one_minus(beta1)),
            "nu": update_moment(old.nu, jax.tree.map(absolute_square, gradients), step.one_minus(beta2)),
        }

    def direction(step: Step, moments: ScaleByRadamState, gradients: PyTree) -> PyTree:
        del gradients
        correction = 1.0 / step.debiasing(beta1)
        length, longest = _lengths(beta2, step.one_minus(beta2), step.number)
        rectified = length > _THRESHOLD
        factor = _rectification(length, longest) * jnp.sqrt(step.debiasing(beta2))

        def scaled(m: jax.Array, v: jax.Array) -> jax.Array:
            return m * correction * jnp.where(rectified, factor / (root(v) + eps), 1.0)

        return jax.tree.map(scaled, moments.mu, moments.nu)

    return link(ScaleByRadamState, start=start, advance=advance, direction=direction, records={"b1": beta1})


def _lengths(b2: Hyperparameter, share: jax.Array, count: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The formula's r and R: how many squares the mean has effectively seen by now, and at most.

    Early on, r is the small difference of large numbers. With L = -log(b2) and x = t L the part that cancels is known:
    r = (R - 2 / L) + t (1 - 2 h(x) / x), h(x) = x / (e^x - 1) - 1 + x / 2 = x^2 / 12 - x^4 / 720 + ...
    """
    time = count.astype(jnp.float32)
    longest = 2.0 / share - 1.0
    fading = _minus_log(b2, share)
    # R - 2 / L is (1 - b2) / 6 + ..., again a small difference of large numbers.
    offset = jnp.where(share < 0.01, share * (1.0 / 6.0 + share / 12.0), longest - 2.0 / fading)
    x = time * fading
    y = jnp.minimum(x, 1.0) ** 2
    series = 1 / 12 - y * (1 / 720 - y * (1 / 30240 - y * (1 / 1209600 - y / 47900160)))
    early = offset + time * (1.0 - 2.0 * jnp.minimum(x, 1.0) * series)
    late = longest - 2.0 * time / jnp.expm1(x)
    return jnp.where(x < 1.0, early, late), longest


def _minus_log(b2: Hyperparameter, share: jax.Array) -> jax.Array:
    if isinstance(b2.value, float):
        return jnp.array(-math.log(b2.value) if b2.value > 0.0 else math.inf, dtype=jnp.float32)
    return -jnp.log1p(-share)


def _rectification(length: jax.Array, longest: jax.Array) -> jax.Array:
    """The paper's factor; outside its domain, where it is not used, a number all the same."""
    r, most = jnp.maximum(length, _THRESHOLD), jnp.maximum(longest, _THRESHOLD)
    return jnp.sqrt((r - 4.0) / (most - 4.0) * (r - 2.0) / (most - 2.0) * (most / r))
