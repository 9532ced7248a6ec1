"""The recipes of other frameworks under their own names: each module a thin table over jaxlr's own functions.

A module is loaded when it is first used, so that importing jaxlr stays quick. None imports the framework it is named
after, except where it reads a live object of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxlr.dialects import keras, optax, timm, torch, transformers
    from jaxlr.dialects.comparison import Comparison, report

__all__ = ["Comparison", "keras", "optax", "report", "timm", "torch", "transformers"]

# The public names of each framework, known without loading its module.
NAMES = {
    "torch": """
        SGD Adagrad Adam AdamW Adamax ChainedScheduler ConstantLR CosineAnnealingLR CosineAnnealingWarmRestarts
        CyclicLR ExponentialLR LambdaLR LinearLR MultiStepLR MultiplicativeLR NAdam OneCycleLR PolynomialLR RAdam
        RMSprop ReduceLROnPlateau SequentialLR StepLR cyclic_momentum from_optimizer from_scheduler
        load_optimizer_state momentum_from_scheduler one_cycle_momentum optimizer_state_dict scheduler_count
        scheduler_state_dict
    """,
    "keras": """
        SGD Adadelta Adagrad Adam AdamW Adamax CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay Nadam
        PiecewiseConstantDecay PolynomialDecay RMSprop ReduceLROnPlateau from_config
    """,
    "transformers": """
        get_constant_schedule get_constant_schedule_with_warmup get_cosine_schedule_with_warmup
        get_cosine_with_hard_restarts_schedule_with_warmup get_cosine_with_min_lr_schedule_with_warmup
        get_cosine_with_min_lr_schedule_with_warmup_lr_rate get_inverse_sqrt_schedule get_linear_schedule_with_warmup
        get_polynomial_decay_schedule_with_warmup get_reduce_on_plateau_schedule get_scheduler get_wsd_schedule
    """,
    "timm": """
        CosineLRScheduler MultiStepLRScheduler PlateauLRScheduler PolyLRScheduler StepLRScheduler TanhLRScheduler
        WSDLRScheduler
    """,
    "optax": """
        constant_schedule cosine_decay_schedule cosine_onecycle_schedule exponential_decay join_schedules
        linear_onecycle_schedule linear_schedule piecewise_constant_schedule piecewise_interpolate_schedule
        polynomial_schedule sgdr_schedule warmup_constant_schedule warmup_cosine_decay_schedule
        warmup_exponential_decay_schedule
    """,
}
_FUNCTIONS = {"Comparison": "comparison", "report": "comparison"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    module = importlib.import_module(f"{__name__}.{_FUNCTIONS.get(name, name)}")
    return getattr(module, name) if name in _FUNCTIONS else module


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
