"""Keeps the parts of a composition out of each other's fusions.

XLA may cut a fusion of several thousand operations up into functions that compute each other's values again, level by
level: on jax 0.10 a join of two schedules of 2,000 operations each took 3 seconds a call, and deeper ones minutes. A
part that stands apart costs a call some 10 microseconds, so small compositions stay whole.

A program for one count takes longer to compile than to run: there it is the kernels that are few (`for_one_count`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import jaxpr_as_fun

_Result = TypeVar("_Result")
_SMALL = 100  # operations that may stand among others
_TOGETHER = 1500  # operations of a composition whose parts need not stand apart

_inline = ContextVar("inline", default=False)
_single = ContextVar("single", default=False)


def for_one_count(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """The function as a program of its own for single numbers, which stays whole."""

    def traced(*arguments: Any) -> _Result:
        _single.set(True)
        _inline.set(True)
        return function(*arguments)

    return lambda *arguments: copy_context().run(traced, *arguments)


def fused_if_small(function: Callable[[], _Result]) -> _Result:
    """What the function returns, its parts `isolated` only where they are too large together."""
    if _inline.get():
        return function()
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


def together(numbers: _Result) -> _Result:
    """The numbers as they are, for one count from one program, and not each from one of its own."""
    if not _single.get():
        return numbers
    arrays, unpacked = _packed(numbers)
    return unpacked(lax.optimization_barrier(arrays))


def while_loop(condition: Callable[..., Any], turn: Callable[..., Any], given: Any, state: Any) -> Any:
    """`lax.while_loop` for `condition(given, state)` and `turn(given, state)`.

    Of what enters a loop or leaves a turn each array is a program of its own to compile, and what two of them share is
    another. So for one count all numbers go as one array: those that stay the same too, or XLA takes them out again.
    Of more than eight XLA fuses no array.
    """
    if not _single.get():
        return lax.while_loop(partial(condition, given), partial(turn, given), state)
    start, unpacked = _packed((given, state))

    def step(arrays: list[jax.Array]) -> list[jax.Array]:
        given, state = unpacked(arrays)
        return _packed((given, turn(given, state)))[0]

    return unpacked(lax.while_loop(lambda arrays: condition(*unpacked(arrays)), step, start))[1]


def _packed(numbers: _Result) -> tuple[list[jax.Array], Callable[[list[jax.Array]], _Result]]:
    """Numbers of four bytes as one array, before what is an array, and what takes it apart."""
    leaves, structure = jax.tree.flatten(numbers)
    singles = [each for each in leaves if each.ndim == 0]

    def unpacked(arrays: list[jax.Array]) -> _Result:
        words = iter(lax.split(arrays[0], (1,) * len(singles)) if singles else ())
        others = iter(arrays[1:] if singles else arrays)
        return structure.unflatten(
            next(others) if each.ndim else lax.bitcast_convert_type(next(words).reshape(()), each.dtype)
            for each in leaves
        )

    words = [lax.bitcast_convert_type(each, jnp.uint32).reshape(1) for each in singles]
    packed = [lax.concatenate(words, 0)] if words else []
    return [*packed, *(each for each in leaves if each.ndim)], unpacked


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
