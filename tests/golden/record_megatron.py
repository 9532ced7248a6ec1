"""Records what Megatron-LM's scheduler does with random arguments and with three launch files; writes `megatron.npz`.

Run it as `python tests/golden/record_megatron.py CHECKOUT`, CHECKOUT a clone of Megatron-LM, with torch. The arguments
come from a seed; of 200 rates and weight decays 24 are kept, and 60 of each launch file's.
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import recording
from recording import STEPS, Dice, drawn

FILE = Path(__file__).parent / "megatron.npz"
NAMES = ["constant", "linear", "cosine", "inverse-square-root"]
NAMES += [f"WSD {style}" for style in ("linear", "cosine", "exponential", "minus_sqrt")]

# What the launch files in tests/dialects/configs/megatron say, and Megatron's defaults.
_DEFAULTS = {
    "train_iters": None,
    "train_samples": None,
    "lr_decay_iters": None,
    "lr_decay_samples": None,
    "lr_warmup_init": 0.0,
}
_DEFAULTS |= {"lr_warmup_fraction": None, "lr_warmup_iters": 0, "lr_warmup_samples": 0, "lr_wsd_decay_iters": None}
_DEFAULTS |= {"lr_wsd_decay_samples": None, "lr_wsd_decay_style": "exponential", "weight_decay_incr_style": "constant"}
_DEFAULTS |= {"use_checkpoint_opt_param_scheduler": False, "override_opt_param_scheduler": False, "decoupled": None}
CONFIGS = {
    "gpt_1p3b.sh": {
        "train_iters": 40000,
        "global_batch_size": 512,
        "lr": 2e-4,
        "min_lr": 2e-5,
        "lr_decay_style": "cosine",
    }
    | {"lr_warmup_fraction": 0.00251, "lr_decay_iters": 38000, "start_weight_decay": 0.1, "end_weight_decay": 0.1},
    "wsd_samples.sh": {"train_samples": 1200000, "lr_decay_samples": 1100000, "lr_warmup_samples": 50001, "lr": 6e-4}
    | {"min_lr": 6e-6, "lr_warmup_init": 1e-7, "lr_wsd_decay_samples": 200000, "lr_decay_style": "WSD"}
    | {"lr_wsd_decay_style": "minus_sqrt", "global_batch_size": 1024, "ramp": (256, 256, 300000)}
    | {"start_weight_decay": 0.033, "end_weight_decay": 0.1, "weight_decay_incr_style": "cosine"},
    "moe_functional.yaml": {
        "train_iters": 2000,
        "global_batch_size": 32,
        "lr": 0.00015,
        "min_lr": 1e-5,
        "lr_warmup_iters": 200,
    }
    | {"lr_decay_style": "inverse-square-root", "lr_decay_iters": 1800, "decoupled": (5e-4, 5e-5)}
    | {"start_weight_decay": 0.01, "end_weight_decay": 0.01},
}
SPANS = {"gpt_1p3b.sh": 40000, "wsd_samples.sh": 1400, "moe_functional.yaml": 2000}


def cases(name: str) -> list[dict]:
    """The arguments of every draw."""
    return drawn(_case, NAMES, name, seed=11)


def _case(name: str, dice: Dice) -> dict:
    peak = 10 ** dice.between(-5, 0)
    end = dice.whole(2, 219)
    warm = dice.one_of(0, dice.whole(0, end - 1), dice.whole(0, end - 1), dice.between(0, end - 1))
    style = dice.one_of("constant", "linear", "cosine")
    start = dice.one_of(0.0, dice.between(0, 0.1))
    made = {
        "init_lr": dice.one_of(0.0, peak * dice.between(0, 1)),
        "max_lr": peak,
        "min_lr": dice.one_of(0.0, peak * dice.between(0, 0.5)),
        "lr_warmup_steps": warm,
        "lr_decay_steps": end,
        "lr_decay_style": name.split()[0],
        "start_wd": start,
        "end_wd": start if style == "constant" else start + dice.between(0, 0.2),
        "wd_incr_steps": dice.whole(1, 219),
        "wd_incr_style": style,
    }
    if name.startswith("WSD"):
        made |= {"wsd_decay_steps": dice.one_of(dice.whole(1, end), dice.whole(1, 249))}
        made |= {"lr_wsd_decay_style": name.split()[1]}
    return made


def kept(name: str) -> np.ndarray:
    """The counts that are recorded, one row for each draw."""
    return recording.kept(NAMES, name, seed=12)


def counts(config: str) -> np.ndarray:
    """The updates of a launch file that are recorded: first, last, and some between."""
    return np.unique(np.linspace(0, SPANS[config], 60).astype(int))


def rates(scheduler, increments: list[int]) -> np.ndarray:
    """float64, (updates, groups + 1): the rate of every group and the weight decay, at each update."""
    rows = []
    for increment in increments:
        groups = scheduler.optimizer.param_groups
        rows.append([*(group["lr"] for group in groups), groups[0]["weight_decay"]])
        scheduler.step(increment)
    return np.array(rows)


def configured(root: Path, config: str, core) -> np.ndarray:
    """The rates of a launch file, by Megatron's own reading of its arguments."""
    import sources

    args = SimpleNamespace(**_DEFAULTS | CONFIGS[config])
    scope = {"get_args": lambda: args, "update_train_iters": lambda args: None}
    scope |= {"OptimizerParamScheduler": core.OptimizerParamScheduler}
    sources.functions(root / "megatron/training/training.py", ["get_optimizer_param_scheduler"], scope)
    groups = [{}, *([{"max_lr": args.decoupled[0], "min_lr": args.decoupled[1]}] if args.decoupled else [])]
    scheduler = scope["get_optimizer_param_scheduler"](SimpleNamespace(param_groups=groups))
    increments, seen = [], 0
    for _ in range(SPANS[config] + 1):
        size = args.global_batch_size
        if (ramp := getattr(args, "ramp", None)) and seen <= ramp[2]:
            # As the calculator of megatron_core 0.16 has it.
            increments_in_all = (size - ramp[0]) // ramp[1]
            size = ramp[0] + int(seen / (ramp[2] / increments_in_all)) * ramp[1]
        increments.append(size)
        seen += size
    return rates(scheduler, increments)[counts(config)]


def module(root: Path):
    """The module with the scheduler, without the rest of the package."""
    import sources

    return sources.loaded(
        root / "megatron/core/optimizer_param_scheduler.py",
        "optimizer_param_scheduler",
        megatron={},
        megatron__core={},
        megatron__core__utils={"log_single_rank": lambda *_: None},
    )


def main() -> None:
    """Writes the file."""
    import sources

    root = Path(sys.argv[1])
    core = module(root)
    recorded = {}
    for name in NAMES:
        rows = []
        for case in cases(name):
            optimizer = SimpleNamespace(param_groups=[{}])
            rows.append(rates(core.OptimizerParamScheduler(optimizer, **case), [1] * STEPS))
        recorded[name] = np.take_along_axis(np.array(rows), kept(name)[..., None], 1).astype(np.float32)
    for config in CONFIGS:
        recorded[config] = configured(root, config, core).astype(np.float32)
    np.savez_compressed(FILE, version=sources.version(root), **recorded)


if __name__ == "__main__":
    main()
