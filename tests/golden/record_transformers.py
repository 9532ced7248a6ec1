"""Records what the schedules of transformers do with random arguments; writes `transformers_schedules.npz`.

Run it as `python tests/golden/record_transformers.py` with transformers 5.24.0 and torch 2.14.1. The arguments come
from a seed; of 200 rates 24 are kept.
"""

from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "transformers_schedules.npz"
DRAWS, STEPS, KEPT = 20, 200, 24
NAMES = ["linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"]
NAMES += ["reduce_lr_on_plateau", "cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay"]


def cases(name: str) -> list[dict]:
    """The arguments of every draw."""
    random = np.random.default_rng([1, NAMES.index(name)])
    return [_case(name, random) for _ in range(DRAWS)]


def kept(name: str) -> np.ndarray:
    """The counts that are recorded, one row for each draw."""
    random = np.random.default_rng([2, NAMES.index(name)])
    rows = [np.sort(random.choice(np.arange(1, STEPS - 1), KEPT - 2, replace=False)) for _ in range(DRAWS)]
    return np.array([[0, *row, STEPS - 1] for row in rows])


def metrics(name: str, draw: int) -> np.ndarray:
    """A metric for every update, which wanders and repeats itself."""
    random = np.random.default_rng([3, NAMES.index(name), draw])
    values = np.exp(np.cumsum(random.normal(size=STEPS) * 0.1) + random.normal(size=STEPS) * 0.2)
    for i in np.flatnonzero(random.random(STEPS) < 0.2)[1:]:
        values[i] = values[i - 1]
    return values.astype(np.float32)


def _case(name: str, random: np.random.Generator) -> dict:
    def between(low: float, high: float) -> float:
        return float(random.uniform(low, high))

    def one_of(*options):
        return options[random.integers(len(options))]

    lr, warm = 10 ** between(-4, 0), one_of(0, int(random.integers(1, 60)))
    total = warm + int(random.integers(1, 220))
    waves = {"num_cycles": one_of(0.5, between(0.1, 4), 2)}
    low = one_of({"min_lr": lr * between(0, 0.9)}, {"min_lr_rate": between(0, 0.9)})
    words = ("linear", "cosine", "1-sqrt")
    decay = int(random.integers(1, total - warm + 1))
    phases = {"num_decay_steps": decay, "warmup_type": one_of(*words), "decay_type": one_of(*words)}
    rule = {"factor": between(0.1, 0.9), "patience": int(random.integers(0, 8)), "mode": one_of("min", "max")}
    rule |= {"threshold_mode": one_of("rel", "abs"), "cooldown": int(random.integers(0, 6))}
    specific = {
        "cosine": waves,
        "cosine_with_restarts": {"num_cycles": int(random.integers(1, 30))},
        "polynomial": {"lr_end": one_of(1e-7, lr * between(0, 0.9)), "power": one_of(1.0, between(0.3, 3))},
        "inverse_sqrt": {"timescale": one_of(None, int(random.integers(1, 300)))},
        "reduce_lr_on_plateau": {**rule, "min_lr": one_of(0.0, lr * 0.01)},
        "cosine_with_min_lr": {**waves, **low},
        "cosine_warmup_with_min_lr": {**waves, **low, "warmup_lr_rate": one_of(None, between(0, 1))},
        "warmup_stable_decay": {**phases, **waves, "min_lr_ratio": one_of(0.0, between(0, 0.9))},
    }
    return {
        "lr": lr,
        "num_warmup_steps": warm,
        "num_training_steps": total,
        "scheduler_specific_kwargs": specific.get(name, {}),
    }


def rates(name: str, arguments: dict, draw: int) -> np.ndarray:
    """transformers' own rates."""
    import torch
    from transformers import get_scheduler

    arguments = dict(arguments)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=arguments.pop("lr"))
    scheduler = get_scheduler(name, optimizer, **arguments)
    values = []
    for metric in metrics(name, draw):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([float(metric)] if name == "reduce_lr_on_plateau" else []))
    return np.array(values)


def main() -> None:
    """Writes the file."""
    import transformers

    recorded = {}
    for name in NAMES:
        rows = [rates(name, case, draw) for draw, case in enumerate(cases(name))]
        recorded[name] = np.take_along_axis(np.array(rows), kept(name), 1).astype(np.float32)
    np.savez_compressed(FILE, version=transformers.__version__, **recorded)


if __name__ == "__main__":
    main()
