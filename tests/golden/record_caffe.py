"""Writes down Caffe's learning rates with random arguments as `caffe_schedules.npz`.

Run it as `python tests/golden/record_caffe.py`. Caffe itself cannot be installed here: these are the formulas that its
solver's comments publish for `lr_policy`, in float64.
"""

import math
from pathlib import Path

import numpy as np
from sampling import STEPS, save

FILE = Path(__file__).with_name("caffe_schedules.npz")
ARGUMENTS = {
    "fixed": lambda dice: {},
    "step": lambda dice: {"gamma": dice.between(0.1, 1), "stepsize": dice.whole(1, 80)},
    "exp": lambda dice: {"gamma": dice.between(0.9, 1)},
    "inv": lambda dice: {"gamma": dice.between(1e-4, 0.5), "power": dice.one_of(0.75, dice.between(0.3, 3))},
    "multistep": lambda dice: {
        "gamma": dice.between(0.1, 1),
        "stepvalue": sorted(dice.whole(1, 190) for _ in range(dice.whole(1, 5))),
    },
    "poly": lambda dice: {"power": dice.one_of(1.0, dice.between(0.3, 3)), "max_iter": dice.whole(199, 400)},
    "sigmoid": lambda dice: {"gamma": dice.one_of(-1, 1) * dice.between(0.01, 0.5), "stepsize": dice.whole(1, 190)},
}
for _policy in list(ARGUMENTS):
    ARGUMENTS[_policy] = lambda dice, make=ARGUMENTS[_policy]: {"base_lr": dice.rate(), **make(dice)}


def _rate(policy, n, base_lr, gamma=0.0, power=0.0, stepsize=1, stepvalue=(), max_iter=1):
    return (
        base_lr
        * {
            "fixed": lambda: 1.0,
            "step": lambda: gamma ** (n // stepsize),
            "exp": lambda: gamma**n,
            "inv": lambda: (1 + gamma * n) ** -power,
            "multistep": lambda: gamma ** sum(n >= step for step in stepvalue),
            "poly": lambda: (1 - n / max_iter) ** power,
            "sigmoid": lambda: 1 / (1 + math.exp(-gamma * (n - stepsize))),
        }[policy]()
    )


def rates(name, arguments):
    """The published formula."""
    return np.array([_rate(name, n, **arguments) for n in range(STEPS)])


if __name__ == "__main__":
    save(FILE, "1.0, its published formulas", ARGUMENTS, rates)
