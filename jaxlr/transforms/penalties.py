"""Weight decay and penalties: links that add a multiple of the parameters, or of their signs, to the updates."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.groups import masks
from jaxlr.transforms.groups.context import decays_here
from jaxlr.transforms.groups.masks import Mask
from jaxlr.transforms.hyperparameters import Hyperparameter, Number, NumberOrSchedule
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.trees import cast_like, like_updates, widen
from jaxlr.typing import PyTree


@link_state("weight_decay")
class AddWeightDecayState(NamedTuple):
    """State of `add_weight_decay`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    weight_decay: jax.Array  # float32, (): weight decay of the last update


def add_weight_decay(weight_decay: NumberOrSchedule, *, mask: Mask = None) -> optax.GradientTransformationExtraArgs:
    """Adds a multiple of the parameters to the updates.

    u -> u + weight_decay p

    Before an optimizer's link this is an L2 penalty (its gradient enters the moments); after it and before
    `scale_by_learning_rate` it is decoupled: p shrinks by rate times weight decay. After `scale_by_learning_rate`, with
    a negative weight decay, it does not follow the rate at all.

    Args:
      weight_decay: a number or a schedule.
      mask: a tree of booleans, True where to decay; shaped like the parameters, or with one boolean for a subtree, and
        matched by name; or a function that makes one from the parameters. None decays all.

    Returns:
      A gradient transformation; its update needs the parameters. Inside `ParameterGroups.wrap` what both allow decays.

    Raises:
      TypeError: `weight_decay` is neither a number nor a schedule of the count, or the mask holds other than booleans.
      ValueError: the mask does not fit the parameters, or the update is called without parameters.

    Example:
      >>> import jax, jax.numpy as jnp, optax
      >>> chain = optax.chain(add_weight_decay(0.5, mask=lambda p: jax.tree.map(lambda x: x.ndim > 1, p)))
      >>> params = {"kernel": jnp.ones((1, 1)), "bias": jnp.ones(1)}
      >>> updates, _ = chain.update(jax.tree.map(jnp.zeros_like, params), chain.init(params), params)
      >>> float(updates["kernel"][0, 0]), float(updates["bias"][0])
      (0.5, 0.0)

    References:
      Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017, arXiv:1711.05101
    """
    decay = Hyperparameter("weight_decay", hyperparameters.number_or_schedule("weight_decay", weight_decay))

    def start(params: PyTree) -> dict[str, PyTree]:
        masks.resolve(masks.both(mask, decays_here(mask, params)), params)
        return {}

    def direction(step: Step, moments: AddWeightDecayState, updates: PyTree) -> PyTree:
        del moments
        weight = step.at(decay)
        told = decays_here(step.before, updates)
        return _add("add_weight_decay", lambda p: weight * p, updates, step.params, mask, told)

    return link(AddWeightDecayState, start=start, direction=direction, records={"weight_decay": decay})


def add_l1_penalty(weight: Number, *, mask: Mask = None) -> optax.GradientTransformationExtraArgs:
    """Adds the gradient of an L1 penalty to the updates.

    u -> u + weight sign(p)

    Args:
      weight: of the sum of the absolute values in the loss.
      mask: as for `add_weight_decay`.

    Returns:
      A gradient transformation; its update needs the parameters.

    Raises:
      TypeError: `weight` is not a number, or the mask holds other than booleans.
      ValueError: the mask does not fit the parameters, or the update is called without parameters.

    Example:
      >>> import jax.numpy as jnp
      >>> link = add_l1_penalty(0.5)
      >>> params = jnp.array([2.0, -3.0, 0.0])
      >>> updates, _ = link.update(jnp.zeros(3), link.init(params), params)
      >>> updates.tolist()
      [0.5, -0.5, 0.0]
    """
    weight = hyperparameters.number("weight", weight)

    def init(params: optax.Params) -> optax.EmptyState:
        masks.resolve(mask, params)
        return optax.EmptyState()

    def update(
        updates: optax.Updates, state: optax.EmptyState, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, optax.EmptyState]:
        del extra
        return _add("add_l1_penalty", lambda p: weight * jnp.sign(p), updates, params, mask), state

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def _add(link: str, term: Any, updates: optax.Updates, params: optax.Params | None, *given: Mask) -> optax.Updates:
    if params is None:
        raise ValueError(f"{link} needs the parameters: call update(updates, state, params)")
    params = like_updates(params, updates)
    chosen = masks.resolve(masks.both(*given), params)
    added = jax.tree.map(lambda use, u, p: widen(u) + term(widen(p)) if use else u, chosen, updates, params)
    return cast_like(added, updates)
