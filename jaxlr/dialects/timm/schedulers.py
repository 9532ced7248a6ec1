# ruff: noqa: N802, the names are timm's
"""timm's schedulers that run once: steps, warm-up and decay around a stable phase, and the plateau rule."""

from __future__ import annotations

from typing import Literal, Unpack

import jax
import jax.numpy as jnp

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.dialects.timm.shared import Others, PlateauOthers, refuse, warmed, warmed_to_its_start
from jaxlr.schedules import Schedule, leaves
from jaxlr.transforms.hyperparameters import Number as Known
from jaxlr.transforms.rate.plateau import ReduceOnPlateau, reduce_on_plateau
from jaxlr.typing import Length, Lengths, Scalar

_LARGEST = 3e38


def StepLRScheduler(
    lr: Scalar,
    decay_t: Scalar,
    decay_rate: Scalar = 1.0,
    warmup_t: Length = 0,
    warmup_lr_init: Scalar = 0.0,
    warmup_prefix: bool = True,
    **others: Unpack[Others],
) -> Schedule:
    """Multiplies the rate by `decay_rate` every `decay_t` updates, which need not be whole.

    lr(t) = lr * decay_rate ** floor(t / decay_t), behind the warm-up

    Args:
      lr: the rate.
      decay_t: updates between two drops, above 0.
      decay_rate: the factor of each drop.
      warmup_t: updates of the warm-up; an integer, at least 0.
      warmup_lr_init: the first rate of the warm-up.
      warmup_prefix, **others: see the module.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.StepLRScheduler(1.0, decay_t=2.5, decay_rate=0.5)
      >>> [float(rate(t)) for t in (0, 2, 3, 4, 5)]
      [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    refuse(StepLRScheduler, others)
    peak, between = common.number("lr", lr), common.positive("decay_t", decay_t)
    if _is_whole(between):
        steps = core.step_decay(peak, decay_rate, int(between) if common.known(between) else jnp.asarray(between))
    else:
        steps = core.at_speed(core.step_decay(peak, decay_rate, 1), 1 / between)
    return warmed_to_its_start(steps, lr, warmup_t, warmup_lr_init, warmup_prefix)


def MultiStepLRScheduler(
    lr: Scalar,
    decay_t: Lengths,
    decay_rate: Scalar = 1.0,
    warmup_t: Length = 0,
    warmup_lr_init: Scalar = 0.0,
    warmup_prefix: bool = True,
    **others: Unpack[Others],
) -> Schedule:
    """Multiplies the rate by `decay_rate` one update before each milestone.

    lr(t) = lr * decay_rate ** (number of milestones <= t + 1), behind the warm-up

    The update before is timm's convention, and kept: PyTorch's MultiStepLR drops at the milestone.

    Args:
      decay_t: the milestones; integers in rising order.
      lr, decay_rate, warmup_t, warmup_lr_init, warmup_prefix, **others: as in `StepLRScheduler`.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.MultiStepLRScheduler(1.0, decay_t=[2, 4], decay_rate=0.5)
      >>> [float(rate(t)) for t in range(5)]
      [1.0, 0.5, 0.5, 0.25, 0.25]
    """
    refuse(MultiStepLRScheduler, others)
    milestones = leaves.lengths("decay_t", decay_t, minimum=0)
    drops = core.multi_step(common.number("lr", lr), milestones, decay_rate)
    return warmed(drops.shift(1), lr, warmup_t, warmup_lr_init, warmup_prefix)


def WSDLRScheduler(
    lr: Scalar,
    t_initial: Length,
    decay_t: Length,
    lr_min: Scalar = 0.0,
    stable_fn: Literal["constant", "rsqrt", "power"] = "constant",
    stable_timescale: Length | None = None,
    stable_power: Scalar = 0.5,
    decay_fn: Literal["linear", "1-sqrt", "cosine", "power", "exp"] = "1-sqrt",
    decay_power: Scalar = 0.5,
    decay_ratio: Scalar = 0.1,
    warmup_t: Length = 0,
    warmup_lr_init: Scalar = 0.0,
    **others: Unpack[Others],
) -> Schedule:
    """Rises, stays, falls (WSD); the stable phase may fall too.

    After the warm-up lr(t) = max(lr * s(t), lr_min), and in the last `decay_t` updates what that is above `lr_min`
    times 1 - g(x), x from 0 to 1; s(t) = 1 ("constant") or (1 + t / stable_timescale) ** -p with p = 1/2 ("rsqrt")
    or stable_power ("power"), and g(x) = x ("linear"), sqrt(x) ("1-sqrt"), (1 - cos(pi x)) / 2 ("cosine"),
    x ** decay_power ("power") or (1 - decay_ratio ** x) / (1 - decay_ratio) ("exp")

    Args:
      lr: the rate of the stable phase.
      t_initial: updates after the warm-up; an integer, at least 1.
      decay_t: how many of them fall, the last ones; an integer, at least 1.
      lr_min: the rate at the end.
      stable_fn: "constant", "rsqrt" or "power"; a function is refused.
      stable_timescale: an integer, at least 1; `warmup_t` if None.
      stable_power: p of "power".
      decay_fn: "linear", "1-sqrt", "cosine", "power" or "exp"; a function is refused.
      decay_power: the power of "power", above 0.
      decay_ratio: what "exp" decays to before it is stretched to reach `lr_min`, above 0 and below 1.
      warmup_t, warmup_lr_init, **others: as in `StepLRScheduler`.

    Example:
      >>> from jaxlr.dialects import timm
      >>> rate = timm.WSDLRScheduler(1.0, 6, decay_t=4, decay_fn="linear", warmup_t=2)
      >>> [float(rate(t)) for t in range(9)]
      [0.0, 0.5, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    refuse(WSDLRScheduler, others)
    peak, low = common.number("lr", lr), common.number("lr_min", lr_min)
    first = common.number("warmup_lr_init", warmup_lr_init)
    fall, warm = common.length("decay_t", decay_t, minimum=1), common.length("warmup_t", warmup_t)
    stable = common.length("t_initial", t_initial, minimum=1) - fall
    if common.known(stable) and stable < 0:
        raise ValueError(f"decay_t must be at most t_initial, {t_initial}, got {decay_t}")
    leaves.choice("stable_fn", stable_fn, ("constant", "rsqrt", "power"))
    leaves.choice("decay_fn", decay_fn, ("linear", "1-sqrt", "cosine", "power", "exp"))
    if stable_fn == "constant" and decay_fn in ("linear", "1-sqrt", "cosine"):
        return core.warmup_stable_decay(peak, warm, stable, fall, init_value=first, end_value=low, decay=decay_fn)
    powered, exponential = core.k_decay(1.0, fall, k=decay_power, shape="linear"), _exponential_to_0(decay_ratio, fall)
    down = {"power": powered, "exp": exponential}.get(decay_fn) or common.curve(decay_fn, 1.0, 0.0, fall)
    weight = common.in_turn((core.constant(1.0), stable), last=down)
    if stable_fn == "constant":
        after = core.constant(peak - low) * weight + low
    else:
        scale = common.length("stable_timescale", warm if stable_timescale is None else stable_timescale, minimum=1)
        falling = core.inverse_sqrt(peak, timescale=scale).shift(scale)
        if stable_fn == "power":
            falling = core.power(peak, -common.signed("stable_power", stable_power), timescale=scale, shift=scale)
        after = (falling.clip(low, _LARGEST) - low) * weight + low
    return common.up_and(after, peak, warm, first)


def PlateauLRScheduler(
    lr: Scalar,
    decay_rate: Known = 0.1,
    patience_t: int = 10,
    threshold: Known = 1e-4,
    cooldown_t: int = 0,
    warmup_t: Length = 0,
    warmup_lr_init: Scalar = 0.0,
    lr_min: Known = 0.0,
    mode: Literal["min", "max"] = "max",
    **others: Unpack[PlateauOthers],
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
      warmup_t: updates of the warm-up; an integer, at least 0. timm counts epochs: write `epochs * steps_per_epoch`.
      warmup_lr_init: the first rate of the warm-up.
      lr_min: cuts stop at this rate.
      mode: "max" or "min".
      **others: see the module; `noise_type` is refused too.

    Returns:
      What `jaxlr.reduce_on_plateau` returns.

    Example:
      >>> import jax.numpy as jnp
      >>> import jaxlr
      >>> from jaxlr.dialects import timm
      >>> optimizer = jaxlr.sgd(timm.PlateauLRScheduler(0.1, patience_t=3))
      >>> state = optimizer.init(jnp.zeros(1))
      >>> state = jaxlr.observe(state, 0.7)
    """
    refuse(PlateauLRScheduler, others, PlateauOthers)
    rate = common.number("lr", lr)
    base = warmed_to_its_start(core.constant(rate), rate, warmup_t, warmup_lr_init, True)
    return reduce_on_plateau(
        rate if common.equals(warmup_t, 0) else base,
        mode=mode,
        factor=decay_rate,
        patience=patience_t,
        threshold=threshold,
        cooldown=cooldown_t,
        min_lr=lr_min,
    )


def _is_whole(value: Number) -> bool:
    """Whether a number is an integer, or traced as one."""
    if isinstance(value, jax.Array) and not common.known(value):
        return jnp.issubdtype(value.dtype, jnp.integer)
    return float(value).is_integer()


def _exponential_to_0(decay_ratio: Scalar, steps: Updates) -> Schedule:
    """From 1 to 0, along an exponential to the ratio less the ratio."""
    ratio: Number = common.positive("decay_ratio", decay_ratio)
    if common.known(ratio) and ratio >= 1:
        raise ValueError(f"decay_ratio must be below 1, got {ratio}")
    fall = (core.exponential(1.0, ratio, transition_steps=steps) - ratio) * (1 / (1 - ratio))
    return common.in_turn((fall, steps), last=core.constant(0.0))
