"""Rates that change at certain updates only: steps, milestones, a table of values."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr.numerics.wide import Wide, from_integer, where
from jaxlr.schedules import leaves
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.families.exponentials import decayed
from jaxlr.schedules.family import family
from jaxlr.schedules.leaves import Factor
from jaxlr.schedules.outline import Outline, along, in_proportion, through
from jaxlr.schedules.position import Position, at_least_one
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Lengths, Scalar, Scalars


def _past(borders: list[int]) -> int:
    """Some updates past the last border."""
    return max([1, *(border * 5 // 4 for border in borders)])


@family(
    span=lambda a: 4 * a.step_size,
    outline=lambda a: through((0, a.init_value)) if a.offset < a.step_size else in_proportion(a.init_value),
)
@declared(decay_rate=leaves.factor, offset=leaves.length_from_0)
def step_decay(init_value: Scalar, decay_rate: Scalar, step_size: Length, *, offset: Length = 0) -> Schedule:
    """Multiplies the rate by `decay_rate` every `step_size` updates.

    lr(n) = init_value * decay_rate ** floor((n + offset) / step_size)

    offset=0, the default, drops first at n = step_size, as PyTorch's StepLR does. offset=1 is the textbook's form
    `floor((1 + n) / r)` and drops one update earlier.

    Args:
      init_value: the first rate.
      decay_rate: the factor of each drop, at least 0.
      step_size: updates between two drops; an integer, at least 1.
      offset: updates to count ahead; an integer, at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `step_size` or `offset` is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.step_decay(0.5, 0.5, step_size=2)
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4)]
      [0.5, 0.5, 0.25, 0.25, 0.125]
      >>> [float(rate.replace(offset=1)(n)) for n in (0, 1, 2, 3, 4)]
      [0.5, 0.25, 0.25, 0.125, 0.125]
    """
    ...


def _step_decay(
    position: Position, init_value: Wide, decay_rate: Factor, step_size: jax.Array, offset: jax.Array
) -> Wide:
    # uint32 holds the sum of two int32; only a position shifted past int32 could overflow, so it saturates.
    ahead = jnp.minimum(position.whole, jnp.uint32(0xFFFFFFFF) - offset) + offset
    drops = ahead // at_least_one(step_size)
    return decayed(init_value, decay_rate, from_integer(drops))


def _one_for_each(a: SimpleNamespace) -> None:
    leaves.same_length("decay_rate", a.decay_rate, "milestones", a.milestones)


@family(
    span=lambda a: _past(a.milestones),
    milestones="milestones",
    outline=lambda a: in_proportion(a.init_value) if 0 in a.milestones[:1] else through((0, a.init_value)),
)
@declared(_one_for_each, milestones=leaves.lengths_from_0, decay_rate=leaves.factors)
def multi_step(init_value: Scalar, milestones: Lengths, decay_rate: Scalar | Scalars) -> Schedule:
    """Multiplies the rate by a factor at each milestone.

    lr(n) = init_value * product of the factors of all milestones <= n

    The new rate holds from n = milestone on, as in PyTorch's MultiStepLR. A milestone given twice counts twice.

    Args:
      init_value: the first rate.
      milestones: update counts in rising order; integers, at least 0.
      decay_rate: one factor for all, or a list with one for each milestone; each at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: milestones out of order, a number of factors that is not the number of milestones.
      TypeError: a milestone is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.multi_step(1.0, [2, 4, 4], 0.5)
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4)]
      [1.0, 1.0, 0.5, 0.5, 0.125]
    """
    ...


def _multi_step(position: Position, init_value: Wide, milestones: jax.Array, decay_rate: Factor) -> Wide:
    if decay_rate.high.ndim == 0:
        return decayed(init_value, decay_rate, from_integer(passed(position.whole, milestones)))

    def add(exponent: Wide, milestone_and_factor: Any) -> tuple[Wide, None]:
        milestone, factor = milestone_and_factor
        return where(position.whole >= milestone, exponent + factor, exponent), None

    zeros = jnp.zeros(position.whole.shape, jnp.float32)
    exponent, _ = lax.scan(add, Wide(zeros, zeros), (milestones, Wide(decay_rate.high, decay_rate.low)))
    return decayed(init_value, Factor(exponent.high, exponent.low), from_integer(jnp.uint32(1)))


def passed(count: jax.Array, milestones: jax.Array) -> jax.Array:
    """How many milestones are at or below the count."""

    def add(passed: jax.Array, milestone: jax.Array) -> tuple[jax.Array, None]:
        return passed + (count >= milestone).astype(jnp.uint32), None

    return lax.scan(add, jnp.zeros_like(count), milestones)[0]


def _pieces(values: np.ndarray, boundaries: np.ndarray) -> Outline:
    """The first and the last count of each piece that has one, and its rate there."""
    starts, ends = np.r_[0, boundaries], np.r_[boundaries, 2**31]
    some = starts < ends
    turns, rates = np.stack([starts, ends - 1], 1)[some].ravel(), np.repeat(values[some], 2)
    return along(turns, *[np.r_[rates, rates[-1]]] * 2)


@family(span=lambda a: _past(a.boundaries), milestones="boundaries", outline=lambda a: _pieces(a.values, a.boundaries))
@declared(lambda a: leaves.one_fewer("boundaries", a.boundaries, "values", a.values), boundaries=leaves.lengths_from_0)
def piecewise_constant(values: Scalars, boundaries: Lengths) -> Schedule:
    """A table of rates: each holds from its boundary to the next.

    lr(n) = values[i] for boundaries[i - 1] <= n < boundaries[i]

    The new rate holds from n = boundary on; Keras' PiecewiseConstantDecay changes one update later.

    Args:
      values: the rates.
      boundaries: the counts at which the second, third, ... rate starts; integers in rising order, one fewer than
        values.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: the number of boundaries is wrong, or they are out of order.
      TypeError: a boundary is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.piecewise_constant([1.0, 0.5, 0.125], [2, 3])
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4)]
      [1.0, 1.0, 0.5, 0.125, 0.125]
    """
    ...


def _piecewise_constant(position: Position, values: Wide, boundaries: jax.Array) -> Wide:
    piece = passed(position.whole, boundaries)
    return Wide(values.high[piece], values.low[piece])


@family(
    end=lambda a: len(a.values) - 1,
    span=lambda a: len(a.values),
    outline=lambda a: _pieces(a.values, np.arange(1, len(a.values))),
)
@declared(lambda a: leaves.one_or_more("values", a.values))
def table(values: Scalars) -> Schedule:
    """One rate for each update, recorded beforehand; the last one holds.

    lr(n) = values[min(n, len(values) - 1)]

    For what no formula says; as long as the run, so a formula is to be preferred where there is one.

    Args:
      values: the rates of the first update, the second, and so on; one at least.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: there are no values, or one is not finite.

    Example:
      >>> from jaxlr.schedules import table
      >>> rate = table([1.0, 0.25, 0.5])
      >>> [float(rate(n)) for n in (0, 1, 2, 3)]
      [1.0, 0.25, 0.5, 0.5]
    """
    ...


def _table(position: Position, values: Wide) -> Wide:
    entry = jnp.minimum(position.whole, jnp.uint32(values.high.shape[-1] - 1))
    return Wide(values.high[entry], values.low[entry])
