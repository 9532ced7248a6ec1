"""Two learning rates side by side: a recipe's own, and the jaxlr schedule that stands for it."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import numpy as np

from jaxlr import plotting
from jaxlr.schedules import Schedule, leaves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_ROWS = 9
Function: TypeAlias = "Callable[[Any], Any]"  # of the update count
Source: TypeAlias = "Function | ArrayLike | Sequence[float] | Stepped"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `report` found.

    Args:
      source: float64, (steps,): the rates of the recipe.
      schedule: float64, (steps,): the rates of the jaxlr schedule.
      name: what the schedule prints as.

    Example:
      >>> import numpy as np
      >>> comparison = Comparison(np.array([1.0, 0.5]), np.array([1.0, 0.25]), "half")
      >>> comparison.largest, comparison.where, comparison.relative
      (0.25, 1, 0.25)
    """

    source: np.ndarray
    schedule: np.ndarray
    name: str

    @property
    def differences(self) -> np.ndarray:
        """The distance at each count; infinite where just one of the two is finite, or a rate is NaN."""
        with np.errstate(invalid="ignore"):
            distances = np.abs(self.schedule - self.source)
        return np.where(np.isfinite(distances), distances, np.inf)

    @property
    def largest(self) -> float:
        """The largest distance."""
        return float(self.differences.max())

    @property
    def where(self) -> int:
        """The first count at which the distance is largest."""
        return int(self.differences.argmax())

    @property
    def peak(self) -> float:
        """The largest size of a finite rate of the source."""
        return float(np.abs(self.source[np.isfinite(self.source)]).max(initial=0.0))

    @property
    def relative(self) -> float:
        """The largest distance over the peak."""
        return 0.0 if self.largest == 0.0 else float(np.divide(self.largest, self.peak)) if self.peak else float("inf")

    def __str__(self) -> str:
        steps = len(self.source)
        counts = sorted({*np.linspace(0, steps - 1, min(steps, _ROWS)).round().astype(int).tolist(), self.where})
        rows = [("count", "source", "schedule", "difference")]
        for count in counts:
            source, schedule, difference = self.source[count], self.schedule[count], self.differences[count]
            mark = "  <- largest" if count == self.where and self.largest > 0 else ""
            rows.append((str(count), f"{source:.7g}", f"{schedule:.7g}", f"{difference:.2g}{mark}"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([self.name, self._summary(), "", *table])

    def plot(self, ax: Axes | None = None) -> Figure:
        """Draws the two curves, and below them, unless they were given one axes, the distance between them.

        Args:
          ax: axes to draw the curves into; a new figure if None.

        Returns:
          The figure; `jaxlr.plotting.save_figure` writes it to a file.

        Raises:
          ModuleNotFoundError: Matplotlib is missing; the message is the line that installs it.

        Example:
          >>> figure = Comparison(np.array([1.0, 0.5]), np.array([1.0, 0.25]), "half").plot()
          >>> [axes.get_title(loc="left") for axes in figure.axes]
          ['learning rate', 'difference']
        """
        with plotting.style():
            if ax is not None:
                self._draw_curves(ax)
                return ax.figure  # pyright: ignore[reportReturnType], a SubFigure where the axes are in one
            from matplotlib.figure import Figure

            figure = Figure(figsize=(7.2, 5.4), layout="constrained")
            curves, distance = figure.subplots(2, sharex=True, height_ratios=(2.0, 1.0))
            self._draw_curves(curves)
            distance.plot(self._finite(self.differences), color=plotting.COLOURS[3])
            distance.plot([self.where], [self.differences[self.where]], "o", color=plotting.COLOURS[3], markersize=7)
            distance.set_title("difference")
            distance.set_ylim(bottom=0.0)
            distance.set_xlabel("updates")
            distance.text(
                0.0, -0.6, self._summary(), transform=distance.transAxes, fontsize=11, color=plotting.PALE, va="top"
            )
        return figure

    def _draw_curves(self, ax: Axes) -> None:
        ax.plot(self._finite(self.source), color=plotting.COLOURS[4], linewidth=6.0, alpha=0.6, label="source")
        ax.plot(self._finite(self.schedule), color=plotting.COLOURS[0], linewidth=1.8, label="schedule")
        ax.set_title("learning rate")
        ax.margins(x=0.01)
        ax.legend(frameon=False)

    def _finite(self, values: np.ndarray) -> np.ndarray:
        return np.where(np.isfinite(values), values, np.nan)

    def _summary(self) -> str:
        head = f"{len(self.source)} updates: largest difference "
        if self.largest == 0.0:
            return f"{head}0"
        return f"{head}{self.largest:.2g} at count {self.where}, {self.relative:.2g} of the peak {self.peak:.6g}"


class Stepped(Protocol):
    """A live scheduler of PyTorch, stepped after each update."""

    def get_last_lr(self) -> Sequence[Any]:
        """The rate of each parameter group."""
        ...

    def step(self) -> None:
        """Sets the rates of the next update."""
        ...


def report(source: Source, schedule: Function, steps: int) -> Comparison:
    """Compares the learning rates of a recipe with those of the schedule that stands for it.

    Args:
      source: the recipe's rates: a callable from the update count, an array whose entry n is the rate after n updates,
        or a live PyTorch scheduler, of which a copy is stepped.
      schedule: a jaxlr schedule, or another callable from the update count.
      steps: how many updates to compare, from count 0; an integer, at least 1.

    Returns:
      A `Comparison`: `.largest` and `.where`, `str()` for a table, `.plot()` for a picture.

    Raises:
      TypeError: `source` or `schedule` is of the wrong kind, or `steps` no integer.
      ValueError: `steps` is below 1, an array is shorter, or a scheduler has groups with different rates.

    Example:
      >>> import jaxlr
      >>> from jaxlr.dialects import report
      >>> print(report(lambda count: 0.1 * 0.5 ** (count // 2), jaxlr.step_decay(0.1, 0.5, 3), 5))
      step_decay(init_value=0.1, decay_rate=0.5, step_size=3)
      5 updates: largest difference 0.05 at count 2, 0.5 of the peak 0.1
      <BLANKLINE>
      count  source  schedule  difference
      0      0.1     0.1       1.5e-09
      1      0.1     0.1       1.5e-09
      2      0.05    0.1       0.05  <- largest
      3      0.05    0.05      7.5e-10
      4      0.025   0.05      0.025
    """
    steps = int(leaves.length("steps", steps))
    if not callable(schedule):
        raise TypeError(f"schedule must be a schedule, or a callable from the update count, got {schedule!r}")
    return Comparison(_rates("source", source, steps), _rates("schedule", schedule, steps), repr(schedule))


def _rates(name: str, source: Source, steps: int) -> np.ndarray:
    """The rates of the first `steps` updates."""
    if isinstance(source, Schedule):
        return np.asarray(source(np.arange(steps, dtype=np.int32)), np.float64)
    if hasattr(source, "get_last_lr") and hasattr(source, "step"):
        return _stepped(name, cast(Stepped, source), steps)
    if callable(source):
        return np.array([_number(name, source(count)) for count in range(steps)])
    try:
        rates = np.asarray(source, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a callable, an array of rates or a scheduler, got {source!r}") from None
    if rates.ndim != 1 or len(rates) < steps:
        raise ValueError(f"{name} must have one rate for each of {steps} updates, got an array of shape {rates.shape}")
    return rates[:steps]


def _stepped(name: str, scheduler: Stepped, steps: int) -> np.ndarray:
    """The rates of a live scheduler that is stepped after each update; of a copy, so that it stays where it is."""
    scheduler = copy.deepcopy(scheduler)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch misses the optimizer's step, which is not needed here
        for _ in range(steps):
            groups = [_number(name, rate) for rate in scheduler.get_last_lr()]
            if len(set(groups)) != 1:
                raise ValueError(f"{name} must have one rate, got {len(groups)} parameter groups with rates {groups}")
            rates.append(groups[0])
            scheduler.step()
    return np.array(rates)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must give one number for a count, got {value!r}") from None
