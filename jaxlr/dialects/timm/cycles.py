# ruff: noqa: N802, the names are timm's
"""timm's schedulers that may run several times: the cosine, the hyperbolic tangent and the polynomial."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, Unpack

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.dialects.timm.shared import Others, refuse, warmed, warmed_to_its_start
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Scalar

Curve: TypeAlias = "Callable[[Number, Number, Updates], Schedule]"  # from a first to a last rate in so many updates


def CosineLRScheduler(
    lr: Scalar,
    t_initial: Length,
    lr_min: Scalar = 0.0,
    cycle_mul: Scalar = 1.0,
    cycle_decay: Scalar = 1.0,
    cycle_limit: Length = 1,
    warmup_t: Length = 0,
    warmup_lr_init: Scalar = 0.0,
    warmup_prefix: bool = False,
    *,
    k_decay: Scalar = 1.0,
    **others: Unpack[Others],
) -> Schedule:
    """Half a cosine, `cycle_limit` times, and then `lr_min`.

    Cycle i lasts T_i = t_initial * cycle_mul ** i updates; t updates into it
    lr = lr_min + (lr * cycle_decay ** i - lr_min) * (1 + cos(pi (t / T_i) ** k_decay)) / 2

    Args:
      lr: the rate.
      t_initial: updates in the first cycle; an integer, at least 1.
      lr_min: the rate that every cycle falls to.
      cycle_mul: how much longer each next cycle is; at least 1 where there are several.
      cycle_decay: how much higher each next peak is.
      cycle_limit: the number of cycles; an integer, at least 0.
      warmup_t: updates of the warm-up; an integer, at least 0.
      warmup_lr_init: the first rate of the warm-up.
      warmup_prefix: whether the schedule starts after the warm-up; if not, the rate jumps at its end.
      k_decay: the power of the time, above 0.
      **others: see the module.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.CosineLRScheduler(1.0, 2, cycle_mul=2.0, cycle_decay=0.5, cycle_limit=2)
      >>> [round(float(rate(t)), 4) for t in range(7)]
      [1.0, 0.5, 0.5, 0.4268, 0.25, 0.0732, 0.0]
    """
    refuse(CosineLRScheduler, others)
    k = common.positive("k_decay", k_decay)

    def curve(first: Number, last: Number, steps: Updates) -> Schedule:
        if common.equals(k, 1):
            return core.cosine(first, steps, end_value=last)
        return core.k_decay(first, steps, k=k, end_value=last)

    cycles = _cycles(curve, lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit)
    return warmed_to_its_start(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)


def TanhLRScheduler(
    lr: Scalar,
    t_initial: Length,
    lb: Scalar = -7.0,
    ub: Scalar = 3.0,
    lr_min: Scalar = 0.0,
    cycle_mul: Scalar = 1.0,
    cycle_decay: Scalar = 1.0,
    cycle_limit: Length = 1,
    warmup_t: Length = 0,
    warmup_lr_init: Scalar = 0.0,
    warmup_prefix: bool = False,
    **others: Unpack[Others],
) -> Schedule:
    """A hyperbolic tangent between two of its arguments, `cycle_limit` times, and then `lr_min`.

    Cycle i lasts T_i = t_initial * cycle_mul ** i updates; t updates into it, with x = t / T_i,
    lr = lr_min + (lr * cycle_decay ** i - lr_min) * (1 - tanh(lb * (1 - x) + ub * x)) / 2

    Args:
      lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit: as in `CosineLRScheduler`.
      lb: the tangent's first argument, below `ub`; in [-40, 40].
      ub: the tangent's last argument; in [-40, 40].
      warmup_t, warmup_lr_init: as in `CosineLRScheduler`.
      warmup_prefix: whether the schedule starts after a warm-up to `lr`; if not, the warm-up leads to the rate that it
        has at t = warmup_t.
      **others: see the module.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.TanhLRScheduler(1.0, 10)
      >>> [round(float(rate(t)), 4) for t in (0, 5, 7, 9, 10)]
      [1.0, 0.982, 0.5, 0.018, 0.0]
    """
    refuse(TanhLRScheduler, others)
    if common.known(lb, ub) and not lb < ub:  # pyright: ignore[reportOperatorIssue], known numbers
        raise ValueError(f"lb must be below ub, got lb={lb} and ub={ub}")

    def curve(first: Number, last: Number, steps: Updates) -> Schedule:
        fall = core.tanh(first, steps, end_value=last, lower=lb, upper=ub)
        return common.in_turn((fall, steps), last=core.constant(last)) if common.equals(cycle_limit, 1) else fall

    cycles = _cycles(curve, lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit)
    if leaves.flag("warmup_prefix", warmup_prefix):
        return warmed(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)
    later = common.length("warmup_t", warmup_t)
    return common.warmed(cycles.shift(later), later, common.number("warmup_lr_init", warmup_lr_init))


def PolyLRScheduler(
    lr: Scalar,
    t_initial: Length,
    power: Scalar = 0.5,
    lr_min: Scalar = 0.0,
    cycle_mul: Scalar = 1.0,
    cycle_decay: Scalar = 1.0,
    cycle_limit: Length = 1,
    warmup_t: Length = 0,
    warmup_lr_init: Scalar = 0.0,
    warmup_prefix: bool = False,
    *,
    k_decay: Scalar = 1.0,
    **others: Unpack[Others],
) -> Schedule:
    """A power of what is left, `cycle_limit` times, and then `lr_min`.

    Cycle i lasts T_i = t_initial * cycle_mul ** i updates; t updates into it
    lr = lr_min + (lr * cycle_decay ** i - lr_min) * (1 - (t / T_i) ** k_decay) ** power

    Args:
      lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit: as in `CosineLRScheduler`.
      power: the power, above 0.
      warmup_t, warmup_lr_init, warmup_prefix, k_decay, **others: as in `CosineLRScheduler`.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.PolyLRScheduler(1.0, 4, power=2.0)
      >>> [float(rate(t)) for t in range(6)]
      [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """
    refuse(PolyLRScheduler, others)
    k = common.positive("k_decay", k_decay)

    def curve(first: Number, last: Number, steps: Updates) -> Schedule:
        if common.equals(k, 1):
            return core.polynomial(first, last, power, steps)
        return core.k_decay(first, steps, k=k, end_value=last, power=power, shape="linear")

    cycles = _cycles(curve, lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit)
    return warmed_to_its_start(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)


def _cycles(
    curve: Curve,
    lr: Scalar,
    t_initial: Length,
    lr_min: Scalar,
    cycle_mul: Scalar,
    cycle_decay: Scalar,
    cycle_limit: Length,
) -> Schedule:
    """The curve from a first to a last rate, `cycle_limit` times."""
    first, last = common.number("lr", lr), common.number("lr_min", lr_min)
    steps = common.length("t_initial", t_initial, minimum=1)
    leaves.factor("cycle_decay", cycle_decay)
    longer = common.positive("cycle_mul", cycle_mul)
    limit = common.length("cycle_limit", cycle_limit)
    if common.equals(limit, 0):
        return core.constant(last)
    if common.equals(limit, 1):
        return curve(first, last, steps)
    if common.known(longer) and longer < 1:
        raise ValueError(f"cycle_mul must be at least 1 where there is more than one cycle, got {cycle_mul}")
    if common.equals(longer, 1) and isinstance(steps, int) and isinstance(limit, int):
        end = min(steps * limit, leaves.LARGEST_LENGTH)
        return common.in_turn((_equal_cycles(curve, first, steps, last, cycle_decay), end), last=core.constant(last))
    if common.equals(cycle_decay, 1) or common.equals(last, 0):
        return core.with_restarts(
            curve(first, last, steps), steps, t_mul=longer, m_mul=cycle_decay, limit=limit, end_value=last
        )
    peaks = core.with_restarts(curve(first, 0.0, steps), steps, t_mul=longer, m_mul=cycle_decay, limit=limit)
    floor = core.with_restarts(curve(0.0, last, steps), steps, t_mul=longer, limit=limit, end_value=last)
    return peaks + floor


def _equal_cycles(curve: Curve, first: Number, steps: int, last: Number, cycle_decay: Scalar) -> Schedule:
    """The same without end, for cycles of one length: a smaller program."""
    if common.equals(cycle_decay, 1):
        return curve(first, last, steps).repeat(steps)
    peaks = curve(first, 0.0, steps).repeat(steps) * core.step_decay(1.0, cycle_decay, steps)
    return peaks if common.equals(last, 0) else peaks + curve(0.0, last, steps).repeat(steps)
