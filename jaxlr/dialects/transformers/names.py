"""The schedules of transformers by their names there."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jaxlr.dialects.transformers import cosines, schedules
from jaxlr.schedules import Schedule
from jaxlr.transforms.rate.controller import Controller
from jaxlr.typing import Length, Rate

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "linear": schedules.get_linear_schedule_with_warmup,
    "cosine": cosines.get_cosine_schedule_with_warmup,
    "cosine_with_restarts": cosines.get_cosine_with_hard_restarts_schedule_with_warmup,
    "polynomial": schedules.get_polynomial_decay_schedule_with_warmup,
    "constant": schedules.get_constant_schedule,
    "constant_with_warmup": schedules.get_constant_schedule_with_warmup,
    "inverse_sqrt": schedules.get_inverse_sqrt_schedule,
    "reduce_lr_on_plateau": schedules.get_reduce_on_plateau_schedule,
    "greedy": schedules.get_greedy_schedule,
    "cosine_with_min_lr": cosines.get_cosine_with_min_lr_schedule_with_warmup,
    "cosine_warmup_with_min_lr": cosines.get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
    "warmup_stable_decay": schedules.get_wsd_schedule,
}


def get_scheduler(
    name: str | enum.Enum,
    lr: Rate,
    num_warmup_steps: Length | None = None,
    num_training_steps: Length | None = None,
    scheduler_specific_kwargs: Mapping[str, Any] | None = None,
) -> Schedule | Controller:
    """A schedule, or a rule over a metric, by its name in transformers.

    Args:
      name: "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup",
        "inverse_sqrt", "cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay", or
        "reduce_lr_on_plateau" or "greedy" for a rule; a member of transformers' SchedulerType too.
      lr: the rate.
      num_warmup_steps: updates of the warm-up; needed but for "constant" and the rules, which ignore it.
      num_training_steps: updates in the run; needed where a schedule has an end.
      scheduler_specific_kwargs: the other arguments of the schedule's own function, by name.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape); for "reduce_lr_on_plateau" and
      "greedy" what `jaxlr.reduce_on_plateau` and `jaxlr.greedy` return.

    Raises:
      ValueError: an unknown name, a length that the schedule needs is missing, a number out of range.
      TypeError: an argument that the schedule does not have, or of the wrong kind.

    Example:
      >>> from jaxlr.dialects.transformers import get_scheduler
      >>> rate = get_scheduler("linear", 1.0, num_warmup_steps=2, num_training_steps=6)
      >>> [float(rate(n)) for n in range(8)]
      [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
      >>> rate
      warmup(schedule=linear(init_value=1.0, end_value=0.0, transition_steps=4), warmup_steps=2)
    """
    name = name.value if isinstance(name, enum.Enum) else name
    if name not in _FUNCTIONS:
        raise ValueError(f"name must be one of {', '.join(map(repr, _FUNCTIONS))}, got {name!r}")
    make, given = _FUNCTIONS[name], dict(scheduler_specific_kwargs or {})
    parameters = inspect.signature(make).parameters
    offered = {"num_warmup_steps": num_warmup_steps, "num_training_steps": num_training_steps}
    known = [parameter for parameter in parameters if parameter not in ("lr", *offered)]
    for argument in given:
        if argument not in known:
            raise TypeError(f"{name!r} has no argument {argument!r}; it has {', '.join(known)}")
    for length in (each for each in offered if each in parameters):
        if offered[length] is None and parameters[length].default is inspect.Parameter.empty:
            raise ValueError(f"{length} must be given for {name!r}, got None")
        given[length] = offered[length]
    return make(lr, **given)
