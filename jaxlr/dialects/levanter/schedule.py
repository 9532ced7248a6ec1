"""levanter's schedule: warm-up, stable phase and decay, in cycles, and a cooldown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.dialects.levanter.cycles import cycle_ends, updates
from jaxlr.dialects.levanter.decays import Fall, falling, read_kind
from jaxlr.schedules import Schedule, constant, linear
from jaxlr.typing import Length, Scalar


def lr_scheduler(
    num_train_steps: Length,
    *,
    learning_rate: Scalar = 6e-4,
    min_lr_ratio: Scalar = 0.1,
    warmup: Scalar = 0.01,
    decay: Scalar | None = None,
    rewarmup: Scalar = 0.0,
    cooldown: Scalar | None = None,
    cycle_length: Scalar | Sequence[int] | None = None,
    cycles: int | Sequence[int] | None = None,
    lr_schedule: str | Mapping[str, Any] = "cosine",
    haps: Sequence[int] | None = None,
) -> Schedule:
    """levanter's schedule: in each cycle a warm-up, a stable phase and a decay; at the end a cooldown.

    In a cycle, with lr = learning_rate, low = lr * min_lr_ratio and k updates into a decay of D updates:
      constant    lr
      cosine      low + (lr - low) * ((1 + cos(pi k / D)) / 2) ** exponent
      linear      lr + (low - lr) * k / D
      inv_sqrt    max(low, lr * min(1, sqrt(timescale / (k + W)))), W the updates of the warm-up
      inv         lr / (1 + (1 / min_lr_ratio - 1) * max(k, 1) / D)
      power       min(lr, a * batch_size * (k * batch_size * seq_length) ** b)

    The first warm-up starts at 0, a later one where the decay before it ended. The cooldown is a straight line to low.

    Args:
      num_train_steps: updates of the run; an integer, at least 1.
      learning_rate: the peak.
      min_lr_ratio: the lowest rate over the peak.
      warmup: the first warm-up; a share of the cycle up to 1, updates above.
      decay: the decay, likewise; None: all that the warm-up leaves.
      rewarmup: the warm-up of the other cycles, likewise.
      cooldown: the cooldown, likewise of the run; it takes its updates from the cycles. None: no cooldown.
      cycle_length: the length of every cycle, likewise of what the cooldown leaves, or a list of lengths.
      cycles: how many cycles, or a list of the counts at which they end.
      lr_schedule: a word, or a mapping with the word under "type" and its arguments: `exponent` (1), `timescale`
        (10,000), `batch_size` and `seq_length` (needed), `a` (4.6) and `b` (-0.51).
      haps: the older name of a list of `cycles`.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: another word, two of cycle_length, cycles and haps, or a number out of range.
      TypeError: a length is no integer.

    Example:
      >>> from jaxlr.dialects import levanter
      >>> levanter.lr_scheduler(1000, learning_rate=1e-3, warmup=100)
      warmup(schedule=cosine(init_value=0.001, decay_steps=900, end_value=0.0001), warmup_steps=100)
      >>> rate = levanter.lr_scheduler(12, learning_rate=1.0, min_lr_ratio=0.0, warmup=2, decay=4, cycles=2,
      ...   lr_schedule="linear")
      >>> [float(rate(n)) for n in range(13)]
      [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    run = common.length("num_train_steps", num_train_steps, minimum=1)
    peak, ratio = common.number("learning_rate", learning_rate), common.number("min_lr_ratio", min_lr_ratio)
    kind, arguments = read_kind(lr_schedule)
    cool = 0 if cooldown is None else updates("cooldown", cooldown, run)
    pieces: list[tuple[Schedule, Updates]] = []
    start: Updates = 0
    before: Number = 0.0
    for end in cycle_ends(run - cool, cycle_length, cycles, haps):
        name = "rewarmup" if pieces else "warmup"
        length = end - start
        warm = updates(name, rewarmup if pieces else warmup, length)
        steps = length - warm if decay is None else updates("decay", decay, length)
        stable = length - warm - steps
        if common.known(stable) and stable < 0:
            raise ValueError(f"{name} and decay must be at most {length} updates together, got {warm} and {steps}")
        fall = falling(kind, arguments, Fall(peak, ratio, warm, steps))
        pieces += [(linear(before, peak, common.at_least_one(warm)), warm), (constant(peak), stable), (fall, steps)]
        before, start = _last(kind, fall, Fall(peak, ratio, warm, steps)), end
    if not common.equals(cool, 0):
        return common.in_turn(*pieces, last=linear(before, peak * ratio, common.at_least_one(cool)))
    (_, warm), stay, (fall, _) = pieces[:3]
    if len(pieces) == 3 and kind in _FROM_PEAK:
        return common.warmed(common.in_turn(stay, last=fall), warm)
    return common.in_turn(*pieces[:-1], last=pieces[-1][0])


_FROM_PEAK = ("constant", "cosine", "linear", "power")
_TO_LOW = ("cosine", "linear", "inv")


def _last(kind: str, schedule: Schedule, fall: Fall) -> Number:
    """The rate at the end of a fall."""
    if common.equals(fall.steps, 0):
        return fall.peak
    if kind in _TO_LOW:
        return fall.low
    rate = schedule(fall.steps)
    return float(rate) if common.known(rate) else rate
