"""The classes of torch.optim.lr_scheduler as functions that return jaxlr's schedules; checked against PyTorch 2.14.

Names, arguments, their order and their defaults are PyTorch's, with `lr`, the optimizer's rate, in the place of
`optimizer`. Two arguments are everywhere and explained here: `last_epoch`, where it is not -1, makes a schedule that
goes on after it, so that the rate at count 0 is PyTorch's at `last_epoch + 1`; `verbose`, which older versions had,
does nothing. A count is the number of `scheduler.step()` calls so far. Every function but the plateau rule returns a
schedule, update count (int, any shape) -> rate (float32, same shape); a number out of range is a ValueError that names
it, something that is no number a TypeError.
"""

# ruff: noqa: N802, N803 - PyTorch's own names

from __future__ import annotations

from typing import Literal

import numpy as np

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import known_length, resumed
from jaxlr.dialects.torch.arguments import Function, named, require_function, require_traceable
from jaxlr.schedules import Schedule, leaves
from jaxlr.transforms import reduce_on_plateau
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.rate.plateau import ReduceOnPlateau
from jaxlr.typing import Length, Lengths, Scalar


def LambdaLR(
    lr: Scalar,
    lr_lambda: Function,
    last_epoch: int = -1,
    verbose: object = None,
    *,
    total_steps: int | None = None,
) -> Schedule:
    """Multiplies the rate by a function of the count.

    lr(n) = lr * lr_lambda(n)

    Without `total_steps` the function becomes part of the program: it is traced by JAX, so it chooses with `jnp.where`
    and not with `if`, and is as exact as float32 is. With `total_steps` it is any Python function, called once for each
    update on the host and recorded.

    Args:
      lr_lambda: takes the count and returns the factor; one function, for one parameter group.
      lr, last_epoch, verbose: see the module.
      total_steps: updates to record; the last rate holds.

    Raises:
      TypeError: `lr_lambda` is no function, or JAX cannot trace it and `total_steps` is not given.

    Example:
      >>> from jaxlr.dialects import torch
      >>> rate = torch.LambdaLR(0.5, lambda epoch: 1 / (1 + epoch))
      >>> [float(rate(n)) for n in (0, 1, 3)]
      [0.5, 0.25, 0.125]
      >>> torch.LambdaLR(0.5, lambda epoch: 1.0 if epoch < 2 else 0.25, total_steps=4)
      table(values=[0.5, 0.5, 0.125, 0.125])
    """
    require_function("lr_lambda", lr_lambda)
    if total_steps is not None:
        rate = common.signed("lr", lr)
        counts = range(known_length("total_steps", total_steps, minimum=1))
        return resumed(core.table([rate * float(lr_lambda(n)) for n in counts]), last_epoch)
    require_traceable("lr_lambda", lr_lambda, "choose with jnp.where, or give total_steps to record it")
    return resumed(core.custom(named(lr_lambda)) * leaves.number("lr", lr), last_epoch)


def MultiplicativeLR(
    lr: Scalar,
    lr_lambda: Function,
    last_epoch: int = -1,
    verbose: object = None,
    *,
    total_steps: int | None = None,
) -> Schedule:
    """Multiplies the rate of the update before by a function of the count.

    lr(n) = lr * lr_lambda(1) * lr_lambda(2) * ... * lr_lambda(n)

    No formula gives such a product, so it is recorded, for `total_steps` updates; the function is any Python function.

    Args:
      lr, last_epoch, verbose: see the module.
      lr_lambda, total_steps: as in `LambdaLR`.

    Raises:
      TypeError: `lr_lambda` is no function.
      ValueError: `total_steps` is not given.

    Example:
      >>> from jaxlr.dialects import torch
      >>> rate = torch.MultiplicativeLR(1.0, lambda epoch: 0.5, total_steps=4)
      >>> [float(rate(n)) for n in (0, 1, 2, 3)]
      [1.0, 0.5, 0.25, 0.125]
    """
    require_function("lr_lambda", lr_lambda)
    if total_steps is None:
        raise ValueError(
            "total_steps must be given for MultiplicativeLR, got None: it is recorded; write LambdaLR with the product "
            "as a formula, or ExponentialLR for a constant factor"
        )
    factors = [1.0, *(float(lr_lambda(n)) for n in range(1, known_length("total_steps", total_steps, minimum=1)))]
    return resumed(core.table(np.cumprod(factors)) * leaves.number("lr", lr), last_epoch)


def StepLR(
    lr: Scalar, step_size: Length, gamma: Scalar = 0.1, last_epoch: int = -1, verbose: object = None
) -> Schedule:
    """Multiplies the rate by `gamma` every `step_size` counts: `jaxlr.step_decay`.

    lr(n) = lr * gamma ** floor(n / step_size)

    Args:
      step_size: counts between two drops; an integer, at least 1.
      gamma: the factor of each drop, at least 0.
      lr, last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import torch
      >>> torch.StepLR(0.1, 30)
      step_decay(init_value=0.1, decay_rate=0.1, step_size=30)
    """
    return resumed(core.step_decay(leaves.number("lr", lr), leaves.factor("gamma", gamma), step_size), last_epoch)


def MultiStepLR(
    lr: Scalar, milestones: Lengths, gamma: Scalar = 0.1, last_epoch: int = -1, verbose: object = None
) -> Schedule:
    """Multiplies the rate by `gamma` at each milestone: `jaxlr.multi_step`.

    lr(n) = lr * gamma ** (number of milestones <= n)

    Args:
      milestones: counts, in any order; one that is there twice counts twice.
      gamma: the factor of each drop, at least 0.
      lr, last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import torch
      >>> torch.MultiStepLR(0.1, [30, 80])
      multi_step(init_value=0.1, milestones=[30, 80], decay_rate=0.1)
    """
    if not leaves.is_traced(milestones):
        counts = leaves.sequence("milestones", milestones)
        milestones = sorted(counts) if common.known(*counts) else counts
    return resumed(core.multi_step(leaves.number("lr", lr), milestones, leaves.factor("gamma", gamma)), last_epoch)


def ConstantLR(
    lr: Scalar, factor: Scalar = 1 / 3, total_iters: Length = 5, last_epoch: int = -1, verbose: object = None
) -> Schedule:
    """A small rate for `total_iters` counts, then the whole one.

    lr(n) = lr * factor for n < total_iters, lr from then on

    PyTorch divides by `factor` to come back, so that 0 is a ZeroDivisionError at n = total_iters; here it comes back.

    Args:
      factor: in [0, 1].
      total_iters: counts with the small rate; an integer, at least 1.
      lr, last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import torch
      >>> rate = torch.ConstantLR(1.0, factor=0.5, total_iters=2)
      >>> [float(rate(n)) for n in (0, 1, 2, 3)]
      [0.5, 0.5, 1.0, 1.0]
    """
    share = leaves.share("factor", factor)
    total_iters = leaves.length("total_iters", total_iters)
    return resumed(core.piecewise_constant([share, 1.0], [total_iters]) * leaves.number("lr", lr), last_epoch)


def LinearLR(
    lr: Scalar,
    start_factor: Scalar = 1 / 3,
    end_factor: Scalar = 1.0,
    total_iters: Length = 5,
    last_epoch: int = -1,
    verbose: object = None,
) -> Schedule:
    """From one share of the rate to another in a straight line, as a warm-up: `jaxlr.linear`.

    lr(n) = lr * (start_factor + (end_factor - start_factor) * min(n, total_iters) / total_iters)

    PyTorch gets there by a recursion and ends an ulp or so beside the end, below 0 at times; here the end is exact.

    Args:
      start_factor: above 0 and at most 1.
      end_factor: in [0, 1].
      total_iters: counts from the first to the last; an integer, at least 1.
      lr, last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import torch
      >>> rate = torch.LinearLR(1.0, start_factor=0.5, total_iters=4)
      >>> [float(rate(n)) for n in (0, 1, 2, 4, 5)]
      [0.5, 0.625, 0.75, 1.0, 1.0]
    """
    start = leaves.positive("start_factor", leaves.share("start_factor", start_factor))
    end = leaves.share("end_factor", end_factor)
    total_iters = leaves.length("total_iters", total_iters)
    return resumed(core.linear(start, end, total_iters) * leaves.number("lr", lr), last_epoch)


def ExponentialLR(lr: Scalar, gamma: Scalar, last_epoch: int = -1, verbose: object = None) -> Schedule:
    """Multiplies the rate by `gamma` at every count: `jaxlr.exponential`.

    lr(n) = lr * gamma ** n

    Args:
      gamma: the factor, at least 0.
      lr, last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import torch
      >>> torch.ExponentialLR(0.1, gamma=0.9)
      exponential(init_value=0.1, decay_rate=0.9)
    """
    return resumed(core.exponential(leaves.number("lr", lr), leaves.factor("gamma", gamma)), last_epoch)


def PolynomialLR(
    lr: Scalar, total_iters: Length = 5, power: Scalar = 1.0, last_epoch: int = -1, verbose: object = None
) -> Schedule:
    """Falls to 0 along a power of what is left, and stays there: `jaxlr.polynomial`.

    lr(n) = lr * (1 - min(n, total_iters) / total_iters) ** power

    Args:
      total_iters: counts until 0; an integer, at least 1.
      power: above 0.
      lr, last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import torch
      >>> torch.PolynomialLR(0.1, total_iters=100, power=2.0)
      polynomial(init_value=0.1, end_value=0.0, power=2.0, transition_steps=100)
    """
    rate, total_iters = leaves.number("lr", lr), leaves.length("total_iters", total_iters)
    return resumed(core.polynomial(rate, 0.0, power, total_iters), last_epoch)


def CosineAnnealingLR(
    lr: Scalar, T_max: Length, eta_min: Scalar = 0.0, last_epoch: int = -1, verbose: object = None
) -> Schedule:
    """Half a cosine down to `eta_min`, and up again past `T_max`, as PyTorch's goes: `jaxlr.cosine` with after="rise".

    lr(n) = eta_min + (lr - eta_min) * (1 + cos(pi n / T_max)) / 2

    For a rate that stays at the end, `.replace(after="hold")`.

    Args:
      T_max: counts from the first to the last; an integer, at least 1.
      eta_min: the rate at `T_max`.
      lr, last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import torch
      >>> torch.CosineAnnealingLR(0.1, T_max=100)
      cosine(init_value=0.1, decay_steps=100, after='rise')
    """
    rate, lowest = leaves.number("lr", lr), leaves.number("eta_min", eta_min)
    return resumed(core.cosine(rate, leaves.length("T_max", T_max), end_value=lowest, after="rise"), last_epoch)


def CosineAnnealingWarmRestarts(
    lr: Scalar, T_0: Length, T_mult: Length = 1, eta_min: Scalar = 0.0, last_epoch: int = -1, verbose: object = None
) -> Schedule:
    """Half a cosine again and again, each `T_mult` times as long as the one before: `jaxlr.cosine_restarts`.

    lr = eta_min + (lr - eta_min) * (1 + cos(pi t / T_i)) / 2, t counts into cycle i of T_0 * T_mult ** i counts

    This is what `scheduler.step()` gives. PyTorch's `scheduler.step(epoch)` finds the cycle by a float logarithm and
    misses restarts for T_mult 3, 10 and others; a count here is never missed.

    Args:
      T_0: counts in the first cycle; an integer, at least 1.
      T_mult: how much longer each next cycle is; an integer, at least 1.
      eta_min: the rate that every cycle falls to.
      lr, last_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import torch
      >>> torch.CosineAnnealingWarmRestarts(0.1, T_0=10, T_mult=2)
      cosine_restarts(init_value=0.1, first_decay_steps=10, t_mul=2)
    """
    first, growth = leaves.length("T_0", T_0), leaves.integer("T_mult", T_mult, minimum=1)
    rate, lowest = leaves.number("lr", lr), leaves.number("eta_min", eta_min)
    return resumed(core.cosine_restarts(rate, first, t_mul=growth, end_value=lowest), last_epoch)


def SWALR(
    lr: Scalar,
    swa_lr: Scalar,
    anneal_epochs: Length = 10,
    anneal_strategy: Literal["cos", "linear"] = "cos",
    last_epoch: int = -1,
) -> Schedule:
    """Goes from the optimizer's rate to `swa_lr` and stays there: `jaxlr.cosine` or `jaxlr.linear`.

    lr(n) = lr + (swa_lr - lr) a(min(1, n / anneal_epochs)), a(x) = x or (1 - cos(pi x)) / 2

    Args:
      swa_lr: the rate of the average's phase.
      anneal_epochs: counts to get there; an integer, at least 0, where 0 has `swa_lr` from the first count on.
      anneal_strategy: "cos" or "linear".
      lr, last_epoch: see the module.

    Example:
      >>> from jaxlr.dialects import torch
      >>> torch.SWALR(0.5, 0.05, anneal_epochs=20)
      cosine(init_value=0.5, decay_steps=20, end_value=0.05)

    References:
      Izmailov and others, Averaging Weights Leads to Wider Optima and Better Generalization, 2018, arXiv:1803.05407
    """
    first, last = leaves.number("lr", lr), leaves.number("swa_lr", swa_lr)
    steps = common.length("anneal_epochs", anneal_epochs)
    leaves.choice("anneal_strategy", anneal_strategy, ("cos", "linear"))
    if common.equals(steps, 0):
        return core.constant(last)
    steps = common.at_least_one(steps)
    curve = core.cosine(first, steps, end_value=last) if anneal_strategy == "cos" else core.linear(first, last, steps)
    return resumed(curve, last_epoch)


def ReduceLROnPlateau(
    lr: NumberOrSchedule,
    mode: Literal["min", "max"] = "min",
    factor: Number = 0.1,
    patience: int = 10,
    threshold: Number = 1e-4,
    threshold_mode: Literal["rel", "abs"] = "rel",
    cooldown: int = 0,
    min_lr: Number = 0.0,
    eps: Number = 1e-8,
    verbose: object = None,
) -> ReduceOnPlateau:
    """Cuts the rate when a metric has stopped improving: `jaxlr.reduce_on_plateau`, not a function of the count.

    It goes where a learning rate goes, and `jaxlr.observe(opt_state, metric)` stands for `scheduler.step(metric)`. With
    "rel" PyTorch never cuts on a metric below 0, for its threshold then lies on the wrong side of the best; here it
    lies on the right one.

    Args:
      lr: the optimizer's rate, or a schedule.
      mode: "min" if the metric should fall, "max" if it should rise.
      factor: a cut multiplies the rate by it; in [0, 1).
      patience: bad metrics in a row that are borne; the next makes the cut.
      threshold: how much better than the best is an improvement.
      threshold_mode: "rel", a share of the best, or "abs".
      cooldown: metrics after a cut that do not count as bad.
      min_lr: cuts stop at this rate; one number, for one parameter group.
      eps: a cut of the rate by no more than this is not made.
      verbose: does nothing.

    Returns:
      A rule for `jaxlr.scale_by_learning_rate` or an optimizer.

    Example:
      >>> import jaxlr
      >>> from jaxlr.dialects import torch
      >>> optimizer = jaxlr.sgd(torch.ReduceLROnPlateau(0.1, factor=0.5, patience=2))
    """
    return reduce_on_plateau(
        lr,
        mode=mode,
        factor=factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_mode,
        cooldown=cooldown,
        min_lr=min_lr,
        eps=eps,
    )
