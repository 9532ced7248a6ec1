"""Learning-rate schedules: pure functions of the update count, whose numbers are data."""

from jaxlr.schedules import exporting as exporting
from jaxlr.schedules.composition import algebra as algebra
from jaxlr.schedules.composition.clocks import at_speed, per_epoch, per_example
from jaxlr.schedules.composition.cooldowns import cooldown
from jaxlr.schedules.composition.phases import join, warmup
from jaxlr.schedules.families.cosines import cosine, k_decay
from jaxlr.schedules.families.exponentials import exponential, natural_exponential, tanh
from jaxlr.schedules.families.functions import custom
from jaxlr.schedules.families.inverses import inverse_sqrt, inverse_time, noam, power, rex
from jaxlr.schedules.families.lines import constant, linear, polynomial, polynomial_cycles
from jaxlr.schedules.families.onecycle import flat_cosine, one_cycle, one_cycle_momentum, slanted_triangular
from jaxlr.schedules.families.recursions import time_based
from jaxlr.schedules.families.restarts import cosine_restarts, with_restarts
from jaxlr.schedules.families.steps import multi_step, piecewise_constant, step_decay, table
from jaxlr.schedules.families.trapezoids import warmup_stable_decay
from jaxlr.schedules.families.triangles import cyclic, exp_range, triangular, triangular2
from jaxlr.schedules.family import FAMILIES, Cycle, Family, family
from jaxlr.schedules.retiming import retime
from jaxlr.schedules.schedule import Schedule
from jaxlr.schedules.text import parse, signature_text
from jaxlr.schedules.units import scale_lr, updates

__all__ = [
    "FAMILIES",
    "Cycle",
    "Family",
    "Schedule",
    "at_speed",
    "constant",
    "cooldown",
    "cosine",
    "cosine_restarts",
    "custom",
    "cyclic",
    "exp_range",
    "exponential",
    "family",
    "flat_cosine",
    "inverse_sqrt",
    "inverse_time",
    "join",
    "k_decay",
    "linear",
    "multi_step",
    "natural_exponential",
    "noam",
    "one_cycle",
    "one_cycle_momentum",
    "parse",
    "per_epoch",
    "per_example",
    "piecewise_constant",
    "polynomial",
    "polynomial_cycles",
    "power",
    "retime",
    "rex",
    "scale_lr",
    "signature_text",
    "slanted_triangular",
    "step_decay",
    "table",
    "tanh",
    "time_based",
    "triangular",
    "triangular2",
    "updates",
    "warmup",
    "warmup_stable_decay",
    "with_restarts",
]
