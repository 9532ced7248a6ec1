"""Pictures of descent: the way that optimizers take over a loss, and any numbers of several runs side by side.

Matplotlib comes with the extra `plot` and is imported only inside the functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlr.plotting.styles import COLOURS, INK, PALE, drawing, look, make_logarithmic, positive, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GRID = 241  # points on a side of the landscape
_LEVELS = 14


def plot_descent(
    loss: Callable[..., Any],
    paths: Mapping[str, Any],
    bounds: tuple[tuple[float, float], ...],
    *,
    columns: int = 2,
) -> Figure:
    """Draws the way of several descents over one loss, a panel for each, with the start and the end marked.

    Args:
      loss: the loss of one point, an array (1,) or (2,) -> scalar, as JAX traces it.
      paths: from label to the points on the way, (n, 1) or (n, 2).
      bounds: (low, high) of each coordinate that is drawn; a path may leave them.
      columns: panels side by side.

    Returns:
      A Matplotlib figure; `jaxlr.plotting.save_figure` writes it to a file.

    Raises:
      ValueError: there is no path, `bounds` does not have one or two pairs, or a path has another shape.
      ModuleNotFoundError: Matplotlib is missing.

    Example:
      >>> figure = plot_descent(lambda x: (x**2).sum(), {"half": [[1.0], [0.5]]}, ((-1.0, 1.0),))
      >>> [axes.get_title(loc="left") for axes in figure.axes]
      ['half']
    """
    if not paths:
        raise ValueError("paths must hold at least one path, got none")
    if len(bounds) not in (1, 2):
        raise ValueError(f"bounds must have one or two pairs, got {len(bounds)}")
    points = {label: np.asarray(path, np.float64) for label, path in paths.items()}
    for label, path in points.items():
        if path.ndim != 2 or path.shape[1] != len(bounds):
            raise ValueError(f"paths[{label!r}] must have the shape (n, {len(bounds)}), got {path.shape}")
    rows = math.ceil(len(points) / columns)
    draw = _draw_curve if len(bounds) == 1 else _draw_contours
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 0.4 + 2.7 * rows), layout="constrained")
        panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
        for axes, (label, path) in zip(panels, points.items(), strict=False):
            draw(axes, loss, path, bounds)
            axes.set_title(label)
        for axes in panels[len(points) :]:
            axes.remove()
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=3, frameon=False)
    return figure


def plot_curves(
    panels: Mapping[str, Mapping[str, Any]],
    *,
    xlabel: str = "updates",
    log: Collection[str] = (),
) -> Figure:
    """Draws numbers of several runs over a common axis, a panel for each kind of number, a run in one colour in all.

    Args:
      panels: from title to the curves: from label to values, (n,), at 0 ... n - 1, or a pair (places, values).
      xlabel: what the places are.
      log: titles of the panels with a logarithmic axis; there values of 0 and below are left out.

    Returns:
      A Matplotlib figure; `jaxlr.plotting.save_figure` writes it to a file.

    Raises:
      ValueError: there is no panel or no curve, or `log` names no panel.
      ModuleNotFoundError: Matplotlib is missing.

    Example:
      >>> figure = plot_curves({"rate": {"a": [0.5, 0.25]}, "loss": {"a": ([0, 2], [1.0, 0.5])}}, log=["loss"])
      >>> [axes.get_yscale() for axes in figure.axes]
      ['linear', 'log']
    """
    labels = list(dict.fromkeys(label for curves in panels.values() for label in curves))
    if not labels:
        raise ValueError("panels must hold at least one curve, got none")
    for title in log:
        if title not in panels:
            raise ValueError(f"log must name panels ({', '.join(panels)}), got {title!r}")
    looks = {label: look(index) for index, label in enumerate(labels)}
    with drawing(0.9 + 2.5 * len(panels), len(panels)) as (figure, stack):
        from matplotlib.lines import Line2D

        for axes, (title, curves) in zip(stack, panels.items(), strict=True):
            for label, curve in curves.items():
                places, values = curve if isinstance(curve, tuple) else (np.arange(len(curve)), curve)
                values = np.asarray(values, np.float64)
                shown = positive(values) if title in log else values
                axes.plot(places, shown, marker="o" if len(values) <= 12 else "", **looks[label])
            if title in log:
                make_logarithmic(axes)
            axes.set_title(title)
            axes.margins(x=0.01)
        stack[-1].set_xlabel(xlabel)
        stack[-1].xaxis.get_major_locator().set_params(integer=True)
        if len(labels) > 1:
            handles = [Line2D([], [], **each) for each in looks.values()]
            figure.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False)
    return figure


def _draw_curve(
    axes: Axes, loss: Callable[..., Any], path: np.ndarray, bounds: tuple[tuple[float, float], ...]
) -> None:
    ((low, high),) = bounds
    places = np.linspace(low, high, _GRID)
    heights = _values(loss, places[:, None])
    axes.plot(places, heights, color=PALE, linewidth=1.4)
    _draw_path(axes, path[:, 0], _values(loss, path), line="")
    axes.set_xlim(low, high)
    axes.set_ylim(heights.min() - 0.08 * np.ptp(heights), heights.max() + 0.05 * np.ptp(heights))


def _draw_contours(
    axes: Axes, loss: Callable[..., Any], path: np.ndarray, bounds: tuple[tuple[float, float], ...]
) -> None:
    x, y = np.meshgrid(*(np.linspace(low, high, _GRID) for low, high in bounds))
    heights = _values(loss, np.stack([x, y], axis=-1).reshape(-1, 2)).reshape(x.shape)
    levels = np.unique(np.quantile(heights, np.linspace(0.0, 1.0, _LEVELS)))
    axes.contour(x, y, heights, levels=levels, colors="#B8B8B8", linewidths=0.8, linestyles="solid")
    axes.grid(visible=False)
    _draw_path(axes, path[:, 0], path[:, 1], line="-")
    axes.set_xlim(*bounds[0])
    axes.set_ylim(*bounds[1])


def _draw_path(axes: Axes, x: np.ndarray, y: np.ndarray, line: str) -> None:
    axes.plot(x, y, color=COLOURS[0], linestyle=line, linewidth=1.2, marker="o", markersize=3.2, label="updates")
    start: dict[str, Any] = {"color": INK, "markerfacecolor": "none", "markersize": 10, "markeredgewidth": 2.0}
    axes.plot(x[:1], y[:1], linestyle="", marker="o", zorder=4, label="start", **start)
    end: dict[str, Any] = {"color": COLOURS[1], "markersize": 9, "markeredgewidth": 0.0}
    axes.plot(x[-1:], y[-1:], linestyle="", marker="X", zorder=4, label="end", **end)


def _values(loss: Callable[..., Any], points: np.ndarray) -> np.ndarray:
    import jax

    return np.asarray(jax.vmap(loss)(jax.numpy.asarray(points, np.float32)), np.float64)
