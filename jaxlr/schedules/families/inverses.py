"""One over the count, over its root, and over what is left."""

from __future__ import annotations

import jax
from jax import lax

from jaxlr.numerics import elementary, wide
from jaxlr.numerics.elementary import one_more, sqrt
from jaxlr.numerics.wide import Wide, alike, constant, from_integer, less, ratio, where
from jaxlr.schedules import leaves
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.families.exponentials import transitions
from jaxlr.schedules.families.lines import from_zero
from jaxlr.schedules.family import family
from jaxlr.schedules.outline import held, in_proportion, through
from jaxlr.schedules.position import Position, at_least_one
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


@family(outline=lambda a: through((0, a.init_value), beyond=(0.0, a.init_value)))
@declared(decay_rate=leaves.number_from_0)
def inverse_time(
    init_value: Scalar, decay_rate: Scalar, *, transition_steps: Length = 1, staircase: bool = False
) -> Schedule:
    """Falls as one over the count; the other formula that people call time-based.

    lr(n) = init_value / (1 + decay_rate * n / transition_steps), with the floor of n / transition_steps if `staircase`

    Args:
      init_value: the first rate.
      decay_rate: how much the divisor grows over `transition_steps` updates, at least 0.
      transition_steps: updates in the unit of `decay_rate`; an integer, at least 1.
      staircase: whether the rate changes only at multiples of `transition_steps`.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `transition_steps` is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.inverse_time(1.0, 1.0)
      >>> [float(rate(n)) for n in (0, 1, 3, 7)]
      [1.0, 0.5, 0.25, 0.125]
    """
    ...


def _inverse_time(
    position: Position, init_value: Wide, decay_rate: Wide, transition_steps: jax.Array, staircase: bool
) -> Wide:
    return init_value / (constant(1.0) + decay_rate * transitions(position, transition_steps, staircase))


@family(
    span=lambda a: max(1000, 4 * a.timescale),
    outline=lambda a: through((0, a.init_value), (a.timescale, a.init_value), beyond=(0.0, a.init_value)),
)
@declared()
def inverse_sqrt(init_value: Scalar, *, timescale: Length = 1) -> Schedule:
    """Holds for `timescale` updates, then falls as one over the square root of the count.

    lr(n) = init_value * sqrt(timescale / max(n, timescale))

    Finite at n = 0. Behind a linear warm-up of the same length it is the schedule of T5 and, with another scale, of the
    Transformer's paper (`jaxlr.schedules.noam`).

    Args:
      init_value: the rate up to n = timescale.
      timescale: the count from which the rate falls; an integer, at least 1.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `timescale` is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.inverse_sqrt(1.0, timescale=4)
      >>> [float(rate(n)) for n in (0, 4, 16, 64)]
      [1.0, 1.0, 0.5, 0.25]
    """
    ...


def _inverse_sqrt(position: Position, init_value: Wide, timescale: jax.Array) -> Wide:
    scale = at_least_one(timescale)
    if position.fraction is None:
        return init_value * sqrt(ratio(scale, lax.max(*alike(position.whole, scale))))
    later = where(position.whole < scale, from_integer(scale), position.wide())
    return init_value * sqrt(from_integer(scale) / later)


@family(
    end="decay_steps",
    scales=("init_value",),
    borders=lambda a: from_zero(a.decay_steps),
    outline=lambda a: held((0, a.init_value), (a.decay_steps, 0.0)),
)
@declared()
def rex(init_value: Scalar, decay_steps: Length) -> Schedule:
    """Falls ever faster to 0 (reflected exponential).

    lr(n) = init_value * (1 - x) / (1 - x / 2), x = n / decay_steps <= 1

    Args:
      init_value: the first rate.
      decay_steps: updates of the fall; an integer, at least 1.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `decay_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import rex
      >>> [round(float(rex(1.0, 10)(n)), 4) for n in (0, 5, 10, 11)]
      [1.0, 0.6667, 0.0, 0.0]

    References:
      Chen, Wolfe and Kyrillidis, REX: Revisiting Budgeted Training with an Improved Schedule, 2021, arXiv:2107.04197
    """
    ...


def _rex(position: Position, init_value: Wide, decay_steps: jax.Array) -> Wide:
    _, left = position.parts(decay_steps)
    return init_value * (left.doubled() / one_more(left))


@family(
    span=lambda a: 4 * a.warmup_steps,
    outline=lambda a: through((0, a.factor * a.d_model**-0.5 * a.warmup_steps**-1.5), beyond=(0.0, a.factor)),
)
@declared()
def noam(d_model: Length, warmup_steps: Length, *, factor: Scalar = 1.0) -> Schedule:
    """The Transformer paper's schedule: up in a straight line, down as one over the square root.

    lr(n) = factor / sqrt(d_model) * min(1 / sqrt(k), k / warmup_steps ** 1.5), k = n + 1

    The paper counts from 1, so the first update has a rate above 0 and the peak lies at n = warmup_steps - 1.

    Args:
      d_model: the model's width; an integer, at least 1.
      warmup_steps: updates of the rise; an integer, at least 1.
      factor: a factor for all of it.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `d_model` or `warmup_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import noam
      >>> [round(float(noam(4, 4)(n)), 4) for n in (0, 3, 15)]
      [0.0625, 0.25, 0.125]

    References:
      Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762
    """
    ...


def _noam(position: Position, d_model: jax.Array, warmup_steps: jax.Array, factor: Wide) -> Wide:
    warmup = at_least_one(warmup_steps)
    k = position.wide() + constant(1.0)
    peak = factor * elementary.sqrt(constant(1.0) / (from_integer(at_least_one(d_model)) * from_integer(warmup)))
    rising = k / from_integer(warmup)
    falling = elementary.sqrt(from_integer(warmup) / wide.where(position.whole < warmup, from_integer(warmup), k))
    return peak * wide.where(position.whole < warmup, rising, falling)


@family(
    span=lambda a: 4 * a.timescale,
    outline=lambda a: through((0, a.init_value)) if a.shift <= a.timescale else in_proportion(a.init_value),
)
@declared(shift=leaves.length_from_0)
def power(init_value: Scalar, exponent: Scalar, *, timescale: Length = 1, shift: Length = 0) -> Schedule:
    """A power of the count.

    lr(n) = init_value * ((n + shift) / timescale) ** exponent from n + shift >= timescale on, init_value before

    Args:
      init_value: the rate up to n + shift = timescale.
      exponent: the power; -0.5 is `inverse_sqrt`, and the power scheduler's is near it.
      timescale: the count from which the rate changes; an integer, at least 1.
      shift: updates to count ahead; an integer, at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `timescale` or `shift` is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.power(1.0, -0.5, timescale=4)
      >>> [float(rate(n)) for n in (0, 4, 16, 64)]
      [1.0, 1.0, 0.5, 0.25]

    References:
      Shen et al., Power Scheduler, 2024, arXiv:2408.13359
    """
    ...


def _power(position: Position, init_value: Wide, exponent: Wide, timescale: jax.Array, shift: jax.Array) -> Wide:
    scale = from_integer(at_least_one(timescale))
    counted = position.wide() + from_integer(shift)
    ratio = where(less(counted, scale), constant(1.0), counted / scale)
    factor, exponent_of_two = elementary.power(elementary.logarithm(ratio), exponent)
    return (init_value * factor).scaled(exponent_of_two)
