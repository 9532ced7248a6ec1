"""The one rate that a range test recommends, or why it recommends none.

`benchmarks/finder.py` measures how often the answer is usable, and `benchmarks/results/finder_cpu.md` has the table.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxlr.errors import NoSuggestion
from jaxlr.search.ranges.evidence import Change, local_noise, medians

CERTAIN = 5.5  # standard errors that make a fall: of 240 draws without one, none got so far, of three tests 3
_CERTAIN_ALONE = 4.0  # the same where each rate was tried alone: fewer of them, with errors that are known
_FEWEST = 10  # points below which no curve says anything
_DONE = 0.9  # the share of the fall at which a ramp is nearly through
_NOISY = 0.15  # noise of a batch, as a share of the fall, at which the answer is half the rate there
_LEAST = 0.3  # of the rate there that the answer is at least


class Recommendation(float):
    """A learning rate, for a constant rate or the peak of a cycle; a float that also says why.

    Attributes:
      why: one line.
      low: the lowest answer of the tests alone, or, of a single test, within its noise.
      high: the highest.

    Example:
      >>> rate = Recommendation(0.03, "the loss falls", 0.02, 0.04)
      >>> rate, rate.why, rate * 2
      (0.03, 'the loss falls', 0.06)
    """

    why: str
    low: float
    high: float

    def __new__(cls, rate: float, why: str, low: float, high: float) -> Recommendation:
        """The rate with what belongs to it."""
        made = super().__new__(cls, rate)
        made.why, made.low, made.high = why, low, high
        return made

    def __getnewargs__(self) -> tuple[float, str, float, float]:
        return float(self), self.why, self.low, self.high


class Setting(NamedTuple):
    """How a test was made, as far as a refusal speaks of it."""

    ramp_steps: int  # rates that were asked for
    reason: str  # why it stopped
    tests: int
    spread: float  # standard deviation of the starting weights' loss over batches
    level: float  # size of that loss
    ramp: bool  # whether the rate rose from update to update, or each was tried alone


def recommend(change: Change, setting: Setting) -> Recommendation:
    """The rate at which nine tenths of the fall are reached, lower where batches are noisy.

    rate = place max(0.3, 1 / (1 + noise / 0.15)), noise = standard deviation of one batch's change there / the fall

    A ramp bears a rate for a few updates, in which noise moves the weights little; at a constant rate it adds up.
    """
    _require_points(change, setting)
    _require_fall(change, setting)
    smooth = medians(change.values, 2 if setting.ramp else 0)
    lowest = int(smooth.argmin())
    place = _first(smooth <= _DONE * smooth[lowest])
    _require_inside(change, place, setting)
    before = local_noise(change.values[: place + 1])[-1] if setting.ramp else change.errors[place]
    noise = before * 1.25 / np.sqrt(5.0)  # of a median of five
    low = change.rates[_first(smooth <= _DONE * smooth[lowest] + 2.0 * noise)]
    high = change.rates[min(lowest, _first(smooth <= _DONE * smooth[lowest] - 2.0 * noise, lowest))]
    why = (
        f"nine tenths of the fall of the loss, by {-smooth[lowest]:.3g}, are reached at {change.rates[place]:.2g} "
        f"({change.certainty.max():.0f} standard errors)"
    )
    # With what follows: where an explosion is near, that is a reason to stay lower too.
    one_batch = change.errors[place] * np.sqrt(setting.tests) / -smooth[lowest]
    margin = max(_LEAST, 1.0 / (1.0 + one_batch / _NOISY)) if setting.ramp else 1.0
    # With the two digits that are printed everywhere.
    rate, low, high = (float(f"{margin * each:.2g}") for each in (change.rates[place], low, high))
    return Recommendation(rate, why, low, high)


def _first(flags: np.ndarray, otherwise: int = 0) -> int:
    return int(flags.argmax()) if flags.any() else otherwise


def _require_points(change: Change, setting: Setting) -> None:
    points = len(change.values)
    if points >= _FEWEST:
        return
    if not points:
        raise NoSuggestion("the loss is not finite at the first rate: look at the loss, or lower start")
    if setting.ramp_steps < _FEWEST:
        raise NoSuggestion(f"{setting.ramp_steps} rates are too few: test at least {_FEWEST}")
    raise NoSuggestion(
        f"the range begins too late: after {points} of {setting.ramp_steps} rates the test was over, at "
        f"{change.rates[-1]:.2g}; lower start"
    )


def _require_fall(change: Change, setting: Setting) -> None:
    smooth, ended = change.means, setting.reason.startswith("end")
    inner = slice(1, len(smooth) - 1)
    enough = CERTAIN if setting.ramp else _CERTAIN_ALONE
    # Of a change next to rounding the noise may be none, and every one of them certain.
    if ((change.certainty >= enough) & (-smooth > 1e-5 * setting.level))[inner].any():
        return
    if ended and np.abs(smooth).max() < 0.1 * setting.spread:
        raise NoSuggestion(f"the rate never got high enough: up to {change.rates[-1]:.2g} the loss stays; raise end")
    if not smooth.any():
        more = "; raise end, if it depends on the weights at all" if ended else ""
        raise NoSuggestion(f"the loss never falls up to {change.rates[-1]:.2g}{more}")
    early = smooth[: max(3, setting.ramp_steps // 10)].min() > 0.0
    if early and not ended and smooth.min() >= 0.0:
        raise NoSuggestion(f"the range begins too late: the loss rises from {change.rates[0]:.2g} on; lower start")
    raise NoSuggestion(
        "the loss never falls by more than its noise: take larger batches or seeds=5; weights that are trained already "
        "have no rate to find"
    )


def _require_inside(change: Change, place: int, setting: Setting) -> None:
    rates = change.rates
    if setting.reason.startswith("end") and rates[place] * 2.5 > rates[-1]:
        raise NoSuggestion(f"the rate never got high enough: the loss still falls at {rates[-1]:.2g}; raise end")
    if rates[place] < 4.0 * rates[0]:
        raise NoSuggestion(f"the range begins too late: the loss has fallen by {rates[place]:.2g}; lower start")
