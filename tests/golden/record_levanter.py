"""Records what levanter's schedules do with random arguments; writes `levanter_schedules.npz`.

Run it as `python tests/golden/record_levanter.py CHECKOUT`, where CHECKOUT holds levanter's repository. Of 200 rates
of each draw 24 are kept, in float64 up to the end. The configuration files beside the dialect's tests are recorded too.
"""

import abc
import sys
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Optional

import numpy as np
from recording import Dice, drawn, parts_of, rates_of, save
from recording import kept as _kept

FILE = Path(__file__).parent / "levanter_schedules.npz"
CONFIGS = Path(__file__).parents[1] / "dialects" / "configs" / "levanter"
NAMES = ["constant", "cosine", "linear", "inv_sqrt", "inv", "power"]


def kept(name):
    return _kept(NAMES, name)


def cases(name):
    """The arguments of every draw."""
    return drawn(_case, NAMES, name)


def _case(name: str, dice: Dice) -> dict:
    steps = dice.whole(60, 230)
    cycles = dice.one_of(
        {},
        {},
        {"cycles": dice.whole(1, 3)},
        {"cycles": [20, 41]},
        {"cycle_length": dice.one_of(0.5, 0.3, 25)},
        {"cycle_length": [20, 30]},
        {"haps": [33]},
    )
    kinds = {
        "cosine": {"exponent": dice.one_of(1.0, 2.0, dice.between(0.5, 3))},
        "inv_sqrt": {"timescale": dice.one_of(20, 7.5, 1000.0)},
        "power": {"batch_size": dice.whole(1, 64), "seq_length": dice.whole(8, 128), "a": dice.between(1e-4, 5)},
    }
    kind = {"type": name, **kinds.get(name, {})}
    short = cycles != {}
    return {
        "num_train_steps": steps,
        "learning_rate": dice.rate(),
        "min_lr_ratio": dice.one_of(0.1, dice.between(0.01, 1)),
        "warmup": dice.one_of(0, 0.01, 0.1, dice.whole(2, 5 if short else 20)),
        "decay": dice.one_of(None, dice.between(0.1, 0.6), dice.whole(2, 10)),
        "rewarmup": dice.one_of(0.0, 0.1, 3),
        "cooldown": dice.one_of(None, None, 0.1, 7),
        "lr_schedule": kind if name == "power" or dice.one_of(True, False) else name,
        **cycles,
    }


def config_counts(steps: int) -> list[int]:
    """The counts at which the schedule of a configuration file is recorded."""
    return sorted({*range(0, steps, max(1, steps // 200)), 1, steps - 2, steps - 1})


class Registry:
    """What stands for draccus' registry of choices."""

    @classmethod
    def register_subclass(cls, name):
        def keep(choice):
            KINDS[name] = choice
            return choice

        return keep


KINDS: dict = {}


def source(package: Path):
    """levanter's own schedule, as a function of the arguments."""
    import jax.numpy as jnp
    import optax

    given = {"jnp": jnp, "np": np, "optax": optax, "warnings": warnings, "abc": abc, "dataclass": dataclass}
    given |= {"Optional": Optional, "partial": partial, "Callable": object}
    given["draccus"] = SimpleNamespace(ChoiceRegistry=Registry)
    kinds = ["Constant", "Cosine", "Linear", "InvSqrt", "Inv", "Power"]
    names = ["LrScheduleContext", "LrSchedule", *(f"{kind}LrSchedule" for kind in kinds), "OptimizerConfig"]
    names += ["_inv_sqrt_decay_schedule", "_inv_decay_schedule", "_convert_frac_or_steps"]
    parts = parts_of(package / "optim" / "config.py", names, given)

    class Config(parts["OptimizerConfig"]):
        def build(self, num_train_steps):
            raise NotImplementedError

    def make(num_train_steps, lr_schedule="cosine", **arguments):
        if isinstance(lr_schedule, dict):
            lr_schedule = KINDS[lr_schedule["type"]](**{k: v for k, v in lr_schedule.items() if k != "type"})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is deprecated, and of a last cycle that is longer
            schedule = Config(lr_schedule=lr_schedule, **arguments).lr_scheduler(num_train_steps)
        return lambda step: schedule(jnp.asarray(step))  # a power of an int below 0 is complex

    return make


FIELDS = ("learning_rate", "min_lr_ratio", "warmup", "decay", "rewarmup", "cooldown", "cycle_length", "cycles")
FIELDS += ("lr_schedule", "haps")


def main() -> None:
    """Writes the file."""
    import jax
    import yaml

    jax.config.update("jax_enable_x64", True)
    checkout = Path(sys.argv[1])
    make = source(checkout / "src" / "levanter")
    rows = {
        name: [rates_of(make(**case), counts) for case, counts in zip(cases(name), kept(name), strict=True)]
        for name in NAMES
    }
    for file in sorted(CONFIGS.glob("*.yml")):
        config = yaml.safe_load(file.read_text())
        told = {key: value for key, value in config["optimizer"].items() if key in FIELDS}
        told["learning_rate"] = float(told["learning_rate"])  # YAML reads 3e-4 as text
        steps = config["trainer"]["num_train_steps"]
        rows[file.name] = rates_of(make(steps, **told), config_counts(steps))
    save(FILE, [checkout], rows)


if __name__ == "__main__":
    main()
