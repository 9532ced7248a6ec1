"""What the recorders have in common that call a function of a source tree: seeded arguments, kept counts, the file."""

import ast
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

DRAWS, STEPS, KEPT = 20, 200, 24


class Dice:
    """Random arguments."""

    def __init__(self, seed: Sequence[int]):
        self.random = np.random.default_rng(seed)

    def between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return int(self.random.integers(low, high + 1))

    def one_of(self, *options):
        return options[self.random.integers(len(options))]

    def rising(self, low: int, high: int, count: int) -> list[int]:
        """Different integers in [low, high], in order."""
        return sorted(int(n) for n in self.random.choice(np.arange(low, high + 1), count, replace=False))

    def rate(self) -> float:
        return 10 ** self.between(-4, 0)


def drawn(case: Callable[[str, Dice], dict], names: Sequence[str], name: str, *, seed: int = 1) -> list[dict]:
    """The arguments of every draw of a name."""
    dice = Dice([seed, names.index(name)])
    return [case(name, dice) for _ in range(DRAWS)]


def kept(names: Sequence[str], name: str, *, seed: int = 2) -> np.ndarray:
    """The counts that are recorded, one row for each draw: both ends, and others."""
    return kept_of([seed, names.index(name)])


def kept_of(seed: Sequence[int], first: Sequence[int] = (0,), *, among: int | None = None) -> np.ndarray:
    """The counts that are recorded: the first, the last, and others from `among`, which is behind the first, on."""
    random = np.random.default_rng(seed)
    others = np.arange(len(first) if among is None else among, STEPS - 1)
    rows = [np.sort(random.choice(others, KEPT - len(first) - 1, replace=False)) for _ in range(DRAWS)]
    return np.array([[*first, *row, STEPS - 1] for row in rows])


def parts_of(path: Path, names: Sequence[str], given: dict) -> dict:
    """Functions, classes and constants of a file by name, without what else the file imports and does."""
    tree = ast.parse(path.read_text())
    body = [node for node in tree.body if {getattr(node, "name", None), *_targets(node)} & {*names}]
    found = dict(given)
    exec(compile(ast.Module(body, []), str(path), "exec"), found)
    return found


def _targets(node: ast.stmt) -> list[str]:
    return [ast.unparse(target) for target in node.targets] if isinstance(node, ast.Assign) else []


def commit(checkout: Path) -> str:
    return subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()


def rates_of(schedule: Callable, counts: np.ndarray) -> np.ndarray:
    """A source's rates at some counts, one call for each."""
    return np.array([float(schedule(int(n))) for n in counts])


def save(file: Path, versions: Sequence[Path], rows: dict[str, list]) -> None:
    """Writes the rates as float32, a list of them for each name, and the commits that made them."""
    arrays = {name: np.asarray(values, np.float32) for name, values in rows.items()}
    np.savez_compressed(file, version=" ".join(map(commit, versions)), **arrays)
