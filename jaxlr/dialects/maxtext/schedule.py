"""MaxText's schedule: a warm-up, then a cosine, or a stable phase and a fall; then 0."""

from __future__ import annotations

from typing import Literal

from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.schedules import Schedule, constant, cosine, leaves, linear, warmup_stable_decay
from jaxlr.typing import Length, Scalar


def create_learning_rate_schedule(
    *,
    learning_rate: Scalar = 3e-5,
    lr_schedule_type: Literal["cosine", "wsd"] = "cosine",
    learning_rate_final_fraction: Scalar = 0.1,
    wsd_decay_steps_fraction: Scalar = 0.1,
    wsd_decay_style: Literal["linear", "cosine"] = "linear",
    warmup_steps_fraction: Scalar = 0.1,
    learning_rate_schedule_steps: Length = -1,
    steps: Length = 150_001,
) -> Schedule:
    """MaxText's schedule: up in a straight line, then down.

    With L = learning_rate_schedule_steps, W = int(L * warmup_steps_fraction) and last = learning_rate *
    learning_rate_final_fraction:
    lr(n) = learning_rate * n / W                                         for n < W
    lr(n) = last + (learning_rate - last) * (1 + cos(pi x)) / 2           for W <= n < L, x = (n - W) / (L - W - 1)
    lr(n) = 0                                                             from L on, where the run is longer
    and with "wsd" learning_rate from W on; of the last D = int(L * wsd_decay_steps_fraction) updates the first has it
    too, and the last one has `last`, along a straight line or half a cosine.

    Args:
      learning_rate: the peak.
      lr_schedule_type: "cosine" or "wsd".
      learning_rate_final_fraction: last rate over peak.
      wsd_decay_steps_fraction: the share of the schedule that falls, in [0, 1].
      wsd_decay_style: "linear" or "cosine".
      warmup_steps_fraction: the share of the schedule that rises, in [0, 1]; both shares are at most 1.
      learning_rate_schedule_steps: updates of the schedule; -1 is `steps`.
      steps: updates of the run; -1 is `learning_rate_schedule_steps`.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range, another word, or neither length is given.
      TypeError: a length is no integer.

    Example:
      >>> from jaxlr.dialects import maxtext
      >>> maxtext.create_learning_rate_schedule(learning_rate=1e-3, steps=1000)
      warmup(schedule=cosine(init_value=0.001, decay_steps=899, end_value=0.0001), warmup_steps=100)
      >>> rate = maxtext.create_learning_rate_schedule(
      ...   learning_rate=1.0, lr_schedule_type="wsd", wsd_decay_steps_fraction=0.5, learning_rate_final_fraction=0.0,
      ...   learning_rate_schedule_steps=10, steps=12)
      >>> [float(rate(n)) for n in (0, 1, 5, 6, 7, 8, 9, 10)]
      [0.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    peak = common.number("learning_rate", learning_rate)
    last = peak * common.number("learning_rate_final_fraction", learning_rate_final_fraction)
    wsd = leaves.choice("lr_schedule_type", lr_schedule_type, ("cosine", "wsd")) == "wsd"
    style = leaves.choice("wsd_decay_style", wsd_decay_style, ("linear", "cosine")) if wsd else "cosine"
    length, run = _lengths(learning_rate_schedule_steps, steps)
    rising = common.share("warmup_steps_fraction", warmup_steps_fraction)
    warm = common.cut(rising, length)
    fall = length - warm
    if wsd:
        falling = common.share("wsd_decay_steps_fraction", wsd_decay_steps_fraction)
        if common.known(rising, falling) and rising + falling > 1:
            raise ValueError(
                "warmup_steps_fraction and wsd_decay_steps_fraction must be at most 1 together, got "
                f"{rising} and {falling}"
            )
        fall = common.cut(falling, length)
    schedule = _phases(peak, last, style, warm, length - warm - fall, fall)
    zero = run > length
    if common.known(zero):
        return common.in_turn((schedule, length), last=constant(0.0)) if zero else schedule
    ended = common.select(fall > (1 if style == "linear" else 0), last, peak)
    return common.in_turn((schedule, length), last=constant(common.select(zero, 0.0, ended)))


def _lengths(schedule: Length, run: Length) -> tuple[Updates, Updates]:
    """The lengths of the schedule and of the run, of which one may be left to the other."""
    length = common.length("learning_rate_schedule_steps", schedule, minimum=-1)
    steps = common.length("steps", run, minimum=-1)
    if common.equals(length, -1) and common.equals(steps, -1):
        raise ValueError("steps or learning_rate_schedule_steps must be given, got -1 for both")
    length, steps = (steps if common.equals(length, -1) else length), (length if common.equals(steps, -1) else steps)
    name = "steps" if common.equals(schedule, -1) else "learning_rate_schedule_steps"
    return common.length(name, length, minimum=1), steps


def _phases(peak: Number, last: Number, style: str, warm: Updates, stable: Updates, fall: Updates) -> Schedule:
    """Up, along the peak, and down to the last rate at the last update of the fall."""
    if common.known(fall) and fall == 0:
        return common.warmed(constant(peak), warm)
    one = fall == 1
    steps = common.at_least_one(fall - 1)
    if style == "linear":
        down = linear(peak, common.select(one, peak, last), steps)
    else:
        down = cosine(common.select(one, last, peak), steps, end_value=last)
    if common.known(stable) and stable == 0 and not (common.known(one) and one):
        return common.warmed(down, warm)
    if common.known(one) and not one:
        shape = "linear" if style == "linear" else "cosine"
        return warmup_stable_decay(peak, warm, stable, steps, end_value=last, decay=shape)
    return common.up_and(common.in_turn((constant(peak), stable), last=down), peak, warm)
