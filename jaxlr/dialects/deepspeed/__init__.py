"""DeepSpeed's schedules under their own names, `lr` in place of `optimizer`, and its JSON files.

Every function returns a schedule, update count (int, any shape) -> rate (float32, same shape); an argument of the wrong
kind or out of range is a TypeError or ValueError that names it. `lr` is the optimizer's rate, which only `WarmupLR`
(without `warmup_max_lr`) and `WarmupCosineLR` look at. `last_batch_iteration` is -1 at the start of a run; with another
the schedule begins with the rate that the optimizer had there.

The count is that of the updates behind. DeepSpeed's warm-ups lag one behind it: the second update has the rate of their
count 0 as well, so that two updates have the lowest rate, and the peak comes an update later than its length says. A
logarithmic warm-up, the default, is at its peak an update before its end: `WarmupDecayLR` has the peak twice. A warm-up
of 1 step is one of 2.

The source's defects, and what is done here instead: `WarmupCosineLR` has a first rate of 0 whatever its
`warmup_min_ratio`, which is followed, and behind a linear warm-up its peak never comes, which is followed too.
`OneCycle` begins with the lowest momentum and jumps to the highest at the second update; here it begins with the
highest. Its momentum grows past 1 with `decay_mom_rate`; here it stops at 0.999. An unknown `warmup_type` counts as
"log" there; here it is an error. Lists with a number for each group of parameters are refused.
"""

from jaxlr.dialects.deepspeed.configs import SIGNS as SIGNS
from jaxlr.dialects.deepspeed.configs import from_config
from jaxlr.dialects.deepspeed.schedules import (
    LRRangeTest,
    OneCycle,
    WarmupCosineLR,
    WarmupDecayLR,
    WarmupLR,
    one_cycle_momentum,
)

__all__ = [
    "LRRangeTest",
    "OneCycle",
    "WarmupCosineLR",
    "WarmupDecayLR",
    "WarmupLR",
    "from_config",
    "one_cycle_momentum",
]
