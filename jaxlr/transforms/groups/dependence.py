"""Which parameters an optimizer's updates depend on, read from its program."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms.groups import paths

__all__ = ["among"]


def among(
    chosen: Set[str], optimizer: optax.GradientTransformationExtraArgs, state: optax.OptState, params: Any
) -> list[str]:
    """Those of the chosen parameters on whose values the updates of the chosen depend, as a weight decay makes them.

    Raises:
      ValueError: the update can't be traced without further arguments.

    Example:
      >>> params = {"w": jnp.ones(2)}
      >>> [among({"w"}, each, each.init(params), params) for each in (optax.adamw(0.1), optax.adam(0.1))]
      [['w'], []]
    """
    from jax.interpreters.partial_eval import dce_jaxpr

    flat, tree = jax.tree_util.tree_flatten_with_path(params)
    names = [paths.text(paths.names(path)) for path, _ in flat]

    def update(*given: Any) -> Any:
        return jax.tree.leaves(optimizer.update(jax.tree.map(jnp.zeros_like, params), state, tree.unflatten(given))[0])

    try:
        program = jax.make_jaxpr(update)(*(leaf for _, leaf in flat)).jaxpr
    except TypeError as error:
        raise ValueError(
            "what decays can't be read from this optimizer, whose update needs further arguments: choose it with "
            "mask=groups.decays in the optimizer, and use wrap(..., own_decay=True)"
        ) from error
    used = dce_jaxpr(program, [name in chosen for name in names])[1]
    return [name for name, needed in zip(names, used, strict=True) if needed and name in chosen]
