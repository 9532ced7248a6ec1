"""What the reference lists: read from its sources, without Sphinx."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

HOMES: dict[int, str] = {}


def home(thing: Any, module: str, name: str) -> str:
    """The full name under which the reference has an object, whichever module it is asked of."""
    if inspect.ismodule(thing):
        return thing.__name__
    return HOMES.get(id(thing), f"{module}.{name}")


def read(folder: Path) -> None:
    """Learns from the reference's sources where each object has its entry."""
    HOMES.clear()
    for path in sorted(folder.rglob("*.rst")):
        for module, name in listed(path.read_text()):
            HOMES.setdefault(id(getattr(importlib.import_module(module), name)), f"{module}.{name}")


def public(module: Any) -> list[str]:
    """The names that a module promises."""
    return list(module.__all__)


def listed(text: str) -> list[tuple[str, str]]:
    """Module and name of every entry that a page of the reference asks for."""
    found: list[tuple[str, str]] = []
    module = None
    for line in text.splitlines():
        if line.startswith(".. entries:: "):
            module = line.split()[-1]
        elif module and line.startswith("   "):
            found += [(module, name) for name in line.split()]
        elif line.strip():
            module = None
    return found
