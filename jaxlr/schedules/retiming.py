"""`retime`: another horizon in the middle of a run, without a jump of the rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr.numerics.wide import Wide, constant, from_integer, less, where
from jaxlr.schedules import leaves
from jaxlr.schedules.families.onecycle import run_borders
from jaxlr.schedules.position import Position, unsigned, way
from jaxlr.schedules.schedule import Schedule, as_schedule

__all__ = ["retime"]


class _Form(NamedTuple):
    """What `retime` has to know of a family."""

    values: tuple[str, ...]  # the rates that grow with the distance from the last one
    end: str | None  # the last rate; None where the whole curve is in proportion to `values`
    borders: Callable[[Schedule], tuple[Any, list[Wide]]]  # the count of its end; where each phase starts and ends


def retime(schedule: Any, at: Any, *, keep: str = "rate", **numbers: Any) -> Schedule:
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
        return schedule.replace(schedule=_retimed(inner, jnp.maximum(at - jnp.maximum(steps, 0), 0), keep, numbers))
    return _retimed(schedule, at, keep, numbers)


def _retimed(schedule: Schedule, at: Any, keep: str, numbers: dict[str, Any]) -> Schedule:
    form = _FORMS.get(schedule.name)
    if form is None:
        raise TypeError(
            f"schedule must have a horizon ({', '.join(_FORMS)}) or be a warmup before such a one, got {schedule!r}"
        )
    by_phase = keep == "phase" and schedule.name not in ("linear", "polynomial")
    _check(schedule, form, numbers, by_phase, keep)
    new = schedule.replace(**numbers)
    if by_phase:
        return new.replace(begin=at, begin_phase=_begun(schedule, new, at))
    return _keeping_rate(schedule, new, at)


def _check(schedule: Schedule, form: _Form, numbers: dict[str, Any], by_phase: bool, keep: str) -> None:
    if not numbers:
        raise TypeError(f"retime needs at least one number to change: {', '.join(schedule.arguments)}")
    if by_phase and "begin" not in schedule.arguments:
        raise TypeError(f"keep must be 'rate' for {schedule.name}, got {keep!r}")
    for name in ("begin", "begin_phase") if by_phase else form.values:
        if name in numbers:
            raise TypeError(f"{name} is what keep={keep!r} sets, got {numbers[name]!r}; leave it out, or use replace")
    for name, value in numbers.items():
        if isinstance(value, str | bool):
            raise TypeError(f"{name} must be a number, got {value!r}; replace changes the form of a schedule")


def _keeping_rate(schedule: Schedule, new: Schedule, at: Any) -> Schedule:
    scaled, lost = _scaled(schedule, new, at)
    if leaves.is_known(lost) and np.any(lost):
        raise ValueError(f"at must lie before the new schedule has ended, got {leaves.printed(at)} for {new!r}")
    return new.replace(**scaled)


@jax.jit
def _scaled(schedule: Schedule, new: Schedule, at: Any) -> tuple[dict[str, Wide], Any]:
    """The rates with which the new curve goes through the old one's value, and where none do."""
    form = _FORMS[schedule.name]
    here, (old, fresh) = _hidden(at, (schedule, new))
    end = constant(0.0) if form.end is None else fresh.arguments[form.end]
    wanted, given = old.at(here) - end, fresh.at(here) - end
    lost = (given.high == 0.0) | (here.whole >= form.borders(fresh)[0])
    one = constant(1.0)
    scale = where(lost, one, wanted / where(lost, one, given))
    scaled = {name: end + (fresh.arguments[name] - end) * scale for name in form.values}
    return {name: Wide(value.high, value.low) for name, value in scaled.items()}, lost & (wanted.high != 0.0)


@jax.jit
def _begun(schedule: Schedule, new: Schedule, at: Any) -> Wide:
    """The share of the new curve at which it has to begin."""
    borders = _FORMS[schedule.name].borders
    here, (old, fresh) = _hidden(at, (schedule, new))
    (ended, before), (_, after) = borders(old), borders(fresh)
    place, left = way(here, ended, old.arguments["begin"], old.arguments["begin_phase"])
    # In each phase the share of it that is done; the last one counts from its end, where that is the finer measure.
    moved = after[-1] - left * _stretch(before[-2:], after[-2:])
    for start in reversed(range(len(before) - 2)):
        done = (place - before[start]) * _stretch(before[start : start + 2], after[start : start + 2])
        moved = where(less(place, before[start + 1]), after[start] + done, moved)
    one = constant(1.0)
    phase = moved / where(after[-1].high > 0.0, after[-1], one)
    return where((here.whole >= ended) | less(one, phase), one, phase)


def _stretch(before: list[Wide], after: list[Wide]) -> Wide:
    """How many times as long a phase has become."""
    old, new = before[1] - before[0], after[1] - after[0]
    return new / where(old.high > 0.0, old, constant(1.0))


def _hidden(at: Any, schedules: tuple[Schedule, Schedule]) -> tuple[Position, tuple[Schedule, Schedule]]:
    # Behind the barrier nothing is a constant, as in Schedule.__call__.
    count, schedules = lax.optimization_barrier((unsigned(jnp.asarray(at)), schedules))
    return Position(count), schedules


def _after(name: str, begin: str | None = None) -> Callable[[Schedule], tuple[Any, list[Wide]]]:
    """The borders of a family with one length, which may start later."""

    def borders(schedule: Schedule) -> tuple[Any, list[Wide]]:
        start = jnp.uint32(0) if begin is None else unsigned(schedule.arguments[begin])
        end = start + unsigned(schedule.arguments[name])
        return end, [from_integer(start), from_integer(end)]

    return borders


def _run(schedule: Schedule) -> tuple[Any, list[Wide]]:
    total, share, last, three = (schedule.arguments[n] for n in ("total_steps", "pct_start", "last", "three_phase"))
    return run_borders(total, share, 3 if three else 2, last)


def _three(schedule: Schedule) -> tuple[Any, list[Wide]]:
    rise, stable, fall = (unsigned(schedule.arguments[f"{name}_steps"]) for name in ("warmup", "stable", "decay"))
    end = rise + stable + jnp.minimum(fall, ~(rise + stable))
    return end, [constant(0.0), *map(from_integer, (rise, rise + stable, end))]


_FORMS = {
    "linear": _Form(("init_value",), "end_value", _after("transition_steps", "transition_begin")),
    "polynomial": _Form(("init_value",), "end_value", _after("transition_steps", "transition_begin")),
    "cosine": _Form(("init_value",), "end_value", _after("decay_steps")),
    "one_cycle": _Form(("max_lr",), None, _run),
    "one_cycle_momentum": _Form(("base_momentum",), "max_momentum", _run),
    "warmup_stable_decay": _Form(("peak_value", "init_value"), "end_value", _three),
    "flat_cosine": _Form(("init_value",), "end_value", _after("total_steps")),
    "tanh": _Form(("init_value",), "end_value", _after("decay_steps")),
    "k_decay": _Form(("init_value",), "end_value", _after("decay_steps")),
    "rex": _Form(("init_value",), None, _after("decay_steps")),
}
