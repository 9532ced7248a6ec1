"""PaddlePaddle 3.3: the schedulers of `paddle.optimizer.lr`, and its rule over a metric.

A count is the number of `scheduler.step()` calls so far. Each returns a schedule, count (int, any shape) -> float32 of
the same shape, but for the rule; a number out of range is a ValueError that names it, something that is no number a
TypeError. Two arguments are everywhere, and explained here:

- last_epoch: one less than the count at which the schedule starts.
- verbose: does nothing.

Paddle asks some decays to fall (a factor below 1, an `end_lr` above `start_lr`); here they may rise. `LRScheduler`, the
class to derive schedulers from, has no schedule of its own: `LambdaDecay` takes a function.

The source's defects, and what is done here instead:

- `CosineAnnealingDecay` and `LinearLR` compute each rate from the one before. With `last_epoch` they start from
  `learning_rate`, whatever the rate at that count is: `LinearLR(0.1, 10, last_epoch=4)` ends at 0.167. A line to 0 ends
  at 3e-17. Here the rate is the formula's at every count.
- `CosineAnnealingWarmRestarts` forgets its cycle where a state is loaded; with `last_epoch` it takes one cycle off the
  count, however many are over, so that its first rate is another one's. Within `LinearWarmup` it finds the cycle by a
  float logarithm, and misses the restart at 121 of cycles of 1, 3, 9, ... counts. Here integers decide.
- `OneCycleLR` at `total_steps` is past its end (a straight line: below 0, or a division by 0), and then it raises; here
  the end holds. Where `phase_pct * total_steps` is 1 it divides by 0; here the first count has the peak.
- `InverseTimeDecay` divides by 0 for some factors below 0, and `NoamDecay` for no warm-up; here they are errors.
- `PiecewiseDecay` takes values too many, of which it has the last one in the end, and boundaries out of order; both are
  errors here.
- `ReduceOnPlateau` with "rel" never cuts on a metric below 0, as PyTorch's, and cuts for ever once the first metric was
  NaN. Within `LinearWarmup` it takes the count for the metric; here that is an error, and the rule goes around the
  warm-up.
"""

from jaxlr.dialects.paddle.composition import LambdaDecay, LinearWarmup, MultiplicativeDecay, ReduceOnPlateau
from jaxlr.dialects.paddle.cycles import CosineAnnealingDecay, CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from jaxlr.dialects.paddle.decays import (
    ExponentialDecay,
    InverseTimeDecay,
    LinearLR,
    MultiStepDecay,
    NaturalExpDecay,
    NoamDecay,
    PiecewiseDecay,
    PolynomialDecay,
    StepDecay,
)

__all__ = [
    "CosineAnnealingDecay",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LambdaDecay",
    "LinearLR",
    "LinearWarmup",
    "MultiStepDecay",
    "MultiplicativeDecay",
    "NaturalExpDecay",
    "NoamDecay",
    "OneCycleLR",
    "PiecewiseDecay",
    "PolynomialDecay",
    "ReduceOnPlateau",
    "StepDecay",
]
