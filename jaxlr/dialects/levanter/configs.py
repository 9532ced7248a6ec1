"""levanter's YAML files: the keys of the trainer and of the optimizer that speak of the rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxlr.dialects.configs import Keys, flat, shown
from jaxlr.dialects.levanter.decays import ARGUMENTS
from jaxlr.dialects.levanter.schedule import lr_scheduler
from jaxlr.dialects.recipe import Argument, Recipe
from jaxlr.schedules import Schedule

SIGNS = (
    *(f"trainer.{each}" for each in ("num_train_steps", "train_batch_size", "mp")),
    *(f"optimizer.{each}" for each in ("type", "learning_rate", "min_lr_ratio", "warmup", "lr_schedule*")),
)
_STEPS = "trainer.num_train_steps"
_NUMBERS = ("learning_rate", "min_lr_ratio", "warmup", "decay", "rewarmup", "cooldown")
_CYCLES = ("cycle_length", "cycles", "haps")
_KEYS = (
    _STEPS,
    *(f"optimizer.{name}" for name in (*_NUMBERS, *_CYCLES, "lr_schedule", "type", "weight_decay")),
    *(f"optimizer.lr_schedule.{name}" for name in ("type", *sorted(set().union(*ARGUMENTS.values())))),
    *(f"optimizer.{name}" for name in ("beta1", "beta2", "epsilon", "max_grad_norm", "nesterov", "adamc_weight_decay")),
    *(f"optimizer.{name}" for name in ("weight_decay_modules", "default_weight_decay_mask")),
)
_MASK = "optimizer.default_weight_decay_mask"
_DECAYS = "levanter decays no LayerNorm, RMSNorm, Embedding and bias: name yours in jaxlr.ParameterGroups(no_decay=...)"
_WHY = {
    "optimizer.skip_bad_steps": "jaxlr.guard(optimizer) skips such updates",
    "optimizer.update_rms_clipping": "jaxlr clips gradients, not updates, by their root mean square",
    "optimizer.clip_update_norm": "jaxlr.guard(optimizer) clips gradients by their past norms, not updates",
}
# What the defaults of levanter say as well.
_OFF = (None, False, "null")


def from_config(config: Mapping[str, Any]) -> Recipe:
    """The schedule and optimizer of a levanter configuration, with levanter's values for what it leaves out.

    Args:
      config: keys and values, as a YAML file has them: `trainer` and `optimizer` are its levels.

    Returns:
      A `Recipe`. The type "adam" is `jaxlr.adamw`, with `adamc_weight_decay` as its coupling "corrected", and "lion"
      `optax.lion`; of another type the schedule alone is here. `model` and `data` are not read, nor is what `!include`
      names.

    Raises:
      ValueError: a key is misspelled, contradicts another or is out of range.

    Example:
      >>> from jaxlr.dialects import levanter
      >>> recipe = levanter.from_config({"trainer": {"num_train_steps": 1000}, "optimizer": {"min_lr_ratio": 0}})
      >>> print(recipe)
      import jaxlr
      import optax
      <BLANKLINE>
      schedule = jaxlr.warmup(schedule=jaxlr.cosine(init_value=0.0006, decay_steps=990), warmup_steps=10)
      optimizer = jaxlr.adamw(schedule, b1=0.9, b2=0.95, eps=1e-08, weight_decay=0.1)
      optimizer = optax.chain(jaxlr.clip_by_global_norm(1.0), optimizer)
      >>> list(recipe.left_out)
      ['optimizer.default_weight_decay_mask']
    """
    for level in ("trainer", "optimizer"):
        if not isinstance(config.get(level, {}), Mapping):
            raise ValueError(f"{level} must hold keys with values, got {shown(config[level])}")
    named = flat({level: value for level, value in config.items() if level not in ("model", "data")})
    given = {key: value for key, value in named.items() if key not in _WHY or value not in _OFF}
    keys = Keys(given, _KEYS, _WHY)
    schedule = _schedule(keys)
    optimizer, arguments, left = _optimizer(keys)
    # null, unlike a key that is left out, is no clipping.
    default = 0.0 if "optimizer.max_grad_norm" in given else 1.0
    clip = keys.number("optimizer.max_grad_norm", default, minimum=0.0)
    return Recipe("levanter", schedule, optimizer, arguments, None, clip or None, 1, {**left, **keys.left_out(_WHY)})


def _schedule(keys: Keys) -> Schedule:
    given: dict[str, Any] = {}
    for name in _NUMBERS:
        if f"optimizer.{name}" in keys:
            given[name] = keys.number(f"optimizer.{name}", minimum=0.0)
    for name in _CYCLES:
        value = keys.plain(f"optimizer.{name}")
        if value is not None:
            given[name] = _several(keys, name) if name == "haps" or isinstance(value, list) else _one(keys, name)
    return lr_scheduler(keys.length(_STEPS, 400_000, minimum=1), lr_schedule=_kind(keys), **given)


def _several(keys: Keys, name: str) -> list[int]:
    counts = keys.numbers(f"optimizer.{name}")
    if not all(count.is_integer() for count in counts):
        raise ValueError(f"optimizer.{name} must be whole numbers of updates, got {shown(counts)}")
    return [int(count) for count in counts]


def _one(keys: Keys, name: str) -> float:
    key = f"optimizer.{name}"
    return keys.length(key, minimum=1) if name == "cycles" else keys.number(key, minimum=0.0)


def _kind(keys: Keys) -> str | dict[str, Any]:
    """The word of the schedule with its arguments."""
    prefix = "optimizer.lr_schedule"
    if prefix in keys:
        return keys.word(prefix, [*ARGUMENTS], "cosine")
    kind = keys.word(f"{prefix}.type", [*ARGUMENTS], "cosine")
    found: dict[str, Any] = {"type": kind}
    for name in sorted(set().union(*ARGUMENTS.values())):
        if f"{prefix}.{name}" in keys:
            whole = name in ("batch_size", "seq_length")
            found[name] = (keys.length if whole else keys.number)(f"{prefix}.{name}")
    return found


def _optimizer(keys: Keys) -> tuple[str, dict[str, Argument], dict[str, str]]:
    """What makes the optimizer, its arguments, and what could not be carried over."""
    kind = keys.plain("optimizer.type", "adam")
    b1, b2 = keys.number("optimizer.beta1", 0.9), keys.number("optimizer.beta2", 0.95)
    eps, decay = keys.number("optimizer.epsilon", 1e-8), keys.number("optimizer.weight_decay", 0.1, minimum=0.0)
    look = {"nesterov": True} if keys.flag("optimizer.nesterov") else {}
    left = _undecayed(keys) if decay else {}
    corrected = keys.flag("optimizer.adamc_weight_decay") and decay > 0
    if kind == "adam":
        adamc: dict[str, Argument] = {"coupling": "corrected", "peak": _peak(keys)} if corrected else {}
        return "jaxlr.adamw", {"b1": b1, "b2": b2, "eps": eps, "weight_decay": decay or None, **look, **adamc}, left
    if kind == "lion":
        return "optax.lion", {"b1": b1, "b2": b2, "weight_decay": decay}, left
    return "", {}, {"optimizer.type": f"{kind!r} is neither adam nor lion: the schedule goes into any optax optimizer"}


def _peak(keys: Keys) -> float:
    peak = keys.number("optimizer.learning_rate", 6e-4)
    if peak <= 0:
        raise ValueError(f"optimizer.learning_rate must be above 0 for adamc_weight_decay, got {peak}")
    return peak


def _undecayed(keys: Keys) -> dict[str, str]:
    """Why the parameters that do not decay are left to the user."""
    if keys.plain("optimizer.weight_decay_modules") is not None:
        keys.plain(_MASK)
        why = "it says what decays: name what does not in jaxlr.ParameterGroups(no_decay=...)"
        return {"optimizer.weight_decay_modules": why}
    return {} if keys.plain(_MASK) is False else {_MASK: _DECAYS}
