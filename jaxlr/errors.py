"""The errors of jaxlr; each is also the built-in one that a reader would catch.

    ValueError
      DataError           a data set is missing or bad
      NoSuggestion        a range test's curve supports no rate
      TargetError         devices to compile for are unknown, or their compiler is missing
    RuntimeError
      CheckpointError     a checkpoint is missing, or cannot be read or written
      TrainingDiverged    the loss became NaN or infinite
    Exception
      Stopped             a run was told to stop, and has not failed

Every other wrong argument is a plain TypeError or ValueError that names it, its value and what would be right.
"""

from __future__ import annotations

__all__ = ["CheckpointError", "DataError", "NoSuggestion", "Stopped", "TargetError", "TrainingDiverged"]


class _OneLine(Exception):
    """An error whose message is one line, since names of files and the words of other libraries may hold breaks."""

    def __init__(self, message: object):
        super().__init__(" ".join(str(message).splitlines()))


class DataError(_OneLine, ValueError):
    """A data set that cannot be used; the message names the set, the file or the argument."""


class NoSuggestion(ValueError):
    """The curve supports no learning rate; the message says why.

    Example:
      >>> raise NoSuggestion("the loss never falls")
      Traceback (most recent call last):
      jaxlr.errors.NoSuggestion: the loss never falls
    """


class TargetError(_OneLine, ValueError):
    """Devices to compile for that are unknown, or whose compiler is not installed; the message says what to do.

    Example:
      >>> print(TargetError("v5x: unknown chip 'v5x'"))
      v5x: unknown chip 'v5x'
    """


class CheckpointError(_OneLine, RuntimeError):
    """A checkpoint that cannot be written or read; the message names it.

    Example:
      >>> print(CheckpointError("runs/digits-1: holds no checkpoint"))
      runs/digits-1: holds no checkpoint
    """


class TrainingDiverged(RuntimeError):
    """The loss became NaN or infinite.

    Attributes:
      count: updates applied before.
      learning_rate: the rate of the update that had this loss.
      loss: the loss.

    Example:
      >>> print(TrainingDiverged(count=120, learning_rate=8.0, loss=float("nan")))
      the loss became nan at count 120, where the learning rate was 8
    """

    def __init__(self, count: int, learning_rate: float, loss: float):
        super().__init__(f"the loss became {loss} at count {count}, where the learning rate was {learning_rate:g}")
        self.count = count
        self.learning_rate = learning_rate
        self.loss = loss

    def __reduce__(self) -> tuple[type[TrainingDiverged], tuple[int, float, float]]:
        return type(self), (self.count, self.learning_rate, self.loss)


class Stopped(Exception):
    """A run that was told to stop; the message is one line."""
