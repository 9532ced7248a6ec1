"""Smooth decays: exponential, inverse time, inverse square root."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxlr.numerics.wide import Wide, constant, exp, from_integer, sqrt, where
from jaxlr.schedules import leaves
from jaxlr.schedules.family import family
from jaxlr.schedules.leaves import Factor
from jaxlr.schedules.position import Position, at_least_one
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


@family()
def exponential(
    init_value: Scalar,
    decay_rate: Scalar,
    *,
    transition_steps: Length = 1,
    staircase: bool = False,
    end_value: Scalar | None = None,
) -> Schedule:
    """Multiplies the rate by `decay_rate` over every `transition_steps` updates, smoothly or in steps.

    lr(n) = init_value * decay_rate ** (n / transition_steps), with the floor of the exponent if `staircase`

    With `end_value` the rate stops there: no lower for a factor below 1, no higher for one above. Without one it has no
    end; it falls to 0 or rises to the largest float32, never further.

    Args:
      init_value: the first rate.
      decay_rate: the factor, at least 0.
      transition_steps: updates over which the factor applies once; an integer, at least 1.
      staircase: whether the factor applies at once, at every multiple of `transition_steps`.
      end_value: where the rate stops, or None.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `transition_steps` is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.exponential(1.0, 0.25, transition_steps=2)
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4)]
      [1.0, 0.5, 0.25, 0.125, 0.0625]
    """
    return Schedule(
        _exponential,
        init_value=leaves.number("init_value", init_value),
        decay_rate=leaves.factor("decay_rate", decay_rate),
        transition_steps=leaves.length("transition_steps", transition_steps),
        staircase=leaves.flag("staircase", staircase),
        end_value=None if end_value is None else leaves.number("end_value", end_value),
    )


def _exponential(
    position: Position,
    init_value: Wide,
    decay_rate: Factor,
    transition_steps: jax.Array,
    staircase: bool,
    end_value: Wide | None,
) -> Wide:
    value = decayed(init_value, decay_rate, _transitions(position, transition_steps, staircase))
    if end_value is None:
        return value
    difference = value - end_value
    # Past the end: below it for a factor under 1, above it for one over 1, the other way round for a negative rate.
    past = difference.high * jnp.sign(decay_rate.high) * jnp.sign(init_value.high) > 0
    return where(past, end_value, value)


@family()
def natural_exponential(
    init_value: Scalar, decay_rate: Scalar, *, transition_steps: Length = 1, staircase: bool = False
) -> Schedule:
    """Falls by the factor e over every `transition_steps / decay_rate` updates, smoothly or in steps.

    lr(n) = init_value * exp(-decay_rate * n / transition_steps), with the floor of n / transition_steps if `staircase`

    Args:
      init_value: the first rate.
      decay_rate: the decay over `transition_steps` updates, at least 0.
      transition_steps: updates in the unit of `decay_rate`; an integer, at least 1.
      staircase: whether the rate changes only at multiples of `transition_steps`.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `transition_steps` is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.natural_exponential(1.0, 0.1)
      >>> [round(float(rate(n)), 4) for n in (0, 1, 10)]
      [1.0, 0.9048, 0.3679]
    """
    return Schedule(
        _natural_exponential,
        init_value=leaves.number("init_value", init_value),
        decay_rate=leaves.number("decay_rate", decay_rate, minimum=0.0),
        transition_steps=leaves.length("transition_steps", transition_steps),
        staircase=leaves.flag("staircase", staircase),
    )


def _natural_exponential(
    position: Position, init_value: Wide, decay_rate: Wide, transition_steps: jax.Array, staircase: bool
) -> Wide:
    power, scale = exp(-decay_rate * _transitions(position, transition_steps, staircase))
    return (init_value * power).scaled(scale)


@family()
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
    return Schedule(
        _inverse_time,
        init_value=leaves.number("init_value", init_value),
        decay_rate=leaves.number("decay_rate", decay_rate, minimum=0.0),
        transition_steps=leaves.length("transition_steps", transition_steps),
        staircase=leaves.flag("staircase", staircase),
    )


def _inverse_time(
    position: Position, init_value: Wide, decay_rate: Wide, transition_steps: jax.Array, staircase: bool
) -> Wide:
    return init_value / (constant(1.0) + decay_rate * _transitions(position, transition_steps, staircase))


@family(span=lambda a: max(1000, 4 * a.timescale))
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
    return Schedule(
        _inverse_sqrt,
        init_value=leaves.number("init_value", init_value),
        timescale=leaves.length("timescale", timescale),
    )


def _inverse_sqrt(position: Position, init_value: Wide, timescale: jax.Array) -> Wide:
    scale = at_least_one(timescale)
    later = where(position.whole < scale, from_integer(scale), position.wide())
    return init_value * sqrt(from_integer(scale) / later)


def _transitions(position: Position, transition_steps: jax.Array, staircase: bool) -> Wide:
    """n / transition_steps, or its floor."""
    steps = at_least_one(transition_steps)
    return from_integer(position.whole // steps) if staircase else position.wide() / from_integer(steps)


def decayed(value: Wide, rate: Factor, exponent: Wide) -> Wide:
    """value * rate ** exponent."""
    power, scale = rate.power(exponent)
    return (value * power).scaled(scale)
