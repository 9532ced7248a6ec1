"""The members of a sweep: batches of schedules and single ones, sorted into families that share a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxlr.schedules import Schedule, leaves


class Family(NamedTuple):
    """Members whose schedules differ in their numbers alone."""

    members: np.ndarray  # int64, (k,): their places among all members
    leaves: list[np.ndarray]  # each (k, ...): their schedules' numbers
    structure: Any  # the schedules' tree structure


def members_of(schedules: Schedule | Sequence[Schedule]) -> list[Schedule]:
    """One schedule, its numbers on the host, for each member of a batched schedule or a list, batched or not.

    Example:
      >>> import jax, jax.numpy as jnp, jaxlr
      >>> members_of(jax.vmap(lambda rate: jaxlr.cosine(rate, 100))(jnp.array([0.5, 0.25])))
      [cosine(init_value=0.5, decay_steps=100), cosine(init_value=0.25, decay_steps=100)]
    """
    if isinstance(schedules, Schedule):
        _require_schedule("schedules", schedules)
        if not _is_batched("schedules", schedules):
            raise ValueError(
                f"schedules must be batched, as jax.vmap makes them, or a list; got one schedule, {schedules!r}"
            )
        return _rows(schedules)
    if isinstance(schedules, str) or not isinstance(schedules, Sequence):
        raise TypeError(f"schedules must be a batched schedule or a list of schedules, got {schedules!r}")
    if not schedules:
        raise ValueError("schedules must hold at least one schedule, got none")
    members = []
    for index, each in enumerate(schedules):
        name = f"schedules[{index}]"
        _require_schedule(name, each)
        members += _rows(each) if _is_batched(name, each) else [jax.tree.map(np.asarray, each)]
    return members


def families_of(members: Sequence[Schedule]) -> list[Family]:
    """Sorts members by all that a program cannot take as data: their formulas, words, flags and shapes.

    Example:
      >>> import jaxlr
      >>> schedules = [jaxlr.cosine(0.1, 10), jaxlr.constant(0.1), jaxlr.cosine(0.2, 20)]
      >>> [family.members.tolist() for family in families_of(schedules)]
      [[0, 2], [1]]
    """
    places: dict[Any, list[int]] = {}
    for place, member in enumerate(members):
        leaves, structure = jax.tree.flatten(member)
        places.setdefault((structure, tuple(np.shape(leaf) for leaf in leaves)), []).append(place)
    return [
        Family(
            np.asarray(each),
            [np.stack(column) for column in zip(*(jax.tree.leaves(members[i]) for i in each), strict=True)],
            structure,
        )
        for (structure, _), each in places.items()
    ]


def _require_schedule(name: str, value: object) -> None:
    if not isinstance(value, Schedule):
        raise TypeError(f"{name} must be a jaxlr schedule, got {value!r}")
    if any(map(leaves.is_traced, jax.tree.leaves(value))):
        raise TypeError(f"{name} must have known numbers: a sweep compiles its own program, call it outside of jax.jit")


def _is_batched(name: str, schedule: Schedule) -> bool:
    if _evaluates(lambda each: each(0), schedule):
        return False
    lengths = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(schedule)}
    if len(lengths) > 1 or () in lengths:
        raise ValueError(f"the numbers of {name} must all be batched alike, got leading axes {_listed(lengths)}")
    if lengths == {(0,)}:
        raise ValueError(f"{name} must hold at least one schedule, got an empty batch")
    if not _evaluates(jax.vmap(lambda each: each(0)), schedule):
        shapes = _listed({np.shape(leaf) for leaf in jax.tree.leaves(schedule)})
        raise ValueError(f"{name} must have one batch axis, in front; got leaves of shapes {shapes}")
    return True


def _evaluates(call: Any, schedule: Schedule) -> bool:
    """Whether the schedule has the shape that the call wants; nothing is computed."""
    try:
        jax.eval_shape(call, schedule)
    except (TypeError, ValueError):
        return False
    return True


def _rows(schedule: Schedule) -> list[Schedule]:
    leaves, structure = jax.tree.flatten(schedule)
    host = [np.asarray(leaf) for leaf in leaves]
    return [jax.tree.unflatten(structure, [leaf[row] for leaf in host]) for row in range(len(host[0]))]


def _listed(shapes: set[tuple[int, ...]]) -> str:
    return ", ".join(map(str, sorted(shapes)))
