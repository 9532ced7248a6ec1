"""OLMo-core's schedulers under their own names, and its configurations.

Every function but `OverrideDecay` returns a schedule, count -> rate (float32), whose count is what the source calls
`current`, in updates or tokens, and whose numbers are its own: the peak `initial_lr`, and how long the run is,
`max_steps`, in the same unit. OLMo-core's trainer counts the update that it is about to make, so its first has
current = 1: write `olmo.WSD(...).shift(1)`, as `from_config` does. An argument of the wrong kind or out of range is a
TypeError or ValueError that names it. Most take by name:

- `warmup`, or `warmup_fraction`, a share of the run: how long the warm-up is, one of the two
- `warmup_min_lr`: the first rate, below `initial_lr`
- `decay`, or `decay_fraction` (a tenth, unless `decay` is given), and `decay_min_lr`, the last rate, where there is one
- `alpha_f`: the last rate as a share of `initial_lr`; `t_max`: where it is reached, if not at the end of the run

The source's defects, and what is done here instead: past the end of a run `WSD`, `PowerLR` and
`CosWithWarmupAndLinearDecay` go on along their line, below their last rate and below 0; here they hold it. A warm-up of
0 divides 0 by 0 at its end, a decay of 0 at the end of the run, and `InvSqrtWithWarmup` without a warm-up at its first;
here the warm-up is none, the last rate comes at once, and that schedule is at its last rate throughout. A decay as long
as the run has no rate to start from in `PowerLR`; here it is refused. Followed as they are: a decay that begins in the
warm-up, which begins after it with a jump; and the periods of `WSDS`, whose last rate stands at the first count of the
next one.
"""

from jaxlr.dialects.olmo.composed import ComposableScheduler, OverrideDecay, SequentialScheduler
from jaxlr.dialects.olmo.configs import SIGNS as SIGNS
from jaxlr.dialects.olmo.configs import from_config
from jaxlr.dialects.olmo.schedules import (
    WSD,
    WSDS,
    ConstantScheduler,
    ConstantWithWarmup,
    CosWithWarmup,
    CosWithWarmupAndLinearDecay,
    ExponentialScheduler,
    HalfCosWithWarmup,
    InvSqrtWithWarmup,
    LinearWithWarmup,
    PowerLR,
)

__all__ = [
    "WSD",
    "WSDS",
    "ComposableScheduler",
    "ConstantScheduler",
    "ConstantWithWarmup",
    "CosWithWarmup",
    "CosWithWarmupAndLinearDecay",
    "ExponentialScheduler",
    "HalfCosWithWarmup",
    "InvSqrtWithWarmup",
    "LinearWithWarmup",
    "OverrideDecay",
    "PowerLR",
    "SequentialScheduler",
    "from_config",
]
