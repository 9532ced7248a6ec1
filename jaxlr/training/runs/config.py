"""The options of a run: what they mean, which values they take, and the file that keeps them."""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jaxlr.arguments import unknown
from jaxlr.training.runs.records.schema import COUNT, read_json, shown_value


class _Checked:
    """Options that are checked when they are made, each by its type and its bounds."""

    def __post_init__(self) -> None:
        for name, hint in typing.get_type_hints(type(self)).items():
            value = getattr(self, name)
            if not _accepts(hint, value):
                raise TypeError(f"{name} must be {_words(hint)}, got {shortened(value)}")
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} must be finite, got {shortened(value)}")
            if isinstance(value, str) and len(value) > _LONGEST:
                raise ValueError(f"{name} must have at most {_LONGEST:,} letters, got {len(value):,}")
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name, None)
            if value is None:
                continue
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {shortened(value)}")
            if most is None and value >= 1:
                raise ValueError(f"{name} must be below 1, got {shortened(value)}")
            if most is not None and value > most:
                raise ValueError(f"{name} must be at most {most}, got {shortened(value)}")


@dataclass(frozen=True)
class Data(_Checked):
    """Which images."""

    data: str = "digits"
    """Images: digits (come with the package), a set's name, as fashion-mnist or cifar10 (another word lists them all),
    the path of an .npz file, or of a folder with such arrays as .npy files, mapped, maybe larger than the memory."""
    data_dir: Path | None = None
    """Folder with the data set's files. None: those of the system's package, or else a download."""


@dataclass(frozen=True)
class _Rate(Data):
    """Its place in config.json is behind the images."""

    schedule: str | None = None
    """The learning rate over the run, with lengths in updates or epochs (10ep); `jaxlr list` shows what there is. None:
    triangular2 from 0.001 to 0.01 in whole cycles over the run, 4 where their lengths come out even."""


@dataclass(frozen=True)
class Optimization(_Checked):
    """What is made small, and how."""

    optimizer: Literal["sgd", "rmsprop", "adam", "adamw"] = "adam"
    """What turns gradients into updates."""
    momentum: float | None = None
    """For sgd and rmsprop. None: 0.9 for sgd, 0 for rmsprop."""
    weight_decay: float | None = None
    """Pull of the weights towards 0: beside the step in adamw, else in the gradient. None: 0.01 for adamw, else 0."""
    epochs: int = 16
    """Passes over the training images."""
    batch_size: int = 64
    """Images in one batch."""
    accumulate: int = 1
    """Batches whose gradients make one update."""
    loss: Literal["cross-entropy", "mse", "mae", "smooth-l1"] = "cross-entropy"
    """What training makes small."""
    l1: float = 0.0
    """Weight of the sum of absolute weights in the loss."""
    l2: float = 0.0
    """Weight of half the sum of squared weights in the loss."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.momentum is not None and self.optimizer not in ("sgd", "rmsprop"):
            raise ValueError(f"momentum is for sgd and rmsprop, got {self.momentum!r} with {self.optimizer}")


@dataclass(frozen=True)
class Network(_Checked):
    """The network."""

    width: int = 32
    """Channels of the first convolution; each block doubles them."""
    depth: int = 2
    """Blocks of convolution, batch normalization and downsampling."""
    downsample: Literal["pool", "stride"] = "pool"
    """How each block halves the image: max-pooling, or a convolution with stride 2."""
    dropout: float = 0.25
    """Share of the last dense layer's inputs that is dropped while training."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """In what the network computes; parameters, running statistics, loss and optimizer are float32 in both."""


@dataclass(frozen=True)
class Task(Network, Optimization, Data):
    """All that decides the numbers of a training, but for its rate: what a search for a rate takes."""

    validation: float = 0.1
    """Share of the training images held out to watch the run; the test images stay untouched until the end. What is
    called validation is the accuracy on these after an epoch, and of a whole run after its last one."""
    seed: int = 0
    """Decides the initial weights, the order of the images, dropout, and which images validate."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.validation == 0:
            raise ValueError(f"validation must be above 0, got {self.validation!r}")


@dataclass(frozen=True)
class ScheduledTask(Task, _Rate):
    """The rate as well: what a sweep takes."""


@dataclass(frozen=True)
class Execution(_Checked):
    """How and where the updates are made."""

    nonfinite: Literal["stop", "skip"] = "stop"
    """What a loss that is NaN or infinite does: stop the run, or skip the update, as one whose gradient is. What is
    skipped is told in metrics.jsonl and counted in the summary."""
    devices: int | None = None
    """How many devices share each batch, evenly. None: all, those of every host. Another number changes the order of
    sums, and no more."""
    zero: bool = False
    """Whether the devices share the optimizer's state and work as well (ZeRO stage 1), for its memory."""
    images_on: Literal["auto", "device", "host"] = "auto"
    """Where the training images lie: on every device, or on the host, handed out a few updates ahead. auto: on the
    device where they take at most half of its memory. The numbers are the same."""


@dataclass(frozen=True)
class Saving(_Checked):
    """What is kept of a run."""

    checkpoint_every: str | None = None
    """Saves after so many updates (500) or epochs (2ep), and at the end. None: at an epoch's end when a minute has
    gone by, so that a short run saves nothing."""
    keep_checkpoints: int = 2
    """Of the last checkpoints so many stay, and the best by validation accuracy."""
    events: Literal["none", "tensorboard", "wandb", "mlflow"] = "none"
    """Who gets the records as well: TensorBoard (tensorboard --logdir shows the run's folder), Weights & Biases or
    MLflow, whose own variables say where, such as WANDB_MODE=offline or MLFLOW_TRACKING_URI."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.checkpoint_every is not None and not _INTERVAL.fullmatch(self.checkpoint_every):
            raise ValueError(
                "checkpoint_every must be a number of updates (500) or of epochs (2ep), "
                f"got {shortened(self.checkpoint_every)}"
            )

    def checkpoint_interval(self) -> tuple[int | None, int | None]:
        """The updates and the epochs between two checkpoints; the one that was not given is None.

        Example:
          >>> Saving(checkpoint_every="2ep").checkpoint_interval()
          (None, 2)
        """
        match = _INTERVAL.fullmatch(self.checkpoint_every or "")
        if match is None:
            return None, None
        number = int(match["number"])
        return (None, number) if match["epochs"] else (number, None)


@dataclass(frozen=True)
class TrainConfig(Saving, Execution, ScheduledTask):
    """Everything that decides the numbers of a run, and where it saves; the same values give the same run.

    Raises:
      TypeError: a value of the wrong kind.
      ValueError: a value out of range.

    Example:
      >>> TrainConfig(epochs=0)
      Traceback (most recent call last):
      ValueError: epochs must be at least 1, got 0
    """


_INTERVAL = re.compile(r"(?P<number>0{0,9}[1-9][0-9]{0,9})(?P<epochs>ep)?")
_FLOAT32 = 3.4e38
_BOUNDS: dict[str, tuple[float, float | None]] = {  # the least and the most; None: below 1
    "momentum": (0, None),
    "weight_decay": (0, _FLOAT32),
    "epochs": (1, COUNT),
    "batch_size": (1, COUNT),
    "accumulate": (1, COUNT),
    "l1": (0, _FLOAT32),
    "l2": (0, _FLOAT32),
    "width": (1, 2**16),
    "depth": (1, 30),  # an image of 2**30 pixels a side
    "dropout": (0, None),
    "validation": (0, None),
    "seed": (0, COUNT),
    "devices": (1, COUNT),
    "keep_checkpoints": (1, COUNT),
}
_LONGEST = 100_000  # letters of a text
_KINDS = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a text",
    Path: "a path",
    types.NoneType: "None",
}


def default_schedule(epochs: int, base_lr: float = 0.001, max_lr: float = 0.01) -> str:
    """The schedule of a run without one: triangular2 in whole cycles, so that it ends at its base.

    Example:
      >>> [default_schedule(epochs) for epochs in (16, 3)]
      ['triangular2(0.001, 0.01, 2ep)', 'triangular2(0.001, 0.01, 1ep, step_size_down=2ep)']
    """
    # A side of a cycle is 2 to 10 times the epoch in the CLR paper, and shorter ones end before the network follows.
    cycles = next((n for n in (4, 3, 2) if epochs % n == 0 and epochs // n >= 4), 1)
    length = epochs // cycles
    if length == 1:
        return f"triangular2({base_lr:g}, {max_lr:g}, 0.5ep)"
    up, down = length // 2, length - length // 2
    return f"triangular2({base_lr:g}, {max_lr:g}, {up}ep{f', step_size_down={down}ep' if down != up else ''})"


def to_json(config: TrainConfig) -> dict[str, Any]:
    """The options as JSON-able data, which `load_config` reads back from a file.

    Example:
      >>> to_json(TrainConfig(epochs=3))["epochs"]
      3
    """
    return {name: str(value) if isinstance(value, Path) else value for name, value in vars(config).items()}


def load_config(path: Path) -> TrainConfig:
    """Reads the options that a run kept in its config.json; an option that the file leaves out has its default."""
    try:
        options = read_json(path)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(options, dict):
        raise ValueError(f"{path}: expected an object of options, got {type(options).__name__}")
    known = [field.name for field in dataclasses.fields(TrainConfig)]
    for name in options:
        if name not in known:
            raise ValueError(f"{path}: {unknown('option', name, known)}")
    if isinstance(options.get("data_dir"), str):
        options["data_dir"] = Path(options["data_dir"])
    try:
        return TrainConfig(**options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def shortened(value: Any) -> str:
    """An option's value in a message."""
    is_long = isinstance(value, int) and abs(value) >= 10**30
    return "a number of more than 30 digits" if is_long else shown_value(value)


def _accepts(hint: Any, value: Any) -> bool:
    if typing.get_origin(hint) is Literal:
        return value in typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return any(_accepts(each, value) for each in typing.get_args(hint))
    if hint in (int, float):
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    return isinstance(value, hint)


def _words(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(typing.get_args(hint))}"
    if isinstance(hint, types.UnionType):
        return " or ".join(map(_words, typing.get_args(hint)))
    return _KINDS[hint]
