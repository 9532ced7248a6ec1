"""What diffusers has of its own: rules by steps, a linear schedule with a floor, and its `get_scheduler`."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from jaxlr.dialects import common, transformers
from jaxlr.dialects.transformers.shared import lengths
from jaxlr.schedules import Schedule, constant, linear, piecewise_constant
from jaxlr.typing import Length, Scalar

_NAMES = ("linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup")


def get_piecewise_constant_schedule(lr: Scalar, step_rules: str, last_epoch: Length = -1) -> Schedule:
    """Multiples of the rate, each until a step: `jaxlr.piecewise_constant`.

    Args:
      lr: the rate.
      step_rules: "1:10,0.1:20,0.01": the rate until step 10, a tenth of it until step 20, a hundredth from there on.
      last_epoch: one less than the count at which the schedule starts.

    Raises:
      TypeError, ValueError: `step_rules` is no text, a part of it is no rule, or two rules end at one step.

    Example:
      >>> from jaxlr.dialects import diffusers
      >>> diffusers.get_piecewise_constant_schedule(0.5, "1:10,0.5:20,0.25")
      piecewise_constant(values=[0.5, 0.25, 0.125], boundaries=[10, 20])
    """
    rate = common.number("lr", lr)
    if not isinstance(step_rules, str):
        raise TypeError(f"step_rules must be text such as '1:10,0.1:20,0.01', got {step_rules!r}")
    *rules, last = step_rules.split(",")
    parts = sorted(
        (_part(int, end, step_rules), _part(float, factor, step_rules)) for factor, end in map(_halves, rules)
    )
    steps = [step for step, _ in parts]
    if len(set(steps)) < len(steps) or any(step < 1 for step in steps):
        raise ValueError(f"step_rules must have steps from 1 on, each once, got {step_rules!r}")
    factors = [*(factor for _, factor in parts), _part(float, last, step_rules)]
    if not steps:
        return common.resumed(constant(rate * factors[0]), last_epoch)
    return common.resumed(piecewise_constant([rate * factor for factor in factors], steps), last_epoch)


def get_linear_schedule_with_warmup(
    lr: Scalar,
    num_warmup_steps: Length,
    num_training_steps: Length,
    last_epoch: Length = -1,
    f_min: Scalar = 0.0,
    f_max: Scalar = 1.0,
) -> Schedule:
    """Up in a straight line from 0 to `f_max * lr`, and down in one to `f_min * lr`.

    Args:
      lr, num_warmup_steps, num_training_steps, last_epoch: as in `dialects.transformers`.
      f_min: the last rate as a share of `lr`.
      f_max: the peak as a share of `lr`.

    Example:
      >>> from jaxlr.dialects import diffusers
      >>> rate = diffusers.get_linear_schedule_with_warmup(1.0, 2, 6, f_min=0.5)
      >>> [float(rate(n)) for n in range(8)]
      [0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.5]
    """
    rate = common.number("lr", lr)
    peak, low = rate * common.number("f_max", f_max), rate * common.number("f_min", f_min)
    warm, left = lengths(num_warmup_steps, num_training_steps)
    if common.known(left) and left <= 0:
        return common.resumed(common.up_and(constant(low), peak, warm), last_epoch)
    return common.resumed(common.warmed(linear(peak, low, left), warm), last_epoch)


def get_scheduler(
    name: str | enum.Enum,
    lr: Scalar,
    step_rules: str | None = None,
    num_warmup_steps: Length | None = None,
    num_training_steps: Length | None = None,
    num_cycles: Scalar = 1,
    power: Scalar = 1.0,
    last_epoch: Length = -1,
) -> Schedule:
    """A schedule by its name in diffusers.

    Args:
      name: "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup" or
        "piecewise_constant"; a member of diffusers' SchedulerType too.
      lr: the rate.
      step_rules: for "piecewise_constant", and needed there.
      num_warmup_steps: updates of the warm-up; needed but for "constant" and "piecewise_constant", which ignore it.
      num_training_steps: updates in the run; needed where a schedule has an end.
      num_cycles: for "cosine_with_restarts" alone.
      power: for "polynomial" alone.
      last_epoch: one less than the count at which the schedule starts.

    Raises:
      ValueError: an unknown name, something that the schedule needs is missing, or something that it ignores is given.

    Example:
      >>> from jaxlr.dialects import diffusers
      >>> diffusers.get_scheduler("constant_with_warmup", 0.5, num_warmup_steps=500)
      warmup(schedule=constant(value=0.5), warmup_steps=500)
    """
    name = name.value if isinstance(name, enum.Enum) else name
    if name not in (*_NAMES, "piecewise_constant"):
        raise ValueError(f"name must be one of {', '.join(map(repr, (*_NAMES, 'piecewise_constant')))}, got {name!r}")
    specific: dict[str, Any] = {}
    for argument, value, default, owner in (
        ("num_cycles", num_cycles, 1, "cosine_with_restarts"),
        ("power", power, 1.0, "polynomial"),
    ):
        if name == owner:
            specific[argument] = value
        elif not common.equals(value, default):
            raise ValueError(f"{argument} must be left out for {name!r}, which ignores it, got {value!r}")
    if name == "piecewise_constant":
        if step_rules is None:
            raise ValueError("step_rules must be given for 'piecewise_constant', got None")
        return get_piecewise_constant_schedule(lr, step_rules, last_epoch)
    if name != "linear":
        rate: Any = lr
        made = transformers.get_scheduler(name, rate, num_warmup_steps, num_training_steps, specific)
        return common.resumed(made, last_epoch)  # pyright: ignore[reportArgumentType], none of these is a rule
    for argument, value in (("num_warmup_steps", num_warmup_steps), ("num_training_steps", num_training_steps)):
        if value is None:
            raise ValueError(f"{argument} must be given for 'linear', got None")
    return get_linear_schedule_with_warmup(lr, num_warmup_steps, num_training_steps, last_epoch)  # pyright: ignore


def _halves(rule: str) -> tuple[str, str]:
    factor, colon, step = rule.partition(":")
    if not colon:
        raise ValueError(f"step_rules must have factor:step before each comma, got {rule!r}")
    return factor, step


def _part(kind: Callable[[str], Any], text: str, rules: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"step_rules must be rules such as '1:10,0.1:20,0.01', got {text!r} in {rules!r}") from None
