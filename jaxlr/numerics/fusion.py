"""Keeps the parts of a composition out of each other's fusions.

XLA may cut a fusion of several thousand operations up into functions that compute each other's values again, level by
level: on jax 0.10 a join of two schedules of 2,000 operations each took 3 seconds a call, and deeper ones minutes. A
part that stands apart costs a call some 10 microseconds, so small compositions stay whole.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import jaxpr_as_fun

_Result = TypeVar("_Result")
_SMALL = 100  # operations that may stand among others
_TOGETHER = 1500  # operations of a composition whose parts need not stand apart

_inline = ContextVar("inline", default=False)


def fused_if_small(function: Callable[[], _Result]) -> _Result:
    """What the function returns, its parts `isolated` only where they are too large together."""
    token = _inline.set(True)
    try:
        program, shapes = jax.make_jaxpr(function, return_shape=True)()
    finally:
        _inline.reset(token)
    if _operations(program.jaxpr) > _TOGETHER:
        return function()
    return jax.tree.unflatten(jax.tree.structure(shapes), jaxpr_as_fun(program)())


def isolated(function: Callable[[], _Result]) -> _Result:
    """What the function returns, computed where XLA fuses it with nothing around it, if it is large.

    Nothing is fused across a condition, and this one is known to be true only after XLA has simplified.
    """
    if _inline.get():
        return function()
    program, shapes = jax.make_jaxpr(function, return_shape=True)()
    structure = jax.tree.structure(shapes)
    compute = jaxpr_as_fun(program)
    if _operations(program.jaxpr) <= _SMALL:
        return jax.tree.unflatten(structure, compute())

    def zeros() -> list[jax.Array]:
        return [jnp.zeros(each.shape, each.dtype) for each in program.out_avals]

    return jax.tree.unflatten(structure, lax.cond(lax.optimization_barrier(jnp.bool_(True)), compute, zeros))


def _operations(program: Any) -> int:
    """The operations of a program, with those of its inner ones."""
    inner = [
        getattr(each, "jaxpr", each)
        for equation in program.eqns
        for each in jax.tree.leaves(
            equation.params, is_leaf=lambda leaf: hasattr(leaf, "eqns") or hasattr(leaf, "jaxpr")
        )
        if hasattr(each, "eqns") or hasattr(each, "jaxpr")
    ]
    return len(program.eqns) + sum(map(_operations, inner))
