"""What torchtitan's TOML says: its tables `optimizer`, `lr_scheduler` and `training`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxlr.dialects.configs import Keys, flat, sections
from jaxlr.dialects.recipe import Argument, Recipe
from jaxlr.dialects.torchtitan.schedules import DECAYS, LRSchedulersContainer

SIGNS = [
    *("lr_scheduler.warmup_steps", "lr_scheduler.*", "training.steps", "training.seq_len"),
    *("training.local_batch_size", "training.max_norm", "job.dump_folder", "metrics.*", "activation_checkpoint.*"),
]
_SECTIONS = ("optimizer", "lr_scheduler", "training")
_KNOWN = [
    *(f"optimizer.{each}" for each in ("name", "lr", "beta1", "beta2", "eps", "weight_decay")),
    *(f"lr_scheduler.{each}" for each in ("warmup_steps", "total_steps", "decay_ratio", "decay_type")),
    *("lr_scheduler.min_lr_factor", "lr_scheduler.lr_min", "training.steps", "training.max_norm"),
]
_ELSEWHERE = ["optimizer.implementation", "optimizer.early_step_in_backward", "training.seq_len"]
_WHY = {
    "training.global_batch_size": "one update here is one global batch: say jaxlr.accumulate where it does not fit",
    "optimizer.param_groups": "say them with jaxlr.ParameterGroups",
}


def from_config(config: Mapping[str, Any]) -> Recipe:
    """The recipe of a torchtitan configuration; what is left out has torchtitan's defaults.

    `lr_min`, the older word, is `min_lr_factor`.

    Args:
      config: what its TOML file holds.

    Returns:
      A `Recipe`.

    Raises:
      ValueError: a key is misspelled, out of range, or contradicts another; the message is one line.

    Example:
      >>> config = {"optimizer": {"lr": 0.5}, "training": {"steps": 4}, "lr_scheduler": {"warmup_steps": 2}}
      >>> recipe = from_config(config)
      >>> [float(recipe.schedule(n)) for n in range(5)]
      [0.25, 0.5, 0.5, 0.25, 0.0]
      >>> recipe.optimizer, recipe.arguments["b2"], recipe.clip
      ('jaxlr.adamw', 0.95, 1.0)
    """
    keys = Keys(flat(sections(config, _SECTIONS)), _KNOWN, [*_ELSEWHERE, *_WHY])
    lowest = keys.one_of("lr_scheduler.min_lr_factor", "lr_scheduler.lr_min", what="the lowest rate as a share")
    total, ratio = "lr_scheduler.total_steps", "lr_scheduler.decay_ratio"
    schedule = LRSchedulersContainer(
        keys.number("optimizer.lr", 8e-4, minimum=0.0),
        keys.length("training.steps", 10_000, minimum=1),
        keys.length("lr_scheduler.warmup_steps", 200),
        keys.length(total, minimum=1) if total in keys else None,
        keys.number(ratio, minimum=0.0, maximum=1.0) if ratio in keys else None,
        keys.word("lr_scheduler.decay_type", DECAYS, "linear"),  # pyright: ignore[reportArgumentType], one of the words
        keys.number(lowest, minimum=0.0) if lowest else 0.0,
    )
    adam: dict[str, Argument] = {
        "b1": keys.number("optimizer.beta1", 0.9, minimum=0.0),
        "b2": keys.number("optimizer.beta2", 0.95, minimum=0.0),
        "eps": keys.number("optimizer.eps", 1e-8, minimum=0.0),
        "weight_decay": keys.number("optimizer.weight_decay", 0.1, minimum=0.0),
    }
    optimizers = {"AdamW": "jaxlr.adamw", "Adam": "jaxlr.adam"}
    made = optimizers[keys.word("optimizer.name", optimizers, "AdamW")]
    clip = keys.number("training.max_norm", 1.0, minimum=0.0)
    return Recipe("torchtitan", schedule, made, adam, clip=clip or None, left_out=keys.left_out(_WHY))
