"""The schedules of Hugging Face diffusers 0.42, which kohya's scripts take too: `get_scheduler` and what is behind it.

The rate `lr` stands in place of `optimizer`; the lengths, `lr` and `last_epoch` are as in `dialects.transformers`,
whose functions most of these are. Counts are updates: the first has the rate 0 where there is a warm-up, and the end is
reached at `num_training_steps`.

The source's defects, and what is done here instead: `get_scheduler` ignores `num_cycles` for "cosine" and `power` for
all but "polynomial"; here another value than the default is then an error. Of two rules for one step in `step_rules`
the source takes the later; here they are an error. Its text says that "0.1:20" lasts for the next 20 steps; it lasts
until step 20, there and here. "polynomial" divides by 0 where the warm-up is the whole run; here the rate is the last
one after it.
"""

from jaxlr.dialects.diffusers.schedules import (
    get_linear_schedule_with_warmup,
    get_piecewise_constant_schedule,
    get_scheduler,
)
from jaxlr.dialects.transformers import (
    get_constant_schedule,
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_cosine_with_hard_restarts_schedule_with_warmup,
    get_polynomial_decay_schedule_with_warmup,
)

__all__ = [
    "get_constant_schedule",
    "get_constant_schedule_with_warmup",
    "get_cosine_schedule_with_warmup",
    "get_cosine_with_hard_restarts_schedule_with_warmup",
    "get_linear_schedule_with_warmup",
    "get_piecewise_constant_schedule",
    "get_polynomial_decay_schedule_with_warmup",
    "get_scheduler",
]
