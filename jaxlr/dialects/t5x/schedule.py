"""t5x's schedule from a factor string."""

from __future__ import annotations

import functools

from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.dialects.t5x.factors import Factor, as_schedule, read_factors, times
from jaxlr.schedules import Schedule, at_speed, constant, cosine_restarts, inverse_sqrt, leaves, linear, step_decay
from jaxlr.typing import Length, Scalar


def create_learning_rate_scheduler(
    factors: str = "constant * linear_warmup * rsqrt_decay",
    base_learning_rate: Scalar = 0.5,
    warmup_steps: Length = 1000,
    decay_factor: Scalar = 0.5,
    steps_per_decay: Length = 20_000,
    steps_per_cycle: Length = 100_000,
    step_offset: Length = 0,
    min_learning_rate: Scalar = 1e-8,
) -> Schedule:
    """t5x's schedule: the product of its factors, and at least `min_learning_rate`.

    With k = max(0, n - step_offset) and W = warmup_steps:
      constant                 base_learning_rate
      linear_warmup            min(1, k / W)
      linear_decay             base_learning_rate * (k / W up to W, then max(0, 1 - decay_factor * (k - W)))
      rsqrt_decay              1 / sqrt(max(k, W))
      rsqrt_normalized_decay   sqrt(W / max(k, W))
      decay_every              decay_factor ** floor(k / steps_per_decay)
      cosine_decay             (1 + cos(pi x)) / 2, x = the fraction of max(0, k - W) / steps_per_cycle

    Args:
      factors: names with `*` between them.
      base_learning_rate: the constant.
      warmup_steps: updates of the warm-up; an integer, at least 0.
      decay_factor: the factor of "decay_every", or the slope of "linear_decay"; at least 0.
      steps_per_decay: updates between two drops; an integer, at least 1.
      steps_per_cycle: updates in a cycle; an integer, at least 1.
      step_offset: the count at which the schedule begins; an integer.
      min_learning_rate: no rate is lower; at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: an unknown factor, or a number out of range.
      TypeError: `factors` is no text, or a length is no integer.

    Example:
      >>> from jaxlr.dialects import t5x
      >>> rate = t5x.create_learning_rate_scheduler("constant * linear_warmup * rsqrt_decay", 1.0, warmup_steps=4)
      >>> [float(rate(n)) for n in (1, 2, 4, 16, 64)]
      [0.125, 0.25, 0.5, 0.25, 0.125]
    """
    base = common.number("base_learning_rate", base_learning_rate)
    warm = common.length("warmup_steps", warmup_steps)
    scale = common.at_least_one(warm)

    def warming() -> Factor:
        return 1.0 if common.equals(warm, 0) else linear(0.0, 1.0, warm)

    def slope() -> Number:
        return common.number("decay_factor", decay_factor)

    def cycle() -> Updates:
        return common.length("steps_per_cycle", steps_per_cycle, minimum=1)

    def triangle() -> Factor:
        down = constant(1.0) if common.equals(slope(), 0) else at_speed(linear(1.0, 0.0, 1), slope())
        return times(common.warmed(down, warm), base)

    made = {
        "constant": lambda: base,
        "linear_warmup": warming,
        "linear_decay": triangle,
        "rsqrt_decay": lambda: inverse_sqrt(scale**-0.5, timescale=scale),
        "rsqrt_normalized_decay": lambda: inverse_sqrt(1.0, timescale=scale),
        "decay_every": lambda: step_decay(1.0, slope(), common.length("steps_per_decay", steps_per_decay, minimum=1)),
        "cosine_decay": lambda: common.begun(cosine_restarts(1.0, cycle()), warm),
    }
    parts = [made[name]() for name in read_factors(factors, list(made))]
    schedule = as_schedule(functools.reduce(times, parts))
    start = common.length("step_offset", step_offset, minimum=-leaves.LARGEST_LENGTH)
    return common.begun(schedule, start).clip(min=common.number("min_learning_rate", min_learning_rate))
