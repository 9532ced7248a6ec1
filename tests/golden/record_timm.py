"""Records what the schedulers of timm do with random arguments; writes `timm_schedules.npz`.

Run it as `python tests/golden/record_timm.py` with timm 1.0.31 and torch 2.14.1. The arguments come from a seed; of 200
rates 24 are kept. Where timm has no rate at all, a NaN stands.
"""

import warnings
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "timm_schedules.npz"
DRAWS, STEPS, KEPT = 20, 200, 24
NAMES = ["StepLRScheduler", "MultiStepLRScheduler", "CosineLRScheduler", "TanhLRScheduler", "PolyLRScheduler"]
NAMES += ["WSDLRScheduler", "PlateauLRScheduler"]


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
    """A metric for every epoch, which wanders and repeats itself."""
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

    lr = 10 ** between(-4, 0)
    low = one_of(0.0, lr * between(0, 0.5))
    warm = {"warmup_t": one_of(0, int(random.integers(1, 30))), "warmup_lr_init": one_of(0.0, lr * between(0, 2))}
    prefix = {"warmup_prefix": one_of(True, False)}
    cycles = {
        "t_initial": int(random.integers(2, 120)),
        "lr_min": low,
        "cycle_mul": one_of(1.0, 1.0, 2.0, 3.0, 1.5, between(1, 3)),
        "cycle_decay": one_of(1.0, 0.5, between(0.1, 1.1)),
        "cycle_limit": int(random.integers(1, 6)),
    }
    if name == "StepLRScheduler":
        step = one_of(int(random.integers(1, 60)), 2.4, 1.1, between(1, 40))
        return {"lr": lr, "decay_t": step, "decay_rate": between(0.1, 1), **warm, **prefix}
    if name == "MultiStepLRScheduler":
        milestones = sorted(int(m) for m in random.integers(1, STEPS, size=random.integers(1, 6)))
        return {"lr": lr, "decay_t": milestones, "decay_rate": between(0.1, 1), **warm, **prefix}
    if name == "CosineLRScheduler":
        return {"lr": lr, **cycles, **warm, **prefix, "k_decay": one_of(1.0, between(0.3, 3))}
    if name == "TanhLRScheduler":
        return {"lr": lr, **cycles, **warm, **prefix, "lb": -between(1, 9), "ub": between(0, 6)}
    if name == "PolyLRScheduler":
        powers = {"power": one_of(0.5, 1.0, between(0.3, 3)), "k_decay": one_of(1.0, between(0.3, 3))}
        return {"lr": lr, **cycles, **warm, **prefix, **powers}
    if name == "WSDLRScheduler":
        length = int(random.integers(2, 220))
        words = {"stable_fn": one_of("constant", "rsqrt", "power"), "stable_timescale": int(random.integers(1, 50))}
        words |= {"stable_power": one_of(0.5, between(0.1, 2))}
        words |= {"decay_fn": one_of("linear", "1-sqrt", "cosine", "power", "exp"), "decay_power": between(0.3, 3)}
        lengths = {"t_initial": length, "decay_t": int(random.integers(1, length + 1))}
        return {"lr": lr, **lengths, "lr_min": low, **words, "decay_ratio": between(0.01, 0.9), **warm}
    rule = {"decay_rate": between(0.1, 0.9), "patience_t": int(random.integers(0, 8)), "mode": one_of("min", "max")}
    rule |= {"threshold": one_of(0.0, 1e-4, 1e-2), "cooldown_t": int(random.integers(0, 6))}
    return {"lr": lr, **rule, **warm, "lr_min": one_of(0.0, lr * 0.01)}


def rates(name: str, arguments: dict, draw: int) -> np.ndarray:
    """timm's own rates."""
    import timm.scheduler
    import torch

    arguments = dict(arguments)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=arguments.pop("lr"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a cosine of one update, a scheduler that will be gone one day
        scheduler = getattr(timm.scheduler, name)(optimizer, **arguments)
    values = []
    for t in range(STEPS):
        try:
            if name == "PlateauLRScheduler":
                if t:  # its warm-up starts at its making
                    scheduler.step(t, float(metrics(name, draw)[t - 1]))
            else:
                scheduler.step(t)
            value = optimizer.param_groups[0]["lr"]
            values.append(np.nan if isinstance(value, complex) else value)
        except TypeError:  # a cosine of a complex number
            values.append(np.nan)
    return np.array(values)


def main() -> None:
    """Writes the file."""
    import timm

    recorded = {}
    for name in NAMES:
        rows = [rates(name, case, draw) for draw, case in enumerate(cases(name))]
        recorded[name] = np.take_along_axis(np.array(rows), kept(name), 1).astype(np.float32)
    np.savez_compressed(FILE, version=timm.__version__, **recorded)


if __name__ == "__main__":
    main()
