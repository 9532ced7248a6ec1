"""What is known of a schedule's rates without a program: bounds at the counts where its curve turns, in host numbers.

A family says where its curve turns and between which rates it stays, beside its formula; compositions combine what is
said of their schedules. Bounds that are one number are the rate, but for rounding. Nothing here is traced or compiled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

Bounds: TypeAlias = tuple[np.ndarray, np.ndarray]  # the lowest and the highest that a rate may be; float64

_ROUNDING = 2.0**-40  # of the terms of a sum: formulas compute with 48 bits


@dataclasses.dataclass(frozen=True)
class Outline:
    """Where a curve turns, and between which rates it lies."""

    turns: np.ndarray  # int64, counts
    at: Callable[[np.ndarray], Bounds]  # int64 counts -> bounds of the rates


def _anything(counts: np.ndarray) -> Bounds:
    return np.full(counts.shape, -np.inf), np.full(counts.shape, np.inf)


UNKNOWN = Outline(np.zeros(1, np.int64), _anything)


def through(*corners: tuple[float, ...], beyond: tuple[float, ...] = (-np.inf, np.inf)) -> Outline:
    """A curve through corners, in order of their counts: `(count, rate)`, or `(count, *rates)` between which it lies.

    Between two corners it lies between their rates, and behind the last one between those of `beyond`.

    Example:
      >>> line = through((0, 1.0), (10, 3.0), beyond=(3.0,))
      >>> [bounds.tolist() for bounds in line.at(np.array([0, 5, 10, 99]))]
      [[1.0, 1.0, 3.0, 3.0], [1.0, 3.0, 3.0, 3.0]]
    """
    rates = [corner[1:] for corner in corners] + [beyond]
    low, high = np.array([min(each) for each in rates]), np.array([max(each) for each in rates])
    return along(np.array([corner[0] for corner in corners]), low, high)


def along(turns: np.ndarray, low: np.ndarray, high: np.ndarray) -> Outline:
    """The same from arrays, whose last bounds are those behind all turns."""

    def at(counts: np.ndarray) -> Bounds:
        before = np.searchsorted(turns, counts, side="right") - 1
        after = np.searchsorted(turns, counts, side="left")
        before = np.where(after == turns.size, turns.size, np.maximum(before, 0))
        return _hull((low[before], high[before]), (low[after], high[after]))

    return Outline(turns, at)


def held(*corners: tuple[float, ...]) -> Outline:
    """A curve through corners, which stays at the last."""
    return through(*corners, beyond=corners[-1][1:])


def steady(*rates: float) -> Outline:
    """One rate for all counts, or always between several."""
    return held((0, *rates))


def in_proportion(rate: float) -> Outline:
    """Of the sign of a rate, or 0."""
    return steady(0.0, rate * np.inf if rate else 0.0)


def operand(value: Any) -> Outline:
    """An outline as it is, a number as one."""
    return value if isinstance(value, Outline) else steady(value)


def combined(left: Any, right: Any, bounds: Callable[[Bounds, Bounds], Bounds]) -> Outline:
    """Of two operands, by what an operation makes of their bounds."""
    one, other = operand(left), operand(right)
    return Outline(_union(one.turns, other.turns), lambda counts: bounds(one.at(counts), other.at(counts)))


def changed(of: Outline, bounds: Callable[[Bounds], Bounds]) -> Outline:
    """Of another, by what is made of its bounds."""
    return Outline(of.turns, lambda counts: bounds(of.at(counts)))


def total(left: Bounds, right: Bounds) -> Bounds:
    """Of a sum; nothing is refused for what rounding makes of 0."""
    with np.errstate(invalid="ignore"):
        slack = _ROUNDING * np.maximum(*(np.maximum(abs(low), abs(high)) for low, high in (left, right)))
        low, high = left[0] + right[0] - slack, left[1] + right[1] + slack
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def difference(left: Bounds, right: Bounds) -> Bounds:
    """Of a difference."""
    return total(left, (-right[1], -right[0]))


def product(left: Bounds, right: Bounds) -> Bounds:
    """Of a product; 0 times anything is 0."""
    with np.errstate(invalid="ignore"):
        corners = np.nan_to_num([a * b for a in left for b in right], nan=0.0, posinf=np.inf, neginf=-np.inf)
    return corners.min(axis=0), corners.max(axis=0)


def raised(left: Bounds, right: Bounds) -> Bounds:
    """Of a power: what is not negative has powers that are not."""
    del right
    return np.where(left[0] >= 0, 0.0, -np.inf), np.full(left[1].shape, np.inf)


def elsewhere(of: Outline, turns: Iterable[float], place: Callable[[np.ndarray], np.ndarray]) -> Outline:
    """On another clock, whose counts stand at `place`, between two counts too."""

    def at(counts: np.ndarray) -> Bounds:
        there = np.clip(place(counts), 0, 2.0**62)
        there = np.where(abs(there - np.round(there)) <= there * _ROUNDING, np.round(there), there)
        return _hull(*(of.at(way(there).astype(np.int64)) for way in (np.floor, np.ceil)))

    return Outline(_counts(turns), at)


def one_by_one(parts: Sequence[tuple[float, Outline]]) -> Outline:
    """One after another, each with the count from which it stands; the counts of each are those of the whole."""
    starts = np.array([start for start, _ in parts])

    def at(counts: np.ndarray) -> Bounds:
        low, high = _anything(counts)
        piece = np.searchsorted(starts, counts, side="right") - 1
        for i in np.unique(piece[piece >= 0]):
            here = piece == i
            low[here], high[here] = parts[i][1].at(counts[here])
        return low, high

    turns = [_counts([start, *part.turns[(part.turns >= start)]]) for start, part in parts]
    before = _counts(starts[1:] - 1)
    return Outline(_union(before, *turns), at)


def later(of: Outline, k: int) -> Outline:
    """Moved to the right by so many counts, or to the left by a negative number; before it begins it stands still."""
    return elsewhere(of, of.turns + k, lambda counts: counts - k)


def between(left: Any, right: Any) -> Outline:
    """Anywhere between two."""
    return combined(left, right, _hull)


def _hull(left: Bounds, right: Bounds) -> Bounds:
    return np.minimum(left[0], right[0]), np.maximum(left[1], right[1])


def _counts(counts: Iterable[float]) -> np.ndarray:
    return np.unique(np.clip(np.array([0, *counts], np.float64), 0, 2**31 - 1).astype(np.int64))


def _union(*turns: np.ndarray) -> np.ndarray:
    return np.unique(np.concatenate(turns))
