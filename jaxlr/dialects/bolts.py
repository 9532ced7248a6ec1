"""Lightning Bolts: its one scheduler.

A count is the number of `scheduler.step()` calls so far.
"""

from __future__ import annotations

from jaxlr.dialects import common
from jaxlr.schedules import Schedule, cosine, join, linear
from jaxlr.typing import Length, Scalar

__all__ = ["LinearWarmupCosineAnnealingLR"]


def LinearWarmupCosineAnnealingLR(  # noqa: N802 - its own name
    lr: Scalar, warmup_epochs: Length, max_epochs: Length, warmup_start_lr: Scalar = 0.0, eta_min: Scalar = 0.0
) -> Schedule:
    """A line to the rate in `warmup_epochs - 1` counts, then half a cosine: `jaxlr.linear`, `jaxlr.cosine`.

    Args:
      lr: the optimizer's rate.
      warmup_epochs: counts of the line, at least 2.
      max_epochs: the count at which the cosine ends.
      warmup_start_lr: the first rate.
      eta_min: the last.

    Returns:
      A schedule: count (int, any shape) -> rate (float32, same shape).

    Example:
      >>> rate = LinearWarmupCosineAnnealingLR(1.0, 3, 7)
      >>> [round(float(rate(n)), 3) for n in (0, 1, 2, 3, 5, 7)]
      [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    peak = common.number("lr", lr)
    warm = common.known_length("warmup_epochs", warmup_epochs, minimum=2)
    length = common.known_length("max_epochs", max_epochs, minimum=warm + 1) - warm
    up = linear(common.number("warmup_start_lr", warmup_start_lr), peak, warm - 1)
    return join([up, cosine(peak, length, end_value=common.number("eta_min", eta_min))], [warm])
