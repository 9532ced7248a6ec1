"""What DeepSpeed's JSON says: its sections `optimizer` and `scheduler`, and the lines about gradients."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jaxlr.arguments import meant
from jaxlr.dialects.configs import Keys, flat, sections
from jaxlr.dialects.deepspeed import schedules
from jaxlr.dialects.recipe import Argument, Recipe
from jaxlr.schedules import Schedule, constant

SIGNS = [
    *("scheduler.type", "scheduler.params.*", "optimizer.type", "zero_optimization.*", "gradient_clipping"),
    *("train_micro_batch_size_per_gpu", "train_batch_size", "gradient_accumulation_steps"),
]
_SCHEDULERS: dict[str, Callable[..., Schedule]] = {
    name: getattr(schedules, name)
    for name in ("LRRangeTest", "OneCycle", "WarmupLR", "WarmupDecayLR", "WarmupCosineLR")
}
_OPTIMIZER = ("lr", "betas", "eps", "weight_decay", "adam_w_mode", "torch_adam", "amsgrad", "bias_correction")
_OPTIMIZER += ("momentum", "dampening", "nesterov")
_ARGUMENTS = sorted({name for make in _SCHEDULERS.values() for name in inspect.signature(make).parameters} - {"lr"})
_KNOWN = [
    *("optimizer.type", "scheduler.type", "gradient_clipping", "gradient_accumulation_steps"),
    *(f"optimizer.params.{name}" for name in _OPTIMIZER),
    *(f"scheduler.params.{name}" for name in _ARGUMENTS),
]
_ELSEWHERE = ["train_batch_size", "train_micro_batch_size_per_gpu", "gradient_predivide_factor", "prescale_gradients"]
_WHY = {
    "train_batch_size": "one update here is one whole batch",
    "train_micro_batch_size_per_gpu": "one update here is one whole batch",
}
_FILLED_IN = "filled in by the trainer: what stands here is DeepSpeed's default"
_TYPES = ("Adam", "AdamW", "Lion", "SGD", "Adagrad")


def from_config(config: Mapping[str, Any]) -> Recipe:
    """The recipe of a DeepSpeed configuration; its `scheduler` counts updates, whatever is accumulated for one.

    Without a `scheduler` the rate is the optimizer's. What is left out has DeepSpeed's defaults: no weight decay, and
    a largest norm of the gradients of 1. "Adam" decouples its weight decay unless `adam_w_mode` is false. With
    `OneCycle` b1 moves too, and b2 is 0.99.

    Args:
      config: what its JSON file holds.

    Returns:
      A `Recipe`.

    Raises:
      ValueError: a key is misspelled, missing or out of range; the message is one line.

    Example:
      >>> warm = {"warmup_max_lr": 0.5, "warmup_num_steps": 4, "warmup_type": "linear"}
      >>> recipe = from_config({"scheduler": {"type": "WarmupLR", "params": warm}, "gradient_clipping": 0.0})
      >>> [float(recipe.schedule(n)) for n in range(7)]
      [0.0, 0.0, 0.125, 0.25, 0.375, 0.5, 0.5]
      >>> recipe.clip
    """
    said = flat(sections(config, ("optimizer", "scheduler")))
    filled_in = {key: _FILLED_IN for key, value in said.items() if value == "auto" and not _needed(key)}
    keys = Keys({key: value for key, value in said.items() if key not in filled_in}, _KNOWN, _ELSEWHERE)
    if "scheduler.type" not in keys and "optimizer.type" not in keys:
        raise ValueError("scheduler.type or optimizer.type must be given")
    rate, momentum = _schedule(keys)
    optimizer, arguments, left_out = _optimizer(keys, momentum)
    clip = keys.number("gradient_clipping", 1.0, minimum=0.0)
    return Recipe(
        "deepspeed",
        rate,
        optimizer,
        arguments,
        clip=clip or None,
        micro_batches=keys.length("gradient_accumulation_steps", 1, minimum=1),
        left_out=filled_in | left_out | keys.left_out(_WHY),
    )


def _needed(key: str) -> bool:
    return key in ("optimizer.params.lr", "optimizer.type") or key.startswith("scheduler.")


def _schedule(keys: Keys) -> tuple[Schedule, Schedule | None]:
    """The rate, and the momentum where that moves too."""
    if "scheduler.type" not in keys:
        return constant(keys.number("optimizer.params.lr", 1e-3, minimum=0.0)), None
    make = _SCHEDULERS[keys.word("scheduler.type", _SCHEDULERS)]
    parameters = inspect.signature(make).parameters
    for name in _ARGUMENTS:
        if f"scheduler.params.{name}" in keys and name not in parameters:
            raise ValueError(f"{make.__name__} has no argument {name!r}{meant(name, list(parameters)[1:])}")
    said: dict[str, Any] = {
        name: keys.argument(f"scheduler.params.{name}", parameter, minimum=0.0)
        for name, parameter in parameters.items()
        if name != "lr" and (f"scheduler.params.{name}" in keys or parameter.default is parameter.empty)
    }
    needs_rate = make is schedules.WarmupCosineLR or (make is schedules.WarmupLR and "warmup_max_lr" not in said)
    usual = 1e-3 if "optimizer.type" in keys or not needs_rate else None
    rate = keys.number("optimizer.params.lr", usual, minimum=0.0)
    moves = make is schedules.OneCycle and said.get("cycle_momentum", True)
    return make(rate, **said), schedules.one_cycle_momentum(rate, **said) if moves else None


def _optimizer(keys: Keys, momentum: Schedule | None) -> tuple[str, dict[str, Argument], dict[str, str]]:
    """The path of an optimizer, its arguments, and what stands for none."""
    if "optimizer.type" not in keys:
        return "", {}, {}
    said = keys.plain("optimizer.type")
    known = {name.lower(): name for name in _TYPES}
    name = known.get(said.lower(), said) if isinstance(said, str) else said
    if name not in _TYPES:
        return "", {}, {"optimizer.type": f"neither jaxlr nor optax has DeepSpeed's {said}"}

    def number(key: str, default: float) -> float:
        return keys.number(f"optimizer.params.{key}", default, minimum=0.0)

    if name == "SGD":
        nesterov = keys.flag("optimizer.params.nesterov")
        others = {each: number(each, 0.0) for each in ("momentum", "dampening", "weight_decay")}
        return "jaxlr.dialects.torch.SGD", {**others, "nesterov": nesterov}, {}
    if name == "Adagrad":
        decay, eps = number("weight_decay", 0.0), number("eps", 1e-10)
        return "jaxlr.dialects.torch.Adagrad", {"weight_decay": decay, "eps": eps}, {}
    b1, b2 = keys.numbers("optimizer.params.betas", (0.9, 0.99 if name == "Lion" else 0.999), count=2)
    betas: dict[str, Argument] = {"b1": b1, "b2": b2} if momentum is None else {"b1": momentum, "b2": 0.99}
    if name == "Lion":
        return "optax.lion", {"b1": b1, "b2": b2, "weight_decay": number("weight_decay", 0.0)}, {}
    decoupled = keys.flag("optimizer.params.adam_w_mode", True) or name == "AdamW"
    usual = 0.01 if keys.flag("optimizer.params.torch_adam") else 0.0
    adam = {**betas, "eps": number("eps", 1e-8), "weight_decay": number("weight_decay", usual)}
    if keys.flag("optimizer.params.amsgrad"):
        adam["amsgrad"] = True
    left_out = {}
    if not keys.flag("optimizer.params.bias_correction", True):
        left_out["optimizer.params.bias_correction"] = "jaxlr's adam always corrects its moments"
    return "jaxlr.adamw" if decoupled else "jaxlr.adam", adam, left_out
