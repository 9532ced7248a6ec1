"""Where cycles begin that grow by a known factor: unless it is next to 1, a table has all before the last count."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from typing import Any, TypeVar

import jax
import numpy as np

from jaxlr.numerics.triple import Triple
from jaxlr.numerics.wide import Wide, split
from jaxlr.schedules import leaves
from jaxlr.schedules.leaves import Fine

_Numbers = TypeVar("_Numbers")
ENDLESS = 2.0**64  # a growth after which no count leaves the start of the second cycle; its square is in float32
ENDED = 2.0**-100  # a growth after which the second cycle is less than one update
_CYCLES = 512
_LAST = 2.0**32  # no position lies behind it
_BITS = 240  # behind the point, in fixed point
_UNIT = 2**_BITS
_MOST = 2  # tables of one schedule: without, any number of schedules that differ in their numbers is one program


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class CycleTable:
    """The cycles of one growth t."""

    starts: Triple  # of rank 1: where cycle i begins, in first lengths: 1 + t + ... + t**(i - 1)
    growth: Wide  # t - 1
    cycles: Any  # float32: in how many a length has twice as many updates, that is 1 / log2(t)


def with_tables(numbers: _Numbers) -> _Numbers:
    """A schedule that is about to be called, in which each growth that can have its table is that."""
    found = [_table_of(leaf) for leaf in jax.tree.leaves(numbers, is_leaf=_is_fine) if _is_fine(leaf)]
    if not 1 <= len(found) <= _MOST:
        return numbers
    tables = iter(found)
    return jax.tree.map(lambda leaf: next(tables) if _is_fine(leaf) else leaf, numbers, is_leaf=_is_fine)


@functools.lru_cache(maxsize=64)
def cycle_table(t_mul: float) -> CycleTable | None:
    """The table of a growth other than 1; None where there are too many cycles."""
    t_mul = min(max(t_mul, ENDED), ENDLESS)
    growth = t_mul - 1
    # Up to the last position, or until a first length of 2**31 updates has become less than one.
    passed = math.log1p(_LAST * growth) if growth > 0 else 31 * math.log(2)
    if passed > (_CYCLES - 8) * abs(math.log(t_mul)):
        return None
    numerator, denominator = t_mul.as_integer_ratio()
    # What lies behind the last position is never asked for, but the end of the last cycle.
    sums = itertools.accumulate(
        range(_CYCLES - 1),
        lambda start, _: start if start > _LAST * _UNIT else _UNIT + start * numerator // denominator,
        initial=0,
    )
    starts = np.array([_in_three(start) for start in sums], np.float32)
    return CycleTable(Triple(*starts.T.copy()), Wide(*split(growth)), np.float32(1 / math.log2(t_mul)))


def _is_fine(leaf: Any) -> bool:
    return isinstance(leaf, Fine)


def _table_of(leaf: Fine) -> CycleTable | Fine:
    """The table of a number that the host has; else the number."""
    known = all(isinstance(part, np.generic | np.ndarray) and np.ndim(part) == 0 for part in jax.tree.leaves(leaf))
    return (cycle_table(leaves.plain(leaf)) if known else None) or leaf


def _in_three(value: int) -> list[np.float32]:
    """A number in fixed point as three float32."""
    parts: list[np.float32] = []
    for _ in range(3):
        parts.append(np.float32(value / _UNIT))
        value -= int(math.ldexp(float(parts[-1]), _BITS))
    return parts
