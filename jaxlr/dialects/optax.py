"""optax's schedules under their own names, arguments and defaults, as schedules of jaxlr: their numbers can be traced.

The source's defects, and what is done here instead: a compiled `polynomial_schedule` with a fractional power is NaN
from its last step on, and a compiled `linear_schedule` ends at a rate just off its end value, even below 0; here both
hold the end value. Staircases drop one step early at some multiples, and repeat steps past 2**24; `exponential_decay`
is off by a share of 1e-5 at 1,000 steps of 0.99999; here both are exact. `warmup_constant_schedule` with warmup_steps=0
never leaves `init_value`; here it is at `peak_value`. `warmup_cosine_decay_schedule` with peak_value=0 ends at 0
whatever `end_value` is; here it ends there. A one-cycle so short that two of its borders fall on one step loses a phase
and the values after it; here every value is right. `piecewise_interpolate_schedule` is wrong for an array of counts;
here an array is as many counts. `join_schedules` leaves out schedules that have no boundary; here that is an error. A
negative length is an error too, where optax logs a line and goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from jaxlr.dialects import common
from jaxlr.schedules import (
    Schedule,
    constant,
    cosine,
    custom,
    exponential,
    join,
    k_decay,
    leaves,
    linear,
    multi_step,
    polynomial,
    warmup,
)

__all__ = [
    "constant_schedule",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "exponential_decay",
    "join_schedules",
    "linear_onecycle_schedule",
    "linear_schedule",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "sgdr_schedule",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
]


def constant_schedule(value: Any) -> Schedule:
    """The same rate for every update: `jaxlr.constant`, an array where optax's is the number itself.

    Args:
      value: the rate.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> float(optax.constant_schedule(0.5)(7))
      0.5
    """
    return constant(value)


def linear_schedule(init_value: Any, end_value: Any, transition_steps: Any, transition_begin: Any = 0) -> Schedule:
    """From `init_value` to `end_value` in a straight line: `jaxlr.linear`.

    Args:
      init_value: the first rate.
      end_value: the last rate, which it holds exactly.
      transition_steps: updates of the way; an integer; 0 holds `init_value`, as in optax.
      transition_begin: updates before; an integer, at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.linear_schedule(1.0, 0.0, 4)
      >>> [float(rate(n)) for n in range(6)]
      [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    steps = common.length("transition_steps", transition_steps)
    if common.equals(steps, 0):
        return constant(init_value)
    return linear(init_value, end_value, steps, transition_begin=transition_begin)


def polynomial_schedule(
    init_value: Any, end_value: Any, power: Any, transition_steps: Any, transition_begin: Any = 0
) -> Schedule:
    """From `init_value` to `end_value` along a power of what is left: `jaxlr.polynomial`, never NaN.

    Args:
      init_value: the first rate.
      end_value: the last rate, which it holds exactly.
      power: the power, above 0.
      transition_steps: updates of the way; an integer; 0 holds `init_value`, as in optax.
      transition_begin: updates before; an integer, at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.polynomial_schedule(1.0, 0.0, 2.0, 4)
      >>> [float(rate(n)) for n in range(6)]
      [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """
    steps = common.length("transition_steps", transition_steps)
    if common.equals(steps, 0):
        return constant(init_value)
    return polynomial(init_value, end_value, power, steps, transition_begin=transition_begin)


def piecewise_constant_schedule(init_value: Any, boundaries_and_scales: Mapping[int, Any] | None = None) -> Schedule:
    """Multiplies the rate by a scale at each boundary: `jaxlr.multi_step`.

    Args:
      init_value: the first rate.
      boundaries_and_scales: {count: scale}; from the count on; each scale at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.piecewise_constant_schedule(1.0, {2: 0.5, 4: 0.25})
      >>> [float(rate(n)) for n in range(5)]
      [1.0, 1.0, 0.5, 0.5, 0.125]
    """
    steps = _sorted(boundaries_and_scales)
    return multi_step(init_value, [b for b, _ in steps], [s for _, s in steps]) if steps else constant(init_value)


def piecewise_interpolate_schedule(
    interpolate_type: str, init_value: Any, boundaries_and_scales: Mapping[int, Any] | None = None
) -> Schedule:
    """From value to value in straight lines or half cosines: `jaxlr.join` of `linear` or `cosine`.

    Args:
      interpolate_type: "linear" or "cosine".
      init_value: the first rate.
      boundaries_and_scales: {count: scale}; at a count the rate is `init_value` times every scale so far.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.piecewise_interpolate_schedule("linear", 1.0, {2: 0.5, 4: 0.5})
      >>> [float(rate(n)) for n in range(6)]
      [1.0, 0.75, 0.5, 0.375, 0.25, 0.25]
    """
    leaves.choice("interpolate_type", interpolate_type, ("linear", "cosine"))
    value, borders = init_value, []
    for boundary, scale in _sorted(boundaries_and_scales):
        leaves.factor(f"boundaries_and_scales[{boundary}]", scale)
        value = value * scale
        borders.append((boundary, value))
    return _through(interpolate_type, init_value, borders)


def exponential_decay(
    init_value: Any,
    transition_steps: Any,
    decay_rate: Any,
    transition_begin: Any = 0,
    staircase: bool = False,
    end_value: Any = None,
) -> Schedule:
    """Multiplies the rate by `decay_rate` over every `transition_steps` updates: `jaxlr.exponential`.

    Args:
      init_value: the first rate.
      transition_steps: updates over which the factor applies once; an integer, at least 1.
      decay_rate: the factor, above 0.
      transition_begin: updates before; an integer, at least 0.
      staircase: whether the factor applies at once, at every multiple.
      end_value: where the rate stops, or None.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.exponential_decay(1.0, 2, 0.25, transition_begin=1)
      >>> [float(rate(n)) for n in range(5)]
      [1.0, 1.0, 0.5, 0.25, 0.125]
    """
    leaves.positive("decay_rate", decay_rate)
    begin = common.length("transition_begin", transition_begin)
    decay = exponential(
        init_value, decay_rate, transition_steps=transition_steps, staircase=staircase, end_value=end_value
    )
    return decay if common.equals(begin, 0) else decay.shift(-begin)


def cosine_decay_schedule(init_value: Any, decay_steps: Any, alpha: Any = 0.0, exponent: Any = 1.0) -> Schedule:
    """Half a cosine to `alpha * init_value`: `jaxlr.cosine`, or `jaxlr.schedules.k_decay` with an exponent.

    Args:
      init_value: the first rate.
      decay_steps: updates of the fall; an integer, at least 1.
      alpha: the last rate as a share of the first.
      exponent: the power of the curve, above 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.cosine_decay_schedule(1.0, 4, alpha=0.5)
      >>> [round(float(rate(n)), 4) for n in range(6)]
      [1.0, 0.9268, 0.75, 0.5732, 0.5, 0.5]
    """
    leaves.number("init_value", init_value)
    leaves.number("alpha", alpha)
    return _cosine(init_value, common.length("decay_steps", decay_steps, minimum=1), alpha * init_value, exponent)


def linear_onecycle_schedule(
    transition_steps: Any,
    peak_value: Any,
    pct_start: Any = 0.3,
    pct_final: Any = 0.85,
    div_factor: Any = 25.0,
    final_div_factor: Any = 1e4,
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

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.linear_onecycle_schedule(8, 1.0, 0.5, 0.75, div_factor=4.0, final_div_factor=4.0)
      >>> [round(float(rate(n)), 4) for n in range(10)]
      [0.25, 0.4375, 0.625, 0.8125, 1.0, 0.625, 0.25, 0.1562, 0.0625, 0.0625]
    """
    total = common.length("transition_steps", transition_steps, minimum=1)
    first, last = _one_cycle_ends(peak_value, div_factor, final_div_factor)
    rise, fall = _part("pct_start", pct_start, total), _part("pct_final", pct_final, total)
    if not (leaves.is_traced(rise) or leaves.is_traced(fall)) and fall < rise:
        raise ValueError(f"pct_final must be at least pct_start, {pct_start}, got {pct_final}")
    return _through("linear", first, [(rise, peak_value), (fall, first), (total, last)])


def cosine_onecycle_schedule(
    transition_steps: Any,
    peak_value: Any,
    pct_start: Any = 0.3,
    div_factor: Any = 25.0,
    final_div_factor: Any = 1e4,
) -> Schedule:
    """Up and down along half cosines.

    From peak_value / div_factor to peak_value at floor(pct_start * transition_steps), and to
    peak_value / (div_factor * final_div_factor) at transition_steps; holds.

    Args:
      transition_steps: updates in the run; an integer, at least 1.
      peak_value: the peak.
      pct_start: the share of the run that rises, in [0, 1].
      div_factor: peak over first rate, above 0.
      final_div_factor: first rate over last rate, above 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.cosine_onecycle_schedule(4, 1.0, 0.5, div_factor=4.0, final_div_factor=2.0)
      >>> [round(float(rate(n)), 4) for n in range(6)]
      [0.25, 0.625, 1.0, 0.5625, 0.125, 0.125]
    """
    total = common.length("transition_steps", transition_steps, minimum=1)
    first, last = _one_cycle_ends(peak_value, div_factor, final_div_factor)
    return _through("cosine", first, [(_part("pct_start", pct_start, total), peak_value), (total, last)])


def warmup_constant_schedule(init_value: Any, peak_value: Any, warmup_steps: Any) -> Schedule:
    """Up in a straight line, and on: `jaxlr.linear`.

    Args:
      init_value: the first rate.
      peak_value: the rate after the warm-up.
      warmup_steps: updates of the warm-up; an integer, at least 0; with 0 the rate is `peak_value` from the start.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

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
    init_value: Any,
    peak_value: Any,
    warmup_steps: Any,
    decay_steps: Any,
    end_value: Any = 0.0,
    exponent: Any = 1.0,
) -> Schedule:
    """Up in a straight line, and down along half a cosine; `decay_steps` counts the warm-up too.

    Args:
      init_value: the first rate.
      peak_value: the rate after the warm-up.
      warmup_steps: updates of the warm-up; an integer, at least 0.
      decay_steps: updates of the warm-up and the fall; an integer above `warmup_steps`.
      end_value: the last rate.
      exponent: the power of the curve, above 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.warmup_cosine_decay_schedule(0.0, 1.0, 2, 6)
      >>> [round(float(rate(n)), 4) for n in range(8)]
      [0.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """
    warm = common.length("warmup_steps", warmup_steps)
    fall = common.length("decay_steps", decay_steps, minimum=1) - warm
    if not leaves.is_traced(fall) and fall < 1:
        raise ValueError(f"decay_steps must be above warmup_steps, {warm}, which it includes, got {decay_steps}")
    return _warmed(_cosine(peak_value, fall, end_value, exponent), warm, init_value)


def warmup_exponential_decay_schedule(
    init_value: Any,
    peak_value: Any,
    warmup_steps: Any,
    transition_steps: Any,
    decay_rate: Any,
    transition_begin: Any = 0,
    staircase: bool = False,
    end_value: Any = None,
) -> Schedule:
    """Up in a straight line, and down by a factor.

    Args:
      init_value: the first rate.
      peak_value: the rate after the warm-up.
      warmup_steps: updates of the warm-up; an integer, at least 0.
      transition_steps, decay_rate, transition_begin, staircase, end_value: as in `exponential_decay`, from the end of
        the warm-up on.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.warmup_exponential_decay_schedule(0.0, 1.0, 2, 1, 0.5)
      >>> [float(rate(n)) for n in range(5)]
      [0.0, 0.5, 1.0, 0.5, 0.25]
    """
    decay = exponential_decay(peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value)
    return _warmed(decay, common.length("warmup_steps", warmup_steps), init_value)


def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    """One `warmup_cosine_decay_schedule` after another.

    Args:
      cosine_kwargs: for each cycle its arguments by name; `decay_steps` is its length.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

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


def join_schedules(schedules: Sequence[Any], boundaries: Sequence[Any]) -> Schedule:
    """One schedule after another, each from its own count 0: `jaxlr.join`.

    Args:
      schedules: schedules of jaxlr's, or functions of the count, such as optax's own schedules.
      boundaries: the counts at which the second, third, ... starts; integers in rising order, one fewer than schedules.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.join_schedules([optax.constant_schedule(1.0), optax.linear_schedule(0.5, 0.0, 2)], [2])
      >>> [float(rate(n)) for n in range(5)]
      [1.0, 1.0, 0.5, 0.25, 0.0]
    """
    children = leaves.sequence("schedules", schedules)
    made = [child if isinstance(child, Schedule) or not callable(child) else custom(child) for child in children]
    return join(made, boundaries)


def _sorted(boundaries_and_scales: Mapping[int, Any] | None) -> list[tuple[Any, Any]]:
    if boundaries_and_scales is None:
        return []
    if not isinstance(boundaries_and_scales, Mapping):
        raise TypeError(f"boundaries_and_scales must be a mapping of counts to scales, got {boundaries_and_scales!r}")
    return sorted((common.length("a boundary", b), scale) for b, scale in boundaries_and_scales.items())


def _through(shape: str, first: Any, borders: list[tuple[Any, Any]]) -> Schedule:
    """From value to value, each with the count at which it is reached, and on at the last."""
    segments, start, value = [], 0, first
    for end, then in borders:
        steps = common.at_least_one(end - start)
        segment = linear(value, then, steps) if shape == "linear" else cosine(value, steps, end_value=then)
        segments.append((segment, end - start))
        start, value = end, then
    return common.in_turn(*segments, last=constant(value))


def _part(name: str, share: Any, total: Any) -> Any:
    """The whole updates in a share of a run."""
    leaves.share(name, share)
    if leaves.is_traced(share) or leaves.is_traced(total):
        return jnp.floor(share * total).astype(jnp.int32)
    return int(share * total)


def _one_cycle_ends(peak_value: Any, div_factor: Any, final_div_factor: Any) -> tuple[Any, Any]:
    leaves.number("peak_value", peak_value)
    leaves.positive("div_factor", div_factor)
    leaves.positive("final_div_factor", final_div_factor)
    return peak_value / div_factor, peak_value / (div_factor * final_div_factor)


def _cosine(first: Any, steps: Any, last: Any, exponent: Any) -> Schedule:
    leaves.positive("exponent", exponent)
    if common.equals(exponent, 1):
        return cosine(first, steps, end_value=last)
    return k_decay(first, steps, end_value=last, power=exponent)


def _warmed(schedule: Schedule, steps: Any, first: Any) -> Schedule:
    return (
        schedule if common.equals(steps, 0) else warmup(schedule, steps, init_value=leaves.number("init_value", first))
    )
