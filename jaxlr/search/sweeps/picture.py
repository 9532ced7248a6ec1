"""The picture of a sweep: the score of each member over the number that was varied, and the loss where scores tie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlr import plotting
from jaxlr.plotting.styles import drawing, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_scores(
    varied: Mapping[str, np.ndarray],
    scores: np.ndarray,
    *,
    best: int,
    label: str,
    losses: np.ndarray | None = None,
    title: str = "",
    subtitle: str = "",
) -> Figure:
    """Draws scores over a number, a line for each combination of the other numbers.

    Args:
      varied: the numbers by name, each (members,); the first is the horizontal axis.
      scores: (members,); a member with NaN is drawn as a cross at the bottom.
      best: the member to mark.
      label: what the score is.
      losses: (members,); drawn in a panel of their own where several members have the best score.
      title: the headline, usually the schedule.
      subtitle: one smaller line under it.

    Example:
      >>> rates = {"max_lr": np.array([0.01, 0.1, 1.0])}
      >>> figure = plot_scores(rates, np.array([0.9, 0.95, np.nan]), best=1, label="accuracy")
      >>> figure.axes[0].get_xscale(), figure.axes[0].get_xlabel()
      ('log', 'max_lr')
    """
    (over, places), *others = varied.items()
    tied = losses is not None and np.count_nonzero(scores == scores[best]) > 1
    panels = {label: scores, "loss": losses} if losses is not None and tied else {label: scores}
    numbers = ", ".join(f"{name} {values[best]:.4g}" for name, values in varied.items())
    with drawing(4.6 if len(panels) == 1 else 6.6, len(panels)) as (figure, drawn):
        for axes, (name, values) in zip(drawn, panels.items(), strict=True):
            _draw_members(axes, places, values, _lines(dict(others), len(scores)))
            if np.isfinite(values[best]):
                _mark_best(axes, places[best], values[best], f"{numbers}: {values[best]:.4f}")
            axes.set_title(name)
        _mark_missing(drawn[0], places[~np.isfinite(scores)])
        drawn[-1].set_xlabel(over)
        if others:
            drawn[0].legend(frameon=False, fontsize=11)
        figure.suptitle(title, x=0.015, ha="left", fontsize=13, fontweight="bold", wrap=True)
        if subtitle:
            figure.supxlabel(subtitle, x=0.015, ha="left", fontsize=10.5, color=plotting.PALE)
    return figure


def _draw_members(axes: Axes, places: np.ndarray, values: np.ndarray, lines: Mapping[str, np.ndarray]) -> None:
    for index, (name, members) in enumerate(lines.items()):
        members = members[np.argsort(places[members], kind="stable")]
        axes.plot(places[members], values[members], marker="o", markersize=5.5, label=name, **look(index))
    _scale(axes, places)


def _lines(others: Mapping[str, np.ndarray], members: int) -> dict[str, np.ndarray]:
    """The members of each line, by what they have in common."""
    lines: dict[str, list[int]] = {}
    for member in range(members):
        name = ", ".join(f"{name} {values[member]:.4g}" for name, values in others.items())
        lines.setdefault(name, []).append(member)
    return {name: np.asarray(each) for name, each in lines.items()}


def _scale(axes: Axes, places: np.ndarray) -> None:
    if places.min() > 0 and places.max() / places.min() >= 8:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")


def _mark_best(axes: Axes, place: float, score: float, text: str) -> None:
    ring: dict[str, Any] = {"markersize": 14, "markerfacecolor": "none", "markeredgewidth": 2.2, "linestyle": "none"}
    axes.plot([place], [score], marker="o", markeredgecolor=plotting.INK, **ring)
    axes.set_title(text, loc="right", color=plotting.INK)


def _mark_missing(axes: Axes, places: np.ndarray) -> None:
    """Crosses at the bottom, where a score is missing because the loss diverged."""
    if len(places):
        own: dict[str, Any] = {"color": plotting.COLOURS[3], "transform": axes.get_xaxis_transform()}
        cross: dict[str, Any] = {"marker": "x", "markersize": 9, "markeredgewidth": 2.2, "linestyle": "none"}
        axes.plot(places, np.full(len(places), 0.03), **cross, **own)
        axes.text(places.max(), 0.09, "diverged", ha="right" if len(places) < 3 else "center", fontsize=11.5, **own)
