"""fastai's schedulers under its own names."""

from __future__ import annotations

from jaxlr.dialects.common import at_least_one, in_turn, length, number
from jaxlr.schedules import Schedule, cosine
from jaxlr.typing import Length, Scalar

__all__ = ["SchedFlatCos"]


def SchedFlatCos(lr: Scalar, total_steps: Length, pct_start: float = 0.75, div_final: float = 1e5) -> Schedule:  # noqa: N802
    """The rate of `Learner.fit_flat_cos`: flat, and then half a cosine to `lr / div_final`.

    Args:
      lr: the rate of the flat part.
      total_steps: updates in all.
      pct_start: share of them that is flat.
      div_final: what the rate is divided by at the end.

    Example:
      >>> rate = SchedFlatCos(1.0, 8, pct_start=0.5)
      >>> [round(float(rate(n)), 5) for n in (0, 4, 6, 8)]
      [1.0, 1.0, 0.50001, 1e-05]
    """
    rate = number("lr", lr)
    steps = length("total_steps", total_steps, minimum=1)
    flat = int(steps * pct_start)
    fall = cosine(rate, at_least_one(steps - flat), end_value=rate / div_final)
    return in_turn((cosine(rate, 1, end_value=rate), flat), last=fall)
