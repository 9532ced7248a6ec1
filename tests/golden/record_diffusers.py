"""Records the schedules of diffusers with random arguments; writes `diffusers_schedules.npz`.

Run it as `python tests/golden/record_diffusers.py` with diffusers 0.42.1 and torch 2.14.1; of the package one module is
needed.
"""

import importlib.util
import sys
import types
from pathlib import Path

from sampling import save, torch_rates

FILE = Path(__file__).with_name("diffusers_schedules.npz")


def _run(dice):
    warm = dice.one_of(0, dice.whole(1, 60))
    return {"lr": dice.rate(), "num_warmup_steps": warm, "num_training_steps": warm + dice.whole(1, 220)}


def _rules(dice):
    steps = sorted(dice.random.choice(range(1, 199), dice.whole(0, 4), replace=False).tolist())
    rules = [f"{dice.between(0.001, 2):.4g}:{step}" for step in steps]
    return {"lr": dice.rate(), "step_rules": ",".join([*rules, f"{dice.between(0.001, 2):.4g}"])}


ARGUMENTS = {
    "linear": _run,
    "cosine": _run,
    "cosine_with_restarts": lambda dice: {**_run(dice), "num_cycles": dice.one_of(1, 2, 3)},
    "polynomial": lambda dice: {**_run(dice), "power": dice.one_of(1.0, dice.between(0.3, 3))},
    "constant": lambda dice: {"lr": dice.rate()},
    "constant_with_warmup": lambda dice: {"lr": dice.rate(), "num_warmup_steps": dice.whole(1, 60)},
    "piecewise_constant": _rules,
    "get_linear_schedule_with_warmup": lambda dice: {
        **_run(dice),
        "f_min": dice.between(0, 0.9),
        "f_max": dice.one_of(1.0, dice.between(0.5, 1.5)),
    },
}


def module():
    """The module `diffusers.optimization`, without the rest of the package."""
    if "diffusers.optimization" not in sys.modules:
        for name in ("diffusers", "diffusers.utils"):
            sys.modules[name] = types.ModuleType(name)
        logger = types.SimpleNamespace(get_logger=lambda name: None)
        sys.modules["diffusers.utils"].logging = logger
        folder = next(
            Path(path, "diffusers") for path in sys.path if Path(path, "diffusers", "optimization.py").exists()
        )
        spec = importlib.util.spec_from_file_location("diffusers.optimization", folder / "optimization.py")
        sys.modules["diffusers.optimization"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["diffusers.optimization"])
    return sys.modules["diffusers.optimization"]


def rates(name, arguments):
    """The rates of diffusers."""
    given = dict(arguments)
    first = given.pop("lr")
    if name.startswith("get_"):
        return torch_rates(lambda optimizer: getattr(module(), name)(optimizer, **given), first)
    return torch_rates(lambda optimizer: module().get_scheduler(name, optimizer, **given), first)


if __name__ == "__main__":
    from importlib.metadata import version

    save(FILE, version("diffusers"), ARGUMENTS, rates)
