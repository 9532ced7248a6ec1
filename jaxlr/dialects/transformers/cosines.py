"""The cosines of transformers, behind a warm-up."""

from __future__ import annotations

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import Number
from jaxlr.dialects.transformers.shared import lengths, wave
from jaxlr.schedules import Schedule
from jaxlr.typing import Length, Scalar


def get_cosine_schedule_with_warmup(
    lr: Scalar, num_warmup_steps: Length, num_training_steps: Length, num_cycles: Scalar = 0.5, last_epoch: Length = -1
) -> Schedule:
    """Up in a straight line, and along a cosine that goes on for ever.

    lr(n) = lr * n / num_warmup_steps, then lr * (1 + cos(2 pi num_cycles x)) / 2 with
    x = (n - num_warmup_steps) / (num_training_steps - num_warmup_steps)

    Past the end of the run the rate follows the cosine up again, as in the source.

    Args:
      lr, num_warmup_steps, num_training_steps, last_epoch: see the module.
      num_cycles: waves of the cosine, above 0; 0.5 falls to 0 once.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_cosine_schedule_with_warmup(1.0, 2, 6)
      >>> [round(float(rate(n)), 4) for n in range(8)]
      [0.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 0.0, 0.1464]
    """
    peak = common.number("lr", lr)
    warm, left = lengths(num_warmup_steps, num_training_steps)
    return common.resumed(common.warmed(wave(peak, common.at_least_one(left), num_cycles), warm), last_epoch)


def get_cosine_with_hard_restarts_schedule_with_warmup(
    lr: Scalar, num_warmup_steps: Length, num_training_steps: Length, num_cycles: Scalar = 1, last_epoch: Length = -1
) -> Schedule:
    """Up in a straight line, and `num_cycles` times along half a cosine, to 0.

    lr(n) = lr * n / num_warmup_steps, then lr * (1 + cos(pi (num_cycles x mod 1))) / 2, and 0 from x = 1 on, with
    x = (n - num_warmup_steps) / (num_training_steps - num_warmup_steps)

    Where a restart falls on an update, that update has the peak; in the source it is sometimes lost to a float product
    that stops short of an integer.

    Args:
      lr, num_warmup_steps, num_training_steps, last_epoch: see the module.
      num_cycles: number of cycles, above 0.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_cosine_with_hard_restarts_schedule_with_warmup(1.0, 1, 5, num_cycles=2)
      >>> [round(float(rate(n)), 4) for n in range(7)]
      [0.0, 1.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """
    peak, cycles = common.number("lr", lr), common.positive("num_cycles", num_cycles)
    warm, left = lengths(num_warmup_steps, num_training_steps)
    left = common.at_least_one(left)
    if common.equals(cycles, 1):
        return common.resumed(common.warmed(core.cosine(peak, left), warm), last_epoch)
    waves = core.at_speed(core.cosine(peak, left).repeat(left), cycles)
    return common.resumed(common.warmed(common.in_turn((waves, left), last=core.constant(0.0)), warm), last_epoch)


def get_cosine_with_min_lr_schedule_with_warmup(
    lr: Scalar,
    num_warmup_steps: Length,
    num_training_steps: Length,
    num_cycles: Scalar = 0.5,
    last_epoch: Length = -1,
    min_lr: Scalar | None = None,
    min_lr_rate: Scalar | None = None,
) -> Schedule:
    """Up in a straight line from 0, and along a cosine between the rate and a lowest rate.

    lr(n) = lr * n / num_warmup_steps, then low + (lr - low) * (1 + cos(2 pi num_cycles x)) / 2 with
    low = min_lr or lr * min_lr_rate, and x as in `get_cosine_schedule_with_warmup`; past the end it goes on.

    Args:
      lr, num_warmup_steps, num_training_steps, last_epoch: see the module.
      num_cycles: waves of the cosine, above 0.
      min_lr: the lowest rate after the warm-up.
      min_lr_rate: the same as a share of `lr`; just one of the two must be given.

    Raises:
      ValueError: both or none of `min_lr` and `min_lr_rate` are given.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_cosine_with_min_lr_schedule_with_warmup(1.0, 2, 6, min_lr=0.5)
      >>> [round(float(rate(n)), 4) for n in range(7)]
      [0.0, 0.5, 1.0, 0.9268, 0.75, 0.5732, 0.5]
    """
    peak, low = _ends(lr, min_lr, min_lr_rate)
    warm, left = lengths(num_warmup_steps, num_training_steps)
    return common.resumed(common.warmed(wave(peak, common.at_least_one(left), num_cycles, low), warm), last_epoch)


def get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
    lr: Scalar,
    num_warmup_steps: Length,
    num_training_steps: Length,
    num_cycles: Scalar = 0.5,
    last_epoch: Length = -1,
    min_lr: Scalar | None = None,
    min_lr_rate: Scalar | None = None,
    warmup_lr_rate: Scalar | None = None,
) -> Schedule:
    """The same one update earlier: the first update has a rate above 0, and the last one has the lowest.

    lr(n) = lr * (n + 1) / num_warmup_steps, or from lr * warmup_lr_rate at n = 0 to lr at num_warmup_steps - 1, then
    low + (lr - low) * (1 + cos(2 pi num_cycles x)) / 2, x = (n + 1 - num_warmup_steps) / (num_training_steps -
    num_warmup_steps); past the end it goes on.

    Args:
      lr, num_warmup_steps, num_training_steps, last_epoch: see the module.
      num_cycles, min_lr, min_lr_rate: as in `get_cosine_with_min_lr_schedule_with_warmup`.
      warmup_lr_rate: the first rate as a share of `lr`; 1 / num_warmup_steps if None.

    Raises:
      ValueError: both or none of `min_lr` and `min_lr_rate` are given.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(1.0, 2, 6, min_lr_rate=0.5)
      >>> [round(float(rate(n)), 4) for n in range(6)]
      [0.5, 1.0, 0.9268, 0.75, 0.5732, 0.5]
    """
    peak, low = _ends(lr, min_lr, min_lr_rate)
    warm, left = lengths(num_warmup_steps, num_training_steps)
    if warmup_lr_rate is None:
        up = core.linear(0.0, peak, common.at_least_one(warm)).shift(1)
    else:
        up = core.linear(common.number("warmup_lr_rate", warmup_lr_rate) * peak, peak, common.at_least_one(warm - 1))
    down = wave(peak, common.at_least_one(left), num_cycles, low).shift(1)
    return common.resumed(common.in_turn((up, warm), last=down), last_epoch)


def _ends(lr: Scalar, min_lr: Scalar | None, min_lr_rate: Scalar | None) -> tuple[Number, Number]:
    """The peak, and the lowest rate, which is given as it is or as a share."""
    peak = common.number("lr", lr)
    if min_lr is not None and min_lr_rate is None:
        return peak, common.number("min_lr", min_lr)
    if min_lr is None and min_lr_rate is not None:
        return peak, common.number("min_lr_rate", min_lr_rate) * peak
    raise ValueError(
        f"just one of min_lr and min_lr_rate must be given, got min_lr={min_lr} and min_lr_rate={min_lr_rate}"
    )
