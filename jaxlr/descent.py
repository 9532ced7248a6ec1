"""The former place of `jaxlr.plotting.descent`."""

from jaxlr.plotting.descent import plot_curves, plot_descent

__all__ = ["plot_curves", "plot_descent"]
