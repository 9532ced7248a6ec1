"""What a range test found: its curves, and what they suggest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from jaxlr.errors import NoSuggestion
from jaxlr.schedules import leaves
from jaxlr.search.ranges import evidence, stability, suggestions
from jaxlr.search.ranges import picture as pictures
from jaxlr.search.ranges.recommendation import Recommendation, Setting, recommend

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RULES: dict[str, Callable[..., float]] = {
    "steepest": suggestions.steepest,
    "valley": suggestions.valley,
    "minimum": suggestions.minimum,
    "slide": suggestions.slide,
}
_NOISY = " by more than its noise from batch to batch, which only the recommendation's rule takes out"
_Answer = TypeVar("_Answer")
_LAST_POINTS = 5  # left out by the rules, as fastai and torch-lr-finder do: the loss explodes there


@dataclasses.dataclass(frozen=True)
class Curve:
    """What one seed of a range test saw; NumPy arrays with an entry for each rate that was tried."""

    learning_rates: np.ndarray  # float32
    losses: np.ndarray  # float32: a ramp's before the update with that rate, a constant rate's after all its updates
    smoothed: np.ndarray  # float32: a ramp's running mean without bias; a constant rate's are the losses themselves
    metrics: np.ndarray | None  # float32
    gradients: np.ndarray  # float32: largest absolute entry of the gradient, where the loss was measured
    reason: str  # one line that begins with "end", "diverged" or "nan"
    start_loss: float | None  # the loss at the starting weights where every rate begins there, None for a ramp
    start_metric: float | None
    ramp_steps: int  # rates that were asked for
    diverged: np.ndarray | None = None  # bool: whether a constant rate's loss rose far above its best on the way
    references: np.ndarray | None = None  # float32: a ramp's losses of the starting weights on the same batches
    updates: np.ndarray | None = None  # float32: largest absolute entry of what a ramp's update added to the weights
    changes: np.ndarray | None = None  # float32: what constant rates changed in the loss of batches not yet seen
    errors: np.ndarray | None = None  # float32: standard errors of the changes

    def change(self) -> np.ndarray:
        """What training changed in the loss; without references, counted from the mean of the first tenth."""
        if self.changes is not None:
            return self.changes
        if self.references is not None:
            return evidence.compared(self.losses, self.references)
        with np.errstate(invalid="ignore"):  # infinite losses
            return self.losses.astype(np.float64) - self._head().mean()

    def _head(self) -> np.ndarray:
        return self.losses[: max(2, self.ramp_steps // 10)].astype(np.float64)

    def level(self) -> float:
        """The size of the loss of the starting weights."""
        if self.start_loss is not None:
            return abs(self.start_loss)
        head = self._head() if self.references is None else self.references.astype(np.float64)
        return abs(float(head[np.isfinite(head)].mean())) if np.isfinite(head).any() else 0.0

    def spread(self) -> float:
        """The standard deviation of the starting weights' loss over batches."""
        known = [] if self.references is None else self.references[np.isfinite(self.references)]
        return float(np.std(known)) if len(known) else 0.0

    def max_stable(self) -> float | None:
        """The largest rate before the loss rises for good."""
        if self.start_loss is not None:
            return stability.of_constant_rates(self.learning_rates, self.losses, self.start_loss, self.diverged)
        if self.references is not None and self.spread() > stability.TIE * np.abs(self.references).max():
            ramp = stability.Ramp(self.learning_rates, self.change(), self.gradients, self.updates)
            return stability.of_noisy_ramp(ramp)
        return stability.of_ramp(self.learning_rates, self.losses, self.gradients)

    def suggestion(self, method: str) -> float:
        """The rate that a rule picks on the smoothed curve."""
        self._require_fall()
        rates, losses = self._usable()
        if method == "steepest":
            # Not the fall back from an explosion.
            rates, losses = rates[: losses.argmin() + 1], losses[: losses.argmin() + 1]
        try:
            return _RULES[method](rates, losses)
        except NoSuggestion as error:
            raise NoSuggestion(f"no {method!r} suggestion: {error}") from None

    def bounds(self) -> tuple[float, float]:
        """Where the accuracy, or without one the fall of the loss, starts and stops."""
        if self.metrics is not None:
            values, level, sign = self.metrics, self.start_metric, 1.0
        else:
            values, level, sign = self.losses, self.start_loss, -1.0
        points = min(map(evidence.finite_points, (values, self.losses)))
        rates, values = self.learning_rates[:points], sign * values[:points].astype(np.float64)
        head = values[: max(2, self.ramp_steps // 10)]
        if self.start_loss is not None and level is not None:
            level, noise = sign * level, 0.0
        else:
            level, noise = float(head.mean()) if len(head) else 0.0, suggestions.noise_of(head)
        if self.metrics is None and len(values):
            # A loss may explode by many powers of ten: what it does above its start is the same to the bounds.
            values = np.maximum(values, level - 4.0 * (values.max() - level) - 4.0 * noise)
        try:
            if not len(rates):
                raise NoSuggestion(f"the loss is {self.losses[0]} at the first rate")
            return suggestions.rising_part(rates, values, level, noise)
        except NoSuggestion as error:
            what = "accuracy's rise" if self.metrics is not None else "fall of the loss"
            raise NoSuggestion(f"no bounds from the {what}: {error}") from None

    def _usable(self) -> tuple[np.ndarray, np.ndarray]:
        """What the rules look at: a ramp without its first tenth and its last points, up to the first NaN."""
        first, last = (0, 0) if self.start_loss is not None else (self.ramp_steps // 10, _LAST_POINTS)
        kept = slice(first, max(first, len(self.losses) - last))
        rates, losses = self.learning_rates[kept], self.smoothed[kept]
        points = evidence.finite_points(losses)
        return rates[:points], losses[:points]

    def _require_fall(self) -> None:
        _, usable = self._usable()
        if not np.isfinite(self.losses[0]):
            raise NoSuggestion(f"no suggestion: the loss is {self.losses[0]} at the first rate")
        if len(usable) < 2:
            raise NoSuggestion(
                f"no suggestion: without the first tenth and the last {_LAST_POINTS}, {len(usable)} of the "
                f"{len(self.losses)} points are left; test more rates, or a smaller start"
            )
        head = self._head()
        head = head[np.isfinite(head)]
        level, noise = self.start_loss, 0.0
        if level is None:
            level = float(head.mean())
            # Of a mean over the head; by the median step, which neither the fall nor an explosion moves much.
            steps = np.abs(np.diff(self.losses[np.isfinite(self.losses)].astype(np.float64)))
            noise = 3.0 * float(np.median(steps)) / 0.954 / len(head) ** 0.5
        if level - float(usable.min()) <= max(noise, 1e-5 * abs(level)):
            raise NoSuggestion("no suggestion: the loss never falls" + (_NOISY if noise else ""))


@dataclasses.dataclass(frozen=True, repr=False)
class RangeTest:
    """What a range test found.

    Where several seeds were asked for, the curves are the medians over them (a seed that stopped counts as risen) and a
    suggestion is the median of theirs; `spread` says how far they lie apart, and `curves` holds each.

    Attributes:
      recommendation: the rate to train with, constant or as the peak of a cycle: a float with `why`, and `low` and
        `high`, between which a rate does nearly as well; None where the curve supports none, and then nothing else is
        suggested either. The other rules look at the losses alone, so where batches differ much they may refuse
        where this one, which compares each batch with itself, does not.
      why: one line: why this rate, or why none and what to do.
      learning_rates: float32, rising: the rates up to where the test stopped.
      losses: float32, the raw loss at each: before the update with it, or after all updates at a constant rate.
      smoothed: float32, the running mean of the losses without bias; at constant rates the losses themselves.
      metrics: float32, or None without `metric_fn`.
      stop_reason: one line that begins with "end", "diverged" or "nan".
      max_stable: the largest rate before the loss rises for good (a NaN counts as risen), of plain gradient descent
        2 / the largest curvature; None where even the first rate is too large, or nothing is recommended.
      curves: a `Curve` for each seed.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    metrics: np.ndarray | None
    stop_reason: str
    max_stable: float | None
    curves: tuple[Curve, ...]
    recommendation: Recommendation | None
    why: str

    @classmethod
    def from_curves(cls, curves: Sequence[Curve]) -> RangeTest:
        """The test whose seeds saw these curves."""
        curves = tuple(curves)
        try:
            recommendation = _recommendation(curves)
            why = recommendation.why
        except NoSuggestion as refusal:
            recommendation, why = None, str(refusal)
        stable = [curve.max_stable() for curve in curves]
        known = [rate for rate in stable if rate is not None]
        max_stable = float(np.median(known)) if 2 * len(known) > len(stable) and recommendation is not None else None
        return cls(*_medians_of(curves), max_stable, curves, recommendation, why)

    def __repr__(self) -> str:
        """At most six lines: the answer first.

        Example:
          >>> rates = np.geomspace(1e-3, 1.0, 40).astype(np.float32)
          >>> flat = Curve(rates, np.ones(40), np.ones(40), None, np.ones(40), "end: by hand", None, None, 40)
          >>> RangeTest.from_curves([flat])
          RangeTest of 40 rates from 0.001 to 1
            no recommendation: the loss never falls up to 1; raise end, if it depends on the weights at all
            end: by hand
        """
        first, last = self.learning_rates[0], self.learning_rates[-1]
        several = f", {len(self.curves)} tests" if len(self.curves) > 1 else ""
        lines = [f"RangeTest of {len(self.learning_rates)} rates from {first:.2g} to {last:.2g}{several}"]
        if self.recommendation is None:
            lines.append(f"no recommendation: {self.why}")
        else:
            rate = self.recommendation
            lines.append(f"recommendation {rate:.2g} (from {rate.low:.2g} to {rate.high:.2g}): {self.why}")
            if self.max_stable is not None:
                lines.append(f"stable up to {self.max_stable:.2g}")
            others = ", ".join(f"{name} {rate:.2g}" for name, rate in self.suggestions().items())
            lines.append(f"other rules: {others or 'none sees a fall through the noise from batch to batch'}")
        lines.append(self.stop_reason)
        return "\n  ".join(lines)

    def suggestion(self, method: str = "steepest") -> float:
        """A learning rate, by a rule on the smoothed curve without its first tenth and its last 5 points.

        Args:
          method: "steepest", where the loss falls fastest in the logarithm of the rate, up to its minimum; "valley",
            the middle of the longest fall; "minimum", a tenth of the rate of the lowest loss; "slide", where the
            interval rule stops. `jaxlr.search.ranges.suggestions` has their definitions.

        Returns:
          The rate; the median over the seeds.

        Raises:
          ValueError: there is no such method.
          NoSuggestion: a ValueError; the curve supports no answer, and the message says why.
        """
        return float(np.median(self._by_rule(method)))

    def spread(self, method: str = "steepest") -> tuple[float, float]:
        """The lowest and the highest suggestion of the seeds that have one.

        Args:
          method: as for `suggestion`.

        Raises:
          ValueError, NoSuggestion: as `suggestion` does.
        """
        found = self._by_rule(method)
        return float(min(found)), float(max(found))

    def suggestions(self) -> dict[str, float]:
        """The suggestion of every method that has one."""
        found = {method: _or_none(lambda method=method: self.suggestion(method)) for method in suggestions.METHODS}
        return {method: rate for method, rate in found.items() if rate is not None}

    def bounds(self) -> tuple[float, float]:
        """The bounds for a cyclic schedule: `triangular(*result.bounds(), result.step_size(steps_per_epoch))`.

        `base_lr` is where the metric (an accuracy: higher is better) starts to rise, `max_lr` where it stops rising or
        turns jagged; without a metric, where the loss starts and stops falling. `max_lr` is at most `max_stable`.

        Returns:
          (base_lr, max_lr); medians over the seeds.

        Raises:
          NoSuggestion: a ValueError; the curve supports no answer, and the message says why.

        References:
          Smith, Cyclical Learning Rates for Training Neural Networks, 2017, arXiv:1506.01186, section 3.3
        """
        self._require_recommendation("bounds")
        found = np.median(self._of_seeds(Curve.bounds), axis=0)
        base, highest = float(found[0]), float(found[1])
        if self.max_stable is not None:
            highest = min(highest, self.max_stable)
        if highest <= base:
            raise NoSuggestion(
                f"no bounds: the loss rises for good at {highest:g}, before anything improves at {base:g}"
            )
        return base, highest

    def step_size(self, steps_per_epoch: int, *, epochs: int | None = None) -> int:
        """Updates in half a cycle: that of four epochs, or fewer, so that `epochs` hold whole cycles.

        Args:
          steps_per_epoch: updates in an epoch.
          epochs: length of the training; without it, the half cycle is 4 epochs (the paper: 2 to 10).

        Returns:
          The step size, at least 1. With `epochs`, it makes as many whole cycles of at most 8 epochs as are needed; the
          last one ends with the training, or up to two updates a cycle before.

        Raises:
          TypeError, ValueError: an argument is no integer of at least 1.

        References:
          Smith, Cyclical Learning Rates for Training Neural Networks, 2017, arXiv:1506.01186, section 3.2
        """
        steps_per_epoch = int(leaves.length("steps_per_epoch", steps_per_epoch))
        if epochs is None:
            return 4 * steps_per_epoch
        epochs = int(leaves.length("epochs", epochs))
        cycles = -(-epochs // 8)
        return max(1, epochs * steps_per_epoch // (2 * cycles))

    def plot(self, ax: Any = None, *, subtitle: str = "") -> Figure:
        """Draws the loss over the rate, and the metric beneath it, with the answer as the title.

        Args:
          ax: Matplotlib axes to draw the loss on; None: a new figure with everything.
          subtitle: what was tested, such as the data, the network and the optimizer.

        Returns:
          The Matplotlib figure; `jaxlr.plotting.save_figure` writes it to a file.

        Raises:
          ModuleNotFoundError: Matplotlib is missing.
        """
        return pictures.draw(self, ax, subtitle)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-able data: the curves, every suggestion, and None in place of what has no answer."""
        bounds = _or_none(self.bounds)
        return {
            "learning_rates": _numbers(self.learning_rates),
            "losses": _numbers(self.losses),
            "smoothed": _numbers(self.smoothed),
            "metrics": None if self.metrics is None else _numbers(self.metrics),
            "stop_reason": self.stop_reason,
            "recommendation": None if self.recommendation is None else float(self.recommendation),
            "why": self.why,
            "max_stable": self.max_stable,
            "suggestions": {**dict.fromkeys(suggestions.METHODS), **self.suggestions()},
            "bounds": None if bounds is None else list(bounds),
        }

    def _by_rule(self, method: str) -> list[float]:
        leaves.choice("method", method, suggestions.METHODS)
        self._require_recommendation("suggestion")
        return self._of_seeds(lambda curve: curve.suggestion(method))

    def _require_recommendation(self, what: str) -> None:
        if self.recommendation is None:
            raise NoSuggestion(f"no {what}: {self.why}")

    def _of_seeds(self, ask: Callable[[Curve], Any]) -> list[Any]:
        """The answers of the seeds, if more than half of them have one."""
        found, refusals = [], []
        for curve in self.curves:
            try:
                found.append(ask(curve))
            except NoSuggestion as error:
                refusals.append(str(error))
        if 2 * len(found) <= len(self.curves):
            several = f" ({len(refusals)} of {len(self.curves)} seeds)" if len(self.curves) > 1 else ""
            raise NoSuggestion(refusals[0] + several)
        return found


def _recommendation(curves: tuple[Curve, ...]) -> Recommendation:
    """Of all tests together, with the spread of those that have an answer of their own."""
    found = _recommended(curves)
    alone = [_or_none(lambda curve=curve: float(_recommended((curve,)))) for curve in curves if len(curves) > 1]
    known = [rate for rate in alone if rate is not None]
    return Recommendation(found, found.why, min(*known, found), max(*known, found)) if known else found


def _recommended(curves: tuple[Curve, ...]) -> Recommendation:
    errors = [curve.errors for curve in curves if curve.errors is not None]
    longest = max(curves, key=lambda curve: len(curve.learning_rates))
    changes = [curve.change() for curve in curves]
    change = evidence.change(longest.learning_rates, changes, errors or None)
    middle = sorted(curves, key=lambda curve: len(curve.losses))[(len(curves) - 1) // 2]
    setting = Setting(longest.ramp_steps, middle.reason, len(curves), middle.spread(), middle.level(), not errors)
    return recommend(change, setting)


def _medians_of(curves: tuple[Curve, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, str]:
    """The rates, losses, smoothed losses, metrics and the reason of the end, over the seeds."""
    if len(curves) == 1:
        (only,) = curves
        return only.learning_rates, only.losses, only.smoothed, only.metrics, only.reason
    longest = max(curves, key=lambda curve: len(curve.losses))
    losses = _median([curve.losses for curve in curves], np.inf)
    kept = max(1, int(np.isfinite(losses).sum())) if longest.start_loss is None else len(losses)
    smoothed = _median([curve.smoothed for curve in curves], np.inf)[:kept]
    metrics = None
    if longest.metrics is not None:
        metrics = _median([curve.metrics for curve in curves if curve.metrics is not None], -np.inf)[:kept]
    reasons = [curve.reason for curve in curves]
    common = sorted(reasons, key=lambda reason: reason.split(":")[0])[len(reasons) // 2]
    same = sum(reason.split(":")[0] == common.split(":")[0] for reason in reasons)
    reason = f"{common} ({same} of {len(reasons)} seeds: {common.split(':')[0]})"
    return longest.learning_rates[:kept], losses[:kept], smoothed, metrics, reason


def _median(arrays: Sequence[np.ndarray], missing: float) -> np.ndarray:
    """The median over arrays of different lengths, with `missing` for what is not there or not finite."""
    padded = np.full((len(arrays), max(map(len, arrays))), missing)
    for row, values in zip(padded, arrays, strict=True):
        row[: len(values)] = np.where(np.isfinite(values), values, missing)
    # The lower middle one, not the mean of two: no rounding, and no infinity minus infinity.
    return np.sort(padded, axis=0)[(len(arrays) - 1) // 2].astype(np.float32)


def _or_none(ask: Callable[[], _Answer]) -> _Answer | None:
    """What a curve answers; None where it supports no answer."""
    try:
        return ask()
    except NoSuggestion:
        return None


def _numbers(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
