"""Other numbers of one schedule from a count on, where its rate goes on from where it is: what `retime` does to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr.numerics.wide import Wide, constant, less, where
from jaxlr.schedules import leaves
from jaxlr.schedules.family import RECORDS, Borders
from jaxlr.schedules.leaves import Length, Number
from jaxlr.schedules.position import Position, progress
from jaxlr.schedules.schedule import Schedule


def is_rule_of(schedule: Schedule, names: Any) -> bool:
    """Whether numbers of these names are changed by a rule of this schedule itself."""
    family = schedule.family
    return family.borders is not None or set(names) <= set(family.lengths) or set(names) == {family.milestones}


def renumbered(schedule: Schedule, here: Position, keep: str, numbers: dict[str, Any]) -> Schedule:
    """The schedule with other numbers of its own, which keeps its rate at its place."""
    family = schedule.family
    if not is_rule_of(schedule, numbers):
        raise TypeError(without_horizon(schedule))
    if family.borders is not None:
        return _with_end(schedule, here, keep, numbers)
    new = schedule.replace(**numbers)
    return _with_milestones(schedule, new, here) if family.moved is None else family.moved(schedule, new, here)


def places(schedule: Schedule, here: Position) -> list[Position | None]:
    """Where each of the schedules within stands; None for one that is over."""
    inner = schedule.family.inner
    if inner is None:
        raise TypeError(without_horizon(schedule))
    found = inner(_decoded(schedule), here)
    return found if isinstance(found, list) else [found] * len(schedule.children())


def with_children(schedule: Schedule, children: list[Schedule]) -> Schedule:
    """The schedule made of others in the place of those within."""
    left = iter(children)

    def put(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [put(each) for each in value]
        return next(left) if isinstance(value, Schedule) else value

    return schedule.replace(**{name: put(value) for name, value in schedule.arguments.items()})


def without_horizon(schedule: Schedule) -> str:
    """Why it cannot be retimed."""
    known = ", ".join(name for name, each in RECORDS.items() if each.borders is not None)
    return f"schedule must have a horizon ({known}) or be made of such a one, got {schedule!r}"


def printed(value: Any) -> str:
    """An argument as a text has it."""
    return leaves.printed(value) if leaves.is_leaf(value) else repr(value)


def _with_end(schedule: Schedule, here: Position, keep: str, numbers: dict[str, Any]) -> Schedule:
    by_phase = keep == "phase" and not schedule.family.repeats_itself
    _check(schedule, numbers, by_phase, keep)
    new = schedule.replace(**numbers)
    if leaves.is_known((here, schedule)) and bool(here.whole >= _borders(schedule)[0]):
        raise ValueError(
            f"at must lie before the schedule has ended, got the count {here.whole} of {schedule!r}: from its last "
            "rate no curve goes on; begin another, as jaxlr.join([schedule, jaxlr.cosine(0.1, 1000)], [at])"
        )
    if not by_phase:
        return keeping_rate(schedule, new, here)
    if here.fraction is not None and leaves.is_known((here, schedule)) and float(here.fraction.nearest()):
        raise ValueError("at must be the count at which an epoch begins for keep='phase', or keep be 'rate'")
    begin = Length(
        np.asarray(here.whole).astype(np.int32) if leaves.is_known((here, schedule)) else here.whole.astype(jnp.int32)
    )
    return new.replace(begin=begin, begin_phase=_begun(schedule, new, begin))


def _with_milestones(schedule: Schedule, new: Schedule, here: Position) -> Schedule:
    """Milestones to come in other places; the rate so far stays."""
    name = schedule.family.milestones or ""
    before, after = schedule.arguments[name], new.arguments[name]
    if leaves.is_known((here, before, after)):
        past, still = ([n for n in leaves.plain(each) if n <= int(here.whole)] for each in (before, after))
        if past != still:
            raise ValueError(f"{name} up to the count {here.whole} must stay, for they are over: {past}, got {still}")
    return new


def _check(schedule: Schedule, numbers: dict[str, Any], by_phase: bool, keep: str) -> None:
    if by_phase and "begin" not in schedule.arguments:
        raise TypeError(f"keep must be 'rate' for {schedule.name}, got {keep!r}")
    for name in ("begin", "begin_phase") if by_phase else schedule.family.scales:
        if name in numbers:
            raise TypeError(
                f"{name} is what keep={keep!r} sets, got {printed(numbers[name])}; leave it out, or use replace"
            )
    for name, value in numbers.items():
        if isinstance(value, str | bool):
            raise TypeError(f"{name} must be a number, got {value!r}; replace changes the form of a schedule")


def keeping_rate(schedule: Schedule, new: Schedule, here: Position) -> Schedule:
    """The new curve, scaled so that it goes through the rate of the schedule."""
    scaled, lost = _scaled(schedule, new, here)
    if leaves.is_known(lost) and np.any(lost):
        raise ValueError(f"at must lie before the new schedule has ended, got {here.whole} for {new!r}")
    return new.replace(**scaled)


@jax.jit
def _scaled(schedule: Schedule, new: Schedule, here: Position) -> tuple[dict[str, Number], Any]:
    """The rates with which the new curve goes through the old one's value, and where none do."""
    family = new.family
    old, fresh, here = lax.optimization_barrier((schedule, new, here))
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
