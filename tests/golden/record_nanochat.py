"""Records what nanochat's schedules and nanoGPT's do with random arguments; writes `nanochat.npz`.

Run it as `python tests/golden/record_nanochat.py NANOCHAT NANOGPT`, clones of both. The functions are taken out of the
training scripts. The arguments come from a seed; 24 values of the run and past its end are kept, those past the end
being the last, where the source goes on along its line.
"""

import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from recording import KEPT, STEPS, Dice, drawn

FILE = Path(__file__).parent / "nanochat.npz"
NAMES = ["get_lr_multiplier", "get_muon_momentum", "get_weight_decay", "get_lr"]


def cases(name: str) -> list[dict]:
    """The arguments of every draw."""
    return drawn(_case, NAMES, name, seed=51)


def _case(name: str, dice: Dice) -> dict:
    steps = dice.whole(2, 219)
    if name == "get_lr":
        warm = dice.whole(0, steps - 1)
        rate = 10 ** dice.between(-5, 0)
        lows = {"min_lr": rate * dice.between(0, 0.5)}
        return {"learning_rate": rate, "warmup_iters": warm, "lr_decay_iters": steps, **lows}
    if name == "get_weight_decay":
        return {"weight_decay": dice.between(0, 1), "num_iterations": steps}
    ratio = {"warmdown_ratio": dice.between(0, 1)}
    if name == "get_muon_momentum":
        return {"num_iterations": steps * dice.whole(1, 19), **ratio}
    warm = {"warmup_steps": dice.whole(0, steps - 1), "final_lr_frac": dice.between(0, 0.5)}
    return {"num_iterations": steps, **warm, **ratio}


def kept(name: str) -> np.ndarray:
    """The counts that are recorded, one row for each draw: over the run, and one past it."""
    ends = [case.get("num_iterations", STEPS) for case in cases(name)]
    return np.array([[*np.linspace(0, end, KEPT - 1).astype(int), end + 50] for end in ends])


def values(name: str, arguments: dict, counts: np.ndarray, roots: list[Path]) -> np.ndarray:
    """The source's own values."""
    import sources

    path = roots[1] / "train.py" if name == "get_lr" else roots[0] / "scripts/base_train.py"
    scope = {"math": math, "args": SimpleNamespace(**arguments), **arguments}
    scope["weight_decay_scaled"] = arguments.get("weight_decay")
    function = sources.functions(path, [name], scope)[name]
    return np.array([function(int(count)) for count in np.minimum(counts, arguments.get("num_iterations", 10**9))])


def main() -> None:
    """Writes the file."""
    import sources

    roots = [Path(each) for each in sys.argv[1:3]]
    recorded = {}
    for name in NAMES:
        rows = [values(name, case, row, roots) for case, row in zip(cases(name), kept(name), strict=True)]
        recorded[name] = np.array(rows).astype(np.float32)
    version = " ".join(map(sources.version, roots))
    np.savez_compressed(FILE, version=version, **recorded)


if __name__ == "__main__":
    main()
