"""MMEngine's cosines and its cycle."""

# ruff: noqa: N802, N803, MMEngine's own names

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import Number
from jaxlr.dialects.mmengine.shared import INF, counts, windowed
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Lengths, Scalar


def CosineAnnealingLR(
    value: Scalar,
    T_max: Length | None = None,
    eta_min: Scalar | None = None,
    begin: Length = 0,
    end: Length = INF,
    last_step: Length = -1,
    by_epoch: bool = True,
    verbose: object = False,
    eta_min_ratio: Scalar | None = None,
) -> Schedule:
    """A cosine to `eta_min` in `T_max` counts, and back: `jaxlr.cosine`, which `end` cuts off at count `end - 1`.

    Args:
      T_max: half a wave; `end - begin` if None, and then the last count is one before the lowest value.
      eta_min: the lowest value, 0 if neither it nor its ratio is given.
      eta_min_ratio: the lowest value as a share of `value`.
      value, begin, end, last_step, by_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import mmengine
      >>> rate = mmengine.CosineAnnealingLR(1.0, T_max=2, end=3)
      >>> [float(rate(n)) for n in range(5)]
      [1.0, 0.5, 0.0, 0.0, 0.0]
    """
    base = common.signed("value", value)
    window = counts(begin, end, needed="CosineAnnealingLR without T_max" if T_max is None else None)
    steps = window.length if T_max is None else common.length("T_max", T_max, minimum=1)
    curve = core.cosine(base, steps, end_value=_low(base, eta_min, eta_min_ratio, 0.0), after="rise")  # pyright: ignore
    return windowed(curve, base, window, last_step, by_epoch)


def CosineRestartLR(
    value: Scalar,
    periods: Lengths,
    restart_weights: Sequence[Scalar] = (1,),
    eta_min: Scalar | None = None,
    eta_min_ratio: Scalar | None = None,
    begin: Length = 0,
    end: Length = INF,
    last_step: Length = -1,
    by_epoch: bool = True,
    verbose: object = False,
) -> Schedule:
    """Cosines one after another, each from its own multiple of the value; after the last its last value stays.

    Args:
      periods: counts of each cosine.
      restart_weights: the peak of each as a multiple of `value`; as many as there are periods.
      eta_min, eta_min_ratio: the lowest value, or its share of `value`; one of the two.
      value, begin, end, last_step, by_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import mmengine
      >>> rate = mmengine.CosineRestartLR(1.0, [2, 2], [1.0, 0.5], eta_min=0.0)
      >>> [round(float(rate(n)), 4) for n in range(6)]
      [1.0, 0.5, 0.5, 0.25, 0.25, 0.25]
    """
    base = common.signed("value", value)
    low = _low(base, eta_min, eta_min_ratio, None)
    steps = common.each(common.length, "periods", periods, minimum=1)
    weights = common.each(common.number, "restart_weights", restart_weights)
    if not steps or len(steps) != len(weights):
        raise ValueError(f"restart_weights must be as many as periods, got {len(weights)} and {len(steps)}")
    cosines = [core.cosine(base * weight, each, end_value=low) for weight, each in zip(weights, steps, strict=True)]
    curve = core.join([*cosines, cosines[-1].shift(steps[-1] - 1).repeat(1)], list(itertools.accumulate(steps)))
    return windowed(curve, base, counts(begin, end), last_step, by_epoch)


def OneCycleLR(
    value: Scalar,
    eta_max: Scalar = 0,
    total_steps: Length | None = None,
    pct_start: Scalar = 0.3,
    anneal_strategy: Literal["cos", "linear"] = "cos",
    div_factor: Scalar = 25.0,
    final_div_factor: Scalar = 1e4,
    three_phase: bool = False,
    begin: Length = 0,
    end: Length = INF,
    last_step: Length = -1,
    by_epoch: bool = True,
    verbose: object = False,
) -> Schedule:
    """`jaxlr.one_cycle`, which is PyTorch's, with its end at count `total_steps - 1`.

    Args:
      value: the optimizer's rate, before `begin` alone.
      eta_max: the peak.
      total_steps: counts of the cycle; `end - begin` if None.
      pct_start, anneal_strategy, div_factor, final_div_factor, three_phase: as in `jaxlr.one_cycle`.
      begin, end, last_step, by_epoch, verbose: see the module.

    Example:
      >>> from jaxlr.dialects import mmengine
      >>> rate = mmengine.OneCycleLR(0.1, eta_max=1.0, total_steps=5, pct_start=0.4, div_factor=4.0)
      >>> [round(float(rate(n)), 4) for n in range(5)]
      [0.25, 1.0, 0.75, 0.25, 0.0]
    """
    base = common.signed("value", value)
    window = counts(begin, end, needed="OneCycleLR without total_steps" if total_steps is None else None)
    steps = window.length if total_steps is None else common.length("total_steps", total_steps, minimum=1)
    curve = core.one_cycle(
        common.number("eta_max", eta_max),
        steps,  # pyright: ignore[reportArgumentType], there is an end
        pct_start=pct_start,
        div_factor=div_factor,
        final_div_factor=final_div_factor,
        anneal=leaves.choice("anneal_strategy", anneal_strategy, ("cos", "linear")),
        three_phase=three_phase,
    )
    return windowed(curve, base, window, last_step, by_epoch)


def _low(base: Number, eta_min: Scalar | None, ratio: Scalar | None, default: float | None) -> Number:
    if (eta_min is not None and ratio is not None) or (eta_min is None and ratio is None and default is None):
        raise ValueError(f"eta_min or eta_min_ratio must be given, and not both, got {eta_min!r} and {ratio!r}")
    if ratio is not None:
        return base * common.number("eta_min_ratio", ratio)
    return common.signed("eta_min", eta_min if eta_min is not None else default or 0.0)
