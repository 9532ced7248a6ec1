"""Records what the factor strings of t5x and scenic do with random arguments; writes `t5x_schedules.npz`.

Run it as `python tests/golden/record_t5x.py T5X SCENIC`, where these hold the two repositories. Each name has a factor
in all its draws, beside others that are drawn. Of 200 rates of each draw 24 are kept, in float64 up to the end.
"""

import sys
from pathlib import Path

from recording import STEPS, Dice, drawn, parts_of, rates_of, save
from recording import kept as _kept

FILE = Path(__file__).parent / "t5x_schedules.npz"
T5X = ["constant", "linear_warmup", "linear_decay", "rsqrt_decay", "rsqrt_normalized_decay"]
T5X += ["decay_every", "cosine_decay"]
SCENIC = ["constant", "polynomial", "piecewise_constant", "piecewise_linear", "linear_warmup", "rsqrt_decay"]
SCENIC += ["decay_every", "exponential_decay", "cosine_decay", "linear_decay", "linear_cooldown"]
NAMES = [*(f"t5x {name}" for name in T5X), *(f"scenic {name}" for name in SCENIC)]


def kept(name):
    return _kept(NAMES, name)


def cases(name):
    """The arguments of every draw."""
    return drawn(_case, NAMES, name)


def _case(name: str, dice: Dice) -> dict:
    source, factor = name.split()
    known = T5X if source == "t5x" else SCENIC
    # What includes the constant and the warm-up is not drawn beside them.
    others = [each for each in ("constant", "linear_warmup", dice.one_of(*known)) if each != "linear_decay"]
    before = dice.one_of([], others[:1], others[:2], others)
    factors = [*before, *(each for each in [factor] if each not in before)]
    string = dice.one_of(" * ", "*", "  *").join(factors)
    return {"factors": string, **(_t5x(dice) if source == "t5x" else _scenic(factors, dice))}


def _t5x(dice: Dice) -> dict:
    return {
        "base_learning_rate": dice.rate(),
        "warmup_steps": dice.whole(1, 90),
        "decay_factor": dice.one_of(0.5, 0.01, dice.between(0, 1)),
        "steps_per_decay": dice.whole(1, 80),
        "steps_per_cycle": dice.whole(1, 250),
        "step_offset": dice.one_of(0, 0, dice.whole(1, 50)),
        "min_learning_rate": dice.one_of(1e-8, 0.0, 1e-3),
    }


def _scenic(factors: list[str], dice: Dice) -> dict:
    warm, many = dice.one_of(0, dice.whole(1, 60)), dice.whole(1, 5)
    total = warm + dice.whole(1, 200)
    of_factors = {
        "polynomial": {"decay_steps": dice.whole(1, 220), "end_factor": dice.one_of(0.0, dice.between(0, 1))}
        | {"power": dice.one_of(1.0, 2, dice.between(0.3, 3))},
        "linear_warmup": {"warmup_alpha": dice.between(0, 1)} if dice.one_of(True, False) else {},
        "rsqrt_decay": {"timescale": dice.whole(1, 300)} if dice.one_of(True, False) else {},
        "decay_every": {"steps_per_decay": dice.whole(1, 80), "decay_factor": dice.between(0.05, 1)},
        "exponential_decay": {"decay_steps": dice.whole(1, 150), "decay_rate": dice.between(0.05, 1)}
        | {"staircase": dice.one_of(True, False)},
        "cosine_decay": {"steps_per_cycle": dice.whole(1, 250), "alpha": dice.one_of(0.0, dice.between(0, 1))}
        | {"start_decay_step": dice.one_of(0, dice.whole(1, 40))}
        | dice.one_of({}, {"t_mul": 2, "m_mul": dice.between(0.3, 1)}, {"m_mul": 0.5}),
        "linear_decay": {"total_steps": total, "end_learning_rate": dice.one_of(0.0, 1e-5)},
        "linear_cooldown": {"total_steps": total, "cooldown_steps": dice.whole(1, 90)},
    }
    pieces = {"decay_events": dice.rising(1, 190, many), "decay_factors": [dice.between(0, 1) for _ in range(many)]}
    of_factors |= {"piecewise_constant": pieces, "piecewise_linear": pieces}
    given = {"base_learning_rate": dice.rate(), "warmup_steps": warm}
    for factor in factors:
        given |= of_factors.get(factor, {})
    return given


def last(arguments: dict) -> int:
    """The last count of a run: a cooldown of scenic's goes below 0 after it."""
    return arguments["total_steps"] if "linear_cooldown" in arguments["factors"] else STEPS


class Config(dict):
    """The part of a ConfigDict that scenic's function uses."""

    __getattr__ = dict.__getitem__


def sources(t5x: Path, scenic: Path):
    """The two functions, as functions of a name and of arguments."""
    import jax.numpy as jnp

    names = ["create_learning_rate_scheduler"]
    one = parts_of(t5x / "t5x/utils.py", names, {"jnp": jnp, "LearningRateCallable": object})[names[0]]
    names = [f"{each}_scheduler" for each in ("polynomial_lr", "piecewise_constant", "piecewise_linear")]
    names += [f"{each}_scheduler" for each in ("linear_warmup", "decay_every", "exponential_decay", "cosine_decay")]
    names += ["compound_lr_scheduler"]
    other = parts_of(scenic / "scenic/train_lib/lr_schedules.py", names, {"jnp": jnp})["compound_lr_scheduler"]
    return lambda name, arguments: one(**arguments) if name.startswith("t5x") else other(Config(arguments))


def main() -> None:
    """Writes the file."""
    import jax

    jax.config.update("jax_enable_x64", True)
    checkouts = [Path(each) for each in sys.argv[1:3]]
    schedule = sources(*checkouts)
    rows = {
        name: [rates_of(schedule(name, case), counts) for case, counts in zip(cases(name), kept(name), strict=True)]
        for name in NAMES
    }
    save(FILE, checkouts, rows)


if __name__ == "__main__":
    main()
