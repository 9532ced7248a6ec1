"""Keras 3: its schedules, ReduceLROnPlateau, its optimizers, and what its `get_config()` writes."""

from jaxlr.dialects.keras.configs import from_config
from jaxlr.dialects.keras.ftrl import Ftrl
from jaxlr.dialects.keras.norms import Adafactor, Lamb, Muon
from jaxlr.dialects.keras.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Lion, Nadam, RMSprop
from jaxlr.dialects.keras.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
    ReduceLROnPlateau,
)

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "Ftrl",
    "InverseTimeDecay",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "RMSprop",
    "ReduceLROnPlateau",
    "from_config",
]
