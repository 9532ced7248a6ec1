"""Records what the schedulers of PyTorch do with random arguments; writes `torch_schedulers.npz`.

Run it as `python tests/golden/record_torch_schedulers.py` with torch 2.14.1. It keeps the rates of about 40 of 200
updates of every draw, and the momentum where the scheduler cycles it, in float32; the draws come from seeds.
"""

import math
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
STEPS = 200
DRAWS = 20
LAMBDAS = {
    "inverse": lambda n: 1 / (1 + 0.05 * n),
    "halves": lambda n: 0.5 ** (n / 50),
    "stairs": lambda n: 1.0 if n < 20 else 0.3 if n < 100 else 0.05,
    "wave": lambda n: 0.5 + 0.5 * math.cos(n / 7),
}
FACTORS = {
    "slow": lambda n: 0.98,
    "fading": lambda n: 1 - 1 / (n + 5),
    "waving": lambda n: 1 + 0.1 * math.sin(n),
    "twice": lambda n: 0.3 if n in (40, 90) else 1.0,
}


class Dice:
    """Random arguments over the useful range."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def between(self, low, high):
        """A number whose logarithm is uniform, with a few digits."""
        return float(f"{np.exp(self.random.uniform(np.log(low), np.log(high))):.5g}")

    def integer(self, low, high):
        """From low to high, both included."""
        return int(self.random.integers(low, high + 1))

    def of(self, *options):
        """One of them."""
        return options[self.random.integers(len(options))]

    def flag(self):
        """True or False."""
        return bool(self.random.integers(2))


def _cyclic(dice):
    base = dice.between(1e-5, 1e-1)
    arguments = {"base_lr": base, "max_lr": base * dice.between(1.5, 50), "step_size_up": dice.integer(1, 60)}
    arguments |= {"mode": dice.of("triangular", "triangular2", "exp_range"), "gamma": dice.between(0.97, 1.0)}
    if dice.flag():
        arguments["step_size_down"] = dice.integer(1, 60)
    return arguments | {"base_momentum": dice.between(0.5, 0.85), "max_momentum": dice.between(0.86, 0.99)}


def _one_cycle(dice):
    three = dice.flag()
    arguments = {"max_lr": dice.between(1e-3, 1), "pct_start": dice.between(0.05, 0.45 if three else 0.9)}
    if dice.flag():
        arguments["total_steps"] = dice.integer(50, 250)
    else:
        arguments |= {"epochs": dice.integer(5, 20), "steps_per_epoch": dice.integer(10, 20)}
    arguments |= {"anneal_strategy": dice.of("cos", "linear"), "three_phase": three}
    arguments |= {"div_factor": dice.between(2, 100), "final_div_factor": dice.between(1, 1e5)}
    return arguments | {"base_momentum": dice.between(0.5, 0.85), "max_momentum": dice.between(0.86, 0.99)}


ARGUMENTS = {
    "LambdaLR": lambda dice: {"lr_lambda": dice.of(*LAMBDAS)},
    "MultiplicativeLR": lambda dice: {"lr_lambda": dice.of(*FACTORS)},
    "StepLR": lambda dice: {"step_size": dice.integer(1, 90), "gamma": dice.between(0.1, 1.1)},
    "MultiStepLR": lambda dice: {
        "milestones": [dice.integer(0, 199) for _ in range(dice.of(2, 5))],
        "gamma": dice.between(0.05, 1.2),
    },
    "ConstantLR": lambda dice: {"factor": dice.between(0.01, 1), "total_iters": dice.integer(1, 150)},
    "LinearLR": lambda dice: {
        "start_factor": dice.between(0.01, 1),
        "end_factor": dice.of(0.0, 1.0, dice.between(0.01, 1)),
        "total_iters": dice.integer(1, 250),
    },
    "ExponentialLR": lambda dice: {"gamma": dice.between(0.9, 1.003)},
    "PolynomialLR": lambda dice: {
        "total_iters": dice.integer(1, 250),
        "power": dice.of(1.0, 2.0, dice.between(0.3, 3)),
    },
    "CosineAnnealingLR": lambda dice: {
        "T_max": dice.integer(1, 250),
        "eta_min": dice.of(0.0, dice.between(1e-5, 1e-3)),
    },
    "CosineAnnealingWarmRestarts": lambda dice: {
        "T_0": dice.integer(1, 80),
        "T_mult": dice.integer(1, 3),
        "eta_min": dice.of(0.0, dice.between(1e-5, 1e-3)),
    },
    "CyclicLR": _cyclic,
    "OneCycleLR": _one_cycle,
}
# After the compositions, so that their draws stay what they were.
LATER = {
    "SWALR": lambda dice: {
        "swa_lr": dice.between(1e-4, 1),
        "anneal_epochs": dice.of(0, 1, dice.integer(2, 150)),
        "anneal_strategy": dice.of("cos", "linear"),
    },
}
# Few orders, many numbers: every order is a program to compile.
ORDERS = {
    "SequentialLR": [
        ["LinearLR", "CosineAnnealingLR"],
        ["ConstantLR", "PolynomialLR", "CyclicLR", "StepLR"],
        ["ExponentialLR", "MultiStepLR", "CosineAnnealingWarmRestarts"],
    ],
    "ChainedScheduler": [
        ["ConstantLR", "ExponentialLR"],
        ["LinearLR", "MultiStepLR", "StepLR"],
        ["PolynomialLR", "LinearLR", "ConstantLR", "ExponentialLR"],
    ],
    "SequentialLR table": [
        ["LinearLR", "OneCycleLR"],
        ["OneCycleLR", "CosineAnnealingLR", "LambdaLR"],
        ["MultiplicativeLR", "PolynomialLR", "OneCycleLR", "StepLR"],
        ["CosineAnnealingLR", "OneCycleLR", "ConstantLR", "OneCycleLR"],
    ],
    "ChainedScheduler table": [
        ["CosineAnnealingLR", "LinearLR"],
        ["ConstantLR", "CosineAnnealingLR", "MultiStepLR"],
        ["LambdaLR", "MultiplicativeLR", "ExponentialLR"],
        ["CyclicLR", "StepLR", "CosineAnnealingLR"],
        ["ExponentialLR", "CosineAnnealingWarmRestarts", "PolynomialLR"],
        ["CosineAnnealingLR", "OneCycleLR"],
    ],
}


def _drawn(dice, name):
    if name not in ORDERS:
        return {"class": name, "arguments": (ARGUMENTS | LATER)[name](dice)}
    children = [_drawn(dice, child) for child in dice.of(*ORDERS[name])]
    drawn = {"class": name.split(" ")[0], "children": children}
    return drawn | {"milestones": _milestones(dice, children)} if drawn["class"] == "SequentialLR" else drawn


def _milestones(dice, children):
    return sorted(int(n) for n in dice.random.choice(range(5, 190), len(children) - 1, replace=False))


def cases():
    """The draws by name: a class, or a composition that needs a table."""
    result = {}
    for i, name in enumerate([*ARGUMENTS, *ORDERS, *LATER]):
        dice = Dice(i)
        result[name] = [_drawn(dice, name) | {"lr": dice.between(1e-4, 1)} for _ in range(DRAWS)]
    return result


def build(case, optimizer, schedulers):
    """The live scheduler of a case; `schedulers` is the module torch.optim.lr_scheduler."""
    from torch.optim import swa_utils

    make = swa_utils.SWALR if case["class"] == "SWALR" else getattr(schedulers, case["class"])
    if "children" not in case:
        arguments = dict(case["arguments"])
        if "lr_lambda" in arguments:
            arguments["lr_lambda"] = (LAMBDAS | FACTORS)[arguments["lr_lambda"]]
        return make(optimizer, **arguments)
    children = [build(child, optimizer, schedulers) for child in case["children"]]
    if "milestones" in case:
        return make(optimizer, children, case["milestones"])
    return make(children)


def recorded(case, torch):
    """The rates and the momenta up to the end of a OneCycleLR, and the rates that the children were made with."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=case["lr"], momentum=0.9)
    scheduler = build(case, optimizer, torch.optim.lr_scheduler)
    group = optimizer.param_groups[0]
    children = getattr(scheduler, "_schedulers", [scheduler])
    bases = [child.base_lrs[0] for child in children if child is not scheduler]
    rates, momenta = [], []
    while len(rates) < STEPS and not any(
        child.last_epoch >= getattr(child, "total_steps", math.inf) for child in children
    ):
        rates.append(group["lr"])
        momenta.append(group["momentum"])
        optimizer.step()
        scheduler.step()
    return np.array(rates), np.array(momenta), np.array(bases)


def chosen(length):
    """The counts that are kept: the ends, and every fifth with its neighbours in turn."""
    return np.unique(np.r_[0, 1, 2, [i + i // 5 % 5 for i in range(3, length - 5, 5)], length - 2, length - 1])


def main():
    """Writes the file."""
    import torch

    arrays = {}
    for name, draws in cases().items():
        rates, momenta, bases = zip(*(recorded(case, torch) for case in draws), strict=True)
        key = name.replace(" ", "_")
        arrays[key] = np.concatenate([values[chosen(len(values))] for values in rates]).astype(np.float32)
        arrays[f"{key}_lengths"] = np.array([len(values) for values in rates], np.uint8)
        arrays[f"{key}_peaks"] = np.array([np.abs(values).max() for values in rates], np.float32)
        if "children" in draws[0]:
            arrays[f"{key}_bases"] = np.concatenate(bases)
        if name in ("CyclicLR", "OneCycleLR"):
            arrays[f"{key}_momentum"] = np.concatenate([v[chosen(len(v))] for v in momenta]).astype(np.float32)
    np.savez_compressed(FOLDER / "torch_schedulers.npz", version=torch.__version__, **arrays)


if __name__ == "__main__":
    main()
