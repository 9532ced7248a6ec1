"""Records the schedules of fastai with random arguments; writes `fastai_schedules.npz`.

Run it as `python tests/golden/record_fastai.py` with fastai 2.8.12, fastcore 2.2.41 and torch 2.14.1; of fastai one
module is needed, and stand-ins for its learner, which hands the schedules to `fit`. fastai's positions in a combination
are float32; they are recorded in float64, so that what is compared is the curve and not their rounding.
"""

import functools
import math
import sys
import types
from pathlib import Path

import numpy as np
from sampling import STEPS, save

FILE = Path(__file__).with_name("fastai_schedules.npz")
SCHEDS = ("SchedLin", "SchedCos", "SchedExp", "SchedNo", "SchedPoly")


def _ends(dice):
    return {"start": dice.rate(), "end": dice.rate()}


def _combined(dice):
    count = dice.whole(1, 4)
    pcts = [0.0]
    while sum(pcts) != 1.0:  # to the last bit, as fastai wants it
        cuts = sorted(dice.random.choice(range(1, 100), count - 1, replace=False).tolist())
        pcts = [(b - a) / 100 for a, b in zip([0, *cuts], [*cuts, 100], strict=True)]
    parts = []
    for _ in pcts:
        name = dice.one_of(*SCHEDS)
        parts.append((name, {**_ends(dice), **({"power": dice.between(0.5, 3)} if name == "SchedPoly" else {})}))
    return {"pcts": pcts, "scheds": parts, "total_steps": dice.whole(150, 300)}


def _run(dice):
    return {"n_epoch": dice.whole(1, 9), "steps_per_epoch": dice.whole(20, 60)}


ARGUMENTS = {
    **{name: lambda dice: {**_ends(dice), "total_steps": dice.whole(150, 300)} for name in SCHEDS[:-1]},
    "SchedPoly": lambda dice: {**_ends(dice), "power": dice.between(0.5, 3), "total_steps": dice.whole(150, 300)},
    "combine_scheds": _combined,
    "combined_cos": lambda dice: {
        "pct": dice.one_of(0.25, dice.between(0.1, 0.9)),
        "start": dice.rate(),
        "middle": dice.rate(),
        "end": dice.rate(),
        "total_steps": dice.whole(150, 300),
    },
    "fit_one_cycle": lambda dice: {
        **_run(dice),
        "lr_max": dice.rate(),
        "div": dice.between(2, 100),
        "div_final": dice.between(2, 1e5),
        "pct_start": dice.one_of(0.25, dice.between(0.1, 0.9)),
    },
    "fit_one_cycle_momentum": lambda dice: {
        **_run(dice),
        "moms": [dice.between(0.8, 0.99) for _ in range(3)],
        "pct_start": dice.one_of(0.25, dice.between(0.1, 0.9)),
    },
    "fit_flat_cos": lambda dice: {
        **_run(dice),
        "lr": dice.rate(),
        "div_final": dice.between(2, 1e5),
        "pct_start": dice.one_of(0.75, dice.between(0.1, 0.9)),
    },
    "fit_sgdr": lambda dice: {
        "n_cycles": dice.whole(1, 4),
        "cycle_len": dice.whole(1, 3),
        "lr_max": dice.rate(),
        "cycle_mult": dice.one_of(2, 3),
        "steps_per_epoch": dice.whole(10, 40),
    },
}


class Callback:
    """Stands in for fastai's."""


class Learner:
    """Stands in for fastai's: a call of `fit` keeps the schedules that it would run."""

    def __init__(self):
        self.lr, self.moms, self.wd = 1e-3, (0.95, 0.85, 0.95), None
        self.opt = types.SimpleNamespace(hypers=[{"lr": 0.0}])
        self.opt.set_hyper = lambda name, value: self.opt.hypers[0].__setitem__(name, value)

    def fit(self, n_epoch, cbs, **others):
        """Keeps the schedules."""
        del others
        self.epochs, self.scheds = n_epoch, cbs[0].scheds


def module():
    """The module `fastai.callback.schedule`, without the rest of the package."""
    if "fastai.callback.schedule" not in sys.modules:
        import torch
        from fastcore import basics, foundation, meta

        folder = next(Path(path, "fastai") for path in sys.path if Path(path, "fastai", "callback").exists())
        for name in ("fastai", "fastai.basics", "fastai.callback", "fastai.callback.tracker"):
            sys.modules[name] = types.ModuleType(name)
        sys.modules["fastai.callback.tracker"].SaveModelCallback = Callback
        known = {name: getattr(basics, name) for name in ("store_attr", "patch")} | {"L": foundation.L}
        known |= {
            "delegates": meta.delegates,
            "docs": foundation.docs,
            "tensor": functools.partial(torch.tensor, dtype=torch.float64),
            "torch": torch,
            "np": np,
        }
        known |= {"math": math, "functools": functools, "Callback": Callback, "Learner": Learner, "Recorder": Callback}
        known |= {"Enum": object, "mk_class": basics.mk_class, "SuggestionMethod": object, "collections": types}
        vars(sys.modules["fastai.basics"]).update(known, __all__=list(known))
        source = (folder / "callback" / "schedule.py").read_text()
        # What follows is the range test, which records nothing here.
        source = source[: source.index("@patch\n@delegates(Learner.fit_one_cycle)\ndef fine_tune")]
        made = types.ModuleType("fastai.callback.schedule")
        made.__package__ = "fastai.callback"
        sys.modules["fastai.callback.schedule"] = made
        exec(compile(source, "schedule.py", "exec"), vars(made))
    return sys.modules["fastai.callback.schedule"]


def _annealer(name, arguments):
    given = {key: value for key, value in arguments.items() if key not in ("total_steps", "steps_per_epoch")}
    if name == "combine_scheds":
        given["scheds"] = [_annealer(*part) for part in given["scheds"]]
    return getattr(module(), name)(**given)


def rates(name, arguments):
    """fastai's values at the positions of the updates, held at the end."""
    if not name.startswith("fit_"):
        curve, total = _annealer(name, arguments), arguments["total_steps"]
    else:
        module()
        learner, given = Learner(), dict(arguments)
        steps = given.pop("steps_per_epoch")
        kind = "mom" if name.endswith("_momentum") else "lr"
        getattr(learner, name.removesuffix("_momentum"))(**given)
        curve, total = learner.scheds[kind], learner.epochs * steps
    return np.array([float(np.asarray(curve(min(n / total, 1.0))).item()) for n in range(STEPS)])


def doubted(name, arguments):
    """The updates at which a border lies, which a rounded share may put on its other side."""
    if name == "combine_scheds":
        borders = np.cumsum(arguments["pcts"]) * arguments["total_steps"]
    elif name == "fit_sgdr":
        first = arguments["cycle_len"] * arguments["steps_per_epoch"]
        borders = first * np.cumsum(float(arguments["cycle_mult"]) ** np.arange(arguments["n_cycles"]))
    else:
        borders = np.zeros(0)
    return np.array([bool((np.abs(borders - n) < 1e-3).any()) for n in range(STEPS)])


if __name__ == "__main__":
    from importlib.metadata import version

    save(FILE, version("fastai"), ARGUMENTS, rates)
