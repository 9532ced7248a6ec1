"""The picture of a run: its learning rate, its loss and its accuracies above one another."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxlr import plotting
from jaxlr.plotting.styles import drawing, positive, show_late, thinned
from jaxlr.training.runs.records.metrics import Record, curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_run(
    metrics: Sequence[Record],
    *,
    title: str = "",
    subtitle: str = "",
    test_accuracy: float | None = None,
) -> Figure:
    """Draws a run's learning rate, loss and accuracies above one another over the updates.

    Args:
      metrics: the run's records, as the lines of metrics.jsonl: updates (`count`, `learning_rate`, `loss`) and
        epochs (`epoch`, `count`, `train_accuracy`, `validation_accuracy`, `validation_loss`).
      title: the headline, usually the schedule.
      subtitle: one smaller line under it.
      test_accuracy: drawn at the end of the accuracies if given.

    Example:
      >>> figure = plot_run([{"count": n, "learning_rate": 0.1, "loss": 1.0 / (n + 1)} for n in range(5)])
      >>> [axes.get_title(loc="left") for axes in figure.axes]
      ['learning rate', 'loss', 'accuracy']
    """
    (counts, rates, losses, *_), ends, *of_epochs = curves(metrics)
    train_accuracy, validation_accuracy, validation_loss = of_epochs
    with drawing(8.0, 3, height_ratios=(1.0, 1.3, 1.3)) as (figure, (rate, loss, accuracy)):
        _draw_rate(rate, counts, rates)
        _draw_loss(loss, counts, losses, ends, validation_loss)
        _draw_accuracy(accuracy, ends, {"train": train_accuracy, "validation": validation_accuracy}, test_accuracy)
        accuracy.set_xlabel("updates" if len(ends) == 0 else f"updates ({ends[-1] / len(ends):.4g} an epoch)")
        top = _write_heading(figure, title, subtitle)
        figure.set_layout_engine("constrained", rect=(0.0, 0.0, 1.0, top), hspace=0.05)
    return figure


def _write_heading(figure: Figure, title: str, subtitle: str) -> float:
    """Writes the headline and the smaller line in rows at the top; gives back how high the rest may reach."""
    top = 0.985
    for line in textwrap.wrap(title, 62, subsequent_indent="    "):
        figure.text(0.015, top, line, va="top", fontsize=14, fontweight="bold")
        top -= 0.03
    for line in textwrap.wrap(subtitle, 76):
        figure.text(0.015, top, line, va="top", fontsize=11.5, color=plotting.PALE)
        top -= 0.025
    return top - 0.005


def _draw_rate(axes: Axes, counts: np.ndarray, rates: np.ndarray) -> None:
    kept = thinned(len(rates))
    axes.plot(counts[kept], rates[kept], color=plotting.COLOURS[0])
    axes.fill_between(counts[kept], rates[kept], color=plotting.COLOURS[0], alpha=0.1, linewidth=0.0)
    axes.set_title("learning rate")
    axes.margins(x=0.01)


def _draw_loss(axes: Axes, counts: np.ndarray, losses: np.ndarray, ends: np.ndarray, validation: np.ndarray) -> None:
    kept = thinned(len(losses))
    axes.plot(counts[kept], positive(losses)[kept], color=plotting.COLOURS[0], alpha=0.35, linewidth=0.8)
    axes.set_title("loss")
    starts = np.concatenate(([0.0], ends))
    means = [_mean(losses[(counts >= start) & (counts < end)]) for start, end in itertools.pairwise(starts)]
    curves = {"train": positive(np.array(means)), "validation": positive(validation)}
    _draw_epochs(axes, ends, curves)
    plotting.make_logarithmic(axes)
    _label_ends(axes, [(name, values[-1], colour) for (name, values), colour in _coloured(curves) if len(values)])


def _draw_accuracy(axes: Axes, ends: np.ndarray, curves: Mapping[str, np.ndarray], test: float | None) -> None:
    axes.set_title("accuracy")
    _draw_epochs(axes, ends, curves)
    labels = [(f"{name} {each[-1]:.3f}", each[-1], colour) for (name, each), colour in _coloured(curves) if len(each)]
    if test is not None and len(ends):
        axes.plot(ends[-1:], [test], color=plotting.COLOURS[2], marker="D", markersize=8, linestyle="none", zorder=3)
        labels.append((f"test {test:.3f}", test, plotting.COLOURS[2]))
    show_late(axes, [*curves.values(), *(np.array([end]) for _, end, _ in labels)], below=1.0, above=0.3)
    _label_ends(axes, labels)


def _draw_epochs(axes: Axes, ends: np.ndarray, curves: Mapping[str, np.ndarray]) -> None:
    """Draws values known at the ends of epochs, with a dot at each where the dots stay apart."""
    for (_, values), colour in _coloured(curves):
        axes.plot(ends, values, color=colour, marker="o" if len(ends) <= 40 else "", markersize=4.5)


def _coloured(curves: Mapping[str, np.ndarray]) -> Iterator[tuple[tuple[str, np.ndarray], str]]:
    return zip(curves.items(), plotting.COLOURS, strict=False)


def _label_ends(axes: Axes, labels: Sequence[tuple[str, float, str]]) -> None:
    """Writes each label to the right of the axes at the height of its curve's end, apart from one another."""
    axes.autoscale_view()
    to_axes = axes.transScale + axes.transLimits
    ends = sorted(
        (float(to_axes.transform((0.0, value))[1]), text, colour)
        for text, value, colour in labels
        if np.isfinite(value)
    )
    highest = 1.0
    heights = []
    for place, _, _ in reversed(ends):
        heights.append(min(place, highest))
        highest = heights[-1] - 0.12
    for height, (_, text, colour) in zip(heights, reversed(ends), strict=True):
        axes.text(
            1.015, height, text, color=colour, transform=axes.transAxes, va="center", fontsize=12, fontweight="bold"
        )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
