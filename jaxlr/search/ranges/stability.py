"""The largest rate that a test found stable."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxlr.search.ranges.evidence import finite_points, local_noise, medians
from jaxlr.search.trials.trial import FLAT

TIE = 8.0 * float(np.finfo(np.float32).eps)
_EXPLOSION = 3  # growing gradients at the end of a ramp that tell the curvature
_AGREE = 1.25  # how far the curvatures that they tell may lie apart


class Ramp(NamedTuple):
    """The arrays of a ramp that tell where it was stable; each (points,)."""

    rates: np.ndarray
    changes: np.ndarray  # the loss less what the starting weights have on the same batches
    gradients: np.ndarray  # largest absolute entry
    updates: np.ndarray | None  # largest absolute entry


def of_constant_rates(
    rates: np.ndarray, losses: np.ndarray, start_loss: float, diverged: np.ndarray | None
) -> float | None:
    """The largest rate that did not diverge and whose loss is no higher than without training.

    Example:
      >>> of_constant_rates(np.array([0.1, 1.0, 10.0]), np.array([0.5, 0.9, 7.0]), 1.0, None)
      1.0
    """
    fallen = losses <= start_loss + TIE * abs(start_loss)
    stable = np.flatnonzero(fallen if diverged is None else fallen & ~diverged)
    return float(rates[stable[-1]]) if len(stable) else None


def of_ramp(rates: np.ndarray, losses: np.ndarray, gradients: np.ndarray) -> float | None:
    """The rate that led to the last lowest loss, where batches do not differ.

    Example:
      >>> of_ramp(np.array([0.1, 1.0, 10.0]), np.array([1.0, 0.5, 7.0]), np.array([2.0, 1.0, 9.0]))
      0.1
    """
    # Where the gradient was next to nothing the ramp began again from its start: only what came after tells.
    stuck = np.flatnonzero(gradients <= FLAT * gradients[0])
    finite = np.isfinite(losses)
    finite[: stuck[-1] + 1 if len(stuck) else 0] = False
    if not finite.any():
        return None
    lowest = losses[finite].min()
    tied = np.flatnonzero(finite & (losses <= lowest + TIE * abs(lowest)))
    # A loss that underflowed or sits on a floor is the same at many rates: there the gradient tells.
    sizes = np.nan_to_num(gradients[tied], nan=np.inf)
    turn = int(tied[sizes == sizes.min()][-1])
    return float(rates[turn - 1]) if turn else None  # the rate before: it led to this loss


def of_noisy_ramp(ramp: Ramp) -> float | None:
    """Where batches differ: from the growth of the explosion, or from where the loss rose above its noise for good."""
    growth = _of_growth(ramp)
    if growth is not None:
        return growth
    changes = ramp.changes
    stop = finite_points(changes)
    if stop < 3:
        return None
    changes = changes[:stop]
    smooth = medians(changes, 2)
    lowest = int(smooth.argmin())
    noise = local_noise(changes[: lowest + 1])[-1]  # of what came before: the explosion is none
    high = smooth[lowest] + max(4.0 * noise if np.isfinite(noise) else 0.0, 0.1 * abs(smooth[lowest]))
    low = np.flatnonzero(changes <= high)
    turn = int(low[-1]) if len(low) else 0
    return float(ramp.rates[turn - 1]) if turn else None


def _of_growth(ramp: Ramp) -> float | None:
    """2 / curvature from the last gradients of plain gradient descent that explodes.

    On a quadratic gradient(n + 1) = (1 - rate(n) curvature) gradient(n) in the stiffest direction, so that each growth
    tells the curvature: (1 + growth) / rate. The loss says so only some rates later, when it has left its noise.
    """
    rates, gradients = ramp.rates.astype(np.float64), ramp.gradients.astype(np.float64)
    if ramp.updates is None or len(rates) < _EXPLOSION + 2 or not _is_plain(ramp):
        return None
    stop = finite_points(gradients)
    growths = gradients[1:stop] / np.maximum(gradients[: stop - 1], np.finfo(np.float64).tiny)
    last = growths[-_EXPLOSION:]
    if len(last) < _EXPLOSION or not np.all(last > 1.0):
        return None
    curvatures = (1.0 + last) / rates[stop - 1 - _EXPLOSION : stop - 1]
    if curvatures.max() > _AGREE * curvatures.min():
        return None
    return float(2.0 / np.median(curvatures))


def _is_plain(ramp: Ramp) -> bool:
    """Whether every update was the gradient times the rate."""
    assert ramp.updates is not None
    expected = ramp.rates * ramp.gradients
    finite = np.isfinite(expected) & np.isfinite(ramp.updates)
    # An update is rounded to where the weights are.
    return bool(np.allclose(ramp.updates[finite], expected[finite], rtol=1e-3, atol=0.0))
