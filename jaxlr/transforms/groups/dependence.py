"""Which parameters an optimizer's updates and its first state depend on, read from its program."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms.parameters import paths


def among(
    chosen: Set[str], optimizer: optax.GradientTransformationExtraArgs, state: optax.OptState, params: Any
) -> list[str]:
    """Those of the chosen parameters on whose values the updates of the chosen depend, as a weight decay makes them.

    Example:
      >>> params = {"w": jnp.ones(2)}
      >>> [among({"w"}, each, each.init(params), params) for each in (optax.adamw(0.1), optax.adam(0.1))]
      [['w'], []]
    """
    flat, tree = jax.tree_util.tree_flatten_with_path(params)
    names = [paths.text(paths.names(path)) for path, _ in flat]

    def update(*given: Any) -> Any:
        return jax.tree.leaves(optimizer.update(jax.tree.map(jnp.zeros_like, params), state, tree.unflatten(given))[0])

    try:
        program = jax.make_jaxpr(update)(*(leaf for _, leaf in flat)).jaxpr
    except TypeError as error:
        if "argument" not in str(error):  # what the optimizer itself cannot do, such as a cond of two dtypes
            raise
        raise ValueError(
            "what decays can't be read from this optimizer, whose update needs further arguments: choose it with "
            "mask=groups.decays in the optimizer, and use wrap(..., own_decay=True)"
        ) from error
    used = _used(program, [name in chosen for name in names])
    return [name for name, needed in zip(names, used, strict=True) if needed and name in chosen]


def of_first_state(optimizer: optax.GradientTransformationExtraArgs, params: Any) -> bool:
    """Whether the first state holds copies of the parameters, as where the updates are differences to them.

    Example:
      >>> free = optax.contrib.schedule_free(optax.sgd(0.1), 0.1)
      >>> [of_first_state(each, jnp.ones(2)) for each in (free, optax.adam(0.1))]
      [True, False]
    """
    program = jax.make_jaxpr(lambda given: jax.tree.leaves(optimizer.init(given)))(params).jaxpr
    return any(_used(program, [True] * len(program.outvars)))


def _used(program: Any, outputs: list[bool]) -> list[bool]:
    """Which inputs of a program these outputs are computed from."""
    from jax.interpreters.partial_eval import dce_jaxpr

    return dce_jaxpr(program, outputs)[1]
