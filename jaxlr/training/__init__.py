"""Training a small convolutional network on real images (the extra `train`): the front door.

A name is loaded when it is first used, so that `jaxlr.training.data` or the options cost no Flax.

    from jaxlr.training import TrainConfig, load_network, train

    train(TrainConfig(epochs=3, checkpoint_every="1ep"), out=Path("runs/mine"))
    outputs = load_network("runs/mine")(images)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from jaxlr.arguments import meant

if TYPE_CHECKING:
    from jaxlr.errors import Stopped, TrainingDiverged
    from jaxlr.training.runs.config import TrainConfig
    from jaxlr.training.runs.planning import Plan, plan
    from jaxlr.training.runs.run import execute, prepare, resume, train
    from jaxlr.training.runs.saving.loading import load_network

__all__ = [
    "Plan",
    "Stopped",
    "TrainConfig",
    "TrainingDiverged",
    "execute",
    "load_network",
    "plan",
    "prepare",
    "resume",
    "train",
]

_PLACES = {
    "Plan": "jaxlr.training.runs.planning",
    "Stopped": "jaxlr.errors",
    "TrainConfig": "jaxlr.training.runs.config",
    "TrainingDiverged": "jaxlr.errors",
    "load_network": "jaxlr.training.runs.saving.loading",
    "plan": "jaxlr.training.runs.planning",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{meant(name, __all__)}")
    try:
        return getattr(importlib.import_module(_PLACES.get(name, "jaxlr.training.runs.run")), name)
    except ModuleNotFoundError as error:
        raise ImportError(f'{__name__} needs {error.name}: pip install "jaxlr[train]"') from None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
