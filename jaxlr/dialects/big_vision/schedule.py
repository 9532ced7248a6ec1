"""big_vision's schedule: a decay, under a warm-up and a cooldown."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Unpack

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.big_vision.durations import UNITS, Durations
from jaxlr.dialects.common import Number, Updates
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Lengths, Scalar, Scalars


class Options(TypedDict, total=False):
    """The keywords of all decays."""

    power: Scalar
    end: Scalar
    linear_end: Scalar
    steps: Lengths
    mults: Scalars
    timescale: Length
    shift: Length
    warmup_steps: Length
    warmup_examples: Scalar
    warmup_epochs: Scalar
    warmup_percent: Scalar
    cooldown_steps: Length
    cooldown_examples: Scalar
    cooldown_epochs: Scalar
    cooldown_percent: Scalar
    timescale_steps: Length
    timescale_examples: Scalar
    timescale_epochs: Scalar
    timescale_percent: Scalar
    shift_steps: Length
    shift_examples: Scalar
    shift_epochs: Scalar
    shift_percent: Scalar


_DECAYS = ("linear", "polynomial", "cosine", "rsqrt", "stair")


def create_learning_rate_schedule(
    total_steps: Length,
    batch_size: Length | None = None,
    data_size: Length | None = None,
    base: Scalar = 1.0,
    decay_type: Literal["linear", "polynomial", "cosine", "rsqrt", "stair"] = "stair",
    scale_with_batchsize: bool = False,
    **kw: Unpack[Options],
) -> Schedule:
    """big_vision's schedule: decay(n) * min(1, n / W) * min(1, (T - n) / C).

    With T = total_steps, W the warm-up, C the cooldown, k = max(0, n - W), and lr = base, times batch_size / 256 if it
    scales:
      linear, polynomial   end + (lr - end) * (1 - k / (T - W)) ** power, and then end
      cosine               lr * (1 + cos(pi k / (T - W))) / 2, and then 0
      rsqrt                lr / sqrt(1 + (k + shift) / timescale)
      stair                lr, from each of `steps` on lr times its entry of `mults`

    Args:
      total_steps: updates of the run; an integer, at least 1.
      batch_size: examples in an update.
      data_size: examples in an epoch.
      base: the rate.
      decay_type: "linear", "polynomial", "cosine", "rsqrt" or "stair".
      scale_with_batchsize: whether the rate grows with the batch size.
      **kw: `power` (1) and `end` or `linear_end` (0, a rate, not a share) of the first two; `timescale` (10,000) and
        `shift` (0) of "rsqrt"; `steps` and `mults` of "stair". `warmup`, `cooldown`, `timescale` and `shift` with one
        of the endings `_steps`, `_examples`, `_epochs` and `_percent` (a share of total_steps, in [0, 1]); a duration
        below 0 is none, and one that is not whole is rounded.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: another decay, a duration in two units, a size that one needs is missing, or a number out of range.
      TypeError: an unknown keyword, or a length is no integer.

    Example:
      >>> from jaxlr.dialects import big_vision
      >>> big_vision.create_learning_rate_schedule(1000, 1024, 50_000, 1e-3, "cosine", warmup_epochs=2)
      warmup(schedule=cosine(init_value=0.001, decay_steps=902), warmup_steps=98)
      >>> rate = big_vision.create_learning_rate_schedule(8, steps=[4], mults=[0.5], cooldown_steps=2)
      >>> [float(rate(n)) for n in (0, 3, 4, 6, 7, 8, 9)]
      [1.0, 1.0, 0.5, 0.5, 0.25, 0.0, 0.0]
    """
    common.refuse_unknown(create_learning_rate_schedule, kw, frozenset(Options.__annotations__))
    leaves.choice("decay_type", decay_type, _DECAYS)
    total, rate = common.length("total_steps", total_steps, minimum=1), common.number("base", base)
    if leaves.flag("scale_with_batchsize", scale_with_batchsize):
        if batch_size is None:
            raise ValueError("batch_size must be given for scale_with_batchsize=True")
        rate = rate * common.positive("batch_size", batch_size) / 256
    durations = Durations(kw, total, batch_size, data_size)
    warm, cool = durations.updates("warmup"), durations.updates("cooldown")
    if common.known(total, warm) and warm >= total > 1:
        name = next(f"warmup_{unit}" for unit in UNITS if f"warmup_{unit}" in kw)
        raise ValueError(f"{name} must be below total_steps, {total}, got {warm} updates")
    if decay_type == "stair":
        stairs = _stairs(rate, kw)
        schedule = stairs if common.equals(warm, 0) else core.warmup(stairs, warm, overlap=True)
    else:
        schedule = common.warmed(_decay(decay_type, rate, total - warm, durations, kw), warm)
    return schedule if common.equals(cool, 0) else schedule * _cooling(total, cool)


def _decay(kind: str, rate: Number, steps: Updates, durations: Durations, kw: Any) -> Schedule:
    """What follows the warm-up."""
    steps = common.at_least_one(steps)
    if kind == "cosine":
        return core.cosine(rate, steps)
    if kind == "rsqrt":
        scale = durations.updates("timescale", kw.get("timescale", 10_000))
        if common.equals(scale, 0):
            raise ValueError("timescale must be at least 1, got 0")
        return core.inverse_sqrt(rate, timescale=scale).shift(scale + durations.updates("shift", kw.get("shift", 0)))
    name = "end" if "end" in kw else "linear_end"
    end, power = common.number(name, kw.get(name, 0.0)), kw.get("power", 1)
    return core.linear(rate, end, steps) if common.equals(power, 1) else core.polynomial(rate, end, power, steps)


def _stairs(rate: Number, kw: Any) -> Schedule:
    """A rate for each piece between the boundaries, which count from the first update on."""
    steps, mults = list(kw.get("steps", ())), list(kw.get("mults", ()))
    if len(steps) != len(mults):
        raise ValueError(f"mults must be one for each of steps, got {len(mults)} for {len(steps)} steps")
    rates = [rate * common.number(f"mults[{i}]", mult) for i, mult in enumerate(mults)]
    return core.piecewise_constant([rate, *rates], leaves.lengths("steps", steps)) if steps else core.constant(rate)


def _cooling(total: Updates, steps: Updates) -> Schedule:
    """The factor of the cooldown, which ends where the run does."""
    if common.known(total, steps) and total >= steps:
        return core.linear(1.0, 0.0, steps, transition_begin=total - steps)
    return core.linear(1.0, 0.0, steps).shift(steps - total)
