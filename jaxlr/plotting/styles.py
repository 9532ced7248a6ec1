"""One style for all pictures: colours that colour-blind readers tell apart, labels on the curves.

Matplotlib comes with the extra `plot` and is imported only inside the functions.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlr.files import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = 'pip install "jaxlr[plot]"'
FORMATS = (".png", ".svg", ".pdf")

# Okabe and Ito's palette without the yellow, orange and sky blue darker: each line has a contrast of 3:1 with white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B37900", "#2E93CC", "#000000")
_LINES = ("-", "--", ":", "-.")
INK, PALE, EDGE, GRID, PAPER = "#222222", "#6B6B6B", "#8C8C8C", "#E3E3E3", "#FFFFFF"
# What each colour becomes on a dark page: lines, then the ink and the paper.
_LINES_ON_DARK = ("#4CB5F5", "#FF8A3D", "#2FCFA0", "#E59CC4", "#F5B841", "#A5DBFF", "#F2F2F2")
_REST_ON_DARK = ("#E6E6E6", "#A8A8A8", "#6E7681", "#30363D", "#0D1117")
DARK = dict(zip((*COLOURS, INK, PALE, EDGE, GRID, PAPER), (*_LINES_ON_DARK, *_REST_ON_DARK), strict=True))
STYLE: dict[Any, Any] = {
    "font.size": 13.0,
    "axes.titlesize": 13.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 8.0,
    "axes.labelsize": 12.0,
    "axes.labelcolor": PALE,
    "axes.edgecolor": EDGE,
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
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "jaxlr",
}


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


@contextmanager
def drawing(height: float, panels: int = 1, **layout: Any) -> Iterator[tuple[Figure, np.ndarray]]:
    """A new figure, to be drawn in this style inside a `with` block, and its axes above one another; inches high."""
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, height), layout="constrained")
        yield figure, figure.subplots(panels, sharex=True, squeeze=False, **layout)[:, 0]


def look(index: int) -> dict[str, Any]:
    """Colour and line of a curve among others: every colour once, then all of them with another line."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": _LINES[index // len(COLOURS) % len(_LINES)]}


def save_figure(figure: Figure, path: str | os.PathLike[str], *, dark: bool = False) -> None:
    """Writes a figure to a .png, .svg or .pdf file; a file that existed stays whole until the new one is.

    Args:
      figure: what to write.
      path: the file.
      dark: in colours for a dark page; for .svg alone.

    Raises:
      ValueError: the name ends otherwise.
      OSError: the file cannot be written.

    Example:
      >>> from jaxlr.plotting import plot_schedules
      >>> save_figure(plot_schedules([abs], 3), "rates.gif")
      Traceback (most recent call last):
      ValueError: a picture's name must end in .png, .svg or .pdf, got 'rates.gif'
    """
    path = require_format(path)
    is_svg = path.suffix.lower() == ".svg"
    if dark and not is_svg:
        raise ValueError(f"dark pictures are .svg files, got {str(path)!r}")
    content = io.BytesIO()
    with style():
        figure.savefig(content, format=path.suffix[1:].lower(), metadata={"Date": None} if is_svg else None)
    written = darkened(content.getvalue().decode()).encode() if dark else content.getvalue()
    with whole(path) as part:
        part.write_bytes(written)


def darkened(svg: str) -> str:
    """A picture in this style, as the text of an SVG, in the colours for a dark page.

    Example:
      >>> darkened('<path style="stroke: #0072b2"/><rect style="fill: #ffffff"/>')
      '<path style="stroke: #4CB5F5"/><rect style="fill: #0D1117"/>'
    """
    of = {light.lower(): dark for light, dark in DARK.items()}
    return re.sub(r"#[0-9a-fA-F]{6}\b", lambda colour: of.get(colour[0].lower(), colour[0]), svg)


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


def make_logarithmic(axes: Axes) -> None:
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


def show_late(axes: Axes, curves: Iterable[np.ndarray], *, below: float, above: float) -> None:
    """Lets the first quarters of curves come in from below the frame, so that their ends can be told apart.

    `below` and `above` are room under and over the rest, as shares of its height.
    """
    late = np.concatenate([each[len(each) // 4 :] for each in curves])
    late = late[np.isfinite(late)]
    if len(late) and late.max() > late.min():
        height = late.max() - late.min()
        axes.set_ylim(max(axes.get_ylim()[0], late.min() - below * height), late.max() + above * height)


def positive(values: np.ndarray) -> np.ndarray:
    """The values with NaN in place of what a logarithmic axis cannot show."""
    return np.where(values > 0.0, values, np.nan)


def thinned(length: int, most: int = 4000) -> np.ndarray:
    """At most so many indices below `length`, evenly spread, both ends among them."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(np.int64))
