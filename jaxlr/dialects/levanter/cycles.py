"""Shares and updates of a run, and where its cycles end, as levanter says them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeAlias

import jax.numpy as jnp

from jaxlr.dialects import common
from jaxlr.dialects.common import Updates
from jaxlr.schedules import leaves
from jaxlr.typing import Scalar

_MOST = 1000
Ends: TypeAlias = "Scalar | Sequence[int] | None"


def updates(name: str, value: Scalar, total: Updates) -> Updates:
    """A share of so many updates where it is at most 1, a number of updates where it is more."""
    number = common.number(name, value)
    if not common.known(number):
        return jnp.where(number <= 1, common.cut(number, total), number).astype(jnp.int32)
    if number <= 1:
        return common.cut(number, total)
    if not float(number).is_integer():
        raise ValueError(f"{name} must be a share of at most 1 or a whole number of updates, got {value}")
    return int(number)


def cycle_ends(total: Updates, cycle_length: Ends, cycles: Ends, haps: Ends) -> Sequence[Updates]:
    """The counts at which the cycles of a run end, the run's end among them."""
    words = {"cycle_length": cycle_length, "cycles": cycles, "haps": haps}
    given = [name for name, value in words.items() if value is not None]
    if not given:
        return [total]
    if len(given) > 1:
        raise ValueError(f"{given[0]} and {given[1]} must not both be given")
    (name,) = given
    if not common.known(total):
        raise TypeError(f"num_train_steps must be known where {name} is given")
    found = _ends(name, words[name], int(total))
    leaves.lengths(name, found, strictly=True)
    if found and found[-1] > total:
        raise ValueError(f"{name} must end within num_train_steps, {total}, got {found[-1]}")
    return found if found and found[-1] == total else [*found, total]


def _ends(name: str, value: Ends, total: int) -> list[int]:
    if isinstance(value, Sequence):
        _few(name, len(value))
        ends = [int(common.length(f"{name}[{i}]", end, minimum=1)) for i, end in enumerate(value)]
        return list(itertools.accumulate(ends)) if name == "cycle_length" else ends
    if name == "cycle_length":
        length = int(updates(name, value, total))  # pyright: ignore[reportArgumentType], no list and not None
        if length < 1:
            raise ValueError(f"cycle_length must be at least 1 update, got {value} of {total}")
        _few(name, total // length)
        return [i * length for i in range(1, total // length)]
    if name == "haps":
        raise TypeError(f"haps must be a list of counts, got {value!r}")
    count = int(common.length(name, value, minimum=1))  # pyright: ignore[reportArgumentType]
    _few(name, count)
    return [int(total / count * (i + 1)) for i in range(count - 1)]


def _few(name: str, cycles: int) -> None:
    if cycles > _MOST:
        raise ValueError(f"{name} must make at most {_MOST:,} cycles, got {cycles:,}")
