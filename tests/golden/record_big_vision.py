"""Records what big_vision's schedule does with random arguments; writes `big_vision_schedules.npz`.

Run it as `python tests/golden/record_big_vision.py CHECKOUT`, where CHECKOUT holds big_vision's repository. Of 200
rates of each draw 24 are kept, in float64 up to the end.
"""

import sys
from pathlib import Path

from recording import STEPS, Dice, drawn, parts_of, rates_of, save
from recording import kept as _kept

FILE = Path(__file__).parent / "big_vision_schedules.npz"
NAMES = ["linear", "polynomial", "cosine", "rsqrt", "stair"]


def kept(name):
    return _kept(NAMES, name)


def cases(name):
    """The arguments of every draw."""
    return drawn(_case, NAMES, name)


def _duration(prefix: str, steps: int, total: int, sizes: dict, dice: Dice) -> dict:
    """A duration of nearly so many updates in one of the four units, or none."""
    batch, data = sizes["batch_size"], sizes["data_size"]
    return dice.one_of(
        {},
        {f"{prefix}_steps": steps},
        {f"{prefix}_examples": steps * batch + dice.whole(0, batch // 3)},
        {f"{prefix}_epochs": steps * batch / data},
        {f"{prefix}_percent": steps / total, f"{prefix}_steps": -1},
    )


def _case(name: str, dice: Dice) -> dict:
    total = dice.whole(20, 230)
    sizes = {"batch_size": dice.one_of(64, 256, 1024), "data_size": dice.whole(2000, 9000)}
    many = dice.whole(0, 4)
    own = {
        "linear": dice.one_of({}, {"linear_end": dice.between(0, 1e-3)}, {"end": 1e-5}),
        "polynomial": {"power": dice.one_of(1, 2, dice.between(0.3, 3)), "end": dice.one_of(0, 1e-4)},
        "cosine": {},
        "rsqrt": _duration("timescale", dice.whole(1, total), total, sizes, dice)
        | dice.one_of({}, {"shift": dice.whole(0, 90)}, {"shift_steps": dice.whole(0, 50)}),
        "stair": {"steps": dice.rising(1, 190, many), "mults": [dice.between(0, 1) for _ in range(many)]},
    }[name]
    return {
        "total_steps": total,
        **sizes,
        "base": dice.one_of(1.0, dice.rate()),
        "decay_type": name,
        "scale_with_batchsize": dice.one_of(True, False),
        **own,
        **_duration("warmup", dice.whole(1, total // 2), total, sizes, dice),
        **_duration("cooldown", dice.whole(1, total // 2), total, sizes, dice),
    }


def last(arguments: dict) -> int:
    """The last count of a run: a cooldown goes below 0 after it."""
    return arguments["total_steps"] if any(key.startswith("cooldown") for key in arguments) else STEPS


def main() -> None:
    """Writes the file."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    checkout = Path(sys.argv[1])
    names = ["steps", "create_learning_rate_schedule"]
    make = parts_of(checkout / "big_vision/utils.py", names, {"jnp": jnp})["create_learning_rate_schedule"]
    rows = {
        name: [rates_of(make(**case), counts) for case, counts in zip(cases(name), kept(name), strict=True)]
        for name in NAMES
    }
    save(FILE, [checkout], rows)


if __name__ == "__main__":
    main()
