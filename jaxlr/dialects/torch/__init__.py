"""PyTorch's schedulers and optimizers under their own names, live PyTorch objects and state dicts as jaxlr's."""

from jaxlr.dialects.torch.composition import ChainedScheduler, SequentialLR
from jaxlr.dialects.torch.cycling import CyclicLR, OneCycleLR, cyclic_momentum, one_cycle_momentum
from jaxlr.dialects.torch.groups import from_optimizer
from jaxlr.dialects.torch.live import (
    from_scheduler,
    momentum_from_scheduler,
    scheduler_count,
    scheduler_state_dict,
)
from jaxlr.dialects.torch.matrices import Adafactor, Muon
from jaxlr.dialects.torch.optimizers import SGD, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop
from jaxlr.dialects.torch.schedulers import (
    SWALR,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    ReduceLROnPlateau,
    StepLR,
)
from jaxlr.dialects.torch.sizes import ASGD, Adadelta, Rprop
from jaxlr.dialects.torch.state_dicts import load_optimizer_state, optimizer_state_dict

__all__ = [
    "ASGD",
    "SGD",
    "SWALR",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "Muon",
    "NAdam",
    "OneCycleLR",
    "PolynomialLR",
    "RAdam",
    "RMSprop",
    "ReduceLROnPlateau",
    "Rprop",
    "SequentialLR",
    "StepLR",
    "cyclic_momentum",
    "from_optimizer",
    "from_scheduler",
    "load_optimizer_state",
    "momentum_from_scheduler",
    "one_cycle_momentum",
    "optimizer_state_dict",
    "scheduler_count",
    "scheduler_state_dict",
]
