"""Records what torchtitan's schedule does with random arguments and with three TOML files; writes `torchtitan.npz`.

Run it as `python tests/golden/record_torchtitan.py CHECKOUT`, CHECKOUT a clone of torchtitan, with torch. The arguments
come from a seed; of 200 rates 24 are kept, and 60 of each TOML file's. Rates past the end of a run, where the source
goes on along its line, are those of the end.
"""

import sys
import tomllib
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "torchtitan.npz"
FOLDER = Path(__file__).parents[1] / "dialects" / "configs" / "torchtitan"
CONFIGS = ["small_dense.toml", "wsd_cosine.toml", "early_stop_sqrt.toml"]
DRAWS, STEPS, KEPT = 20, 200, 24
NAMES = ["LRSchedulersContainer"]


def cases(name: str) -> list[dict]:
    """The arguments of every draw."""
    random = np.random.default_rng([31, NAMES.index(name)])
    return [_case(random) for _ in range(DRAWS)]


def _case(random: np.random.Generator) -> dict:
    def one_of(*options):
        return options[random.integers(len(options))]

    steps = int(random.integers(1, 260))
    return {
        "lr": 10 ** float(random.uniform(-5, 0)),
        "training_steps": steps,
        "warmup_steps": one_of(0, int(random.integers(0, steps + 1)), int(random.integers(0, 260))),
        "total_steps": one_of(None, None, int(random.integers(1, 260))),
        "decay_ratio": one_of(None, 0.0, float(random.uniform(0, 1)), 1.0),
        "decay_type": one_of("linear", "sqrt", "cosine"),
        "min_lr_factor": one_of(0.0, float(random.uniform(0, 1))),
    }


def kept(name: str) -> np.ndarray:
    """The counts that are recorded, one row for each draw."""
    random = np.random.default_rng([32, NAMES.index(name)])
    rows = [np.sort(random.choice(np.arange(1, STEPS - 1), KEPT - 2, replace=False)) for _ in range(DRAWS)]
    return np.array([[0, *row, STEPS - 1] for row in rows])


def counts(config: str) -> np.ndarray:
    """The updates of a TOML file that are recorded: first, last, and some between."""
    said = tomllib.loads((FOLDER / config).read_text())
    return np.unique(np.linspace(0, said["training"]["steps"], 60).astype(int))


def rates(module, arguments: dict, counts: np.ndarray) -> np.ndarray:
    """torchtitan's own rates."""
    import torch

    said = dict(arguments)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=said.pop("lr"))
    steps = said.pop("training_steps")
    made = module.LRSchedulersContainer.Config(**said).build(optimizers=[optimizer], training_steps=steps)
    (scheduler,) = made.schedulers
    end = steps if said.get("total_steps") is None else said["total_steps"]
    found = []
    for count in np.minimum(counts, end):
        scheduler.last_epoch = int(count)
        found.append(scheduler.get_lr()[0])
    return np.array(found)


def main() -> None:
    """Writes the file."""
    import logging

    import sources

    root = Path(sys.argv[1])
    logging.disable()
    logger = logging.getLogger("nobody")

    class Configurable:
        class Config:
            pass

    module = sources.loaded(
        root / "torchtitan/components/optimizer/lr_scheduler.py",
        "torchtitan.components.optimizer.lr_scheduler",
        torchtitan={},
        torchtitan__components={},
        torchtitan__components__optimizer={"__path__": []},
        torchtitan__components__optimizer__optimizer={"OptimizersContainer": object},
        torchtitan__config={"Configurable": Configurable},
        torchtitan__tools={},
        torchtitan__tools__logging={"logger": logger},
    )
    recorded = {}
    for name in NAMES:
        rows = [rates(module, case, row) for case, row in zip(cases(name), kept(name), strict=True)]
        recorded[name] = np.array(rows).astype(np.float32)
    for config in CONFIGS:
        said = tomllib.loads((FOLDER / config).read_text())
        scheduler = dict(said["lr_scheduler"])
        if "lr_min" in scheduler:
            scheduler["min_lr_factor"] = scheduler.pop("lr_min")
        arguments = {"lr": said["optimizer"]["lr"], "training_steps": said["training"]["steps"], **scheduler}
        recorded[config] = rates(module, arguments, counts(config)).astype(np.float32)
    np.savez_compressed(FILE, version=sources.version(root), **recorded)


if __name__ == "__main__":
    main()
