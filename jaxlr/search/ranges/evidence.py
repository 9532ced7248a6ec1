"""What a curve shows of the loss itself, and what of its batches: the statistics behind a recommendation.

Each loss is compared with that of the starting weights on the same batch. Most of what batches differ by is the same in
both, so that the change tells what training did; at rates too small to do anything it is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_HALF = 4  # points on either side of a mean: with noise of 1 it is known to 1/3
_NEIGHBOURS = 7  # points on either side that tell the noise of one


class Change(NamedTuple):
    """What training changed in the loss, at rising rates; the mean over the tests."""

    rates: np.ndarray  # float64, (points,)
    values: np.ndarray  # float64, (points,): loss minus that of the starting weights on the same batches
    errors: np.ndarray  # float64, (points,): standard deviation of each
    means: np.ndarray  # float64, (points,): centred means of the values
    certainty: np.ndarray  # float64, (points,): how many standard errors the mean lies below 0


def change(rates: np.ndarray, changes: Sequence[np.ndarray], errors: Sequence[np.ndarray] | None = None) -> Change:
    """The change over several tests of the same rates, up to the first that is not finite.

    A test that ended before the middle one counts no further; without errors, those come from second differences.

    Example:
      >>> rates, falling = np.arange(1.0, 41.0), -np.maximum(0.0, np.arange(40) - 20.0)
      >>> found = change(rates, [falling + np.tile([0.1, -0.1], 20)])
      >>> np.flatnonzero(found.certainty > 5)[0] + 1, found.values.min().round(1)
      (np.int64(20), np.float64(-19.1))
    """
    points = sorted(map(len, changes))[(len(changes) - 1) // 2]
    kept = [place for place, each in enumerate(changes) if len(each) >= points]
    with np.errstate(invalid="ignore", over="ignore"):
        values = np.mean([np.asarray(changes[place][:points], np.float64) for place in kept], axis=0)
    points = finite_points(values)
    values = values[:points]
    if errors is None:
        noise = local_noise(values)
    else:
        squares = [np.asarray(errors[place][:points], np.float64) ** 2 for place in kept]
        noise = np.sqrt(np.mean(squares, axis=0) / len(kept))
    half = 0 if errors is not None else min(_HALF, max(1, points // 10))
    smooth, counts = means(values, half)
    level = noise / np.sqrt(counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        certainty = np.where(smooth == 0.0, 0.0, -smooth / level)
    return Change(np.asarray(rates[:points], np.float64), values, noise, smooth, certainty)


def compared(losses: np.ndarray, references: np.ndarray) -> np.ndarray:
    """The losses less what the references on the same batches say of them: what training changed.

    losses - share references - (1 - share) middle_mean(references), share = how far losses follow references from batch
    to batch, by least squares over the successive differences of the points before, in [0, 1]

    Near the starting weights the share is 1 and the batches cancel; far from them a loss has its own noise alone.

    Example:
      >>> batches = np.tile([1.0, 3.0, 2.0], 10)
      >>> losses = np.where(np.arange(30) < 15, batches, 0.5)
      >>> found = compared(losses, batches)
      >>> print(found[0], found[-1].round(2))
      0.0 -1.5
    """
    losses, references = np.asarray(losses, np.float64), np.asarray(references, np.float64)
    finite = np.isfinite(losses) & np.isfinite(references)
    if len(losses) < 3 or not finite.any():
        with np.errstate(invalid="ignore"):
            return losses - references
    steps = np.diff(np.where(finite, references, references[finite].mean()))
    together = steps * np.diff(np.where(finite, losses, losses[finite].mean()))
    # Of the points before alone: an explosion shall not reach back.
    own, shared = (_means_around(np.append(each[:1], each), 2 * _NEIGHBOURS, 0) for each in (steps**2, together))
    share = np.clip(np.divide(shared, own, out=np.ones_like(own), where=own > 0.0), 0.0, 1.0)
    with np.errstate(invalid="ignore"):  # infinite on both sides
        return losses - share * references - (1.0 - share) * middle_mean(references[finite])


def middle_mean(values: np.ndarray) -> float:
    """The mean without the lowest and the highest twentieth: one odd batch does not move it.

    Example:
      >>> middle_mean(np.array([1.0] * 39 + [900.0]))
      1.0
    """
    cut = -(-len(values) // 20) if len(values) >= 10 else 0
    return float(np.sort(values)[cut : len(values) - cut].mean())


def _means_around(values: np.ndarray, before: int, after: int) -> np.ndarray:
    """The mean of each value, so many before it and so many after it, fewer at the ends."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    places = np.arange(len(values))
    first, last = np.maximum(0, places - before), np.minimum(len(values), places + after + 1)
    return (sums[last] - sums[first]) / (last - first)


def finite_points(values: np.ndarray) -> int:
    """How many points there are before the first that is not finite."""
    finite = np.isfinite(values)
    return len(values) if finite.all() else int(finite.argmin())


def means(values: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Means over up to `half` points on either side, as many on both, and of how many points each is.

    Example:
      >>> means(np.array([0.0, 3.0, 0.0, 0.0]), 1)
      (array([0., 1., 1., 0.]), array([1, 3, 3, 1]))
    """
    sums = np.concatenate(([0.0], np.cumsum(values)))
    places = np.arange(len(values))
    reach = np.minimum(half, np.minimum(places, len(values) - 1 - places))
    return (sums[places + reach + 1] - sums[places - reach]) / (2 * reach + 1), 2 * reach + 1


def medians(values: np.ndarray, half: int) -> np.ndarray:
    """Medians over up to `half` points on either side: one odd batch among them moves nothing.

    Example:
      >>> medians(np.array([1.0, 2.0, 90.0, 3.0, 4.0]), 1)
      array([1., 2., 3., 4., 4.])
    """
    values = np.asarray(values, np.float64)
    found = values.copy()
    for reach in range(1, half + 1):  # each time the points that have so many on both sides
        if len(values) > 2 * reach:
            windows = np.lib.stride_tricks.sliding_window_view(values, 2 * reach + 1)
            found[reach : len(values) - reach] = np.median(windows, axis=1)
    return found


def local_noise(values: np.ndarray) -> np.ndarray:
    """The standard deviation of each value about its neighbours, from second differences: a straight trend adds none.

    Example:
      >>> local_noise(np.arange(5.0)), local_noise(np.array([0.0, 1.0, 0.0, 1.0, 0.0])).round(3)
      (array([0., 0., 0., 0., 0.]), array([0.816, 0.816, 0.816, 0.816, 0.816]))
    """
    if len(values) < 3:
        return np.full(len(values), np.inf)
    squares = (values[:-2] - 2.0 * values[1:-1] + values[2:]) ** 2 / 6.0
    return np.sqrt(_means_around(np.concatenate((squares[:1], squares, squares[-1:])), _NEIGHBOURS, _NEIGHBOURS))
