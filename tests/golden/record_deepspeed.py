"""Records what DeepSpeed's schedules do with random arguments and with three JSON files; writes `deepspeed.npz`.

Run it as `python tests/golden/record_deepspeed.py CHECKOUT`, CHECKOUT a clone of DeepSpeed, with torch. The arguments
come from a seed; of 200 rates 24 are kept, and 60 of each JSON file's. `one_cycle_momentum` is the first beta.
"""

import json
import logging
import sys
from pathlib import Path

import numpy as np
import recording
from recording import STEPS, Dice, drawn

FILE = Path(__file__).parent / "deepspeed.npz"
CONFIGS = {"zero3_warmup_decay.json": 12100, "one_cycle.json": 2500, "cosine_auto.json": 3010}
FOLDER = Path(__file__).parents[1] / "dialects" / "configs" / "deepspeed"
NAMES = ["LRRangeTest", "OneCycle", "WarmupLR", "WarmupDecayLR", "WarmupCosineLR", "one_cycle_momentum"]


def cases(name: str) -> list[dict]:
    """The arguments of every draw."""
    return drawn(_case, NAMES, name, seed=21)


def _case(name: str, dice: Dice) -> dict:
    rate = 10 ** dice.between(-5, 0)
    warm = {"warmup_num_steps": dice.one_of(1, dice.whole(1, 119)), "warmup_type": dice.one_of("log", "linear")}
    if name == "LRRangeTest":
        steps = {"lr_range_test_step_size": dice.whole(1, 49), "lr_range_test_step_rate": dice.between(0, 5)}
        return {"lr": 0.1, "lr_range_test_min_lr": rate, **steps, "lr_range_test_staircase": dice.one_of(True, False)}
    if name in ("OneCycle", "one_cycle_momentum"):
        up, down = dice.whole(1, 89), dice.one_of(None, dice.whole(1, 89))
        stairs = dice.one_of(0, dice.whole(1, min(up, down or up)))
        made = {"lr": 0.1, "cycle_min_lr": rate, "cycle_max_lr": rate * dice.between(0.5, 10)}
        made |= {
            "decay_lr_rate": dice.one_of(0.0, dice.between(0, 2)),
            "cycle_first_step_size": up,
            "cycle_second_step_size": down,
        }
        made |= {"cycle_first_stair_count": stairs, "cycle_second_stair_count": dice.one_of(None, 0, stairs)}
        made |= {"decay_step_size": dice.one_of(0, dice.whole(1, 39))}
        return made | {
            "cycle_min_mom": dice.between(0.5, 0.8),
            "cycle_max_mom": dice.between(0.8, 0.9),
            "decay_mom_rate": 0.001,
        }
    if name == "WarmupLR":
        low = dice.one_of(0.0, rate * dice.between(0, 1))
        return {"lr": rate, "warmup_min_lr": low, "warmup_max_lr": dice.one_of(None, rate * dice.between(1, 2)), **warm}
    total = dice.whole(1, 219)
    if name == "WarmupDecayLR":
        lows = {"warmup_min_lr": dice.one_of(0.0, rate * dice.between(0, 1)), "warmup_max_lr": rate}
        return {"lr": 0.1, "total_num_steps": total, **lows, **warm}
    ratios = {
        "warmup_min_ratio": dice.one_of(0.0, dice.between(0, 1)),
        "cos_min_ratio": dice.one_of(0.0001, dice.between(0, 1)),
    }
    return {"lr": rate, "total_num_steps": total, **ratios, **warm}


def kept(name: str) -> np.ndarray:
    """The counts that are recorded, one row for each draw."""
    first = int(name == "one_cycle_momentum")  # whose first value is a defect
    return recording.kept_of([22, NAMES.index(name)], [first], among=2)


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
