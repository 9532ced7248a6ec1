"""Records what MaxText's schedule does with random arguments; writes `maxtext_schedules.npz`.

Run it as `python tests/golden/record_maxtext.py CHECKOUT`, where CHECKOUT holds MaxText's repository. Of 200 rates of
each draw 24 are kept, in float64 up to the end. The configuration files beside the dialect's tests are recorded too,
over the keys of MaxText's base.yml.
"""

import sys
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

from recording import STEPS, Dice, drawn, parts_of, rates_of, save
from recording import kept as _kept

FILE = Path(__file__).parent / "maxtext_schedules.npz"
CONFIGS = Path(__file__).parents[1] / "dialects" / "configs" / "maxtext"
NAMES = ["cosine", "wsd"]
DEFAULTS = {
    "learning_rate": 3e-5,
    "lr_schedule_type": "cosine",
    "learning_rate_final_fraction": 0.1,
    "wsd_decay_steps_fraction": 0.1,
    "wsd_decay_style": "linear",
    "warmup_steps_fraction": 0.1,
    "learning_rate_schedule_steps": -1,
    "steps": 150_001,
}


def kept(name):
    return _kept(NAMES, name)


def cases(name):
    """The arguments of every draw."""
    return drawn(_case, NAMES, name)


def _case(name: str, dice: Dice) -> dict:
    length = dice.whole(2, 230)
    warm = dice.one_of(0.0, 0.1, 1.0 if name == "cosine" else 0.2, dice.between(0, 0.6))
    given = {
        "learning_rate": dice.rate(),
        "lr_schedule_type": name,
        "learning_rate_final_fraction": dice.one_of(0.0, 0.1, dice.between(0, 1.5)),
        "warmup_steps_fraction": warm,
        "learning_rate_schedule_steps": dice.one_of(length, -1),
    }
    # Up to the end of the schedule where the source has a rate of its own, and past it where that is 0.
    given["steps"] = dice.one_of(STEPS, length) if given["learning_rate_schedule_steps"] == length else STEPS
    given["steps"] = max(given["steps"], length)
    if name == "wsd":
        given["wsd_decay_steps_fraction"] = dice.one_of(0.0, 0.1, dice.between(0, 1 - warm), 1 - warm)
        given["wsd_decay_style"] = dice.one_of("linear", "cosine")
    return given


def last(arguments: dict) -> int:
    """The last count of a run: MaxText's schedule is asked for no later one."""
    return arguments["steps"] - 1


def config_counts(steps: int) -> list[int]:
    """The counts at which the schedule of a configuration file is recorded."""
    return sorted({*range(0, steps, max(1, steps // 200)), 1, steps - 2, steps - 1})


def schedule(checkout: Path, arguments: dict):
    """MaxText's own schedule."""
    import jax.numpy as jnp
    import optax

    words = ["LearningRateScheduleType", "WsdDecayStyle"]
    types = SimpleNamespace(**parts_of(checkout / "src/maxtext/configs/types.py", words, {"Enum": Enum}))
    given = {"jnp": jnp, "optax": optax, "types": types}
    made = parts_of(checkout / "src/maxtext/utils/maxtext_utils.py", ["create_learning_rate_schedule"], given)
    filled = {**DEFAULTS, **arguments}
    # What the validation of the configuration does.
    if filled["learning_rate_schedule_steps"] == -1:
        filled["learning_rate_schedule_steps"] = filled["steps"]
    if filled["steps"] == -1:
        filled["steps"] = filled["learning_rate_schedule_steps"]
    return made["create_learning_rate_schedule"](SimpleNamespace(**filled)), filled["steps"]


def rates(checkout: Path, arguments: dict, counts):
    return rates_of(schedule(checkout, arguments)[0], counts)


def main() -> None:
    """Writes the file."""
    import jax
    import yaml

    jax.config.update("jax_enable_x64", True)
    checkout = Path(sys.argv[1])
    rows = {name: [rates(checkout, *pair) for pair in zip(cases(name), kept(name), strict=True)] for name in NAMES}
    base = yaml.safe_load((checkout / "src/maxtext/configs/base.yml").read_text())
    for file in sorted(CONFIGS.glob("*.yml")):
        config = {key: value for key, value in {**base, **yaml.safe_load(file.read_text())}.items() if key in DEFAULTS}
        config["learning_rate"] = float(config["learning_rate"])  # YAML reads 3e-4 as text
        made, steps = schedule(checkout, config)
        rows[file.name] = rates_of(made, config_counts(steps))
    save(FILE, [checkout], rows)


if __name__ == "__main__":
    main()
