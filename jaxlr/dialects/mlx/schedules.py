"""MLX's schedules."""

from __future__ import annotations

from collections.abc import Sequence

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Lengths, Scalar


def exponential_decay(init: Scalar, decay_rate: Scalar) -> Schedule:
    """init * decay_rate ** n: `jaxlr.exponential`.

    Args:
      init: the first rate.
      decay_rate: the factor of each update, at least 0.

    Example:
      >>> from jaxlr.dialects import mlx
      >>> mlx.exponential_decay(0.1, 0.9)
      exponential(init_value=0.1, decay_rate=0.9)
    """
    return core.exponential(common.signed("init", init), leaves.factor("decay_rate", decay_rate))


def step_decay(init: Scalar, decay_rate: Scalar, step_size: Length) -> Schedule:
    """init * decay_rate ** floor(n / step_size): `jaxlr.step_decay`.

    Args:
      init: the first rate.
      decay_rate: the factor of each drop, at least 0.
      step_size: updates between two drops; an integer, at least 1.

    Example:
      >>> from jaxlr.dialects import mlx
      >>> mlx.step_decay(0.1, 0.9, 10)
      step_decay(init_value=0.1, decay_rate=0.9, step_size=10)
    """
    return core.step_decay(common.signed("init", init), leaves.factor("decay_rate", decay_rate), step_size)


def cosine_decay(init: Scalar, decay_steps: Length, end: Scalar = 0.0) -> Schedule:
    """Half a cosine from `init` to `end`, which holds: `jaxlr.cosine`.

    Args:
      init, end: the two rates.
      decay_steps: updates; an integer, at least 1.

    Example:
      >>> from jaxlr.dialects import mlx
      >>> mlx.cosine_decay(0.1, 1000)
      cosine(init_value=0.1, decay_steps=1000)
    """
    return core.cosine(common.signed("init", init), decay_steps, end_value=common.signed("end", end))


def linear_schedule(init: Scalar, end: Scalar, steps: Length) -> Schedule:
    """A straight line from `init` to `end`, which holds: `jaxlr.linear`.

    Args:
      init, end: the two rates.
      steps: updates; an integer, at least 1.

    Example:
      >>> from jaxlr.dialects import mlx
      >>> mlx.linear_schedule(0.0, 0.1, 100)
      linear(init_value=0.0, end_value=0.1, transition_steps=100)
    """
    length = common.length("steps", steps, minimum=1)
    return core.linear(common.signed("init", init), common.signed("end", end), length)


def join_schedules(schedules: Sequence[Schedule], boundaries: Lengths) -> Schedule:
    """Schedules one after another, each from its own count 0: `jaxlr.join`.

    Args:
      schedules: at least one.
      boundaries: the counts at which the second and so on begin.

    Example:
      >>> from jaxlr.dialects import mlx
      >>> rate = mlx.join_schedules([mlx.linear_schedule(0.0, 1.0, 2), mlx.cosine_decay(1.0, 2)], [2])
      >>> [float(rate(n)) for n in range(5)]
      [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return core.join(schedules, boundaries)
