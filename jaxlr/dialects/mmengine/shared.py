"""The window of counts in which a scheduler of MMEngine works."""

from __future__ import annotations

from typing import NamedTuple

from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.schedules import Schedule, constant, join, leaves
from jaxlr.typing import Length

INF = 10**9  # MMEngine's word for no end


class Window(NamedTuple):
    """The counts in which a scheduler works."""

    begin: Updates
    length: Updates | None  # how many; None without an end

    @property
    def last(self) -> Updates:
        """The last of them, counted from the first, where there is one."""
        return self.length - 1  # pyright: ignore[reportOptionalOperand]


def counts(begin: Length, end: Length, *, least: int = 1, needed: str | None = None) -> Window:
    """The window between two counts."""
    first = common.length("begin", begin)
    if common.equals(end, INF):
        if needed is not None:
            raise ValueError(f"end must be given for {needed}, got none")
        return Window(first, None)
    length = common.length("end", end) - first
    if common.known(length) and length < least:
        raise ValueError(f"end must be at least begin + {least}, got begin={begin} and end={end}")
    return Window(first, length)


def windowed(curve: Schedule, value: Number, window: Window, last_step: Length, by_epoch: bool) -> Schedule:
    """The value before the window, the curve in it, and after it the last value of the curve."""
    leaves.flag("by_epoch", by_epoch)
    if window.length is not None:
        # A schedule of period 1 is its own first value: exact, whatever the curve.
        curve = join([curve, curve.shift(window.last).repeat(1)], [window.length])
    return common.resumed(common.in_turn((constant(value), window.begin), last=curve), last_step, "last_step")
