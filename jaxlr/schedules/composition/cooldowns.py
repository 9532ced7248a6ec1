"""Cooldowns: from any count of any schedule down to its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxlr.numerics import elementary, wide
from jaxlr.numerics.wide import Wide, where
from jaxlr.schedules import leaves
from jaxlr.schedules.families.cosines import cosine_between
from jaxlr.schedules.families.lines import along_power
from jaxlr.schedules.family import Cycle, family
from jaxlr.schedules.outline import Outline, between, one_by_one, steady
from jaxlr.schedules.position import Position
from jaxlr.schedules.schedule import Schedule, as_schedule
from jaxlr.typing import Length, Scalar


def _cycle_before(a: SimpleNamespace, count: int) -> Cycle | None:
    return a.schedule.cycle(count) if count <= a.at else None


def _then_down(a: SimpleNamespace) -> Outline:
    there = steady(*(bound.item() for bound in a.schedule.at(np.array([a.at]))))
    down = between(there, steady(a.end_value))
    return one_by_one([(0, a.schedule), (a.at, there), (a.at + 1, down), (a.at + a.steps, steady(a.end_value))])


def _not_begun(old: Schedule, new: Schedule, here: Position) -> Schedule:
    """Another place or length of a cooldown that has not begun; one that has would have to begin at another rate."""
    for at in (old.arguments["at"], new.arguments["at"]):
        if leaves.is_known((here, at)):
            started = here.fraction is not None and float(here.fraction.nearest()) > 0.0
            if int(here.whole) + started > int(at):
                raise ValueError(
                    f"at must lie before the cooldown begins, {int(at)}, got {here.whole}; one that has begun goes on "
                    "from its rate as jaxlr.cooldown(schedule, at, steps)"
                )
    return new


@family(
    end=lambda a: a.at + a.steps,
    cycle=_cycle_before,
    inner=lambda a, here: _until(here, a.at),
    lengths=("at", "steps"),
    moved=_not_begun,
    outline=_then_down,
)
def cooldown(
    schedule: Schedule,
    at: Length,
    steps: Length,
    *,
    shape: Literal["linear", "1-sqrt", "cosine", "exponential", "power"] = "linear",
    end_value: Scalar = 0.0,
    power: Scalar = 1.0,
) -> Schedule:
    """A schedule up to a count, and from there, from the rate that it has, down to `end_value`; holds.

    lr(n) = schedule(n)                                        for n < at
    lr(n) = end_value + (schedule(at) - end_value) * g(x)      from there, x = (n - at) / steps, at most 1
      g(x) = 1 - x                   shape="linear"
      g(x) = 1 - sqrt(x)             shape="1-sqrt"
      g(x) = (1 + cos(pi x)) / 2     shape="cosine"
      g(x) = (1 - x) ** power        shape="power"
    or schedule(at) * (end_value / schedule(at)) ** x          shape="exponential"; a straight line from 0 or below

    Several cooldowns of one trunk differ in `at` alone, which is data: they are trained from one program.

    Args:
      schedule: the trunk, such as `constant`, `inverse_sqrt` or a warm-up before one.
      at: the count at which the cooldown begins; an integer, at least 0.
      steps: updates of the cooldown; an integer, at least 1.
      shape: "linear", "1-sqrt", "cosine", "exponential" or "power".
      end_value: the last rate; above 0 for the exponential one.
      power: the power, above 0; for that shape alone.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range, another word for `shape`.
      TypeError: `schedule` is none of jaxlr's, or a length is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.cooldown(jaxlr.constant(1.0), at=4, steps=4)
      >>> [float(rate(n)) for n in (0, 4, 5, 6, 7, 8, 9)]
      [1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]

    References:
      Haegele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations, 2024, arXiv:2405.18392
    """
    shape = leaves.choice("shape", shape, ("linear", "1-sqrt", "cosine", "exponential", "power"))
    end, exponent = leaves.number("end_value", end_value), leaves.positive("power", power)
    if shape == "exponential":
        leaves.positive("end_value", end)
    # That of another cooldown may be traced, or one for each of a batch.
    left_out = np.all(exponent.high == 1.0) if leaves.is_known(exponent) else isinstance(power, leaves.Number)
    if shape != "power" and not left_out:
        raise ValueError(f"power must be left out for shape={shape!r}, got {leaves.printed(exponent)}")
    return Schedule(
        _cooldown,
        schedule=as_schedule("schedule", schedule),
        at=leaves.length("at", at, minimum=0),
        steps=leaves.length("steps", steps),
        shape=shape,
        end_value=end,
        power=exponent,
    )


def _until(position: Position, at: jax.Array) -> Position:
    """The position, which stands still from a count on."""
    before = position.whole < at
    return position.replace(jnp.where(before, position.whole, at)).whole_unless(before)


def _cooldown(
    position: Position, schedule: Schedule, at: jax.Array, steps: jax.Array, shape: str, end_value: Wide, power: Wide
) -> Wide:
    value = schedule.at(_until(position, at))  # from `at` on, the rate that cools down
    cooldown = position.since(at)
    done, left = cooldown.parts(steps)
    if shape == "cosine":
        cooling = cosine_between(value, end_value, done, left)
    elif shape == "power":
        cooling = along_power(value, end_value, cooldown.logarithm_of_left(steps), power)
    elif shape == "1-sqrt":
        root = elementary.sqrt(done)
        cooling = value * (left / (wide.constant(1.0) + root)) + end_value * root
    else:
        cooling = value * left + end_value * done
    if shape == "exponential":
        curved = (value.high >= wide.SMALLEST) & (left.high > 0.0)
        cooling = where(curved, elementary.geometric(value, end_value, done), cooling)
    return where(position.whole < at, value, cooling)
