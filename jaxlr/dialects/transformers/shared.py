"""What the schedules of transformers are made of: the lengths of a run, and a cosine that goes on."""

from __future__ import annotations

from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.schedules import Schedule, at_speed, cosine
from jaxlr.typing import Length, Scalar


def lengths(num_warmup_steps: Length, num_training_steps: Length) -> tuple[Updates, Updates]:
    """The updates of the warm-up, and those after it, which may be none or fewer."""
    warm = common.length("num_warmup_steps", num_warmup_steps)
    return warm, common.length("num_training_steps", num_training_steps) - warm


def wave(peak: Number, steps: Updates, num_cycles: Scalar, low: Number = 0.0) -> Schedule:
    """A cosine from the peak to a lowest rate and back, `num_cycles` times in so many updates, and on."""
    cycles = common.positive("num_cycles", num_cycles)
    half = cosine(peak, steps, end_value=low, after="rise")
    return half if common.equals(cycles, 0.5) else at_speed(half, 2 * cycles)
