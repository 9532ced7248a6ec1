"""Records what ReduceLROnPlateau of PyTorch and of Keras does with random metrics; writes `plateau_*.npz`.

Run it as `python tests/golden/record_plateau.py torch` with torch 2.14.1, and `... keras` with keras 3.15.1 and jax.
"""

import dataclasses
import os
import sys
import types
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
SEQUENCES = 1000
LENGTH = 40
BASE_RATE = 0.1


@dataclasses.dataclass
class Case:
    """One sequence of metrics and the arguments of the rule that sees it."""

    mode: str
    threshold_mode: str
    factor: float
    patience: int
    threshold: float
    cooldown: int
    min_lr: float
    eps: float
    metrics: np.ndarray


def cases(framework: str) -> list[Case]:
    """Random arguments and metrics: falling or rising, with repeats and NaNs, of any sign where that is sound."""
    random = np.random.default_rng(11)
    return [_case(random, framework) for _ in range(SEQUENCES)]


def _case(random: np.random.Generator, framework: str) -> Case:
    mode = str(random.choice(["min", "max"]))
    threshold_mode = "abs" if framework == "keras" else str(random.choice(["rel", "abs"]))
    metrics = random.normal(size=LENGTH) * 10 ** random.uniform(-3, 0)
    metrics += (1 if mode == "max" else -1) * np.linspace(0, 1, LENGTH) ** random.uniform(0.2, 1) * random.uniform(0, 2)
    if threshold_mode == "rel":
        metrics = np.exp(metrics)  # PyTorch's relative threshold is wrong below 0
    for i in range(1, LENGTH):
        if random.random() < 0.3:
            metrics[i] = metrics[i - 1]
        if random.random() < 0.02:
            metrics[i] = np.nan
    return Case(
        mode=mode,
        threshold_mode=threshold_mode,
        factor=float(random.choice([0.0, 0.1, 0.3, 0.5, 0.9])),
        patience=int(random.integers(0, 6)),
        threshold=float(random.choice([0.0, 1e-4, 1e-2, 0.1])),
        cooldown=int(random.integers(0, 5)),
        min_lr=float(random.choice([0.0, 1e-3, 0.02])),
        eps=0.0 if framework == "keras" else float(random.choice([0.0, 1e-8, 2e-3])),
        metrics=metrics.astype(np.float32),
    )


def record_torch(case: Case) -> list[float]:
    """The rate after each metric."""
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE_RATE)
    arguments = {k: v for k, v in vars(case).items() if k != "metrics"}
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **arguments)
    rates = []
    for metric in case.metrics:
        scheduler.step(float(metric))
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def record_keras(case: Case) -> list[float]:
    """The rate after each metric."""
    import keras

    callback = keras.callbacks.ReduceLROnPlateau(
        monitor="metric",
        mode=case.mode,
        factor=case.factor,
        patience=case.patience,
        min_delta=case.threshold,
        cooldown=case.cooldown,
        min_lr=case.min_lr,
    )
    model = types.SimpleNamespace(optimizer=types.SimpleNamespace(learning_rate=BASE_RATE))
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, metric in enumerate(case.metrics):
        callback.on_epoch_end(epoch, {"metric": float(metric)})
        rates.append(float(model.optimizer.learning_rate))
    return rates


def main(framework: str) -> None:
    """Writes the file of one framework."""
    if framework == "keras":
        os.environ["KERAS_BACKEND"] = "jax"
    record = {"torch": record_torch, "keras": record_keras}[framework]
    rates = np.array([record(case) for case in cases(framework)], np.float32)
    version = __import__(framework).__version__
    np.savez_compressed(FOLDER / f"plateau_{framework}.npz", version=version, rates=rates)


if __name__ == "__main__":
    main(sys.argv[1])
