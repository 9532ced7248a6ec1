"""Records the rates that timm makes of three files of arguments; writes `timm_configs.npz`.

Run it as `python tests/golden/record_timm_configs.py` with timm 1.0.31 and torch 2.14.1: timm's own factory reads the
arguments, here as the files in tests/dialects/configs/timm have them, and 60 rates of each are kept.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

FILE = Path(__file__).parent / "timm_configs.npz"
UPDATES = 7  # in an epoch
CONFIGS = {
    "vit_args.yaml": {"sched": "cosine", "lr": 0.001, "epochs": 300, "min_lr": 1e-5, "lr_cycle_decay": 0.5}
    | {"warmup_epochs": 20, "warmup_lr": 1e-6, "decay_epochs": 90},
    "resnet_step.sh": {"sched": "step", "lr": 0.2 * 128 / 512, "epochs": 60, "decay_epochs": 2.4, "decay_rate": 0.97}
    | {"warmup_epochs": 3, "warmup_lr": 1e-6, "warmup_prefix": True},
    "wsd_updates.yaml": {"sched": "wsd", "lr": 3e-4, "epochs": 30, "decay_epochs": 0.25, "min_lr": 1e-6}
    | {"warmup_epochs": 2, "warmup_lr": 0.0, "lr_decay_fn": "cosine", "sched_on_updates": True},
}


def counts(config: str) -> np.ndarray:
    """The updates that are recorded: first, last, and some between."""
    return np.unique(np.linspace(0, CONFIGS[config]["epochs"] * UPDATES + 20, 60).astype(int))


def main() -> None:
    """Writes the file."""
    import timm
    import torch
    from timm.scheduler.scheduler_factory import create_scheduler

    recorded = {}
    for config, said in CONFIGS.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=said["lr"])
        scheduler, _ = create_scheduler(SimpleNamespace(**said), optimizer, UPDATES)
        rates = []
        for count in counts(config):
            scheduler.step(int(count) // UPDATES)
            scheduler.step_update(int(count))
            rates.append(optimizer.param_groups[0]["lr"])
        recorded[config] = np.float32(rates)
    np.savez_compressed(FILE, version=timm.__version__, **recorded)


if __name__ == "__main__":
    main()
