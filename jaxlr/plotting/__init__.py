"""Pictures of schedules and of runs in one style.

Matplotlib comes with the extra `plot` and is imported only inside the functions.
"""

import importlib
from typing import Any

from jaxlr.plotting.schedules import plot, plot_schedules
from jaxlr.plotting.styles import (
    COLOURS,
    DARK,
    FORMATS,
    GRID,
    INK,
    INSTALL,
    PALE,
    PAPER,
    STYLE,
    darkened,
    make_logarithmic,
    require_format,
    save_figure,
    style,
)

__all__ = [
    "COLOURS",
    "DARK",
    "FORMATS",
    "GRID",
    "INK",
    "INSTALL",
    "PALE",
    "PAPER",
    "STYLE",
    "darkened",
    "make_logarithmic",
    "plot",
    "plot_schedules",
    "require_format",
    "save_figure",
    "style",
]


def __getattr__(name: str) -> Any:
    if name == "plot_run":  # it knows a run's records, which are made above this room
        return importlib.import_module("jaxlr.training.runs.showing.picture").plot_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
