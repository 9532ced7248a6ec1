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
        horizons in `jaxlr.schedules` (`flat_cosine`, `tanh`, `k_decay`, `rex`; keep="rate" only), or anything made of
        such a one: `warmup`, `join` (the phase it is in, or one to come), `per_epoch`, `at_speed`, `clip`, `shift`, a
        product, a sum; its counts are those of the whole. A linear warm-up takes other `warmup_steps` until it ends
        (and gets an `init_value`), a `cooldown` other `steps` until it begins, `multi_step`, `piecewise_constant` and
        `join` other counts for changes to come.
      at: the updates applied so far; an integer, at least 0.
      keep: "rate" or "phase".
      **numbers: the new numbers, by the names of the family's arguments.

    Returns:
      The new schedule.

    Raises:
      ValueError: the old or the new curve has ended at `at`, so that no scale keeps the rate; a number out of range;
        another word for `keep`; a change that is over is moved.
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
    if not numbers:
        raise TypeError(f"retime needs at least one number to change: {', '.join(schedule.arguments)}")
    return _retimed(schedule, Position(at.decoded()), keep, numbers)


def _retimed(schedule: Schedule, here: Position, keep: str, numbers: dict[str, Any]) -> Schedule:
    """The schedule with the new numbers of the one within that has them, which keeps its own rate at its own place."""
    family = schedule.family
    if family.milestones in numbers and len(numbers) == 1:
        return _with_milestones(schedule, here, family.milestones, numbers[family.milestones])
    if schedule.name == "warmup" and set(numbers) == {"warmup_steps"}:
        return _with_warmup(schedule, here, numbers["warmup_steps"])
    if schedule.name == "cooldown" and "steps" in numbers:
        return _with_cooldown(schedule, here, numbers)
    if family.borders is not None:
        return _with_end(schedule, here, keep, numbers)
    if schedule.name == "join":
        return _with_phase(schedule, here, keep, numbers)
    places = {n: s for n, s in schedule.arguments.items() if isinstance(s, Schedule) and _has(s, numbers)}
    if len(places) > 1:
        raise TypeError(
            f"{', '.join(numbers)} must be of one schedule alone, got {' and '.join(map(repr, places.values()))}"
        )
    if not places or (family.inner is None and family.infix is None):
        raise TypeError(_without_horizon(schedule, numbers))
    ((name, child),) = places.items()
    there = here if family.inner is None else family.inner(_decoded(schedule), here)
    return schedule.replace(**{name: _retimed(child, there, keep, numbers)})


def _has(schedule: Schedule, numbers: dict[str, Any]) -> bool:
    """Whether a schedule, or one within it, has arguments of these names."""
    return numbers.keys() <= schedule.arguments.keys() or any(_has(child, numbers) for child in schedule.children())


def _without_horizon(schedule: Schedule, numbers: dict[str, Any]) -> str:
    known = ", ".join(name for name, each in RECORDS.items() if each.borders is not None)
    if schedule.children() and not _has(schedule, numbers):
        return f"none of the schedules in {schedule!r} has an argument {', '.join(map(repr, numbers))}"
    return f"schedule must have a horizon ({known}) or be made of such a one, got {schedule!r}"


def _with_end(schedule: Schedule, here: Position, keep: str, numbers: dict[str, Any]) -> Schedule:
    by_phase = keep == "phase" and not schedule.family.repeats_itself
    _check(schedule, numbers, by_phase, keep)
    new = schedule.replace(**numbers)
    if _known(here, schedule) and bool(here.whole >= _borders(schedule)[0]):
        raise ValueError(
            f"at must lie before the schedule has ended, got the count {here.whole} of {schedule!r}: from its last "
            "rate no curve goes on; begin another, as jaxlr.join([schedule, jaxlr.cosine(0.1, 1000)], [at])"
        )
    if not by_phase:
        return _keeping_rate(schedule, new, here)
    if here.fraction is not None and _known(here, schedule) and float(here.fraction.nearest()):
        raise ValueError("at must be the count at which an epoch begins for keep='phase', or keep be 'rate'")
    begin = Length(np.asarray(here.whole).astype(np.int32) if _known(here, schedule) else here.whole.astype(jnp.int32))
    return new.replace(begin=begin, begin_phase=_begun(schedule, new, begin))


def _with_phase(schedule: Schedule, here: Position, keep: str, numbers: dict[str, Any]) -> Schedule:
    """A join, in the phase that it is in, or in one to come."""
    children, starts = list(schedule.arguments["schedules"]), _decoded(schedule).boundaries
    if not _known(here, schedule):
        raise TypeError("at must be a known number for a join: which of its schedules goes on depends on it")
    now = int((np.asarray(starts) <= np.asarray(here.whole)).sum())
    found = [i for i in range(now, len(children)) if _has(children[i], numbers)]
    if not found:
        asked = ", ".join(map(repr, numbers))
        raise TypeError(f"none of the present and later schedules in {schedule!r} has an argument {asked}")
    if len(found) > 1 and found[0] != now:
        raise TypeError(f"{', '.join(numbers)} must be of one schedule alone, got schedules {found} to come")
    into = here if found[0] == 0 else here.since(starts[found[0] - 1])
    children[found[0]] = _retimed(children[found[0]], into, keep, numbers)
    return schedule.replace(schedules=children)


def _with_milestones(schedule: Schedule, here: Position, name: str, counts: Any) -> Schedule:
    """Milestones to come in other places; the rate so far stays."""
    new = schedule.replace(**{name: counts})
    before, after = schedule.arguments[name], new.arguments[name]
    if _known(here, (before, after)):
        past, still = ([n for n in leaves.plain(each) if n <= int(here.whole)] for each in (before, after))
        if past != still:
            raise ValueError(f"{name} up to the count {here.whole} must stay, for they are over: {past}, got {still}")
    return new


def _with_warmup(schedule: Schedule, here: Position, steps: Any) -> Schedule:
    """Another length of a warm-up that has not ended: along the straight line from the present rate to the target."""
    new = schedule.replace(warmup_steps=steps)
    numbers = _decoded(schedule)
    if _known(here, (schedule.arguments["warmup_steps"], new.arguments["warmup_steps"])):
        for length in (schedule.arguments["warmup_steps"], new.arguments["warmup_steps"]):
            if int(here.whole) >= int(length):
                raise ValueError(f"at must lie before the end of the warm-up, {int(length)}, got {here.whole}")
    if numbers.kind == "constant":
        return new
    if numbers.kind != "linear" or numbers.overlap:
        raise TypeError(f"warmup_steps must be of a linear or constant warm-up without overlap, got {schedule!r}")
    return new.replace(init_value=_start(schedule, new, here))


def _with_cooldown(schedule: Schedule, here: Position, numbers: dict[str, Any]) -> Schedule:
    """Another length of a cooldown that has not begun; one that has would have to begin at another rate."""
    new, at = schedule.replace(**numbers), schedule.arguments["at"]
    if _known(here, at):
        started = here.fraction is not None and float(here.fraction.nearest()) > 0.0
        if int(here.whole) + started > int(at):
            raise ValueError(
                f"at must lie before the cooldown begins, {int(at)}, got {here.whole}; one that has begun goes on from "
                "its rate as jaxlr.cooldown(schedule, at, steps)"
            )
    return new


@jax.jit
def _start(schedule: Schedule, new: Schedule, here: Position) -> Number:
    """From where a straight line leads through the present rate to the target."""
    schedule, new, here = lax.optimization_barrier((schedule, new, here))
    numbers = _decoded(new)
    done, left = here.replace(here.whole + numbers.offset).parts(numbers.warmup_steps)
    target = numbers.schedule.at(Position(jnp.uint32(0)))
    rest = where(left.high > 0.0, left, constant(1.0))
    return leaves.stored((schedule.at(here) - target * done) / rest)


def _known(here: Position, others: Any) -> bool:
    parts = [here.whole, *jax.tree.leaves((here.fraction, others))]
    return not any(map(leaves.is_traced, parts))


def _check(schedule: Schedule, numbers: dict[str, Any], by_phase: bool, keep: str) -> None:
    if by_phase and "begin" not in schedule.arguments:
        raise TypeError(f"keep must be 'rate' for {schedule.name}, got {keep!r}")
    for name in ("begin", "begin_phase") if by_phase else schedule.family.scales:
        if name in numbers:
            raise TypeError(f"{name} is what keep={keep!r} sets, got {numbers[name]!r}; leave it out, or use replace")
    for name, value in numbers.items():
        if isinstance(value, str | bool):
            raise TypeError(f"{name} must be a number, got {value!r}; replace changes the form of a schedule")


def _keeping_rate(schedule: Schedule, new: Schedule, here: Position) -> Schedule:
    scaled, lost = _scaled(schedule, new, here)
    if leaves.is_known(lost) and np.any(lost):
        raise ValueError(f"at must lie before the new schedule has ended, got {here.whole} for {new!r}")
    return new.replace(**scaled)


@jax.jit
def _scaled(schedule: Schedule, new: Schedule, here: Position) -> tuple[dict[str, Number], Any]:
    """The rates with which the new curve goes through the old one's value, and where none do."""
    family = schedule.family
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
