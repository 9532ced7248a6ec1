"""Records the schedules of MLX with random arguments; writes `mlx_schedules.npz`.

Run it as `python tests/golden/record_mlx.py` with mlx 0.32.4; of the package one module is needed, and NumPy's float64
in place of `mlx.core`.
"""

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
from sampling import STEPS, save

FILE = Path(__file__).with_name("mlx_schedules.npz")


def _parts(dice):
    parts, boundaries = [], sorted(dice.random.choice(range(1, 190), dice.whole(1, 3), replace=False).tolist())
    for _ in range(len(boundaries) + 1):
        name = dice.one_of("exponential_decay", "step_decay", "cosine_decay", "linear_schedule")
        parts.append((name, ARGUMENTS[name](dice)))
    return {"schedules": parts, "boundaries": boundaries}


ARGUMENTS = {
    "exponential_decay": lambda dice: {"init": dice.rate(), "decay_rate": dice.between(0.9, 1)},
    "step_decay": lambda dice: {
        "init": dice.rate(),
        "decay_rate": dice.between(0.1, 1),
        "step_size": dice.whole(1, 80),
    },
    "cosine_decay": lambda dice: {
        "init": dice.rate(),
        "decay_steps": dice.whole(1, 250),
        "end": dice.one_of(0.0, dice.rate() * 0.1),
    },
    "linear_schedule": lambda dice: {"init": dice.rate(), "end": dice.rate(), "steps": dice.whole(1, 250)},
    "join_schedules": _parts,
}


def module():
    """The module `mlx.optimizers.schedulers`, without the rest of the package."""
    whole = "mlx.optimizers.schedulers"
    if whole not in sys.modules:
        sys.modules["mlx"] = types.ModuleType("mlx")
        core = types.ModuleType("mlx.core")
        core.minimum, core.cos, core.where = np.minimum, np.cos, np.where
        sys.modules["mlx.core"] = sys.modules["mlx"].core = core
        folder = next(Path(path, "mlx") for path in sys.path if Path(path, "mlx", "optimizers").exists())
        spec = importlib.util.spec_from_file_location(whole, folder / "optimizers" / "schedulers.py")
        sys.modules[whole] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[whole])
    return sys.modules[whole]


def _made(name, arguments):
    if name == "join_schedules":
        arguments = {**arguments, "schedules": [_made(*part) for part in arguments["schedules"]]}
    return getattr(module(), name)(**arguments)


def rates(name, arguments):
    """MLX's rates."""
    schedule = _made(name, arguments)
    return np.array([float(schedule(n)) for n in range(STEPS)])


if __name__ == "__main__":
    from importlib.metadata import version

    save(FILE, version("mlx"), ARGUMENTS, rates)
