"""Annealing: from one rate to another along a curve, once or with warm restarts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Literal

import jax
import jax.numpy as jnp

from jaxlr.numerics.wide import (
    Wide,
    constant,
    exp_and_rest,
    from_integer,
    log,
    sine_squared,
    where,
)
from jaxlr.schedules import leaves
from jaxlr.schedules.family import Borders, family
from jaxlr.schedules.position import Position, at_least_one, blend, shares
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


def _arrival(a: SimpleNamespace) -> int:
    return a.transition_begin + a.transition_steps


def _way(a: SimpleNamespace) -> Borders:
    end = a.transition_begin + a.transition_steps
    return end, [from_integer(a.transition_begin), from_integer(end)]


def from_zero(length: jax.Array) -> Borders:
    """The borders of a curve with one phase, of so many updates."""
    return length, [from_integer(jnp.uint32(0)), from_integer(length)]


@family(end=_arrival, scales=("init_value",), towards="end_value", borders=_way, repeats_itself=True)
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
    return Schedule(
        _linear,
        init_value=leaves.number("init_value", init_value),
        end_value=leaves.number("end_value", end_value),
        transition_steps=leaves.length("transition_steps", transition_steps),
        transition_begin=leaves.length("transition_begin", transition_begin, minimum=0),
    )


def _linear(
    position: Position, init_value: Wide, end_value: Wide, transition_steps: jax.Array, transition_begin: jax.Array
) -> Wide:
    return blend(init_value, end_value, position.since(transition_begin), transition_steps)


@family(end=_arrival, scales=("init_value",), towards="end_value", borders=_way, repeats_itself=True)
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
    return Schedule(
        _polynomial,
        init_value=leaves.number("init_value", init_value),
        end_value=leaves.number("end_value", end_value),
        power=leaves.positive("power", power),
        transition_steps=leaves.length("transition_steps", transition_steps),
        transition_begin=leaves.length("transition_begin", transition_begin, minimum=0),
    )


def _polynomial(
    position: Position,
    init_value: Wide,
    end_value: Wide,
    power: Wide,
    transition_steps: jax.Array,
    transition_begin: jax.Array,
) -> Wide:
    done, left = position.since(transition_begin).parts(transition_steps)
    kept, scale, gone = rest_to_the_power(done, left, power)
    return (init_value * kept).scaled(scale) + end_value * gone


def rest_to_the_power(done: Wide, left: Wide, power: Wide) -> tuple[Wide, jax.Array, Wide]:
    """`(y, k, 1 - left ** power)` with `left ** power = y * 2**k`, for done + left = 1."""
    return exp_and_rest(log(left, -done) * power)


@family(
    end=lambda a: None if a.after == "rise" else a.decay_steps,  # after a cosine that rises comes another one
    span="decay_steps",
    scales=("init_value",),
    towards="end_value",
    borders=lambda a: from_zero(a.decay_steps),
)
def cosine(
    init_value: Scalar,
    decay_steps: Length,
    *,
    end_value: Scalar = 0.0,
    after: Literal["hold", "rise"] = "hold",
    begin: Length = 0,
    begin_phase: Scalar = 0.0,
) -> Schedule:
    """Falls from `init_value` to `end_value` along half a cosine.

    lr(n) = end_value + (init_value - end_value) * (1 + cos(pi x)) / 2, x = n / decay_steps

    The end value is reached at n = decay_steps, that is by the update after `decay_steps` updates. From there it holds,
    or rises again with the cosine (after="rise"), as PyTorch's CosineAnnealingLR does.

    Args:
      init_value: the first rate.
      decay_steps: updates from the first rate to the last; an integer, at least 1.
      end_value: the last rate.
      after: "hold" or "rise".
      begin: the count at which it begins to move, with x = begin_phase + (1 - begin_phase) (n - begin) / (decay_steps -
        begin); an integer, at least 0. `jaxlr.retime` sets it where the horizon of a run changes.
      begin_phase: the share x of the curve at which it begins, in [0, 1].

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range, another word for `after`.
      TypeError: a length is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.cosine(1.0, decay_steps=4)
      >>> [round(float(rate(n)), 4) for n in (0, 1, 2, 3, 4, 5)]
      [1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]

    References:
      Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, arXiv:1608.03983
    """
    return Schedule(
        _cosine,
        init_value=leaves.number("init_value", init_value),
        decay_steps=leaves.length("decay_steps", decay_steps),
        end_value=leaves.number("end_value", end_value),
        after=leaves.choice("after", after, ("hold", "rise")),
        begin=leaves.length("begin", begin, minimum=0),
        begin_phase=leaves.share("begin_phase", begin_phase),
    )


def _cosine(
    position: Position,
    init_value: Wide,
    decay_steps: jax.Array,
    end_value: Wide,
    after: str,
    begin: jax.Array,
    begin_phase: Wide,
) -> Wide:
    steps = decay_steps
    done, left = shares(position, steps, begin, begin_phase)
    if after == "rise":
        cycle, inside = position.within(steps)
        up, down = inside.parts(at_least_one(steps))
        rising = (cycle % 2 == 1) | (steps == 0)
        later = cycle > 0
        done = where(rising, down, where(later, up, done))
        left = where(rising, up, where(later, down, left))
    return cosine_between(init_value, end_value, done, left)


def cosine_between(first: Wide, last: Wide, done: Wide, left: Wide) -> Wide:
    """Half a cosine from `first` (done = 0) to `last` (left = 0)."""
    kept, gone = cosine_weights(done, left)
    return first * kept + last * gone


def cosine_weights(done: Wide, left: Wide) -> tuple[Wide, Wide]:
    """`(1 + cos(pi done)) / 2` and 1 less it: the half-angle form of the nearer end, and the rest."""
    early = done.high <= left.high
    near = sine_squared(where(early, done, left))
    far = constant(1.0) - near
    return where(early, far, near), where(early, near, far)
