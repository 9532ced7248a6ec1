"""What a curve of losses over learning rates suggests: rules that others use, and the bounds for a cyclic schedule.

Each rule takes rising rates and the losses as they are: no smoothing, nothing left out. `RangeTest` does both before.
It returns a rate, or raises `NoSuggestion`: no loss is below an earlier one, or there are too few points.
"""

from __future__ import annotations

import bisect

import numpy as np

from jaxlr.errors import NoSuggestion
from jaxlr.search.ranges.evidence import means

METHODS = ("steepest", "valley", "minimum", "slide")
_SLIDE = 15  # points between the ends of the interval of `slide`


def steepest(rates: np.ndarray, losses: np.ndarray) -> float:
    """The rate where the loss falls fastest in the logarithm of the rate.

    argmin of d loss / d log(rate), by central differences

    On an exponential grid this is what torch-lr-finder suggests; fastai's `steep` takes forward differences.

    Example:
      >>> steepest([0.1, 1.0, 10.0, 100.0], [4.0, 4.0, 2.0, 1.0])
      10.0
      >>> steepest([0.1, 1.0, 10.0], [2.0, 2.0, 2.0])
      Traceback (most recent call last):
      jaxlr.errors.NoSuggestion: the loss never falls
    """
    rates, losses = _checked(rates, losses, 2)
    _require_fall(losses)
    slopes = np.gradient(losses, np.log(np.maximum(rates, np.finfo(np.float32).tiny)))
    return float(rates[slopes.argmin()])


def valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """The middle of the longest way down, or nearly: fastai's default.

    With a longest strictly falling subsequence of L losses that ends at e: index e - L + int(L / 3) + int(L / 6)

    Example:
      >>> valley([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [9.0, 8.0, 6.0, 7.0, 5.0, 4.0, 9.0])
      2.0
    """
    rates, losses = _checked(rates, losses, 2)
    _require_fall(losses)
    # ends[k]: the largest (negated) loss that ends a falling subsequence of k + 1, so each length costs a bisection.
    ends: list[float] = []
    length, end = 1, 0
    for index, loss in enumerate(-losses):
        place = bisect.bisect_left(ends, loss)
        ends[place : place + 1] = [loss]
        if place + 1 > length:
            length, end = place + 1, index
    return float(rates[max(0, end - length + int(length / 3) + int(length / 3 / 2))])


def minimum(rates: np.ndarray, losses: np.ndarray) -> float:
    """A tenth of the rate at which the loss is lowest.

    Example:
      >>> minimum([0.5, 1.0, 2.0], [3.0, 1.0, 2.0])
      0.1
    """
    rates, losses = _checked(rates, losses, 2)
    _require_fall(losses)
    return float(rates[losses.argmin()]) / 10.0


def slide(rates: np.ndarray, losses: np.ndarray, *, threshold: float = 0.005) -> float:
    """The left end of an interval that slides down from the highest rates until both its ends are equally steep.

    With g = d loss / d index: the interval of 15 points moves left while |g(right) - g(left)| > threshold.

    Example:
      >>> losses = [2.0 - 0.05 * n for n in range(30)] + [3.0 ** n for n in range(5)]
      >>> slide([float(n) for n in range(1, 36)], losses)
      15.0
    """
    rates, losses = _checked(rates, losses, _SLIDE + 1)
    _require_fall(losses)
    slopes = np.gradient(losses)
    apart = np.abs(slopes[_SLIDE:] - slopes[:-_SLIDE]) > threshold
    # From the right: the last interval that moved on left its own left end behind as the answer.
    flat = np.flatnonzero(~apart)
    left = int(flat[-1]) + 1 if len(flat) else 0
    return float(rates[min(left, len(apart) - 1)])


def rising_part(rates: np.ndarray, values: np.ndarray, level: float, noise: float) -> tuple[float, float]:
    """The part of the rates over which a curve rises: from its start to where it stops or turns jagged.

    It starts where the smoothed curve has left `level` for good by a tenth of the whole rise (and twice the noise of
    the smoothed curve), and stops at the first of two: where nineteen twentieths of the rise are reached, or where the
    curve swings down by more than a tenth of it (and by more than noise does).

    Args:
      rates: rising.
      values: one for each, such as accuracies, or losses negated.
      level: what the curve has at rates too small to do anything.
      noise: standard deviation of one value there.

    Example:
      >>> rates = np.geomspace(1e-4, 1.0, 9)
      >>> rising_part(rates, [0.1, 0.1, 0.1, 0.2, 0.6, 0.9, 0.91, 0.5, 0.1], level=0.1, noise=0.0)
      (0.0031622776601683794, 0.03162277660168379)
    """
    rates, values = _checked(rates, values, 3)
    smooth = centred_means(values)
    noise = noise / np.sqrt(window(len(values)))
    peak = int(smooth.argmax())
    rise = smooth[peak] - level
    if not rise > max(4.0 * noise, 1e-5 * abs(level)):
        raise NoSuggestion("nothing rises above its noise" if noise else "nothing rises")
    risen = smooth > level + max(0.1 * rise, 2.0 * noise)
    start = int(np.flatnonzero(~risen[: peak + 1])[-1]) + 1 if not risen[: peak + 1].all() else 0
    swing = np.maximum.accumulate(smooth[start:]) - smooth[start:] > max(0.1 * rise, 4.0 * noise)
    high = smooth[start:] >= level + 0.95 * rise
    ends = [start + int(flags.argmax()) for flags in (swing, high) if flags.any()]
    stop = min(ends)
    if swing.any() and stop == start + int(swing.argmax()):
        stop = start + int(smooth[start : stop + 1].argmax())
    if stop <= start:
        raise NoSuggestion("the rise is a single point: test smaller rates, or more of them")
    return float(rates[start]), float(rates[stop])


def window(points: int) -> int:
    """How many points `centred_means` averages: about a sixteenth of the curve, an odd number."""
    return 2 * (points // 32) + 1


def centred_means(values: np.ndarray) -> np.ndarray:
    """Means over a window around each point, narrower towards the ends: smooth, and not late as a running mean is.

    Example:
      >>> centred_means(np.array([0.0] * 32 + [1.0] * 32))[29:35].tolist()
      [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    return means(np.asarray(values, np.float64), window(len(values)) // 2)[0]


def noise_of(values: np.ndarray) -> float:
    """The standard deviation of a flat noisy curve, from its successive differences: a slow trend adds little.

    Example:
      >>> noise_of(np.array([1.0, 1.0, 1.0])), round(noise_of(np.array([0.0, 1.0, 0.0, 1.0])), 3)
      (0.0, 0.707)
    """
    steps = np.diff(np.asarray(values, np.float64))
    return float(np.sqrt(np.mean(steps**2) / 2.0)) if len(steps) else 0.0


def _checked(rates: np.ndarray, losses: np.ndarray, fewest: int) -> tuple[np.ndarray, np.ndarray]:
    rates, losses = np.asarray(rates, np.float64), np.asarray(losses, np.float64)
    if rates.ndim != 1 or rates.shape != losses.shape:
        raise ValueError(f"rates and losses must be as many, got the shapes {rates.shape} and {losses.shape}")
    if len(rates) < fewest:
        raise NoSuggestion(f"it needs at least {fewest} points, got {len(rates)}")
    if not np.all(np.isfinite(losses)):
        raise NoSuggestion("a loss is not finite")
    return rates, losses


def _require_fall(losses: np.ndarray) -> None:
    if not np.any(losses < np.maximum.accumulate(losses)):
        raise NoSuggestion("the loss never falls")
