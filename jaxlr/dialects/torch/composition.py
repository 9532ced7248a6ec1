"""SequentialLR and ChainedScheduler: what PyTorch 2.14 makes of several schedulers on one optimizer."""

# ruff: noqa: N802 - PyTorch's own names

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxlr.dialects.common import known_length, resumed
from jaxlr.dialects.torch.replay import Rule, absolute, cosine, exact_values, factor, replay, successive
from jaxlr.schedules import Schedule, join, leaves, table
from jaxlr.transforms.rate.plateau import ReduceOnPlateau
from jaxlr.typing import Lengths

# What each family is in PyTorch: a factor on the rate, or a rate of its own.
FACTORS = {
    "step_decay": "StepLR",
    "multi_step": "MultiStepLR",
    "exponential": "ExponentialLR",
    "polynomial": "PolynomialLR",
}
SHARES = {"piecewise_constant": "ConstantLR", "linear": "LinearLR", "table": "MultiplicativeLR"}
RATES = {
    "custom": "LambdaLR",
    "table": "LambdaLR",
    "cosine_restarts": "CosineAnnealingWarmRestarts",
    "triangular": "CyclicLR",
    "triangular2": "CyclicLR",
    "exp_range": "CyclicLR",
    "cyclic": "CyclicLR",
    "one_cycle": "OneCycleLR",
}


class Child(NamedTuple):
    """A scheduler of PyTorch inside a composition."""

    kind: str  # its class
    schedule: Schedule  # what it does alone

    @property
    def parts(self) -> tuple[Any, Schedule]:
        """The optimizer's rate, and the factor on it; not for a class that sets the rate."""
        if self.schedule.name == "product":
            return self.schedule.arguments["right"], self.schedule.arguments["left"]
        return self.schedule.arguments["init_value"], self.schedule.replace(init_value=1.0)

    def rule(self, steps: int) -> Rule:
        """What it does to the rate in the first `steps` updates."""
        if self.kind in RATES.values():
            return absolute(exact_values(self.schedule, steps))
        base, share = self.parts
        if self.kind == "CosineAnnealingLR":
            arguments = self.schedule.arguments
            lowest, period = leaves.plain(arguments["end_value"]), leaves.plain(arguments["decay_steps"])
            return cosine(leaves.plain(base), lowest, period, exact_values(share.replace(end_value=0.0), steps))
        return factor(leaves.plain(base), exact_values(share, steps))


def SequentialLR(
    schedules: Sequence[Schedule],
    milestones: Lengths,
    last_epoch: int = -1,
    verbose: object = None,
    *,
    total_steps: int | None = None,
) -> Schedule:
    """One scheduler after the other, each from its own count 0 and its own rate: `jaxlr.join`.

    lr(n) = schedules[i](n - milestones[i - 1]) for milestones[i - 1] <= n < milestones[i]

    Where the first is composed itself, PyTorch steps it once more at count 0: a SequentialLR comes to its milestones a
    count early, and in a ChainedScheduler an ExponentialLR and a PolynomialLR are one count ahead.

    A OneCycleLR among them is no such thing in PyTorch: it overwrites the rate that the optimizer began with, so that
    the first scheduler, a warm-up say, starts from 1/25 of the peak whatever it was made with. This is what a table
    records, when `total_steps` is given; for what was meant, use `jaxlr.join`. The `lr` of a schedule is what PyTorch's
    scheduler has in `base_lrs`: behind a OneCycleLR, that one's first rate.

    Args:
      schedules: schedules of this module, each with the optimizer's rate.
      milestones: the counts at which the second, third, ... begins; one fewer than schedules.
      last_epoch, verbose: see `schedulers`.
      total_steps: updates to record where a formula does not say it; the last rate holds.

    Raises:
      ValueError: PyTorch's curve is no sequence of these schedules and `total_steps` is not given; milestones that do
        not fit.
      TypeError: a child is none of PyTorch's schedules.

    Example:
      >>> from jaxlr.dialects import torch
      >>> warm, decay = torch.ConstantLR(1.0, factor=0.5), torch.ExponentialLR(1.0, gamma=0.5)
      >>> rate = torch.SequentialLR([warm, decay], milestones=[2])
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4)]
      [0.5, 0.5, 1.0, 0.5, 0.25]
    """
    given = leaves.sequence("schedules", schedules)
    first = _composed(given[0]) if len(given) > 1 else None
    children = [first, *_children("SequentialLR", given[1:], 1)] if first else _children("SequentialLR", given)
    return resumed(sequence_of(children, milestones, total_steps), last_epoch)


def _composed(child: Any) -> Child | None:
    """A first child that is composed itself: PyTorch steps it once more at count 0."""
    if isinstance(child, Schedule) and child.name == "join":
        return ahead(child)
    parts = _unchained(child)
    return first_of_sequence(_children("ChainedScheduler", parts)) if len(parts) > 1 else None


def ahead(sequence: Schedule) -> Child:
    """A SequentialLR as the first child of another: it comes to each of its milestones a count early."""
    borders = [border - 1 for border in leaves.plain(sequence.arguments["boundaries"])]
    return Child("SequentialLR", join(sequence.arguments["schedules"], borders))


def ChainedScheduler(schedules: Sequence[Schedule], *, total_steps: int | None = None) -> Schedule:
    """All schedulers at once, each on what the one before it leaves: the product of their factors.

    lr(n) = lr * f_1(n) * f_2(n) * ..., where schedule i alone gives lr * f_i(n)

    So it is for StepLR, MultiStepLR, ConstantLR, LinearLR, ExponentialLR, PolynomialLR, MultiplicativeLR, and for
    CosineAnnealingLR with eta_min=0 up to its `T_max` (past it PyTorch adds to what it finds, and forgets the other
    factors so far; the product goes on, a table follows PyTorch). What sets the rate itself (LambdaLR, CyclicLR,
    OneCycleLR, CosineAnnealingWarmRestarts) makes those before it count for nothing, and with others after it, as a
    cosine with an eta_min, it is no product: a table records it, when `total_steps` is given.

    Args:
      schedules: schedules of this module, all with the optimizer's rate; those of a ChainedScheduler among them are
        stepped in turn with the rest.
      total_steps: updates to record where a formula does not say it; the last rate holds.

    Raises:
      ValueError: PyTorch's curve is no product of these schedules and `total_steps` is not given; rates that differ.
      TypeError: a child is none of PyTorch's schedules.

    Example:
      >>> from jaxlr.dialects import torch
      >>> warm, decay = torch.ConstantLR(1.0, factor=0.5, total_iters=2), torch.ExponentialLR(1.0, gamma=0.5)
      >>> rate = torch.ChainedScheduler([warm, decay])
      >>> [float(rate(n)) for n in (0, 1, 2, 3)]
      [0.5, 0.25, 0.25, 0.125]
    """
    flat = [part for child in leaves.sequence("schedules", schedules) for part in _unchained(child)]
    return product_of(_children("ChainedScheduler", flat), total_steps)


def first_of_sequence(chained: Sequence[Child]) -> Child:
    """A ChainedScheduler as the first child of a SequentialLR, which steps it once more at count 0.

    There most classes do what they do at their beginning; what multiplies the rate from count to count does so once
    more, so that all of its rates have that factor.
    """
    early = functools.reduce(operator.mul, (_early(child) for child in chained), 1.0)
    schedule = product_of(chained, None)
    return Child("ChainedScheduler", schedule if early == 1.0 else schedule * early)


def _early(child: Child) -> float:
    """By what a scheduler multiplies the rate where it is stepped to count 0 after it was made."""
    if child.kind == "ExponentialLR":
        return leaves.plain(child.schedule.arguments["decay_rate"])
    if child.kind == "PolynomialLR":
        steps, power = (leaves.plain(child.schedule.arguments[name]) for name in ("transition_steps", "power"))
        return (steps / (steps + 1)) ** power
    if child.kind in ("CosineAnnealingLR", "MultiplicativeLR"):
        raise ValueError(
            f"{child.kind} in a ChainedScheduler that is the first of a SequentialLR is not supported: PyTorch steps "
            "it once more at count 0; say what is meant with jaxlr.join and a product of schedules"
        )
    return 1.0


def _unchained(child: Any) -> list[Any]:
    """The children of a ChainedScheduler inside another, each with the rate; anything else as it is."""
    if not isinstance(child, Schedule) or child.name != "product" or isinstance(child.arguments["right"], Schedule):
        return [child]
    factors, base = [child.arguments["left"]], child.arguments["right"]
    if factors[0].name != "product" or not isinstance(factors[0].arguments["right"], Schedule):
        return [child]
    while factors[0].name == "product" and isinstance(factors[0].arguments["right"], Schedule):
        factors[:1] = [factors[0].arguments["left"], factors[0].arguments["right"]]
    # The factor of a class that has its rate in a product is the schedule without it; the others begin at 1.
    return [
        each * base if each.name in SHARES or each.name == "custom" else each.replace(init_value=base)
        for each in factors
    ]


def sequence_of(children: Sequence[Child], milestones: Lengths, total_steps: int | None) -> Schedule:
    """The schedule of a SequentialLR."""
    borders = leaves.lengths("milestones", milestones, minimum=0)
    kinds = [child.kind for child in children]
    leaves.one_fewer("milestones", borders, "schedules", kinds)
    sequence = join([child.schedule for child in children], borders)
    if "MultiplicativeLR" in kinds[1:]:
        raise ValueError(
            f"schedules[{kinds.index('MultiplicativeLR', 1)}] must not be MultiplicativeLR inside SequentialLR: it "
            "goes on from the rate before it; port the live scheduler with from_scheduler(scheduler, total_steps=...)"
        )
    if "OneCycleLR" not in kinds:
        return sequence
    if kinds[0] in ("ChainedScheduler", "SequentialLR"):
        raise ValueError(
            f"schedules[0] must be none that is composed itself beside OneCycleLR, got {kinds[0]}; say what is meant "
            "with jaxlr.join"
        )
    if total_steps is None:
        raise no_formula("SequentialLR", "OneCycleLR", "it overwrites the rate that the first schedule starts from")
    steps = known_length("total_steps", total_steps, minimum=1)
    last = [child for child in children if child.kind == "OneCycleLR"][-1]
    peaks = {name: last.schedule.arguments[name] for name in ("max_lr", "div_factor", "final_div_factor")}
    rules = [
        (Child(kind, schedule.replace(**peaks)) if kind == "OneCycleLR" else Child(kind, schedule)).rule(steps)
        for kind, schedule in children
    ]
    initial = last.rule(1).begin(0.0)
    return table(replay([successive(rules, leaves.plain(borders), initial)], initial, steps))


def product_of(children: Sequence[Child], total_steps: int | None) -> Schedule:
    """The schedule of a ChainedScheduler."""
    children = children[max((i for i, child in enumerate(children) if child.kind in RATES.values()), default=0) :]
    first = children[0]
    if len(children) == 1:
        return first.schedule
    if total_steps is not None and not {child.kind for child in children} <= {*FACTORS.values(), *SHARES.values()}:
        steps = known_length("total_steps", total_steps, minimum=1)
        base = 0.0 if first.kind in RATES.values() else leaves.plain(first.parts[0])
        return table(replay([child.rule(steps) for child in children], base, steps))
    for kind, schedule in children:
        if kind in RATES.values():
            raise no_formula("ChainedScheduler", kind, "it sets the rate that the others multiply")
        if kind == "CosineAnnealingLR" and _has_end(schedule):
            raise no_formula("ChainedScheduler", "CosineAnnealingLR with an eta_min", "it is no factor on the rate")
    bases, factors = zip(*(child.parts for child in children), strict=True)
    for i, base in enumerate(bases):
        if leaves.is_known((base, bases[0])) and leaves.plain(base) != leaves.plain(bases[0]):
            raise ValueError(
                f"schedules must all have the optimizer's rate, got {leaves.printed(bases[0])} for schedules[0] and "
                f"{leaves.printed(base)} for schedules[{i}]"
            )
    return functools.reduce(operator.mul, factors) * bases[0]


def torch_name(composition: str, index: int, schedule: Schedule) -> str:
    """The class whose curve a schedule is."""
    family, arguments = schedule.name, schedule.arguments
    if family == "product" and not isinstance(arguments["right"], Schedule):
        inner = arguments["left"].name
        found = SHARES.get(inner) or (RATES["custom"] if inner == "custom" else None)
    elif family == "cosine" and arguments["after"] == "rise":
        found = "CosineAnnealingLR"
    else:
        found = FACTORS.get(family) or (None if family == "custom" else RATES.get(family))
    if found is None or not _is_plain(schedule):
        supported = sorted({*FACTORS.values(), *SHARES.values(), *RATES.values(), "CosineAnnealingLR"})
        raise TypeError(
            f"schedules[{index}] must be one of PyTorch's schedules that {composition} supports, got {schedule!r}; "
            f"there are {', '.join(supported)}; jaxlr.join takes any schedule, and so does a product"
        )
    return found


def no_formula(composition: str, child: str, reason: str) -> ValueError:
    """The error for what only a table can say."""
    return ValueError(
        f"{child} inside {composition} has no formula: {reason}; give total_steps=... for a table of its rates"
    )


def required(index: int, child: object) -> Schedule:
    """A child, if it is a schedule."""
    if isinstance(child, ReduceOnPlateau):
        raise TypeError(f"schedules[{index}] must not be ReduceLROnPlateau: it follows a metric, not the count")
    if not isinstance(child, Schedule):
        raise TypeError(f"schedules[{index}] must be a schedule, got {child!r}")
    return child


def _children(composition: str, schedules: Sequence[Schedule], start: int = 0) -> list[Child]:
    children = [required(i, child) for i, child in enumerate(leaves.sequence("schedules", schedules), start)]
    if not children:
        raise ValueError(f"schedules must have one schedule at least for {composition}, got none")
    return [Child(torch_name(composition, i, child), child) for i, child in enumerate(children, start)]


def _has_end(schedule: Schedule) -> bool:
    end = schedule.arguments["end_value"]
    return not leaves.is_known(end) or leaves.plain(end) != 0.0


def _is_plain(schedule: Schedule) -> bool:
    """Whether the arguments that PyTorch's class does not have are at their defaults."""
    arguments = schedule.arguments
    if schedule.name == "exponential":
        return not arguments["staircase"] and arguments["end_value"] is None and _is(arguments["transition_steps"], 1)
    if schedule.name == "step_decay":
        return _is(arguments["offset"], 0)
    if schedule.name == "polynomial":
        return _is(arguments["end_value"], 0) and _is(arguments["transition_begin"], 0)
    return True


def _is(leaf: object, value: float) -> bool:
    return leaves.is_known(leaf) and leaves.plain(leaf) == value
