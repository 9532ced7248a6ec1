"""optax's schedules under their own names, arguments and defaults, as schedules of jaxlr: their numbers can be traced.

The source's defects, and what is done here instead: a compiled `polynomial_schedule` with a fractional power is NaN
from its last step on, and a compiled `linear_schedule` ends at a rate just off its end value, even below 0; here both
hold the end value. Staircases drop one step early at some multiples, and repeat steps past 2**24; `exponential_decay`
is off by a share of 1e-5 at 1,000 steps of 0.99999; here both are exact. `warmup_constant_schedule` with warmup_steps=0
never leaves `init_value`; here it is at `peak_value`. `warmup_cosine_decay_schedule` with peak_value=0 ends at 0
whatever `end_value` is; here it ends there. A one-cycle so short that two of its borders fall on one step loses a phase
and the values after it; here every value is right. `piecewise_interpolate_schedule` is wrong for an array of counts;
here an array is as many counts. `join_schedules` leaves out schedules that have no boundary; here that is an error (a
boundary too many is none, as in optax). A negative length is an error too, where optax logs a line and goes on.

Every function returns a schedule, update count (int, any shape) -> rate (float32, same shape); an argument of the wrong
kind or out of range is a TypeError or ValueError that names it.
"""

from jaxlr.dialects.optax.decays import (
    constant_schedule,
    cosine_decay_schedule,
    exponential_decay,
    linear_schedule,
    polynomial_schedule,
)
from jaxlr.dialects.optax.phases import (
    cosine_onecycle_schedule,
    join_schedules,
    linear_onecycle_schedule,
    piecewise_constant_schedule,
    piecewise_interpolate_schedule,
    sgdr_schedule,
    warmup_constant_schedule,
    warmup_cosine_decay_schedule,
    warmup_exponential_decay_schedule,
)
from jaxlr.optimizers import adam, adamw, rmsprop, sgd

__all__ = [
    "adam",
    "adamw",
    "constant_schedule",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "exponential_decay",
    "join_schedules",
    "linear_onecycle_schedule",
    "linear_schedule",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "rmsprop",
    "sgd",
    "sgdr_schedule",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
]
