"""MaxText's YAML files: the keys of its configuration that speak of the rate and the optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from jaxlr.dialects.configs import Keys, flat
from jaxlr.dialects.maxtext.schedule import create_learning_rate_schedule
from jaxlr.dialects.patterns import glob
from jaxlr.dialects.recipe import Argument, Recipe
from jaxlr.schedules import Schedule
from jaxlr.transforms.groups.patterns import ParameterGroups

SIGNS = (
    *("learning_rate_schedule_steps", "warmup_steps_fraction", "lr_schedule_type", "learning_rate_final_fraction"),
    *("wsd_decay_*", "gradient_clipping_threshold", "adam_weight_decay", "opt_type", "per_device_batch_size"),
    *("base_output_directory", "base_emb_dim"),
)
_OPTIMIZERS = ("adamw", "adam_pax", "sgd", "muon")
_OLDER = "cosine_learning_rate_final_fraction"
_ARGUMENTS = inspect.signature(create_learning_rate_schedule).parameters
_KEYS = (
    *_ARGUMENTS,
    *(f"adam_{each}" for each in ("b1", "b2", "eps", "eps_root", "weight_decay")),
    *(f"muon_{each}" for each in ("beta", "weight_decay", "consistent_rms")),
    *(_OLDER, "opt_type", "gradient_clipping_threshold", "gradient_accumulation_steps", "adamw_mask", "mu_dtype"),
    *("weight_dtype", "skip_step_on_spikes", "trainable_parameters_mask"),
)
# What sounds like a rate or an optimizer and is none.
_ELSEWHERE = (
    *("beta_fast", "beta_slow", "dropout_rate", "enable_model_warmup", "local_use_splash_scheduler"),
    *("mhc_expansion_rate", "normalization_layer_epsilon", "optimizer_memory_host_offload", "routed_bias_update_rate"),
    *("shard_optimizer_over_data", "use_batch_split_schedule", "use_splash_scheduler"),
)
_WHY = {
    "opt_type": "which matrices are Muon's MaxText's model says: give optax.contrib.muon muon_weight_dimension_numbers",
    "adamw_mask": "a regular expression that is no pattern of jaxlr.ParameterGroups(no_decay=...): write one",
    "skip_step_on_spikes": "jaxlr.guard(optimizer) skips such updates",
    "trainable_parameters_mask": "name what stays as it is in jaxlr.ParameterGroups(frozen=...)",
}


def from_config(config: Mapping[str, Any]) -> Recipe:
    """The schedule and optimizer of a MaxText configuration, with base.yml's values for what it leaves out.

    Args:
      config: keys and values, as a YAML file has them.

    Returns:
      A `Recipe`. `opt_type` "adamw" and "adam_pax", which is the same in other words, are `jaxlr.adamw`, "sgd" is
      `jaxlr.sgd` and "muon" `optax.contrib.muon`, whose matrices MaxText takes from its model. `adamw_mask` becomes
      `groups`. A micro-batch is one of `gradient_accumulation_steps`.

    Raises:
      ValueError: a key is misspelled, contradicts another or is out of range.

    Example:
      >>> from jaxlr.dialects import maxtext
      >>> print(maxtext.from_config({"learning_rate": "1e-3", "steps": 1000, "adamw_mask": [".*norm", "bias$"]}))
      import jaxlr
      import optax
      <BLANKLINE>
      schedule = jaxlr.warmup(schedule=jaxlr.cosine(init_value=0.001, decay_steps=899, end_value=0.0001),
      warmup_steps=100)
      groups = jaxlr.ParameterGroups(no_decay=['*norm*', '*bias'])
      optimizer = jaxlr.adamw(schedule, b1=0.9, b2=0.95, eps=1e-08, weight_decay=0.1)
      optimizer = groups.wrap(optimizer)
      optimizer = optax.chain(jaxlr.clip_by_global_norm(1.0), optimizer)
    """
    keys = Keys(flat(config), _KEYS, _ELSEWHERE)
    schedule = _schedule(keys)
    optimizer, arguments, left = _optimizer(keys)
    groups = _groups(keys, left) if keys.word("opt_type", _OPTIMIZERS, "adamw") in ("adamw", "adam_pax") else None
    if keys.flag("skip_step_on_spikes"):
        left.append("skip_step_on_spikes")
    if keys.plain("trainable_parameters_mask"):
        left.append("trainable_parameters_mask")
    clip = keys.number("gradient_clipping_threshold", 1.0, minimum=0.0)
    return Recipe(
        "maxtext",
        schedule,
        optimizer,
        arguments,
        groups,
        clip or None,
        keys.length("gradient_accumulation_steps", 1, minimum=1),
        {**{key: _WHY[key] for key in left}, **keys.left_out({})},
    )


def _schedule(keys: Keys) -> Schedule:
    if _OLDER in keys and "learning_rate_final_fraction" in keys:
        raise ValueError(f"learning_rate_final_fraction and {_OLDER}, its older name, must not both be given")
    there = {name: each for name, each in _ARGUMENTS.items() if name in keys and name != "steps"}
    said = {name: keys.argument(name, each, minimum=0.0) for name, each in there.items()}
    said["steps"] = keys.length("steps", 150_001, minimum=-1)  # -1 leaves it to the other
    if _OLDER in keys:
        said["learning_rate_final_fraction"] = keys.number(_OLDER, minimum=0.0)
    return create_learning_rate_schedule(**said)


def _optimizer(keys: Keys) -> tuple[str, dict[str, Argument], list[str]]:
    """What makes the optimizer, its arguments, and the keys that could not be carried over."""
    kind = keys.word("opt_type", _OPTIMIZERS, "adamw")
    b1, b2 = keys.number("adam_b1", 0.9), keys.number("adam_b2", 0.95)
    eps, root = keys.number("adam_eps", 1e-8), keys.number("adam_eps_root", 0.0)
    decay = keys.number("adam_weight_decay", 0.1)
    dtype = keys.plain("mu_dtype") or keys.plain("weight_dtype") or "float32"
    stored = {} if dtype == "float32" or kind == "adam_pax" else {"mu_dtype": dtype}
    rms = keys.plain("muon_consistent_rms")
    beta, muon_decay = keys.number("muon_beta", 0.95), keys.number("muon_weight_decay", 0.0)
    if kind == "sgd":
        return "jaxlr.sgd", {}, []
    if kind == "muon":
        own: dict[str, Argument] = {"beta": beta, "eps": eps, "weight_decay": muon_decay}
        if rms not in (None, "None"):
            own["consistent_rms"] = keys.number("muon_consistent_rms", minimum=0.0)
        adam: dict[str, Argument] = {"adam_b1": b1, "adam_b2": b2, "adam_eps_root": root, "adam_weight_decay": decay}
        return "optax.contrib.muon", {**own, **adam, **stored}, ["opt_type"]
    at_root = {"eps_root": root} if root else {}
    return "jaxlr.adamw", {"b1": b1, "b2": b2, "eps": eps, **at_root, "weight_decay": decay, **stored}, []


def _groups(keys: Keys, left: list[str]) -> ParameterGroups | None:
    """The parameters that do not decay."""
    masks = keys.plain("adamw_mask") or []
    if not isinstance(masks, list) or not all(isinstance(mask, str) for mask in masks):
        raise ValueError(f"adamw_mask must be a list of regular expressions, got {masks!r}")
    patterns = [pattern for pattern in map(glob, masks) if pattern is not None]
    if len(patterns) < len(masks):
        left.append("adamw_mask")
    return ParameterGroups(no_decay=patterns) if patterns else None
