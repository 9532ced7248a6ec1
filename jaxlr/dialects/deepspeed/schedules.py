# ruff: noqa: N802, the names are DeepSpeed's
"""DeepSpeed's schedules: a range test, one cycle, and three warm-ups."""

from __future__ import annotations

from typing import Literal, TypeAlias

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Scalar

RISES = ("log", "linear")
_Ways: TypeAlias = "tuple[Length, Length | None]"  # of the way up and of the way down; None for the same
_LARGEST_MOMENTUM = 0.999


def LRRangeTest(
    lr: Scalar,
    lr_range_test_min_lr: Scalar = 1e-3,
    lr_range_test_step_size: Length = 2000,
    lr_range_test_step_rate: Scalar = 1.0,
    lr_range_test_staircase: bool = False,
    last_batch_iteration: Length = -1,
) -> Schedule:
    """A rate that grows without end, in a straight line or in stairs.

    lr(n) = lr_range_test_min_lr * (1 + lr_range_test_step_rate * n / lr_range_test_step_size), with the floor of the
    quotient if `lr_range_test_staircase`

    Args:
      lr, last_batch_iteration: see the module.
      lr_range_test_min_lr: the first rate.
      lr_range_test_step_size: updates in a step; an integer, at least 1.
      lr_range_test_step_rate: what a step adds, as a share of the first rate; at least 0.
      lr_range_test_staircase: whether the rate stays through a step.

    Example:
      >>> from jaxlr.dialects import deepspeed
      >>> rate = deepspeed.LRRangeTest(0.1, lr_range_test_min_lr=0.5, lr_range_test_step_size=2)
      >>> [round(float(rate(n)), 4) for n in range(5)]
      [0.5, 0.75, 1.0, 1.25, 1.5]
    """
    common.number("lr", lr)
    first = common.number("lr_range_test_min_lr", lr_range_test_min_lr)
    steps = common.length("lr_range_test_step_size", lr_range_test_step_size, minimum=1)
    growth = common.number("lr_range_test_step_rate", lr_range_test_step_rate)
    stairs = leaves.flag("lr_range_test_staircase", lr_range_test_staircase)
    divisor = core.inverse_time(1.0, growth, transition_steps=steps, staircase=stairs)
    return _from(divisor**-1 * first, last_batch_iteration, lag=0)


def OneCycle(
    lr: Scalar,
    cycle_min_lr: Scalar,
    cycle_max_lr: Scalar,
    decay_lr_rate: Scalar = 0.0,
    cycle_first_step_size: Length = 2000,
    cycle_second_step_size: Length | None = None,
    cycle_first_stair_count: Length = 0,
    cycle_second_stair_count: Length | None = None,
    decay_step_size: Length = 0,
    cycle_momentum: bool = True,
    cycle_min_mom: Scalar = 0.8,
    cycle_max_mom: Scalar = 0.9,
    decay_mom_rate: Scalar = 0.0,
    last_batch_iteration: Length = -1,
) -> Schedule:
    """Up and down once, and then down as one over the count.

    From cycle_min_lr to cycle_max_lr in cycle_first_step_size updates, back in cycle_second_step_size, T in all, and
    lr(n) = cycle_min_lr / (1 + decay_lr_rate * (n - T) / decay_step_size) from n = T on; with a stair count k the way
    up is floored, and the way down too, to multiples of 1 / k of it

    Args:
      lr, last_batch_iteration: see the module.
      cycle_min_lr: the first rate, and that at the end of the cycle.
      cycle_max_lr: the peak.
      decay_lr_rate: how fast it decays after the cycle, at least 0; 0 holds it.
      cycle_first_step_size: updates of the way up; an integer, at least 1.
      cycle_second_step_size: updates of the way down, an integer, at least 0; those of the way up if None.
      cycle_first_stair_count: stairs of the way up, an integer; 0 for none.
      cycle_second_stair_count: those of the way down; those of the way up if None.
      decay_step_size: updates in the unit of the decays, an integer; 0 for no decay.
      cycle_momentum, cycle_min_mom, cycle_max_mom, decay_mom_rate: those of `one_cycle_momentum`, which change nothing
        here.

    Example:
      >>> from jaxlr.dialects import deepspeed
      >>> rate = deepspeed.OneCycle(0.1, 0.0, 1.0, cycle_first_step_size=2)
      >>> [float(rate(n)) for n in range(6)]
      [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """
    common.number("lr", lr)
    low, peak = common.number("cycle_min_lr", cycle_min_lr), common.number("cycle_max_lr", cycle_max_lr)
    decay = common.number("decay_lr_rate", decay_lr_rate)
    unit = common.length("decay_step_size", decay_step_size)
    still = common.equals(unit, 0) or common.equals(decay, 0)
    after = core.constant(low) if still else core.inverse_time(low, decay, transition_steps=unit)
    sizes = cycle_first_step_size, cycle_second_step_size
    stairs = cycle_first_stair_count, cycle_second_stair_count
    return _from(_cycle(low, peak, sizes, stairs, after), last_batch_iteration, lag=0)


@common.moved_beside(OneCycle, "b1", "adam")
def one_cycle_momentum(
    lr: Scalar,
    cycle_min_lr: Scalar = 0.0,
    cycle_max_lr: Scalar = 0.0,
    decay_lr_rate: Scalar = 0.0,
    cycle_first_step_size: Length = 2000,
    cycle_second_step_size: Length | None = None,
    cycle_first_stair_count: Length = 0,
    cycle_second_stair_count: Length | None = None,
    decay_step_size: Length = 0,
    cycle_momentum: bool = True,
    cycle_min_mom: Scalar = 0.8,
    cycle_max_mom: Scalar = 0.9,
    decay_mom_rate: Scalar = 0.0,
    last_batch_iteration: Length = -1,
) -> Schedule:
    """The momentum, or Adam's b1, that DeepSpeed moves beside the rate of `OneCycle`: down while that goes up.

    From cycle_max_mom to cycle_min_mom and back, and cycle_max_mom * (1 + decay_mom_rate * (n - T) / decay_step_size)
    from the end of the cycle on, at most 0.999. DeepSpeed sets b2 to 0.99 with it.

    Args:
      lr, last_batch_iteration: see the module.
      cycle_min_lr, cycle_max_lr, decay_lr_rate, cycle_first_step_size, cycle_second_step_size, cycle_first_stair_count,
        cycle_second_stair_count, decay_step_size: as in `OneCycle`.
      cycle_momentum: must be True.
      cycle_min_mom: the lowest momentum, in [0, 1).
      cycle_max_mom: the highest.
      decay_mom_rate: how fast it grows after the cycle, at least 0; 0 holds it.

    Example:
      >>> from jaxlr.dialects import deepspeed
      >>> momentum = deepspeed.one_cycle_momentum(0.1, cycle_min_mom=0.5, cycle_max_mom=0.75, cycle_first_step_size=2)
      >>> [float(momentum(n)) for n in range(6)]
      [0.75, 0.625, 0.5, 0.625, 0.75, 0.75]
    """
    if not leaves.flag("cycle_momentum", cycle_momentum):
        raise ValueError("cycle_momentum must be True where the momentum is asked for, got False")
    low, high = common.number("cycle_min_mom", cycle_min_mom), common.number("cycle_max_mom", cycle_max_mom)
    for name, value in (("cycle_min_mom", low), ("cycle_max_mom", high)):
        if common.known(value) and not value < 1:
            raise ValueError(f"{name} must be below 1, got {value}")
    growth = common.number("decay_mom_rate", decay_mom_rate)
    unit = common.length("decay_step_size", decay_step_size)
    if common.equals(unit, 0) or common.equals(growth, 0):
        after = core.constant(high)
    else:
        after = (core.inverse_time(1.0, growth, transition_steps=unit) ** -1 * high).clip(0.0, _LARGEST_MOMENTUM)
    sizes = cycle_first_step_size, cycle_second_step_size
    stairs = cycle_first_stair_count, cycle_second_stair_count
    return _from(_cycle(high, low, sizes, stairs, after), last_batch_iteration, lag=0)


def WarmupLR(
    lr: Scalar,
    warmup_min_lr: Scalar = 0.0,
    warmup_max_lr: Scalar | None = None,
    warmup_num_steps: Length = 1000,
    warmup_type: Literal["log", "linear"] = "log",
    last_batch_iteration: Length = -1,
) -> Schedule:
    """Up along a logarithm or a straight line, and on at the peak.

    lr(n) = warmup_min_lr + (warmup_max_lr - warmup_min_lr) * f(k), k = n - 1 (and 0 at first), W = warmup_num_steps
    with f(k) = log(k + 1) / log(W) ("log") or k / W ("linear") for k < W, and 1 from there on

    Args:
      lr, last_batch_iteration: see the module.
      warmup_min_lr: the first rate.
      warmup_max_lr: the peak; `lr` if None.
      warmup_num_steps: W, an integer, at least 1; 1 counts as 2.
      warmup_type: "log" or "linear".

    Example:
      >>> from jaxlr.dialects import deepspeed
      >>> rate = deepspeed.WarmupLR(1.0, warmup_num_steps=4)
      >>> [round(float(rate(n)), 4) for n in range(6)]
      [0.0, 0.0, 0.5, 0.7925, 1.0, 1.0]
    """
    rate = common.number("lr", lr)
    low = common.number("warmup_min_lr", warmup_min_lr)
    peak = rate if warmup_max_lr is None else common.number("warmup_max_lr", warmup_max_lr)
    return _from(_warmed(core.constant(peak), low, _warm_up(warmup_num_steps), warmup_type), last_batch_iteration)


def WarmupDecayLR(
    lr: Scalar,
    total_num_steps: Length,
    warmup_min_lr: Scalar = 0.0,
    warmup_max_lr: Scalar = 0.001,
    warmup_num_steps: Length = 1000,
    warmup_type: Literal["log", "linear"] = "log",
    last_batch_iteration: Length = -1,
) -> Schedule:
    """The warm-up of `WarmupLR`, and down in a straight line to its first rate.

    After it lr(n) = warmup_min_lr + (warmup_max_lr - warmup_min_lr) * (total_num_steps - k) / (total_num_steps - W),
    k = n - 1, at least warmup_min_lr

    Args:
      lr, last_batch_iteration: see the module.
      total_num_steps: k at the end; an integer, at least 1. Where the warm-up is longer the rate falls at its end.
      warmup_min_lr: the first rate and the last.
      warmup_max_lr: the peak.
      warmup_num_steps, warmup_type: as in `WarmupLR`.

    Example:
      >>> from jaxlr.dialects import deepspeed
      >>> rate = deepspeed.WarmupDecayLR(1.0, 6, warmup_max_lr=1.0, warmup_num_steps=2, warmup_type="linear")
      >>> [float(rate(n)) for n in range(9)]
      [0.0, 0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    common.number("lr", lr)
    low, peak = common.number("warmup_min_lr", warmup_min_lr), common.number("warmup_max_lr", warmup_max_lr)
    warm = _warm_up(warmup_num_steps)
    left = common.length("total_num_steps", total_num_steps, minimum=1) - warm
    if common.known(left) and left <= 0:
        return _from(_cut(low, peak, warm, warmup_type), last_batch_iteration)
    begin = 1 if leaves.choice("warmup_type", warmup_type, RISES) == "log" else 0  # the peak comes twice
    fall = core.linear(peak, low, left, transition_begin=begin)
    return _from(_warmed(fall, low, warm, warmup_type), last_batch_iteration)


def WarmupCosineLR(
    lr: Scalar,
    total_num_steps: Length,
    warmup_min_ratio: Scalar = 0.0,
    warmup_num_steps: Length = 1000,
    cos_min_ratio: Scalar = 0.0001,
    warmup_type: Literal["log", "linear"] = "log",
    last_batch_iteration: Length = -1,
) -> Schedule:
    """The warm-up of `WarmupLR`, and down along half a cosine.

    lr(n) = lr * ratio(k), k = n - 1, and 0 at first; from k = W = warmup_num_steps on ratio(k) = cos_min_ratio +
    (1 - cos_min_ratio) * (1 + cos(pi (k - W + 1) / (total_num_steps - W))) / 2, the quotient at most 1

    Args:
      lr: the peak, which a linear warm-up does not reach.
      total_num_steps: k + 1 at the end; an integer, at least 1.
      warmup_min_ratio: the rate at k = 0, as a share of `lr`.
      warmup_num_steps, warmup_type: as in `WarmupLR`.
      cos_min_ratio: the last rate, as a share of `lr`.
      last_batch_iteration: see the module.

    Example:
      >>> from jaxlr.dialects import deepspeed
      >>> rate = deepspeed.WarmupCosineLR(1.0, 6, warmup_num_steps=2, cos_min_ratio=0.0, warmup_type="linear")
      >>> [round(float(rate(n)), 4) for n in range(8)]
      [0.0, 0.0, 0.5, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """
    peak, warm = common.number("lr", lr), _warm_up(warmup_num_steps)
    total = common.length("total_num_steps", total_num_steps, minimum=1)
    share = common.number("warmup_min_ratio", warmup_min_ratio)
    low, end = share * peak, common.number("cos_min_ratio", cos_min_ratio) * peak
    fall = core.cosine(peak, common.at_least_one(total - warm), end_value=end)
    if leaves.choice("warmup_type", warmup_type, RISES) == "log":
        whole = _warmed(fall, low, warm, "log")
    else:
        whole = common.up_and(fall.shift(1), peak, warm, low)
    if common.equals(share, 0) or not common.equals(last_batch_iteration, -1):
        return _from(whole, last_batch_iteration)
    return common.in_turn((core.constant(0.0), 1), last=whole)


def _from(schedule: Schedule, last_batch_iteration: Length, lag: int = 1) -> Schedule:
    """The schedule from where a run is, so many updates behind its count."""
    start = common.length("last_batch_iteration", last_batch_iteration, minimum=-1) + 1 - lag
    return schedule if common.equals(start, 0) else schedule.shift(start)


def _warm_up(steps: Length) -> Updates:
    given = common.length("warmup_num_steps", steps, minimum=1)
    return common.at_least_one(given - 1) + 1


def _warmed(after: Schedule, low: Number, steps: Updates, kind: str) -> Schedule:
    """The warm-up to where what follows starts; the logarithm is there an update before its end."""
    first = None if common.equals(low, 0) else low
    if leaves.choice("warmup_type", kind, RISES) == "log":
        return core.warmup(after, steps - 1, init_value=first, kind="log")
    return core.warmup(after, steps, init_value=first)


def _cut(low: Number, peak: Number, steps: Updates, kind: str) -> Schedule:
    """A warm-up that is the whole run or more, and the lowest rate."""
    if leaves.choice("warmup_type", kind, RISES) == "linear":
        return common.up_and(core.constant(low), peak, steps, low)
    return common.in_turn((_warmed(core.constant(peak), low, steps, kind), steps), last=core.constant(low))


def _two(what: str, ways: _Ways, *, minimum: int = 0) -> tuple[Updates, Updates]:
    """The lengths of the ways up and down."""
    up = common.length(f"cycle_first_{what}", ways[0], minimum=minimum)
    return up, up if ways[1] is None else common.length(f"cycle_second_{what}", ways[1])


def _cycle(start: Number, peak: Number, sizes: _Ways, stairs: _Ways, after: Schedule) -> Schedule:
    """There and back, and what follows; 0 stairs are a slope."""
    up, down = _two("step_size", sizes, minimum=1)
    stairs_up, stairs_down = _two("stair_count", stairs)
    rise = core.linear(start, peak, up)
    if not common.equals(stairs_up, 0):
        rise = _staircase("cycle_first_stair_count", start, peak, up, stairs_up)
    fall = core.linear(peak, start, common.at_least_one(down))
    if not common.equals(stairs_down, 0) and not common.equals(down, 0):
        fall = _staircase("cycle_second_stair_count", peak, start, down, stairs_down, late=False)
    return common.in_turn((rise, up), (fall, down), last=after)


def _staircase(
    name: str, start: Number, stop: Number, updates: Updates, stairs: Updates, *, late: bool = True
) -> Schedule:
    """Equal stairs from one value to another; `late` ones are entered where the line is at their height.

    Those that are not are entered as soon as the line leaves the stair before.
    """
    if not isinstance(stairs, int) or not isinstance(updates, int):
        raise TypeError(f"{name} must be an integer that is known, and so must be the updates of its stairs")
    if stairs > updates:
        raise ValueError(f"{name} must be at most the updates of its way, {updates}, got {stairs}")
    width, rest = divmod(updates, stairs)
    if late:
        return core.per_epoch(core.linear(start, stop, stairs), updates / stairs if rest else width)
    if not rest:
        return core.per_epoch(core.linear(start, stop, stairs), width).shift(width - 1)
    heights = [start + (stop - start) * (i / stairs) for i in range(stairs + 1)]
    return core.piecewise_constant(heights, [i * updates // stairs + 1 for i in range(stairs)])
