"""Commands to go on with, as one would type them."""

import shlex

from jaxlr.training.runs.config import TrainConfig


def train_command(config: TrainConfig, schedule: str) -> str:
    """The `jaxlr train` with this schedule and all other options, those left out that it has by itself.

    Example:
      >>> train_command(TrainConfig(optimizer="sgd", epochs=5), "cosine(0.1, 5ep)")
      'jaxlr train --schedule "cosine(0.1, 5ep)" --optimizer sgd --epochs 5'
    """
    # In double quotes, since a schedule may hold words in single ones.
    words = ["jaxlr", "train", "--schedule", f'"{schedule}"']
    usual = vars(TrainConfig())
    for name, value in vars(config).items():
        if name == "schedule" or value == usual[name]:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:  # a flag has no value
            words.append(shlex.quote(str(value)))
    return " ".join(words)
