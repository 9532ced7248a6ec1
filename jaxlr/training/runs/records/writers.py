"""Where a run's records go beside metrics.jsonl: TensorBoard, Weights & Biases, MLflow, or whatever has one method."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from jaxlr.training.loop.items import EpochEnd, Item
from jaxlr.training.runs.records.events import EventFile

Scalars: TypeAlias = tuple[int, Mapping[str, float]]  # the count of an update, and figures by name
CLIENTS = {"wandb": "wandb", "mlflow": "mlflow"}  # the package that a kind of records needs
_FIGURES = ("learning_rate", "train/loss", "train/accuracy", "train/gradient_norm")
_PROJECT = "jaxlr"
_A_BATCH = 1000  # metrics in one call of MLflow's


class Writer(Protocol):
    """Takes the figures of a run as they come; it may also have `close()`, which is called at the end.

    A run that is taken up again gives out once more what came after its last checkpoint: the same figures.
    """

    def log(self, records: Sequence[Scalars]) -> None:
        """Takes some figures, in the order of their counts."""


def scalars_of(item: Item, *, images_per_second: float) -> Iterator[Scalars]:
    """The figures of an item of the loop, by the names that TensorBoard groups; the speed stands at its last update.

    Example:
      >>> list(scalars_of(EpochEnd(1, 4, 0.5, 0.25, 2.0), images_per_second=0.0))
      [(3, {'train/epoch_accuracy': 0.5, 'validation/accuracy': 0.25, 'validation/loss': 2.0})]
    """
    if isinstance(item, EpochEnd):
        names = ("train/epoch_accuracy", "validation/accuracy", "validation/loss")
        # At the epoch's last update: a run that goes on at this count takes the place of what stands from it on.
        yield max(item.count - 1, 0), dict(zip(names, item[2:], strict=True))
        return
    others = {name: values.tolist() for name, values in item.hyperparameters.items()}
    columns = zip(item.skipped, *(column.tolist() for column in item.entries), strict=True)
    for place, (skipped, count, *figures) in enumerate(columns):
        known = {name: values[place] for name, values in others.items()}
        yield count, {"train/skipped": 1.0} if skipped else {**dict(zip(_FIGURES, figures, strict=True)), **known}
    if not item.skipped.all():
        yield int(item.updates.count[-1]), {"images_per_second": images_per_second}


def check_client(kind: str) -> None:
    """Refuses a kind of records whose client is not installed."""
    package = CLIENTS.get(kind)
    if package is not None and importlib.util.find_spec(package) is None:
        raise ValueError(f'events: {kind} needs its client: pip install "jaxlr[{kind}]"')


def open_writer(kind: str, folder: Path, options: Mapping[str, Any], *, start: int | None) -> Writer | None:
    """What writes this kind of records for a run.

    Args:
      kind: "none", "tensorboard", "wandb" or "mlflow".
      folder: of the run.
      options: of the run.
      start: the count from which on it goes on; None where it starts.
    """
    if kind == "none":
        return None
    if kind == "tensorboard":
        return EventFile(folder, start=start)
    return _Remote(kind, _Wandb(folder, options) if kind == "wandb" else _MLflow(folder, options))


class _Remote:
    """A client that may lose its server: a run does not end for that, what is missing is said."""

    def __init__(self, kind: str, client: Any):
        self._kind, self._client, self.note = kind, client, None

    def log(self, records: Sequence[Scalars]) -> None:
        if self.note is None and records:
            try:
                self._client.log(records)
            except Exception as error:  # of whatever kind the client has
                first = " ".join(f"{type(error).__name__}: {error}".split())[:200]
                self.note = f"{self._kind} took no records from count {records[0][0]:,} on ({first})"

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._client.close()


class _Wandb:
    """Weights & Biases; WANDB_PROJECT and WANDB_MODE=offline are its own."""

    def __init__(self, folder: Path, options: Mapping[str, Any]):
        import wandb  # pyright: ignore[reportMissingImports]

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            name=folder.name,
            id=_kept(folder / "wandb.id", lambda: f"{time.time_ns():x}"),
            dir=str(folder),
            config=dict(options),
            resume="allow",
        )

    def log(self, records: Sequence[Scalars]) -> None:
        for count, figures in records:
            self._run.log(dict(figures), step=count)

    def close(self) -> None:
        self._run.finish()


class _MLflow:
    """MLflow; MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME are its own."""

    def __init__(self, folder: Path, options: Mapping[str, Any]):
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]
        from mlflow.entities import Metric, Param  # pyright: ignore[reportMissingImports]

        self._client, self._metric = MlflowClient(), Metric
        new = not (folder / "mlflow.id").exists()
        self._run = _kept(folder / "mlflow.id", lambda: self._create(folder.name))
        if new:
            self._client.log_batch(self._run, params=[Param(name, str(value)) for name, value in options.items()])

    def _create(self, name: str) -> str:
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", _PROJECT)
        found = self._client.get_experiment_by_name(experiment)
        number = self._client.create_experiment(experiment) if found is None else found.experiment_id
        return self._client.create_run(number, run_name=name).info.run_id

    def log(self, records: Sequence[Scalars]) -> None:
        now = int(1000 * time.time())
        metrics = [
            self._metric(name, value, now, count)
            for count, figures in records
            for name, value in figures.items()
            if math.isfinite(value)
        ]
        for first in range(0, len(metrics), _A_BATCH):
            self._client.log_batch(self._run, metrics=metrics[first : first + _A_BATCH])

    def close(self) -> None:
        self._client.set_terminated(self._run)


def _kept(path: Path, make: Any) -> str:
    """The name of a run at its server, which stays when the run is taken up again."""
    if not path.exists():
        path.write_text(make(), encoding="utf-8")
    return path.read_text(encoding="utf-8")
