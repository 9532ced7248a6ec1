"""Records what AXLearn's schedules do with random arguments; writes `axlearn_schedules.npz`.

Run it as `python tests/golden/record_axlearn.py CHECKOUT`, where CHECKOUT holds AXLearn's repository. Of the rates at
the steps 0 to 199 of each draw 24 are kept, in float64 up to the end: where the source says float32, a difference
of two powers near 1 would leave it 5 digits.
"""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Optional, Union

from recording import Dice, drawn, parts_of, rates_of, save
from recording import kept as _kept

FILE = Path(__file__).parent / "axlearn_schedules.npz"
NAMES = ["polynomial", "exponential", "inverse_sqrt", "adafactor", "adafactor_decay_rate", "decay_bias_correction"]
NAMES += ["stepwise", "segment_wise", "cosine_with_linear_warmup", "warmup_stable_decay"]
NAMES += ["constant_with_linear_warmup", "linear_schedule_with_warmup", "ema_schedule"]


def kept(name):
    counts = _kept(NAMES, name)
    counts[:, 0] = name == "decay_bias_correction"  # which divides by 0 at step 0
    return counts


def cases(name):
    """The arguments of every draw."""
    return drawn(_case, NAMES, name)


def _case(name: str, dice: Dice) -> dict:
    warm, stable, fall = dice.one_of(0, dice.whole(1, 60)), dice.whole(0, 60), dice.whole(1, 100)
    begin, lr = dice.whole(0, 40), dice.rate()
    first = {"begin_value": dice.one_of(0.0, lr * dice.between(0, 1))}
    line = {"begin_step": begin, "end_step": begin + fall, "begin_value": dice.rate(), "end_value": dice.rate()}
    parts = [dice.rate(), {"polynomial": line}, {"exponential": line | {"begin_step": 0}}, {"inverse_sqrt": {}}]
    own = {
        "polynomial": line | {"power": dice.one_of(1, 2.0, dice.between(0.3, 3))},
        "exponential": line,
        "inverse_sqrt": {"warmup_steps": dice.whole(1, 100)},
        "adafactor": {"scale": lr, "warmup_steps": dice.whole(1, 100), "decay_power": -dice.between(0.2, 1)}
        | {"step_offset": dice.one_of(0, 1)},
        "adafactor_decay_rate": {"c": dice.between(0.3, 1), "step_offset": dice.one_of(0, dice.whole(0, 50))},
        "decay_bias_correction": {"decay": dice.one_of(0.9, 0.999, dice.between(0.01, 0.9999))},
        "stepwise": {"sub": parts, "start_step": dice.rising(1, 180, 3)},
        "segment_wise": {"segments": parts, "segment_steps": [dice.whole(0, 60) for _ in range(3)]},
        "cosine_with_linear_warmup": {"peak_lr": lr, "max_step": warm + stable + fall, "warmup_steps": warm, **first}
        | {"alpha": dice.one_of(0.0, dice.between(0, 1)), "decay_begin_step": dice.one_of(None, warm + stable)},
        "warmup_stable_decay": {"peak_lr": lr, "max_step": warm + stable + fall, "decay_begin_step": warm + stable}
        | {"warmup_steps": warm, "alpha": dice.between(0, 1), **first},
        "constant_with_linear_warmup": {"peak_lr": lr, "warmup_steps": warm, **first},
        "linear_schedule_with_warmup": {"peak_lr": lr, "max_step": warm + fall, "warmup_steps": warm, **first}
        | {"end_value": dice.one_of(0.0, lr * 0.1)},
        "ema_schedule": {"decay": dice.between(0.9, 0.9999), "warmup_steps": dice.whole(1, 150)}
        | {"step_offset": dice.one_of(0, dice.whole(0, 40))},
    }
    return own[name]


class Numpy:
    """jax.numpy, whose float32 is float64."""

    def __init__(self, module):
        self._module, self.float32 = module, module.float64

    def __getattr__(self, name):
        return getattr(self._module, name)


class Configured:
    """What stands for the configuration of a function."""

    def __init__(self, function):
        self._function, self._arguments = function, {}

    def set(self, **arguments):
        self._arguments |= arguments
        return self

    def instantiate(self):
        return self._function(**self._arguments)


def built(make, part):
    """A part of a composite: a number, or a schedule by its name and arguments."""
    if not isinstance(part, dict):
        return part
    ((name, arguments),) = part.items()
    return make(name, arguments)


def source(checkout: Path):
    """AXLearn's own schedules, as a function of a name and arguments."""
    import jax
    import jax.numpy as jnp
    import optax

    given = {"jax": jax, "jnp": Numpy(jnp), "math": math, "Callable": Callable, "Optional": Optional, "Union": Union}
    given |= {"Tensor": jax.Array, "InstantiableConfig": object, "config_for_function": Configured}
    given |= {"constant_schedule": optax.constant_schedule, "cosine_decay_schedule": optax.cosine_decay_schedule}
    names = ["ScheduleFn", "Schedule", "as_schedule_fn", *NAMES]
    parts = parts_of(checkout / "axlearn/common/schedule.py", names, given)

    def make(name, arguments):
        if name == "inverse_sqrt":
            return lambda step: parts[name](jnp.asarray(step), **arguments)
        for several in {"sub", "segments"} & arguments.keys():
            arguments = arguments | {several: [built(make, part) for part in arguments[several]]}
        schedule = parts[name](**arguments)
        return lambda step: schedule(jnp.asarray(step))  # a power of an int 0 raises

    return make


def main() -> None:
    """Writes the file."""
    import jax

    jax.config.update("jax_enable_x64", True)
    checkout = Path(sys.argv[1])
    make = source(checkout)
    rows = {
        name: [rates_of(make(name, case), counts) for case, counts in zip(cases(name), kept(name), strict=True)]
        for name in NAMES
    }
    save(FILE, [checkout], rows)


if __name__ == "__main__":
    main()
