"""fairseq's schedules."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Scalar


def tri_stage(
    lr: Scalar,
    warmup_steps: Length = 0,
    hold_steps: Length = 0,
    decay_steps: Length = 0,
    phase_ratio: Sequence[float] | None = None,
    init_lr_scale: Scalar = 0.01,
    final_lr_scale: Scalar = 0.01,
    max_update: Length | None = None,
) -> Schedule:
    """Up in a straight line, a while at the peak, and down in a straight line of the logarithm.

    Args:
      lr: the peak.
      warmup_steps, hold_steps: updates of the rise and at the peak; integers, at least 0.
      decay_steps: updates of the fall; an integer, at least 1.
      phase_ratio: their shares of `max_update` in place of the three lengths, 1 together.
      init_lr_scale: the first rate as a share of `lr`.
      final_lr_scale: the last rate as a share of `lr`, above 0; known at once.
      max_update: updates of the run, for `phase_ratio` alone.

    Raises:
      ValueError: `phase_ratio` without `max_update`.

    Example:
      >>> from jaxlr.dialects import fairseq
      >>> scales = {"init_lr_scale": 0.5, "final_lr_scale": 0.25}
      >>> rate = fairseq.tri_stage(1.0, phase_ratio=(0.25, 0.25, 0.5), max_update=8, **scales)
      >>> [float(rate(n)) for n in (0, 1, 2, 4, 6, 8, 9)]
      [0.5, 0.75, 1.0, 1.0, 0.5, 0.25, 0.25]
    """
    peak = common.number("lr", lr)
    if phase_ratio is not None:
        warmup_steps, hold_steps, decay_steps = _phases(phase_ratio, max_update)
    warm, hold = common.length("warmup_steps", warmup_steps), common.length("hold_steps", hold_steps)
    fall = common.length("decay_steps", decay_steps, minimum=1)
    first = peak * common.number("init_lr_scale", init_lr_scale)
    share = common.positive("final_lr_scale", final_lr_scale)
    down = core.exponential(peak, share, transition_steps=fall, end_value=peak * share)
    if common.equals(share, 1.0):
        down = core.constant(peak)
    rise = core.linear(first, peak, common.at_least_one(warm))
    return common.in_turn((rise, warm), (core.constant(peak), hold), last=down)


def polynomial_decay(
    lr: Scalar,
    warmup_updates: Length = 0,
    force_anneal: None = None,
    end_learning_rate: Scalar = 0.0,
    power: Scalar = 1.0,
    *,
    total_num_update: Length,
) -> Schedule:
    """Up in a straight line, and down along a power of what is left.

    Args:
      lr: the peak.
      warmup_updates: updates of the rise from 0; an integer, at least 0.
      force_anneal: None.
      end_learning_rate: the last rate.
      power: above 0.
      total_num_update: the count at which the last rate is reached; above `warmup_updates`.

    Example:
      >>> from jaxlr.dialects import fairseq
      >>> rate = fairseq.polynomial_decay(1.0, 2, power=2.0, total_num_update=6)
      >>> [float(rate(n)) for n in (0, 1, 2, 4, 6, 7)]
      [0.0, 0.5, 1.0, 0.25, 0.0, 0.0]
    """
    if force_anneal is not None:
        raise ValueError(
            f"force_anneal must be left out, got {force_anneal!r}: it is a matter of epochs and lists of rates"
        )
    peak, end = common.number("lr", lr), common.number("end_learning_rate", end_learning_rate)
    warm = common.length("warmup_updates", warmup_updates)
    left = common.length("total_num_update", total_num_update, minimum=1) - warm
    if common.known(left) and left < 1:
        raise ValueError(f"total_num_update must be above warmup_updates, {warmup_updates}, got {total_num_update}")
    return common.warmed(core.polynomial(peak, end, leaves.positive("power", power), left), warm)


def inverse_sqrt(lr: Scalar, warmup_updates: Length = 4000, warmup_init_lr: Scalar = -1) -> Schedule:
    """Up in a straight line, and down with one over the root of the count: `jaxlr.inverse_sqrt`.

    lr(n) = lr * sqrt(warmup_updates / n) from `warmup_updates` on

    Args:
      lr: the peak.
      warmup_updates: updates of the rise; an integer, at least 1.
      warmup_init_lr: the first rate; below 0 it is 0.

    Example:
      >>> from jaxlr.dialects import fairseq
      >>> rate = fairseq.inverse_sqrt(1.0, warmup_updates=4)
      >>> [float(rate(n)) for n in (0, 2, 4, 16, 64)]
      [0.0, 0.5, 1.0, 0.5, 0.25]
    """
    peak, first = common.number("lr", lr), common.signed("warmup_init_lr", warmup_init_lr)
    if common.known(first) and first < 0:
        first = 0.0
    warm = common.length("warmup_updates", warmup_updates, minimum=1)
    return common.up_and(core.inverse_sqrt(peak, timescale=warm).shift(warm), peak, warm, first)


def _phases(phase_ratio: Sequence[float], max_update: Length | None) -> tuple[int, int, int]:
    shares = [float(common.number(f"phase_ratio[{i}]", share)) for i, share in enumerate(phase_ratio)]
    if len(shares) != 3 or abs(math.fsum(shares) - 1.0) > 1e-6:
        raise ValueError(f"phase_ratio must be three shares, 1 together, got {phase_ratio!r}")
    if max_update is None:
        raise ValueError("max_update must be given with phase_ratio, got None")
    total = int(common.length("max_update", max_update, minimum=1))
    warm, hold, fall = (int(total * share) for share in shares)
    return warm, hold, fall
