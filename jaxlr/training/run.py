"""The former place of `jaxlr.training.runs.run`."""

from jaxlr.training.runs.run import Run, Stopped, TrainConfig, execute, prepare, resume, train

__all__ = ["Run", "Stopped", "TrainConfig", "execute", "prepare", "resume", "train"]
