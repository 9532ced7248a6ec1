"""A call of every family of schedules, for its curve in the reference."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[3]
STEPS = 400


@cache
def gallery() -> Any:
    """The gallery of the README as a module."""
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "benchmarks/gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_family() -> dict[str, str]:
    """Family -> the call that the gallery draws it with."""
    texts = [*gallery().CALLS, *gallery().examples()]
    calls = {text.split("(")[0]: text for text in reversed(texts) if not (" * " in text or ".repeat(" in text)}
    return calls | {
        "custom": "custom(lambda n, top: top * jnp.exp(-n / 100), top=1.0)",
        "cyclic": "cyclic(0.1, 1.0, 50, lambda cycle: 1 / cycle)",
        "noam": "noam(512, 80)",
    }


def updates(text: str) -> int:
    """Over how many updates a call is drawn: that of a docstring as far as it goes."""
    from jaxlr.schedules import parse

    return parse(text).span() if text in gallery().examples() else STEPS


def rates(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Counts and rates of a call."""
    import jax.numpy as jnp
    from jaxlr.schedules import FAMILIES

    schedule = eval(text, {"jnp": jnp, **FAMILIES})  # our own table
    return np.arange(STEPS) * updates(text) // STEPS, np.asarray(schedule(gallery().places(text, schedule)), np.float64)
