"""What falls by a power of the share that is done."""

from __future__ import annotations

import jax

from jaxlr.numerics.wide import Wide, constant, from_integer
from jaxlr.schedules import leaves
from jaxlr.schedules.family import family
from jaxlr.schedules.position import Position
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


@family(
    end="decay_steps",
    scales=("init_value",),
    borders=lambda a: (a.decay_steps, [from_integer(a.decay_steps - a.decay_steps), from_integer(a.decay_steps)]),
)
def rational(init_value: Scalar, decay_steps: Length, *, depth: Scalar = 9.0) -> Schedule:
    """Falls as one over the share that is done, to `init_value / (1 + depth)`, and stays there.

    lr(n) = init_value / (1 + depth * min(n / decay_steps, 1))

    Args:
      init_value: the first rate.
      decay_steps: updates until the last rate; an integer, at least 1.
      depth: how much the divisor grows, at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `decay_steps` is no integer.

    Example:
      >>> rate = rational(1.0, 4, depth=4.0)
      >>> [float(rate(n)) for n in (0, 1, 3, 4, 5)]
      [1.0, 0.5, 0.25, 0.20000000298023224, 0.20000000298023224]
    """
    return Schedule(
        _rational,
        init_value=leaves.number("init_value", init_value),
        decay_steps=leaves.length("decay_steps", decay_steps),
        depth=leaves.number("depth", depth, minimum=0.0),
    )


def _rational(position: Position, init_value: Wide, decay_steps: jax.Array, depth: Wide) -> Wide:
    done, _ = position.parts(decay_steps)
    return init_value / (constant(1.0) + depth * done)
