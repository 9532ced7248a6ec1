"""Records what torchtitan's schedule does with random arguments and with three TOML files; writes `torchtitan.npz`.

Run it as `python tests/golden/record_torchtitan.py CHECKOUT`, CHECKOUT a clone of torchtitan, with torch. The arguments
come from a seed; of 200 rates 24 are kept, and 60 of each TOML file's. Rates past the end of a run, where the source
goes on along its line, are those of the end.
"""

import sys
import tomllib
from pathlib import Path

import numpy as np
import recording
from recording import Dice, drawn

FILE = Path(__file__).parent / "torchtitan.npz"
FOLDER = Path(__file__).parents[1] / "dialects" / "configs" / "torchtitan"
CONFIGS = ["small_dense.toml", "wsd_cosine.toml", "early_stop_sqrt.toml"]
NAMES = ["LRSchedulersContainer"]


def cases(name: str) -> list[dict]:
    """The arguments of every draw."""
    return drawn(_case, NAMES, name, seed=31)


def _case(name: str, dice: Dice) -> dict:
    steps = dice.whole(1, 259)
    return {
        "lr": 10 ** dice.between(-5, 0),
        "training_steps": steps,
        "warmup_steps": dice.one_of(0, dice.whole(0, steps), dice.whole(0, 259)),
        "total_steps": dice.one_of(None, None, dice.whole(1, 259)),
        "decay_ratio": dice.one_of(None, 0.0, dice.between(0, 1), 1.0),
        "decay_type": dice.one_of("linear", "sqrt", "cosine"),
        "min_lr_factor": dice.one_of(0.0, dice.between(0, 1)),
    }


def kept(name: str) -> np.ndarray:
    """The counts that are recorded, one row for each draw."""
    return recording.kept(NAMES, name, seed=32)


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
