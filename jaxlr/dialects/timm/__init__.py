"""The schedulers of timm 1.0 under their own names, `lr` in place of `optimizer`, and its files of arguments.

A schedule counts what timm counts in `t`: updates, or epochs where timm's own `t_in_epochs` says so; one in epochs is
driven by `jaxlr.per_epoch(schedule, steps_per_epoch)`. Every function but `PlateauLRScheduler` returns a schedule,
update count (int, any shape) -> rate (float32, same shape); an argument of the wrong kind or out of range is a
TypeError or ValueError that names it. All take by name:

- `t_in_epochs` and `initialize`, which change nothing;
- `noise_range_t`, `noise_pct`, `noise_std` and `noise_seed` at their defaults, and refuse others: timm's noise comes
  from torch's generator.

Most take a warm-up: `warmup_t` updates in a straight line from `warmup_lr_init` to `lr`. With `warmup_prefix` the
schedule starts at its own t = 0 after it; if not, at t = warmup_t.

The source's defects, and what is done here instead: with `cycle_mul` the index of the cycle comes from a float
logarithm, which at some restarts is one too low (cycle_mul=3: at the 5th), so that a restart's first update has the
last rate of the cycle before; here it has the new peak. Next to such a restart a fractional `k_decay` or `power` makes
a complex number there; never here. A `cycle_mul` below 1 fails with a math domain error from t = t_initial / (1 -
cycle_mul) on; here it is refused where there is more than one cycle, and holds `lr_min` after one. A `decay_t` of
StepLRScheduler that is no integer drops one update late where a multiple of it is an integer in decimals and not in
binary (decay_t=1.1: at t = 12 for 11); here it drops at the integer. PlateauLRScheduler with mode="min" never cuts on a
metric below 0; here it does.
"""

from jaxlr.dialects.timm.configs import SIGNS as SIGNS
from jaxlr.dialects.timm.configs import from_config
from jaxlr.dialects.timm.cycles import CosineLRScheduler, PolyLRScheduler, TanhLRScheduler
from jaxlr.dialects.timm.schedulers import (
    MultiStepLRScheduler,
    PlateauLRScheduler,
    StepLRScheduler,
    WSDLRScheduler,
)

__all__ = [
    "CosineLRScheduler",
    "MultiStepLRScheduler",
    "PlateauLRScheduler",
    "PolyLRScheduler",
    "StepLRScheduler",
    "TanhLRScheduler",
    "WSDLRScheduler",
    "from_config",
]
