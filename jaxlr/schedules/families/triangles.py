"""Cyclical learning rates: the triangular family of the CLR paper."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxlr.numerics.wide import Wide, select
from jaxlr.schedules import leaves
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.family import Cycle, family
from jaxlr.schedules.leaves import Factor
from jaxlr.schedules.outline import Outline, through
from jaxlr.schedules.position import Position, Share
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


def _cycle_length(a: SimpleNamespace) -> int:
    return a.step_size + (a.step_size if a.step_size_down is None else a.step_size_down)


def four_cycles(a: SimpleNamespace) -> int:
    """As many updates as show how the cycles go on."""
    return 4 * _cycle_length(a)


def place(a: SimpleNamespace, count: int) -> Cycle:
    """Where a count lies in its cycle."""
    length = _cycle_length(a)
    return Cycle(count % length, length)


def _between_corners(a: SimpleNamespace) -> Outline:
    both = a.base_lr, a.max_lr
    up, end = (a.step_size, *both[a.step_size_down != 0 :]), _cycle_length(a)
    return through((0, a.base_lr), up, *([(end, a.base_lr)] if end > a.step_size else []), beyond=both)


def _corners_in_order(a: SimpleNamespace) -> None:
    leaves.ordered("base_lr", a.base_lr, "max_lr", a.max_lr)


@family(span=four_cycles, cycle=place, outline=_between_corners)
@declared(_corners_in_order, step_size_down=leaves.length_from_0)
def triangular(base_lr: Scalar, max_lr: Scalar, step_size: Length, *, step_size_down: Length | None = None) -> Schedule:
    """Rises from `base_lr` to `max_lr` in `step_size` updates, falls back, and repeats.

    lr(n) = base_lr + (max_lr - base_lr) * rise(n), rise = 0 at n = 0, 1 at n = step_size

    Args:
      base_lr: lowest rate, at the first update and the end of each cycle.
      max_lr: highest rate, reached `step_size` updates into each cycle.
      step_size: updates in half a cycle, 2 to 10 epochs of them by the paper; an integer, at least 1.
      step_size_down: updates of the way down, if not the same; an integer, at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a length out of range, or `base_lr` above `max_lr`.
      TypeError: a length is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.triangular(base_lr=0.0, max_lr=1.0, step_size=2)
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4)]
      [0.0, 0.5, 1.0, 0.5, 0.0]

    References:
      Smith, Cyclical Learning Rates for Training Neural Networks, 2017, arXiv:1506.01186
    """
    ...


def _triangular(
    position: Position, base_lr: Wide, max_lr: Wide, step_size: jax.Array, step_size_down: jax.Array | None
) -> Wide:
    _, rise = rise_in_cycle(position, step_size, step_size_down)
    return rise.between(base_lr, max_lr)


@family(span=four_cycles, cycle=place, outline=_between_corners)
@declared(_corners_in_order, step_size_down=leaves.length_from_0)
def triangular2(
    base_lr: Scalar, max_lr: Scalar, step_size: Length, *, step_size_down: Length | None = None
) -> Schedule:
    """`triangular` with the height halved after each cycle.

    lr(n) = base_lr + (max_lr - base_lr) * rise(n) / 2 ** cycle, cycle = 0, 1, ...

    Args:
      base_lr: lowest rate, at the first update and the end of each cycle.
      max_lr: highest rate of the first cycle, reached after `step_size` updates.
      step_size: updates in half a cycle, 2 to 10 epochs of them by the paper; an integer, at least 1.
      step_size_down: updates of the way down, if not the same; an integer, at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a length out of range, or `base_lr` above `max_lr`.
      TypeError: a length is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.triangular2(base_lr=0.0, max_lr=1.0, step_size=1)
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4, 5)]
      [0.0, 1.0, 0.0, 0.5, 0.0, 0.25]

    References:
      Smith, Cyclical Learning Rates for Training Neural Networks, 2017, arXiv:1506.01186
    """
    ...


def _triangular2(
    position: Position, base_lr: Wide, max_lr: Wide, step_size: jax.Array, step_size_down: jax.Array | None
) -> Wide:
    cycle, rise = rise_in_cycle(position, step_size, step_size_down)
    halvings = select(cycle > 252, 252, cycle).astype(jnp.int32)
    return base_lr + (rise.parts()[0] * (max_lr - base_lr)).scaled(-halvings)


@family(span=four_cycles, cycle=place, outline=lambda a: through((0, a.base_lr)))
@declared(_corners_in_order, gamma=leaves.factor, step_size_down=leaves.length_from_0)
def exp_range(
    base_lr: Scalar,
    max_lr: Scalar,
    step_size: Length,
    gamma: Scalar,
    *,
    step_size_down: Length | None = None,
    decay_base: bool = False,
) -> Schedule:
    """`triangular` with the height times `gamma ** n`, n the update count.

    lr(n) = base_lr + (max_lr - base_lr) * rise(n) * gamma ** n

    The paper's sentence says that both boundaries decay; its code, Keras' and PyTorch's decay the height only. The
    default is the code's; `decay_base=True` is the sentence's: `(base_lr + (max_lr - base_lr) * rise(n)) * gamma ** n`.

    Args:
      base_lr: lowest rate, at the first update and the end of each cycle.
      max_lr: highest rate before any decay.
      step_size: updates in half a cycle, 2 to 10 epochs of them by the paper; an integer, at least 1.
      gamma: the factor of each update, at least 0; 0.99994 in the paper.
      step_size_down: updates of the way down, if not the same; an integer, at least 0.
      decay_base: whether the lower boundary decays too.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range, or `base_lr` above `max_lr`.
      TypeError: a length is no integer.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.exp_range(base_lr=0.0, max_lr=1.0, step_size=1, gamma=0.5)
      >>> [float(rate(n)) for n in (0, 1, 2, 3)]
      [0.0, 0.5, 0.0, 0.125]

    References:
      Smith, Cyclical Learning Rates for Training Neural Networks, 2017, arXiv:1506.01186
    """
    ...


def _exp_range(
    position: Position,
    base_lr: Wide,
    max_lr: Wide,
    step_size: jax.Array,
    gamma: Factor,
    step_size_down: jax.Array | None,
    decay_base: bool,
) -> Wide:
    _, rise = rise_in_cycle(position, step_size, step_size_down)
    power, scale = gamma.power(position.wide())
    if decay_base:
        return (rise.between(base_lr, max_lr) * power).scaled(scale)
    return base_lr + (rise.parts()[0] * (max_lr - base_lr) * power).scaled(scale)


@family(span=four_cycles, cycle=place, outline=lambda a: through((0, a.base_lr)))
@declared(_corners_in_order, scale_fn=leaves.function, step_size_down=leaves.length_from_0)
def cyclic(
    base_lr: Scalar,
    max_lr: Scalar,
    step_size: Length,
    scale_fn: Callable[[jax.Array], Any],
    *,
    scale_by: Literal["cycle", "update"] = "cycle",
    step_size_down: Length | None = None,
) -> Schedule:
    """`triangular` with the height times any function of the cycle or of the count.

    lr(n) = base_lr + (max_lr - base_lr) * rise(n) * scale_fn(x), x = 1, 1, ..., 2, ... (the cycle) or n (the update)

    Args:
      base_lr: lowest rate, at the first update and the end of each cycle.
      max_lr: highest rate where the scale is 1.
      step_size: updates in half a cycle; an integer, at least 1.
      scale_fn: int32 array -> the height's factor, an array of the same shape; it is traced.
      scale_by: "cycle" or "update".
      step_size_down: updates of the way down, if not the same; an integer, at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range, `base_lr` above `max_lr`, another `scale_by`.
      TypeError: a length is no integer, `scale_fn` is no function.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.cyclic(0.0, 1.0, 1, lambda cycle: 1 / cycle)
      >>> [round(float(rate(n)), 4) for n in (0, 1, 2, 3, 4, 5)]
      [0.0, 1.0, 0.0, 0.5, 0.0, 0.3333]

    References:
      Smith, Cyclical Learning Rates for Training Neural Networks, 2017, arXiv:1506.01186
    """
    ...


def _cyclic(
    position: Position,
    base_lr: Wide,
    max_lr: Wide,
    step_size: jax.Array,
    scale_fn: Callable[[jax.Array], Any],
    scale_by: str,
    step_size_down: jax.Array | None,
) -> Wide:
    cycle, rise = rise_in_cycle(position, step_size, step_size_down)
    scale = scale_fn(cycle.astype(jnp.int32) + 1 if scale_by == "cycle" else position.count())
    return base_lr + (rise.parts()[0] * (max_lr - base_lr)).times(jnp.asarray(scale).astype(jnp.float32))


def rise_in_cycle(
    position: Position, step_size: jax.Array, step_size_down: jax.Array | None
) -> tuple[jax.Array, Share]:
    """The cycle's index (0, 1, ...) and the height as a share: 0 at its ends, all of it after `step_size` updates."""
    up = step_size
    down = up if step_size_down is None else step_size_down
    cycle, inside = position.within(up + down)
    rises = inside.whole < up
    way = inside.since(select(rises, 0, up)).share(select(rises, up, down))
    return cycle, Share(way.near, way.early == rises)
