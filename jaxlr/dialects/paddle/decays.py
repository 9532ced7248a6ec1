"""Paddle's schedulers that go one way."""

# ruff: noqa: N802, Paddle's own names

from __future__ import annotations

from collections.abc import Sequence

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import resumed
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Array, Length, Lengths, Scalar


def NoamDecay(
    d_model: Length, warmup_steps: Length, learning_rate: Scalar = 1.0, last_epoch: Length = -1, verbose: object = False
) -> Schedule:
    """The Transformer paper's schedule, which has the rate 0 at count 0: `jaxlr.schedules.noam` one count later.

    lr(n) = learning_rate / sqrt(d_model) * min(1 / sqrt(n), n / warmup_steps ** 1.5)

    Args:
      d_model: the model's width; an integer, at least 1.
      warmup_steps: counts of the rise; an integer, at least 1.
      learning_rate: a factor for all of it, at least 0.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> rate = paddle.NoamDecay(4, 4)
      >>> [round(float(rate(n)), 4) for n in (0, 1, 4, 16)]
      [0.0, 0.0625, 0.25, 0.125]
    """
    curve = core.noam(d_model, warmup_steps, factor=common.number("learning_rate", learning_rate))
    return resumed(common.in_turn((core.constant(0.0), 1), last=curve), last_epoch)


def PiecewiseDecay(
    boundaries: Lengths, values: Sequence[Scalar] | Array, last_epoch: Length = -1, verbose: object = False
) -> Schedule:
    """A table of rates, each from its boundary on: `jaxlr.piecewise_constant`.

    Args:
      boundaries: the counts at which the second, third, ... rate starts; integers in rising order.
      values: the rates, one more than there are boundaries.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> paddle.PiecewiseDecay([30, 60], [0.1, 0.05, 0.01])
      piecewise_constant(values=[0.1, 0.05, 0.01], boundaries=[30, 60])
    """
    return resumed(core.piecewise_constant(values, boundaries), last_epoch)


def NaturalExpDecay(learning_rate: Scalar, gamma: Scalar, last_epoch: Length = -1, verbose: object = False) -> Schedule:
    """Falls by the factor e in `1 / gamma` counts: `jaxlr.natural_exponential`.

    lr(n) = learning_rate * exp(-gamma * n)

    Args:
      learning_rate: the first rate, at least 0.
      gamma: how fast it falls, at least 0.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> paddle.NaturalExpDecay(0.5, 0.1)
      natural_exponential(init_value=0.5, decay_rate=0.1)
    """
    rate = common.number("learning_rate", learning_rate)
    return resumed(core.natural_exponential(rate, common.number("gamma", gamma)), last_epoch)


def InverseTimeDecay(
    learning_rate: Scalar, gamma: Scalar, last_epoch: Length = -1, verbose: object = False
) -> Schedule:
    """Falls as one over the count: `jaxlr.inverse_time`.

    lr(n) = learning_rate / (1 + gamma * n)

    Args:
      learning_rate: the first rate, at least 0.
      gamma: how much the divisor grows at each count, at least 0.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> paddle.InverseTimeDecay(0.5, 0.1)
      inverse_time(init_value=0.5, decay_rate=0.1)
    """
    rate = common.number("learning_rate", learning_rate)
    return resumed(core.inverse_time(rate, common.number("gamma", gamma)), last_epoch)


def PolynomialDecay(
    learning_rate: Scalar,
    decay_steps: Length,
    end_lr: Scalar = 0.0001,
    power: Scalar = 1.0,
    cycle: bool = False,
    last_epoch: Length = -1,
    verbose: object = False,
) -> Schedule:
    """A power of what is left: `jaxlr.polynomial`, or with `cycle` `jaxlr.schedules.polynomial_cycles`.

    lr(n) = end_lr + (learning_rate - end_lr) * (1 - n / T) ** power, T = decay_steps, or with `cycle` the first
    multiple of it that is at least n; without `cycle` it holds after T

    Args:
      learning_rate: the first rate, at least 0.
      decay_steps: counts from the first rate to the last; an integer, at least 1.
      end_lr: the last rate.
      power: above 0.
      cycle: whether the horizon grows by `decay_steps` whenever it is reached.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> rate = paddle.PolynomialDecay(1.0, 4, end_lr=0.0, cycle=True)
      >>> [float(rate(n)) for n in (0, 2, 4, 5, 8)]
      [1.0, 0.5, 0.0, 0.375, 0.0]
    """
    rate, low = common.number("learning_rate", learning_rate), common.signed("end_lr", end_lr)
    family = core.polynomial_cycles if leaves.flag("cycle", cycle) else core.polynomial
    return resumed(family(rate, low, power, common.length("decay_steps", decay_steps, minimum=1)), last_epoch)


def ExponentialDecay(
    learning_rate: Scalar, gamma: Scalar, last_epoch: Length = -1, verbose: object = False
) -> Schedule:
    """The rate times `gamma` after every count: `jaxlr.exponential`.

    lr(n) = learning_rate * gamma ** n

    Args:
      learning_rate: the first rate, at least 0.
      gamma: the factor, at least 0.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> paddle.ExponentialDecay(0.5, 0.9)
      exponential(init_value=0.5, decay_rate=0.9)
    """
    rate = common.number("learning_rate", learning_rate)
    return resumed(core.exponential(rate, leaves.factor("gamma", gamma)), last_epoch)


def MultiStepDecay(
    learning_rate: Scalar, milestones: Lengths, gamma: Scalar = 0.1, last_epoch: Length = -1, verbose: object = False
) -> Schedule:
    """The rate times `gamma` from each milestone on: `jaxlr.multi_step`.

    Args:
      learning_rate: the first rate, at least 0.
      milestones: counts in rising order.
      gamma: the factor of each drop, at least 0.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> paddle.MultiStepDecay(0.5, [30, 50])
      multi_step(init_value=0.5, milestones=[30, 50], decay_rate=0.1)
    """
    rate, factor = common.number("learning_rate", learning_rate), leaves.factor("gamma", gamma)
    none = not leaves.is_traced(milestones) and not len(leaves.sequence("milestones", milestones))
    return resumed(core.constant(rate) if none else core.multi_step(rate, milestones, factor), last_epoch)


def StepDecay(
    learning_rate: Scalar, step_size: Length, gamma: Scalar = 0.1, last_epoch: Length = -1, verbose: object = False
) -> Schedule:
    """The rate times `gamma` after every `step_size` counts: `jaxlr.step_decay`.

    Args:
      learning_rate: the first rate, at least 0.
      step_size: counts between two drops; an integer, at least 1.
      gamma: the factor of each drop, at least 0.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> paddle.StepDecay(0.5, 30)
      step_decay(init_value=0.5, decay_rate=0.1, step_size=30)
    """
    rate = common.number("learning_rate", learning_rate)
    return resumed(core.step_decay(rate, leaves.factor("gamma", gamma), step_size), last_epoch)


def LinearLR(
    learning_rate: Scalar,
    total_steps: Length,
    start_factor: Scalar = 1.0 / 3,
    end_factor: Scalar = 1.0,
    last_epoch: Length = -1,
    verbose: object = False,
) -> Schedule:
    """A straight line between two shares of the rate, the second at `total_steps` and after it: `jaxlr.linear`.

    Args:
      learning_rate: the rate, at least 0.
      total_steps: counts from the first to the last; an integer, at least 1.
      start_factor: in [0, 1]; Paddle does not take 0.
      end_factor: in [0, 1].
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> rate = paddle.LinearLR(1.0, total_steps=4, start_factor=0.5)
      >>> [float(rate(n)) for n in (0, 1, 2, 4, 5)]
      [0.5, 0.625, 0.75, 1.0, 1.0]
    """
    rate = common.number("learning_rate", learning_rate)
    low, high = rate * common.share("start_factor", start_factor), rate * common.share("end_factor", end_factor)
    return resumed(core.linear(low, high, common.length("total_steps", total_steps, minimum=1)), last_epoch)
