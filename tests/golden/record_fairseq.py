"""Records the schedules of fairseq with random arguments; writes `fairseq_schedules.npz`.

Run it as `FAIRSEQ=folder python tests/golden/record_fairseq.py` where fairseq 0.12.2 was unpacked; of the package three
modules are needed, and stand-ins for its configurations and its optimizer.
"""

import importlib.util
import os
import sys
import types
from pathlib import Path

import numpy as np
from sampling import STEPS, save

FILE = Path(__file__).with_name("fairseq_schedules.npz")
MODULES = {
    "tri_stage": ("tri_stage_lr_scheduler", "TriStageLRSchedule"),
    "polynomial_decay": ("polynomial_decay_schedule", "PolynomialDecayLRSchedule"),
    "inverse_sqrt": ("inverse_square_root_schedule", "InverseSquareRootSchedule"),
}


def _tri_stage(dice):
    scales = {"init_lr_scale": dice.between(0.001, 0.9), "final_lr_scale": dice.between(0.001, 0.9)}
    phases = {"phase_ratio": (0.25, 0.25, 0.5), "max_update": dice.whole(20, 220)}
    lengths = {"warmup_steps": dice.whole(0, 60), "hold_steps": dice.whole(0, 60)}
    return {"lr": dice.rate(), **scales, **dice.one_of(phases, {**lengths, "decay_steps": dice.whole(1, 120)})}


def _polynomial(dice):
    warm, rate = dice.one_of(0, dice.whole(1, 60)), dice.rate()
    shape = {"end_learning_rate": rate * dice.between(0, 0.5), "power": dice.one_of(1.0, dice.between(0.3, 3))}
    return {"lr": rate, "warmup_updates": warm, **shape, "total_num_update": warm + dice.whole(1, 160)}


ARGUMENTS = {
    "tri_stage": _tri_stage,
    "polynomial_decay": _polynomial,
    "inverse_sqrt": lambda dice: {
        "lr": dice.rate(),
        "warmup_updates": dice.whole(1, 80),
        "warmup_init_lr": dice.one_of(-1, 1e-5),
    },
}
DEFAULTS = {
    "tri_stage": {"warmup_steps": 0, "hold_steps": 0, "decay_steps": 0, "phase_ratio": None, "max_update": 0},
    "polynomial_decay": {"force_anneal": None},
    "inverse_sqrt": {},
}


class FairseqLRScheduler:
    """Stands in for fairseq's base class."""

    def __init__(self, cfg, optimizer):
        self.cfg, self.optimizer = cfg, optimizer


def scheduler_class(name):
    """The class of a schedule, without the rest of the package."""
    if "omegaconf" not in sys.modules:
        for module in ("omegaconf", "fairseq", "fairseq.dataclass", "fairseq.optim", "fairseq.optim.lr_scheduler"):
            sys.modules[module] = types.ModuleType(module)
        sys.modules["omegaconf"].II = lambda name: None
        sys.modules["fairseq.dataclass"].FairseqDataclass = object
        sys.modules["fairseq.optim.lr_scheduler"].FairseqLRScheduler = FairseqLRScheduler
        sys.modules["fairseq.optim.lr_scheduler"].register_lr_scheduler = lambda name, dataclass: lambda kind: kind
    file, kind = MODULES[name]
    path = Path(os.environ["FAIRSEQ"], "fairseq", "optim", "lr_scheduler", f"{file}.py")
    spec = importlib.util.spec_from_file_location(f"fairseq.optim.lr_scheduler.{file}", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, kind)


def rates(name, arguments):
    """fairseq's rates, as its trainer asks for them."""
    configuration = types.SimpleNamespace(**DEFAULTS[name] | arguments | {"lr": [arguments["lr"]]})
    optimizer = types.SimpleNamespace()
    optimizer.set_lr = lambda rate: setattr(optimizer, "rate", rate)
    optimizer.get_lr = lambda: optimizer.rate
    scheduler = scheduler_class(name)(configuration, optimizer)
    return np.array([scheduler.step_update(n) for n in range(STEPS)])


if __name__ == "__main__":
    save(FILE, "0.12.2", ARGUMENTS, rates)
