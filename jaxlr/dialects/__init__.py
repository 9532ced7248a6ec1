"""The recipes of other frameworks under their own names: each module a thin table over jaxlr's own functions.

A module is loaded when it is first used, so that importing jaxlr stays quick. None imports the framework it is named
after, except where it reads a live object of it.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxlr.dialects import keras, optax, timm, torch, transformers
    from jaxlr.dialects.comparison import Comparison, report

__all__ = ["Comparison", "keras", "optax", "report", "timm", "torch", "transformers"]

# The list of all, in the order in which a name is looked for; everything that needs one asks for this.
FRAMEWORKS = ("torch", "keras", "transformers", "timm", "optax")
_FUNCTIONS = {"Comparison": "comparison", "report": "comparison"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    module = importlib.import_module(f"{__name__}.{_FUNCTIONS.get(name, name)}")
    return getattr(module, name) if name in _FUNCTIONS else module


@functools.cache
def names(framework: str) -> tuple[str, ...]:
    """The public names of a framework's module, read from its text: asking loads nothing.

    Example:
      >>> "StepLR" in names("torch")
      True
    """
    source = importlib.resources.files(__name__).joinpath(framework, "__init__.py").read_text(encoding="utf-8")
    (listed,) = (
        statement.value
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"
    )
    return tuple(ast.literal_eval(listed))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
