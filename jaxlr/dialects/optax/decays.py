"""optax's schedules of one piece: constant, linear, polynomial, exponential, cosine."""

from __future__ import annotations

from jaxlr.dialects import common
from jaxlr.dialects.common import Updates
from jaxlr.schedules import Schedule, constant, cosine, exponential, k_decay, leaves, linear, polynomial
from jaxlr.typing import Length, Scalar


def constant_schedule(value: Scalar) -> Schedule:
    """The same rate for every update: `jaxlr.constant`, an array where optax's is the number itself.

    Args:
      value: the rate.

    Example:
      >>> from jaxlr.dialects import optax
      >>> float(optax.constant_schedule(0.5)(7))
      0.5
    """
    return constant(value)


def linear_schedule(
    init_value: Scalar, end_value: Scalar, transition_steps: Length, transition_begin: Length = 0
) -> Schedule:
    """From `init_value` to `end_value` in a straight line: `jaxlr.linear`.

    Args:
      init_value: the first rate.
      end_value: the last rate, which it holds exactly.
      transition_steps: updates of the way; an integer; 0 holds `init_value`, as in optax.
      transition_begin: updates before; an integer, at least 0.

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
    init_value: Scalar, end_value: Scalar, power: Scalar, transition_steps: Length, transition_begin: Length = 0
) -> Schedule:
    """From `init_value` to `end_value` along a power of what is left: `jaxlr.polynomial`, never NaN.

    Args:
      power: the power, above 0.
      init_value, end_value, transition_steps, transition_begin: as in `linear_schedule`.

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


def exponential_decay(
    init_value: Scalar,
    transition_steps: Length,
    decay_rate: Scalar,
    transition_begin: Length = 0,
    staircase: bool = False,
    end_value: Scalar | None = None,
) -> Schedule:
    """Multiplies the rate by `decay_rate` over every `transition_steps` updates: `jaxlr.exponential`.

    Args:
      init_value: the first rate.
      transition_steps: updates over which the factor applies once; an integer; 0 holds `init_value`, as in optax.
      decay_rate: the factor, above 0.
      transition_begin: updates before; an integer, at least 0.
      staircase: whether the factor applies at once, at every multiple.
      end_value: where the rate stops, or None.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.exponential_decay(1.0, 2, 0.25, transition_begin=1)
      >>> [float(rate(n)) for n in range(5)]
      [1.0, 1.0, 0.5, 0.25, 0.125]
    """
    leaves.positive("decay_rate", decay_rate)
    begin = common.length("transition_begin", transition_begin)
    steps = common.length("transition_steps", transition_steps)
    if common.equals(steps, 0):
        return constant(init_value)
    decay = exponential(init_value, decay_rate, transition_steps=steps, staircase=staircase, end_value=end_value)
    return common.begun(decay, begin)


def cosine_decay_schedule(
    init_value: Scalar, decay_steps: Length, alpha: Scalar = 0.0, exponent: Scalar = 1.0
) -> Schedule:
    """Half a cosine to `alpha * init_value`: `jaxlr.cosine`, or `jaxlr.schedules.k_decay` with an exponent.

    Args:
      init_value: the first rate.
      decay_steps: updates of the fall; an integer, at least 1.
      alpha: the last rate as a share of the first.
      exponent: the power of the curve, above 0.

    Example:
      >>> from jaxlr.dialects import optax
      >>> rate = optax.cosine_decay_schedule(1.0, 4, alpha=0.5)
      >>> [round(float(rate(n)), 4) for n in range(6)]
      [1.0, 0.9268, 0.75, 0.5732, 0.5, 0.5]
    """
    first, share = common.signed("init_value", init_value), common.signed("alpha", alpha)
    return cosine_with_exponent(first, common.length("decay_steps", decay_steps, minimum=1), share * first, exponent)


def cosine_with_exponent(first: Scalar, steps: Updates, last: Scalar, exponent: Scalar) -> Schedule:
    """Half a cosine to a power."""
    power = common.positive("exponent", exponent)
    if common.equals(power, 1):
        return cosine(first, steps, end_value=last)
    return k_decay(first, steps, end_value=last, power=power)
