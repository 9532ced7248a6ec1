"""nanochat's schedules of rate, momentum and weight decay, and nanoGPT's of the rate."""

from __future__ import annotations

from jaxlr.dialects import common
from jaxlr.schedules import Schedule, constant, cosine, linear, warmup
from jaxlr.typing import Length, Scalar

_WARM, _FIRST, _HIGH, _LAST = 400, 0.85, 0.97, 0.90  # of the momentum, constants of the source


def get_lr_multiplier(
    num_iterations: int, warmup_steps: int = 40, warmdown_ratio: float = 0.65, final_lr_frac: Scalar = 0.05
) -> Schedule:
    """Up in a straight line to 1, along, and down in one: what nanochat multiplies all rates by.

    f(n) = (n + 1) / warmup_steps for n < warmup_steps, and 1 up to n = num_iterations - D, D = round(warmdown_ratio *
    num_iterations); from there in D updates in a straight line to final_lr_frac

    Args:
      num_iterations: updates of the run; an integer, at least 1.
      warmup_steps: updates of the warm-up; an integer, at least 0.
      warmdown_ratio: the warm-down as a share of the run, in [0, 1].
      final_lr_frac: the last value.

    Example:
      >>> from jaxlr.dialects import nanochat
      >>> factor = nanochat.get_lr_multiplier(8, warmup_steps=2, warmdown_ratio=0.5, final_lr_frac=0.0)
      >>> [float(factor(n)) for n in range(10)]
      [0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    total = common.known_length("num_iterations", num_iterations, minimum=1)
    warm = common.known_length("warmup_steps", warmup_steps)
    fall = round(total * common.known_share("warmdown_ratio", warmdown_ratio))
    last = common.number("final_lr_frac", final_lr_frac)
    if not fall:
        return warmup(constant(1.0), warm, offset=1) if warm else constant(1.0)
    down = linear(1.0, last, fall, transition_begin=max(total - fall - warm, 0))
    if warm > total - fall:
        return common.in_turn((linear(0.0, 1.0, warm).shift(1), warm), last=down.shift(warm - total + fall))
    return warmup(down, warm, offset=1) if warm else down


def get_muon_momentum(num_iterations: int, warmdown_ratio: float = 0.65) -> Schedule:
    """Muon's momentum: from 0.85 to 0.97 in 400 updates, and to 0.9 while the rate warms down.

    Args:
      num_iterations, warmdown_ratio: as in `get_lr_multiplier`.

    Example:
      >>> from jaxlr.dialects import nanochat
      >>> momentum = nanochat.get_muon_momentum(1000, warmdown_ratio=0.5)
      >>> [round(float(momentum(n)), 4) for n in (0, 200, 400, 500, 750, 1000, 1001)]
      [0.85, 0.91, 0.97, 0.97, 0.935, 0.9, 0.9]
    """
    total = common.known_length("num_iterations", num_iterations, minimum=1)
    fall = round(total * common.known_share("warmdown_ratio", warmdown_ratio))
    if total < _WARM:
        return linear(_FIRST, _FIRST + (_HIGH - _FIRST) * (total / _WARM), total)
    rise, start = linear(_FIRST, _HIGH, _WARM), total - fall
    if not fall:
        return rise
    down = linear(_HIGH, _LAST, fall)
    if start >= _WARM:
        return common.in_turn((rise, start), last=down)
    return common.in_turn((rise, _WARM), last=down.shift(_WARM - start))


def get_weight_decay(weight_decay: Scalar, num_iterations: Length) -> Schedule:
    """Muon's weight decay: half a cosine to 0 over the run.

    Args:
      weight_decay: the first value; nanochat scales its argument by batch size and horizon before.
      num_iterations: updates of the run; an integer, at least 1.

    Example:
      >>> from jaxlr.dialects import nanochat
      >>> decay = nanochat.get_weight_decay(0.5, 4)
      >>> [round(float(decay(n)), 4) for n in range(6)]
      [0.5, 0.4268, 0.25, 0.0732, 0.0, 0.0]
    """
    return cosine(
        common.number("weight_decay", weight_decay), common.length("num_iterations", num_iterations, minimum=1)
    )


def get_lr(
    learning_rate: Scalar = 6e-4,
    warmup_iters: Length = 2000,
    lr_decay_iters: Length = 600000,
    min_lr: Scalar = 6e-5,
) -> Schedule:
    """nanoGPT's rate: up in a straight line, and down along half a cosine.

    lr(n) = learning_rate * (n + 1) / (warmup_iters + 1) for n < warmup_iters, and then half a cosine to min_lr, which
    is reached at n = lr_decay_iters

    Args:
      learning_rate: the peak.
      warmup_iters: updates of the warm-up; an integer, at least 0.
      lr_decay_iters: the count of the last rate; an integer, at least `warmup_iters`.
      min_lr: the last rate.

    Example:
      >>> from jaxlr.dialects import nanochat
      >>> rate = nanochat.get_lr(1.0, 3, 7, 0.0)
      >>> [round(float(rate(n)), 4) for n in range(9)]
      [0.25, 0.5, 0.75, 1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """
    peak, low = common.number("learning_rate", learning_rate), common.number("min_lr", min_lr)
    warm = common.length("warmup_iters", warmup_iters)
    left = common.length("lr_decay_iters", lr_decay_iters) - warm
    if common.known(left) and left < 0:
        raise ValueError(f"lr_decay_iters must be at least warmup_iters, {warmup_iters}, got {lr_decay_iters}")
    fall = constant(low) if common.equals(left, 0) else cosine(peak, left, end_value=low)
    return common.in_turn((linear(0.0, peak, warm + 1).shift(1), warm), last=fall)
