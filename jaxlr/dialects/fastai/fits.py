"""The schedules of fastai's ways to fit: one cycle, flat and then a cosine, warm restarts."""

from __future__ import annotations

from collections.abc import Sequence

from jaxlr.dialects import common
from jaxlr.dialects.fastai.annealers import SchedCos, combine_scheds, combined_cos
from jaxlr.schedules import Schedule
from jaxlr.typing import Length, Scalar


def fit_one_cycle(
    n_epoch: Length,
    lr_max: Scalar,
    div: Scalar = 25.0,
    div_final: Scalar = 1e5,
    pct_start: float = 0.25,
    *,
    steps_per_epoch: Length,
) -> Schedule:
    """The rate of `Learner.fit_one_cycle`: two halves of a cosine, up from lr_max / div and down to lr_max / div_final.

    PyTorch's OneCycleLR ends at lr_max / div / 1e4, one count earlier, and has its peak one count earlier too.

    Args:
      n_epoch: epochs of the run.
      lr_max: the peak.
      div: lr_max over the first rate.
      div_final: lr_max over the last rate.
      pct_start: share of the run that rises.
      steps_per_epoch: updates of an epoch.

    Example:
      >>> from jaxlr.dialects import fastai
      >>> rate = fastai.fit_one_cycle(2, 1.0, div=4.0, div_final=4.0, steps_per_epoch=4)
      >>> [round(float(rate(n)), 4) for n in (0, 1, 2, 5, 8)]
      [0.25, 0.625, 1.0, 0.625, 0.25]
    """
    peak = common.number("lr_max", lr_max)
    first, last = peak / common.positive("div", div), peak / common.positive("div_final", div_final)
    return combined_cos(pct_start, first, peak, last, total_steps=_steps(n_epoch, steps_per_epoch))


def fit_one_cycle_momentum(
    n_epoch: Length,
    moms: Sequence[Scalar] = (0.95, 0.85, 0.95),
    pct_start: float = 0.25,
    *,
    steps_per_epoch: Length,
) -> Schedule:
    """The momentum of `Learner.fit_one_cycle`, against the rate.

    Args:
      moms: the first, the middle and the last momentum; fastai's own by default.
      n_epoch, pct_start, steps_per_epoch: as in `fit_one_cycle`.

    Example:
      >>> from jaxlr.dialects import fastai
      >>> momentum = fastai.fit_one_cycle_momentum(2, steps_per_epoch=4)
      >>> [round(float(momentum(n)), 4) for n in (0, 1, 2, 5, 8)]
      [0.95, 0.9, 0.85, 0.9, 0.95]
    """
    if len(moms) != 3:
        raise ValueError(f"moms must be three numbers, got {moms!r}")
    return combined_cos(pct_start, *moms, total_steps=_steps(n_epoch, steps_per_epoch))


def fit_flat_cos(
    n_epoch: Length,
    lr: Scalar,
    div_final: Scalar = 1e5,
    pct_start: float = 0.75,
    *,
    steps_per_epoch: Length,
) -> Schedule:
    """The rate of `Learner.fit_flat_cos`: flat, then half a cosine to lr / div_final.

    Args:
      lr: the rate.
      div_final: lr over the last rate.
      pct_start: share of the run that is flat.
      n_epoch, steps_per_epoch: as in `fit_one_cycle`.

    Example:
      >>> from jaxlr.dialects import fastai
      >>> rate = fastai.fit_flat_cos(2, 1.0, div_final=2.0, pct_start=0.5, steps_per_epoch=4)
      >>> [round(float(rate(n)), 4) for n in (0, 4, 6, 8)]
      [1.0, 1.0, 0.75, 0.5]
    """
    rate = common.number("lr", lr)
    last = rate / common.positive("div_final", div_final)
    return combined_cos(pct_start, rate, rate, last, total_steps=_steps(n_epoch, steps_per_epoch))


def fit_sgdr(
    n_cycles: Length,
    cycle_len: Length,
    lr_max: Scalar,
    cycle_mult: Length = 2,
    *,
    steps_per_epoch: Length,
) -> Schedule:
    """The rate of `Learner.fit_sgdr`: halves of a cosine to 0, each `cycle_mult` times as long as the one before.

    Args:
      n_cycles: how many; known at once.
      cycle_len: epochs of the first.
      lr_max: the peak of each.
      cycle_mult: an integer, at least 1.
      steps_per_epoch: updates of an epoch.

    Example:
      >>> from jaxlr.dialects import fastai
      >>> rate = fastai.fit_sgdr(2, 1, 1.0, steps_per_epoch=2)
      >>> [round(float(rate(n)), 4) for n in range(7)]
      [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 0.0]
    """
    cycles = int(common.length("n_cycles", n_cycles, minimum=1))
    mult = int(common.length("cycle_mult", cycle_mult, minimum=1))
    peak = common.number("lr_max", lr_max)
    lengths = [mult**i for i in range(cycles)]
    total = sum(lengths) * int(common.length("cycle_len", cycle_len, minimum=1))
    shares = [length / sum(lengths) for length in lengths]
    return combine_scheds(shares, [SchedCos(peak, 0.0)] * cycles, total_steps=_steps(total, steps_per_epoch))


def _steps(n_epoch: Length, steps_per_epoch: Length) -> int:
    epochs = int(common.length("n_epoch", n_epoch, minimum=1))
    return epochs * int(common.length("steps_per_epoch", steps_per_epoch, minimum=1))
