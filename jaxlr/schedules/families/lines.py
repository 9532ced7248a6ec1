"""Straight lines and powers of them: constant, linear, polynomial."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp

from jaxlr.numerics.elementary import Logarithm, one_more, power_less_one
from jaxlr.numerics.wide import Wide, from_integer, where
from jaxlr.schedules import leaves
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.family import Borders, Cycle, family
from jaxlr.schedules.outline import Outline, held, steady, through
from jaxlr.schedules.position import Position, at_least_one, half_way
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


@family(steady=True, outline=lambda a: steady(a.value))
@declared()
def constant(value: Scalar) -> Schedule:
    """The same rate for every update.

    lr(n) = value

    Args:
      value: the rate.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: `value` is not finite.

    Example:
      >>> import jaxlr
      >>> jaxlr.constant(0.25)(1000)
      Array(0.25, dtype=float32)
    """
    ...


def _constant(position: Position, value: Wide) -> Wide:
    zeros = jnp.zeros(position.whole.shape, jnp.float32)
    return Wide(value.high + zeros, value.low + zeros)


def from_zero(length: jax.Array) -> Borders:
    """The borders of a curve with one phase, of so many updates."""
    return length, [from_integer(jnp.uint32(0)), from_integer(length)]


def decay_over(length: str, **facts: Any) -> dict[str, Any]:
    """What is known of a family from `init_value` to `end_value`, in as many updates as the argument `length` says."""
    return {
        "end": length,
        "scales": ("init_value",),
        "towards": "end_value",
        "borders": lambda a: from_zero(getattr(a, length)),
        "outline": lambda a: held((0, a.init_value), (getattr(a, length), a.end_value)),
    } | facts


def _arrival(a: SimpleNamespace) -> int:
    return a.transition_begin + a.transition_steps


def _from_init_to_end(a: SimpleNamespace) -> Outline:
    return held((a.transition_begin, a.init_value), (_arrival(a), a.end_value))


def _way(a: SimpleNamespace) -> Borders:
    end = a.transition_begin + a.transition_steps
    return end, [from_integer(a.transition_begin), from_integer(end)]


# A line and its powers: what is known of both.
_ONE_WAY: dict[str, Any] = {
    "end": _arrival,
    "scales": ("init_value",),
    "towards": "end_value",
    "borders": _way,
    "repeats_itself": True,
    "outline": _from_init_to_end,
}


@family(**_ONE_WAY)
@declared(transition_begin=leaves.length_from_0)
def linear(
    init_value: Scalar, end_value: Scalar, transition_steps: Length, *, transition_begin: Length = 0
) -> Schedule:
    """Goes from `init_value` to `end_value` in a straight line, and holds.

    lr(n) = init_value + (end_value - init_value) * x, x = (n - transition_begin) / transition_steps within [0, 1]

    The end value is reached at n = transition_begin + transition_steps, exactly.

    Args:
      init_value: the first rate.
      end_value: the last rate.
      transition_steps: updates from the first to the last; an integer, at least 1.
      transition_begin: updates at `init_value` before; an integer, at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: a length is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.linear(1.0, 0.0, 4)
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4, 5)]
      [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    ...


def _linear(
    position: Position, init_value: Wide, end_value: Wide, transition_steps: jax.Array, transition_begin: jax.Array
) -> Wide:
    return position.since(transition_begin).line(transition_steps, init_value, end_value)


@family(**_ONE_WAY)
@declared(power=leaves.positive, transition_begin=leaves.length_from_0)
def polynomial(
    init_value: Scalar, end_value: Scalar, power: Scalar, transition_steps: Length, *, transition_begin: Length = 0
) -> Schedule:
    """Goes from `init_value` to `end_value` along a power of what is left, and holds.

    lr(n) = end_value + (init_value - end_value) * (1 - x) ** power, x as in `linear`

    The end value is reached at n = transition_begin + transition_steps, exactly, whatever the power.

    Args:
      init_value: the first rate.
      end_value: the last rate.
      power: the power, above 0; 1 is `linear`.
      transition_steps: updates from the first to the last; an integer, at least 1.
      transition_begin: updates at `init_value` before; an integer, at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: a length is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.polynomial(1.0, 0.0, 2.0, 4)
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4, 5)]
      [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """
    ...


def _polynomial(
    position: Position,
    init_value: Wide,
    end_value: Wide,
    power: Wide,
    transition_steps: jax.Array,
    transition_begin: jax.Array,
) -> Wide:
    left = position.since(transition_begin).logarithm_of_left(transition_steps)
    return along_power(init_value, end_value, left, power)


def along_power(first: Wide, last: Wide, left: Logarithm, power: Wide) -> Wide:
    """From `first` to `last`, along a power of what is left."""
    less_one, scale = power_less_one(left, power)
    early = scale == 0  # `first` is the nearer end
    part = where(early, less_one, one_more(less_one))
    return where(early, first, last).plus(half_way(last, first).roughly(part).scaled_down(scale + 1))


@family(
    span=lambda a: 4 * a.decay_steps,
    cycle=lambda a, n: Cycle(n % a.decay_steps, a.decay_steps),
    outline=lambda a: through((0, a.init_value), (a.decay_steps, a.end_value), beyond=(a.init_value, a.end_value)),
)
@declared(power=leaves.positive)
def polynomial_cycles(init_value: Scalar, end_value: Scalar, power: Scalar, decay_steps: Length) -> Schedule:
    """A polynomial whose horizon grows by `decay_steps` whenever it is reached (Keras' PolynomialDecay, cycle=True).

    lr(n) = end_value + (init_value - end_value) * (1 - n / T) ** power, T = decay_steps * max(1, ceil(n / decay_steps))

    At every multiple of decay_steps it is at end_value, and one update later above it, each time less.

    Args:
      init_value: the first rate.
      end_value: the rate at multiples of decay_steps.
      power: the power, above 0.
      decay_steps: updates between two visits of end_value; an integer, at least 1.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `decay_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import polynomial_cycles
      >>> rate = polynomial_cycles(1.0, 0.1, 1.0, 4)
      >>> [round(float(rate(n)), 4) for n in (0, 1, 3, 4, 5, 8)]
      [1.0, 0.775, 0.325, 0.1, 0.4375, 0.1]
    """
    ...


def _polynomial_cycles(
    position: Position, init_value: Wide, end_value: Wide, power: Wide, decay_steps: jax.Array
) -> Wide:
    steps = at_least_one(decay_steps)
    whole = position.whole // steps
    exactly = whole * steps == position.whole
    if position.fraction is not None:
        exactly = exactly & (position.fraction.high == 0)
    horizons = jnp.maximum(whole + 1 - exactly.astype(jnp.uint32), jnp.uint32(1))
    left = position.logarithm_of_left(horizons * steps)
    return along_power(init_value, end_value, left, power)
