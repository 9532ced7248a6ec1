"""Records what DeepSpeed's schedules do with random arguments and with three JSON files; writes `deepspeed.npz`.

Run it as `python tests/golden/record_deepspeed.py CHECKOUT`, CHECKOUT a clone of DeepSpeed, with torch. The arguments
come from a seed; of 200 rates 24 are kept, and 60 of each JSON file's. `one_cycle_momentum` is the first beta.
"""

import json
import logging
import sys
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "deepspeed.npz"
CONFIGS = {"zero3_warmup_decay.json": 12100, "one_cycle.json": 2500, "cosine_auto.json": 3010}
FOLDER = Path(__file__).parents[1] / "dialects" / "configs" / "deepspeed"
DRAWS, STEPS, KEPT = 20, 200, 24
NAMES = ["LRRangeTest", "OneCycle", "WarmupLR", "WarmupDecayLR", "WarmupCosineLR", "one_cycle_momentum"]


def cases(name: str) -> list[dict]:
    """The arguments of every draw."""
    random = np.random.default_rng([21, NAMES.index(name)])
    return [_case(name, random) for _ in range(DRAWS)]


def _case(name: str, random: np.random.Generator) -> dict:
    def between(low: float, high: float) -> float:
        return float(random.uniform(low, high))

    def one_of(*options):
        return options[random.integers(len(options))]

    rate = 10 ** between(-5, 0)
    warm = {"warmup_num_steps": one_of(1, int(random.integers(1, 120))), "warmup_type": one_of("log", "linear")}
    if name == "LRRangeTest":
        steps = {"lr_range_test_step_size": int(random.integers(1, 50)), "lr_range_test_step_rate": between(0, 5)}
        return {"lr": 0.1, "lr_range_test_min_lr": rate, **steps, "lr_range_test_staircase": one_of(True, False)}
    if name in ("OneCycle", "one_cycle_momentum"):
        up, down = int(random.integers(1, 90)), one_of(None, int(random.integers(1, 90)))
        stairs = one_of(0, int(random.integers(1, min(up, down or up) + 1)))
        made = {"lr": 0.1, "cycle_min_lr": rate, "cycle_max_lr": rate * between(0.5, 10)}
        made |= {
            "decay_lr_rate": one_of(0.0, between(0, 2)),
            "cycle_first_step_size": up,
            "cycle_second_step_size": down,
        }
        made |= {"cycle_first_stair_count": stairs, "cycle_second_stair_count": one_of(None, 0, stairs)}
        made |= {"decay_step_size": one_of(0, int(random.integers(1, 40)))}
        return made | {"cycle_min_mom": between(0.5, 0.8), "cycle_max_mom": between(0.8, 0.9), "decay_mom_rate": 0.001}
    if name == "WarmupLR":
        low = one_of(0.0, rate * between(0, 1))
        return {"lr": rate, "warmup_min_lr": low, "warmup_max_lr": one_of(None, rate * between(1, 2)), **warm}
    total = int(random.integers(1, 220))
    if name == "WarmupDecayLR":
        lows = {"warmup_min_lr": one_of(0.0, rate * between(0, 1)), "warmup_max_lr": rate}
        return {"lr": 0.1, "total_num_steps": total, **lows, **warm}
    ratios = {"warmup_min_ratio": one_of(0.0, between(0, 1)), "cos_min_ratio": one_of(0.0001, between(0, 1))}
    return {"lr": rate, "total_num_steps": total, **ratios, **warm}


def kept(name: str) -> np.ndarray:
    """The counts that are recorded, one row for each draw."""
    random = np.random.default_rng([22, NAMES.index(name)])
    rows = [np.sort(random.choice(np.arange(2, STEPS - 1), KEPT - 2, replace=False)) for _ in range(DRAWS)]
    first = int(name == "one_cycle_momentum")  # whose first value is a defect
    return np.array([[first, *row, STEPS - 1] for row in rows])


def counts(config: str) -> np.ndarray:
    """The updates of a JSON file that are recorded: first, last, and some between."""
    return np.unique([1, 2, *np.linspace(0, CONFIGS[config], 58).astype(int)])


def values(module, name: str, arguments: dict, steps: int) -> np.ndarray:
    """DeepSpeed's own rates, or momenta."""
    import torch

    arguments = dict(arguments)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=arguments.pop("lr"))
    kind = "OneCycle" if name == "one_cycle_momentum" else name
    scheduler = getattr(module, kind)(optimizer, **arguments)
    found = []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        found.append(group["betas"][0] if name == "one_cycle_momentum" else group["lr"])
        scheduler.step()
    return np.array(found)


def main() -> None:
    """Writes the file."""
    import sources

    root = Path(sys.argv[1])
    module = sources.loaded(
        root / "deepspeed/runtime/lr_schedules.py",
        "lr_schedules",
        deepspeed={},
        deepspeed__utils={"logger": logging.getLogger("nobody")},
        deepspeed__runtime={},
        deepspeed__runtime__utils={"is_tensor": lambda value: False},
    )
    logging.disable()
    recorded = {}
    for name in NAMES:
        rows = [values(module, name, case, STEPS) for case in cases(name)]
        recorded[name] = np.take_along_axis(np.array(rows), kept(name), 1).astype(np.float32)
    for config in CONFIGS:
        said = json.loads((FOLDER / config).read_text())
        arguments = {"lr": said["optimizer"]["params"]["lr"], **said["scheduler"]["params"]}
        rates = values(module, said["scheduler"]["type"], arguments, CONFIGS[config] + 1)
        recorded[config] = rates[counts(config)].astype(np.float32)
    np.savez_compressed(FILE, version=sources.version(root), **recorded)


if __name__ == "__main__":
    main()
