"""Adagrad: each update over the root of the sum of all squares so far."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Number
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.trees import (
    absolute_square,
    moments_like,
    root,
    widen,
)
from jaxlr.typing import PyTree


@link_state()
class ScaleByAdagradState(NamedTuple):
    """State of `scale_by_adagrad`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    total: optax.Updates  # float32 (wider where the parameters are), shaped like the parameters: sum of the squares


@described
def scale_by_adagrad(
    *, eps: Number = 1e-10, initial_total: Number = 0.0, rate_decay: Number = 0.0
) -> optax.GradientTransformationExtraArgs:
    """Divides each update by the root of the sum of all squares so far.

    s = s + u^2, and after n earlier updates the new update is u / (sqrt(s) + eps) / (1 + rate_decay n)

    This is PyTorch's rule; `optax.scale_by_rss` has eps inside the root, which for gradients near 1e-6 is another path.

    Args:
      eps: at least 0; bounds the quotient.
      initial_total: s before the first update, at least 0.
      rate_decay: time-based decay, beside any schedule of the rate, at least 0.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> link = scale_by_adagrad(eps=0.0)
      >>> state = link.init(jnp.zeros(1))
      >>> for _ in range(4):
      ...   updates, state = link.update(jnp.array([3.0]), state)
      >>> float(updates[0])
      0.5

    References:
      Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, 2011
    """
    eps = hyperparameters.number("eps", eps, minimum=0.0)
    initial_total = hyperparameters.number("initial_total", initial_total, minimum=0.0)
    rate_decay = hyperparameters.number("rate_decay", rate_decay, minimum=0.0)

    def start(params: PyTree) -> dict[str, PyTree]:
        return {"total": moments_like(params, fill=initial_total, real=True)}

    def advance(step: Step, old: ScaleByAdagradState, gradients: PyTree) -> dict[str, PyTree]:
        del step
        return {"total": jax.tree.map(lambda s, g: widen(s) + absolute_square(g), old.total, gradients)}

    def direction(step: Step, moments: ScaleByAdagradState, gradients: PyTree) -> PyTree:
        share = 1.0 / (1.0 + rate_decay * step.count.astype(jnp.float32))
        return jax.tree.map(lambda g, s: share * g / (root(s) + eps), gradients, moments.total)

    return link(ScaleByAdagradState, start=start, advance=advance, direction=direction)
