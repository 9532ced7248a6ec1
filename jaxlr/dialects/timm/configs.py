"""What the arguments of timm's training script say: its `args.yaml`, or a command line.

Arguments that are missing have the defaults of its train.py of August 2026 (1.0.29.dev0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxlr.dialects import common
from jaxlr.dialects.configs import Keys, by_last_name
from jaxlr.dialects.recipe import Argument, Recipe
from jaxlr.dialects.timm import cycles, schedulers
from jaxlr.schedules import Schedule, constant, per_epoch
from jaxlr.transforms.groups.patterns import ParameterGroups

SIGNS = [
    *("lr_cycle_mul", "lr_cycle_limit", "lr_k_decay", "sched", "sched_on_updates", "lr_base_size", "warmup_lr"),
    *("opt_betas", "warmup_epochs", "decay_epochs", "decay_milestones", "warmup_prefix"),
]
_SCHEDS = ("cosine", "tanh", "step", "multistep", "poly", "wsd", "rsqrt", "constant", "none")
_DECAYS = ("linear", "1-sqrt", "cosine", "power", "exp")
_KNOWN = [
    *("sched", "sched_on_updates", "lr", "lr_base", "lr_base_size", "lr_base_scale", "lr_noise", "lr_cycle_mul"),
    *("lr_cycle_decay", "lr_cycle_limit", "lr_k_decay", "lr_decay_fn", "lr_stable_timescale", "warmup_lr", "min_lr"),
    *("epochs", "decay_milestones", "decay_epochs", "warmup_epochs", "warmup_prefix", "decay_rate", "opt", "opt_eps"),
    *("opt_betas", "momentum", "weight_decay", "clip_grad", "clip_mode", "batch_size", "grad_accum_steps"),
]
_WHY = {
    "layer_decay": "say jaxlr.layerwise_rates with the depth of your layers",
    "layer_decay_min_scale": "say jaxlr.layerwise_rates with the depth of your layers",
    "opt_args": "arguments of one optimizer of timm's",
    "cooldown_epochs": "epochs after the schedule, at its last rate",
}
_ELSEWHERE = [
    *("lr_noise_pct", "lr_noise_std", "patience_epochs", "epoch_repeats", "start_epoch", "bn_momentum", "bn_eps"),
    *("model_ema_decay", "opt_foreach", "opt_kwargs", "validation_batch_size", "aug_repeats", "sync_bn"),
    *("no_resume_opt", "model_ema_warmup", "scheduler_kwargs", "weight_decay_schedule", "drop", "lr_noise_seed"),
]
_ONE_PROCESS = "the batch is taken for that of one process: times the number of processes, or their root, is yours"


def from_config(config: Mapping[str, Any], steps_per_epoch: float | None = None) -> Recipe:
    """The recipe of the arguments of timm's training script, whose lengths are epochs.

    A file of arguments does not say how many updates an epoch has. With `steps_per_epoch` the schedule counts updates,
    stepped once an epoch unless `sched_on_updates` is true; without it the schedule counts epochs, and
    `jaxlr.per_epoch(schedule, steps_per_epoch)` is driven by updates. Biases and scales do not decay.

    Args:
      config: names of arguments -> values.
      steps_per_epoch: updates in an epoch; a whole number where the schedule is stepped on updates.

    Returns:
      A `Recipe`.

    Raises:
      ValueError: a key is misspelled, missing or out of range; the message is one line.

    Example:
      >>> recipe = from_config({"sched": "cosine", "lr": 0.5, "epochs": 4, "warmup_epochs": 0}, steps_per_epoch=10)
      >>> [round(float(recipe.schedule(n)), 4) for n in (0, 9, 10, 20, 40)]
      [0.5, 0.5, 0.4268, 0.25, 0.0]
      >>> recipe.optimizer
      'jaxlr.sgd'
    """
    keys = Keys(by_last_name(config, [*_KNOWN, *_ELSEWHERE, *_WHY]), _KNOWN, [*_ELSEWHERE, *_WHY])
    optimizer, arguments, left_out = _optimizer(keys)
    on_updates = keys.flag("sched_on_updates")
    if on_updates and steps_per_epoch is None:
        raise ValueError("steps_per_epoch must be given where sched_on_updates is true")
    unit = 1 if not on_updates else common.known_length("steps_per_epoch", steps_per_epoch, minimum=1)  # pyright: ignore
    schedule = _schedule(keys, _rate(keys, left_out), unit)
    if steps_per_epoch is None:
        left_out["epochs"] = "the schedule counts epochs: give steps_per_epoch, or say jaxlr.per_epoch around it"
    elif not on_updates:
        schedule = per_epoch(schedule, steps_per_epoch)
    clip = None
    if "clip_grad" in keys:
        if keys.word("clip_mode", ("norm", "value", "agc"), "norm") == "norm":
            clip = keys.number("clip_grad", minimum=0.0)
        else:
            left_out["clip_mode"] = "gradients are clipped by their global norm alone"
    keys.plain("clip_mode")
    return Recipe(
        "timm",
        schedule,
        optimizer,
        arguments,
        ParameterGroups(decay_from_rank=2),
        clip=clip,
        micro_batches=keys.length("grad_accum_steps", 1, minimum=1),
        left_out=left_out | keys.left_out(_WHY),
    )


def _rate(keys: Keys, left_out: dict[str, str]) -> float:
    """The rate itself, or the one for a batch of another size."""
    words = keys.plain("lr_base_scale") or (
        "sqrt" if any(o in str(keys.plain("opt", "sgd")).lower() for o in ("ada", "lamb")) else "linear"
    )
    base, size = keys.number("lr_base", 0.1, minimum=0.0), keys.length("lr_base_size", 256, minimum=1)
    batch = keys.length("batch_size", 128, minimum=1) * keys.length("grad_accum_steps", 1, minimum=1)
    if "lr" in keys:
        return keys.number("lr", minimum=0.0)
    if words not in ("sqrt", "linear"):
        raise ValueError(f"lr_base_scale must be sqrt or linear, got {words!r}")
    left_out["lr_base"] = _ONE_PROCESS
    return base * (batch / size) ** (0.5 if words == "sqrt" else 1.0)


def _schedule(keys: Keys, rate: float, unit: int) -> Schedule:
    """timm's schedule, as its own factory makes it of these arguments."""
    kind = keys.word("sched", _SCHEDS, "cosine")
    if keys.plain("lr_noise") is not None:
        raise ValueError(
            "lr_noise must be left out: timm's noise comes from torch's generator, which jaxlr does not have"
        )
    warm = {
        "warmup_t": keys.length("warmup_epochs", 5) * unit,
        "warmup_lr_init": keys.number("warmup_lr", 1e-5, minimum=0.0),
        "warmup_prefix": keys.flag("warmup_prefix"),
    }
    total, low = keys.length("epochs", 300, minimum=1) * unit, keys.number("min_lr", 0.0, minimum=0.0)
    cycle = {
        "cycle_mul": keys.number("lr_cycle_mul", 1.0),
        "cycle_decay": keys.number("lr_cycle_decay", 0.5),
        "cycle_limit": keys.length("lr_cycle_limit", 1),
    }
    k, factor = keys.number("lr_k_decay", 1.0), keys.number("decay_rate", 0.1, minimum=0.0)
    fall = keys.number("decay_epochs", 0.2 if kind in ("wsd", "rsqrt") else 90.0, minimum=0.0)
    milestones = [int(each) * unit for each in keys.numbers("decay_milestones", (90, 180, 270))]
    if kind == "none":
        return constant(rate)
    if kind == "constant":
        return schedulers.StepLRScheduler(rate, 1, 1.0, **warm)
    if kind == "step":
        return schedulers.StepLRScheduler(rate, fall * unit, factor, **warm)
    if kind == "multistep":
        return schedulers.MultiStepLRScheduler(rate, milestones, factor, **warm)
    if kind == "cosine":
        return cycles.CosineLRScheduler(rate, total, low, **cycle, **warm, k_decay=k)
    if kind == "tanh":
        return cycles.TanhLRScheduler(rate, total, lr_min=low, **cycle, **warm)
    if kind == "poly":
        return cycles.PolyLRScheduler(rate, total, factor, low, **cycle, **warm, k_decay=k)
    left = total if warm.pop("warmup_prefix") else total - int(warm["warmup_t"])
    scale = keys.length("lr_stable_timescale") * unit if "lr_stable_timescale" in keys else None
    return schedulers.WSDLRScheduler(
        rate,
        left,
        round(fall * (left if 0 < fall < 1 else unit)),
        low,
        stable_fn="rsqrt" if kind == "rsqrt" else "constant",
        stable_timescale=scale,
        decay_fn=keys.word("lr_decay_fn", _DECAYS, "linear" if kind == "rsqrt" else "1-sqrt"),  # pyright: ignore
        **warm,
    )


def _optimizer(keys: Keys) -> tuple[str, dict[str, Argument], dict[str, str]]:
    """The path of an optimizer, its arguments, and what stands for none."""
    name = keys.plain("opt", "sgd")
    name = name.lower() if isinstance(name, str) else name  # as timm's registry does
    decay, momentum = keys.number("weight_decay", 2e-5, minimum=0.0), keys.number("momentum", 0.9, minimum=0.0)
    eps = keys.number("opt_eps", 1e-8, minimum=0.0)
    b1, b2 = keys.numbers("opt_betas", (0.9, 0.99 if name == "lion" else 0.999), count=2)
    adam: dict[str, Argument] = {"b1": b1, "b2": b2, "eps": eps, "weight_decay": decay}
    sgd: dict[str, Argument] = {"momentum": momentum, "nesterov": name != "momentum", "weight_decay": decay}
    made = {
        "sgd": ("jaxlr.sgd", sgd),
        "nesterov": ("jaxlr.sgd", sgd),
        "momentum": ("jaxlr.sgd", sgd),
        "adam": ("jaxlr.adam", adam),
        "adamw": ("jaxlr.adamw", adam),
        "lion": ("optax.lion", {"b1": b1, "b2": b2, "weight_decay": decay}),
    }
    if not isinstance(name, str) or name not in made:
        return "", {}, {"opt": f"neither jaxlr nor optax has timm's {name}"}
    path, said = made[name]
    return path, said, {}
