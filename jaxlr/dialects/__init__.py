"""The recipes of other frameworks under their own names: each module a thin table over jaxlr's own functions.

A module is loaded when it is first used, so that importing jaxlr stays quick. None imports the framework it is named
after, except where it reads a live object of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from jaxlr.hints import FRAMEWORKS as FRAMEWORKS
from jaxlr.hints import names as names

if TYPE_CHECKING:
    from jaxlr.dialects import (
        axlearn,
        big_vision,
        caffe,
        deepspeed,
        diffusers,
        fairseq,
        fastai,
        keras,
        levanter,
        maxtext,
        megatron,
        mlx,
        mmengine,
        nanochat,
        olmo,
        optax,
        paddle,
        t5x,
        tf_keras,
        timm,
        torch,
        torchtitan,
        transformers,
    )
    from jaxlr.dialects.comparison import Comparison, report
    from jaxlr.dialects.files import from_arguments, from_file
    from jaxlr.dialects.recipe import Recipe

__all__ = [
    "Comparison",
    "Recipe",
    "axlearn",
    "big_vision",
    "caffe",
    "deepspeed",
    "diffusers",
    "fairseq",
    "fastai",
    "from_arguments",
    "from_file",
    "keras",
    "levanter",
    "maxtext",
    "megatron",
    "mlx",
    "mmengine",
    "nanochat",
    "olmo",
    "optax",
    "paddle",
    "report",
    "t5x",
    "tf_keras",
    "timm",
    "torch",
    "torchtitan",
    "transformers",
]

_FUNCTIONS = {
    "Comparison": "comparison",
    "Recipe": "recipe",
    "from_arguments": "files",
    "from_file": "files",
    "report": "comparison",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    module = importlib.import_module(f"{__name__}.{_FUNCTIONS.get(name, name)}")
    return getattr(module, name) if name in _FUNCTIONS else module


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
