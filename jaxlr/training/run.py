"""A run: checks the options, trains, and writes config.json, metrics.jsonl, summary.json and report.png."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import optax
from flax import nnx

import jaxlr
from jaxlr import plotting
from jaxlr.schedules import Schedule, parse
from jaxlr.training.config import TrainConfig, default_schedule, to_json
from jaxlr.training.data import Dataset, load_dataset
from jaxlr.training.folder import check_folder, make_folder, write_json
from jaxlr.training.loop import EpochEnd, Trainer, TrainingDiverged, Updates
from jaxlr.training.models import CNN
from jaxlr.training.summary import Tally, end_entries, finite, machine, parameters_sha256

__all__ = ["Run", "TrainConfig", "execute", "prepare", "train"]


@dataclass(frozen=True)
class Run:
    """A run that is ready to go: everything checked, its folder made."""

    config: TrainConfig
    data: Dataset
    schedule: Schedule
    trainer: Trainer
    parameters: int  # how many numbers the network learns
    updates: int
    folder: Path


def train(
    config: TrainConfig, *, out: Path | None = None, watch: Callable[[Updates | EpochEnd], None] | None = None
) -> dict[str, Any]:
    """Trains a network as `config` says and writes the run's folder.

    Args:
      config: the options.
      out: the folder, new or empty; None is a new one under `runs/`.
      watch: called with each item that the loop gives out, for a progress bar.

    Returns:
      The summary, as summary.json holds it.

    Raises:
      ValueError: an option, the data or the folder cannot be used; then nothing has been written.
      TrainingDiverged: the loss became NaN or infinite; the folder holds the run up to there.
    """
    return execute(prepare(config, out=out), watch=watch)


def prepare(config: TrainConfig, *, out: Path | None = None) -> Run:
    """Checks everything that can be wrong before a run, then makes its folder.

    Args:
      config: the options.
      out: the folder, new or empty; None is a new one under `runs/`.

    Returns:
      The run, for `execute`.

    Raises:
      ValueError: an option, the data or the folder cannot be used; then nothing has been written.
    """
    if out is not None:
        check_folder(out)
    text = default_schedule(config.epochs) if config.schedule is None else config.schedule
    config = dataclasses.replace(config, schedule=text)
    data = load_dataset(config.data, data_dir=config.data_dir, validation_fraction=config.validation, seed=config.seed)
    examples = len(data.train.labels)
    updates = jaxlr.updates(
        config.epochs, examples=examples, batch_size=config.batch_size, accumulate=config.accumulate
    )
    if updates < 1:
        batches = config.epochs * (examples // config.batch_size)
        raise ValueError(f"accumulate must be at most the {batches} batches of the run, got {config.accumulate}")
    # An accumulation goes on across an epoch's end, so an epoch may hold half an update.
    schedule = parse(text, steps_per_epoch=examples // config.batch_size / config.accumulate)
    model = CNN(
        data.train.images.shape[1:],
        data.classes,
        width=config.width,
        depth=config.depth,
        dropout=config.dropout,
        downsample=config.downsample,
        rngs=nnx.Rngs(config.seed),
    )
    trainer = Trainer(
        model,
        _optimizer(config, schedule),
        data,
        batch_size=config.batch_size,
        accumulate=config.accumulate,
        loss=config.loss,
        l1=config.l1,
        l2=config.l2,
        seed=config.seed,
    )
    parameters = sum(leaf.size for leaf in jax.tree.leaves(trainer.parameters))
    folder = make_folder(out, Path(config.data).stem)
    return Run(config, data, schedule, trainer, parameters, updates, folder)


def execute(run: Run, *, watch: Callable[[Updates | EpochEnd], None] | None = None) -> dict[str, Any]:
    """Trains, writing each record as it comes, then the summary and the report.

    Args:
      run: what `prepare` returned; it can be executed once.
      watch: called with each item that the loop gives out, for a progress bar.

    Returns:
      The summary, as summary.json holds it.

    Raises:
      TrainingDiverged: the loss became NaN or infinite; the folder holds the run up to there.
      KeyboardInterrupt: the user stopped the run; the folder holds the run up to there.
    """
    write_json(run.folder / "config.json", to_json(run.config))
    metrics = run.folder / "metrics.jsonl"
    tally = Tally()
    failure = None
    started = time.perf_counter()
    try:
        with metrics.open("x", encoding="utf-8") as file:
            for item in run.trainer.run(run.config.epochs):
                file.write("".join(f"{json.dumps(record)}\n" for record in _records(item)))
                file.flush()
                tally.take(item)
                if watch is not None:
                    watch(item)
    except (TrainingDiverged, KeyboardInterrupt) as error:
        failure = error
    summary = _summarize(run, tally, time.perf_counter() - started, failure)
    write_json(run.folder / "summary.json", summary)
    _draw_report(run.folder / "report.png", metrics, summary)
    if failure is not None:
        raise failure
    return summary


def _optimizer(config: TrainConfig, schedule: Schedule) -> optax.GradientTransformationExtraArgs:
    decay = config.weight_decay or 0.0
    match config.optimizer:
        case "sgd":
            momentum = 0.9 if config.momentum is None else config.momentum
            return jaxlr.sgd(schedule, momentum=momentum, weight_decay=decay)
        case "rmsprop":
            return jaxlr.rmsprop(schedule, momentum=config.momentum or 0.0, weight_decay=decay)
        case "adam":
            return jaxlr.adam(schedule, weight_decay=decay)
        case "adamw":
            return jaxlr.adamw(schedule, weight_decay=0.01 if config.weight_decay is None else decay)


def _records(item: Updates | EpochEnd) -> Iterator[dict[str, Any]]:
    """The lines of metrics.jsonl that an item of the loop makes."""
    if isinstance(item, EpochEnd):
        yield {
            "epoch": int(item.epoch),
            "count": int(item.count),
            "train_accuracy": finite(item.train_accuracy),
            "validation_accuracy": finite(item.validation_accuracy),
            "validation_loss": finite(item.validation_loss),
        }
        return
    for count, rate, loss, accuracy in zip(*item, strict=True):
        yield {
            "count": int(count),
            "learning_rate": finite(rate),
            "loss": finite(loss),
            "accuracy": finite(accuracy),
        }


def _summarize(run: Run, tally: Tally, seconds: float, failure: BaseException | None) -> dict[str, Any]:
    """What summary.json holds; the network meets the test images here, after a whole run and never before."""
    config, trainer = run.config, run.trainer
    test_loss = test_accuracy = digest = None
    if failure is None:
        test_loss, test_accuracy = trainer.evaluate(run.data.test)
        digest = parameters_sha256(trainer.parameters)
    images = tally.updates * config.accumulate * config.batch_size
    training_seconds = seconds - trainer.compile_seconds
    return {
        "status": _status(failure),
        "failure": None if failure is None else str(failure) or "stopped by the user",
        "test_accuracy": test_accuracy,
        "test_loss": test_loss,
        "data": config.data,
        "split": run.data.split_note,
        "schedule": config.schedule,
        "schedule_in_updates": repr(run.schedule),
        "optimizer": config.optimizer,
        "batch_size": config.batch_size,
        "accumulate": config.accumulate,
        **tally.entries(),
        **end_entries(run.schedule, tally.updates),
        "seconds": training_seconds,
        "compile_seconds": trainer.compile_seconds,
        "images_per_second": images / training_seconds,
        "parameters": run.parameters,
        "parameters_sha256": digest,
        **machine(),
    }


def _status(failure: BaseException | None) -> str:
    if failure is None:
        return "done"
    return "diverged" if isinstance(failure, TrainingDiverged) else "interrupted"


def _draw_report(path: Path, metrics: Path, summary: Mapping[str, Any]) -> None:
    records = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    result = summary["failure"] if summary["test_accuracy"] is None else f"test accuracy {summary['test_accuracy']:.4f}"
    figure = plotting.plot_run(
        records,
        title=summary["schedule"],
        subtitle=f"{summary['data']} · {summary['optimizer']} · {summary['updates']:,} updates · {result}",
        test_accuracy=summary["test_accuracy"],
    )
    plotting.save_figure(figure, path)
