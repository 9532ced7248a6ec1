"""`retime`: another horizon in the middle of a run, without a jump of the rate; by names, or by what a text says."""

from __future__ import annotations

from typing import Any, Literal

from jaxlr import typing
from jaxlr.schedules import leaves
from jaxlr.schedules.horizons import (
    is_rule_of,
    keeping_rate,
    places,
    printed,
    renumbered,
    with_children,
    without_horizon,
)
from jaxlr.schedules.position import Position
from jaxlr.schedules.schedule import Schedule, as_schedule


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
        horizons in `jaxlr.schedules` (`flat_cosine`, `tanh`, `k_decay`, `rex`), `exponential` (these by keep="rate"
        only), or anything made of such a one: `warmup`, `join` (the phase it is in, or one to come), `per_epoch`,
        `at_speed`, `clip`, `shift`, a product, a sum; its counts are those of the whole. A warm-up takes other
        `warmup_steps` until it ends (and gets an `init_value`), a `cooldown` other `steps` until it begins
        (another `at` by `replace`, which changes no rate before it), `multi_step`, `piecewise_constant` and `join`
        other counts for changes to come.
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
    if is_rule_of(schedule, numbers):
        return renumbered(schedule, here, keep, numbers)
    children, asked = schedule.children(), ", ".join(map(repr, numbers))
    if not any(_has(child, numbers) for child in children):
        if children and not numbers.keys() <= schedule.arguments.keys():
            raise TypeError(f"none of the schedules in {schedule!r} has an argument {asked}")
        raise TypeError(without_horizon(schedule))
    there = places(schedule, here)
    left = [i for i, place in enumerate(there) if place is not None]
    found = [i for i in left if _has(children[i], numbers)]
    if not found:
        raise TypeError(f"none of the present and later schedules in {schedule!r} has an argument {asked}")
    # Of schedules that follow one another the present one goes before those to come.
    if len(found) > 1 and not (_in_turn(schedule) and found[0] == left[0]):
        them = " and ".join(repr(children[i]) for i in found)
        raise TypeError(f"{', '.join(numbers)} must be of one schedule alone, got {them}")
    place = there[found[0]]
    assert place is not None
    children[found[0]] = _retimed(children[found[0]], place, keep, numbers)
    return with_children(schedule, children)


def _has(schedule: Schedule, numbers: dict[str, Any]) -> bool:
    """Whether a schedule, or one within it, has arguments of these names."""
    return numbers.keys() <= schedule.arguments.keys() or any(_has(child, numbers) for child in schedule.children())


def _in_turn(schedule: Schedule) -> bool:
    """Whether the schedules within follow one another."""
    return schedule.family.milestones is not None and bool(schedule.children())


def retime_as(schedule: Schedule, at: typing.Length, before: Schedule, after: Schedule) -> Schedule:
    """The schedule with what is asked for now and was not before, each difference by the rule of `retime`.

    Besides, any curve goes on from a constant; the schedule may stand in what leaves its rate as it is here, such as a
    warm-up that is over and a `cooldown` to come; and further ones may follow, as in `join([schedule, next], [at])`.

    Args:
      schedule: that of the run so far: `before`, maybe retimed.
      at: the updates applied so far.
      before: what was asked for.
      after: what is asked for now: made of the same families, with other numbers.

    Raises:
      ValueError, TypeError: a number that must stay, another family, or a change that `retime` refuses.

    Example:
      >>> import jaxlr
      >>> before, after = (0.5 * jaxlr.cosine(0.1, steps) for steps in (100, 200))
      >>> new = retime_as(before, 50, before, after)
      >>> new.end(), float(new(50)) == float(before(50))
      (200, True)
    """
    return _followed(schedule, before, after, Position(leaves.length("at", at, minimum=0).decoded()))


def adds_phases(before: Schedule, after: Schedule) -> bool:
    """Whether a schedule, or those of a join, are the first of more that follow one another."""
    earlier = before.children() if before.name == after.name else [before]
    return _in_turn(after) and len(after.children()) > len(earlier)


def _followed(schedule: Schedule, before: Schedule, after: Schedule, here: Position | None) -> Schedule:
    if before.to_dict() == after.to_dict():
        return schedule
    if here is None:
        raise ValueError(f"{before!r} must stay, for it is over, got {after!r}")
    if before.family.steady and after.family.borders is not None:
        return keeping_rate(schedule, after, here)
    if adds_phases(before, after):
        return _continued(schedule, before, after, here)
    inner = [each.children() for each in (schedule, before, after)]
    if before.name != after.name and len(inner[2]) == 1:
        return _wrapped(schedule, before, after, here)
    if before.name != after.name or len(inner[1]) != len(inner[2]):
        raise ValueError(
            f"schedule must stay {_shape(before)}, only its numbers may change; got {after!r}; "
            f"{_behind(before, after, here)}"
        )
    if any(old.to_dict() != new.to_dict() for old, new in zip(*inner[1:], strict=True)):
        there = places(schedule, here)
        schedule = with_children(schedule, [_followed(*each) for each in zip(*inner, there, strict=True)])
    numbers = {n: v for n, v in after.arguments.items() if _plain(before.arguments[n]) != _plain(v)}
    for name in numbers:
        _check_may_change(before, after, name)
    return renumbered(schedule, here, "rate", numbers) if numbers else schedule


def _wrapped(schedule: Schedule, before: Schedule, after: Schedule, here: Position) -> Schedule:
    """The schedule within another that leaves its rate as it is here: a warm-up that is over, a cooldown to come."""
    new = with_children(after, [_followed(schedule, before, after.children()[0], places(after, here)[0])])
    old_rate, new_rate = (float(each.at(here).nearest()) for each in (schedule, new))
    if abs(new_rate - old_rate) > 2.0**-20 * abs(old_rate):
        raise ValueError(
            f"the rate would jump from {old_rate:g} to {new_rate:g} under {after!r}; {_behind(before, after, here)}"
        )
    return new


def _behind(before: Schedule, after: Schedule, here: Position) -> str:
    return f"behind the old one it begins at its own count 0: join([{before!r}, {after!r}], [{int(here.whole)}])"


def _continued(schedule: Schedule, before: Schedule, after: Schedule, here: Position) -> Schedule:
    """The schedule, and behind it those that are new."""
    name = after.family.milestones or ""
    starts = leaves.plain(after.arguments[name])
    if before.name != after.name:
        schedule, before = (after.replace(**{"schedules": [each], name: []}) for each in (schedule, before))
    number = len(before.children())
    if starts[number - 1] < int(here.whole):
        raise ValueError(f"{name}[{number - 1}] must be at least {here.whole}, got {starts[number - 1]}")
    first = after.replace(**{"schedules": after.children()[:number], name: starts[: number - 1]})
    return with_children(after, [*_followed(schedule, before, first, here).children(), *after.children()[number:]])


def _check_may_change(before: Schedule, after: Schedule, name: str) -> None:
    """Refuses another number where the rate would jump, and another word."""
    old, new = before.arguments[name], after.arguments[name]
    if name in before.family.scales:
        raise ValueError(f"{name} is what keep='rate' sets: it must stay {printed(old)}, got {printed(new)}")
    stays = before.children() or before.family.milestones or before.family.steady
    if not leaves.is_leaf(old) or not leaves.is_leaf(new) or (stays and not is_rule_of(before, [name])):
        raise ValueError(f"{name} of {before!r} must stay {printed(old)}, got {printed(new)}")


def _shape(schedule: Schedule) -> str:
    """The families that a schedule is made of."""
    inner = ", ".join(map(_shape, schedule.children()))
    return f"{schedule.name}({inner})" if inner else schedule.name


def _plain(value: Any) -> Any:
    """An argument as something that can be compared; schedules are compared by themselves."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, Schedule) else leaves.plain(value) if leaves.is_leaf(value) else value
