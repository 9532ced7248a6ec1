"""Pictures of schedules and of runs in one style: colours that colour-blind readers tell apart, labels on the curves.

Matplotlib comes with the extra `plot` and is imported only inside the functions.
"""

import importlib
import io
import math
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


def default_steps(schedule: Mapping[str, Any]) -> int:
    """How many updates of a schedule to draw: to its end, four cycles or steps, or 1,000 updates where it has neither.

    Args:
      schedule: what `Schedule.to_dict` returned.

    Example:
      >>> import jaxlr
      >>> default_steps(jaxlr.warmup(jaxlr.cosine(0.1, 1000), 100).to_dict())
      1100
    """
    arguments = schedule["arguments"]
    match schedule["family"]:
        case "linear" | "polynomial":
            return arguments.get("transition_begin", 0) + arguments["transition_steps"]
        case "cosine" | "tanh" | "k_decay" | "rex":
            return arguments["decay_steps"]
        case "polynomial_cycles":
            return 4 * arguments["decay_steps"]
        case "cosine_restarts" | "with_restarts":
            factor = arguments.get("t_mul", 1)
            first = arguments.get("first_decay_steps", arguments.get("period"))
            return math.ceil(first * (1 + factor + factor**2))
        case "triangular" | "triangular2" | "exp_range" | "cyclic":
            down = arguments.get("step_size_down")
            return 4 * (arguments["step_size"] + (arguments["step_size"] if down is None else down))
        case "one_cycle" | "one_cycle_momentum" | "slanted_triangular" | "flat_cosine":
            return arguments["total_steps"]
        case "table":
            return len(arguments["values"])
        case "noam":
            return 4 * arguments["warmup_steps"]
        case "inverse_sqrt":
            return max(1000, 4 * arguments.get("timescale", 1))
        case "warmup_stable_decay":
            return sum(arguments[f"{phase}_steps"] for phase in ("warmup", "stable", "decay"))
        case "step_decay":
            return 4 * arguments["step_size"]
        case "multi_step" | "piecewise_constant":
            borders = arguments.get("milestones", arguments.get("boundaries"))
            return max([1, *(border * 5 // 4 for border in borders)])
        case "warmup":
            return arguments["warmup_steps"] + default_steps(arguments["schedule"])
        case "join":
            return max([0, *arguments["boundaries"]]) + default_steps(arguments["schedules"][-1])
        case "per_epoch":
            return arguments["steps_per_epoch"] * default_steps(arguments["schedule"])
        case "repeat":
            return 4 * arguments["period"]
        case "at_speed":
            return max(1, math.ceil(default_steps(arguments["schedule"]) / arguments["speed"]))
        case "shift":
            return max(1, default_steps(arguments["schedule"]) - arguments["k"])
    children = [value for value in arguments.values() if isinstance(value, Mapping) and "family" in value]
    return max(map(default_steps, children), default=1000)


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


def _positive(values: np.ndarray) -> np.ndarray:
    """The values with NaN in place of what a logarithmic axis cannot show."""
    return np.where(values > 0.0, values, np.nan)


def _thinned(length: int) -> np.ndarray:
    """At most `_POINTS` indices below `length`, evenly spread, both ends among them."""
    return np.unique(np.linspace(0, length - 1, min(length, _POINTS)).round().astype(np.int64))


def __getattr__(name: str) -> Any:
    if name == "plot_run":  # it knows a run's records, which are made above this room
        return importlib.import_module("jaxlr.training.runs.picture").plot_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
