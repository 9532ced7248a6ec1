"""The schedules of Hugging Face transformers 5: `get_scheduler` and the functions behind its names.

The rate `lr` stands in place of `optimizer`. `last_epoch` is one less than the count at which the schedule starts, as
in the source: -1 starts at its beginning. Every warm-up's first update has the rate 0, but where it is said otherwise.

The source's defects, and what is done here instead: `cosine_with_restarts` loses a restart where a float product stops
short of an integer (49 cycles in 49 updates: seven of them), with a rate near 0 there; here it has the peak.
`polynomial` divides by 0 where the warm-up is the whole run; here the rate is `lr_end` after it. `warmup_stable_decay`
jumps into the middle of its decay where the run is shorter than warm-up and decay, and `constant` ignores arguments
that it does not have; here both are errors. `reduce_lr_on_plateau` never cuts on a metric below 0 where the threshold
is relative; here it does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jaxlr.dialects import common
from jaxlr.schedules import (
    Schedule,
    at_speed,
    constant,
    cosine,
    inverse_sqrt,
    k_decay,
    leaves,
    linear,
    polynomial,
    warmup,
    warmup_stable_decay,
)
from jaxlr.transforms.rate.plateau import ReduceOnPlateau, reduce_on_plateau

__all__ = [
    "get_constant_schedule",
    "get_constant_schedule_with_warmup",
    "get_cosine_schedule_with_warmup",
    "get_cosine_with_hard_restarts_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
    "get_inverse_sqrt_schedule",
    "get_linear_schedule_with_warmup",
    "get_polynomial_decay_schedule_with_warmup",
    "get_reduce_on_plateau_schedule",
    "get_scheduler",
    "get_wsd_schedule",
]

_RAMPS = ("linear", "cosine", "1-sqrt")


def get_scheduler(
    name: Any,
    lr: Any,
    num_warmup_steps: Any = None,
    num_training_steps: Any = None,
    scheduler_specific_kwargs: Mapping[str, Any] | None = None,
) -> Schedule | ReduceOnPlateau:
    """A schedule, or a rule over a metric, by its name in transformers.

    Args:
      name: "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup",
        "inverse_sqrt", "cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay", or
        "reduce_lr_on_plateau" for a rule; a member of transformers' SchedulerType too. "greedy" is refused: it raises
        the rate as long as a metric improves, and jaxlr's rule only cuts.
      lr: the rate.
      num_warmup_steps: updates of the warm-up; needed but for "constant" and "reduce_lr_on_plateau", which ignore it.
      num_training_steps: updates in the run; needed where a schedule has an end.
      scheduler_specific_kwargs: the other arguments of the schedule's own function, by name.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape); for "reduce_lr_on_plateau" what
      `jaxlr.reduce_on_plateau` returns.

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
    name = getattr(name, "value", name)
    if name == "greedy":
        raise ValueError(
            "name must be one that jaxlr has a rule for, got 'greedy': it raises the rate while a metric improves, "
            "and a rule of jaxlr only cuts; 'reduce_lr_on_plateau' is the nearest"
        )
    if name not in _FUNCTIONS:
        raise ValueError(f"name must be one of {', '.join(map(repr, _FUNCTIONS))}, got {name!r}")
    make, lengths = _FUNCTIONS[name]
    given = dict(scheduler_specific_kwargs or {})
    known = [parameter for parameter in inspect.signature(make).parameters if parameter not in ("lr", *lengths)]
    for argument in given:
        if argument not in known:
            raise TypeError(f"{name!r} has no argument {argument!r}; it has {', '.join(known)}")
    offered = {"num_warmup_steps": num_warmup_steps, "num_training_steps": num_training_steps}
    for length, needed in lengths.items():
        if needed and offered[length] is None:
            raise ValueError(f"{length} must be given for {name!r}, got None")
        given[length] = offered[length]
    return make(lr, **given)


def get_constant_schedule(lr: Any, last_epoch: int = -1) -> Schedule:
    """The rate as it is.

    lr(n) = lr

    Args:
      lr: the rate.
      last_epoch: one less than the count to start at.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> float(transformers.get_constant_schedule(0.5)(7))
      0.5
    """
    return _from(constant(common.number("lr", lr)), last_epoch)


def get_constant_schedule_with_warmup(lr: Any, num_warmup_steps: Any, last_epoch: int = -1) -> Schedule:
    """Up in a straight line, and on at the rate.

    lr(n) = lr * min(1, n / num_warmup_steps)

    Args:
      lr: the rate.
      num_warmup_steps: updates of the warm-up; an integer, at least 0.
      last_epoch: one less than the count to start at.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_constant_schedule_with_warmup(1.0, 2)
      >>> [float(rate(n)) for n in range(4)]
      [0.0, 0.5, 1.0, 1.0]
    """
    steps = common.length("num_warmup_steps", num_warmup_steps)
    return _from(_warmed(constant(common.number("lr", lr)), steps), last_epoch)


def get_linear_schedule_with_warmup(
    lr: Any, num_warmup_steps: Any, num_training_steps: Any, last_epoch: int = -1
) -> Schedule:
    """Up in a straight line, and down in one to 0.

    lr(n) = lr * n / num_warmup_steps, then lr * (num_training_steps - n) / (num_training_steps - num_warmup_steps)

    Args:
      lr: the peak.
      num_warmup_steps: updates of the warm-up; an integer, at least 0.
      num_training_steps: updates in the run, the warm-up with them; an integer, at least 0.
      last_epoch: one less than the count to start at.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_linear_schedule_with_warmup(1.0, 2, 6)
      >>> [float(rate(n)) for n in range(8)]
      [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    common.number("lr", lr)
    warm, left = _lengths(num_warmup_steps, num_training_steps)
    if not leaves.is_traced(left) and left <= 0:
        return _from(_up_and(constant(0.0), lr, warm), last_epoch)
    return _from(_warmed(linear(lr, 0.0, left), warm), last_epoch)


def get_cosine_schedule_with_warmup(
    lr: Any, num_warmup_steps: Any, num_training_steps: Any, num_cycles: Any = 0.5, last_epoch: int = -1
) -> Schedule:
    """Up in a straight line, and along a cosine that goes on for ever.

    lr(n) = lr * n / num_warmup_steps, then lr * (1 + cos(2 pi num_cycles x)) / 2 with
    x = (n - num_warmup_steps) / (num_training_steps - num_warmup_steps)

    Past the end of the run the rate follows the cosine up again, as in the source.

    Args:
      lr: the peak.
      num_warmup_steps: updates of the warm-up; an integer, at least 0.
      num_training_steps: updates in the run, the warm-up with them; an integer, at least 0.
      num_cycles: waves of the cosine, above 0; 0.5 falls to 0 once.
      last_epoch: one less than the count to start at.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_cosine_schedule_with_warmup(1.0, 2, 6)
      >>> [round(float(rate(n)), 4) for n in range(8)]
      [0.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 0.0, 0.1464]
    """
    common.number("lr", lr)
    warm, left = _lengths(num_warmup_steps, num_training_steps)
    return _from(_warmed(_wave(lr, common.at_least_one(left), num_cycles), warm), last_epoch)


def get_cosine_with_hard_restarts_schedule_with_warmup(
    lr: Any, num_warmup_steps: Any, num_training_steps: Any, num_cycles: Any = 1, last_epoch: int = -1
) -> Schedule:
    """Up in a straight line, and `num_cycles` times along half a cosine, to 0.

    lr(n) = lr * n / num_warmup_steps, then lr * (1 + cos(pi (num_cycles x mod 1))) / 2, and 0 from x = 1 on, with
    x = (n - num_warmup_steps) / (num_training_steps - num_warmup_steps)

    Where a restart falls on an update, that update has the peak; in the source it is sometimes lost to a float product
    that stops short of an integer.

    Args:
      lr: the peak.
      num_warmup_steps: updates of the warm-up; an integer, at least 0.
      num_training_steps: updates in the run, the warm-up with them; an integer, at least 0.
      num_cycles: number of cycles, above 0.
      last_epoch: one less than the count to start at.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_cosine_with_hard_restarts_schedule_with_warmup(1.0, 1, 5, num_cycles=2)
      >>> [round(float(rate(n)), 4) for n in range(7)]
      [0.0, 1.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """
    common.number("lr", lr)
    leaves.positive("num_cycles", num_cycles)
    warm, left = _lengths(num_warmup_steps, num_training_steps)
    left = common.at_least_one(left)
    if common.equals(num_cycles, 1):
        return _from(_warmed(cosine(lr, left), warm), last_epoch)
    waves = at_speed(cosine(lr, left).repeat(left), num_cycles)
    return _from(_warmed(common.in_turn((waves, left), last=constant(0.0)), warm), last_epoch)


def get_polynomial_decay_schedule_with_warmup(
    lr: Any,
    num_warmup_steps: Any,
    num_training_steps: Any,
    lr_end: Any = 1e-7,
    power: Any = 1.0,
    last_epoch: int = -1,
) -> Schedule:
    """Up in a straight line, and down along a power of what is left to `lr_end`.

    lr(n) = lr * n / num_warmup_steps, then lr_end + (lr - lr_end) * (1 - x) ** power with
    x = (n - num_warmup_steps) / (num_training_steps - num_warmup_steps) <= 1

    Where the warm-up is the whole run, the source divides by 0; here the rate is `lr_end` after it.

    Args:
      lr: the peak.
      num_warmup_steps: updates of the warm-up; an integer, at least 0.
      num_training_steps: updates in the run, the warm-up with them; an integer, at least 0.
      lr_end: the last rate, below `lr`.
      power: the power, above 0.
      last_epoch: one less than the count to start at.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_polynomial_decay_schedule_with_warmup(1.0, 2, 6, lr_end=0.25, power=2.0)
      >>> [round(float(rate(n)), 4) for n in range(8)]
      [0.0, 0.5, 1.0, 0.6719, 0.4375, 0.2969, 0.25, 0.25]
    """
    common.number("lr", lr)
    common.number("lr_end", lr_end)
    if not (leaves.is_traced(lr) or leaves.is_traced(lr_end)) and not lr > lr_end:
        raise ValueError(f"lr_end must be below lr, got lr_end={lr_end} and lr={lr}")
    leaves.positive("power", power)
    warm, left = _lengths(num_warmup_steps, num_training_steps)
    if not leaves.is_traced(left) and left <= 0:
        return _from(_up_and(constant(lr_end), lr, warm), last_epoch)
    return _from(_warmed(polynomial(lr, lr_end, power, left), warm), last_epoch)


def get_inverse_sqrt_schedule(lr: Any, num_warmup_steps: Any, timescale: Any = None, last_epoch: int = -1) -> Schedule:
    """Up in a straight line, and down as one over the square root of the count.

    lr(n) = lr * n / num_warmup_steps, then lr * sqrt(timescale / (n - num_warmup_steps + timescale))

    Args:
      lr: the peak.
      num_warmup_steps: updates of the warm-up; an integer, at least 0.
      timescale: an integer, at least 1; `num_warmup_steps` if None, or 10000 where that is 0.
      last_epoch: one less than the count to start at.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_inverse_sqrt_schedule(1.0, 4)
      >>> [float(rate(n)) for n in (0, 2, 4, 16, 64)]
      [0.0, 0.5, 1.0, 0.5, 0.25]
    """
    warm = common.length("num_warmup_steps", num_warmup_steps)
    if timescale is None:
        timescale = 10_000 if common.equals(warm, 0) else warm
    timescale = common.length("timescale", timescale, minimum=1)
    return _from(_warmed(inverse_sqrt(common.number("lr", lr), timescale=timescale).shift(timescale), warm), last_epoch)


def get_reduce_on_plateau_schedule(
    lr: Any,
    mode: Any = "min",
    factor: Any = 0.1,
    patience: int = 10,
    threshold: Any = 1e-4,
    threshold_mode: Any = "rel",
    cooldown: int = 0,
    min_lr: Any = 0.0,
    eps: Any = 1e-8,
) -> ReduceOnPlateau:
    """The rate, cut when a metric has stopped improving: PyTorch's ReduceLROnPlateau.

    A rule for wherever a learning rate goes; the metric comes from `jaxlr.observe`.

    Args:
      lr: the rate.
      mode: "min" or "max".
      factor: in [0, 1).
      patience: bad observations in a row that are borne.
      threshold: the margin of an improvement.
      threshold_mode: "rel" or "abs".
      cooldown: observations after a cut that do not count as bad.
      min_lr: cuts stop at this rate.
      eps: a cut by no more than this is not made.

    Returns:
      What `jaxlr.reduce_on_plateau` returns.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> import jaxlr
      >>> from jaxlr.dialects import transformers
      >>> optimizer = jaxlr.adamw(transformers.get_reduce_on_plateau_schedule(1e-3, factor=0.5, patience=1))
      >>> state = optimizer.init(jnp.zeros(1))
      >>> state = jaxlr.observe(state, 0.7)
    """
    return reduce_on_plateau(
        lr,
        mode=mode,
        factor=factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_mode,
        cooldown=cooldown,
        min_lr=min_lr,
        eps=eps,
    )


def get_cosine_with_min_lr_schedule_with_warmup(
    lr: Any,
    num_warmup_steps: Any,
    num_training_steps: Any,
    num_cycles: Any = 0.5,
    last_epoch: int = -1,
    min_lr: Any = None,
    min_lr_rate: Any = None,
) -> Schedule:
    """Up in a straight line from 0, and along a cosine between the rate and a lowest rate.

    lr(n) = lr * n / num_warmup_steps, then low + (lr - low) * (1 + cos(2 pi num_cycles x)) / 2 with
    low = min_lr or lr * min_lr_rate, and x as in `get_cosine_schedule_with_warmup`; past the end it goes on.

    Args:
      lr: the peak.
      num_warmup_steps: updates of the warm-up; an integer, at least 0.
      num_training_steps: updates in the run, the warm-up with them; an integer, at least 0.
      num_cycles: waves of the cosine, above 0.
      last_epoch: one less than the count to start at.
      min_lr: the lowest rate after the warm-up.
      min_lr_rate: the same as a share of `lr`; just one of the two must be given.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range, both or none of `min_lr` and
        `min_lr_rate` are given.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_cosine_with_min_lr_schedule_with_warmup(1.0, 2, 6, min_lr=0.5)
      >>> [round(float(rate(n)), 4) for n in range(7)]
      [0.0, 0.5, 1.0, 0.9268, 0.75, 0.5732, 0.5]
    """
    low = _lowest(lr, min_lr, min_lr_rate)
    warm, left = _lengths(num_warmup_steps, num_training_steps)
    return _from(_warmed(_wave(lr, common.at_least_one(left), num_cycles, low), warm), last_epoch)


def get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
    lr: Any,
    num_warmup_steps: Any,
    num_training_steps: Any,
    num_cycles: Any = 0.5,
    last_epoch: int = -1,
    min_lr: Any = None,
    min_lr_rate: Any = None,
    warmup_lr_rate: Any = None,
) -> Schedule:
    """The same one update earlier: the first update has a rate above 0, and the last one has the lowest.

    lr(n) = lr * (n + 1) / num_warmup_steps, or from lr * warmup_lr_rate at n = 0 to lr at num_warmup_steps - 1, then
    low + (lr - low) * (1 + cos(2 pi num_cycles x)) / 2, x = (n + 1 - num_warmup_steps) / (num_training_steps -
    num_warmup_steps); past the end it goes on.

    Args:
      lr: the peak.
      num_warmup_steps: updates of the warm-up; an integer, at least 0.
      num_training_steps: updates in the run, the warm-up with them; an integer, at least 0.
      num_cycles: waves of the cosine, above 0.
      last_epoch: one less than the count to start at.
      min_lr: the lowest rate after the warm-up.
      min_lr_rate: the same as a share of `lr`; just one of the two must be given.
      warmup_lr_rate: the first rate as a share of `lr`; 1 / num_warmup_steps if None.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range, both or none of `min_lr` and
        `min_lr_rate` are given.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(1.0, 2, 6, min_lr_rate=0.5)
      >>> [round(float(rate(n)), 4) for n in range(6)]
      [0.5, 1.0, 0.9268, 0.75, 0.5732, 0.5]
    """
    low = _lowest(lr, min_lr, min_lr_rate)
    warm, left = _lengths(num_warmup_steps, num_training_steps)
    if warmup_lr_rate is None:
        up = linear(0.0, lr, common.at_least_one(warm)).shift(1)
    else:
        common.number("warmup_lr_rate", warmup_lr_rate)
        up = linear(warmup_lr_rate * lr, lr, common.at_least_one(warm - 1))
    down = _wave(lr, common.at_least_one(left), num_cycles, low).shift(1)
    return _from(common.in_turn((up, warm), last=down), last_epoch)


def get_wsd_schedule(
    lr: Any,
    num_warmup_steps: Any,
    num_decay_steps: Any,
    num_training_steps: Any = None,
    num_stable_steps: Any = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: Any = 0.0,
    num_cycles: Any = 0.5,
    last_epoch: int = -1,
) -> Schedule:
    """Rises from a lowest rate, stays, falls back to it (WSD), and holds it.

    low = lr * min_lr_ratio; in the warm-up lr(n) = low + (lr - low) * f(n / num_warmup_steps), in the decay
    lr(n) = lr + (low - lr) * g(x), x from 0 to 1
    with f(y) = y ("linear"), (1 - cos(pi y)) / 2 ("cosine") or 1 - sqrt(1 - y) ("1-sqrt"),
    and g(x) = x, (1 - cos(2 pi num_cycles x)) / 2 or sqrt(x)

    Args:
      lr: the rate of the stable phase.
      num_warmup_steps: updates of the rise; an integer, at least 0.
      num_decay_steps: updates of the fall; an integer, at least 0.
      num_training_steps: updates in all; an integer.
      num_stable_steps: updates at `lr`; an integer, at least 0. It wins where both are given.
      warmup_type: "linear", "cosine" or "1-sqrt".
      decay_type: "linear", "cosine" or "1-sqrt".
      min_lr_ratio: the lowest rate as a share of `lr`.
      num_cycles: waves of the cosine in the decay, above 0; after them the rate is the lowest.
      last_epoch: one less than the count to start at.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range; neither `num_training_steps` nor
        `num_stable_steps` is given, or the run is shorter than its warm-up and decay.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_wsd_schedule(1.0, 2, 2, num_training_steps=6, min_lr_ratio=0.5)
      >>> [float(rate(n)) for n in range(7)]
      [0.5, 0.75, 1.0, 1.0, 1.0, 0.75, 0.5]
    """
    common.number("lr", lr)
    low = common.number("min_lr_ratio", min_lr_ratio) * lr
    leaves.choice("warmup_type", warmup_type, _RAMPS)
    leaves.choice("decay_type", decay_type, _RAMPS)
    leaves.positive("num_cycles", num_cycles)
    warm = common.length("num_warmup_steps", num_warmup_steps)
    decay = common.length("num_decay_steps", num_decay_steps)
    stable = _stable_steps(warm, decay, num_training_steps, num_stable_steps)
    once = decay_type != "cosine" or common.equals(num_cycles, 0.5)
    if warmup_type == "linear" and once and not common.equals(decay, 0):
        whole = warmup_stable_decay(lr, warm, stable, decay, init_value=low, end_value=low, decay=decay_type)
        return _from(whole, last_epoch)
    up, down = common.at_least_one(warm), common.at_least_one(decay)
    rise = {
        "linear": linear(low, lr, up),
        "cosine": cosine(low, up, end_value=lr),
        "1-sqrt": polynomial(low, lr, 0.5, up),
    }
    fall = {
        "linear": linear(lr, low, down),
        "cosine": _wave(lr, down, num_cycles, low),
        "1-sqrt": k_decay(lr, down, k=0.5, end_value=low, shape="linear"),
    }
    phases = (rise[warmup_type], warm), (constant(lr), stable), (fall[decay_type], decay)
    return _from(common.in_turn(*phases, last=constant(low)), last_epoch)


_WARMUP = {"num_warmup_steps": True}
_BOTH = {"num_warmup_steps": True, "num_training_steps": True}
# By name: the function, and the lengths that `get_scheduler` hands on, with whether they are needed.
_FUNCTIONS: dict[str, tuple[Callable[..., Any], dict[str, bool]]] = {
    "linear": (get_linear_schedule_with_warmup, _BOTH),
    "cosine": (get_cosine_schedule_with_warmup, _BOTH),
    "cosine_with_restarts": (get_cosine_with_hard_restarts_schedule_with_warmup, _BOTH),
    "polynomial": (get_polynomial_decay_schedule_with_warmup, _BOTH),
    "constant": (get_constant_schedule, {}),
    "constant_with_warmup": (get_constant_schedule_with_warmup, _WARMUP),
    "inverse_sqrt": (get_inverse_sqrt_schedule, _WARMUP),
    "reduce_lr_on_plateau": (get_reduce_on_plateau_schedule, {}),
    "cosine_with_min_lr": (get_cosine_with_min_lr_schedule_with_warmup, _BOTH),
    "cosine_warmup_with_min_lr": (get_cosine_with_min_lr_schedule_with_warmup_lr_rate, _BOTH),
    "warmup_stable_decay": (get_wsd_schedule, {"num_warmup_steps": True, "num_training_steps": False}),
}


def _lengths(num_warmup_steps: Any, num_training_steps: Any) -> tuple[Any, Any]:
    """The updates of the warm-up, and those after it, which may be none or fewer."""
    warm = common.length("num_warmup_steps", num_warmup_steps)
    return warm, common.length("num_training_steps", num_training_steps) - warm


def _stable_steps(warm: Any, decay: Any, num_training_steps: Any, num_stable_steps: Any) -> Any:
    if num_stable_steps is not None:
        return common.length("num_stable_steps", num_stable_steps)
    if num_training_steps is None:
        raise ValueError("num_training_steps or num_stable_steps must be given, got None for both")
    stable = common.length("num_training_steps", num_training_steps) - warm - decay
    if not leaves.is_traced(stable) and stable < 0:
        raise ValueError(
            f"num_training_steps must be at least num_warmup_steps + num_decay_steps = {warm + decay}, "
            f"got {num_training_steps}"
        )
    return stable


def _lowest(lr: Any, min_lr: Any, min_lr_rate: Any) -> Any:
    """The lowest rate, given as it is or as a share."""
    common.number("lr", lr)
    if (min_lr is None) == (min_lr_rate is None):
        raise ValueError(
            f"just one of min_lr and min_lr_rate must be given, got min_lr={min_lr} and min_lr_rate={min_lr_rate}"
        )
    return common.number("min_lr", min_lr) if min_lr_rate is None else common.number("min_lr_rate", min_lr_rate) * lr


def _wave(lr: Any, steps: Any, num_cycles: Any, low: Any = 0.0) -> Schedule:
    """A cosine from `lr` to `low` and back, `num_cycles` times in so many updates, and on."""
    leaves.positive("num_cycles", num_cycles)
    half = cosine(lr, steps, end_value=low, after="rise")
    return half if common.equals(num_cycles, 0.5) else at_speed(half, 2 * num_cycles)


def _warmed(schedule: Schedule, steps: Any) -> Schedule:
    return schedule if common.equals(steps, 0) else warmup(schedule, steps)


def _up_and(after: Schedule, lr: Any, steps: Any) -> Schedule:
    """A warm-up to `lr`, and then what does not start there."""
    return common.in_turn((linear(0.0, lr, common.at_least_one(steps)), steps), last=after)


def _from(schedule: Schedule, last_epoch: Any) -> Schedule:
    start = common.length("last_epoch", last_epoch, minimum=-1) + 1
    return schedule if common.equals(start, 0) else schedule.shift(start)
