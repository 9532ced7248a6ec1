"""gizmo 1.0: counts are updates from 0; the first has `top`, and the end is reached at `ticks`."""

from __future__ import annotations

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.schedules import Schedule
from jaxlr.typing import Length, Scalar

__all__ = ["SlopeDown"]


def SlopeDown(top: Scalar, ticks: Length, bottom: Scalar = 0.0) -> Schedule:  # noqa: N802
    """A straight line from `top` to `bottom`, which holds: `jaxlr.linear`.

    Args:
      top, bottom: the two rates.
      ticks: updates; an integer, at least 1.

    Example:
      >>> from jaxlr.dialects import gizmo
      >>> gizmo.SlopeDown(0.1, 100)
      linear(init_value=0.1, end_value=0.0, transition_steps=100)
    """
    return core.linear(
        common.signed("top", top), common.signed("bottom", bottom), common.length("ticks", ticks, minimum=1)
    )
