"""Pictures of range tests: loss and metric over the rate on a logarithmic axis, the answer marked and in the title."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxlr.plotting.styles import COLOURS, INK, PALE, drawing, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Picture(NamedTuple):
    """What is drawn of a range test."""

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    metrics: np.ndarray | None
    recommendation: float | None
    max_stable: float | None
    title: str
    subtitle: str  # what was tested
    why: str  # of the answer
    ramp: bool = True  # whether the rate rose from update to update
    seeds: tuple[tuple[np.ndarray, np.ndarray, np.ndarray | None], ...] = ()  # rates, losses, metrics of each


def draw(picture: Picture, ax: Any = None) -> Figure:
    """Draws a range test into a new figure, or its loss on given axes.

    Args:
      picture: what to draw.
      ax: Matplotlib axes, or None.

    Returns:
      The figure.

    Raises:
      ModuleNotFoundError: Matplotlib is missing.

    Example:
      >>> rates = np.geomspace(1e-3, 1.0, 4)
      >>> losses = np.array([2.0, 1.0, 0.5, 4.0])
      >>> figure = draw(Picture(rates, losses, losses, None, 0.05, 0.1, "learning rate 0.05", "", "why"))
      >>> figure.axes[0].get_xscale(), figure.get_suptitle()
      ('log', 'learning rate 0.05')
    """
    if ax is not None:
        with style():
            _draw_loss(ax, picture)
            ax.set_xlabel("learning rate")
            ax.legend(frameon=False, fontsize=11)
            return ax.figure
    panels = 1 if picture.metrics is None else 2
    with drawing(3.4 + 2.2 * panels, panels) as (figure, axes):
        _draw_loss(axes[0], picture)
        if picture.metrics is not None:
            _draw_metric(axes[1], picture)
        axes[-1].set_xlabel("learning rate")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False, fontsize=11)
        figure.suptitle(picture.title, x=0.015, ha="left", fontsize=15, fontweight="bold", color=INK)
        axes[0].set_title("\n".join(_notes(picture)), fontsize=10.5, fontweight="normal", color=PALE)
    return figure


def _notes(picture: Picture) -> list[str]:
    """The smaller lines under the title."""
    found = [textwrap.fill(each, 88) for each in (picture.subtitle, picture.why) if each]
    return [*found, ""] if found else []


def _draw_loss(axes: Axes, picture: Picture) -> None:
    for rates, losses, _ in picture.seeds:
        axes.plot(rates, losses, color=COLOURS[0], alpha=0.2, linewidth=0.7)
    if picture.ramp:
        axes.plot(picture.rates, picture.losses, color=COLOURS[0], alpha=0.45, linewidth=1.0, label="loss of a batch")
        axes.plot(picture.rates, picture.smoothed, color=COLOURS[0], label="running mean")
    else:
        axes.plot(picture.rates, picture.losses, color=COLOURS[0], label="loss after training at this rate")
    axes.set_ylabel("loss")
    _mark(axes, picture, labelled=True)
    _show_below_explosion(axes, picture)


def _draw_metric(axes: Axes, picture: Picture) -> None:
    assert picture.metrics is not None
    for rates, _, metrics in picture.seeds:
        if metrics is not None:
            axes.plot(rates, metrics, color=COLOURS[2], alpha=0.25, linewidth=0.7)
    axes.plot(picture.rates, picture.metrics, color=COLOURS[2])
    axes.set_ylabel("metric")
    _mark(axes, picture, labelled=False)


def _mark(axes: Axes, picture: Picture, *, labelled: bool) -> None:
    """The answer and the largest stable rate as upright lines, told apart without colour."""
    axes.set_xscale("linear" if picture.rates[0] <= 0.0 else "log")
    axes.margins(x=0.01)
    marks = [
        (picture.recommendation, "recommendation", COLOURS[1], "-", 2.2),
        (picture.max_stable, "stable up to", INK, "--", 1.4),
    ]
    for rate, name, colour, line, width in marks:
        if rate is not None:
            label = f"{name} {rate:.2g}" if labelled else None
            axes.axvline(rate, color=colour, linestyle=line, linewidth=width, label=label)


def _show_below_explosion(axes: Axes, picture: Picture) -> None:
    """Cuts off what is far above the start: a loss of 1e9 at the end would flatten everything before."""
    finite = picture.losses[np.isfinite(picture.losses)]
    if not len(finite):
        return
    early = finite[: max(2, len(finite) // 4)].max()
    low = float(min(finite.min(), np.nanmin(np.where(np.isfinite(picture.smoothed), picture.smoothed, np.nan))))
    height = float(early) - low
    high = float(early) + 0.4 * height
    if height > 0.0 and finite.max() > high:
        axes.set_ylim(low - 0.06 * height, high)
