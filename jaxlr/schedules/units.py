"""Units: epochs into updates, once, at the edge."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from jaxlr.schedules import leaves


def updates(epochs: float, *, examples: int, batch_size: int, accumulate: int = 1, drop_last: bool = True) -> int:
    """The number of optimizer updates in some epochs of training.

    updates = floor(epochs * batches / accumulate), batches = examples / batch_size, down if `drop_last`, else up

    Half an epoch is taken too, down to whole updates; what is within 2**-40 of itself of one is that. An accumulation
    that an epoch's end interrupts goes on in the next epoch, as in `optax.MultiSteps`.

    Args:
      epochs: passes over the data, whole or not; at least 0.
      examples: examples in an epoch; at least 1.
      batch_size: examples in a batch, summed over all devices; at least 1.
      accumulate: batches whose gradients make one update; at least 1.
      drop_last: whether an incomplete last batch of an epoch is left out.

    Returns:
      The number of updates, what every schedule counts.

    Raises:
      ValueError: a number out of range, or a batch larger than the data while incomplete ones are left out.
      TypeError: a number other than `epochs` is no integer.

    Example:
      >>> import jaxlr
      >>> jaxlr.updates(90, examples=1_281_167, batch_size=256)
      450360
    """
    whole = not isinstance(epochs, float | np.floating) or float(epochs).is_integer()
    leaves.length("epochs", epochs, minimum=0) if whole else leaves.number("epochs", epochs, minimum=0.0)
    examples = int(leaves.length("examples", examples))
    batch_size = int(leaves.length("batch_size", batch_size))
    accumulate = int(leaves.length("accumulate", accumulate))
    if drop_last and batch_size > examples:
        raise ValueError(f"batch_size must be at most the number of examples, {examples}, got {batch_size}")
    batches = examples // batch_size if drop_last else -(-examples // batch_size)
    made = Fraction(int(epochs) if whole else float(epochs)) * batches / accumulate
    return math.floor(made if whole else made * (1 + Fraction(1, 2**40)))


def scale_lr(base_lr: Any, batch_size: int, *, base_batch_size: int | None = None, rule: str = "linear") -> Any:
    """The base rate for another batch size: a rule of thumb for a number, not a schedule.

    "linear": base_lr * batch_size / base_batch_size; "sqrt": base_lr * sqrt(batch_size / base_batch_size), for
    adaptive optimizers; "inverse_sqrt": base_lr / sqrt(batch_size), which needs no base.

    Args:
      base_lr: the rate at `base_batch_size`.
      batch_size: examples in an update, summed over devices and accumulation; at least 1.
      base_batch_size: the batch size that `base_lr` was found for; 256 if None.
      rule: "linear", "sqrt" or "inverse_sqrt".

    Returns:
      The rate, of `base_lr`'s type.

    Raises:
      ValueError: a number out of range, another rule, or a base for the rule that has none.
      TypeError: a batch size is no integer.

    Example:
      >>> import jaxlr
      >>> jaxlr.scale_lr(0.1, 1024)
      0.4
      >>> jaxlr.scale_lr(0.1, 1024, rule="sqrt")
      0.2

    References:
      Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017, arXiv:1706.02677
      Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014, arXiv:1404.5997
    """
    leaves.number("base_lr", base_lr)
    rule = leaves.choice("rule", rule, ("linear", "sqrt", "inverse_sqrt"))
    batch = int(leaves.length("batch_size", batch_size))
    if rule == "inverse_sqrt":
        if base_batch_size is not None:
            raise ValueError(f"base_batch_size has no place in the rule 'inverse_sqrt', got {base_batch_size}")
        return base_lr / math.sqrt(batch)
    ratio = batch / int(leaves.length("base_batch_size", 256 if base_batch_size is None else base_batch_size))
    return base_lr * (ratio if rule == "linear" else math.sqrt(ratio))
