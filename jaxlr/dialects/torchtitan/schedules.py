# ruff: noqa: N802, the name is torchtitan's
"""torchtitan's schedule: up in a straight line, along, and down in one of three ways."""

from __future__ import annotations

from typing import Literal, TypeAlias

from jaxlr.dialects import common
from jaxlr.schedules import Schedule, constant, cosine, k_decay, leaves, linear, warmup
from jaxlr.typing import Scalar

Decay: TypeAlias = Literal["linear", "sqrt", "cosine"]
DECAYS = ("linear", "sqrt", "cosine")


def LRSchedulersContainer(
    lr: Scalar,
    training_steps: int,
    warmup_steps: int = 200,
    total_steps: int | None = None,
    decay_ratio: float | None = None,
    decay_type: Decay = "linear",
    min_lr_factor: Scalar = 0.0,
) -> Schedule:
    """Up to the rate, along, and down to a share of it in the last part of the run.

    With W = warmup_steps, T = total_steps, D = round(T * decay_ratio): lr(n) = lr * (n + 1) / W for n < W, lr up to
    n = T - D, then lr * (min_lr_factor + (1 - min_lr_factor) * f((n - (T - D)) / D)) with
    f(x) = 1 - x ("linear"), 1 - sqrt(x) ("sqrt") or (1 + cos(pi x)) / 2 ("cosine"), and the lowest from n = T on

    Args:
      lr: the peak.
      training_steps: updates of the run; an integer, at least 1.
      warmup_steps: updates of the warm-up, an integer, at least 0; of a longer one than the run as many as that has.
      total_steps: updates of the schedule; `training_steps` if None.
      decay_ratio: the decay as a share of the run, at most what the warm-up leaves; None for all of that.
      decay_type: "linear", "sqrt" or "cosine".
      min_lr_factor: the lowest rate as a share of `lr`.

    Example:
      >>> from jaxlr.dialects import torchtitan
      >>> rate = torchtitan.LRSchedulersContainer(1.0, 8, warmup_steps=2, decay_ratio=0.5)
      >>> [float(rate(n)) for n in range(10)]
      [0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    peak = common.number("lr", lr)
    low = common.number("min_lr_factor", min_lr_factor) * peak
    total = common.known_length("training_steps", training_steps, minimum=1)
    if total_steps is not None:
        total = common.known_length("total_steps", total_steps, minimum=1)
    warm = min(common.known_length("warmup_steps", warmup_steps), total)
    leaves.choice("decay_type", decay_type, DECAYS)
    fall = total - warm
    if decay_ratio is not None:
        fall = min(fall, round(total * common.known_share("decay_ratio", decay_ratio)))
    down = _decay(peak, low, fall, decay_type, total - warm - fall) if fall else constant(peak)
    return warmup(down, warm, offset=1) if warm else down


def _decay(peak: common.Number, low: common.Number, steps: int, kind: str, begin: int) -> Schedule:
    """The peak until a count, and a fall from there."""
    if kind == "linear":
        return linear(peak, low, steps, transition_begin=begin)
    if kind == "cosine":
        return cosine(peak, begin + steps, end_value=low, begin=begin)
    fall = k_decay(peak, steps, k=0.5, end_value=low, shape="linear")
    return common.in_turn((constant(peak), begin), last=fall)
