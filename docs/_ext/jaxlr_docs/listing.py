"""What the reference lists: read from its sources, without Sphinx."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

HOMES: dict[int, str] = {}
REST: dict[str, list[str]] = {}  # module -> the names that no page asks for, where one asks for `*`


def home(thing: Any, module: str, name: str) -> str:
    """The full name under which the reference has an object, whichever module it is asked of."""
    if inspect.ismodule(thing):
        return thing.__name__
    return HOMES.get(id(thing), f"{module}.{name}")


def read(folder: Path) -> None:
    """Learns from the reference's sources where each object has its entry."""
    HOMES.clear()
    REST.clear()
    asked = [each for path in sorted(folder.rglob("*.rst")) for each in listed(path.read_text())]
    for module, name in asked:
        if name != "*":
            HOMES.setdefault(id(getattr(importlib.import_module(module), name)), f"{module}.{name}")
    for module in (module for module, name in asked if name == "*"):
        REST[module] = [name for name in public(importlib.import_module(module)) if _is_homeless(module, name)]
        HOMES.update({id(getattr(importlib.import_module(module), name)): f"{module}.{name}" for name in REST[module]})


def names(module: str, asked: list[str]) -> list[str]:
    """The names that a page asks for; `*` is whatever no page has asked for."""
    return [name for each in asked for name in (REST.get(module, []) if each == "*" else [each])]


def _is_homeless(module: str, name: str) -> bool:
    thing = getattr(importlib.import_module(module), name)
    return not inspect.ismodule(thing) and id(thing) not in HOMES


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
