"""MMEngine 0.10: its schedulers of the rate and, by the same curves, of the momentum.

The value that is scheduled stands in place of `optimizer`: a rate for a name in LR, a momentum for one in Momentum.
Each returns a schedule, count (int, any shape) -> float32 of the same shape, but for the rule over a metric. These
arguments are everywhere, and explained here:

- begin, end: the counts between which the scheduler works: before `begin` the value is the optimizer's, from `end` on
  that of `end - 1`. So what is over after `end - begin` counts ends at the last of them, N - 1, and not at N.
- by_epoch: whether counts are epochs; nothing changes but what a count is. `jaxlr.per_epoch` makes updates of epochs.
- last_step: one less than the count at which the schedule starts.
- verbose: does nothing.

The source's defects, and what is done here instead: it computes each value from the one before, so that `LinearLR` from
a factor of 0 and `ConstantLR` with a factor of 0 divide by 0, and `PolyLR` leaves what it has rounded; here each is its
formula. `LinearLR`, `PolyLR`, `OneCycleLR` and `CosineAnnealingLR` without `end` last for 1e9 counts; here `end` is
needed there. `OneCycleLR` raises one count after its end.
"""

from jaxlr.dialects.mmengine.cycles import CosineAnnealingLR, CosineRestartLR, OneCycleLR
from jaxlr.dialects.mmengine.decays import (
    ConstantLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolyLR,
    ReduceOnPlateauLR,
    StepLR,
)

ConstantMomentum, CosineAnnealingMomentum, CosineRestartMomentum = ConstantLR, CosineAnnealingLR, CosineRestartLR
ExponentialMomentum, LinearMomentum, MultiStepMomentum = ExponentialLR, LinearLR, MultiStepLR
PolyMomentum, StepMomentum = PolyLR, StepLR

__all__ = [
    "ConstantLR",
    "ConstantMomentum",
    "CosineAnnealingLR",
    "CosineAnnealingMomentum",
    "CosineRestartLR",
    "CosineRestartMomentum",
    "ExponentialLR",
    "ExponentialMomentum",
    "LinearLR",
    "LinearMomentum",
    "MultiStepLR",
    "MultiStepMomentum",
    "OneCycleLR",
    "PolyLR",
    "PolyMomentum",
    "ReduceOnPlateauLR",
    "StepLR",
    "StepMomentum",
]
