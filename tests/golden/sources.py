"""What the recorders share that run pieces of a framework's own source out of a checkout of it."""

import ast
import importlib.util
import subprocess
import sys
import types
from pathlib import Path

import numpy as np


def loaded(path: Path, name: str, **stand_ins: dict) -> types.ModuleType:
    """A file of a framework as a module, with stand-ins for what it imports, by their paths with `__` for dots."""
    for module, contents in stand_ins.items():
        made = types.ModuleType(module.replace("__", "."))
        made.__dict__.update(contents)
        sys.modules[made.__name__] = made
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def functions(path: Path, names: list[str], scope: dict) -> dict:
    """Some functions of a file too heavy to load, run alone with what they need in their scope."""
    tree = ast.parse(path.read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in names]
    for node in found[: len(names)]:
        exec(compile(ast.Module([node], []), str(path), "exec"), scope)
    return scope


def version(root: Path) -> str:
    """The commit of a checkout."""
    return subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()


def kept(seed: list[int], draws: int, steps: int, count: int) -> np.ndarray:
    """The counts that are recorded, one row for each draw: the first, the last and some between."""
    random = np.random.default_rng(seed)
    rows = [np.sort(random.choice(np.arange(1, steps - 1), count - 2, replace=False)) for _ in range(draws)]
    return np.array([[0, *row, steps - 1] for row in rows])
