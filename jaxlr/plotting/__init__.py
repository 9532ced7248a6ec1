"""Pictures of schedules and of runs in one style: colours that colour-blind readers tell apart, labels on the curves.

Matplotlib comes with the extra `plot` and is imported only inside the functions.
"""

import io
import itertools
import os
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = 'pip install "jaxlr[plot]"'
FORMATS = (".png", ".svg", ".pdf")

# Okabe and Ito's palette, without the yellow that is too light for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, PALE, GRID = "#222222", "#6B6B6B", "#E3E3E3"
STYLE: dict[Any, Any] = {
    "font.size": 13.0,
    "axes.titlesize": 13.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 8.0,
    "axes.labelsize": 12.0,
    "axes.labelcolor": PALE,
    "axes.edgecolor": "#B0B0B0",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.limits": (-3, 5),
    "axes.formatter.use_mathtext": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.2,
    "lines.solid_capstyle": "round",
    "text.color": INK,
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelsize": 11.5,
    "ytick.labelsize": 11.5,
    "figure.dpi": 200,
    "savefig.dpi": 200,
    "savefig.facecolor": "white",
    "svg.hashsalt": "jaxlr",
}
_POINTS = 4000


@contextmanager
def style() -> Iterator[None]:
    """Makes Matplotlib draw in the style of this package inside a `with` block.

    Raises:
      ModuleNotFoundError: Matplotlib is missing; the message is the line that installs it.

    Example:
      >>> import matplotlib
      >>> with style():
      ...     matplotlib.rcParams["font.size"]
      13.0
    """
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"pictures need matplotlib: {INSTALL}", name=error.name) from error
    with matplotlib.rc_context(STYLE):
        yield


def plot_schedules(
    schedules: Mapping[str, Callable[[Any], Any]] | Sequence[Callable[[Any], Any]],
    steps: int,
    *,
    log: bool = False,
    steps_per_epoch: int | None = None,
) -> "Figure":
    """Draws one or several schedules in one picture, from the first update to count `steps`.

    Args:
      schedules: schedules, labelled with their `repr`, or a mapping from label to schedule.
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
    labelled = dict(schedules) if isinstance(schedules, Mapping) else {repr(each): each for each in schedules}
    if not labelled:
        raise ValueError("schedules must hold at least one schedule, got none")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    if steps_per_epoch is not None and steps_per_epoch < 1:
        raise ValueError(f"steps_per_epoch must be at least 1, got {steps_per_epoch}")
    counts = _thinned(steps + 1)
    labels = ["\n".join(textwrap.wrap(label, 76, subsequent_indent="  ")) for label in labelled]
    with style():
        from matplotlib.figure import Figure

        lines = "\n".join(labels).count("\n") + 1
        figure = Figure(
            figsize=(7.2, 4.2 + 0.2 * max(0, lines - 2)), layout="constrained"
        )  # the curves keep their room
        axes = figure.add_subplot()
        for index, (label, schedule) in enumerate(zip(labels, labelled.values(), strict=True)):
            rates = np.asarray(schedule(counts), np.float64)
            axes.plot(
                counts / (steps_per_epoch or 1),
                _positive(rates) if log else rates,
                color=COLOURS[index % len(COLOURS)],
                linestyle=("-", "--", ":", "-.")[index // len(COLOURS) % 4],
                label=label,
            )
        axes.set_title("learning rate")
        axes.set_xlabel("updates" if steps_per_epoch is None else f"epochs of {steps_per_epoch} updates")
        axes.margins(x=0.01)
        if log:
            make_logarithmic(axes)
        else:
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        figure.legend(loc="outside upper left", frameon=False, prop={"family": "monospace", "size": 10.5})
    return figure


def plot_run(
    metrics: Sequence[Mapping[str, Any]],
    *,
    title: str = "",
    subtitle: str = "",
    test_accuracy: float | None = None,
) -> "Figure":
    """Draws a run's learning rate, loss and accuracies above one another over the updates.

    Args:
      metrics: the run's records, as the lines of metrics.jsonl: updates (`count`, `learning_rate`, `loss`) and
        epochs (`epoch`, `count`, `train_accuracy`, `validation_accuracy`, `validation_loss`).
      title: the headline, usually the schedule.
      subtitle: one smaller line under it.
      test_accuracy: drawn at the end of the accuracies if given.

    Returns:
      A Matplotlib figure; `save_figure` writes it to a file.

    Raises:
      ModuleNotFoundError: Matplotlib is missing.

    Example:
      >>> figure = plot_run([{"count": n, "learning_rate": 0.1, "loss": 1.0 / (n + 1)} for n in range(5)])
      >>> [axes.get_title(loc="left") for axes in figure.axes]
      ['learning rate', 'loss', 'accuracy']
    """
    updates = [record for record in metrics if "learning_rate" in record]
    epochs = [record for record in metrics if "epoch" in record]
    counts = _column(updates, "count")
    ends = _column(epochs, "count")
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 8.0), layout="constrained")
        rate, loss, accuracy = figure.subplots(3, sharex=True, height_ratios=(1.0, 1.3, 1.3))
        _draw_rate(rate, counts, _column(updates, "learning_rate"))
        _draw_loss(loss, counts, _column(updates, "loss"), ends, _column(epochs, "validation_loss"))
        curves = {name: _column(epochs, f"{name}_accuracy") for name in ("train", "validation")}
        _draw_accuracy(accuracy, ends, curves, test_accuracy)
        accuracy.set_xlabel("updates" if len(ends) == 0 else f"updates ({ends[-1] / len(ends):.4g} an epoch)")
        top = _write_heading(figure, title, subtitle)
        figure.set_layout_engine("constrained", rect=(0.0, 0.0, 1.0, top), hspace=0.05)
    return figure


def save_figure(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Writes a figure to a .png, .svg or .pdf file; a file that existed stays whole until the new one is.

    Raises:
      ValueError: the name ends otherwise.
      OSError: the file cannot be written.

    Example:
      >>> save_figure(plot_schedules([abs], 3), "rates.gif")
      Traceback (most recent call last):
      ValueError: a picture's name must end in .png, .svg or .pdf, got 'rates.gif'
    """
    path = require_format(path)
    content = io.BytesIO()
    with style():
        figure.savefig(content, format=path.suffix[1:].lower())
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content.getvalue())
        part.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with suppress(OSError):
            part.unlink()


def require_format(path: str | os.PathLike[str]) -> Path:
    """Gives the path back if its name ends in a format that pictures are written in.

    Raises:
      ValueError: it does not.

    Example:
      >>> require_format("rates.svg").suffix
      '.svg'
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"a picture's name must end in {FORMATS[0]}, {FORMATS[1]} or {FORMATS[2]}, got {str(path)!r}")
    return path


def _write_heading(figure: "Figure", title: str, subtitle: str) -> float:
    """Writes the headline and the smaller line in rows at the top; gives back how high the rest may reach."""
    top = 0.985
    for line in textwrap.wrap(title, 62, subsequent_indent="    "):
        figure.text(0.015, top, line, va="top", fontsize=14, fontweight="bold")
        top -= 0.03
    for line in textwrap.wrap(subtitle, 76):
        figure.text(0.015, top, line, va="top", fontsize=11.5, color=PALE)
        top -= 0.025
    return top - 0.005


def _draw_rate(axes: "Axes", counts: np.ndarray, rates: np.ndarray) -> None:
    kept = _thinned(len(rates))
    axes.plot(counts[kept], rates[kept], color=COLOURS[0])
    axes.fill_between(counts[kept], rates[kept], color=COLOURS[0], alpha=0.1, linewidth=0.0)
    axes.set_title("learning rate")
    axes.margins(x=0.01)


def _draw_loss(axes: "Axes", counts: np.ndarray, losses: np.ndarray, ends: np.ndarray, validation: np.ndarray) -> None:
    kept = _thinned(len(losses))
    axes.plot(counts[kept], _positive(losses)[kept], color=COLOURS[0], alpha=0.35, linewidth=0.8)
    axes.set_title("loss")
    starts = np.concatenate(([0.0], ends))
    means = [_mean(losses[(counts >= start) & (counts < end)]) for start, end in itertools.pairwise(starts)]
    curves = {"train": _positive(np.array(means)), "validation": _positive(validation)}
    _draw_epochs(axes, ends, curves)
    make_logarithmic(axes)
    _label_ends(axes, [(name, values[-1], colour) for (name, values), colour in _coloured(curves) if len(values)])


def _draw_accuracy(axes: "Axes", ends: np.ndarray, curves: Mapping[str, np.ndarray], test: float | None) -> None:
    axes.set_title("accuracy")
    _draw_epochs(axes, ends, curves)
    labels = [(f"{name} {each[-1]:.3f}", each[-1], colour) for (name, each), colour in _coloured(curves) if len(each)]
    if test is not None and len(ends):
        axes.plot(ends[-1:], [test], color=COLOURS[2], marker="D", markersize=8, linestyle="none", zorder=3)
        labels.append((f"test {test:.3f}", test, COLOURS[2]))
    late = [each[len(each) // 4 :] for each in curves.values()]
    shown = np.concatenate([*late, [end for _, end, _ in labels]])
    shown = shown[np.isfinite(shown)]
    if len(shown) and shown.max() > shown.min():
        # The first epochs may come in from below the frame, so that the last ones can be told apart.
        height = shown.max() - shown.min()
        axes.set_ylim(max(axes.get_ylim()[0], shown.min() - height), shown.max() + 0.3 * height)
    _label_ends(axes, labels)


def make_logarithmic(axes: "Axes") -> None:
    """Makes the vertical axis of finished curves logarithmic, with plain numbers, and enough of them, at its ticks."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_formatter("{x:g}")
    if high / low < 100:
        axes.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        axes.yaxis.set_minor_formatter("{x:g}")
    else:
        axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_epochs(axes: "Axes", ends: np.ndarray, curves: Mapping[str, np.ndarray]) -> None:
    """Draws values known at the ends of epochs, with a dot at each where the dots stay apart."""
    for (_, values), colour in _coloured(curves):
        axes.plot(ends, values, color=colour, marker="o" if len(ends) <= 40 else "", markersize=4.5)


def _coloured(curves: Mapping[str, np.ndarray]) -> Iterator[tuple[tuple[str, np.ndarray], str]]:
    return zip(curves.items(), COLOURS, strict=False)


def _label_ends(axes: "Axes", labels: Sequence[tuple[str, float, str]]) -> None:
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


def _column(records: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """One field of every record as float64; None, as JSON has it for a number that is not finite, is NaN."""
    return np.array([np.nan if record.get(name) is None else record[name] for record in records], np.float64)


def _positive(values: np.ndarray) -> np.ndarray:
    """The values with NaN in place of what a logarithmic axis cannot show."""
    return np.where(values > 0.0, values, np.nan)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _thinned(length: int) -> np.ndarray:
    """At most `_POINTS` indices below `length`, evenly spread, both ends among them."""
    return np.unique(np.linspace(0, length - 1, min(length, _POINTS)).round().astype(np.int64))
