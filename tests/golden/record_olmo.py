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

FILE = Path(__file__).parent / "olmo.npz"
FOLDER = Path(__file__).parents[1] / "dialects" / "configs" / "olmo"
# The updates of each configuration, and what the first one's batches hold.
CONFIGS = {"run_1b.json": 4292, "anneal_tokens.yaml": 3815, "two_stages.toml": 2500}
BATCHES = {"anneal_tokens.yaml": 1048576}
DRAWS, STEPS, KEPT = 20, 200, 24
NAMES = ["ConstantWithWarmup", "WSD", "PowerLR", "LinearWithWarmup", "InvSqrtWithWarmup", "CosWithWarmup"]
NAMES += ["HalfCosWithWarmup", "CosWithWarmupAndLinearDecay", "WSDS", "ExponentialScheduler", "SequentialScheduler"]
NAMES += ["ComposableScheduler"]


def cases(name: str) -> list[dict]:
    """The arguments of every draw: the peak, the length of the run, and the scheduler's own."""
    random = np.random.default_rng([41, NAMES.index(name)])
    return [_case(name, random) for _ in range(DRAWS)]


def _case(name: str, random: np.random.Generator) -> dict:
    def between(low: float, high: float) -> float:
        return float(random.uniform(low, high))

    def one_of(*options):
        return options[random.integers(len(options))]

    peak, total = 10 ** between(-5, 0), int(random.integers(40, 220))
    made = {"initial_lr": peak, "max_steps": total}
    warm = one_of({"warmup": int(random.integers(1, total // 2))}, {"warmup_fraction": between(0.01, 0.5)})
    warm |= {"warmup_min_lr": one_of(0.0, peak * between(0, 0.4))}
    fall = one_of({"decay": int(random.integers(1, total // 2))}, {"decay_fraction": between(0.01, 0.5)})
    if name != "WSDS":
        fall = one_of(fall, {})
    if name == "CosWithWarmupAndLinearDecay":
        fall |= {"decay_min_lr": one_of(0.0, peak * between(0, 0.01))}
    else:
        fall |= {"decay_min_lr": one_of(0.0, peak * between(0, 0.2))}
    end = {"alpha_f": one_of(0.0, 0.1, between(0.05, 1.0)), "t_max": one_of(None, int(random.integers(110, 260)))}
    if name == "ConstantWithWarmup":
        return made | warm
    if name == "WSD":
        return made | warm | fall | one_of({}, {"warmup": total - 5, "warmup_fraction": None})
    if name == "PowerLR":
        return made | warm | fall | {"b": -between(0.1, 1.5), "decay_min_lr": one_of(0.0, peak * 1e-5)}
    if name in ("LinearWithWarmup", "CosWithWarmup", "HalfCosWithWarmup"):
        return made | warm | end
    if name == "InvSqrtWithWarmup":
        return made | warm | {"alpha_f": end["alpha_f"]}
    if name == "CosWithWarmupAndLinearDecay":
        return made | warm | fall | end | {"alpha_f": max(end["alpha_f"], 0.1)}
    if name == "WSDS":
        lengths = [int(each) for each in random.integers(30, 70, size=random.integers(1, 5))]
        short = {"warmup": int(random.integers(1, 12)), "warmup_min_lr": 0.0}
        fall |= one_of({"decay": int(random.integers(1, 16))}, {"decay_fraction": between(0.1, 0.5)})
        fall = {"decay_min_lr": fall["decay_min_lr"]} | {
            k: v for k, v in list(fall.items())[-1:] if k != "decay_min_lr"
        }
        if len(fall) == 1:
            fall |= {"decay": 7}
        factors = one_of(None, [between(0.5, 2) for _ in lengths])
        return made | short | fall | {"period_lengths": lengths, "period_lr_multipliers": factors}
    if name == "ExponentialScheduler":
        return made | {"lr_min": one_of(1e-9, peak * between(0.001, 0.9))}
    override = {"start": int(random.integers(0, total // 2)), "duration": int(random.integers(1, 20))}
    override |= {"shape": one_of("linear", "cosine")} | one_of({"end_lr": peak * 0.01}, {"end_lr_fraction": 0.1})
    late = {"override_decay": one_of(None, override)}
    if name == "SequentialScheduler":
        kinds = ["CosWithWarmup", "LinearWithWarmup", "WSD"]
        first = [one_of(*kinds[:2]) for _ in range(random.integers(1, 3))]
        inner = [(kind, {"warmup": int(random.integers(1, 8))}) for kind in [*first, one_of(*kinds)]]
        lengths = [int(each) for each in random.integers(10, 20, size=len(first))]
        return made | {"schedulers": inner, "schedulers_max": lengths} | late
    stages = []
    for _ in range(random.integers(1, 5)):
        stage = {"duration": int(random.integers(1, 80)), "shape": one_of("linear", "cosine")}
        stage |= one_of({"end_lr": peak * between(0, 1)}, {"end_lr_fraction": between(0, 1)})
        stages.append(stage | one_of({}, {}, {"start_lr": 0.0}, {"start_lr_fraction": between(0, 1)}))
    return made | {"stages": stages} | late


def kept(name: str) -> np.ndarray:
    """The counts that are recorded, one row for each draw."""
    random = np.random.default_rng([42, NAMES.index(name)])
    rows = [np.sort(random.choice(np.arange(1, STEPS - 1), KEPT - 2, replace=False)) for _ in range(DRAWS)]
    return np.array([[0, *row, STEPS - 1] for row in rows])


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
