"""A call of every family of schedules, for its curve in the reference."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[3]
STEPS = 400


def by_family() -> dict[str, str]:
    """Family -> the call that the gallery of the README draws it with."""
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "benchmarks/gallery.py")
    assert spec is not None
    assert spec.loader is not None
    gallery = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gallery)
    calls = {text.split("(")[0]: text for text in reversed(gallery.CALLS) if not (" * " in text or ".repeat(" in text)}
    return calls | {
        "custom": "custom(lambda n, top: top * jnp.exp(-n / 100), top=1.0)",
        "cyclic": "cyclic(0.1, 1.0, 50, lambda cycle: 1 / cycle)",
        "noam": "noam(512, 80)",
    }


def rates(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Counts and rates of a call."""
    import jax.numpy as jnp
    from jaxlr import schedules

    counts = np.arange(STEPS)
    names = {name: getattr(schedules, name) for name in schedules.__all__}
    schedule = eval(text, {"jnp": jnp, **names})  # our own table
    at = counts // 80 if text.startswith("table") else counts
    return counts, np.asarray(schedule(at), np.float64)
