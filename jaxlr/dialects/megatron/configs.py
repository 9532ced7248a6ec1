"""What Megatron's arguments say: of a command line, a launch script, or a YAML file with their names."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from jaxlr.dialects.configs import Keys, by_last_name, shown
from jaxlr.dialects.megatron.schedules import ANNEALINGS, GROWTHS, STYLES, OptimizerParamScheduler, weight_decay
from jaxlr.dialects.recipe import Argument, Recipe
from jaxlr.schedules import Schedule, per_example
from jaxlr.transforms.groups.patterns import ParameterGroups

SIGNS = [
    f"*lr{mark}{name}"
    for mark in "_-"
    for name in (f"decay{mark}style", f"warmup{mark}iters", f"warmup{mark}fraction", f"decay{mark}iters")
] + ["*train_iters", "*train-iters", "*train_samples", "*train-samples", "*weight_decay_incr_style"]
_KNOWN = [
    *("lr", "min_lr", "decoupled_lr", "decoupled_min_lr", "lr_warmup_init", "lr_warmup_iters", "lr_warmup_samples"),
    *("lr_warmup_fraction", "lr_decay_iters", "lr_decay_samples", "lr_decay_style", "lr_wsd_decay_style"),
    *("lr_wsd_decay_iters", "lr_wsd_decay_samples", "train_iters", "train_samples", "global_batch_size"),
    *("rampup_batch_size", "step_batch_size_schedule", "weight_decay", "start_weight_decay", "end_weight_decay"),
    *("weight_decay_incr_style", "optimizer", "adam_beta1", "adam_beta2", "adam_eps", "decoupled_weight_decay"),
    *("sgd_momentum", "lion_beta1", "lion_beta2", "clip_grad", "apply_wd_to_qk_layernorm"),
    *("no_weight_decay_cond_type", "warmup", "seq_length"),
]
# Other arguments of Megatron's, which look like some of these.
_ELSEWHERE = [
    *("eval_global_batch_size", "micro_batch_size", "eval_micro_batch_size", "lr_warmup_steps", "lr_decay_steps"),
    *("wsd_decay_steps", "muon_momentum", "optimizer_cpu_offload", "use_distributed_optimizer", "finetune"),
    *("optimizer_offload_fraction", "overlap_cpu_optimizer_d2h_h2d", "use_precision_aware_optimizer", "save_optim"),
    *("no_load_optim", "no_save_optim", "optimizer_cuda_graph", "muon_scale_mode", "train_sync_interval"),
]
_WHY = {
    "micro_batch_size": "one update here is one global batch: say jaxlr.accumulate where it does not fit",
    "head_lr_mult": "give the head a rate of its own in jaxlr.ParameterGroups",
    "freeze_all_layers": "freeze what is meant with jaxlr.ParameterGroups(frozen=...)",
    "override_opt_param_scheduler": "it says which of two schedules a checkpoint goes on with",
    "use_checkpoint_opt_param_scheduler": "it says which of two schedules a checkpoint goes on with",
    "loss_scale": "gradients of bfloat16 need none; jaxlr.guard skips updates that are not finite",
}
_SUFFIXES = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_ENTRY = re.compile(r"(\d+(?:\.\d+)?)([KMBT]?):(\d+(?:\.\d+)?)([KMBT]?)")
_DECOUPLED = "the groups have Megatron's names of the embedding and the output layer: write those of your parameters"


def from_config(config: Mapping[str, Any]) -> Recipe:
    """The recipe of Megatron's arguments, with the names of its command line; levels above a name are passed over.

    Everything is in updates where the training is; where it is in samples, `global_batch_size` says how many make an
    update, and `rampup_batch_size` (or `step_batch_size_schedule`) how that grows. What is left out has Megatron's
    defaults. Biases and other parameters of one dimension do not decay; with `decoupled_lr` the embedding and the
    output layer have a rate of their own.

    Args:
      config: names of arguments, with underscores or dashes -> values.

    Returns:
      A `Recipe`.

    Raises:
      ValueError: a key is misspelled, missing, out of range, or contradicts another; the message is one line.

    Example:
      >>> recipe = from_config({"lr": 1e-3, "lr_decay_style": "cosine", "train_iters": 100, "lr_warmup_iters": 10})
      >>> recipe.schedule
      warmup(schedule=cosine(init_value=0.001, decay_steps=90), warmup_steps=10)
      >>> recipe.arguments["weight_decay"], recipe.clip
      (0.01, 1.0)
    """
    keys = Keys(by_last_name(config, [*_KNOWN, *_ELSEWHERE, *_WHY]), _KNOWN, [*_ELSEWHERE, *_WHY])
    if "warmup" in keys:
        raise ValueError("warmup is Megatron's old percentage: write lr_warmup_fraction in its place")
    unit = _unit(keys)
    rate = _rates(keys, unit)
    optimizer, arguments, left_out = _optimizer(keys, _decay(keys, unit))
    decoupled = {}
    if "decoupled_lr" in keys:
        peak = keys.number("decoupled_lr", minimum=0.0)
        own = rate(peak, keys.number("decoupled_min_lr", keys.number("min_lr", 0.0), minimum=0.0))
        decoupled = {"*embedding*": own, "*output_layer*": own}
        left_out["decoupled_lr"] = _DECOUPLED
    if keys.flag("apply_wd_to_qk_layernorm") or keys.plain("no_weight_decay_cond_type") is not None:
        left_out["no_weight_decay_cond_type"] = "scales of the norms of queries and keys do not decay here"
    clip = keys.number("clip_grad", 1.0, minimum=0.0)
    return Recipe(
        "megatron",
        rate(keys.number("lr", minimum=0.0), keys.number("min_lr", 0.0, minimum=0.0)),
        optimizer,
        arguments,
        ParameterGroups(rates=decoupled, decay_from_rank=2),
        clip=clip or None,
        left_out=left_out | keys.left_out(_WHY),
    )


@dataclasses.dataclass(frozen=True)
class _Unit:
    """What the lengths are counted in."""

    name: str  # "iters" or "samples"
    total: int
    updates: Callable[[Schedule], Schedule]  # a schedule in this unit -> in updates
    divisor: int = 1  # by which lengths are written


def _unit(keys: Keys) -> _Unit:
    name = keys.one_of("train_iters", "train_samples", what="the length of the training")
    if name is None:
        raise ValueError("train_iters or train_samples must be given")
    unit, other = ("iters", "samples") if name == "train_iters" else ("samples", "iters")
    for key in (f"lr_decay_{other}", f"lr_warmup_{other}", f"lr_wsd_decay_{other}"):
        if key in keys and keys.length(key):
            raise ValueError(f"{name} and {key} contradict each other: one is in {unit}, the other in {other}")
        keys.plain(key)
    total = keys.length(name, minimum=1)
    ramp = keys.one_of("rampup_batch_size", "step_batch_size_schedule", what="a batch size that grows")
    if unit == "iters":
        if ramp is not None:
            raise ValueError(
                f"train_iters and {ramp} contradict each other: a batch size that grows needs train_samples"
            )
        keys.plain("global_batch_size")  # the rates are the same whatever it is
        return _Unit(unit, total, lambda schedule: schedule)
    if ramp is not None:
        sizes = _ramp(keys) if ramp == "rampup_batch_size" else _steps(keys)
        return _Unit(unit, total, lambda schedule: per_example(schedule, sizes))
    size = keys.length("global_batch_size", minimum=1)
    lengths = [keys.length(f"lr_{each}_samples", 0) for each in ("decay", "warmup", "wsd_decay")]
    if all(each % size == 0 for each in (total, *lengths)):
        return _Unit(unit, total, lambda schedule: schedule, size)
    return _Unit(unit, total, lambda schedule: per_example(schedule, size))


def _ramp(keys: Keys) -> dict[int, int]:
    """The batch sizes by the samples from which they hold."""
    size = keys.length("global_batch_size", minimum=1)
    start, increment, samples = map(int, keys.numbers("rampup_batch_size", count=3))
    if start < 1 or increment < 1 or samples < 0 or start > size or (size - start) % increment:
        raise ValueError(
            f"rampup_batch_size must be a start, an increment that leads from it to global_batch_size, {size}, and a "
            f"number of samples, got {start} {increment} {samples}"
        )
    grown = (size - start) // increment
    # Megatron's size after so many samples: start + increment * int(samples / (all samples / increments)).
    return {math.ceil(i * samples / max(grown, 1)): start + i * increment for i in range(grown + 1)}


def _steps(keys: Keys) -> dict[int, int]:
    """The batch sizes of "0:768 250B:1536": tokens (with `seq_length`) or samples, and the size from there on."""
    keys.plain("global_batch_size")  # the last of the sizes
    said, tokens = keys.plain("step_batch_size_schedule"), keys.length("seq_length", 1, minimum=1)
    entries = (
        [_ENTRY.fullmatch(each) for each in said.upper().replace(",", " ").split()] if isinstance(said, str) else []
    )
    found = [(_amount(each[1], each[2]) // tokens, _amount(each[3], each[4])) for each in entries if each]
    starts = [start for start, _ in found]
    if len(found) < len(entries) or starts[:1] != [0] or sorted(set(starts)) != starts or not all(s for _, s in found):
        raise ValueError(
            f"step_batch_size_schedule must be sizes of at least 1 from rising numbers on, such as '0:768 250B:1536', "
            f"got {shown(said)}"
        )
    return dict(found)


def _amount(digits: str, suffix: str) -> int:
    return round(float(digits) * _SUFFIXES[suffix])


def _rates(keys: Keys, unit: _Unit) -> Callable[[float, float], Schedule]:
    """What makes the schedule of a peak and a last rate."""
    total, by = keys.length(f"lr_decay_{unit.name}", unit.total, minimum=1), unit.divisor
    warm: float = keys.length(f"lr_warmup_{unit.name}", 0)
    if "lr_warmup_fraction" in keys:
        if warm:
            raise ValueError(f"lr_warmup_fraction and lr_warmup_{unit.name} contradict each other: leave one out")
        warm = keys.number("lr_warmup_fraction", minimum=0.0, maximum=1.0) * total
    if warm >= total:
        raise ValueError(f"lr_warmup_{unit.name} must be below lr_decay_{unit.name}, {total}, got {warm:g}")
    first = keys.number("lr_warmup_init", 0.0, minimum=0.0)
    style = keys.word("lr_decay_style", STYLES, "linear")
    annealing, falls = None, None
    if style == "WSD":
        annealing = keys.word("lr_wsd_decay_style", ANNEALINGS, "exponential")
        falls = keys.length(f"lr_wsd_decay_{unit.name}") // by

    def rate(peak: float, low: float) -> Schedule:
        made = OptimizerParamScheduler(
            first,
            peak,
            low,
            warm / by,
            total // by,
            style,  # pyright: ignore[reportArgumentType], one of the words
            wsd_decay_steps=falls,
            lr_wsd_decay_style=annealing,  # pyright: ignore[reportArgumentType], one of the words
        )
        return unit.updates(made)

    return rate


def _decay(keys: Keys, unit: _Unit) -> float | Schedule:
    style = keys.word("weight_decay_incr_style", GROWTHS, "constant")
    last = keys.number("weight_decay", 0.01, minimum=0.0)
    if style == "constant":
        for key in ("start_weight_decay", "end_weight_decay"):
            if key in keys:
                raise ValueError(
                    f"{key} and a constant weight_decay_incr_style contradict each other: write weight_decay"
                )
        return last
    first, last = (keys.number(key, minimum=0.0) for key in ("start_weight_decay", "end_weight_decay"))
    made = weight_decay(first, last, -(-unit.total // unit.divisor), style)  # pyright: ignore[reportArgumentType]
    return unit.updates(made)


def _optimizer(keys: Keys, decay: float | Schedule) -> tuple[str, dict[str, Argument], dict[str, str]]:
    """The path of an optimizer, its arguments, and what stands for none."""
    name = keys.word("optimizer", ("adam", "sgd", "lion", "muon", "dist_muon", "soap", "adaptive_muon"), "adam")
    adam = {
        "b1": keys.number("adam_beta1", 0.9, minimum=0.0),
        "b2": keys.number("adam_beta2", 0.999, minimum=0.0),
        "eps": keys.number("adam_eps", 1e-8, minimum=0.0),
        "weight_decay": decay,
    }
    momentum = keys.number("sgd_momentum", 0.9, minimum=0.0)
    betas = {"b1": keys.number("lion_beta1", 0.95), "b2": keys.number("lion_beta2", 0.98)}
    decoupled = keys.flag("decoupled_weight_decay", True)
    if name == "adam":
        return "jaxlr.adamw" if decoupled else "jaxlr.adam", adam, {}
    if name == "sgd":
        return "jaxlr.sgd", {"momentum": momentum, "weight_decay": decay}, {}
    if name == "lion":
        return "optax.lion", {**betas, "weight_decay": decay}, {}
    return "", {}, {"optimizer": f"neither jaxlr nor optax has Megatron's {name}"}
