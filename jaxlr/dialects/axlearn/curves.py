"""AXLearn's schedules of one formula."""

from __future__ import annotations

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Scalar


def polynomial(
    *,
    begin_step: Length = 0,
    begin_value: Scalar = 0,
    end_step: Length = 1,
    end_value: Scalar = 0,
    power: Scalar = 1,
) -> Schedule:
    """From one value to another along a power of the way.

    lr(n) = begin_value + (end_value - begin_value) * x ** power, with x = (n - begin_step) / (end_step - begin_step) in
    [0, 1]

    Args:
      begin_step: the step at which it begins; an integer.
      begin_value: the first value.
      end_step: the step at which it ends, at least begin_step; where they are equal, the first value holds.
      end_value: the last value.
      power: the power, above 0.

    Raises:
      ValueError: `end_step` lies before `begin_step`, or `power` is not above 0.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> rate = axlearn.polynomial(begin_step=2, end_step=6, end_value=1.0, power=2)
      >>> [float(rate(n)) for n in (0, 2, 4, 6, 7)]
      [0.0, 0.0, 0.25, 1.0, 1.0]
    """
    first, last = common.signed("begin_value", begin_value), common.signed("end_value", end_value)
    start, steps = _span(begin_step, end_step)
    whole = line(first, last, steps, common.positive("power", power))
    return whole if common.equals(steps, 0) else common.begun(whole, start)


def line(first: Number, last: Number, steps: Updates, power: Number = 1) -> Schedule:
    """From one value to another along a power of the way, straight for 1; without steps, the first value."""
    if common.equals(steps, 0):
        return core.constant(first)
    steps = common.at_least_one(steps)
    if common.equals(power, 1):
        return core.linear(first, last, steps)
    return core.k_decay(first, steps, k=power, end_value=last, shape="linear")


def exponential(
    *, begin_step: Length = 0, begin_value: Scalar = 0, end_step: Length = 1, end_value: Scalar = 0
) -> Schedule:
    """From one value to another by the same factor at each step.

    lr(n) = begin_value * (end_value / begin_value) ** x, x = (n - begin_step) / (end_step - begin_step) in [0, 1]

    Args:
      begin_step: the step at which it begins; an integer.
      begin_value: the first value, above 0: AXLearn's default of 0 is refused there too.
      end_step: the step at which it ends, after begin_step.
      end_value: the last value, above 0.

    Raises:
      ValueError: a value is not above 0, or `end_step` does not lie behind `begin_step`.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> rate = axlearn.exponential(begin_value=1.0, end_step=4, end_value=0.0625)
      >>> [float(rate(n)) for n in (0, 1, 2, 4, 5)]
      [1.0, 0.5, 0.25, 0.0625, 0.0625]
    """
    start, steps = _span(begin_step, end_step)
    if common.equals(steps, 0):
        raise ValueError(f"end_step must be above begin_step, {begin_step}, got {end_step}")
    first, last = common.positive("begin_value", begin_value), common.positive("end_value", end_value)
    steps = common.at_least_one(steps)
    return common.begun(core.exponential(first, last / first, transition_steps=steps, end_value=last), start)


def inverse_sqrt(warmup_steps: Length = 1) -> Schedule:
    """One over the square root of the step, which stands still through the warm-up.

    lr(n) = max(n, warmup_steps) ** -0.5; AXLearn's function takes the step as its first argument.

    Args:
      warmup_steps: an integer, at least 1.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> [float(axlearn.inverse_sqrt(warmup_steps=4)(n)) for n in (0, 4, 16, 64)]
      [0.5, 0.5, 0.25, 0.125]
    """
    warm = common.length("warmup_steps", warmup_steps, minimum=1)
    return core.inverse_sqrt(warm**-0.5, timescale=warm)


def adafactor(
    scale: Scalar = 1.0, *, warmup_steps: Length = 10_000, decay_power: Scalar = -0.5, step_offset: Length = 0
) -> Schedule:
    """The Transformer's schedule: up in a straight line, down by a power of the step.

    lr(n) = scale * min(k * warmup_steps ** (decay_power - 1), k ** decay_power), k = n + step_offset

    Args:
      scale: a factor for all of it.
      warmup_steps: the step of the peak; an integer, at least 1.
      decay_power: the power, below 1.
      step_offset: steps to count ahead; an integer, at least 0.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> [float(axlearn.adafactor(warmup_steps=4)(n)) for n in (0, 1, 2, 4, 16)]
      [0.0, 0.125, 0.25, 0.5, 0.25]
    """
    warm = common.length("warmup_steps", warmup_steps, minimum=1)
    power = common.signed("decay_power", decay_power)
    if common.known(power) and power >= 1:
        raise ValueError(f"decay_power must be below 1, got {decay_power}")
    peak = common.number("scale", scale) * (warm * 1.0) ** power
    schedule = core.warmup(core.power(peak, power, timescale=warm, shift=warm), warm)
    ahead = common.length("step_offset", step_offset)
    return schedule if common.equals(ahead, 0) else schedule.shift(ahead)


def adafactor_decay_rate(c: Scalar = 0.8, step_offset: Length = 0) -> Schedule:
    """Adafactor's decay of the second moments, for a `b2` that is a schedule.

    b2(n) = 1 - max(n - step_offset, 1) ** -c

    Args:
      c: the exponent.
      step_offset: the step after which it begins; an integer.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> [float(axlearn.adafactor_decay_rate(0.5)(n)) for n in (0, 1, 4, 16)]
      [0.0, 0.0, 0.5, 0.75]
    """
    falling = core.power(1.0, -common.signed("c", c))
    return 1.0 - common.begun(falling, common.length("step_offset", step_offset, minimum=-leaves.LARGEST_LENGTH))


def decay_bias_correction(decay: Scalar) -> Schedule:
    """A decay that makes a moving average unbiased from the first step on.

    decay(n) = decay * (1 - decay ** (n - 1)) / (1 - decay ** n), 0 at n = 0

    Args:
      decay: what it comes to, at least 0 and below 1.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> [round(float(axlearn.decay_bias_correction(0.5)(n)), 4) for n in (1, 2, 3, 99)]
      [0.0, 0.3333, 0.4286, 0.5]
    """
    value: Number = common.number("decay", decay)
    if common.known(value) and value >= 1:
        raise ValueError(f"decay must be below 1, got {decay}")
    # The same as 1 - (1 - decay) / (1 - decay ** n), in which nothing is 0 from n = 1 on.
    weight = ((1.0 - core.exponential(1.0, value)) ** -1.0) * (1 - value)
    return (1.0 - weight.shift(1).shift(-1)).clip(min=0.0)


def ema_schedule(decay: Scalar = 0.9999, *, warmup_steps: Length = 1, step_offset: Length = 0) -> Schedule:
    """The decay of an average of weights: 0, 1/2, 2/3, 3/4, ... through the warm-up, and then `decay`.

    decay(n) = k / (1 + k) for k < warmup_steps, k = max(n - step_offset, 0); `decay` from there

    Args:
      decay: the decay after the warm-up.
      warmup_steps: an integer, at least 1.
      step_offset: the step at which it begins; an integer.

    Example:
      >>> from jaxlr.dialects import axlearn
      >>> [float(axlearn.ema_schedule(0.875, warmup_steps=4)(n)) for n in (0, 1, 3, 4)]
      [0.0, 0.5, 0.75, 0.875]
    """
    warm = common.length("warmup_steps", warmup_steps, minimum=1)
    rising = 1.0 - core.inverse_time(1.0, 1.0)
    schedule = common.in_turn((rising, warm), last=core.constant(common.number("decay", decay)))
    return common.begun(schedule, common.length("step_offset", step_offset, minimum=-leaves.LARGEST_LENGTH))


def _span(begin_step: Length, end_step: Length) -> tuple[Updates, Updates]:
    """Where a curve begins, and its length."""
    start = common.length("begin_step", begin_step, minimum=-leaves.LARGEST_LENGTH)
    end = common.length("end_step", end_step, minimum=-leaves.LARGEST_LENGTH)
    if common.known(start, end) and end < start:
        raise ValueError(f"end_step must be at least begin_step, {begin_step}, got {end_step}")
    return start, end - start
