# ruff: noqa: N802, the names are timm's
"""The schedulers of timm 1.0 under their own names, `lr` in place of `optimizer`.

A schedule counts what timm counts in `t`: updates, or epochs where timm's own `t_in_epochs` says so; one in epochs is
driven by `jaxlr.per_epoch(schedule, steps_per_epoch)`. So `t_in_epochs` itself changes nothing here, and neither does
`initialize`. timm's noise comes from torch's generator: every `noise_*` argument other than the default is refused.

The source's defects, and what is done here instead: with `cycle_mul` the index of the cycle comes from a float
logarithm, which at some restarts is one too low (cycle_mul=3: at the 5th), so that a restart's first update has the
last rate of the cycle before; here it has the new peak. Next to such a restart a fractional `k_decay` or `power` makes
a complex number there; never here. A `cycle_mul` below 1 fails with a math domain error from t = t_initial / (1 -
cycle_mul) on; here it is refused where there is more than one cycle, and holds `lr_min` after one. A `decay_t` of
StepLRScheduler that is no integer drops one update late where a multiple of it is an integer in decimals and not in
binary (decay_t=1.1: at t = 12 for 11); here it drops at the integer. PlateauLRScheduler with mode="min" never cuts on a
metric below 0; here it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from jaxlr.dialects import common
from jaxlr.schedules import (
    Schedule,
    at_speed,
    constant,
    cosine,
    exponential,
    inverse_sqrt,
    k_decay,
    leaves,
    linear,
    multi_step,
    polynomial,
    step_decay,
    tanh,
    warmup,
    warmup_stable_decay,
    with_restarts,
)
from jaxlr.transforms.rate.plateau import ReduceOnPlateau, reduce_on_plateau

__all__ = [
    "CosineLRScheduler",
    "MultiStepLRScheduler",
    "PlateauLRScheduler",
    "PolyLRScheduler",
    "StepLRScheduler",
    "TanhLRScheduler",
    "WSDLRScheduler",
]


def StepLRScheduler(
    lr: Any,
    decay_t: Any,
    decay_rate: Any = 1.0,
    warmup_t: Any = 0,
    warmup_lr_init: Any = 0.0,
    warmup_prefix: bool = True,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: Any = 0.67,
    noise_std: Any = 1.0,
    noise_seed: Any = 42,
    initialize: bool = True,
) -> Schedule:
    """Multiplies the rate by `decay_rate` every `decay_t` updates, which need not be whole.

    lr(t) = lr * decay_rate ** floor(t / decay_t), behind the warm-up

    Args:
      lr: the rate.
      decay_t: updates between two drops, above 0.
      decay_rate: the factor of each drop.
      warmup_t: updates of the warm-up, a straight line from `warmup_lr_init` to `lr`; an integer, at least 0.
      warmup_lr_init: the first rate of the warm-up.
      warmup_prefix: whether the schedule starts at its own t = 0 after the warm-up; if not, at t = warmup_t.
      t_in_epochs: changes nothing.
      noise_range_t, noise_pct, noise_std, noise_seed: refused.
      initialize: changes nothing.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.StepLRScheduler(1.0, decay_t=2.5, decay_rate=0.5)
      >>> [float(rate(t)) for t in (0, 2, 3, 4, 5)]
      [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    _refuse_noise(noise_range_t, noise_pct, noise_std, noise_seed)
    del t_in_epochs, initialize
    common.number("lr", lr)
    leaves.positive("decay_t", decay_t)
    if _is_whole(decay_t):
        steps = step_decay(lr, decay_rate, common.length("decay_t", _as_whole(decay_t)))
    else:
        steps = at_speed(step_decay(lr, decay_rate, 1), 1 / decay_t)
    return _warmed_to_its_start(steps, lr, warmup_t, warmup_lr_init, warmup_prefix)


def MultiStepLRScheduler(
    lr: Any,
    decay_t: Sequence[int],
    decay_rate: Any = 1.0,
    warmup_t: Any = 0,
    warmup_lr_init: Any = 0.0,
    warmup_prefix: bool = True,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: Any = 0.67,
    noise_std: Any = 1.0,
    noise_seed: Any = 42,
    initialize: bool = True,
) -> Schedule:
    """Multiplies the rate by `decay_rate` one update before each milestone.

    lr(t) = lr * decay_rate ** (number of milestones <= t + 1), behind the warm-up

    The update before is timm's convention, and kept: PyTorch's MultiStepLR drops at the milestone.

    Args:
      lr: the rate.
      decay_t: the milestones; integers in rising order.
      decay_rate: the factor of each drop.
      warmup_t: updates of the warm-up, a straight line from `warmup_lr_init` to `lr`; an integer, at least 0.
      warmup_lr_init: the first rate of the warm-up.
      warmup_prefix: whether the schedule starts at its own t = 0 after the warm-up; if not, at t = warmup_t.
      t_in_epochs: changes nothing.
      noise_range_t, noise_pct, noise_std, noise_seed: refused.
      initialize: changes nothing.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.MultiStepLRScheduler(1.0, decay_t=[2, 4], decay_rate=0.5)
      >>> [float(rate(t)) for t in range(5)]
      [1.0, 0.5, 0.5, 0.25, 0.25]
    """
    _refuse_noise(noise_range_t, noise_pct, noise_std, noise_seed)
    del t_in_epochs, initialize
    common.number("lr", lr)
    milestones = leaves.lengths("decay_t", decay_t, minimum=0)
    return _warmed(multi_step(lr, milestones, decay_rate).shift(1), lr, warmup_t, warmup_lr_init, warmup_prefix)


def CosineLRScheduler(
    lr: Any,
    t_initial: Any,
    lr_min: Any = 0.0,
    cycle_mul: Any = 1.0,
    cycle_decay: Any = 1.0,
    cycle_limit: Any = 1,
    warmup_t: Any = 0,
    warmup_lr_init: Any = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: Any = 0.67,
    noise_std: Any = 1.0,
    noise_seed: Any = 42,
    k_decay: Any = 1.0,
    initialize: bool = True,
) -> Schedule:
    """Half a cosine, `cycle_limit` times, and then `lr_min`.

    Cycle i lasts T_i = t_initial * cycle_mul ** i updates; t updates into it
    lr = lr_min + (lr * cycle_decay ** i - lr_min) * (1 + cos(pi (t / T_i) ** k_decay)) / 2

    Args:
      lr: the rate.
      t_initial: updates in the first cycle; an integer, at least 1.
      lr_min: the rate that every cycle falls to.
      cycle_mul: how much longer each next cycle is; at least 1 where there are several.
      cycle_decay: how much higher each next peak is.
      cycle_limit: the number of cycles; an integer, at least 0.
      warmup_t: updates of the warm-up, a straight line from `warmup_lr_init` to `lr`; an integer, at least 0.
      warmup_lr_init: the first rate of the warm-up.
      warmup_prefix: whether the schedule starts at its own t = 0 after the warm-up; if not, at t = warmup_t, and the
        rate jumps there.
      t_in_epochs: changes nothing.
      noise_range_t, noise_pct, noise_std, noise_seed: refused.
      k_decay: the power of the time, above 0.
      initialize: changes nothing.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.CosineLRScheduler(1.0, 2, cycle_mul=2.0, cycle_decay=0.5, cycle_limit=2)
      >>> [round(float(rate(t)), 4) for t in range(7)]
      [1.0, 0.5, 0.5, 0.4268, 0.25, 0.0732, 0.0]
    """
    _refuse_noise(noise_range_t, noise_pct, noise_std, noise_seed)
    del t_in_epochs, initialize
    steps = common.length("t_initial", t_initial, minimum=1)
    leaves.positive("k_decay", k_decay)

    def curve(first: Any, last: Any) -> Schedule:
        if common.equals(k_decay, 1):
            return cosine(first, steps, end_value=last)
        return _k_decay(first, steps, k=k_decay, end_value=last)

    cycles = _cycles(curve, lr, steps, lr_min, cycle_mul, cycle_decay, cycle_limit)
    return _warmed_to_its_start(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)


def TanhLRScheduler(
    lr: Any,
    t_initial: Any,
    lb: Any = -7.0,
    ub: Any = 3.0,
    lr_min: Any = 0.0,
    cycle_mul: Any = 1.0,
    cycle_decay: Any = 1.0,
    cycle_limit: Any = 1,
    warmup_t: Any = 0,
    warmup_lr_init: Any = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: Any = 0.67,
    noise_std: Any = 1.0,
    noise_seed: Any = 42,
    initialize: bool = True,
) -> Schedule:
    """A hyperbolic tangent between two of its arguments, `cycle_limit` times, and then `lr_min`.

    Cycle i lasts T_i = t_initial * cycle_mul ** i updates; t updates into it, with x = t / T_i,
    lr = lr_min + (lr * cycle_decay ** i - lr_min) * (1 - tanh(lb * (1 - x) + ub * x)) / 2

    Args:
      lr: the rate.
      t_initial: updates in the first cycle; an integer, at least 1.
      lb: the tangent's first argument, below `ub`; in [-40, 40].
      ub: the tangent's last argument; in [-40, 40].
      lr_min: the rate that every cycle falls to.
      cycle_mul: how much longer each next cycle is; at least 1 where there are several.
      cycle_decay: how much higher each next peak is.
      cycle_limit: the number of cycles; an integer, at least 0.
      warmup_t: updates of the warm-up, a straight line from `warmup_lr_init`; an integer, at least 0.
      warmup_lr_init: the first rate of the warm-up.
      warmup_prefix: whether the schedule starts at its own t = 0 after a warm-up to `lr`; if not, at t = warmup_t after
        a warm-up to the rate that it has there.
      t_in_epochs: changes nothing.
      noise_range_t, noise_pct, noise_std, noise_seed: refused.
      initialize: changes nothing.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.TanhLRScheduler(1.0, 10)
      >>> [round(float(rate(t)), 4) for t in (0, 5, 7, 9, 10)]
      [1.0, 0.982, 0.5, 0.018, 0.0]
    """
    _refuse_noise(noise_range_t, noise_pct, noise_std, noise_seed)
    del t_in_epochs, initialize
    steps = common.length("t_initial", t_initial, minimum=1)
    if not (leaves.is_traced(lb) or leaves.is_traced(ub)) and not lb < ub:
        raise ValueError(f"lb must be below ub, got lb={lb} and ub={ub}")

    def curve(first: Any, last: Any) -> Schedule:
        fall = tanh(first, steps, end_value=last, lower=lb, upper=ub)
        return common.in_turn((fall, steps), last=constant(last)) if common.equals(cycle_limit, 1) else fall

    cycles = _cycles(curve, lr, steps, lr_min, cycle_mul, cycle_decay, cycle_limit)
    if leaves.flag("warmup_prefix", warmup_prefix):
        return _warmed(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)
    later = common.length("warmup_t", warmup_t)
    if common.equals(later, 0):
        return cycles
    return warmup(cycles.shift(later), later, init_value=common.number("warmup_lr_init", warmup_lr_init))


def PolyLRScheduler(
    lr: Any,
    t_initial: Any,
    power: Any = 0.5,
    lr_min: Any = 0.0,
    cycle_mul: Any = 1.0,
    cycle_decay: Any = 1.0,
    cycle_limit: Any = 1,
    warmup_t: Any = 0,
    warmup_lr_init: Any = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: Any = 0.67,
    noise_std: Any = 1.0,
    noise_seed: Any = 42,
    k_decay: Any = 1.0,
    initialize: bool = True,
) -> Schedule:
    """A power of what is left, `cycle_limit` times, and then `lr_min`.

    Cycle i lasts T_i = t_initial * cycle_mul ** i updates; t updates into it
    lr = lr_min + (lr * cycle_decay ** i - lr_min) * (1 - (t / T_i) ** k_decay) ** power

    Args:
      lr: the rate.
      t_initial: updates in the first cycle; an integer, at least 1.
      power: the power, above 0.
      lr_min: the rate that every cycle falls to.
      cycle_mul: how much longer each next cycle is; at least 1 where there are several.
      cycle_decay: how much higher each next peak is.
      cycle_limit: the number of cycles; an integer, at least 0.
      warmup_t: updates of the warm-up, a straight line from `warmup_lr_init` to `lr`; an integer, at least 0.
      warmup_lr_init: the first rate of the warm-up.
      warmup_prefix: whether the schedule starts at its own t = 0 after the warm-up; if not, at t = warmup_t, and the
        rate jumps there.
      t_in_epochs: changes nothing.
      noise_range_t, noise_pct, noise_std, noise_seed: refused.
      k_decay: the power of the time, above 0.
      initialize: changes nothing.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.PolyLRScheduler(1.0, 4, power=2.0)
      >>> [float(rate(t)) for t in range(6)]
      [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """
    _refuse_noise(noise_range_t, noise_pct, noise_std, noise_seed)
    del t_in_epochs, initialize
    steps = common.length("t_initial", t_initial, minimum=1)
    leaves.positive("k_decay", k_decay)

    def curve(first: Any, last: Any) -> Schedule:
        if common.equals(k_decay, 1):
            return polynomial(first, last, power, steps)
        return _k_decay(first, steps, k=k_decay, end_value=last, power=power, shape="linear")

    cycles = _cycles(curve, lr, steps, lr_min, cycle_mul, cycle_decay, cycle_limit)
    return _warmed_to_its_start(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)


def WSDLRScheduler(
    lr: Any,
    t_initial: Any,
    decay_t: Any,
    lr_min: Any = 0.0,
    stable_fn: str = "constant",
    stable_timescale: Any = None,
    stable_power: Any = 0.5,
    decay_fn: Any = "1-sqrt",
    decay_power: Any = 0.5,
    decay_ratio: Any = 0.1,
    warmup_t: Any = 0,
    warmup_lr_init: Any = 0.0,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: Any = 0.67,
    noise_std: Any = 1.0,
    noise_seed: Any = 42,
    initialize: bool = True,
) -> Schedule:
    """Rises, stays, falls (WSD); the stable phase may fall too.

    After the warm-up lr(t) = max(lr * s(t), lr_min), and in the last `decay_t` updates what that is above `lr_min`
    times 1 - g(x), x from 0 to 1; s(t) = 1 ("constant") or 1 / sqrt(1 + t / stable_timescale) ("rsqrt"), and
    g(x) = x ("linear"), sqrt(x) ("1-sqrt"), (1 - cos(pi x)) / 2 ("cosine"), x ** decay_power ("power") or
    (1 - decay_ratio ** x) / (1 - decay_ratio) ("exp")

    Args:
      lr: the rate of the stable phase.
      t_initial: updates after the warm-up; an integer, at least 1.
      decay_t: how many of them fall, the last ones; an integer, at least 1.
      lr_min: the rate at the end.
      stable_fn: "constant" or "rsqrt"; timm's "power" is refused, but for stable_power=0.5, which is "rsqrt".
      stable_timescale: an integer, at least 1; `warmup_t` if None.
      stable_power: the power of the "power" that is refused.
      decay_fn: "linear", "1-sqrt", "cosine", "power" or "exp"; a function is refused.
      decay_power: the power of "power", above 0.
      decay_ratio: what "exp" decays to before it is stretched to reach `lr_min`, above 0 and below 1.
      warmup_t: updates of the warm-up, a straight line from `warmup_lr_init` to `lr`; an integer, at least 0.
      warmup_lr_init: the first rate of the warm-up.
      t_in_epochs: changes nothing.
      noise_range_t, noise_pct, noise_std, noise_seed: refused.
      initialize: changes nothing.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.WSDLRScheduler(1.0, 6, decay_t=4, decay_fn="linear", warmup_t=2)
      >>> [float(rate(t)) for t in range(9)]
      [0.0, 0.5, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    _refuse_noise(noise_range_t, noise_pct, noise_std, noise_seed)
    del t_in_epochs, initialize
    common.number("lr", lr)
    low, first = common.number("lr_min", lr_min), common.number("warmup_lr_init", warmup_lr_init)
    fall, warm = common.length("decay_t", decay_t, minimum=1), common.length("warmup_t", warmup_t)
    stable = common.length("t_initial", t_initial, minimum=1) - fall
    if not leaves.is_traced(stable) and stable < 0:
        raise ValueError(f"decay_t must be at most t_initial, {t_initial}, got {decay_t}")
    if stable_fn == "power" and common.equals(stable_power, 0.5):
        stable_fn = "rsqrt"
    _one_of("stable_fn", stable_fn, ("constant", "rsqrt"))
    _one_of("decay_fn", decay_fn, ("linear", "1-sqrt", "cosine", "power", "exp"))
    if stable_fn == "constant" and decay_fn in ("linear", "1-sqrt", "cosine"):
        return warmup_stable_decay(lr, warm, stable, fall, init_value=first, end_value=low, decay=decay_fn)
    down = {
        "linear": linear(1.0, 0.0, fall),
        "1-sqrt": _k_decay(1.0, fall, k=0.5, shape="linear"),
        "cosine": cosine(1.0, fall),
        "power": _k_decay(1.0, fall, k=decay_power, shape="linear"),
        "exp": _exponential_to_0(decay_ratio, fall),
    }
    weight = common.in_turn((constant(1.0), stable), last=down[decay_fn])
    if stable_fn == "constant":
        after = constant(lr - low) * weight + low
    else:
        scale = common.length("stable_timescale", warm if stable_timescale is None else stable_timescale, minimum=1)
        falling = inverse_sqrt(lr, timescale=scale).shift(scale)
        after = (falling.clip(low, _LARGEST) - low) * weight + low
    return common.in_turn((linear(first, lr, common.at_least_one(warm)), warm), last=after)


def PlateauLRScheduler(
    lr: Any,
    decay_rate: Any = 0.1,
    patience_t: int = 10,
    threshold: Any = 1e-4,
    cooldown_t: int = 0,
    warmup_t: Any = 0,
    warmup_lr_init: Any = 0.0,
    lr_min: Any = 0.0,
    mode: Any = "max",
    noise_range_t: Any = None,
    noise_type: str = "normal",
    noise_pct: Any = 0.67,
    noise_std: Any = 1.0,
    noise_seed: Any = None,
    initialize: bool = True,
) -> ReduceOnPlateau:
    """The rate, cut when a metric has stopped improving, which by default should rise.

    A rule for wherever a learning rate goes; the metric comes from `jaxlr.observe`. timm looks at no metric up to
    t = warmup_t: give `observe` none before either.

    Args:
      lr: the rate.
      decay_rate: the factor of a cut, in [0, 1).
      patience_t: bad observations in a row that are borne.
      threshold: the margin of an improvement, as a share of the best metric.
      cooldown_t: observations after a cut that do not count as bad.
      warmup_t: updates of the warm-up, a straight line from `warmup_lr_init` to `lr`; an integer, at least 0. timm
        counts epochs: write `epochs * steps_per_epoch`.
      warmup_lr_init: the first rate of the warm-up.
      lr_min: cuts stop at this rate.
      mode: "max" or "min".
      noise_range_t, noise_type, noise_pct, noise_std, noise_seed: refused.
      initialize: changes nothing.

    Returns:
      What `jaxlr.reduce_on_plateau` returns.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> import jaxlr
      >>> from jaxlr.dialects import timm
      >>> optimizer = jaxlr.sgd(timm.PlateauLRScheduler(0.1, patience_t=3))
      >>> state = optimizer.init(jnp.zeros(1))
      >>> state = jaxlr.observe(state, 0.7)
    """
    _refuse_noise(noise_range_t, noise_pct, noise_std, 42 if noise_seed is None else noise_seed)
    if noise_type != "normal":
        raise ValueError(f"noise_type must be left out, got {noise_type!r}: {_NOISE}")
    del initialize
    base = _warmed_to_its_start(constant(common.number("lr", lr)), lr, warmup_t, warmup_lr_init, True)
    return reduce_on_plateau(
        lr if base.name == "constant" else base,
        mode=mode,
        factor=decay_rate,
        patience=patience_t,
        threshold=threshold,
        cooldown=cooldown_t,
        min_lr=lr_min,
    )


_k_decay = k_decay  # two of the functions have an argument of this name
_LARGEST = 3e38
_NOISE = "timm's noise comes from torch's generator, which jaxlr does not have"


def _exponential_to_0(ratio: Any, steps: Any) -> Schedule:
    """From 1 to 0, along an exponential to `ratio` less `ratio`."""
    leaves.positive("decay_ratio", ratio)
    if not leaves.is_traced(ratio) and ratio >= 1:
        raise ValueError(f"decay_ratio must be below 1, got {ratio}")
    fall = (exponential(1.0, ratio, transition_steps=steps) - ratio) * (1 / (1 - ratio))
    return common.in_turn((fall, steps), last=constant(0.0))


def _refuse_noise(noise_range_t: Any, noise_pct: Any, noise_std: Any, noise_seed: Any) -> None:
    defaults = {"noise_range_t": None, "noise_pct": 0.67, "noise_std": 1.0, "noise_seed": 42}
    given = (noise_range_t, noise_pct, noise_std, noise_seed)
    for (name, default), value in zip(defaults.items(), given, strict=True):
        if value is not default and value != default:
            raise ValueError(f"{name} must be left out, got {value!r}: {_NOISE}")


def _one_of(name: str, value: Any, options: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")


def _is_whole(value: Any) -> bool:
    if leaves.is_traced(value):
        return bool(jnp.issubdtype(value.dtype, jnp.integer))
    return float(value).is_integer()


def _as_whole(value: Any) -> Any:
    return value if leaves.is_traced(value) else int(value)


def _cycles(
    curve: Callable[[Any, Any], Schedule],
    lr: Any,
    t_initial: Any,
    lr_min: Any,
    cycle_mul: Any,
    cycle_decay: Any,
    cycle_limit: Any,
) -> Schedule:
    """The curve from a first to a last rate, `cycle_limit` times."""
    common.number("lr", lr)
    common.number("lr_min", lr_min)
    leaves.factor("cycle_decay", cycle_decay)
    leaves.positive("cycle_mul", cycle_mul)
    limit = common.length("cycle_limit", cycle_limit)
    if common.equals(limit, 0):
        return constant(lr_min)
    if common.equals(limit, 1):
        return curve(lr, lr_min)
    if not leaves.is_traced(cycle_mul) and cycle_mul < 1:
        raise ValueError(f"cycle_mul must be at least 1 where there is more than one cycle, got {cycle_mul}")
    if common.equals(cycle_mul, 1) and not (leaves.is_traced(t_initial) or leaves.is_traced(limit)):
        end = min(t_initial * limit, leaves.LARGEST_LENGTH)
        return common.in_turn((_equal_cycles(curve, lr, t_initial, lr_min, cycle_decay), end), last=constant(lr_min))
    if common.equals(cycle_decay, 1) or common.equals(lr_min, 0):
        return with_restarts(
            curve(lr, lr_min), t_initial, t_mul=cycle_mul, m_mul=cycle_decay, limit=limit, end_value=lr_min
        )
    peaks = with_restarts(curve(lr, 0.0), t_initial, t_mul=cycle_mul, m_mul=cycle_decay, limit=limit)
    floor = with_restarts(curve(0.0, lr_min), t_initial, t_mul=cycle_mul, limit=limit, end_value=lr_min)
    return peaks + floor


def _equal_cycles(
    curve: Callable[[Any, Any], Schedule], lr: Any, t_initial: Any, lr_min: Any, cycle_decay: Any
) -> Schedule:
    """The same without end, for cycles of one length: a smaller program."""
    if common.equals(cycle_decay, 1):
        return curve(lr, lr_min).repeat(t_initial)
    peaks = curve(lr, 0.0).repeat(t_initial) * step_decay(1.0, cycle_decay, t_initial)
    return peaks if common.equals(lr_min, 0) else peaks + curve(0.0, lr_min).repeat(t_initial)


def _warmed_to_its_start(schedule: Schedule, lr: Any, warmup_t: Any, warmup_lr_init: Any, prefix: bool) -> Schedule:
    """`_warmed` for a schedule that starts at `lr`."""
    if not leaves.flag("warmup_prefix", prefix):
        return _warmed(schedule, lr, warmup_t, warmup_lr_init, prefix)
    steps = common.length("warmup_t", warmup_t)
    first = common.number("warmup_lr_init", warmup_lr_init)
    return schedule if common.equals(steps, 0) else warmup(schedule, steps, init_value=first)


def _warmed(schedule: Schedule, lr: Any, warmup_t: Any, warmup_lr_init: Any, prefix: bool) -> Schedule:
    """A straight line to `lr`, and then the schedule: from its start, or from the count at which it is."""
    steps = common.length("warmup_t", warmup_t)
    first = common.number("warmup_lr_init", warmup_lr_init)
    if common.equals(steps, 0):
        return schedule
    after = schedule if leaves.flag("warmup_prefix", prefix) else schedule.shift(steps)
    return common.in_turn((linear(first, common.number("lr", lr), common.at_least_one(steps)), steps), last=after)
