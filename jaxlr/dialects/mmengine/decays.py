"""MMEngine's schedulers that go one way, and the rule over a metric."""

# ruff: noqa: N802, MMEngine's own names

from __future__ import annotations

from typing import Literal

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.mmengine.shared import INF, counts, windowed
from jaxlr.schedules import Schedule, leaves
from jaxlr.transforms import hyperparameters, reduce_on_plateau
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.rate.plateau import ReduceOnPlateau
from jaxlr.typing import Length, Lengths, Scalar


def ConstantLR(
    value: Scalar,
    factor: Scalar = 1.0 / 3,
    begin: Length = 0,
    end: Length = INF,
    last_step: Length = -1,
    by_epoch: bool = True,
    verbose: object = False,
) -> Schedule:
    """The value times a factor, and the value itself at the last count and after it.

    Args:
      factor: in [0, 1].
      value, begin, end, last_step, by_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import mmengine
      >>> rate = mmengine.ConstantLR(1.0, factor=0.25, end=4)
      >>> [float(rate(n)) for n in range(5)]
      [0.25, 0.25, 0.25, 1.0, 1.0]
    """
    base, share = common.signed("value", value), common.share("factor", factor)
    window = counts(begin, end, least=2)
    low = base * share
    curve = core.constant(low) if window.length is None else core.piecewise_constant([low, base], [window.last])
    return windowed(curve, base, window, last_step, by_epoch)


def LinearLR(
    value: Scalar,
    start_factor: Scalar = 1.0 / 3,
    end_factor: Scalar = 1.0,
    begin: Length = 0,
    end: Length = INF,
    last_step: Length = -1,
    by_epoch: bool = True,
    verbose: object = False,
) -> Schedule:
    """A straight line between two multiples of the value, the second at count `end - 1`.

    Args:
      start_factor, end_factor: in [0, 1].
      value, begin, end, last_step, by_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import mmengine
      >>> rate = mmengine.LinearLR(1.0, start_factor=0.25, end=4)
      >>> [float(rate(n)) for n in range(5)]
      [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    base = common.signed("value", value)
    low, high = base * common.share("start_factor", start_factor), base * common.share("end_factor", end_factor)
    window = counts(begin, end, least=2, needed="LinearLR")
    return windowed(core.linear(low, high, window.last), base, window, last_step, by_epoch)


def PolyLR(
    value: Scalar,
    eta_min: Scalar = 0,
    power: Scalar = 1.0,
    begin: Length = 0,
    end: Length = INF,
    last_step: Length = -1,
    by_epoch: bool = True,
    verbose: object = False,
) -> Schedule:
    """A power of what is left, `eta_min` at count `end - 1`.

    Args:
      eta_min: the last value.
      power: above 0.
      value, begin, end, last_step, by_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import mmengine
      >>> rate = mmengine.PolyLR(1.0, power=2.0, end=3)
      >>> [float(rate(n)) for n in range(4)]
      [1.0, 0.25, 0.0, 0.0]
    """
    base, low = common.signed("value", value), common.signed("eta_min", eta_min)
    window = counts(begin, end, least=2, needed="PolyLR")
    curve = core.polynomial(base, low, leaves.positive("power", power), window.last)
    return windowed(curve, base, window, last_step, by_epoch)


def StepLR(
    value: Scalar,
    step_size: Length,
    gamma: Scalar = 0.1,
    begin: Length = 0,
    end: Length = INF,
    last_step: Length = -1,
    by_epoch: bool = True,
    verbose: object = False,
) -> Schedule:
    """The value times `gamma` after every `step_size` counts: `jaxlr.step_decay`.

    Args:
      step_size: an integer, at least 1.
      gamma: at least 0.
      value, begin, end, last_step, by_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import mmengine
      >>> mmengine.StepLR(0.1, 30)
      step_decay(init_value=0.1, decay_rate=0.1, step_size=30)
    """
    base = common.signed("value", value)
    curve = core.step_decay(base, leaves.factor("gamma", gamma), step_size)
    return windowed(curve, base, counts(begin, end), last_step, by_epoch)


def MultiStepLR(
    value: Scalar,
    milestones: Lengths,
    gamma: Scalar = 0.1,
    last_step: Length = -1,
    begin: Length = 0,
    end: Length = INF,
    by_epoch: bool = True,
    verbose: object = False,
) -> Schedule:
    """The value times `gamma` at each milestone: `jaxlr.multi_step`.

    Args:
      milestones: counts from `begin` on, in any order; one that stands twice counts twice.
      gamma: at least 0.
      value, last_step, begin, end, by_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import mmengine
      >>> mmengine.MultiStepLR(0.1, [9, 4], gamma=0.5)
      multi_step(init_value=0.1, milestones=[4, 9], decay_rate=0.5)
    """
    base = common.signed("value", value)
    marks = sorted(leaves.sequence("milestones", milestones))
    curve = core.multi_step(base, marks, leaves.factor("gamma", gamma)) if marks else core.constant(base)
    return windowed(curve, base, counts(begin, end), last_step, by_epoch)


def ExponentialLR(
    value: Scalar,
    gamma: Scalar,
    begin: Length = 0,
    end: Length = INF,
    last_step: Length = -1,
    by_epoch: bool = True,
    verbose: object = False,
) -> Schedule:
    """The value times `gamma` after every count: `jaxlr.exponential`.

    Args:
      gamma: at least 0.
      value, begin, end, last_step, by_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import mmengine
      >>> rate = mmengine.ExponentialLR(1.0, 0.5, begin=1, end=4)
      >>> [float(rate(n)) for n in range(6)]
      [1.0, 1.0, 0.5, 0.25, 0.25, 0.25]
    """
    base = common.signed("value", value)
    curve = core.exponential(base, leaves.factor("gamma", gamma))
    return windowed(curve, base, counts(begin, end), last_step, by_epoch)


def ReduceOnPlateauLR(
    value: NumberOrSchedule,
    monitor: str = "loss",
    rule: Literal["less", "greater"] = "less",
    factor: Number = 0.1,
    patience: int = 10,
    threshold: Number = 1e-4,
    threshold_rule: Literal["rel", "abs"] = "rel",
    cooldown: int = 0,
    min_value: Number = 0.0,
    eps: Number = 1e-8,
    begin: Length = 0,
    end: Length = INF,
    last_step: Length = -1,
    by_epoch: bool = True,
    verbose: object = False,
) -> ReduceOnPlateau:
    """The rate, cut when a metric has stopped improving: `jaxlr.reduce_on_plateau`, which is PyTorch's rule.

    Args:
      value: the rate, or a schedule.
      monitor: the name of the metric; it is shown by `jaxlr.observe`, so this does nothing.
      rule: "less" if less is better, or "greater".
      factor, patience, threshold, cooldown, eps: as in `jaxlr.reduce_on_plateau`.
      threshold_rule: whether the threshold is a share of the best metric, "rel", or a distance, "abs".
      min_value: cuts stop at this rate.
      begin, end, last_step, by_epoch: only at their defaults; a rule has no counts here.
      verbose: does nothing.

    Example:
      >>> from jaxlr.dialects import mmengine
      >>> type(mmengine.ReduceOnPlateauLR(0.1, rule="greater")).__name__
      'ReduceOnPlateau'
    """
    given = {"begin": (begin, 0), "end": (end, INF), "last_step": (last_step, -1), "by_epoch": (by_epoch, True)}
    for name, (argument, default) in given.items():
        if argument != default:
            raise ValueError(
                f"{name} must be left out for ReduceOnPlateauLR, got {argument!r}: show it no metric there"
            )
    hyperparameters.choice("rule", rule, ("less", "greater"))
    return reduce_on_plateau(
        value,
        mode="min" if rule == "less" else "max",
        factor=factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=hyperparameters.choice("threshold_rule", threshold_rule, ("rel", "abs")),
        cooldown=cooldown,
        min_lr=min_value,
        eps=eps,
    )
