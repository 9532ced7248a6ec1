"""What OLMo-core's configurations say: the train module's optimizer and scheduler, and how long the run is."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from jaxlr.arguments import meant
from jaxlr.dialects.configs import Keys, flat, sections, shown
from jaxlr.dialects.olmo import composed, schedules
from jaxlr.dialects.recipe import Argument, Recipe
from jaxlr.schedules import Schedule, constant, per_example
from jaxlr.transforms.groups.patterns import ParameterGroups

SIGNS = [
    *("train_module.scheduler.*", "train_module.optim.*", "trainer.max_duration.*", "train_module.*", "*._CLASS_"),
    "data_loader.global_batch_size",
]
_OPTIM, _SCHEDULER = "train_module.optim", "train_module.scheduler"
_KNOWN = [
    *(f"{_OPTIM}.{each}" for each in ("_CLASS_", "type", "lr", "betas", "eps", "weight_decay", "group_overrides")),
    *("train_module.max_grad_norm", "trainer.max_duration.value", "trainer.max_duration.unit"),
    *("data_loader.global_batch_size",),
]
_WHY = {
    "train_module.rank_microbatch_size": "one update here is a global batch: say jaxlr.accumulate if it is too large",
    f"{_OPTIM}.sigma_factor": "bad updates are not skipped: say jaxlr.guard around the optimizer",
    f"{_OPTIM}.rolling_interval_length": "bad updates are not skipped: say jaxlr.guard around the optimizer",
}
_ELSEWHERE = [f"{_OPTIM}.{each}" for each in ("foreach", "fused", "compile", "dtype", "fixed_fields")]
_NAMES = "the patterns are OLMo-core's names of parameters with slashes: write those of yours"
_TYPES = {
    "constant": schedules.ConstantScheduler,
    "constant_with_warmup": schedules.ConstantWithWarmup,
    "wsd": schedules.WSD,
    "power_lr": schedules.PowerLR,
    "linear_with_warmup": schedules.LinearWithWarmup,
    "inv_sqrt_with_warmup": schedules.InvSqrtWithWarmup,
    "cos_with_warmup": schedules.CosWithWarmup,
    "half_cos_with_warmup": schedules.HalfCosWithWarmup,
    "cos_with_warmup_and_linear_decay": schedules.CosWithWarmupAndLinearDecay,
    "wsds": schedules.WSDS,
    "exponential": schedules.ExponentialScheduler,
    "sequential": composed.SequentialScheduler,
    "composable": composed.ComposableScheduler,
}
_SCHEDULERS: Mapping[str, Callable[..., Schedule]] = MappingProxyType(
    _TYPES | {make.__name__: make for make in _TYPES.values()}
)
# Deprecated names, and numbers that are lengths of the scheduler's unit.
_OLD = {"warmup_steps": "warmup", "decay_steps": "decay", "schedulers_max_steps": "schedulers_max"}
_LENGTHS = ("warmup", "decay", "t_max", "period_lengths", "schedulers_max", "duration", "start")
_CHANGES_NOTHING = ("lr_field", "initial_lr_field", "units")
# By the names of the class and of the type; those that skip updates are said to do so by theirs.
_OPTIMIZERS = {
    name: made
    for word, made in (("AdamW", "jaxlr.adamw"), ("Adam", "jaxlr.adam"), ("Lion", "optax.lion"))
    for name in (f"{word}Config", f"SkipStep{word}Config", word.lower(), f"skip_step_{word.lower()}")
}


def from_config(config: Mapping[str, Any]) -> Recipe:
    """The recipe of an OLMo-core configuration: what its `config.json` holds, or the same as YAML or TOML.

    The schedule counts updates: a scheduler in tokens is driven by `data_loader.global_batch_size` of them, and the
    first update has OLMo-core's count 1. A group without weight decay, or with a rate of its own, is one of
    `ParameterGroups`.

    Args:
      config: its tables `train_module`, `trainer` and `data_loader`; keys may have dots in place of levels.

    Returns:
      A `Recipe`.

    Raises:
      ValueError: a key is misspelled, missing, out of range, or contradicts another; the message is one line.

    Example:
      >>> recipe = from_config(
      ...   {"train_module": {"optim": {"lr": 0.5}, "scheduler": {"type": "linear_with_warmup", "warmup": 2}},
      ...    "trainer": {"max_duration": {"value": 4, "unit": "steps"}}})
      >>> [round(float(recipe.schedule(n)), 4) for n in range(4)]
      [0.25, 0.5, 0.275, 0.05]
    """
    said = flat(sections(_nested(config), ("train_module", "trainer", "data_loader")))
    table = {
        key.removeprefix(f"{_SCHEDULER}."): value for key, value in said.items() if key.startswith(f"{_SCHEDULER}.")
    }
    classes = {key for key in said if key.endswith("._CLASS_") and key != f"{_OPTIM}._CLASS_"}
    rest = {key: value for key, value in said.items() if key not in classes and not key.startswith(f"{_SCHEDULER}.")}
    keys = Keys(rest, _KNOWN, [*_ELSEWHERE, *_WHY])
    rate = _rates(keys, _nested(table))
    optimizer, arguments, left_out = _optimizer(keys)
    groups = _groups(keys, rate, optimizer, arguments, left_out)
    clip = "train_module.max_grad_norm"
    return Recipe(
        "olmo",
        rate(keys.number(f"{_OPTIM}.lr", 1e-4 if optimizer == "optax.lion" else 1e-3, minimum=0.0)),
        optimizer,
        arguments,
        groups,
        clip=keys.number(clip, minimum=0.0) if clip in keys else None,
        left_out=left_out | keys.left_out(_WHY),
    )


def _nested(config: Mapping[str, Any]) -> dict[str, Any]:
    """Levels in place of dots."""
    made: dict[str, Any] = {}
    for key, value in flat(config).items():
        level = made
        *above, last = key.split(".")
        for each in above:
            level = level.setdefault(each, {})
            if not isinstance(level, dict):
                raise ValueError(f"{key} is below a key that has a value")
        level[last] = value
    return made


def _rates(keys: Keys, table: Mapping[str, Any]) -> Callable[[float], Schedule]:
    """What makes the schedule of a peak."""
    unit = keys.word("trainer.max_duration.unit", ("steps", "tokens", "epochs"), "steps") if table else "steps"
    if not table:
        for key in ("unit", "value"):
            keys.plain(f"trainer.max_duration.{key}")
        keys.plain("data_loader.global_batch_size")
        return constant
    if unit == "epochs":
        raise ValueError(
            "trainer.max_duration.unit must be steps or tokens, got 'epochs': their length is not said here"
        )
    total, in_tokens = keys.length("trainer.max_duration.value", minimum=1), table.get("units") == "tokens"
    batch = keys.length("data_loader.global_batch_size", None if in_tokens or unit == "tokens" else 1, minimum=1)
    table = {key: value for key, value in table.items() if key != "units" and value is not None}
    if not in_tokens:
        steps = total if unit == "steps" else -(-total // batch)
        return lambda peak: _made(table, _SCHEDULER, peak, steps).shift(1)
    tokens = total if unit == "tokens" else total * batch
    lengths = [tokens, *_lengths(table)]
    whole = "_fraction" not in str(sorted(flat(table))) and all(length % batch == 0 for length in lengths)
    grain = batch if whole else math.ceil(max(lengths) / 2**30)
    scaled = _scaled(table, grain)

    def in_updates(peak: float) -> Schedule:
        made = _made(scaled, _SCHEDULER, peak, round(tokens / grain))
        return (made if grain == batch else per_example(made, batch, unit=grain)).shift(1)

    return in_updates


def _lengths(table: Mapping[str, Any]) -> list[int]:
    """All the lengths of a scheduler's table."""
    found = []
    for key, value in table.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Mapping):
                found += _lengths(each)
            elif _OLD.get(key, key) in _LENGTHS and isinstance(each, int):
                found.append(each)
    return found


def _scaled(table: Mapping[str, Any], grain: int) -> dict[str, Any]:
    """The table with its lengths in units of so many tokens."""

    def scaled(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return _scaled(value, grain)
        if isinstance(value, list):
            return [scaled(key, each) for each in value]
        return round(value / grain) if _OLD.get(key, key) in _LENGTHS and isinstance(value, int) else value

    return {key: scaled(key, value) for key, value in table.items()}


def _made(table: Mapping[str, Any], where: str, peak: float, total: int) -> Schedule:
    """The schedule of a scheduler's table, where it stands in the file."""
    if not isinstance(table, Mapping):
        raise ValueError(f"{where} must be a table, got {shown(table)}")
    said = {_OLD.get(key, key): value for key, value in table.items() if value is not None}
    kind = said.pop("_CLASS_", None) or said.pop("type", None)
    said.pop("type", None)
    name = kind.rpartition(".")[2] if isinstance(kind, str) else kind
    if name not in _SCHEDULERS:
        hint = meant(name, _SCHEDULERS) if isinstance(name, str) else f"; there are {', '.join(_TYPES)}"
        raise ValueError(f"{where}.type must be a scheduler of OLMo-core's, got {shown(kind)}{hint}")
    make = _SCHEDULERS[name]
    parameters = {
        name: each for name, each in inspect.signature(make).parameters.items() if each.kind == each.KEYWORD_ONLY
    }
    fields = [f"{where}.{each}" for each in parameters]
    keys = Keys({f"{where}.{key}": value for key, value in said.items() if key not in _CHANGES_NOTHING}, fields)
    for key in keys.unread():
        if key not in fields:
            raise ValueError(
                f"{name} has no argument {key.rpartition('.')[2]!r}{meant(key.rpartition('.')[2], parameters)}"
            )
    read = {each: _field(keys, f"{where}.{each}", p) for each, p in parameters.items() if each in said}
    return make(peak, total, **read)


def _field(keys: Keys, key: str, parameter: inspect.Parameter) -> Any:
    """An argument of a scheduler, by what it should be."""
    annotation = str(parameter.annotation)
    if annotation.startswith(("int", "float", "Scalar", "Sequence[int]", "Sequence[float]")):
        return keys.argument(key, parameter)
    value = keys.plain(key)
    if annotation.startswith("OverrideDecay"):
        known = tuple(inspect.signature(composed.OverrideDecay).parameters)
        for each in value if isinstance(value, Mapping) else [key]:
            if each not in known and each != "_CLASS_":
                raise ValueError(f"{key} must be a table of {', '.join(known)}, got {shown(value)}")
        return composed.OverrideDecay(**{each: value[each] for each in known if each in value})
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise ValueError(f"{key} must be a list of tables, got {shown(value)}")
    if key.endswith(".schedulers"):
        return [functools.partial(_made, table, f"{key}[{i}]") for i, table in enumerate(value)]
    return [{name: each for name, each in table.items() if name != "_CLASS_"} for table in value]


def _optimizer(keys: Keys) -> tuple[str, dict[str, Argument], dict[str, str]]:
    """The path of an optimizer, its arguments, and what stands for none."""
    kind = keys.plain(f"{_OPTIM}._CLASS_") or keys.plain(f"{_OPTIM}.type") or "AdamWConfig"
    keys.plain(f"{_OPTIM}.type")
    name = kind.rpartition(".")[2] if isinstance(kind, str) else ""
    if name not in _OPTIMIZERS:
        return "", {}, {f"{_OPTIM}.type": f"neither jaxlr nor optax has OLMo-core's {shown(kind)}"}
    made = _OPTIMIZERS[name]
    lion = made == "optax.lion"
    b1, b2 = keys.numbers(f"{_OPTIM}.betas", (0.9, 0.99 if lion else 0.999), count=2)
    decay = keys.number(f"{_OPTIM}.weight_decay", 0.01 if made == "jaxlr.adamw" else 0.0, minimum=0.0)
    eps: dict[str, Argument] = {} if lion else {"eps": keys.number(f"{_OPTIM}.eps", 1e-8, minimum=0.0)}
    skips = {f"{_OPTIM}.type": "bad updates are not skipped: say jaxlr.guard around the optimizer"}
    return made, {"b1": b1, "b2": b2, **eps, "weight_decay": decay}, skips if "kip" in name else {}


def _groups(
    keys: Keys,
    rate: Callable[[float], Schedule],
    optimizer: str,
    arguments: Mapping[str, Argument],
    left_out: dict[str, str],
) -> ParameterGroups | None:
    """The groups of parameters; what they set beside a rate or a weight decay is left out."""
    key = f"{_OPTIM}.group_overrides"
    overrides = keys.plain(key)
    if not overrides:
        return None
    rates: dict[str, Any] = {}
    no_decay: list[str] = []
    weight_decays: dict[str, Any] = {}
    for i, group in enumerate(overrides if isinstance(overrides, list) else [overrides]):
        patterns, options = (group.get(each) for each in ("params", "opts")) if isinstance(group, Mapping) else (0, 0)
        if not isinstance(options, Mapping) or not isinstance(patterns, list):
            raise ValueError(f"{key}[{i}] must be a table of params and opts, got {shown(group)}")
        paths = [str(pattern).replace(".", "/") for pattern in patterns]
        own = Keys(
            {f"{key}[{i}].{name}": value for name, value in options.items()},
            [f"{key}[{i}].lr", f"{key}[{i}].weight_decay"],
        )
        if own.plain(f"{key}[{i}].lr") is not None:
            rates |= dict.fromkeys(paths, rate(own.number(f"{key}[{i}].lr", minimum=0.0)))
        if own.plain(f"{key}[{i}].weight_decay") is not None:
            decay = own.number(f"{key}[{i}].weight_decay", minimum=0.0)
            if decay == 0.0:
                no_decay += paths
            elif decay != arguments.get("weight_decay") and optimizer.startswith("jaxlr."):
                weight_decays |= dict.fromkeys(paths, decay)
            elif decay != arguments.get("weight_decay"):
                left_out[f"{key}[{i}].weight_decay"] = "a group of optax's decays as the others do, or not at all"
        left_out |= dict.fromkeys(own.unread(), "not known to this dialect")
    left_out[key] = _NAMES
    return ParameterGroups(rates=rates, no_decay=no_decay, weight_decays=weight_decays)
