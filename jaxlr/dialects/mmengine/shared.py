"""The window of counts in which a scheduler of MMEngine works."""

from __future__ import annotations

from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.schedules import Schedule, constant, join, leaves
from jaxlr.typing import Length

INF = 10**9  # MMEngine's word for no end


def counts(begin: Length, end: Length, *, least: int = 1, needed: str | None = None) -> tuple[Updates, Updates | None]:
    """The first count, and how many there are; None without an end."""
    first = common.length("begin", begin)
    if common.equals(end, INF):
        if needed is not None:
            raise ValueError(f"end must be given for {needed}, got none")
        return first, None
    length = common.length("end", end) - first
    if common.known(length) and length < least:
        raise ValueError(f"end must be at least begin + {least}, got begin={begin} and end={end}")
    return first, length


def windowed(
    curve: Schedule, value: Number, begin: Updates, length: Updates | None, last_step: Length, by_epoch: bool
) -> Schedule:
    """The value before the window, the curve in it, and after it the last value of the curve."""
    leaves.flag("by_epoch", by_epoch)
    start = common.length("last_step", last_step, minimum=-1) + 1
    if length is not None:
        # A schedule of period 1 is its own first value: exact, whatever the curve.
        curve = join([curve, curve.shift(length - 1).repeat(1)], [length])
    whole = common.in_turn((constant(value), begin), last=curve)
    return whole if common.equals(start, 0) else whole.shift(start)
