"""Records the schedulers of PaddlePaddle with random arguments; writes `paddle_schedules.npz`.

Run it as `python tests/golden/record_paddle.py LR`, where LR is `paddle/optimizer/lr.py` of the wheel paddlepaddle
3.3.1: the file alone is run, with stand-ins for what it imports of its package.
"""

import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from recording import STEPS
from sampling import save

FILE = Path(__file__).with_name("paddle_schedules.npz")
LAMBDAS = {
    "inverse": lambda n: 1 / (1 + 0.05 * n),
    "stairs": lambda n: 1.0 if n < 20 else 0.3 if n < 100 else 0.05,
    "wave": lambda n: 0.5 + 0.5 * math.cos(n / 7),
}
FACTORS = {
    "slow": lambda n: 0.98,
    "fading": lambda n: 1 - 1 / (n + 5),
    "twice": lambda n: 0.3 if n in (40, 90) else 1.0,
}
SCALES = {"inverse": lambda x: 1 / (1.0 + 0.1 * x), "third": lambda x: 0.3 + 0.0 * x}


def _low(dice):
    return dice.one_of({}, {"eta_min": dice.between(1e-6, 1e-4)})


def _polynomial(dice):
    shape = {"power": dice.one_of(1.0, dice.between(0.3, 3)), "cycle": dice.one_of(True, False)}
    return {"decay_steps": dice.whole(1, 250), "end_lr": dice.one_of(1e-4, dice.between(0, 1)), **shape}


def _piecewise(dice):
    boundaries = dice.rising(1, 195, dice.whole(1, 4))
    return {"boundaries": boundaries, "values": [dice.rate() for _ in range(len(boundaries) + 1)]}


def _one_cycle(dice):
    three = dice.one_of(True, False)
    words = {"anneal_strategy": dice.one_of("cos", "linear"), "three_phase": three}
    shape = {"divide_factor": dice.between(2, 100), "phase_pct": dice.between(0.05, 0.45 if three else 0.9)}
    last = {"end_learning_rate": dice.one_of(0.0, 1e-4, dice.between(0, 0.5))}
    return {"max_learning_rate": dice.rate(), "total_steps": dice.whole(20, 400), **shape, **words, **last}


def _cyclic(dice):
    low = dice.rate()
    rates = {"base_learning_rate": low, "max_learning_rate": low * dice.between(1.5, 50)}
    lengths = {"step_size_up": dice.whole(1, 60), **dice.one_of({}, {"step_size_down": dice.whole(1, 60)})}
    modes = {"mode": dice.one_of("triangular", "triangular2", "exp_range"), "exp_gamma": dice.between(0.97, 1.0)}
    own = {"scale_fn": dice.one_of(*SCALES), "scale_mode": dice.one_of("cycle", "iterations")}
    return {**rates, **lengths, **dice.one_of(modes, modes, own)}


def _warmup(dice):
    inner = dice.one_of(None, *INNER)
    rate = dice.rate() if inner is None else [inner, ARGUMENTS[inner](dice)]
    first = dice.one_of(0.0, dice.between(0, 0.1))
    return {"learning_rate": rate, "warmup_steps": dice.whole(1, 80), "start_lr": first, "end_lr": first + dice.rate()}


def _plateau(dice):
    words = {"mode": dice.one_of("min", "max"), "threshold_mode": dice.one_of("rel", "abs")}
    numbers = {"factor": dice.between(0.1, 0.9), "patience": dice.whole(0, 8), "cooldown": dice.whole(0, 9)}
    limits = {"threshold": dice.one_of(0.0, 1e-4, 1e-2), "min_lr": dice.one_of(0.0, 1e-5), "epsilon": 1e-8}
    return {**words, **numbers, **limits, "metrics": dice.whole(0, 10**6)}


def _rate(make):
    return lambda dice: {"learning_rate": dice.rate(), **make(dice)}


ARGUMENTS = {
    "NoamDecay": _rate(lambda dice: {"d_model": dice.whole(1, 1024), "warmup_steps": dice.whole(1, 150)}),
    "PiecewiseDecay": _piecewise,
    "NaturalExpDecay": _rate(lambda dice: {"gamma": dice.between(1e-3, 0.1)}),
    "InverseTimeDecay": _rate(lambda dice: {"gamma": dice.between(1e-3, 1)}),
    "PolynomialDecay": _rate(_polynomial),
    "ExponentialDecay": _rate(lambda dice: {"gamma": dice.between(0.9, 1)}),
    "MultiStepDecay": _rate(
        lambda dice: {"milestones": dice.rising(1, 195, dice.whole(0, 4)), "gamma": dice.between(0.1, 1)}
    ),
    "StepDecay": _rate(lambda dice: {"step_size": dice.whole(1, 90), "gamma": dice.between(0.1, 1)}),
    "LambdaDecay": _rate(lambda dice: {"lr_lambda": dice.one_of(*LAMBDAS)}),
    "MultiplicativeDecay": _rate(lambda dice: {"lr_lambda": dice.one_of(*FACTORS)}),
    "LinearLR": _rate(
        lambda dice: {
            "total_steps": dice.whole(1, 250),
            "start_factor": dice.between(0.01, 1),
            "end_factor": dice.one_of(0.0, 1.0, dice.between(0, 1)),
        }
    ),
    "CosineAnnealingDecay": _rate(lambda dice: {"T_max": dice.whole(1, 250), **_low(dice)}),
    # Two counts at least: within a warm-up the source misses a restart of cycles of 1, 3, 9, ...
    "CosineAnnealingWarmRestarts": _rate(
        lambda dice: {"T_0": dice.whole(2, 80), "T_mult": dice.whole(1, 3), **_low(dice)}
    ),
    "OneCycleLR": _one_cycle,
    "CyclicLR": _cyclic,
    "LinearWarmup": _warmup,
    "ReduceOnPlateau": _rate(_plateau),
}
# What may be within a warm-up; few, for every one is a program to compile.
INNER = (
    "PolynomialDecay",
    "CosineAnnealingDecay",
    "CosineAnnealingWarmRestarts",
    "LinearLR",
    "NoamDecay",
    "OneCycleLR",
)


def metrics(arguments):
    """What a rule is shown: waves with noise and repeats, above 0 where a share of them is the margin."""
    random = np.random.default_rng(arguments["metrics"])
    shown = np.cos(np.arange(STEPS) / random.uniform(5, 60)) + random.normal(0, 0.1, STEPS)
    shown = np.repeat(shown, random.integers(1, 5))[:STEPS]
    return (np.exp(shown) if arguments["threshold_mode"] == "rel" else shown).astype(np.float32)


def lr_module(path):
    """The module of the schedulers."""
    import sources

    nothing = type("Nothing", (), {})
    needed = {
        "paddle": {"Tensor": nothing},
        "paddle__base": {"core": SimpleNamespace(eager=SimpleNamespace(Tensor=nothing))},
        "paddle__base__data_feeder": {"check_type": None},
        "paddle__base__framework": dict.fromkeys(("Variable", "default_main_program", "in_dygraph_mode")),
        "paddle__base__layer_helper": {"LayerHelper": None},
    }
    return sources.loaded(path, "paddle_lr", **needed)


def scheduler(module, name, arguments):
    """A scheduler of recorded arguments, in which functions are names, schedulers are pairs and metrics are seeds."""
    given = {argument: value for argument, value in arguments.items() if argument != "metrics"}
    if name == "LinearWarmup" and isinstance(given["learning_rate"], list):
        given["learning_rate"] = scheduler(module, *given["learning_rate"])
    for argument, functions in (("lr_lambda", LAMBDAS | FACTORS), ("scale_fn", SCALES)):
        if argument in given:
            given[argument] = functions[given[argument]]
    return getattr(module, name)(**given)


def _last(name, arguments):
    """The last count that a scheduler has a rate for, where it has one."""
    if name == "LinearWarmup" and isinstance(arguments["learning_rate"], list):
        return arguments["warmup_steps"] + _last(*arguments["learning_rate"])
    return arguments["total_steps"] - 1 if name == "OneCycleLR" else STEPS


def rates(name, arguments):
    """Paddle's rates; past the end of one that has an end, the last."""
    shown = metrics(arguments) if "metrics" in arguments else None
    made, rows = scheduler(lr_module(Path(sys.argv[1])), name, arguments), []
    for n in range(STEPS):
        rows.append(made())
        if n < _last(name, arguments):
            made.step(*([] if shown is None else [float(shown[n])]))
    return np.array(rows)


if __name__ == "__main__":
    save(FILE, "3.3.1", ARGUMENTS, rates)
