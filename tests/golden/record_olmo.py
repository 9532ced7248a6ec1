"""Records what OLMo-core's schedulers do with random arguments and with three configurations; writes `olmo.npz`.

Run it as `python tests/golden/record_olmo.py CHECKOUT`, CHECKOUT a clone of OLMo-core, with torch and PyYAML. The
arguments come from a seed; of 200 rates 24 are kept, and 60 of each configuration's. Rates past the end of a run, where
the source goes on along its line, are those of the end.
"""

import json
import logging
import sys
import tomllib
import types
import warnings
from enum import Enum
from pathlib import Path

import numpy as np
import recording
from recording import Dice, drawn

FILE = Path(__file__).parent / "olmo.npz"
FOLDER = Path(__file__).parents[1] / "dialects" / "configs" / "olmo"
# The updates of each configuration, and what the first one's batches hold.
CONFIGS = {"run_1b.json": 4292, "anneal_tokens.yaml": 3815, "two_stages.toml": 2500}
BATCHES = {"anneal_tokens.yaml": 1048576}
NAMES = ["ConstantWithWarmup", "WSD", "PowerLR", "LinearWithWarmup", "InvSqrtWithWarmup", "CosWithWarmup"]
NAMES += ["HalfCosWithWarmup", "CosWithWarmupAndLinearDecay", "WSDS", "ExponentialScheduler", "SequentialScheduler"]
NAMES += ["ComposableScheduler"]


def cases(name: str) -> list[dict]:
    """The arguments of every draw: the peak, the length of the run, and the scheduler's own."""
    return drawn(_case, NAMES, name, seed=41)


def _case(name: str, dice: Dice) -> dict:
    peak, total = 10 ** dice.between(-5, 0), dice.whole(40, 219)
    made = {"initial_lr": peak, "max_steps": total}
    warm = dice.one_of({"warmup": dice.whole(1, total // 2 - 1)}, {"warmup_fraction": dice.between(0.01, 0.5)})
    warm |= {"warmup_min_lr": dice.one_of(0.0, peak * dice.between(0, 0.4))}
    fall = dice.one_of({"decay": dice.whole(1, total // 2 - 1)}, {"decay_fraction": dice.between(0.01, 0.5)})
    if name != "WSDS":
        fall = dice.one_of(fall, {})
    if name == "CosWithWarmupAndLinearDecay":
        fall |= {"decay_min_lr": dice.one_of(0.0, peak * dice.between(0, 0.01))}
    else:
        fall |= {"decay_min_lr": dice.one_of(0.0, peak * dice.between(0, 0.2))}
    end = {"alpha_f": dice.one_of(0.0, 0.1, dice.between(0.05, 1.0)), "t_max": dice.one_of(None, dice.whole(110, 259))}
    if name == "ConstantWithWarmup":
        return made | warm
    if name == "WSD":
        return made | warm | fall | dice.one_of({}, {"warmup": total - 5, "warmup_fraction": None})
    if name == "PowerLR":
        return made | warm | fall | {"b": -dice.between(0.1, 1.5), "decay_min_lr": dice.one_of(0.0, peak * 1e-5)}
    if name in ("LinearWithWarmup", "CosWithWarmup", "HalfCosWithWarmup"):
        return made | warm | end
    if name == "InvSqrtWithWarmup":
        return made | warm | {"alpha_f": end["alpha_f"]}
    if name == "CosWithWarmupAndLinearDecay":
        return made | warm | fall | end | {"alpha_f": max(end["alpha_f"], 0.1)}
    if name == "WSDS":
        lengths = [int(each) for each in dice.random.integers(30, 70, size=dice.random.integers(1, 5))]
        short = {"warmup": dice.whole(1, 11), "warmup_min_lr": 0.0}
        fall |= dice.one_of({"decay": dice.whole(1, 15)}, {"decay_fraction": dice.between(0.1, 0.5)})
        fall = {"decay_min_lr": fall["decay_min_lr"]} | {
            k: v for k, v in list(fall.items())[-1:] if k != "decay_min_lr"
        }
        if len(fall) == 1:
            fall |= {"decay": 7}
        factors = dice.one_of(None, [dice.between(0.5, 2) for _ in lengths])
        return made | short | fall | {"period_lengths": lengths, "period_lr_multipliers": factors}
    if name == "ExponentialScheduler":
        return made | {"lr_min": dice.one_of(1e-9, peak * dice.between(0.001, 0.9))}
    override = {"start": dice.whole(0, total // 2 - 1), "duration": dice.whole(1, 19)}
    override |= {"shape": dice.one_of("linear", "cosine")} | dice.one_of(
        {"end_lr": peak * 0.01}, {"end_lr_fraction": 0.1}
    )
    late = {"override_decay": dice.one_of(None, override)}
    if name == "SequentialScheduler":
        kinds = ["CosWithWarmup", "LinearWithWarmup", "WSD"]
        first = [dice.one_of(*kinds[:2]) for _ in range(dice.random.integers(1, 3))]
        inner = [(kind, {"warmup": dice.whole(1, 7)}) for kind in [*first, dice.one_of(*kinds)]]
        lengths = [int(each) for each in dice.random.integers(10, 20, size=len(first))]
        return made | {"schedulers": inner, "schedulers_max": lengths} | late
    stages = []
    for _ in range(dice.random.integers(1, 5)):
        stage = {"duration": dice.whole(1, 79), "shape": dice.one_of("linear", "cosine")}
        stage |= dice.one_of({"end_lr": peak * dice.between(0, 1)}, {"end_lr_fraction": dice.between(0, 1)})
        stages.append(stage | dice.one_of({}, {}, {"start_lr": 0.0}, {"start_lr_fraction": dice.between(0, 1)}))
    return made | {"stages": stages} | late


def kept(name: str) -> np.ndarray:
    """The counts that are recorded, one row for each draw."""
    return recording.kept(NAMES, name, seed=42)


def counts(config: str) -> np.ndarray:
    """The updates of a configuration that are recorded: first, last, and some between."""
    return np.unique(np.linspace(0, CONFIGS[config] - 1, 60).astype(int))


def _built(module, name: str, said: dict):
    """A scheduler of the source."""
    said = dict(said)
    if said.get("override_decay"):
        said["override_decay"] = module.OverrideDecay(**said["override_decay"])
    if name == "SequentialScheduler":
        said["schedulers"] = [_built(module, kind, inner) for kind, inner in said["schedulers"]]
        said["schedulers_max"] = list(said["schedulers_max"])
    if name == "ComposableScheduler":
        said["stages"] = [module.ComposableSchedulerStage(**stage) for stage in said["stages"]]
    if "decay" in said and said["decay"] is not None and name != "WSDS":
        said["decay_fraction"] = None
    return getattr(module, name)(**said)


def rates(module, name: str, arguments: dict, counts: np.ndarray) -> np.ndarray:
    """The source's own rates."""
    said = dict(arguments)
    peak, total = said.pop("initial_lr"), said.pop("max_steps")
    scheduler = _built(module, name, said)
    ends = {"WSD", "PowerLR", "CosWithWarmupAndLinearDecay", "SequentialScheduler"}
    counts = np.minimum(counts, total) if name in ends else counts
    return np.array([scheduler.get_lr(peak, int(count), total) for count in counts])


def configured(module, config: str) -> np.ndarray:
    """The rates of a configuration, at the trainer's counts: that of the update that is made."""
    import yaml

    text = (FOLDER / config).read_text()
    said = {".json": json.loads, ".yaml": yaml.safe_load, ".toml": tomllib.loads}[Path(config).suffix](text)
    table = dict(said["train_module"]["scheduler"])
    peak, counted, total = said["train_module"]["optim"]["lr"], counts(config) + 1, CONFIGS[config]
    if config in BATCHES:
        counted, total = np.minimum(counted * BATCHES[config], 4001000000), 4001000000
    names = {"wsd": "WSD", "sequential": "SequentialScheduler", "cos_with_warmup": "CosWithWarmup"}
    names |= {"inv_sqrt_with_warmup": "InvSqrtWithWarmup"}
    name = table.pop("_CLASS_", "").rpartition(".")[2] or names[table.pop("type")]
    if "schedulers" in table:
        inner = [dict(each) for each in table["schedulers"]]
        table["schedulers"] = [(names[each.pop("type")], each) for each in inner]
    table.pop("units", None)
    return rates(module, name, {"initial_lr": float(peak), "max_steps": total, **table}, counted)


def main() -> None:
    """Writes the file."""
    import sources

    class Registrable:
        @classmethod
        def register(cls, name):
            return lambda made: made

    class StrEnum(str, Enum):  # noqa: UP042, as in the source
        pass

    root = Path(sys.argv[1])
    logging.disable()
    warnings.simplefilter("ignore")
    package = types.ModuleType("olmo_core")
    package.__path__ = [str(root / "src/olmo_core")]
    sys.modules["olmo_core"] = package
    stand_ins = {
        "olmo_core__optim": {"__path__": []},
        "olmo_core__config": {"Config": type("Config", (), {}), "Registrable": Registrable, "StrEnum": StrEnum},
        "olmo_core__exceptions": {"OLMoConfigurationError": ValueError},
        "olmo_core__optim__config": {"INITIAL_LR_FIELD": "initial_lr", "LR_FIELD": "lr"},
    }
    module = sources.loaded(root / "src/olmo_core/optim/scheduler.py", "olmo_core.optim.scheduler", **stand_ins)
    recorded = {}
    for name in NAMES:
        rows = [rates(module, name, case, row) for case, row in zip(cases(name), kept(name), strict=True)]
        recorded[name] = np.array(rows).astype(np.float32)
    for config in CONFIGS:
        recorded[config] = configured(module, config).astype(np.float32)
    np.savez_compressed(FILE, version=sources.version(root), **recorded)


if __name__ == "__main__":
    main()
