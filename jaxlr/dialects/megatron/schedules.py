# ruff: noqa: N802, the name is Megatron's
"""Megatron's scheduler: a warm-up and five ways down, and a weight decay that grows."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal, TypeAlias

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Scalar

Style: TypeAlias = Literal["constant", "linear", "cosine", "inverse-square-root", "WSD"]
Annealing: TypeAlias = Literal["linear", "cosine", "exponential", "minus_sqrt"]
Growth: TypeAlias = Literal["constant", "linear", "cosine"]
STYLES = ("constant", "linear", "cosine", "inverse-square-root", "WSD")
ANNEALINGS = ("linear", "cosine", "exponential", "minus_sqrt")
GROWTHS = ("constant", "linear", "cosine")
_TRAPEZOIDS = {"linear": "linear", "cosine": "cosine", "minus_sqrt": "1-sqrt"}


def OptimizerParamScheduler(
    init_lr: Scalar,
    max_lr: Scalar,
    min_lr: Scalar,
    lr_warmup_steps: Length | float,
    lr_decay_steps: Length,
    lr_decay_style: Style,
    start_wd: Scalar = 0.0,
    end_wd: Scalar = 0.0,
    wd_incr_steps: Length = 0,
    wd_incr_style: Growth = "constant",
    use_checkpoint_opt_param_scheduler: bool = True,
    override_opt_param_scheduler: bool = False,
    wsd_decay_steps: Length | None = None,
    lr_wsd_decay_style: Annealing | None = None,
) -> Schedule:
    """Up in a straight line, then down in one of five ways; the rate of Megatron's scheduler.

    With W = lr_warmup_steps, D = lr_decay_steps, A = wsd_decay_steps: lr(n) = init_lr + (max_lr - init_lr) * n / W for
    n <= W, then lr(n) = min_lr + (max_lr - min_lr) * f(n) up to n = D, and min_lr from there on
      f(n) = 1 - x or (1 + cos(pi x)) / 2, x = (n - W) / (D - W)        "linear", "cosine"
      f(n) = g(max(0, n - (D - A)) / A)                                 "WSD"
        with g(y) = 1 - y, (1 + cos(pi y)) / 2, 2 * 0.5 ** y - 1 or 1 - sqrt(y)
    "constant" stays at max_lr without end; "inverse-square-root" is max(min_lr, max_lr * sqrt(W / n)), with a W of 1
    for one of 0.

    Args:
      init_lr: the first rate, at most `max_lr`.
      max_lr: the peak.
      min_lr: the last rate, at most `max_lr`.
      lr_warmup_steps: steps of the warm-up, below `lr_decay_steps`; whole or not, as a fraction of a run makes them.
      lr_decay_steps: the step at which the last rate is reached; an integer, at least 1.
      lr_decay_style: "constant", "linear", "cosine", "inverse-square-root" or "WSD".
      start_wd, end_wd, wd_incr_steps, wd_incr_style: those of `weight_decay`, which change nothing here.
      use_checkpoint_opt_param_scheduler, override_opt_param_scheduler: change nothing.
      wsd_decay_steps: steps of the fall of "WSD", an integer, at least 0.
      lr_wsd_decay_style: "linear", "cosine", "exponential" or "minus_sqrt", for "WSD".

    Example:
      >>> from jaxlr.dialects import megatron
      >>> rate = megatron.OptimizerParamScheduler(0.0, 1.0, 0.5, 2, 4, "linear")
      >>> [float(rate(n)) for n in range(6)]
      [0.0, 0.5, 1.0, 0.75, 0.5, 0.5]
      >>> rate
      warmup(schedule=linear(init_value=1.0, end_value=0.5, transition_steps=2), warmup_steps=2)
    """
    curve = _Curve(
        common.number("init_lr", init_lr),
        common.number("max_lr", max_lr),
        common.number("min_lr", min_lr),
        _warm_up(lr_warmup_steps),
        common.length("lr_decay_steps", lr_decay_steps, minimum=1),
    )
    leaves.choice("lr_decay_style", lr_decay_style, STYLES)
    if common.known(curve.warm, curve.end) and not curve.warm < curve.end:
        raise ValueError(f"lr_warmup_steps must be below lr_decay_steps, {lr_decay_steps}, got {lr_warmup_steps}")
    for name, value in (("init_lr", curve.first), ("min_lr", curve.low)):
        if common.known(value, curve.peak) and value > curve.peak:
            raise ValueError(f"{name} must be at most max_lr, {curve.peak}, got {value}")
    if lr_decay_style == "WSD":
        if wsd_decay_steps is None:
            raise ValueError("wsd_decay_steps must be given for lr_decay_style='WSD', got None")
        fall = common.length("wsd_decay_steps", wsd_decay_steps)
        return curve.wsd(fall, leaves.choice("lr_wsd_decay_style", lr_wsd_decay_style, ANNEALINGS))  # pyright: ignore
    if lr_decay_style == "inverse-square-root":
        return curve.inverse_sqrt()
    return curve.to_the_end(lr_decay_style)


@common.moved_beside(OptimizerParamScheduler, "weight_decay", "adamw")
def weight_decay(
    start_wd: Scalar, end_wd: Scalar, wd_incr_steps: Length, wd_incr_style: Growth = "constant"
) -> Schedule:
    """The weight decay that Megatron's scheduler sets beside the rate.

    wd(n) = start_wd + (end_wd - start_wd) * f(n / wd_incr_steps), f(x) = x ("linear") or (1 - cos(pi x)) / 2
    ("cosine"), and end_wd from n = wd_incr_steps on

    Args:
      start_wd: the first weight decay; `end_wd` where the style is "constant".
      end_wd: the last, at least `start_wd`.
      wd_incr_steps: steps in which it grows; an integer, at least 0.
      wd_incr_style: "constant", "linear" or "cosine".

    Example:
      >>> from jaxlr.dialects import megatron
      >>> decay = megatron.weight_decay(0.0, 0.5, 4, "linear")
      >>> [float(decay(n)) for n in range(6)]
      [0.0, 0.125, 0.25, 0.375, 0.5, 0.5]
    """
    first, last = common.number("start_wd", start_wd), common.number("end_wd", end_wd)
    steps = common.length("wd_incr_steps", wd_incr_steps)
    leaves.choice("wd_incr_style", wd_incr_style, GROWTHS)
    if common.known(first, last) and first > last:
        raise ValueError(f"end_wd must be at least start_wd, {start_wd}, got {end_wd}")
    if wd_incr_style == "constant" and common.known(first, last) and first != last:
        raise ValueError(f"end_wd must be start_wd, {start_wd}, where wd_incr_style is 'constant', got {end_wd}")
    if wd_incr_style == "constant" or common.equals(steps, 0):
        return core.constant(last)
    return common.curve(wd_incr_style, first, last, steps)


def _warm_up(steps: Length | float) -> Number:
    """A number of steps that need not be whole where it is known."""
    if isinstance(steps, float) and not steps.is_integer():
        return common.number("lr_warmup_steps", steps)
    return common.length("lr_warmup_steps", int(steps) if isinstance(steps, float) else steps)


@dataclasses.dataclass(frozen=True)
class _Curve:
    """The numbers of a rate, and its ways down."""

    first: Number
    peak: Number
    low: Number
    warm: Number
    end: Updates

    @property
    def _whole(self) -> bool:
        return not isinstance(self.warm, float)

    @property
    def _after(self) -> Updates:
        """The first step that is past the warm-up."""
        return math.floor(self.warm) + 1 if isinstance(self.warm, float) else self.warm + 1

    def _rise(self) -> tuple[Schedule, Updates]:
        """The warm-up, its last step included."""
        if not isinstance(self.warm, float):
            return core.linear(self.first, self.peak, common.at_least_one(self.warm)), self.warm + 1
        steps = max(1, math.floor(self.warm))
        return core.linear(self.first, self.first + (self.peak - self.first) * (steps / self.warm), steps), self._after

    def to_the_end(self, style: str) -> Schedule:
        """A curve from the end of the warm-up to that of the run, or none."""
        if style == "constant":
            fall = core.constant(self.peak)
        elif isinstance(self.warm, float):
            return common.in_turn(self._rise(), last=self._begun(style, self.warm))
        else:
            fall = common.curve(style, self.peak, self.low, self.end - self.warm)
        if isinstance(self.warm, float):
            return common.in_turn(self._rise(), last=fall)
        return common.warmed(fall, self.warm, None if common.equals(self.first, 0) else self.first)

    def _begun(self, style: str, warm: float) -> Schedule:
        """The curve from the first whole step past a warm-up that ends between two."""
        left = self.end - self._after
        if common.equals(left, 0):
            return core.constant(self.low)
        if style == "linear":
            return core.linear(self.low + (self.peak - self.low) * (left / (self.end - warm)), self.low, left)
        return core.cosine(self.peak, left, end_value=self.low, begin_phase=(self._after - warm) / (self.end - warm))

    def inverse_sqrt(self) -> Schedule:
        """One over the root of the step, until the end; then the lowest rate."""
        if self._whole:
            scale = common.at_least_one(self.warm)  # pyright: ignore[reportArgumentType], a length
            fall, start = core.inverse_sqrt(self.peak, timescale=scale), self.warm
            rise = core.linear(self.first, self.peak, scale), start
        else:
            fall, start = core.inverse_sqrt(self.peak * max(self.warm, 1.0) ** 0.5), self._after
            rise = self._rise()
        falling = fall if common.equals(start, 0) else fall.shift(start)  # pyright: ignore[reportArgumentType]
        kept = falling if common.equals(self.low, 0) else falling.clip(self.low)
        return common.in_turn(rise, (kept, self.end + 1 - start), last=core.constant(self.low))  # pyright: ignore[reportArgumentType]

    def wsd(self, fall: Updates, style: str) -> Schedule:
        """The peak, and a fall in the last steps."""
        stable = self.end - fall
        if self._whole and style in _TRAPEZOIDS and common.known(self.warm, fall) and 0 < fall <= self.end - self.warm:
            return core.warmup_stable_decay(
                self.peak,
                self.warm,  # pyright: ignore[reportArgumentType], a length
                stable - self.warm,  # pyright: ignore[reportArgumentType]
                fall,
                init_value=self.first,
                end_value=self.low,
                decay=_TRAPEZOIDS[style],  # pyright: ignore[reportArgumentType]
            )
        if common.equals(fall, 0):
            whole = common.in_turn((core.constant(self.peak), self.end + 1), last=core.constant(self.low))
        elif common.known(stable) and stable < 0:
            whole = self._annealed(fall, style).shift(-stable)
        else:
            whole = common.in_turn((core.constant(self.peak), stable), last=self._annealed(fall, style))
        if common.equals(self.warm, 0):
            return whole
        return common.in_turn(self._rise(), last=whole.shift(self._after))

    def _annealed(self, steps: Updates, style: str) -> Schedule:
        if style != "exponential":
            return common.curve(_TRAPEZOIDS[style], self.peak, self.low, steps)
        height = self.peak - self.low  # 2 * 0.5 ** x - 1 comes to 0 at x = 1
        fall = core.exponential(2 * height, 0.5, transition_steps=steps) + (self.low - height)
        return common.in_turn((fall, steps), last=core.constant(self.low))
