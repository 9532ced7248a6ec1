"""Gradient transformations that compose in `optax.chain`."""

from jaxlr.transforms.learning_rate import (
    ScaleByLearningRateState,
    current_learning_rate,
    learning_rates,
    scale_by_learning_rate,
)

__all__ = [
    "ScaleByLearningRateState",
    "current_learning_rate",
    "learning_rates",
    "scale_by_learning_rate",
]
