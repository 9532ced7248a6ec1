"""Learning-rate schedules and optimizers for JAX: exact everywhere, data all the way, ported to the last digit."""

from jaxlr import schedules
from jaxlr.schedules import (
    Schedule,
    constant,
    cosine,
    cosine_restarts,
    exp_range,
    exponential,
    join,
    multi_step,
    per_epoch,
    step_decay,
    triangular,
    triangular2,
    updates,
    warmup,
)

__all__ = [
    "Schedule",
    "constant",
    "cosine",
    "cosine_restarts",
    "exp_range",
    "exponential",
    "join",
    "multi_step",
    "per_epoch",
    "schedules",
    "step_decay",
    "triangular",
    "triangular2",
    "updates",
    "warmup",
]
