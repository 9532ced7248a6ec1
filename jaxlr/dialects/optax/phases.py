"""optax's schedules of several pieces: piecewise, one-cycle, behind a warm-up, joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import jax
import numpy as np

from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.dialects.optax.decays import cosine_with_exponent, exponential_decay
from jaxlr.schedules import Schedule, constant, custom, join, leaves, linear, multi_step
from jaxlr.typing import Length, Lengths, Scalar

Shape: TypeAlias = Literal["linear", "cosine"]


def piecewise_constant_schedule(
    init_value: Scalar, boundaries_and_scales: Mapping[int, Scalar] | None = None
) -> Schedule:
    """Multiplies the rate by a scale at each boundary: `jaxlr.multi_step`.

    Args:
      init_value: the first rate.
      boundaries_and_scales: {count: scale}; from the count on; each scale at least 0.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.piecewise_constant_schedule(1.0, {2: 0.5, 4: 0.25})
      >>> [float(rate(n)) for n in range(5)]
      [1.0, 1.0, 0.5, 0.5, 0.125]
    """
    steps = _sorted(boundaries_and_scales)
    return multi_step(init_value, [b for b, _ in steps], [s for _, s in steps]) if steps else constant(init_value)


def piecewise_interpolate_schedule(
    interpolate_type: Shape, init_value: Scalar, boundaries_and_scales: Mapping[int, Scalar] | None = None
) -> Schedule:
    """From value to value in straight lines or half cosines: `jaxlr.join` of `linear` or `cosine`.

    Args:
      interpolate_type: "linear" or "cosine".
      init_value: the first rate.
      boundaries_and_scales: {count: scale}; at a count the rate is `init_value` times every scale so far.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.piecewise_interpolate_schedule("linear", 1.0, {2: 0.5, 4: 0.5})
      >>> [float(rate(n)) for n in range(6)]
      [1.0, 0.75, 0.5, 0.375, 0.25, 0.25]
    """
    leaves.choice("interpolate_type", interpolate_type, ("linear", "cosine"))
    first = common.signed("init_value", init_value)
    value, borders = first, []
    for boundary, scale in _sorted(boundaries_and_scales):
        leaves.factor(f"boundaries_and_scales[{boundary}]", scale)
        value = value * common.number("a scale", scale)
        borders.append((boundary, value))
    return _through(interpolate_type, first, borders)


def linear_onecycle_schedule(
    transition_steps: Length,
    peak_value: Scalar,
    pct_start: Scalar = 0.3,
    pct_final: Scalar = 0.85,
    div_factor: Scalar = 25.0,
    final_div_factor: Scalar = 1e4,
) -> Schedule:
    """Up, down and further down in straight lines.

    From peak_value / div_factor to peak_value at floor(pct_start * transition_steps), back at floor(pct_final *
    transition_steps), and to peak_value / (div_factor * final_div_factor) at transition_steps; holds.

    Args:
      transition_steps: updates in the run; an integer, at least 1.
      peak_value: the peak.
      pct_start: the share of the run that rises, in [0, 1].
      pct_final: the share after which the last fall begins, in [0, 1].
      div_factor: peak over first rate, above 0.
      final_div_factor: first rate over last rate, above 0.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.linear_onecycle_schedule(8, 1.0, 0.5, 0.75, div_factor=4.0, final_div_factor=4.0)
      >>> [round(float(rate(n)), 4) for n in range(10)]
      [0.25, 0.4375, 0.625, 0.8125, 1.0, 0.625, 0.25, 0.1562, 0.0625, 0.0625]
    """
    total = common.length("transition_steps", transition_steps, minimum=1)
    first, peak, last = _one_cycle_values(peak_value, div_factor, final_div_factor)
    rise = common.cut(common.share("pct_start", pct_start), total)
    fall = common.cut(common.share("pct_final", pct_final), total)
    if common.known(rise, fall) and fall < rise:
        raise ValueError(f"pct_final must be at least pct_start, {pct_start}, got {pct_final}")
    return _through("linear", first, [(rise, peak), (fall, first), (total, last)])


def cosine_onecycle_schedule(
    transition_steps: Length,
    peak_value: Scalar,
    pct_start: Scalar = 0.3,
    div_factor: Scalar = 25.0,
    final_div_factor: Scalar = 1e4,
) -> Schedule:
    """Up and down along half cosines.

    From peak_value / div_factor to peak_value at floor(pct_start * transition_steps), and to
    peak_value / (div_factor * final_div_factor) at transition_steps; holds.

    Args:
      transition_steps, peak_value, pct_start, div_factor, final_div_factor: as in `linear_onecycle_schedule`.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.cosine_onecycle_schedule(4, 1.0, 0.5, div_factor=4.0, final_div_factor=2.0)
      >>> [round(float(rate(n)), 4) for n in range(6)]
      [0.25, 0.625, 1.0, 0.5625, 0.125, 0.125]
    """
    total = common.length("transition_steps", transition_steps, minimum=1)
    first, peak, last = _one_cycle_values(peak_value, div_factor, final_div_factor)
    rise = common.cut(common.share("pct_start", pct_start), total)
    return _through("cosine", first, [(rise, peak), (total, last)])


def warmup_constant_schedule(init_value: Scalar, peak_value: Scalar, warmup_steps: Length) -> Schedule:
    """Up in a straight line, and on: `jaxlr.linear`.

    Args:
      init_value: the first rate.
      peak_value: the rate after the warm-up.
      warmup_steps: updates of the warm-up; an integer, at least 0; with 0 the rate is `peak_value` from the start.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.warmup_constant_schedule(0.0, 1.0, 2)
      >>> [float(rate(n)) for n in range(4)]
      [0.0, 0.5, 1.0, 1.0]
    """
    common.number("init_value", init_value)
    steps = common.length("warmup_steps", warmup_steps)
    return constant(peak_value) if common.equals(steps, 0) else linear(init_value, peak_value, steps)


def warmup_cosine_decay_schedule(
    init_value: Scalar,
    peak_value: Scalar,
    warmup_steps: Length,
    decay_steps: Length,
    end_value: Scalar = 0.0,
    exponent: Scalar = 1.0,
) -> Schedule:
    """Up in a straight line, and down along half a cosine; `decay_steps` counts the warm-up too.

    Args:
      init_value, peak_value, warmup_steps: as in `warmup_constant_schedule`.
      decay_steps: updates of the warm-up and the fall; an integer above `warmup_steps`.
      end_value: the last rate.
      exponent: the power of the curve, above 0.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.warmup_cosine_decay_schedule(0.0, 1.0, 2, 6)
      >>> [round(float(rate(n)), 4) for n in range(8)]
      [0.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """
    warm = common.length("warmup_steps", warmup_steps)
    fall = common.length("decay_steps", decay_steps, minimum=1) - warm
    if common.known(fall) and fall < 1:
        raise ValueError(f"decay_steps must be above warmup_steps, {warm}, which it includes, got {decay_steps}")
    return common.warmed(
        cosine_with_exponent(peak_value, fall, end_value, exponent), warm, common.signed("init_value", init_value)
    )


def warmup_exponential_decay_schedule(
    init_value: Scalar,
    peak_value: Scalar,
    warmup_steps: Length,
    transition_steps: Length,
    decay_rate: Scalar,
    transition_begin: Length = 0,
    staircase: bool = False,
    end_value: Scalar | None = None,
) -> Schedule:
    """Up in a straight line, and down by a factor.

    Args:
      init_value, peak_value, warmup_steps: as in `warmup_constant_schedule`.
      transition_steps, decay_rate, transition_begin, staircase, end_value: as in `exponential_decay`, from the end of
        the warm-up on.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.warmup_exponential_decay_schedule(0.0, 1.0, 2, 1, 0.5)
      >>> [float(rate(n)) for n in range(5)]
      [0.0, 0.5, 1.0, 0.5, 0.25]
    """
    decay = exponential_decay(peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value)
    return common.warmed(decay, common.length("warmup_steps", warmup_steps), common.signed("init_value", init_value))


def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    """One `warmup_cosine_decay_schedule` after another.

    Args:
      cosine_kwargs: for each cycle its arguments by name; `decay_steps` is its length.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range, or there is no cycle.

    Example:
      >>> from jaxlr.dialects import optax
      >>> cycle = {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 1, "decay_steps": 3}
      >>> rate = optax.sgdr_schedule([cycle, cycle])
      >>> [round(float(rate(n)), 4) for n in range(7)]
      [0.0, 1.0, 0.5, 0.0, 1.0, 0.5, 0.0]
    """
    cycles = [dict(cycle) for cycle in cosine_kwargs]
    if not cycles:
        raise ValueError("cosine_kwargs must hold the arguments of one cycle or more, got none")
    made = [warmup_cosine_decay_schedule(**cycle) for cycle in cycles]
    lengths = [common.length("decay_steps", cycle["decay_steps"], minimum=1) for cycle in cycles]
    return common.in_turn(*zip(made[:-1], lengths[:-1], strict=True), last=made[-1])


def join_schedules(schedules: Sequence[Callable[[Any], Any]], boundaries: Lengths) -> Schedule:
    """One schedule after another, each from its own count 0: `jaxlr.join`.

    Args:
      schedules: schedules of jaxlr's, or functions of the count, such as optax's own schedules.
      boundaries: the counts at which the second, third, ... starts; integers in rising order, one fewer than schedules;
        as in optax, a boundary after the last schedule's start means nothing.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.join_schedules([optax.constant_schedule(1.0), optax.linear_schedule(0.5, 0.0, 2)], [2])
      >>> [float(rate(n)) for n in range(5)]
      [1.0, 1.0, 0.5, 0.25, 0.0]
    """
    children = leaves.sequence("schedules", schedules)
    made = [child if isinstance(child, Schedule) or not callable(child) else custom(child) for child in children]
    return join(made, _started(boundaries, len(made)))


def _started(boundaries: Lengths, schedules: int) -> Any:
    """The boundaries at which a schedule starts."""
    if isinstance(boundaries, leaves.Length):
        return leaves.Length(boundaries.count[: schedules - 1])
    if schedules and isinstance(boundaries, list | tuple | np.ndarray | jax.Array):
        return boundaries[: schedules - 1]
    return boundaries


def _sorted(boundaries_and_scales: Mapping[int, Scalar] | None) -> list[tuple[Updates, Scalar]]:
    if boundaries_and_scales is None:
        return []
    if not isinstance(boundaries_and_scales, Mapping):
        raise TypeError(f"boundaries_and_scales must be a mapping of counts to scales, got {boundaries_and_scales!r}")
    return sorted((common.length("a boundary", b), scale) for b, scale in boundaries_and_scales.items())


def _through(shape: Shape, first: Number, borders: list[tuple[Updates, Number]]) -> Schedule:
    """From value to value, each with the count at which it is reached, and on at the last."""
    segments, start, value = [], 0, first
    for end, then in borders:
        steps = common.at_least_one(end - start)
        segments.append((common.curve(shape, value, then, steps), end - start))
        start, value = end, then
    return common.in_turn(*segments, last=constant(value))


def _one_cycle_values(
    peak_value: Scalar, div_factor: Scalar, final_div_factor: Scalar
) -> tuple[Number, Number, Number]:
    """The first, the highest and the last rate."""
    peak, div = common.signed("peak_value", peak_value), common.positive("div_factor", div_factor)
    return peak / div, peak, peak / (div * common.positive("final_div_factor", final_div_factor))
