"""PyTorch's schedulers that move the momentum too: CyclicLR and OneCycleLR; see `schedulers` for what all share.

The rate is one schedule and the momentum (beta1 of an Adam) another, made by a function with the same arguments:
`jaxlr.sgd(torch.OneCycleLR(**arguments), momentum=torch.one_cycle_momentum(**arguments))`.
"""

# ruff: noqa: N802 - PyTorch's own names

from __future__ import annotations

from typing import Literal, TypeAlias

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import resumed
from jaxlr.dialects.torch.arguments import Function, named, require_function, require_traceable
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Scalar

Mode: TypeAlias = Literal["triangular", "triangular2", "exp_range"]
ScaleMode: TypeAlias = Literal["cycle", "iterations"]


def CyclicLR(
    lr: Scalar,
    base_lr: Scalar,
    max_lr: Scalar,
    step_size_up: Length = 2000,
    step_size_down: Length | None = None,
    mode: Mode = "triangular",
    gamma: Scalar = 1.0,
    scale_fn: Function | None = None,
    scale_mode: ScaleMode = "cycle",
    cycle_momentum: bool = True,
    base_momentum: Scalar = 0.8,
    max_momentum: Scalar = 0.9,
    last_epoch: int = -1,
    verbose: object = None,
) -> Schedule:
    """Up and down in a straight line, again and again: `jaxlr.triangular`, `triangular2`, `exp_range` or `cyclic`.

    lr(n) = base_lr + (max_lr - base_lr) * rise(n) * scale, rise from 0 to 1 in step_size_up and back in step_size_down
    scale = 1 ("triangular"), 1 / 2 ** cycle ("triangular2"), gamma ** n ("exp_range"), or scale_fn(cycle + 1 or n)

    The momentum that runs against it is a schedule of its own: `cyclic_momentum` takes the same arguments.

    Args:
      lr: not used, as in PyTorch.
      base_lr: lowest rate.
      max_lr: highest rate.
      step_size_up: counts of the way up; an integer, at least 1.
      step_size_down: counts of the way down; None is as many.
      mode: "triangular", "triangular2" or "exp_range"; not used where `scale_fn` is given.
      gamma: the factor of each count in "exp_range".
      scale_fn: the height's factor, a function that JAX can trace.
      scale_mode: what `scale_fn` takes: "cycle" (1, 2, ...) or "iterations" (the count).
      cycle_momentum, base_momentum, max_momentum: not used here, see `cyclic_momentum`.
      last_epoch, verbose: see `schedulers`.

    Raises:
      ValueError: a number out of range, another word for `mode` or `scale_mode`.
      TypeError: JAX cannot trace `scale_fn`.

    Example:
      >>> from jaxlr.dialects import torch
      >>> torch.CyclicLR(0.1, 0.001, 0.006, step_size_up=2000)
      triangular(base_lr=0.001, max_lr=0.006, step_size=2000)
    """
    leaves.flag("cycle_momentum", cycle_momentum)
    cycle = _cycle(base_lr, max_lr, step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode)
    return resumed(cycle, last_epoch)


@common.moved_beside(CyclicLR, "momentum", "sgd")
def cyclic_momentum(
    lr: Scalar,
    base_lr: Scalar,
    max_lr: Scalar,
    step_size_up: Length = 2000,
    step_size_down: Length | None = None,
    mode: Mode = "triangular",
    gamma: Scalar = 1.0,
    scale_fn: Function | None = None,
    scale_mode: ScaleMode = "cycle",
    cycle_momentum: bool = True,
    base_momentum: Scalar = 0.8,
    max_momentum: Scalar = 0.9,
    last_epoch: int = -1,
    verbose: object = None,
) -> Schedule:
    """The momentum (or beta1) of PyTorch's CyclicLR with the same arguments: down while the rate goes up.

    momentum(n) = max_momentum - (max_momentum - base_momentum) * rise(n) * scale, see `CyclicLR`

    Args:
      lr, base_lr, max_lr: not used.
      step_size_up: counts of the way down; an integer, at least 1.
      step_size_down: counts of the way up; None is as many.
      mode, gamma, scale_fn, scale_mode: as in `CyclicLR`.
      cycle_momentum: True, or there is no such schedule.
      base_momentum: lowest momentum.
      max_momentum: highest momentum, of the first update.
      last_epoch, verbose: see `schedulers`.

    Returns:
      A schedule: update count (int, any shape) -> momentum (float32, same shape).

    Raises:
      ValueError: a number out of range, another word, `cycle_momentum` is False.
      TypeError: JAX cannot trace `scale_fn`.

    Example:
      >>> from jaxlr.dialects import torch
      >>> momentum = torch.cyclic_momentum(0.1, 0.001, 0.006, step_size_up=2, base_momentum=0.5, max_momentum=1.0)
      >>> [float(momentum(n)) for n in (0, 1, 2, 3, 4)]
      [1.0, 0.75, 0.5, 0.75, 1.0]
    """
    _require_cycled(cycle_momentum)
    low, high = leaves.number("base_momentum", base_momentum), leaves.number("max_momentum", max_momentum)
    leaves.ordered("base_momentum", low, "max_momentum", high)
    base, most = common.signed("base_momentum", base_momentum), common.signed("max_momentum", max_momentum)
    cycle = _cycle(0.0, 1.0, step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode)
    return resumed(cycle * (base - most) + most, last_epoch)


def OneCycleLR(
    lr: Scalar,
    max_lr: Scalar,
    total_steps: Length | None = None,
    epochs: Length | None = None,
    steps_per_epoch: Length | None = None,
    pct_start: Scalar = 0.3,
    anneal_strategy: Literal["cos", "linear"] = "cos",
    cycle_momentum: bool = True,
    base_momentum: Scalar = 0.85,
    max_momentum: Scalar = 0.95,
    div_factor: Scalar = 25.0,
    final_div_factor: Scalar = 1e4,
    three_phase: bool = False,
    last_epoch: int = -1,
    verbose: object = None,
) -> Schedule:
    """Up once and down once over the whole run: `jaxlr.one_cycle`.

    From max_lr / div_factor up to max_lr at n = pct_start * total_steps - 1, and down to
    max_lr / (div_factor * final_div_factor) at n = total_steps - 1.

    At n = total_steps PyTorch goes on past the end (a straight line gives a rate below 0), and then it raises; here the
    end holds. Where pct_start * total_steps is 1 it divides by zero; here the first update has the peak. The momentum
    that runs against the rate is a schedule of its own: `one_cycle_momentum` takes the same arguments.

    Args:
      lr: not used, as in PyTorch.
      max_lr: the peak.
      total_steps: updates in the run; an integer, at least 1. None if the next two are given.
      epochs: epochs in the run.
      steps_per_epoch: updates in an epoch.
      pct_start: the share of the run that rises, in [0, 1]; at most 1/2 with three phases.
      anneal_strategy: "cos" or "linear".
      cycle_momentum, base_momentum, max_momentum: not used here, see `one_cycle_momentum`.
      div_factor: peak over first rate, above 0.
      final_div_factor: first rate over last rate, above 0.
      three_phase: whether the fall has two parts.
      last_epoch, verbose: see `schedulers`.

    Raises:
      ValueError: a number out of range, another `anneal_strategy`, neither `total_steps` nor the other two.

    Example:
      >>> from jaxlr.dialects import torch
      >>> torch.OneCycleLR(0.1, max_lr=1.0, total_steps=1000)
      one_cycle(max_lr=1.0, total_steps=1000)
    """
    leaves.flag("cycle_momentum", cycle_momentum)
    cycle = core.one_cycle(
        max_lr,
        _total(total_steps, epochs, steps_per_epoch),
        pct_start=pct_start,
        div_factor=div_factor,
        final_div_factor=final_div_factor,
        anneal=leaves.choice("anneal_strategy", anneal_strategy, ("cos", "linear")),
        three_phase=three_phase,
    )
    return resumed(cycle, last_epoch)


@common.moved_beside(OneCycleLR, "momentum", "sgd")
def one_cycle_momentum(
    lr: Scalar,
    max_lr: Scalar,
    total_steps: Length | None = None,
    epochs: Length | None = None,
    steps_per_epoch: Length | None = None,
    pct_start: Scalar = 0.3,
    anneal_strategy: Literal["cos", "linear"] = "cos",
    cycle_momentum: bool = True,
    base_momentum: Scalar = 0.85,
    max_momentum: Scalar = 0.95,
    div_factor: Scalar = 25.0,
    final_div_factor: Scalar = 1e4,
    three_phase: bool = False,
    last_epoch: int = -1,
    verbose: object = None,
) -> Schedule:
    """The momentum (or beta1) of PyTorch's OneCycleLR with the same arguments: `jaxlr.one_cycle_momentum`.

    Down from `max_momentum` to `base_momentum` while the rate rises, and up again while it falls.

    Args:
      lr, max_lr, div_factor, final_div_factor: not used.
      total_steps, epochs, steps_per_epoch, pct_start, anneal_strategy, three_phase: as in `OneCycleLR`.
      cycle_momentum: True, or there is no such schedule.
      base_momentum: the lowest momentum.
      max_momentum: the highest momentum.
      last_epoch, verbose: see `schedulers`.

    Returns:
      A schedule: update count (int, any shape) -> momentum (float32, same shape).

    Raises:
      ValueError: a number out of range, another word, `cycle_momentum` is False.

    Example:
      >>> from jaxlr.dialects import torch
      >>> torch.one_cycle_momentum(0.1, max_lr=1.0, total_steps=1000)
      one_cycle_momentum(total_steps=1000)
    """
    _require_cycled(cycle_momentum)
    cycle = core.one_cycle_momentum(
        _total(total_steps, epochs, steps_per_epoch),
        base_momentum=base_momentum,
        max_momentum=max_momentum,
        pct_start=pct_start,
        anneal=leaves.choice("anneal_strategy", anneal_strategy, ("cos", "linear")),
        three_phase=three_phase,
    )
    return resumed(cycle, last_epoch)


def _cycle(
    base_lr: Scalar,
    max_lr: Scalar,
    step_size_up: Length,
    step_size_down: Length | None,
    mode: Mode,
    gamma: Scalar,
    scale_fn: Function | None,
    scale_mode: ScaleMode,
) -> Schedule:
    up = leaves.length("step_size_up", step_size_up)
    if scale_fn is not None:
        require_function("scale_fn", scale_fn)
        require_traceable("scale_fn", scale_fn, "write it with jax.numpy")
        scale_by = "cycle" if leaves.choice("scale_mode", scale_mode, ("cycle", "iterations")) == "cycle" else "update"
        return core.cyclic(base_lr, max_lr, up, named(scale_fn), scale_by=scale_by, step_size_down=step_size_down)
    leaves.choice("mode", mode, ("triangular", "triangular2", "exp_range"))
    if mode == "exp_range":
        return core.exp_range(base_lr, max_lr, up, gamma, step_size_down=step_size_down)
    shape = core.triangular if mode == "triangular" else core.triangular2
    return shape(base_lr, max_lr, up, step_size_down=step_size_down)


def _total(total_steps: Length | None, epochs: Length | None, steps_per_epoch: Length | None) -> Length:
    if total_steps is not None:
        return total_steps
    if epochs is None or steps_per_epoch is None:
        raise ValueError(
            f"total_steps must be given, or epochs and steps_per_epoch both; got total_steps=None, epochs={epochs!r}, "
            f"steps_per_epoch={steps_per_epoch!r}"
        )
    return common.length("epochs", epochs, minimum=1) * common.length("steps_per_epoch", steps_per_epoch, minimum=1)


def _require_cycled(cycle_momentum: bool) -> None:
    if not leaves.flag("cycle_momentum", cycle_momentum):
        raise ValueError("cycle_momentum must be True for the momentum to have a schedule, got False")
