"""The schedules of Hugging Face transformers 5: `get_scheduler` and the functions behind its names.

The rate `lr` stands in place of `optimizer`. The functions return a schedule, update count (int, any shape) -> rate
(float32, same shape), but for the two rules over a metric; an argument of the wrong kind or out of range is a TypeError
or ValueError that names it. These arguments are everywhere, and explained here:

- lr: the rate, or the peak that the warm-up leads to.
- num_warmup_steps: updates of the warm-up, the first with the rate 0, if nothing else is said; an integer, at least 0.
- num_training_steps: updates in the run, the warm-up with them; an integer, at least 0.
- last_epoch: one less than the count at which the schedule starts, as in the source: -1 starts at its beginning.

The source's defects, and what is done here instead: `cosine_with_restarts` loses a restart where a float product stops
short of an integer (49 cycles in 49 updates: seven of them), with a rate near 0 there; here it has the peak.
`polynomial` divides by 0 where the warm-up is the whole run; here the rate is `lr_end` after it. `warmup_stable_decay`
jumps into the middle of its decay where the run is shorter than warm-up and decay, and `constant` ignores arguments
that it does not have; here both are errors. `reduce_lr_on_plateau` never cuts on a metric below 0 where the threshold
is relative; here it does. `greedy` then takes a flat one for ever better, and never begins anew where rounding leaves
its rate a little above `min_lr`; here neither happens.
"""

from jaxlr.dialects.transformers.cosines import (
    get_cosine_schedule_with_warmup,
    get_cosine_with_hard_restarts_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
)
from jaxlr.dialects.transformers.names import get_scheduler
from jaxlr.dialects.transformers.schedules import (
    AdafactorSchedule,
    GreedyLR,
    get_adafactor_schedule,
    get_constant_schedule,
    get_constant_schedule_with_warmup,
    get_greedy_schedule,
    get_inverse_sqrt_schedule,
    get_linear_schedule_with_warmup,
    get_polynomial_decay_schedule_with_warmup,
    get_reduce_on_plateau_schedule,
    get_wsd_schedule,
)

__all__ = [
    "AdafactorSchedule",
    "GreedyLR",
    "get_adafactor_schedule",
    "get_constant_schedule",
    "get_constant_schedule_with_warmup",
    "get_cosine_schedule_with_warmup",
    "get_cosine_with_hard_restarts_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
    "get_greedy_schedule",
    "get_inverse_sqrt_schedule",
    "get_linear_schedule_with_warmup",
    "get_polynomial_decay_schedule_with_warmup",
    "get_reduce_on_plateau_schedule",
    "get_scheduler",
    "get_wsd_schedule",
]
