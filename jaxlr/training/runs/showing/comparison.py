"""The picture of several runs: rate, loss and validation accuracy over the updates, one colour a run."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlr import plotting
from jaxlr.plotting.styles import drawing, look, positive, show_late, thinned
from jaxlr.training.runs.showing.past_runs import PastRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 1000
_WINDOWS = 12  # in the longest run
_FAR_APART = 5  # highest rates


def plot_runs(runs: Sequence[tuple[str, PastRun]]) -> Figure:
    """Draws the learning rate, the loss and the validation accuracy of labelled runs over the updates.

    A run that is not done ends in a ring.
    """
    window = max(1, max(len(run.count) for _, run in runs) // _WINDOWS)
    labels = [textwrap.wrap(label, 76, subsequent_indent="  ") for label, _ in runs]
    height = 7.4 + 0.22 * sum(map(len, labels))
    with drawing(height, 3, height_ratios=(1.0, 1.3, 1.3)) as (figure, (rate, loss, accuracy)):
        for index, (_, run) in enumerate(runs):
            own = look(index) | {"zorder": 3.0 - index / len(runs)}  # the first, which is the best, lies on top
            places = thinned(len(run.count), _POINTS)
            counts, losses = run.count[places], moving_mean(run.loss, places, window)
            rate.plot(counts, run.learning_rate[places], label="\n".join(labels[index]), **own)
            loss.plot(counts, positive(losses), **own)
            dots = {"marker": "o", "markersize": 4.5} if len(run.epoch_end) <= 40 else {}
            accuracy.plot(run.epoch_end, run.validation_accuracy, **dots, **own)
            if run.status != "done":
                _mark_end(rate, counts, run.learning_rate[places], own)
                _mark_end(loss, counts, losses, own)
                _mark_end(accuracy, run.epoch_end, run.validation_accuracy, own)
        rate.set_title("learning rate")
        _scale_rate(rate, [run.learning_rate for _, run in runs])
        loss.set_title("training loss" if window == 1 else f"training loss, mean of {window} updates")
        plotting.make_logarithmic(loss)
        accuracy.set_title("validation accuracy")
        show_late(accuracy, [run.validation_accuracy for _, run in runs], below=0.5, above=0.1)
        accuracy.set_xlabel("updates")
        accuracy.margins(x=0.01)
        figure.legend(loc="outside upper left", frameon=False, prop={"family": "monospace", "size": 10.5})
    return figure


def moving_mean(values: np.ndarray, places: np.ndarray, window: int) -> np.ndarray:
    """The means of `window` values around some places, of fewer at the ends; what is not finite is left out.

    Example:
      >>> moving_mean(np.array([0.0, 3.0, 6.0, np.nan, 8.0]), np.array([0, 1, 4]), window=3).tolist()
      [1.5, 3.0, 8.0]
    """
    means = []
    for place in places:
        around = values[max(0, place - window // 2) : place + (window + 1) // 2]
        around = around[np.isfinite(around)]
        means.append(around.mean() if len(around) else np.nan)
    return np.array(means)


def _mark_end(axes: Axes, counts: np.ndarray, values: np.ndarray, own: Mapping[str, Any]) -> None:
    ring: dict[str, Any] = {"marker": "o", "markersize": 9, "markerfacecolor": plotting.PAPER, "markeredgewidth": 2.2}
    axes.plot(counts[-1:], values[-1:], clip_on=False, color=own["color"], zorder=own["zorder"] + 1.0, **ring)


def _scale_rate(axes: Axes, rates: Sequence[np.ndarray]) -> None:
    """Makes the axis logarithmic where the highest rate of one run would leave another's on the ground."""
    highest = [float(np.nanmax(each)) for each in rates if np.isfinite(each).any()]
    if not highest or min(highest) <= 0 or max(highest) / min(highest) < _FAR_APART:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        return
    axes.set_ylim(min(highest) / 30, max(highest) * 2)
    plotting.make_logarithmic(axes)
