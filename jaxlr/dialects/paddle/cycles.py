"""Paddle's cosines and its cycles."""

# ruff: noqa: N802, N803, Paddle's own names

from __future__ import annotations

from typing import Literal

from jaxlr import schedules as core
from jaxlr.dialects import common, torch
from jaxlr.dialects.common import Number, resumed
from jaxlr.dialects.torch.arguments import Function
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Scalar


def CosineAnnealingDecay(
    learning_rate: Scalar, T_max: Length, eta_min: Scalar = 0, last_epoch: Length = -1, verbose: object = False
) -> Schedule:
    """Half a cosine down to `eta_min`, and up again past `T_max`: `jaxlr.cosine` with after="rise".

    lr(n) = eta_min + (learning_rate - eta_min) * (1 + cos(pi n / T_max)) / 2

    Args:
      learning_rate: the first rate, at least 0.
      T_max: counts from the first to the lowest; an integer, at least 1.
      eta_min: the rate at `T_max`.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> paddle.CosineAnnealingDecay(0.5, T_max=100)
      cosine(init_value=0.5, decay_steps=100, after='rise')
    """
    return resumed(torch.CosineAnnealingLR(common.number("learning_rate", learning_rate), T_max, eta_min), last_epoch)


def CosineAnnealingWarmRestarts(
    learning_rate: Scalar,
    T_0: Length,
    T_mult: Length = 1,
    eta_min: Scalar = 0,
    last_epoch: Length = -1,
    verbose: object = False,
) -> Schedule:
    """Half a cosine again and again, each `T_mult` times as long as the one before: `jaxlr.cosine_restarts`.

    Args:
      learning_rate: the peak of every cycle, at least 0.
      T_0: counts in the first cycle; an integer, at least 1.
      T_mult: how much longer each next cycle is; an integer, at least 1.
      eta_min: the rate that every cycle falls to.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> paddle.CosineAnnealingWarmRestarts(0.5, T_0=10, T_mult=2)
      cosine_restarts(init_value=0.5, first_decay_steps=10, t_mul=2)
    """
    rate = common.number("learning_rate", learning_rate)
    return resumed(torch.CosineAnnealingWarmRestarts(rate, T_0, T_mult, eta_min), last_epoch)


def OneCycleLR(
    max_learning_rate: Scalar,
    total_steps: Length,
    divide_factor: Scalar = 25.0,
    end_learning_rate: Scalar = 0.0001,
    phase_pct: Scalar = 0.3,
    anneal_strategy: Literal["cos", "linear"] = "cos",
    three_phase: bool = False,
    last_epoch: Length = -1,
    verbose: object = False,
) -> Schedule:
    """Up once and down once over the whole run: `jaxlr.one_cycle`, whose last rate is given itself.

    From max_learning_rate / divide_factor up to max_learning_rate at n = phase_pct * total_steps - 1, and down to
    end_learning_rate at n = total_steps - 1

    Args:
      max_learning_rate: the peak, above 0.
      total_steps: counts of the cycle; an integer, at least 1.
      divide_factor: peak over first rate, above 0.
      end_learning_rate: the last rate, at least 0; where it is traced, above 0.
      phase_pct: the share of the run that rises, in [0, 1]; at most 1/2 with three phases.
      anneal_strategy: "cos" or "linear".
      three_phase: whether the fall has two parts, the first as long as the rise.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> rate = paddle.OneCycleLR(1.0, 5, divide_factor=4.0, end_learning_rate=0.0, phase_pct=0.4)
      >>> [round(float(rate(n)), 4) for n in range(6)]
      [0.25, 1.0, 0.75, 0.25, 0.0, 0.0]
    """
    peak = common.positive("max_learning_rate", max_learning_rate)
    last = common.number("end_learning_rate", end_learning_rate)
    over_first = common.positive("divide_factor", divide_factor)
    steps = common.length("total_steps", total_steps, minimum=1)
    leaves.choice("anneal_strategy", anneal_strategy, ("cos", "linear"))
    leaves.share("phase_pct", phase_pct, maximum=0.5 if leaves.flag("three_phase", three_phase) else 1.0)

    def ending(over_last: Number) -> Schedule:
        return core.one_cycle(
            peak,
            steps,
            pct_start=phase_pct,
            div_factor=over_first,
            final_div_factor=over_last,
            anneal=anneal_strategy,
            three_phase=three_phase,
        )

    # No factor ends at 0; twice the one that ends at half of the first rate, less the one that ends at it, does.
    cycle = ending(2.0) * 2.0 - ending(1.0) if common.equals(last, 0.0) else ending(peak / (over_first * last))
    return resumed(cycle, last_epoch)


def CyclicLR(
    base_learning_rate: Scalar,
    max_learning_rate: Scalar,
    step_size_up: Length,
    step_size_down: Length | None = None,
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
    exp_gamma: Scalar = 1.0,
    scale_fn: Function | None = None,
    scale_mode: Literal["cycle", "iterations"] = "cycle",
    last_epoch: Length = -1,
    verbose: object = False,
) -> Schedule:
    """Up and down in a straight line, again and again: PyTorch's CyclicLR, without a momentum.

    Args:
      base_learning_rate: the lowest rate, at least 0.
      max_learning_rate: the highest rate, at least the lowest.
      step_size_up: counts of the way up; an integer, at least 1.
      step_size_down: counts of the way down; None is as many.
      mode: "triangular", "triangular2" or "exp_range"; not used where `scale_fn` is given.
      exp_gamma: the factor of each count in "exp_range".
      scale_fn, scale_mode: as in `dialects.torch.CyclicLR`.
      last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> paddle.CyclicLR(0.001, 0.006, 2000, mode="exp_range", exp_gamma=0.999)
      exp_range(base_lr=0.001, max_lr=0.006, step_size=2000, gamma=0.999)
    """
    low = leaves.number("base_learning_rate", base_learning_rate, minimum=0.0)
    high = leaves.number("max_learning_rate", max_learning_rate)
    leaves.ordered("base_learning_rate", low, "max_learning_rate", high)
    leaves.factor("exp_gamma", exp_gamma)
    cycle = torch.CyclicLR(
        0.0,
        base_learning_rate,
        max_learning_rate,
        step_size_up,
        step_size_down,
        mode,
        exp_gamma,
        scale_fn,
        scale_mode,
        cycle_momentum=False,
    )
    return resumed(cycle, last_epoch)
