"""Curves in shares of the run: one cycle up and down, and what goes with it; a flat part and a fall."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Literal

import jax
import jax.numpy as jnp

from jaxlr.numerics.elementary import less_one
from jaxlr.numerics.wide import Wide, constant, from_integer, select, unless, where
from jaxlr.schedules import leaves
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.families.cosines import along_cosine
from jaxlr.schedules.families.lines import decay_over
from jaxlr.schedules.family import Borders, family
from jaxlr.schedules.outline import Outline, one_by_one, steady
from jaxlr.schedules.position import Position, Share, at_least_one, progress
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


def _run(a: SimpleNamespace) -> Borders:
    return run_borders(a.total_steps, a.pct_start, 3 if a.three_phase else 2, a.last)


def _share_of_the_rise(a: SimpleNamespace) -> None:
    leaves.at_most("pct_start", a.pct_start, 0.5 if a.three_phase else 1.0)


def _rise_and_range(a: SimpleNamespace) -> None:
    _share_of_the_rise(a)
    leaves.ordered("base_momentum", a.base_momentum, "max_momentum", a.max_momentum)


def _foot_and_peak(a: SimpleNamespace) -> Outline:
    first = a.max_lr / a.div_factor
    last = first / a.final_div_factor
    return one_by_one([(0, steady(first, a.max_lr, last)), (a.total_steps, steady(last))])


@family(end="total_steps", scales=("max_lr",), borders=_run, outline=_foot_and_peak)
@declared(
    _share_of_the_rise,
    pct_start=leaves.number_from_0,
    div_factor=leaves.positive,
    final_div_factor=leaves.positive,
    begin=leaves.length_from_0,
    begin_phase=leaves.share,
)
def one_cycle(
    max_lr: Scalar,
    total_steps: Length,
    *,
    pct_start: Scalar = 0.3,
    div_factor: Scalar = 25.0,
    final_div_factor: Scalar = 1e4,
    anneal: Literal["cos", "linear"] = "cos",
    three_phase: bool = False,
    last: Literal["total-1", "total"] = "total-1",
    begin: Length = 0,
    begin_phase: Scalar = 0.0,
) -> Schedule:
    """Rises from `max_lr / div_factor` to `max_lr`, falls to `max_lr / (div_factor * final_div_factor)`, and holds.

    With last = total_steps - 1 (PyTorch's convention) the peak lies at n = pct_start * total_steps - 1 and the end at
    n = total_steps - 1, the last update of the run; with "total" at n = pct_start * total_steps and n = total_steps.
    With three phases it falls to `max_lr / div_factor` in as many updates as it rose, and then to the end. A peak that
    lies between two counts is not reached by any update. The way up and down is half a cosine or a straight line.

    Args:
      max_lr: the peak.
      total_steps: updates in the run; an integer, at least 1.
      pct_start: the share of the run that rises, in [0, 1]; at most 1/2 with three phases.
      div_factor: peak over first rate, above 0.
      final_div_factor: first rate over last rate, above 0.
      anneal: "cos" or "linear".
      three_phase: whether the fall has two parts.
      last: the count at which the end is reached: "total-1" or "total".
      begin: the count at which it begins to move; an integer, at least 0. `jaxlr.retime` sets it where the horizon of a
        run changes. A curve that would begin at its end, or behind it, is over.
      begin_phase: the share of the run that it counts as over by then, in [0, 1]; the rest comes evenly.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range, another word for `anneal` or `last`.
      TypeError: `total_steps` is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.one_cycle(1.0, 8, pct_start=0.5, div_factor=4.0, final_div_factor=4.0, anneal="linear")
      >>> [round(float(rate(n)), 4) for n in range(9)]
      [0.25, 0.5, 0.75, 1.0, 0.7656, 0.5312, 0.2969, 0.0625, 0.0625]

    References:
      Smith and Topin, Super-Convergence, 2018, arXiv:1708.07120
    """
    ...


def _one_cycle(
    position: Position,
    max_lr: Wide,
    total_steps: jax.Array,
    pct_start: Wide,
    div_factor: Wide,
    final_div_factor: Wide,
    anneal: str,
    three_phase: bool,
    last: str,
    begin: jax.Array,
    begin_phase: Wide,
) -> Wide:
    share, earlier = placed(position, total_steps, pct_start, three_phase, last, begin, begin_phase, anneal)
    whole = div_factor * final_div_factor
    if three_phase:
        first, end = max_lr / div_factor, max_lr / whole
        return share.between(in_turn(earlier, first, max_lr, first), in_turn(earlier, max_lr, first, end))
    foot = max_lr / in_turn(earlier, div_factor, whole)
    return Share(share.near, share.early == earlier[0]).between(foot, max_lr)


def _dip(a: SimpleNamespace) -> Outline:
    return one_by_one([(0, steady(a.base_momentum, a.max_momentum)), (a.total_steps, steady(a.max_momentum))])


@family(end="total_steps", scales=("base_momentum",), towards="max_momentum", borders=_run, outline=_dip)
@declared(_rise_and_range, pct_start=leaves.number_from_0, begin=leaves.length_from_0, begin_phase=leaves.share)
def one_cycle_momentum(
    total_steps: Length,
    *,
    base_momentum: Scalar = 0.85,
    max_momentum: Scalar = 0.95,
    pct_start: Scalar = 0.3,
    anneal: Literal["cos", "linear"] = "cos",
    three_phase: bool = False,
    last: Literal["total-1", "total"] = "total-1",
    begin: Length = 0,
    begin_phase: Scalar = 0.0,
) -> Schedule:
    """The momentum that goes with `one_cycle`: down while the rate rises, up while it falls.

    It starts at `max_momentum`, reaches `base_momentum` where the rate has its peak, and is back when the rate is back
    at its first value; phases and conventions are those of `one_cycle`.

    Args:
      total_steps: updates in the run; an integer, at least 1.
      base_momentum: the lowest momentum.
      max_momentum: the highest momentum.
      pct_start: the share of the run in which the rate rises, in [0, 1]; at most 1/2 with three phases.
      anneal: "cos" or "linear".
      three_phase: whether the rate's fall has two parts.
      last: the count at which the end is reached: "total-1" or "total".
      begin: the count at which it begins to move; an integer, at least 0. `jaxlr.retime` sets it where the horizon of a
        run changes. A curve that would begin at its end, or behind it, is over.
      begin_phase: the share of the run that it counts as over by then, in [0, 1]; the rest comes evenly.

    Returns:
      A schedule: update count (int, any shape) -> momentum (float32, same shape).

    Raises:
      ValueError: a number out of range, `base_momentum` above `max_momentum`, another word for `anneal` or `last`.
      TypeError: `total_steps` is no integer.

    Example:
      >>> import jaxlr
      >>> momentum = jaxlr.one_cycle_momentum(7, pct_start=4 / 7, anneal="linear")
      >>> [round(float(momentum(n)), 4) for n in range(8)]
      [0.95, 0.9167, 0.8833, 0.85, 0.8833, 0.9167, 0.95, 0.95]

    References:
      Smith and Topin, Super-Convergence, 2018, arXiv:1708.07120
    """
    ...


def _one_cycle_momentum(
    position: Position,
    total_steps: jax.Array,
    base_momentum: Wide,
    max_momentum: Wide,
    pct_start: Wide,
    anneal: str,
    three_phase: bool,
    last: str,
    begin: jax.Array,
    begin_phase: Wide,
) -> Wide:
    share, earlier = placed(position, total_steps, pct_start, three_phase, last, begin, begin_phase, anneal)
    rest = [max_momentum] if three_phase else []
    first, then = [max_momentum, base_momentum, *rest], [base_momentum, max_momentum, *rest]
    return share.between(in_turn(earlier, *first), in_turn(earlier, *then))


def placed(
    position: Position,
    total_steps: jax.Array,
    pct_start: Wide,
    three_phase: bool,
    last: str,
    begin: jax.Array,
    begin_phase: Wide,
    anneal: str,
) -> tuple[Share, list[jax.Array]]:
    """How much of its phase is done, along its curve, and whether the position lies before each border.

    The borders between the phases are shares of the run: real numbers, not counts.
    """
    end, borders = _inner_borders(total_steps, pct_start, 3 if three_phase else 2, last)
    start, ahead = progress(position, end, begin, begin_phase)
    distances = [start - border for border in borders]
    earlier = [distance.high < 0.0 for distance in distances[:-1]]
    # At the end a last phase of no length, but for rounding, has not begun: it does nothing. Elsewhere this is `< 0`.
    most = select(ahead.high > 0.0, -(2.0**-99), start.high * jnp.float32(2.0**-40))
    earlier.append(distances[-1].high <= most)
    behind = in_turn(earlier, start, *distances)
    ahead = in_turn(earlier, *(-distance for distance in distances), ahead)
    length = behind.plus(ahead)
    early = behind.high < ahead.high
    # Without a way it is the end: the small number keeps 0 / 0 away.
    share = Share(where(early, behind, ahead).doubled() / Wide(length.high + jnp.float32(2.0**-99), length.low), early)
    return along_cosine(share) if anneal == "cos" else share, earlier


def in_turn(earlier: list[jax.Array], *values: Wide) -> Wide:
    """The value of the phase: the first one before the first border, the last one behind all of them."""
    value = values[-1]
    for before, own in reversed(list(zip(earlier, values[:-1], strict=True))):
        value = where(before, own, value)
    return value


def run_borders(total_steps: jax.Array, pct_start: Wide, phases: int, last: str) -> Borders:
    """The count of the end, and where each of the two or three phases starts and the last one ends."""
    end, inner = _inner_borders(total_steps, pct_start, phases, last)
    return end, [constant(0.0), *inner, from_integer(end)]


def _inner_borders(total_steps: jax.Array, pct_start: Wide, phases: int, last: str) -> tuple[jax.Array, list[Wide]]:
    """The count of the end, and where the second and the third phase start."""
    share = pct_start * from_integer(total_steps)
    if last == "total":
        end, risen = total_steps, share
    else:
        end = at_least_one(total_steps) - jnp.uint32(1)
        risen = less_one(share)
        # A share that was meant as one update, as 0.1 of 10, starts at the peak.
        risen = unless(jnp.abs(risen.high) <= share.high * 2.0**-40, risen)
    return end, [risen] if phases == 2 else [risen, risen.doubled()]


@family()
def slanted_triangular(
    max_lr: Scalar, total_steps: Length, *, cut_frac: Scalar = 0.1, ratio: Scalar = 32.0
) -> Schedule:
    """A short rise and a long fall in straight lines (ULMFiT).

    From max_lr / ratio up to max_lr at n = cut_frac * total_steps, back to max_lr / ratio at n = total_steps; holds. It
    is `one_cycle` with other numbers, and prints as that.

    Args:
      max_lr: the peak.
      total_steps: updates in the run; an integer, at least 1.
      cut_frac: the share of the run that rises, in [0, 1].
      ratio: peak over first and last rate, above 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `total_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import slanted_triangular
      >>> rate = slanted_triangular(1.0, 8, cut_frac=0.25, ratio=4.0)
      >>> [float(rate(n)) for n in (0, 1, 2, 5, 8, 9)]
      [0.25, 0.625, 1.0, 0.625, 0.25, 0.25]

    References:
      Howard and Ruder, Universal Language Model Fine-tuning for Text Classification, 2018, arXiv:1801.06146
    """
    share = leaves.share("cut_frac", cut_frac)
    leaves.positive("ratio", ratio)
    return one_cycle(
        max_lr, total_steps, pct_start=share, div_factor=ratio, final_div_factor=1.0, anneal="linear", last="total"
    )


@family(**decay_over("total_steps"))
@declared(pct_start=leaves.share)
def flat_cosine(
    init_value: Scalar, total_steps: Length, *, pct_start: Scalar = 0.75, end_value: Scalar = 0.0
) -> Schedule:
    """Stays, then falls along half a cosine (fastai's fit_flat_cos).

    lr(n) = init_value up to n = pct_start * total_steps, then a cosine down to end_value at n = total_steps; holds.

    Args:
      init_value: the rate of the flat part.
      total_steps: updates in the run; an integer, at least 1.
      pct_start: the share of the run that is flat, in [0, 1].
      end_value: the last rate.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `total_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import flat_cosine
      >>> rate = flat_cosine(1.0, 8, pct_start=0.75)
      >>> [round(float(rate(n)), 4) for n in (0, 6, 7, 8)]
      [1.0, 1.0, 0.5, 0.0]
    """
    ...


def _flat_cosine(
    position: Position, init_value: Wide, total_steps: jax.Array, pct_start: Wide, end_value: Wide
) -> Wide:
    none = from_integer(jnp.uint32(0))
    share, earlier = placed(position, total_steps, pct_start, False, "total", jnp.uint32(0), none, "cos")
    return share.between(init_value, in_turn(earlier, init_value, end_value))
