"""Pictures of schedules."""

from __future__ import annotations

import numbers
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlr.plotting.styles import drawing, look, make_logarithmic, positive, thinned
from jaxlr.schedules import leaves
from jaxlr.schedules.schedule import Schedule, as_schedule

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_schedules(
    schedules: Mapping[str, Callable[[Any], Any]] | Sequence[Callable[[Any], Any]] | Callable[[Any], Any],
    steps: int,
    *,
    log: bool = False,
    steps_per_epoch: int | None = None,
) -> Figure:
    """Draws one or several schedules in one picture, from the first update to count `steps`.

    Args:
      schedules: a schedule, or several, labelled with their `repr`, or a mapping from label to schedule.
      steps: the last count drawn; an integer, at least 1.
      log: whether the rate is drawn on a logarithmic axis.
      steps_per_epoch: updates in an epoch; with it the horizontal axis is in epochs.

    Returns:
      A Matplotlib figure; `save_figure` writes it to a file.

    Raises:
      ValueError: there is no schedule, or `steps` or `steps_per_epoch` is below 1.
      ModuleNotFoundError: Matplotlib is missing.

    Example:
      >>> figure = plot_schedules({"half": lambda count: 0.5 + 0.0 * count}, 10)
      >>> [line.get_ydata()[-1].item() for line in figure.axes[0].lines]
      [0.5]
    """
    if callable(schedules):
        schedules = [schedules]
    labelled = dict(schedules) if isinstance(schedules, Mapping) else {repr(each): each for each in schedules}
    if not labelled:
        raise ValueError("schedules must hold at least one schedule, got none")
    steps = int(leaves.length("steps", steps))
    if steps_per_epoch is not None and steps_per_epoch < 1:
        raise ValueError(f"steps_per_epoch must be at least 1, got {steps_per_epoch}")
    counts = thinned(steps + 1)
    labels = ["\n".join(textwrap.wrap(label, 76, subsequent_indent="  ")) for label in labelled]
    lines = "\n".join(labels).count("\n") + 1
    with drawing(4.2 + 0.2 * max(0, lines - 2)) as (figure, (axes,)):  # the curves keep their room
        for index, (label, schedule) in enumerate(zip(labels, labelled.values(), strict=True)):
            rates = np.asarray(schedule(counts), np.float64)
            shown = positive(rates) if log else rates
            axes.plot(counts / (steps_per_epoch or 1), shown, label=label, **look(index))
        axes.set_title("learning rate")
        axes.set_xlabel("updates" if steps_per_epoch is None else f"epochs of {steps_per_epoch} updates")
        axes.margins(x=0.01)
        if log:
            make_logarithmic(axes)
        else:
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        figure.legend(loc="outside upper left", frameon=False, prop={"family": "monospace", "size": 10.5})
    return figure


def plot(
    *schedules: Schedule | Sequence[Schedule] | Mapping[str, Schedule] | int,
    steps: int | None = None,
    log: bool = False,
    steps_per_epoch: int | None = None,
) -> Figure:
    """Draws schedules in one picture, labelled with the calls that make them.

    Args:
      *schedules: one or several, each alone or in a list, or a mapping from label to schedule; a number behind them is
        `steps`.
      steps: the last count drawn; None is the longest of their spans.
      log: whether the rate is drawn on a logarithmic axis.
      steps_per_epoch: updates in an epoch; with it the horizontal axis is in epochs.

    Returns:
      A Matplotlib figure; `jaxlr.plotting.save_figure` writes it to a file.

    Raises:
      TypeError: something is no schedule; `jaxlr.plotting.plot_schedules` draws functions, and takes labels.
      ValueError: there is no schedule, or `steps` or `steps_per_epoch` is below 1.
      ModuleNotFoundError: Matplotlib is missing.

    Example:
      >>> import jaxlr
      >>> figure = jaxlr.plot(jaxlr.cosine(0.5, 100), jaxlr.linear(0.5, 0.1, 40))
      >>> [line.get_xydata()[-1].tolist() for line in figure.axes[0].lines]
      [[100.0, 0.0], [100.0, 0.10000000149011612]]
      >>> jaxlr.plot({"mine": jaxlr.cosine(0.5, 100)}, 50).axes[0].lines[0].get_xdata()[-1].item()
      50.0
    """
    given: list[Any] = list(schedules)
    if steps is None and len(given) > 1 and isinstance(given[-1], numbers.Real):
        steps = given.pop()
    labelled: dict[str, Any] = {}
    for each in given:
        several = each if isinstance(each, list | tuple) else [each]
        labelled |= each if isinstance(each, Mapping) else {repr(schedule): schedule for schedule in several}
    checked = {label: as_schedule("each of schedules", schedule) for label, schedule in labelled.items()}
    if not checked:
        raise ValueError("schedules must hold at least one schedule, got none")
    last = max(schedule.span() for schedule in checked.values()) if steps is None else steps
    return plot_schedules(checked, last, log=log, steps_per_epoch=steps_per_epoch)
