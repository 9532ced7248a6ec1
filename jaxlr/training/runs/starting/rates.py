"""The rates of a run before it is made: none below 0, not all 0, and none that nobody planned."""

from __future__ import annotations

import numpy as np

from jaxlr.arguments import brief
from jaxlr.schedules import Schedule

_MOST = 2**24  # updates to look at, a second's work: of a longer run the first
_ROUNDING = 2.0**-40  # of the largest rate: so little below 0 is a 0 that was rounded, as `retime` may leave it

_DEAD = 1e-3  # of the highest rate: at less than that nothing is learned in more epochs


def check_rates(text: str, schedule: Schedule, first: int, updates: int, *, instead: str | None) -> None:
    """Refuses a schedule that falls below 0, or is 0 at every update to come, unless nothing is said to do instead.

    `text` is the schedule as it was asked for, `first` the count of the first update still to come.

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
        raise ValueError(
            f"schedule {brief(text)!r}: the rate must not be below 0, got {rates[below[0]]:g} at count {count:,}"
        )
    if instead is not None and 0 < updates <= _MOST and not rates.any():
        raise ValueError(
            f"schedule {brief(text)!r}: the rate is 0 at each of the {updates:,} updates from count {first:,} on; "
            f"{instead}"
        )


def check_end(text: str, schedule: Schedule, *, count: int, planned: int, total: int, an_epoch: int, anew: str) -> None:
    """Refuses more updates than were planned where the schedule that stays has an end and is silent about them.

    They may go on at its last rate where the plan held that for an epoch or more, and it is not dead: at least a
    thousandth of the highest. A schedule without an end, as a constant rate or one in steps, always goes on.

    Args:
      text: the schedule as it was asked for.
      schedule: the same, as the run takes it.
      count: the updates applied.
      planned: those of the run as it was.
      total: those of the run as it is to be.
      an_epoch: updates in an epoch.
      anew: what to do else.

    Example:
      >>> import jaxlr
      >>> more = dict(count=80, planned=100, total=150, an_epoch=10, anew="or --from runs/a")
      >>> check_end("multi_step(0.1, [90], 0.1)", jaxlr.multi_step(0.1, [90], 0.1), **more)
      >>> check_end("linear(0.1, 0.01, 90)", jaxlr.linear(0.1, 0.01, 90), **more)
      >>> check_end("cosine(0.1, 100)", jaxlr.cosine(0.1, 100), **more)
      Traceback (most recent call last):
      ValueError: schedule 'cosine(0.1, 100)' ends at 100: the rate is 0 at each of the 50 updates from count 100 on; \
give a --schedule that ends later, or --from runs/a
    """
    end = schedule.end()
    if end is None or total <= end:
        return
    held, highest = float(schedule(end)), float(np.max(schedule(np.linspace(0, end, 1001).astype(np.int64))))
    if planned - end >= max(an_epoch, 1) and held >= _DEAD * highest:
        return
    first = max(count, end)
    behind = f'goes on behind it, as "join([{brief(text)}, constant(0.001)], [{count}])"'
    raise ValueError(
        f"schedule {brief(text)!r} ends at {end}: the rate is {held:g} at each of the {total - first:,} updates from "
        f"count {first:,} on; give a --schedule that {'ends later' if count < end else behind}, {anew}"
    )
