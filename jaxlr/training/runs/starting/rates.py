"""The rates of a run before it is made: none below 0, and not all 0."""

from __future__ import annotations

import numpy as np

from jaxlr.schedules import Schedule

__all__ = ["check_rates"]

_MOST = 2**24  # updates to look at, a second's work: of a longer run the first
_ROUNDING = 2.0**-40  # of the largest rate: so little below 0 is a 0 that was rounded, as `retime` may leave it


def check_rates(text: str, schedule: Schedule, first: int, updates: int, *, instead: str | None) -> None:
    """Refuses a schedule that falls below 0, or under which nothing would be learned.

    Args:
      text: the schedule as it was asked for.
      schedule: the same, as the run takes it.
      first: the count of the first update still to come.
      updates: how many are still to come.
      instead: what to do where the rate is 0 at each of them; None lets it pass.

    Raises:
      ValueError: a rate is below 0, or all are 0.

    Example:
      >>> import jaxlr
      >>> check_rates("linear(0.5, -0.5, 4)", jaxlr.linear(0.5, -0.5, 4), 0, 10, instead=None)
      Traceback (most recent call last):
      ValueError: schedule 'linear(0.5, -0.5, 4)': the rate must not be below 0, got -0.25 at count 3
    """
    rates = np.asarray(schedule(np.arange(first, first + min(updates, _MOST), dtype=np.int64)))
    below = np.flatnonzero(rates < -_ROUNDING * np.abs(rates).max(initial=0.0))
    if below.size:
        count = first + int(below[0])
        raise ValueError(f"schedule {text!r}: the rate must not be below 0, got {rates[below[0]]:g} at count {count:,}")
    if instead is not None and 0 < updates <= _MOST and not rates.any():
        raise ValueError(
            f"schedule {text!r}: the rate is 0 at each of the {updates:,} updates from count {first:,} on; {instead}"
        )
