"""Which schedules of a composition are one program with different numbers."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from jaxlr.schedules.schedule import Schedule


def alike(schedules: Sequence[Schedule]) -> list[list[int]]:
    """The indices of the schedules, those together that differ in numbers only, in the order of the first of each."""
    groups: dict[object, list[int]] = {}
    for i, schedule in enumerate(schedules):
        groups.setdefault(jax.tree.structure(schedule) if _elementwise(schedule) else i, []).append(i)
    return list(groups.values())


def _elementwise(schedule: Schedule) -> bool:
    """Whether each of its numbers may be an array of the count's shape: no lists, and no function of a user."""
    statics = (value for value in schedule.arguments.values() if not isinstance(value, Schedule))
    inner = (value for value in schedule.arguments.values() if isinstance(value, Schedule))
    scalars = all(np.ndim(leaf) == 0 for leaf in jax.tree.leaves(schedule))
    return scalars and not any(map(callable, statics)) and all(map(_elementwise, inner))
