"""Trapezoids: up, along, down."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Literal

import jax
import jax.numpy as jnp

from jaxlr.numerics import elementary, wide
from jaxlr.numerics.wide import Wide, from_integer, less, only, select, unless, where
from jaxlr.schedules import leaves
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.families.cosines import along_cosine, nearer
from jaxlr.schedules.family import Borders, family
from jaxlr.schedules.outline import Outline, held, one_by_one, steady
from jaxlr.schedules.position import Position, Share, at_least_one, progress
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


def _three_phases(a: SimpleNamespace) -> Borders:
    up, flat = a.warmup_steps, a.warmup_steps + a.stable_steps
    end = flat + jnp.minimum(a.decay_steps, ~flat)
    return end, [wide.constant(0.0), *map(from_integer, (up, flat, end))]


def _three_corners(a: SimpleNamespace) -> Outline:
    up, flat, end = a.warmup_steps, a.warmup_steps + a.stable_steps, a.warmup_steps + a.stable_steps + a.decay_steps
    if a.begin or a.begin_phase:
        return one_by_one([(0, steady(a.init_value, a.peak_value, a.end_value)), (end, steady(a.end_value))])
    first = [(0, a.init_value)] if up else []
    return held(*first, (up, a.peak_value), *([(flat, a.peak_value)] if flat > up else []), (end, a.end_value))


@family(
    end=lambda a: a.warmup_steps + a.stable_steps + a.decay_steps,
    scales=("peak_value", "init_value"),
    towards="end_value",
    borders=_three_phases,
    outline=_three_corners,
)
@declared(
    warmup_steps=leaves.length_from_0,
    stable_steps=leaves.length_from_0,
    begin=leaves.length_from_0,
    begin_phase=leaves.share,
)
def warmup_stable_decay(
    peak_value: Scalar,
    warmup_steps: Length,
    stable_steps: Length,
    decay_steps: Length,
    *,
    init_value: Scalar = 0.0,
    end_value: Scalar = 0.0,
    decay: Literal["linear", "cosine", "1-sqrt"] = "linear",
    begin: Length = 0,
    begin_phase: Scalar = 0.0,
) -> Schedule:
    """Rises, stays, falls (WSD, the trapezoid).

    lr(n) = init_value + (peak_value - init_value) * n / warmup_steps      for n < warmup_steps
    lr(n) = peak_value                                                     for the next stable_steps
    lr(n) = peak_value + (end_value - peak_value) * f(x)                   then, x from 0 to 1 in decay_steps, and holds
    with f(x) = x ("linear"), (1 - cos(pi x)) / 2 ("cosine") or sqrt(x) ("1-sqrt")

    Args:
      peak_value: the rate of the stable phase.
      warmup_steps: updates of the rise; an integer, at least 0.
      stable_steps: updates at the peak; an integer, at least 0.
      decay_steps: updates of the fall; an integer, at least 1.
      init_value: the rate of the first update.
      end_value: the rate at the end.
      decay: "linear", "cosine" or "1-sqrt".
      begin: the count at which it begins to move; an integer, at least 0. `jaxlr.retime` sets it where the horizon of a
        run changes. A curve that would begin at its end, or behind it, is over.
      begin_phase: the share of all three phases that it counts as over by then, in [0, 1]; the rest comes evenly.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range, another word for `decay`.
      TypeError: a length is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.warmup_stable_decay(1.0, 2, 2, 4)
      >>> [float(rate(n)) for n in range(9)]
      [0.0, 0.5, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]

    References:
      Hu et al., MiniCPM, 2024, arXiv:2404.06395
      Haegele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations, 2024, arXiv:2405.18392
    """
    ...


def _warmup_stable_decay(
    position: Position,
    peak_value: Wide,
    warmup_steps: jax.Array,
    stable_steps: jax.Array,
    decay_steps: jax.Array,
    init_value: Wide,
    end_value: Wide,
    decay: str,
    begin: jax.Array,
    begin_phase: Wide,
) -> Wide:
    rise, fall = warmup_steps, decay_steps
    stable = rise + stable_steps
    end = stable + jnp.minimum(fall, ~stable)  # no more than a uint32 holds; no count comes so far
    behind, ahead = progress(position, end, begin, begin_phase)
    up, down = from_integer(rise), from_integer(fall)
    rises, falls, ended = less(behind, up), less(ahead, down), position.whole >= end
    # What lies behind and ahead in a phase; in the flat one nothing of the fall is done.
    done = where(rises, behind, only(falls, down - ahead))
    left = unless(ended, where(rises, up - behind, ahead))
    early = (less(done, left) | ~(rises | falls)) & ~ended
    length = from_integer(at_least_one(select(rises, rise, fall)))
    share = Share(where(early, done, left).doubled() / length, early)
    first, last = where(rises, init_value, peak_value), where(rises, peak_value, end_value)
    if decay == "linear":
        return share.between(first, last)
    curved = along_cosine(share) if decay == "cosine" else _along_root(share)
    return Share(where(rises, share.near, curved.near), select(rises, share.early, curved.early)).between(first, last)


def _along_root(share: Share) -> Share:
    """`sqrt(x)` of the share x; what is left of it is `(1 - x) / (1 + sqrt(x))`."""
    done, left = share.parts()
    root = elementary.sqrt(done)
    return nearer(root, left / elementary.one_more(root))
