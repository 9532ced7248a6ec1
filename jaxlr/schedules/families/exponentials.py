"""Powers of a factor, smoothly or in steps, and the hyperbolic tangent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxlr.numerics import elementary
from jaxlr.numerics.elementary import exp
from jaxlr.numerics.wide import Wide, alike, between, constant, from_integer, power_of_two, quick_two_sum, ratio, where
from jaxlr.schedules import leaves
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.families.lines import decay_over
from jaxlr.schedules.family import Borders, family
from jaxlr.schedules.leaves import Factor, Number
from jaxlr.schedules.outline import held, through
from jaxlr.schedules.position import Position, at_least_one, position_of
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


def _arrival(a: SimpleNamespace) -> Borders:
    """The count from which the rate is `end_value`, the largest uint32 where it never is; a power has no phases."""
    never = jnp.uint32(0xFFFFFFFF)
    if a.end_value is None:
        return never, []
    sign, steps = jnp.where(a.init_value.high < 0, -1.0, 1.0), at_least_one(a.transition_steps)
    first, last = (Wide(each.high * sign, each.low * sign) for each in (a.init_value, a.end_value))
    log, still = a.decay_rate.log, a.decay_rate.high == 0.0
    way = (elementary.log(last) - elementary.log(first)) / where(still, constant(1.0), log)
    way = where(way.high > 0.0, way, constant(0.0))
    place = position_of(way if a.staircase else way * from_integer(steps))
    assert place.fraction is not None
    count = place.whole + (place.fraction.high > 0.0)
    if a.staircase:
        count = jnp.where(count > never // steps, never, count * steps)
    return jnp.where(still & (last.high >= first.high), never, count).astype(jnp.uint32), []


def _end(a: SimpleNamespace) -> int | None:
    if a.end_value is None:
        return None
    with jax.ensure_compile_time_eval():
        end = int(_arrival_of(exponential(**vars(a))))
    return end if end <= leaves.LARGEST_LENGTH else None


@jax.jit
def _arrival_of(schedule: Schedule) -> jax.Array:
    return _arrival(SimpleNamespace(**{n: leaves.decoded(value) for n, value in schedule.arguments.items()}))[0]


@family(
    end=_end,
    span=lambda a: _end(a) or 1000,
    scales=("init_value",),
    borders=_arrival,
    outline=lambda a: through((0, a.init_value) if a.end_value is None else (0, a.init_value, a.end_value)),
)
@declared(decay_rate=leaves.factor)
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
    ...


def _exponential(
    position: Position,
    init_value: Wide,
    decay_rate: Factor,
    transition_steps: jax.Array,
    staircase: bool,
    end_value: Wide | None,
) -> Wide:
    value = decayed(init_value, decay_rate, transitions(position, transition_steps, staircase))
    if end_value is None:
        return value
    difference = value - end_value
    # Past the end: below it for a factor under 1, above it for one from 1 on, the other way round for a negative rate.
    past = difference.high * jnp.where(decay_rate.high < 0, -1.0, 1.0) * jnp.sign(init_value.high) > 0
    return where(past, end_value, value)


@family(outline=lambda a: through((0, a.init_value), beyond=(0.0, a.init_value)))
@declared(decay_rate=leaves.number_from_0)
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
    ...


def _natural_exponential(
    position: Position, init_value: Wide, decay_rate: Wide, transition_steps: jax.Array, staircase: bool
) -> Wide:
    power, scale = exp(-decay_rate, transitions(position, transition_steps, staircase))
    return (init_value * power).scaled(scale)


def transitions(position: Position, transition_steps: jax.Array, staircase: bool) -> Wide:
    """n / transition_steps, or its floor."""
    steps = at_least_one(transition_steps)
    if staircase:
        return from_integer(lax.div(*alike(position.whole, steps)))
    return ratio(position.whole, steps) if position.fraction is None else position.wide() / from_integer(steps)


def decayed(value: Wide, rate: Factor, exponent: Wide) -> Wide:
    """value * rate ** exponent."""
    power, scale = rate.power(exponent)
    return (value * power).scaled(scale)


def _bound(name: str, value: Any) -> Number:
    return leaves.at_most(name, leaves.number(name, value, minimum=-40.0), 40.0)


@family(
    **decay_over(
        "decay_steps",
        outline=lambda a: held((0, a.init_value, a.end_value), (a.decay_steps, a.init_value, a.end_value)),
    )
)
@declared(lower=_bound, upper=_bound)
def tanh(
    init_value: Scalar, decay_steps: Length, *, end_value: Scalar = 0.0, lower: Scalar = -7.0, upper: Scalar = 3.0
) -> Schedule:
    """Falls along a hyperbolic tangent between two of its arguments.

    lr(n) = end_value + (init_value - end_value) * (1 - tanh(lower * (1 - x) + upper * x)) / 2, x = n / decay_steps <= 1

    It starts just below init_value and holds, from n = decay_steps on, just above end_value: a tangent has no ends.

    Args:
      init_value: the rate that it comes from.
      decay_steps: updates of the fall; an integer, at least 1.
      end_value: the rate that it goes to.
      lower: the tangent's first argument, in [-40, 40].
      upper: the tangent's last argument, in [-40, 40].

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `decay_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import tanh
      >>> [round(float(tanh(1.0, 10)(n)), 4) for n in (0, 5, 7, 10)]
      [1.0, 0.982, 0.5, 0.0025]

    References:
      Hsueh, Li and Wu, Stochastic Gradient Descent with Hyperbolic-Tangent Decay on Classification, 2018,
      arXiv:1806.01593
    """
    ...


def _tanh(
    position: Position, init_value: Wide, decay_steps: jax.Array, end_value: Wide, lower: Wide, upper: Wide
) -> Wide:
    done, left = position.parts(decay_steps)
    argument = lower * left + upper * done
    power, scale = elementary.exp(argument + argument)
    growth = power.scaled(scale)
    whole, unit = constant(1.0) + growth, power_of_two(-between(scale, 0, 120))
    # A large growth divides last, by a power of 2: a quotient that small would have no low part.
    value = (init_value + end_value * growth) / Wide(whole.high * unit, whole.low * unit)
    high, low = quick_two_sum(value.high, value.low)
    return Wide(high * unit, low * unit)
