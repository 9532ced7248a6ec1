"""What timm's schedulers have in common: the options that do nothing or are refused, and the warm-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from jaxlr.dialects import common
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Scalar


class Others(TypedDict, total=False):
    """The arguments of every scheduler of timm that only their defaults, or nothing, correspond to here."""

    t_in_epochs: bool
    noise_range_t: None
    noise_pct: float
    noise_std: float
    noise_seed: int | None
    initialize: bool


class PlateauOthers(Others, total=False):
    """Those of PlateauLRScheduler."""

    noise_type: str


_DEFAULTS = {
    "noise_range_t": (None,),
    "noise_type": ("normal",),
    "noise_pct": (0.67,),
    "noise_std": (1.0,),
    "noise_seed": (42, None),
}


def refuse(make: common.Function, others: Mapping[str, object], options: type[Others] = Others) -> None:
    """Raises for an argument that is unknown, or asks for noise."""
    common.refuse_unknown(make, others, options.__optional_keys__)
    for name, value in others.items():
        if name in _DEFAULTS and value not in _DEFAULTS[name]:
            raise ValueError(
                f"{name} must be left out, got {value!r}: timm's noise comes from torch's generator, which jaxlr does "
                "not have"
            )


def warmed_to_its_start(
    schedule: Schedule, lr: Scalar, warmup_t: Length, warmup_lr_init: Scalar, prefix: bool
) -> Schedule:
    """`warmed` for a schedule that starts at `lr`."""
    if not leaves.flag("warmup_prefix", prefix):
        return warmed(schedule, lr, warmup_t, warmup_lr_init, prefix)
    first = common.number("warmup_lr_init", warmup_lr_init)
    return common.warmed(schedule, common.length("warmup_t", warmup_t), first)


def warmed(schedule: Schedule, lr: Scalar, warmup_t: Length, warmup_lr_init: Scalar, prefix: bool) -> Schedule:
    """A straight line to `lr`, and then the schedule: from its start, or from the count at which it is."""
    steps = common.length("warmup_t", warmup_t)
    first = common.number("warmup_lr_init", warmup_lr_init)
    if common.equals(steps, 0):
        return schedule
    after = schedule if leaves.flag("warmup_prefix", prefix) else schedule.shift(steps)
    return common.up_and(after, common.number("lr", lr), steps, first)
