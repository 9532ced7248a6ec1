"""The functions of AXLearn's `schedule` module under their own names, arguments and defaults.

A schedule counts what AXLearn counts in `step`, whose first update is step 1: `schedule.shift(1)` in a jaxlr optimizer
is the same training. At step 0, which AXLearn never trains, the composites that begin at step 1 are 0 as there. Every
function returns a schedule, step (int, any shape) -> rate or decay (float32, same shape); an argument of the wrong kind
or out of range is a TypeError or ValueError that names it, and a step or length that is no integer a TypeError.

The source's defects, and what is done here instead: `decay_bias_correction` divides by 0 at step 0; here it is 0
there, as at step 1. A decay of 1, which divides 0 by 0, is refused, and so is a `warmup_steps` of 0 for `adafactor`,
which raises 0 to a negative power, and a `step_offset` below 0, with which it is NaN at first. A line without steps
stays at its first value: kept.
"""

from jaxlr.dialects.axlearn.composites import (
    constant_with_linear_warmup,
    cosine_with_linear_warmup,
    linear_schedule_with_warmup,
    segment_wise,
    stepwise,
    warmup_stable_decay,
)
from jaxlr.dialects.axlearn.curves import (
    adafactor,
    adafactor_decay_rate,
    decay_bias_correction,
    ema_schedule,
    exponential,
    inverse_sqrt,
    polynomial,
)

__all__ = [
    "adafactor",
    "adafactor_decay_rate",
    "constant_with_linear_warmup",
    "cosine_with_linear_warmup",
    "decay_bias_correction",
    "ema_schedule",
    "exponential",
    "inverse_sqrt",
    "linear_schedule_with_warmup",
    "polynomial",
    "segment_wise",
    "stepwise",
    "warmup_stable_decay",
]
