"""The former place of `jaxlr.training.runs.config`."""

from jaxlr.training.runs.config import TrainConfig, default_schedule, load_config, to_json

__all__ = ["TrainConfig", "default_schedule", "load_config", "to_json"]
