"""Records what fastai and torch-lr-finder suggest on random curves; writes `suggestions.npz`.

Run it as `python tests/golden/record_suggestions.py` with torch 2.14.1, fastai 2.8.12 and torch-lr-finder 0.2.2. Of
fastai the four rules alone are taken, out of its file, so it may be installed without what it depends on.
"""

import ast
import importlib.util
from pathlib import Path

import matplotlib
import numpy as np

CURVES = 60
FASTAI_RULES = ("valley", "slide", "minimum", "steep")


def curve(random: np.random.Generator, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """A loss that falls and explodes over an exponential grid, and on some grids a second, lesser fall before."""
    points = int(random.integers(40, 151))
    rates = np.geomspace(10 ** random.uniform(-8, -4), 10 ** random.uniform(-1, 2), points)
    place = np.linspace(0.0, 1.0, points)
    losses = random.uniform(1, 3) - random.uniform(0.5, 1) / (1 + np.exp(-(place - random.uniform(0.3, 0.6)) * 30))
    losses -= random.uniform(0, 0.2) / (1 + np.exp(-(place - random.uniform(0.1, 0.3)) * 40))
    losses += np.exp((place - random.uniform(0.8, 0.95)) * random.uniform(30, 80))
    losses += noise * random.normal(size=points)
    return rates.astype(np.float32), losses.astype(np.float32)


def fastai_rules() -> dict:
    """The rules, compiled from the text of the installed package."""
    import torch

    folder = Path(importlib.util.find_spec("fastai").origin).parent
    tree = ast.parse((folder / "callback" / "schedule.py").read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in FASTAI_RULES]
    rules = {"np": np, "to_np": torch.Tensor.numpy}
    exec(compile(tree, "schedule.py", "exec"), rules)
    return rules


def torch_lr_finder(rates: np.ndarray, losses: np.ndarray) -> float:
    """The suggestion of LRFinder.plot, nothing left out."""
    from torch_lr_finder import LRFinder

    finder = LRFinder.__new__(LRFinder)
    finder.history = {"lr": [float(rate) for rate in rates], "loss": [float(loss) for loss in losses]}
    axes = matplotlib.figure.Figure().add_subplot()
    _, rate = finder.plot(skip_start=0, skip_end=0, ax=axes, suggest_lr=True)
    return rate


def main() -> None:
    import torch

    random = np.random.default_rng(5)
    rules = fastai_rules()
    columns = {name: [] for name in ("points", "rates", "losses", "noisy", *FASTAI_RULES, "torch_lr_finder")}
    for index in range(CURVES):
        noisy = index % 2 == 1
        rates, losses = curve(random, noise=0.02 if noisy else 0.0)
        padding = (0, 150 - len(rates))
        columns["points"].append(len(rates))
        columns["rates"].append(np.pad(rates, padding))
        columns["losses"].append(np.pad(losses, padding))
        columns["noisy"].append(noisy)
        for name in FASTAI_RULES:
            columns[name].append(rules[name](torch.tensor(rates), torch.tensor(losses), len(rates))[0])
        columns["torch_lr_finder"].append(torch_lr_finder(rates, losses))
    versions = np.array(["fastai 2.8.12", "torch-lr-finder 0.2.2", f"torch {torch.__version__}"])
    arrays = {name: np.array(values) for name, values in columns.items()}
    np.savez_compressed(Path(__file__).parent / "suggestions.npz", made_by=versions, **arrays)


if __name__ == "__main__":
    main()
