"""Pictures of range tests: loss and accuracy over the rate on a logarithmic axis, suggestions marked, bounds shaded."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxlr.plotting import COLOURS, PALE, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS = (("o", 13), ("s", 11), ("D", 8), ("^", 6))  # falling in size: one on another still shows both


class Picture(NamedTuple):
    """What is drawn of a range test."""

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    metrics: np.ndarray | None
    suggestions: Mapping[str, float]  # method -> rate
    bounds: tuple[float, float] | None
    subtitle: str
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
      >>> figure = draw(Picture(rates, losses, losses, None, {"steepest": 1e-2}, (1e-2, 1e-1), "end"))
      >>> figure.axes[0].get_xscale()
      'log'
    """
    with style():
        if ax is not None:
            _draw_loss(ax, picture)
            ax.set_xlabel("learning rate")
            return ax.figure
        from matplotlib.figure import Figure

        panels = 1 if picture.metrics is None else 2
        figure = Figure(figsize=(7.2, 3.2 + 2.2 * panels), layout="constrained")
        axes = figure.subplots(panels, sharex=True, squeeze=False)[:, 0]
        _draw_loss(axes[0], picture)
        if picture.metrics is not None:
            _draw_metric(axes[1], picture)
        axes[-1].set_xlabel("learning rate")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False, fontsize=11)
        figure.suptitle(textwrap.fill(picture.subtitle, 80), x=0.015, ha="left", fontsize=11, color=PALE)
    return figure


def _draw_loss(axes: Axes, picture: Picture) -> None:
    for rates, losses, _ in picture.seeds:
        axes.plot(rates, losses, color=COLOURS[0], alpha=0.2, linewidth=0.7)
    axes.plot(picture.rates, picture.losses, color=COLOURS[0], alpha=0.45, linewidth=1.0)
    axes.plot(picture.rates, picture.smoothed, color=COLOURS[0])
    axes.set_title("loss")
    _frame(axes, picture)
    _show_below_explosion(axes, picture)
    for (method, rate), colour, (mark, size) in zip(picture.suggestions.items(), COLOURS[1:], _MARKS, strict=False):
        height = np.interp(rate, picture.rates, picture.smoothed)
        axes.plot([rate], [height], color=colour, marker=mark, markersize=size, linestyle="none", zorder=4,
                  markeredgecolor="white", label=f"{method} {rate:.3g}")  # fmt: skip


def _draw_metric(axes: Axes, picture: Picture) -> None:
    assert picture.metrics is not None
    for rates, _, metrics in picture.seeds:
        if metrics is not None:
            axes.plot(rates, metrics, color=COLOURS[2], alpha=0.25, linewidth=0.7)
    axes.plot(picture.rates, picture.metrics, color=COLOURS[2])
    axes.set_title("metric")
    _frame(axes, picture)
    for (_, rate), colour in zip(picture.suggestions.items(), COLOURS[1:], strict=False):
        axes.axvline(rate, color=colour, linewidth=1.0, alpha=0.6)


def _frame(axes: Axes, picture: Picture) -> None:
    axes.set_xscale("linear" if picture.rates[0] <= 0.0 else "log")
    axes.margins(x=0.01)
    if picture.bounds is not None:
        low, high = picture.bounds
        axes.axvspan(low, high, color=COLOURS[4], alpha=0.15, linewidth=0.0, label=f"bounds {low:.3g} to {high:.3g}")


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
