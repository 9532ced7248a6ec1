"""Half a cosine, once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Literal

import jax

from jaxlr.numerics.elementary import logarithm, power_and_rest, versine
from jaxlr.numerics.wide import Wide, select, where
from jaxlr.schedules import leaves
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.families.lines import along_power, decay_over, from_zero
from jaxlr.schedules.family import family
from jaxlr.schedules.outline import Outline, through
from jaxlr.schedules.position import Position, Share, at_least_one, resumed
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


def _half_waves(a: SimpleNamespace) -> Outline:
    both = a.init_value, a.end_value
    first = both if a.begin or a.begin_phase else (a.init_value,)
    return through((0, *first), (a.decay_steps, a.end_value), beyond=both if a.after == "rise" else (a.end_value,))


@family(
    end=lambda a: None if a.after == "rise" else a.decay_steps,  # after a cosine that rises comes another one
    span="decay_steps",
    scales=("init_value",),
    towards="end_value",
    borders=lambda a: from_zero(a.decay_steps),
    outline=_half_waves,
)
@declared(begin=leaves.length_from_0, begin_phase=leaves.share)
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
        begin); an integer, at least 0. `jaxlr.retime` sets it where the horizon of a run changes. A
        curve that would begin at its end, or behind it, is over.
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
    ...


def _cosine(
    position: Position,
    init_value: Wide,
    decay_steps: jax.Array,
    end_value: Wide,
    after: str,
    begin: jax.Array,
    begin_phase: Wide,
) -> Wide:
    share = resumed(position, decay_steps, begin, begin_phase)
    if after == "rise":
        cycle, inside = position.within(decay_steps)
        again = inside.share(at_least_one(decay_steps))
        falls = (cycle & 1 == 0) & (decay_steps > 0)
        later = (cycle > 0) | (decay_steps == 0)
        early = select(later, again.early == falls, share.early)
        share = Share(where(later, again.near, share.near), early)
    return along_cosine(share).between(init_value, end_value)


def along_cosine(share: Share) -> Share:
    """How much of half a cosine is done, `(1 - cos(pi x)) / 2` of the share x: in half ways, a quarter turn."""
    return Share(versine(share.near), share.early)


def cosine_between(first: Wide, last: Wide, done: Wide, left: Wide) -> Wide:
    """Half a cosine from `first` (done = 0) to `last` (left = 0)."""
    return along_cosine(nearer(done, left)).between(first, last).normalized()


def nearer(done: Wide, left: Wide) -> Share:
    """The share whose parts are `done` and `left`."""
    early = done.high <= left.high
    return Share(where(early, done, left).doubled(), early)


@family(**decay_over("decay_steps"))
@declared(k=leaves.positive, power=leaves.positive)
def k_decay(
    init_value: Scalar,
    decay_steps: Length,
    *,
    k: Scalar = 1.0,
    end_value: Scalar = 0.0,
    power: Scalar = 1.0,
    shape: Literal["cosine", "linear"] = "cosine",
) -> Schedule:
    """A power of a cosine, or of a straight line, over a power of the time (timm's k_decay, optax's exponent).

    lr(n) = end_value + (init_value - end_value) * f(x ** k) ** power, x = n / decay_steps <= 1
    with f(y) = (1 + cos(pi y)) / 2 ("cosine") or 1 - y ("linear")

    Args:
      init_value: the first rate.
      decay_steps: updates of the fall; an integer, at least 1.
      k: the power of the time, above 0; above 1 it falls later.
      end_value: the last rate.
      power: the power of the curve, above 0; above 1 it falls earlier.
      shape: "cosine" or "linear".

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range, another word for `shape`.
      TypeError: `decay_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import k_decay
      >>> [round(float(k_decay(1.0, 10, k=2.0)(n)), 4) for n in (0, 5, 10)]
      [1.0, 0.8536, 0.0]
      >>> [float(k_decay(1.0, 10, power=2.0)(n)) for n in (0, 5, 10)]
      [1.0, 0.25, 0.0]

    References:
      Zhang and Li, k-decay: A New Method for Learning Rate Schedule, 2020, arXiv:2004.05909
    """
    ...


def _k_decay(
    position: Position, init_value: Wide, decay_steps: jax.Array, k: Wide, end_value: Wide, power: Wide, shape: str
) -> Wide:
    mantissa, exponent, left = power_and_rest(position.logarithm_of_done(decay_steps), k)
    done = mantissa.scaled(exponent)
    gone, kept = (done, left) if shape == "linear" else along_cosine(nearer(done, left)).parts()
    return along_power(init_value, end_value, logarithm(kept, -gone), power)
