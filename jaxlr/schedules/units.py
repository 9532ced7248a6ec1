"""Units: epochs into updates, once, at the edge."""

from __future__ import annotations

from jaxlr.schedules import checks


def updates(epochs: int, *, examples: int, batch_size: int, accumulate: int = 1, drop_last: bool = True) -> int:
    """The number of optimizer updates in some epochs of training.

    updates = floor(epochs * batches / accumulate), batches = examples / batch_size, down if `drop_last`, else up

    An accumulation that an epoch's end interrupts goes on in the next epoch, as in `optax.MultiSteps`.

    Args:
      epochs: passes over the data; at least 0.
      examples: examples in an epoch; at least 1.
      batch_size: examples in a batch, summed over all devices; at least 1.
      accumulate: batches whose gradients make one update; at least 1.
      drop_last: whether an incomplete last batch of an epoch is left out.

    Returns:
      The number of updates, what every schedule counts.

    Raises:
      ValueError: a number out of range, or a batch larger than the data while incomplete ones are left out.
      TypeError: a number is no integer.

    Example:
      >>> import jaxlr
      >>> jaxlr.updates(90, examples=1_281_167, batch_size=256)
      450360
    """
    epochs = int(checks.length("epochs", epochs, minimum=0))
    examples = int(checks.length("examples", examples))
    batch_size = int(checks.length("batch_size", batch_size))
    accumulate = int(checks.length("accumulate", accumulate))
    if drop_last and batch_size > examples:
        raise ValueError(f"batch_size must be at most the number of examples, {examples}, got {batch_size}")
    batches = examples // batch_size if drop_last else -(-examples // batch_size)
    return epochs * batches // accumulate
