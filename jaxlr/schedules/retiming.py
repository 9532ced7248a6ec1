"""`retime`: another horizon in the middle of a run, without a jump of the rate."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr import typing
from jaxlr.numerics.wide import Wide, constant, less, where
from jaxlr.schedules import leaves
from jaxlr.schedules.family import RECORDS, Borders
from jaxlr.schedules.leaves import Length, Number
from jaxlr.schedules.position import Position, progress
from jaxlr.schedules.schedule import Schedule, as_schedule

__all__ = ["retime"]


def retime(
    schedule: Schedule, at: typing.Length, *, keep: Literal["rate", "phase"] = "rate", **numbers: typing.Scalar
) -> Schedule:
    """The schedule with another horizon, or other numbers, from the count `at` on, where the rate does not jump.

    keep="rate": the curve of the new numbers, with its distance from the end value scaled by
    (lr(at) - end) / (new(at) - end): the rate goes on from where it is along the new curve, to the same end. (One-cycle
    is scaled as a whole, its end with it.)
    keep="phase": the share of the curve that is done at `at` stays, and the rest of it takes the counts from `at` to
    the new horizon, evenly: the old curve, stretched or compressed from here on. `begin` and `begin_phase` of the new
    schedule say so; `linear` and `polynomial` need no such numbers, since for them both rules give the same curve.

    The tree structure and the dtypes stay, so a compiled step takes the new schedule without a retrace, and this
    function itself can be jitted and mapped. What the new schedule says of counts before `at` means nothing.

    Args:
      schedule: `linear`, `polynomial`, `cosine`, `one_cycle`, `one_cycle_momentum`, `warmup_stable_decay`, one of the
        horizons in `jaxlr.schedules` (`flat_cosine`, `tanh`, `k_decay`, `rex`; keep="rate" only), or a `warmup` before
        one, whose counts are then those of the warm-up.
      at: the updates applied so far; an integer, at least 0.
      keep: "rate" or "phase".
      **numbers: the new numbers, by the names of the family's arguments (of the schedule inside a `warmup`).

    Returns:
      The new schedule.

    Raises:
      ValueError: the new curve has ended at `at`, so that no scale keeps the rate; a number out of range; another word
        for `keep`.
      TypeError: the family has no horizon, or not this argument, or it is what the rule sets; no number is given.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.cosine(0.1, decay_steps=100)
      >>> longer = jaxlr.retime(rate, 50, decay_steps=200)
      >>> [round(float(s(50)), 4) for s in (rate, rate.replace(decay_steps=200), longer)]
      [0.05, 0.0854, 0.05]
      >>> jaxlr.retime(rate, 50, keep="phase", decay_steps=200)
      cosine(init_value=0.1, decay_steps=200, begin=50, begin_phase=0.5)
    """
    schedule, keep = as_schedule("schedule", schedule), leaves.choice("keep", keep, ("rate", "phase"))
    at = leaves.length("at", at, minimum=0)
    if schedule.name == "warmup":
        inner, steps = schedule.arguments["schedule"], schedule.arguments["warmup_steps"]
        into = Length(jnp.maximum(at.count - jnp.maximum(steps.count, 0), 0))
        return schedule.replace(schedule=_retimed(inner, into, keep, numbers))
    return _retimed(schedule, at, keep, numbers)


def _retimed(schedule: Schedule, at: Length, keep: str, numbers: dict[str, Any]) -> Schedule:
    family = schedule.family
    if family.borders is None:
        known = ", ".join(name for name, each in RECORDS.items() if each.borders is not None)
        raise TypeError(f"schedule must have a horizon ({known}) or be a warmup before such a one, got {schedule!r}")
    by_phase = keep == "phase" and not family.repeats_itself
    _check(schedule, numbers, by_phase, keep)
    new = schedule.replace(**numbers)
    if by_phase:
        return new.replace(begin=at, begin_phase=_begun(schedule, new, at))
    return _keeping_rate(schedule, new, at)


def _check(schedule: Schedule, numbers: dict[str, Any], by_phase: bool, keep: str) -> None:
    if not numbers:
        raise TypeError(f"retime needs at least one number to change: {', '.join(schedule.arguments)}")
    if by_phase and "begin" not in schedule.arguments:
        raise TypeError(f"keep must be 'rate' for {schedule.name}, got {keep!r}")
    for name in ("begin", "begin_phase") if by_phase else schedule.family.scales:
        if name in numbers:
            raise TypeError(f"{name} is what keep={keep!r} sets, got {numbers[name]!r}; leave it out, or use replace")
    for name, value in numbers.items():
        if isinstance(value, str | bool):
            raise TypeError(f"{name} must be a number, got {value!r}; replace changes the form of a schedule")


def _keeping_rate(schedule: Schedule, new: Schedule, at: Length) -> Schedule:
    scaled, lost = _scaled(schedule, new, at)
    if leaves.is_known(lost) and np.any(lost):
        raise ValueError(f"at must lie before the new schedule has ended, got {leaves.printed(at)} for {new!r}")
    return new.replace(**scaled)


@jax.jit
def _scaled(schedule: Schedule, new: Schedule, at: Length) -> tuple[dict[str, Number], Any]:
    """The rates with which the new curve goes through the old one's value, and where none do."""
    family = schedule.family
    here, (old, fresh) = _hidden(at, (schedule, new))
    numbers = _decoded(fresh)
    end = constant(0.0) if family.towards is None else getattr(numbers, family.towards)
    wanted, given = old.at(here) - end, fresh.at(here) - end
    lost = (given.high == 0.0) | (here.whole >= _borders(fresh)[0])
    one = constant(1.0)
    scale = where(lost, one, wanted / where(lost, one, given))
    scaled = {name: leaves.stored(end + (getattr(numbers, name) - end) * scale) for name in family.scales}
    return scaled, lost & (wanted.high != 0.0)


@jax.jit
def _begun(schedule: Schedule, new: Schedule, at: Length) -> Number:
    """The share of the new curve at which it has to begin."""
    here, (old, fresh) = _hidden(at, (schedule, new))
    (ended, before), (_, after) = _borders(old), _borders(fresh)
    numbers = _decoded(old)
    place, left = progress(here, ended, numbers.begin, numbers.begin_phase)
    # In each phase the share of it that is done; the last one counts from its end, where that is the finer measure.
    moved = after[-1] - left * _stretch(before[-2:], after[-2:])
    for start in reversed(range(len(before) - 2)):
        done = (place - before[start]) * _stretch(before[start : start + 2], after[start : start + 2])
        moved = where(less(place, before[start + 1]), after[start] + done, moved)
    one = constant(1.0)
    phase = moved / where(after[-1].high > 0.0, after[-1], one)
    return leaves.stored(where((here.whole >= ended) | less(one, phase), one, phase))


def _stretch(before: list[Wide], after: list[Wide]) -> Wide:
    """How many times as long a phase has become."""
    old, new = before[1] - before[0], after[1] - after[0]
    return new / where(old.high > 0.0, old, constant(1.0))


def _hidden(at: Length, schedules: tuple[Schedule, Schedule]) -> tuple[Position, tuple[Schedule, Schedule]]:
    # Behind the barrier nothing is a constant, as in Schedule.__call__.
    at, schedules = lax.optimization_barrier((at, schedules))
    return Position(at.decoded()), schedules


def _decoded(schedule: Schedule) -> SimpleNamespace:
    """The arguments as formulas get them."""
    return SimpleNamespace(**{name: leaves.decoded(value) for name, value in schedule.arguments.items()})


def _borders(schedule: Schedule) -> Borders:
    borders = schedule.family.borders
    assert borders is not None, schedule.name
    return borders(_decoded(schedule))
