"""Learning-rate schedules: pure functions of the update count, whose numbers are data."""

from jaxlr.schedules.annealing import cosine, cosine_restarts
from jaxlr.schedules.base import FAMILIES, Schedule
from jaxlr.schedules.cycles import exp_range, triangular, triangular2
from jaxlr.schedules.decay import exponential, multi_step, step_decay
from jaxlr.schedules.notation import parse, signature_text
from jaxlr.schedules.phases import constant, join, per_epoch, warmup
from jaxlr.schedules.units import updates

__all__ = [
    "FAMILIES",
    "Schedule",
    "constant",
    "cosine",
    "cosine_restarts",
    "exp_range",
    "exponential",
    "join",
    "multi_step",
    "parse",
    "per_epoch",
    "signature_text",
    "step_decay",
    "triangular",
    "triangular2",
    "updates",
    "warmup",
]
