"""Records the schedulers of MMEngine with random arguments; writes `mmengine_schedules.npz`.

Run it as `python tests/golden/record_mmengine.py` with mmengine 0.10.7 and torch 2.14.1; of the package two modules are
needed, and stand-ins for what they log to and register with.
"""

import importlib.util
import sys
import types
import warnings
from pathlib import Path

from sampling import save, torch_rates

FILE = Path(__file__).with_name("mmengine_schedules.npz")


def _window(dice, least=2):
    begin = dice.one_of(0, dice.whole(1, 40))
    return {"begin": begin, "end": begin + dice.whole(least, 180)}


def _open(dice):
    return dice.one_of({}, _window(dice), {"begin": dice.whole(1, 40)})


def _restarts(dice):
    count = dice.whole(1, 4)
    low = dice.one_of({"eta_min": 1e-5}, {"eta_min_ratio": dice.between(0, 0.5)})
    periods = [dice.whole(2, 60) for _ in range(count)]
    return {"periods": periods, "restart_weights": [dice.between(0.2, 1.5) for _ in periods], **low, **_open(dice)}


def _one_cycle(dice):
    return {
        "eta_max": dice.rate(),
        "total_steps": dice.whole(210, 400),
        "pct_start": dice.between(0.1, 0.45),
        "anneal_strategy": dice.one_of("cos", "linear"),
        "div_factor": dice.between(2, 100),
        "final_div_factor": dice.between(2, 1e5),
        "three_phase": dice.one_of(True, False),
    }


def _cosine(dice):
    low = dice.one_of({}, {"eta_min": 1e-5}, {"eta_min_ratio": dice.between(0, 0.5)})
    return dice.one_of({"T_max": dice.whole(2, 150), **_open(dice)}, _window(dice)) | low


ARGUMENTS = {
    "ConstantLR": lambda dice: {"factor": dice.between(0.01, 1), **_window(dice)},
    "LinearLR": lambda dice: {
        "start_factor": dice.between(0.01, 1),
        "end_factor": dice.between(0, 1),
        **_window(dice),
    },
    "PolyLR": lambda dice: {"eta_min": 1e-5, "power": dice.one_of(1.0, dice.between(0.3, 3)), **_window(dice)},
    "StepLR": lambda dice: {"step_size": dice.whole(1, 60), "gamma": dice.between(0.1, 1), **_open(dice)},
    "MultiStepLR": lambda dice: {
        "milestones": [dice.whole(1, 150) for _ in range(dice.whole(1, 4))],
        "gamma": dice.between(0.1, 1),
        **_open(dice),
    },
    "ExponentialLR": lambda dice: {"gamma": dice.between(0.9, 1), **_open(dice)},
    "CosineAnnealingLR": _cosine,
    "CosineRestartLR": _restarts,
    "OneCycleLR": _one_cycle,
    "StepMomentum": lambda dice: {"step_size": dice.whole(1, 60), "gamma": dice.between(0.5, 1), **_open(dice)},
    "LinearMomentum": lambda dice: {"start_factor": dice.between(0.5, 1), "end_factor": 1.0, **_window(dice)},
}
for _make in list(ARGUMENTS):
    ARGUMENTS[_make] = lambda dice, make=ARGUMENTS[_make]: {"value": dice.between(0.05, 0.95), **make(dice)}


def modules():
    """The modules of the rate's and of the momentum's schedulers."""
    if "mmengine" not in sys.modules:
        folder = next(Path(path, "mmengine") for path in sys.path if Path(path, "mmengine", "optim").exists())
        parts = ("", ".logging", ".registry", ".optim", ".optim.scheduler")
        for part in parts:
            sys.modules[f"mmengine{part}"] = types.ModuleType(f"mmengine{part}")
        registry = types.SimpleNamespace(register_module=lambda: lambda kind: kind)
        sys.modules["mmengine.registry"].PARAM_SCHEDULERS = registry
        sys.modules["mmengine.logging"].print_log = print
        sys.modules["mmengine.optim"].BaseOptimWrapper = type("BaseOptimWrapper", (), {})
        for name in ("param_scheduler", "lr_scheduler", "momentum_scheduler"):
            whole = f"mmengine.optim.scheduler.{name}"
            spec = importlib.util.spec_from_file_location(whole, folder / "optim" / "scheduler" / f"{name}.py")
            sys.modules[whole] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[whole])
    return [sys.modules[f"mmengine.optim.scheduler.{name}"] for name in ("lr_scheduler", "momentum_scheduler")]


def rates(name, arguments):
    """MMEngine's values."""
    given = dict(arguments)
    first = given.pop("value")
    rate, momentum = modules()
    if name.endswith("LR"):
        make, names = getattr(rate, name), ("lr",)
    else:
        make, names = getattr(momentum, name), ("momentum",)

    def scheduler(optimizer):
        optimizer.param_groups[0]["momentum"] = first
        return make(optimizer, **given)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch_rates(scheduler, first, names)


if __name__ == "__main__":
    from importlib.metadata import version

    save(FILE, version("mmengine"), ARGUMENTS, rates)
