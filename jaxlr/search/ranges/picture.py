"""Pictures of range tests: loss and metric over the rate on a logarithmic axis, the answer marked and in the title."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlr.plotting.styles import COLOURS, INK, PALE, drawing, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(test: Any, ax: Any = None, subtitle: str = "") -> Figure:
    """Draws a range test into a new figure, or its loss on given Matplotlib axes.

    Example:
      >>> from jaxlr.search.ranges.result import Curve, RangeTest
      >>> rates, losses = np.geomspace(1e-3, 1.0, 4), np.array([2.0, 1.0, 0.5, 4.0])
      >>> curve = Curve(rates, losses, losses, None, np.ones(4), "end: by hand", None, None, 4)
      >>> figure = draw(RangeTest.from_curves([curve]))
      >>> figure.axes[0].get_xscale(), figure.get_suptitle()
      ('log', 'no recommendation')
    """
    if ax is not None:
        with style():
            _draw_loss(ax, test)
            ax.set_xlabel("learning rate")
            ax.legend(frameon=False, fontsize=11)
            return ax.figure
    panels = 1 if test.metrics is None else 2
    with drawing(3.4 + 2.2 * panels, panels) as (figure, axes):
        _draw_loss(axes[0], test)
        if test.metrics is not None:
            _draw_metric(axes[1], test)
        axes[-1].set_xlabel("learning rate")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False, fontsize=11)
        rate = test.recommendation
        title = "no recommendation" if rate is None else f"learning rate {rate:.2g}"
        figure.suptitle(title, x=0.015, ha="left", fontsize=15, fontweight="bold", color=INK)
        axes[0].set_title("\n".join(_notes(subtitle, test.why)), fontsize=10.5, fontweight="normal", color=PALE)
    return figure


def _notes(*notes: str) -> list[str]:
    """The smaller lines under the title."""
    found = [textwrap.fill(each, 88) for each in notes if each]
    return [*found, ""] if found else []


def _seeds(test: Any) -> tuple[Any, ...]:
    """The curves that are drawn beside their median."""
    return test.curves if len(test.curves) > 1 else ()


def _draw_loss(axes: Axes, test: Any) -> None:
    for curve in _seeds(test):
        axes.plot(curve.learning_rates, curve.losses, color=COLOURS[0], alpha=0.2, linewidth=0.7)
    if test.curves[0].start_loss is None:  # a ramp
        axes.plot(
            test.learning_rates, test.losses, color=COLOURS[0], alpha=0.45, linewidth=1.0, label="loss of a batch"
        )
        axes.plot(test.learning_rates, test.smoothed, color=COLOURS[0], label="running mean")
    else:
        axes.plot(test.learning_rates, test.losses, color=COLOURS[0], label="loss after training at this rate")
    axes.set_ylabel("loss")
    _mark(axes, test, labelled=True)
    _show_below_explosion(axes, test)


def _draw_metric(axes: Axes, test: Any) -> None:
    assert test.metrics is not None
    for curve in _seeds(test):
        if curve.metrics is not None:
            axes.plot(curve.learning_rates, curve.metrics, color=COLOURS[2], alpha=0.25, linewidth=0.7)
    axes.plot(test.learning_rates, test.metrics, color=COLOURS[2])
    axes.set_ylabel("metric")
    _mark(axes, test, labelled=False)


def _mark(axes: Axes, test: Any, *, labelled: bool) -> None:
    """The answer and the largest stable rate as upright lines, told apart without colour."""
    axes.set_xscale("linear" if test.learning_rates[0] <= 0.0 else "log")
    axes.margins(x=0.01)
    marks = [
        (test.recommendation, "recommendation", COLOURS[1], "-", 2.2),
        (test.max_stable, "stable up to", INK, "--", 1.4),
    ]
    for rate, name, colour, line, width in marks:
        if rate is not None:
            label = f"{name} {rate:.2g}" if labelled else None
            axes.axvline(rate, color=colour, linestyle=line, linewidth=width, label=label)


def _show_below_explosion(axes: Axes, test: Any) -> None:
    """Cuts off what is far above the start: a loss of 1e9 at the end would flatten everything before."""
    finite = test.losses[np.isfinite(test.losses)]
    if not len(finite):
        return
    early = finite[: max(2, len(finite) // 4)].max()
    low = float(min(finite.min(), np.nanmin(np.where(np.isfinite(test.smoothed), test.smoothed, np.nan))))
    height = float(early) - low
    high = float(early) + 0.4 * height
    if height > 0.0 and finite.max() > high:
        axes.set_ylim(low - 0.06 * height, high)
