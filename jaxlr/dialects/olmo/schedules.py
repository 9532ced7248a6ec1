# ruff: noqa: N802, the names are OLMo-core's
"""OLMo-core's schedulers that are one curve behind a warm-up."""

from __future__ import annotations

from collections.abc import Sequence

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import Number
from jaxlr.schedules import Schedule
from jaxlr.typing import Scalar


def ConstantScheduler(initial_lr: Scalar, max_steps: int) -> Schedule:
    """The rate as it is.

    Args:
      initial_lr, max_steps: see the module; the second changes nothing.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> float(olmo.ConstantScheduler(0.5, 10)(7))
      0.5
    """
    return core.constant(common.number("initial_lr", initial_lr))


def ConstantWithWarmup(
    initial_lr: Scalar,
    max_steps: int,
    *,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: Scalar = 0.0,
) -> Schedule:
    """Up in a straight line, and on at the rate.

    lr(n) = warmup_min_lr + (initial_lr - warmup_min_lr) * n / warmup for n <= warmup, and initial_lr from there on

    Args:
      initial_lr, max_steps, warmup, warmup_fraction, warmup_min_lr: see the module.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> rate = olmo.ConstantWithWarmup(1.0, 10, warmup=2)
      >>> [float(rate(n)) for n in range(4)]
      [0.0, 0.5, 1.0, 1.0]
    """
    peak = common.number("initial_lr", initial_lr)
    warm = _part("warmup", warmup, warmup_fraction, _run(max_steps))
    return _warmed(core.constant(peak), warm, peak, warmup_min_lr)


def WSD(
    initial_lr: Scalar,
    max_steps: int,
    *,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    decay: int | None = None,
    decay_fraction: float | None = None,
    warmup_min_lr: Scalar = 0.0,
    decay_min_lr: Scalar = 0.0,
) -> Schedule:
    """Up, along, and down in a straight line.

    The warm-up as in `ConstantWithWarmup`, and lr(n) = decay_min_lr + (initial_lr - decay_min_lr) * (max_steps - n) /
    decay in the last `decay` of the run

    Args:
      initial_lr, max_steps, warmup, warmup_fraction, decay, decay_fraction, warmup_min_lr, decay_min_lr: see the
        module.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> rate = olmo.WSD(1.0, 8, warmup=2, decay=4)
      >>> [float(rate(n)) for n in range(10)]
      [0.0, 0.5, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    peak, total = common.number("initial_lr", initial_lr), _run(max_steps)
    warm = _part("warmup", warmup, warmup_fraction, total)
    fall = _part("decay", decay, _tenth(decay, decay_fraction), total)
    first, last = _low("warmup_min_lr", warmup_min_lr, peak), _low("decay_min_lr", decay_min_lr, peak)
    stable = total - fall
    if fall and warm <= stable:
        return core.warmup_stable_decay(peak, warm, stable - warm, fall, init_value=first, end_value=last)
    if not fall:
        flat = common.in_turn((core.constant(peak), max(total - warm, 0)), last=core.constant(last))
        return _warmed(flat, warm, peak, first) if warm < total else _cut(core.constant(last), warm, peak, first)
    return _cut(core.linear(peak, last, fall).shift(warm + 1 - stable), warm, peak, first)


def PowerLR(
    initial_lr: Scalar,
    max_steps: int,
    *,
    b: Scalar = -0.51,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: Scalar = 0.0,
    decay: int | None = None,
    decay_fraction: float | None = None,
    decay_min_lr: Scalar = 0.0,
) -> Schedule:
    """Up in a straight line, down as a power of the count, and at last in a straight line.

    The warm-up as in `ConstantWithWarmup`, lr(n) = initial_lr * (n / warmup) ** b after it, and in the last `decay` of
    the run a straight line from there to decay_min_lr

    Args:
      initial_lr, max_steps, warmup, warmup_fraction, warmup_min_lr, decay, decay_fraction, decay_min_lr: see the
        module.
      b: the power, below 0.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> rate = olmo.PowerLR(1.0, 20, b=-0.5, warmup=4, decay=4)
      >>> [round(float(rate(n)), 4) for n in (0, 2, 4, 9, 16, 18, 20, 21)]
      [0.0, 0.5, 1.0, 0.6667, 0.5, 0.25, 0.0, 0.0]
    """
    peak, total = common.number("initial_lr", initial_lr), _run(max_steps)
    exponent = common.signed("b", b)
    if common.known(exponent) and exponent >= 0:
        raise ValueError(f"b must be below 0, got {b}")
    warm = _part("warmup", warmup, warmup_fraction, total)
    fall = _part("decay", decay, _tenth(decay, decay_fraction), total)
    first, last = _low("warmup_min_lr", warmup_min_lr, peak), common.number("decay_min_lr", decay_min_lr)
    if fall >= total:
        raise ValueError(f"decay must be below max_steps, {total}, got {fall}")
    scale = max(warm, 1)
    start = peak * ((total - fall) / scale) ** exponent
    _low("decay_min_lr", decay_min_lr, start)
    if warm > total - fall:
        return _cut(core.linear(start, last, fall).shift(warm + 1 - total + fall), warm, peak, first)
    falling = core.power(peak, exponent, timescale=scale)
    whole = common.up_and(falling.shift(warm), peak, warm, first) if warm else falling
    return _ended(whole, total, fall, last)


def LinearWithWarmup(
    initial_lr: Scalar,
    max_steps: int,
    *,
    alpha_f: Scalar = 0.1,
    t_max: int | None = None,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: Scalar = 0.0,
) -> Schedule:
    """Up in a straight line, and down in one to a share of the peak.

    Args:
      initial_lr, max_steps, alpha_f, t_max, warmup, warmup_fraction, warmup_min_lr: see the module.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> rate = olmo.LinearWithWarmup(1.0, 6, alpha_f=0.5, warmup=2)
      >>> [float(rate(n)) for n in range(8)]
      [0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.5]
    """
    peak, total = common.number("initial_lr", initial_lr), _run(max_steps, t_max)
    warm = _part("warmup", warmup, warmup_fraction, total)
    last = common.number("alpha_f", alpha_f) * peak
    if warm >= total:
        return common.up_and(core.constant(last), peak, warm, _low("warmup_min_lr", warmup_min_lr, peak))
    return _warmed(core.linear(peak, last, total - warm), warm, peak, warmup_min_lr)


def InvSqrtWithWarmup(
    initial_lr: Scalar,
    max_steps: int,
    *,
    alpha_f: Scalar = 0.1,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: Scalar = 0.0,
) -> Schedule:
    """Up in a straight line, and down towards a share of the peak as one over the root of the count.

    lr(n) = low + (initial_lr - low) * sqrt(warmup / n) from n = warmup on, low = alpha_f * initial_lr

    Args:
      initial_lr, max_steps, alpha_f, warmup, warmup_fraction, warmup_min_lr: see the module.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> rate = olmo.InvSqrtWithWarmup(1.0, 100, alpha_f=0.0, warmup=4)
      >>> [float(rate(n)) for n in (0, 2, 4, 16, 64)]
      [0.0, 0.5, 1.0, 0.5, 0.25]
    """
    peak = common.number("initial_lr", initial_lr)
    warm = _part("warmup", warmup, warmup_fraction, _run(max_steps))
    low = common.number("alpha_f", alpha_f) * peak
    if not warm:
        return core.constant(low)
    falling = core.inverse_sqrt(peak - low, timescale=warm).shift(warm)
    return _warmed(falling if common.equals(low, 0) else falling + low, warm, peak, warmup_min_lr)


def CosWithWarmup(
    initial_lr: Scalar,
    max_steps: int,
    *,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    alpha_f: Scalar = 0.1,
    t_max: int | None = None,
    warmup_min_lr: Scalar = 0.0,
) -> Schedule:
    """Up in a straight line, and down along half a cosine to a share of the peak.

    Args:
      initial_lr, max_steps, warmup, warmup_fraction, alpha_f, t_max, warmup_min_lr: see the module.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> rate = olmo.CosWithWarmup(1.0, 6, warmup=2, alpha_f=0.0)
      >>> [round(float(rate(n)), 4) for n in range(8)]
      [0.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """
    peak, total = common.number("initial_lr", initial_lr), _run(max_steps, t_max)
    warm = _part("warmup", warmup, warmup_fraction, total)
    last = common.number("alpha_f", alpha_f) * peak
    if warm >= total:
        return common.up_and(core.constant(last), peak, warm, _low("warmup_min_lr", warmup_min_lr, peak))
    return _warmed(core.cosine(peak, total - warm, end_value=last), warm, peak, warmup_min_lr)


def HalfCosWithWarmup(
    initial_lr: Scalar,
    max_steps: int,
    *,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    alpha_f: Scalar = 0.1,
    t_max: int | None = None,
    warmup_min_lr: Scalar = 0.0,
) -> Schedule:
    """Up in a straight line to half way between the peak and the last rate, and down along the rest of the cosine.

    Args:
      initial_lr: the peak of the whole cosine.
      max_steps, warmup, warmup_fraction, alpha_f, t_max, warmup_min_lr: see the module.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> rate = olmo.HalfCosWithWarmup(1.0, 4, warmup=2, alpha_f=0.0)
      >>> [round(float(rate(n)), 4) for n in range(6)]
      [0.0, 0.25, 0.5, 0.1464, 0.0, 0.0]
    """
    peak, total = common.number("initial_lr", initial_lr), _run(max_steps, t_max)
    warm = _part("warmup", warmup, warmup_fraction, total)
    last = common.number("alpha_f", alpha_f) * peak
    middle = last + (peak - last) / 2
    if warm >= total:
        return common.up_and(core.constant(last), middle, warm, _low("warmup_min_lr", warmup_min_lr, middle))
    half = core.cosine(peak, 2 * (total - warm), end_value=last).shift(total - warm)
    return _warmed(half, warm, middle, warmup_min_lr)


def CosWithWarmupAndLinearDecay(
    initial_lr: Scalar,
    max_steps: int,
    *,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    alpha_f: Scalar = 0.1,
    t_max: int | None = None,
    warmup_min_lr: Scalar = 0.0,
    decay: int | None = None,
    decay_fraction: float | None = None,
    decay_min_lr: Scalar = 0.0,
) -> Schedule:
    """`CosWithWarmup`, whose last part is a straight line from where it is.

    Args:
      initial_lr, max_steps, warmup, warmup_fraction, alpha_f, t_max, warmup_min_lr, decay, decay_fraction,
        decay_min_lr: see the module; the decay is the last of `max_steps`, whatever `t_max` is.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> rate = olmo.CosWithWarmupAndLinearDecay(1.0, 6, warmup=2, alpha_f=0.0, decay=2)
      >>> [round(float(rate(n)), 4) for n in range(8)]
      [0.0, 0.5, 1.0, 0.8536, 0.5, 0.25, 0.0, 0.0]
    """
    total = _run(max_steps)
    fall = _part("decay", decay, _tenth(decay, decay_fraction), total)
    whole = CosWithWarmup(
        initial_lr,
        total,
        warmup=warmup,
        warmup_fraction=warmup_fraction,
        alpha_f=alpha_f,
        t_max=t_max,
        warmup_min_lr=warmup_min_lr,
    )
    if fall > total:
        raise ValueError(f"decay must be at most max_steps, {total}, got {fall}")
    return _ended(whole, total, fall, common.number("decay_min_lr", decay_min_lr))


def WSDS(
    initial_lr: Scalar,
    max_steps: int | None = None,
    *,
    period_lengths: Sequence[int],
    period_lr_multipliers: Sequence[float] | None = None,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    decay: int | None = None,
    decay_fraction: float | None = None,
    warmup_min_lr: Scalar = 0.0,
    decay_min_lr: Scalar = 0.0,
) -> Schedule:
    """A warm-up, and then along and down in a straight line, period after period.

    The last rate of a period stands at the first count of the next one, which goes on at its peak.

    Args:
      initial_lr: the peak.
      max_steps: changes nothing.
      period_lengths: one or more lengths, each at least 1; the warm-up is a part of the first.
      period_lr_multipliers: how much higher the peak of each period is, each above 0; 1 for all if None.
      warmup, warmup_fraction: see the module; the fraction is one of the first period.
      decay, decay_fraction: one of the two; the fraction is one of each period.
      warmup_min_lr, decay_min_lr: see the module.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> rate = olmo.WSDS(1.0, period_lengths=[4, 4], warmup=1, decay=2)
      >>> [float(rate(n)) for n in range(10)]
      [0.0, 1.0, 1.0, 0.5, 0.0, 1.0, 1.0, 0.5, 0.0, 0.0]
    """
    peak = common.number("initial_lr", initial_lr)
    lengths = common.each(common.known_length, "period_lengths", period_lengths, minimum=1)
    if not lengths:
        raise ValueError("period_lengths must hold one length at least, got none")
    factors = [1.0] * len(lengths) if period_lr_multipliers is None else list(period_lr_multipliers)
    if len(factors) != len(lengths):
        raise ValueError(
            f"period_lr_multipliers must be {len(lengths)} numbers, one for each period, got {len(factors)}"
        )
    peaks = [peak * common.positive(f"period_lr_multipliers[{i}]", each) for i, each in enumerate(factors)]
    warm = _part("warmup", warmup, warmup_fraction, lengths[0])
    falls = [_part("decay", decay, decay_fraction, each) for each in lengths]
    first, last = _low("warmup_min_lr", warmup_min_lr, peaks[0]), common.number("decay_min_lr", decay_min_lr)
    for i, (length, fall) in enumerate(zip(lengths, falls, strict=True)):
        if fall > length - (0 if i else warm):
            raise ValueError(f"warmup and decay must fit into period_lengths[{i}], {length}, got a decay of {fall}")
    pieces = [(core.linear(first, peaks[0], max(warm, 1)), warm)]
    for i, (length, fall, top) in enumerate(zip(lengths, falls, peaks, strict=True)):
        gone = 1 if i else 0  # a period's first count is the last one's end
        flat = length - fall - (0 if i else warm)
        pieces += [(core.constant(top), max(flat - gone, 0))]
        if fall:
            begun = max(gone - flat, 0)
            down = core.linear(top, last, fall)
            pieces += [(down.shift(begun) if begun else down, fall + 1 - begun)]
        else:
            pieces += [(core.constant(top), 1)]
    return common.in_turn(*pieces[:-1], (pieces[-1][0], pieces[-1][1] - 1), last=core.constant(last))


def ExponentialScheduler(initial_lr: Scalar, max_steps: int, *, lr_min: Scalar = 1e-9) -> Schedule:
    """Up along an exponential, as for a range test.

    lr(n) = lr_min * (initial_lr / lr_min) ** (n / max_steps), and initial_lr from n = max_steps on

    Args:
      initial_lr: the last rate, above 0.
      max_steps: see the module.
      lr_min: the first rate, above 0.

    Example:
      >>> from jaxlr.dialects import olmo
      >>> rate = olmo.ExponentialScheduler(1.0, 4, lr_min=1e-4)
      >>> [round(float(rate(n)), 6) for n in range(6)]
      [0.0001, 0.001, 0.01, 0.1, 1.0, 1.0]
    """
    first, last = common.positive("lr_min", lr_min), common.positive("initial_lr", initial_lr)
    total = _run(max_steps)
    rise = core.exponential(first, last / first, transition_steps=total)
    return common.in_turn((rise, total), last=core.constant(last))


def _run(max_steps: int, t_max: int | None = None) -> int:
    """Where the schedule ends."""
    total = common.known_length("max_steps", max_steps, minimum=1)
    return total if t_max is None else common.known_length("t_max", t_max, minimum=1)


def _tenth(decay: int | None, fraction: float | None) -> float | None:
    return 0.1 if decay is None and fraction is None else fraction


def _part(name: str, length: int | None, fraction: float | None, total: int) -> int:
    """A length, or one as a share of another."""
    if (length is None) == (fraction is None):
        raise ValueError(f"{name} or {name}_fraction must be given, and only one of them, got {length} and {fraction}")
    if length is not None:
        return common.known_length(name, length)
    return round(total * common.known_share(f"{name}_fraction", fraction))  # pyright: ignore[reportArgumentType]


def _low(name: str, value: Scalar, peak: Number) -> Number:
    low = common.number(name, value)
    if common.known(low, peak) and not low < peak:
        raise ValueError(f"{name} must be below the rate that it belongs to, {peak}, got {value}")
    return low


def _warmed(schedule: Schedule, warm: int, peak: Number, warmup_min_lr: Scalar) -> Schedule:
    """The schedule behind a straight line to its start."""
    first = _low("warmup_min_lr", warmup_min_lr, peak)
    return common.warmed(schedule, warm, None if common.equals(first, 0) else first)


def _cut(schedule: Schedule, warm: int, peak: Number, first: Number) -> Schedule:
    """A warm-up with the peak at its end, and the schedule right after that."""
    return common.in_turn((core.linear(first, peak, max(warm, 1)), warm + 1), last=schedule)


def _ended(schedule: Schedule, total: int, fall: int, last: Number) -> Schedule:
    """The schedule with a straight line to the last rate at its end."""
    return core.cooldown(schedule, total - fall, fall, shape="linear", end_value=last) if fall else schedule
