"""Records what GreedyLR of transformers does with random metrics; writes `greedy_transformers.npz`.

Sequences are marked in which its rate comes to lie above `min_lr` by a rounding of float64 alone (`min_lr / factor *
factor`): where `eps` forbids the last step, it then waits for ever to be at `min_lr`, and never begins anew.

Run it as `python tests/golden/record_greedy.py` with transformers 5.24.0 and torch 2.14.1.
"""

import dataclasses
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "greedy_transformers.npz"
SEQUENCES, LENGTH = 520, 80


@dataclasses.dataclass
class Case:
    """One sequence of metrics, the first rate, and the arguments of the rule that sees it."""

    lr: float
    metrics: np.ndarray
    arguments: dict


def cases() -> list[Case]:
    """Random arguments and metrics: falling or rising, with repeats, of any sign where that is sound."""
    random = np.random.default_rng(17)
    return [_case(random) for _ in range(SEQUENCES)]


def _case(random: np.random.Generator) -> Case:
    def one_of(*options):
        return options[random.integers(len(options))]

    mode, threshold_mode = one_of("min", "max"), one_of("abs", "rel")
    lr = float(10 ** random.uniform(-4, 0.2))
    smooth = bool(random.random() < 0.4)
    metrics = random.normal(size=LENGTH) * 10 ** random.uniform(-3, -0.5)
    turns = np.cumsum(random.normal(size=LENGTH)) * 0.1 + one_of(-1, 1) * np.linspace(0, 2, LENGTH)
    metrics = metrics + turns * random.uniform(0, 2)
    if threshold_mode == "rel":
        metrics = np.exp(metrics)  # the relative threshold is wrong below 0
    for i in range(1, LENGTH):
        if not smooth and random.random() < 0.2:  # of a running mean equal metrics leave the rounding of its sum
            metrics[i] = metrics[i - 1]
    arguments = {
        "mode": mode,
        "threshold_mode": threshold_mode,
        "factor": one_of(0.3, 0.5, 0.9, 0.95, float(random.uniform(0.05, 0.99))),
        "patience": int(random.integers(0, 5)),
        "threshold": one_of(0.0, 1e-6, 1e-3, 0.05),
        "cooldown": int(random.integers(0, 4)),
        "warmup": int(random.integers(0, 4)),
        "min_lr": one_of(1e-6 * lr, 1e-3, 0.3 * lr),
        "max_lr": one_of(1.0, 2.0, 3 * lr),
        "eps": one_of(0.0, 1e-8, 0.02 * lr),
        "smooth": smooth,
        "window_size": 7,
        "reset_start": one_of(1, 2, 5, 500),
    }
    arguments["max_lr"] = max(arguments["max_lr"], arguments["min_lr"])
    return Case(lr, metrics.astype(np.float32), arguments)


def rates(case: Case) -> list[float]:
    """The rate after each metric."""
    import torch
    from transformers.optimization import GreedyLR

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=case.lr)
    scheduler = GreedyLR(optimizer, **case.arguments)
    values = []
    for metric in case.metrics:
        scheduler.step(float(metric))
        values.append(optimizer.param_groups[0]["lr"])
    return values


def main() -> None:
    """Writes the file."""
    import transformers

    recorded = np.array([rates(case) for case in cases()])
    least = np.array([[case.arguments["min_lr"]] for case in cases()])
    astray = ((recorded > least) & (recorded < least * (1 + 1e-12))).any(1)
    rounded = recorded.astype(np.float32)
    np.savez_compressed(FILE, version=transformers.__version__, rates=rounded, astray=astray)
    print(f"{len(recorded)} sequences, {astray.sum()} of them astray")


if __name__ == "__main__":
    main()
