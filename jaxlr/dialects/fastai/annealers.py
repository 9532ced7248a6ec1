"""fastai's annealers: curves over a run of any length, and their combination by shares of it."""

# ruff: noqa: N802, fastai's own names

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import overload

from jaxlr.dialects import common
from jaxlr.schedules import Schedule, at_speed, constant, cosine, exponential, join, k_decay, leaves, linear
from jaxlr.typing import Length, Scalar

_COUNTS = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Annealer:
    """A curve from one number to another over a run whose length is not known yet.

    Args:
      name: the call that makes it.
      curve: updates -> the schedule.

    Example:
      >>> from jaxlr.dialects import fastai
      >>> half = fastai.SchedCos(1.0, 0.0)
      >>> half
      SchedCos(1.0, 0.0)
      >>> half.over(100)
      cosine(init_value=1.0, decay_steps=100)
    """

    name: str
    curve: Callable[[int], Schedule] = dataclasses.field(repr=False)

    def __repr__(self) -> str:
        return self.name

    def over(self, total_steps: Length) -> Schedule:
        """The schedule whose count `total_steps` has the end.

        Args:
          total_steps: updates of the run; an integer, at least 1, known at once.
        """
        return self.curve(int(common.length("total_steps", total_steps, minimum=1)))


@overload
def SchedLin(start: Scalar, end: Scalar, *, total_steps: None = None) -> Annealer: ...
@overload
def SchedLin(start: Scalar, end: Scalar, *, total_steps: Length) -> Schedule: ...
def SchedLin(start: Scalar, end: Scalar, *, total_steps: Length | None = None) -> Annealer | Schedule:
    """A straight line: `jaxlr.linear`.

    Args:
      start, end: the two numbers.
      total_steps: updates of the run, for a schedule; None for an annealer.

    Example:
      >>> from jaxlr.dialects import fastai
      >>> fastai.SchedLin(1.0, 0.5, total_steps=10)
      linear(init_value=1.0, end_value=0.5, transition_steps=10)
    """
    first, last = common.signed("start", start), common.signed("end", end)
    return _made(f"SchedLin({start!r}, {end!r})", lambda steps: linear(first, last, steps), total_steps)


@overload
def SchedCos(start: Scalar, end: Scalar, *, total_steps: None = None) -> Annealer: ...
@overload
def SchedCos(start: Scalar, end: Scalar, *, total_steps: Length) -> Schedule: ...
def SchedCos(start: Scalar, end: Scalar, *, total_steps: Length | None = None) -> Annealer | Schedule:
    """Half a cosine, up or down: `jaxlr.cosine`.

    Args:
      start, end, total_steps: as in `SchedLin`.

    Example:
      >>> from jaxlr.dialects import fastai
      >>> rate = fastai.SchedCos(0.0, 1.0, total_steps=4)
      >>> [round(float(rate(n)), 4) for n in range(5)]
      [0.0, 0.1464, 0.5, 0.8536, 1.0]
    """
    first, last = common.signed("start", start), common.signed("end", end)
    return _made(f"SchedCos({start!r}, {end!r})", lambda steps: cosine(first, steps, end_value=last), total_steps)


@overload
def SchedNo(start: Scalar, end: Scalar, *, total_steps: None = None) -> Annealer: ...
@overload
def SchedNo(start: Scalar, end: Scalar, *, total_steps: Length) -> Schedule: ...
def SchedNo(start: Scalar, end: Scalar, *, total_steps: Length | None = None) -> Annealer | Schedule:
    """`start` throughout.

    Args:
      start: the number.
      end: does nothing.
      total_steps: as in `SchedLin`.

    Example:
      >>> from jaxlr.dialects import fastai
      >>> fastai.SchedNo(0.5, 0.0, total_steps=10)
      constant(value=0.5)
    """
    first = common.signed("start", start)
    return _made(f"SchedNo({start!r}, {end!r})", lambda steps: constant(first), total_steps)


@overload
def SchedExp(start: Scalar, end: Scalar, *, total_steps: None = None) -> Annealer: ...
@overload
def SchedExp(start: Scalar, end: Scalar, *, total_steps: Length) -> Schedule: ...
def SchedExp(start: Scalar, end: Scalar, *, total_steps: Length | None = None) -> Annealer | Schedule:
    """A straight line of the logarithm, which holds at its end: `jaxlr.exponential`.

    Args:
      start, end, total_steps: as in `SchedLin`; both above 0, and known at once.

    Example:
      >>> from jaxlr.dialects import fastai
      >>> rate = fastai.SchedExp(1.0, 0.25, total_steps=2)
      >>> [float(rate(n)) for n in range(4)]
      [1.0, 0.5, 0.25, 0.25]
    """
    first, last = float(common.positive("start", start)), float(common.positive("end", end))
    if first == last:
        return _made(f"SchedExp({start!r}, {end!r})", lambda steps: constant(first), total_steps)

    def curve(steps: int) -> Schedule:
        return exponential(first, last / first, transition_steps=steps, end_value=last)

    return _made(f"SchedExp({start!r}, {end!r})", curve, total_steps)


@overload
def SchedPoly(start: Scalar, end: Scalar, power: Scalar, *, total_steps: None = None) -> Annealer: ...
@overload
def SchedPoly(start: Scalar, end: Scalar, power: Scalar, *, total_steps: Length) -> Schedule: ...
def SchedPoly(start: Scalar, end: Scalar, power: Scalar, *, total_steps: Length | None = None) -> Annealer | Schedule:
    """A power of the time: slow first for powers above 1, where `jaxlr.polynomial` is a power of what is left.

    start + (end - start) * (n / total_steps) ** power

    Args:
      start, end, total_steps: as in `SchedLin`.
      power: above 0.

    Example:
      >>> from jaxlr.dialects import fastai
      >>> rate = fastai.SchedPoly(1.0, 0.0, 2.0, total_steps=4)
      >>> [float(rate(n)) for n in range(5)]
      [1.0, 0.9375, 0.75, 0.4375, 0.0]
    """
    first, last = common.signed("start", start), common.signed("end", end)
    leaves.positive("power", power)

    def curve(steps: int) -> Schedule:
        return k_decay(first, steps, k=power, end_value=last, shape="linear")

    return _made(f"SchedPoly({start!r}, {end!r}, {power!r})", curve, total_steps)


@overload
def combine_scheds(pcts: Sequence[float], scheds: Sequence[Annealer], *, total_steps: None = None) -> Annealer: ...
@overload
def combine_scheds(pcts: Sequence[float], scheds: Sequence[Annealer], *, total_steps: Length) -> Schedule: ...
def combine_scheds(
    pcts: Sequence[float], scheds: Sequence[Annealer], *, total_steps: Length | None = None
) -> Annealer | Schedule:
    """Annealers one after another, each for its share of the run.

    Args:
      pcts: the shares, at least 0, 1 together.
      scheds: as many annealers.
      total_steps: as in `SchedLin`.

    Raises:
      TypeError, ValueError: the shares are none, or do not fit the annealers; something is no annealer.

    Example:
      A border between two updates is kept where it is:

      >>> from jaxlr.dialects import fastai
      >>> up_and_down = fastai.combine_scheds([0.3, 0.7], [fastai.SchedLin(0.0, 3.0), fastai.SchedLin(3.0, 10.0)])
      >>> [round(float(up_and_down.over(5)(n)), 4) for n in range(6)]
      [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    shares = [float(common.number(f"pcts[{i}]", each)) for i, each in enumerate(leaves.sequence("pcts", pcts))]
    parts = list(scheds)
    if not shares or len(shares) != len(parts):
        raise ValueError(f"scheds must be as many as pcts, got {len(parts)} and {len(shares)}")
    if abs(math.fsum(shares) - 1.0) > 1e-6:
        raise ValueError(f"pcts must be 1 together, got {shares}, which are {math.fsum(shares):g}")
    for i, each in enumerate(parts):
        if not isinstance(each, Annealer):
            raise TypeError(f"scheds[{i}] must be an annealer such as SchedCos(1.0, 0.0), got {each!r}")
    kept = [(_written(share), part) for share, part in zip(shares, parts, strict=True) if share > 0]
    return _made(f"combine_scheds({shares}, {parts})", lambda steps: _in_turn(kept, steps), total_steps)


@overload
def combined_cos(pct: float, start: Scalar, middle: Scalar, end: Scalar, *, total_steps: None = None) -> Annealer: ...
@overload
def combined_cos(pct: float, start: Scalar, middle: Scalar, end: Scalar, *, total_steps: Length) -> Schedule: ...
def combined_cos(
    pct: float, start: Scalar, middle: Scalar, end: Scalar, *, total_steps: Length | None = None
) -> Annealer | Schedule:
    """Half a cosine to the middle and another to the end, as in one cycle.

    Args:
      pct: the share of the first, in [0, 1].
      start, middle, end: the three numbers.
      total_steps: as in `SchedLin`.

    Example:
      >>> from jaxlr.dialects import fastai
      >>> rate = fastai.combined_cos(0.5, 0.0, 1.0, 0.5, total_steps=4)
      >>> [round(float(rate(n)), 4) for n in range(5)]
      [0.0, 0.5, 1.0, 0.75, 0.5]
    """
    leaves.share("pct", pct)
    share = float(pct)
    both = combine_scheds([share, 1.0 - share], [SchedCos(start, middle), SchedCos(middle, end)])
    return both if total_steps is None else both.over(total_steps)


def _written(share: float) -> Fraction:
    """The fraction that a float was written as: 1 / 3, and not the float beside it."""
    return Fraction(share).limit_denominator(1_000_000)


def _made(name: str, curve: Callable[[int], Schedule], total_steps: Length | None) -> Annealer | Schedule:
    annealer = Annealer(name, curve)
    return annealer if total_steps is None else annealer.over(total_steps)


def _in_turn(parts: Sequence[tuple[Fraction, Annealer]], steps: int) -> Schedule:
    """Each part from the first update at or after its border on, and on its own curve from the border itself."""
    borders = [Fraction(0), *itertools.accumulate(share * steps for share, _ in parts)]
    pieces, starts = [], []
    for i, (_, part) in enumerate(parts):
        begin, end = borders[i], borders[i + 1]
        first = math.ceil(begin)
        if i + 1 < len(parts) and first >= end:
            continue  # no update falls into it
        pieces.append(_piece(part, first - begin, end - begin))
        starts.append(first)
    return join(pieces, starts[1:]) if len(pieces) > 1 else pieces[0]


def _piece(part: Annealer, offset: Fraction, length: Fraction) -> Schedule:
    """A part of a length that need not be whole, from an offset that need not be whole either, in finer counts."""
    fine = math.lcm(offset.denominator, length.denominator)
    while fine * length >= _COUNTS // 4:  # shares of 17 digits: the nearest that are counted in 31 bits
        fine = fine // 2
    if fine == 1:
        return part.over(round(length)).shift(round(offset)) if offset else part.over(round(length))
    within = part.over(max(round(length * fine), 1))
    return at_speed(within.shift(round(offset * fine)) if offset else within, float(fine))
