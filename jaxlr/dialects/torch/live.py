"""Live PyTorch schedulers as jaxlr's schedules, and their state dicts in and out. Only attributes are read."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import jax
import numpy as np

from jaxlr.dialects.common import known_length
from jaxlr.dialects.torch import cycling, schedulers
from jaxlr.dialects.torch.arguments import LiveScheduler
from jaxlr.dialects.torch.composition import (
    Child,
    ahead,
    first_of_sequence,
    no_formula,
    product_of,
    required,
    sequence_of,
    torch_name,
)
from jaxlr.dialects.torch.replay import Rule, exact_value, growing, replay, successive
from jaxlr.schedules import Schedule, table
from jaxlr.transforms.rate.plateau import ReduceOnPlateau

Found = Schedule | ReduceOnPlateau
_Reader = Callable[[Any, int, int | None], Found]  # of a live scheduler, a group's number, and total_steps


def from_scheduler(scheduler: LiveScheduler, *, total_steps: int | None = None) -> Found | list[Found]:
    """The schedule of a live PyTorch scheduler, from its first update on; its `last_epoch` is the count it stands at.

    Args:
      scheduler: an object of one of torch.optim.lr_scheduler's classes, not of one derived from them.
      total_steps: updates to record where PyTorch's curve has no formula: a function that JAX cannot trace,
        MultiplicativeLR, and some children of SequentialLR and ChainedScheduler.

    Returns:
      A schedule (a rule over the present rate for ReduceLROnPlateau), or a list with one for each parameter group if
      they differ.

    Raises:
      TypeError: the class is none of PyTorch's, or JAX cannot trace a function of it and `total_steps` is not given.
      ValueError: the curve has no formula and `total_steps` is not given; it names the class.

    Example:
      >>> from types import SimpleNamespace
      >>> class StepLR:  # stands in for torch's
      ...   __module__ = "torch.optim.lr_scheduler"
      ...   optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}, {"lr": 0.5}])
      ...   base_lrs, step_size, gamma = [0.1, 0.5], 30, 0.25
      >>> from_scheduler(StepLR())
      [step_decay(init_value=0.1, decay_rate=0.25, step_size=30),
       step_decay(init_value=0.5, decay_rate=0.25, step_size=30)]
    """
    _class_of(scheduler)
    groups = range(len(scheduler.optimizer.param_groups))
    return _one_or_each([_schedule(scheduler, group, total_steps) for group in groups])


def momentum_from_scheduler(scheduler: LiveScheduler) -> Schedule | list[Schedule] | None:
    """The momentum (or beta1) that a live CyclicLR or OneCycleLR moves.

    Args:
      scheduler: as in `from_scheduler`.

    Returns:
      A schedule, or a list with one for each parameter group if they differ; None where the momentum stays.

    Raises:
      TypeError: the class is none of PyTorch's.

    Example:
      >>> from types import SimpleNamespace
      >>> class StepLR:  # stands in for torch's
      ...   __module__ = "torch.optim.lr_scheduler"
      >>> momentum_from_scheduler(StepLR())
    """
    name, live = _class_of(scheduler), cast(Any, scheduler)
    if name not in ("CyclicLR", "OneCycleLR") or not live.cycle_momentum:
        return None
    groups = range(len(scheduler.optimizer.param_groups))
    if name == "CyclicLR":
        found = [cycling.cyclic_momentum(**_cyclic_arguments(scheduler, group)) for group in groups]
    else:
        found = [cycling.one_cycle_momentum(**_one_cycle_arguments(scheduler, group)) for group in groups]
    return _one_or_each(found)


def scheduler_count(state_dict: Mapping[str, Any]) -> int:
    """How many updates a PyTorch scheduler's state dict has behind it: the count to go on from.

    Args:
      state_dict: what `scheduler.state_dict()` returned.

    Returns:
      The count.

    Raises:
      ValueError: it is no such state dict, or one of ReduceLROnPlateau, which counts metrics.

    Example:
      >>> scheduler_count({"step_size": 30, "last_epoch": 50, "_step_count": 51, "_last_lr": [0.01]})
      50
    """
    state = state_dict
    while "_schedulers" in state and "_milestones" not in state:
        state = state["_schedulers"][0]
    if "last_epoch" not in state or not ({"_step_count", "_milestones"} & set(state)):
        raise ValueError(
            "state_dict must be that of a scheduler of PyTorch 2, with last_epoch and _step_count (a ReduceLROnPlateau "
            f"counts metrics and has none), got the keys {sorted(state)}"
        )
    return int(state["last_epoch"])


def scheduler_state_dict(
    schedule: Schedule | Sequence[Schedule], count: int, like: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The state dict with which a PyTorch scheduler, made with the same arguments, goes on from `count`.

    Load it with `scheduler.load_state_dict`, and the optimizer's with it: PyTorch computes the next rate from the
    optimizer's present one.

    Args:
      schedule: the schedule, or a list with one for each parameter group.
      count: updates applied so far.
      like: an earlier state dict of the scheduler, whose other entries are kept; needed for SequentialLR,
        ChainedScheduler and a recorded LambdaLR.

    Returns:
      A new state dict.

    Raises:
      ValueError: `like` is needed and not given, or is none.

    Example:
      >>> from jaxlr.dialects import torch
      >>> state = torch.scheduler_state_dict(torch.StepLR(0.5, 30, gamma=0.5), 60)
      >>> state["last_epoch"], state["_step_count"], [round(rate, 8) for rate in state["_last_lr"]]
      (60, 61, [0.125])
    """
    schedules = [schedule] if isinstance(schedule, Schedule) else list(schedule)
    if like is None:
        like = _blank(schedules)
    else:
        scheduler_count(like)
        schedules = schedules * len(like["_last_lr"]) if len(schedules) == 1 else schedules
    return _advanced(like, count, [exact_value(one, count) for one in schedules])


def _class_of(scheduler: object) -> str:
    kind = type(scheduler)
    known = {*_READERS, "SequentialLR", "ChainedScheduler"}
    if kind.__name__ not in known or not kind.__module__.startswith("torch.optim"):
        raise TypeError(
            f"scheduler must be one of torch.optim.lr_scheduler's {', '.join(sorted(known))}, "
            f"got {kind.__module__}.{kind.__name__}"
        )
    return kind.__name__


def _schedule(scheduler: Any, group: int, total_steps: int | None) -> Found:
    name = _class_of(scheduler)
    if name in _READERS:
        return _READERS[name](scheduler, group, total_steps)
    children = _flat(scheduler)
    reason = _needs_replay(name, [_class_of(child) for child in children])
    if reason:
        if total_steps is None:
            raise no_formula(name, *reason)
        steps = known_length("total_steps", total_steps, minimum=1)
        rules = [_rule(scheduler, group, steps)] if name == "SequentialLR" else _rules(scheduler, group, steps)
        return table(replay(rules, _initial(scheduler, group), steps))
    first = _composed(children[0], group)
    found = [_child(i, child, group, total_steps) for i, child in enumerate(children) if i or not first]
    found = [first, *found] if first else found
    return sequence_of(found, scheduler._milestones, None) if name == "SequentialLR" else product_of(found, total_steps)


def _flat(scheduler: Any) -> list[Any]:
    """The children; those of a ChainedScheduler inside another are stepped in turn with the rest."""
    children = []
    for child in scheduler._schedulers:
        chained = _class_of(scheduler) == _class_of(child) == "ChainedScheduler"
        children += _flat(child) if chained else [child]
    return children


def _composed(scheduler: Any, group: int) -> Child | None:
    """A first child that is composed itself: PyTorch steps it once more at count 0."""
    name = _class_of(scheduler)
    if name == "ChainedScheduler":
        return first_of_sequence([_child(i, part, group, None) for i, part in enumerate(_flat(scheduler))])
    return ahead(required(0, _schedule(scheduler, group, None))) if name == "SequentialLR" else None


def _child(index: int, scheduler: Any, group: int, total_steps: int | None) -> Child:
    name = _class_of(scheduler)
    if name not in _READERS:
        raise TypeError(
            f"schedules[{index}] must be none that is composed itself, got {name}, which PyTorch steps early there or "
            "not at all; say what is meant with jaxlr.join, or with a product of schedules"
        )
    return Child(name, required(index, _READERS[name](scheduler, group, total_steps)))


def _needs_replay(name: str, children: Sequence[str]) -> tuple[str, str] | None:
    """The child for which the recursion has to be followed, and why."""
    if name == "ChainedScheduler":
        nested = "SequentialLR" in children
        return ("SequentialLR", "it sets the rate at each milestone") if nested else None
    if "OneCycleLR" in children:
        return "OneCycleLR", "it overwrites the rate that the first scheduler starts from"
    if "MultiplicativeLR" in children[1:]:
        return "MultiplicativeLR", "it goes on from the rate before it"
    return None


def _rules(scheduler: Any, group: int, steps: int) -> list[Rule]:
    return [_rule(child, group, steps) for child in _flat(scheduler)]


def _rule(scheduler: Any, group: int, steps: int) -> Rule:
    name = _class_of(scheduler)
    if name == "ChainedScheduler":
        raise ValueError(
            "ChainedScheduler inside SequentialLR is not supported: PyTorch steps it early as the first, and cannot "
            "restart it behind; say what is meant with jaxlr.join and a product of schedules"
        )
    if name == "SequentialLR":
        return successive(_rules(scheduler, group, steps), scheduler._milestones, _initial(scheduler, group))
    if name == "MultiplicativeLR":
        return growing(scheduler.lr_lambdas[group])
    return _child(0, scheduler, group, steps).rule(steps)


def _initial(scheduler: Any, group: int) -> float:
    return float(scheduler.optimizer.param_groups[group]["initial_lr"])


def _base(scheduler: Any, group: int) -> float:
    return float(scheduler.base_lrs[group])


def _reader(name: str, *attributes: str) -> _Reader:
    """Reads the attributes that have the arguments' names."""

    def read(scheduler: Any, group: int, total_steps: int | None) -> Found:
        arguments = {attribute: getattr(scheduler, attribute) for attribute in attributes}
        return getattr(schedulers, name)(_base(scheduler, group), **arguments)

    return read


def _plateau(scheduler: Any, group: int, total_steps: int | None) -> Found:
    names = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps")
    arguments = {name: getattr(scheduler, name) for name in names}
    rate = float(scheduler.optimizer.param_groups[group]["lr"])
    return schedulers.ReduceLROnPlateau(rate, **arguments, min_lr=scheduler.min_lrs[group])


def _cyclic_arguments(scheduler: Any, group: int) -> dict[str, Any]:
    up = scheduler.total_size * scheduler.step_ratio
    sizes: dict[str, float] = {"step_size_up": round(up), "step_size_down": round(scheduler.total_size - up)}
    if abs(up - sizes["step_size_up"]) > 1e-6 * up or scheduler.total_size != sum(sizes.values()):
        raise ValueError(
            f"step_size_up and step_size_down of CyclicLR must be whole numbers, got {up:g} and "
            f"{scheduler.total_size - up:g}"
        )
    if sizes["step_size_up"] == sizes["step_size_down"]:
        del sizes["step_size_down"]
    if scheduler.cycle_momentum:
        low, high = scheduler.base_momentums[group], scheduler.max_momentums[group]
        sizes |= {"base_momentum": float(low), "max_momentum": float(high)}
    return {
        "lr": _base(scheduler, group),
        "base_lr": _base(scheduler, group),
        "max_lr": float(scheduler.max_lrs[group]),
        **sizes,
        "mode": scheduler.mode,
        "gamma": scheduler.gamma,
        "scale_fn": scheduler._scale_fn_custom,
        "scale_mode": "cycle" if scheduler.scale_mode == "cycle" else "iterations",
    }


def _one_cycle_arguments(scheduler: Any, group: int) -> dict[str, Any]:
    phases, numbers = scheduler._schedule_phases, scheduler.optimizer.param_groups[group]
    peak, first, last = (float(numbers[name]) for name in ("max_lr", "initial_lr", "min_lr"))
    arguments = {
        "lr": first,
        "max_lr": peak,
        "total_steps": scheduler.total_steps,
        "pct_start": (phases[0]["end_step"] + 1) / scheduler.total_steps,
        "anneal_strategy": _anneal_strategy(scheduler),
        "div_factor": peak / first,
        "final_div_factor": first / last,
        "three_phase": len(phases) == 3,
    }
    if scheduler.cycle_momentum:
        # PyTorch keeps them in the optimizer's groups.
        arguments |= {name: float(numbers[name]) for name in ("base_momentum", "max_momentum")}
    return arguments


def _anneal_strategy(scheduler: Any) -> str:
    """ "cos" or "linear"; before torch 2.3 the scheduler holds the function instead of its name."""
    if hasattr(scheduler, "_anneal_func_type"):
        return scheduler._anneal_func_type
    return "linear" if "linear" in scheduler.anneal_func.__name__ else "cos"


_READERS: dict[str, _Reader] = {
    "LambdaLR": lambda s, g, steps: schedulers.LambdaLR(_base(s, g), s.lr_lambdas[g], total_steps=steps),
    "MultiplicativeLR": lambda s, g, steps: schedulers.MultiplicativeLR(
        _base(s, g), s.lr_lambdas[g], total_steps=steps
    ),
    "StepLR": _reader("StepLR", "step_size", "gamma"),
    "MultiStepLR": lambda s, g, _: schedulers.MultiStepLR(_base(s, g), list(s.milestones.elements()), s.gamma),
    "ConstantLR": _reader("ConstantLR", "factor", "total_iters"),
    "LinearLR": _reader("LinearLR", "start_factor", "end_factor", "total_iters"),
    "ExponentialLR": _reader("ExponentialLR", "gamma"),
    "PolynomialLR": _reader("PolynomialLR", "total_iters", "power"),
    "CosineAnnealingLR": _reader("CosineAnnealingLR", "T_max", "eta_min"),
    "CosineAnnealingWarmRestarts": _reader("CosineAnnealingWarmRestarts", "T_0", "T_mult", "eta_min"),
    "CyclicLR": lambda s, g, _: cycling.CyclicLR(**_cyclic_arguments(s, g)),
    "OneCycleLR": lambda s, g, _: cycling.OneCycleLR(**_one_cycle_arguments(s, g)),
    "ReduceLROnPlateau": _plateau,
    "SWALR": lambda s, g, _: schedulers.SWALR(
        _base(s, g), float(s.optimizer.param_groups[g]["swa_lr"]), s.anneal_epochs, s._anneal_strategy
    ),
}


def _one_or_each(found: list[Any]) -> Any:
    return found[0] if all(_same(found[0], other) for other in found[1:]) else found


def _same(one: Found, other: Found) -> bool:
    if isinstance(one, ReduceOnPlateau) or isinstance(other, ReduceOnPlateau):
        return _numbers(one) == _numbers(other)
    leaves, others = jax.tree.leaves(one), jax.tree.leaves(other)
    same = jax.tree.structure(one) == jax.tree.structure(other)
    return same and all(map(np.array_equal, leaves, others))


def _numbers(rule: Any) -> list[float]:
    return [float(rule.learning_rate), *(float(number) for number in rule.numbers)]


def _blank(schedules: Sequence[Schedule]) -> dict[str, Any]:
    """What the class of a schedule has to find in a state dict besides its progress."""
    schedule = schedules[0]
    if schedule.name in ("join", "table") or _is_chained(schedule):
        raise ValueError(f"like must be given for {schedule.name}: an earlier state dict of the same scheduler")
    held_cosine = schedule.name == "cosine" and schedule.arguments["after"] == "hold"
    if held_cosine or schedule.name in ("constant", "linear"):
        return {}  # SWALR's, which no composition takes
    name = torch_name("scheduler_state_dict", 0, schedule)
    if name in ("LambdaLR", "MultiplicativeLR"):
        return {"lr_lambdas": [None] * len(schedules)}
    if name == "CyclicLR":
        return {"_scale_fn_custom": None}
    if name == "CosineAnnealingWarmRestarts":
        numbers = schedule.to_dict()["arguments"]
        return {"T_0": numbers["first_decay_steps"], "T_mult": int(numbers.get("t_mul", 1)), "T_cur": 0}
    return {}


def _is_chained(schedule: Schedule) -> bool:
    return schedule.name == "product" and schedule.arguments["left"].name == "product"


def _advanced(like: Mapping[str, Any], count: int, rates: list[float]) -> dict[str, Any]:
    """A state dict brought to a count; -1 is that of a scheduler whose turn has not come."""
    state = dict(like)
    if "_milestones" in like:
        starts = [0, *like["_milestones"]]
        turn = bisect.bisect_right(like["_milestones"], count)
        ends = [*(end - 1 for end in starts[1 : turn + 1]), count]
        counts = [end - start for start, end in zip(starts, ends, strict=False)]
        counts += [-1] * (len(starts) - len(counts))
        state["_schedulers"] = [_advanced(c, n, rates) for c, n in zip(like["_schedulers"], counts, strict=True)]
        return state | {"last_epoch": count, "_last_lr": rates}
    if "_schedulers" in like:
        return state | {"_schedulers": [_advanced(c, count, rates) for c in like["_schedulers"]], "_last_lr": rates}
    if "T_cur" in like:
        state |= _cycle_of(like["T_0"], like["T_mult"], max(count, 0))
    return state | {"last_epoch": count, "_step_count": max(count, 0) + 1, "_last_lr": rates}


def _cycle_of(first: int, growth: int, count: int) -> dict[str, int]:
    length = first
    while growth > 1 and count >= length:
        count, length = count - length, length * growth
    return {"T_cur": count % length, "T_i": length}
