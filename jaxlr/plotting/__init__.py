"""Pictures of schedules and of runs in one style.

Matplotlib comes with the extra `plot` and is imported only inside the functions.
"""

from jaxlr.plotting.runs import plot_run
from jaxlr.plotting.schedules import plot_schedules
from jaxlr.plotting.styles import (
    COLOURS,
    FORMATS,
    GRID,
    INK,
    INSTALL,
    PALE,
    STYLE,
    make_logarithmic,
    require_format,
    save_figure,
    style,
)

__all__ = [
    "COLOURS",
    "FORMATS",
    "GRID",
    "INK",
    "INSTALL",
    "PALE",
    "STYLE",
    "make_logarithmic",
    "plot_run",
    "plot_schedules",
    "require_format",
    "save_figure",
    "style",
]
