"""A run: checks the options, trains, and writes config.json, metrics.jsonl, summary.json and report.png."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxlr import plotting
from jaxlr.errors import CheckpointError, DataError, Stopped, TrainingDiverged
from jaxlr.schedules import Schedule, parse
from jaxlr.training.data.datasets import Dataset
from jaxlr.training.data.fingerprint import fingerprint
from jaxlr.training.loop import hosts
from jaxlr.training.loop.items import Chunk, EpochEnd, Updates
from jaxlr.training.loop.order import BatchOrder
from jaxlr.training.loop.trainer import Trainer
from jaxlr.training.runs.config import TrainConfig, default_schedule, load_config, to_json
from jaxlr.training.runs.folder import FolderLock, begun, check_folder, make_folder, was_left, write_json
from jaxlr.training.runs.records.metrics import FILE, NoRecords, Records, finite, parse_records, read_start
from jaxlr.training.runs.records.position import Position
from jaxlr.training.runs.records.summary import Tally, end_entries, horizon_note, machine, parameters_sha256
from jaxlr.training.runs.records.writers import Writer, check_client, open_writer
from jaxlr.training.runs.saving.timing import Clock, Saving
from jaxlr.training.runs.saving.weights import FILE as WEIGHTS
from jaxlr.training.runs.saving.weights import write_weights
from jaxlr.training.runs.showing.picture import plot_run
from jaxlr.training.runs.starting.assembly import load_data, make_model, make_optimizer
from jaxlr.training.runs.starting.rates import check_rates
from jaxlr.training.runs.starting.resuming import (
    Epochs,
    check_changes,
    check_data,
    check_epochs,
    check_rest,
    epoch_accuracies,
    rate_note,
    schedule_of,
)

_ENDS = {type(None): "done", Stopped: "stopped", TrainingDiverged: "diverged"}


@dataclass(frozen=True)
class Run:
    """A run that is ready to go: everything checked, its folder made and held."""

    config: TrainConfig
    data: Dataset
    schedule: Schedule
    trainer: Trainer
    folder: Path
    lock: FolderLock | None  # None where another host holds the folder
    start: Position  # where it goes on
    notes: tuple[str, ...] = ()  # what is to be said of its start
    save_start: bool = False  # whether its start is known to nobody else

    @property
    def parameters(self) -> int:
        """How many numbers the network learns."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.trainer.state[0][0]))

    @property
    def updates(self) -> int:
        """The updates of the whole run."""
        return self.trainer.updates_total(self.config.epochs)

    def images_seen(self, tally: Tally) -> int:
        """The images that went into updates, those that were left out too."""
        return (tally.updates + tally.skipped) * self.config.accumulate * self.config.batch_size


def train(
    config: TrainConfig,
    *,
    out: Path | None = None,
    watch: Callable[[Updates | EpochEnd], None] | None = None,
    writers: Sequence[Writer] = (),
) -> dict[str, Any]:
    """Trains a network as `config` says and writes the run's folder.

    Args:
      config: the options.
      out: the folder, new or empty; None is a new one under `runs/`.
      watch: called with the updates of each chunk and with each epoch's end, for a progress bar.
      writers: to whom the figures of the run go as well: each has a method `log(records)`.

    Returns:
      The summary, as summary.json holds it.

    Raises:
      ValueError: an option, the data or the folder cannot be used; then nothing has been written.
      TrainingDiverged: the loss became NaN or infinite; the folder holds the run up to there.
      CheckpointError: a checkpoint cannot be written; those before it are whole.
    """
    return execute(prepare(config, out=out), watch=watch, writers=writers)


def prepare(config: TrainConfig, *, out: Path | None = None, weights: Path | None = None) -> Run:
    """Checks everything that can be wrong before a run, then makes its folder.

    Args:
      config: the options.
      out: the folder, new or empty; None is a new one under `runs/`.
      weights: the folder of a run whose last checkpoint has the weights to start from; the optimizer, its count and
        dropout's keys are new. None starts from random weights.

    Returns:
      The run, for `execute`.

    Raises:
      ValueError: an option, the data or the folder cannot be used; then nothing has been written.
      CheckpointError: `weights` holds no checkpoint of this network.
    """
    if out is not None:
        hosts.first_host(lambda: check_folder(out))
    check_client(config.events)
    text = default_schedule(config.epochs) if config.schedule is None else config.schedule
    config = dataclasses.replace(config, schedule=text)
    data = load_data(config)
    mark = fingerprint(data)
    # An accumulation goes on across an epoch's end, so an epoch may hold half an update.
    schedule = parse(text, steps_per_epoch=_steps_per_epoch(config, data))
    trainer = _make_trainer(config, data, schedule)
    instead = "give a --schedule with a rate above 0 there"
    check_rates(text, schedule, 0, trainer.updates_total(config.epochs), instead=instead)
    notes = data.notes
    if weights is not None:
        from jaxlr.training.runs.saving.loading import read_network

        network, count = read_network(weights, trainer.state[0])
        trainer.load_network(network)
        notes = (*notes, f"weights of {weights} at count {count:,}")
    folder = Path(hosts.first_host(lambda: str(make_folder(out, Path(config.data).stem))))
    lock = _hold(folder)
    hosts.wait_for_all()  # until all have read what the first is going to write
    start = _beginning(text, mark)
    return Run(config, data, schedule, trainer, folder, lock, start, notes, save_start=weights is not None)


def resume(folder: Path, config: TrainConfig | None = None) -> Run:
    """Goes back to the last checkpoint of a run; `execute` then does what the run would have done.

    Args:
      folder: of the run.
      config: its options, with other epochs or other numbers of the schedule; then the rate goes on from where it is,
        by the rule of `retime`. None: as they were.

    Returns:
      The run, for `execute`.

    Raises:
      ValueError: the folder is no run's or another run's at this moment, the run is over or beyond its epochs, or an
        option differs that must not.
      CheckpointError: there is no checkpoint, or it cannot be read.
    """
    from jaxlr.training.runs.saving import checkpoints  # orbax takes a second to import

    if was_left(folder):
        raise ValueError(f"resume: {folder}: the run was ended before it began; the same words start it again")
    kept = load_config(folder / "config.json")
    config = kept if config is None else config
    check_changes(kept, config)
    check_client(config.events)
    lock = _hold(folder)
    try:
        # A run that has ended has a summary; without either it was killed before its first checkpoint.
        saved = (folder / "summary.json").exists() or checkpoints.has_checkpoint(folder)
        text = config.schedule or kept.schedule or default_schedule(kept.epochs)
        data = _load_again(config, kept)
        mark = fingerprint(data)
        position = checkpoints.read_position(folder) if saved else _beginning(text, mark)
        check_data(kept.data, config.data, position.data if saved else None, mark)
        history = list(position.schedules)
        if text != history[-1][1]:
            history.append((position.count, text))
        steps = _steps_per_epoch(config, data)
        schedule = schedule_of(history, steps_per_epoch=steps)
        trainer = _make_trainer(config, data, schedule)
        check_epochs(folder, config.epochs, position, trainer.updates_total)
        was = position.schedules[-1][1] if saved else kept.schedule or default_schedule(kept.epochs)
        before = schedule_of(position.schedules if saved else [(0, was)], steps_per_epoch=steps)
        changed = before.to_dict() != schedule.to_dict()
        epochs = Epochs(kept.epochs, config.epochs, trainer.updates_total)
        check_rest(folder, text, schedule, position, epochs, changed=changed)
        if saved:
            items = read_start(folder, position.metrics_bytes)
            state = checkpoints.load_state(folder, position.count, trainer.state)
            trainer.load(
                state,
                count=position.count,
                epoch=position.epoch,
                accuracies=epoch_accuracies(items),
                skipped=position.skipped,
            )
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    if not saved:
        place = "the start, since it has no checkpoint yet"
    else:
        place = f"epoch {position.epoch + 1}" if position.epoch < config.epochs else "the end"
    notes = [f"resumed at count {position.count:,}, {place}"]
    if changed:
        notes.append(f"schedule {was} becomes {schedule!r}: {rate_note(before, schedule, position.count)}")
    if config.epochs != kept.epochs:
        notes.append(f"epochs {kept.epochs} becomes {config.epochs}")
    start = dataclasses.replace(
        position, schedules=tuple(history), resumed=(*position.resumed, position.count), data=mark
    )
    config = dataclasses.replace(config, schedule=text)
    hosts.wait_for_all()  # until all have read what the first is going to write
    return Run(config, data, schedule, trainer, folder, lock, start, tuple(notes))


def _load_again(config: TrainConfig, kept: TrainConfig) -> Dataset:
    try:
        return load_data(config)
    except DataError as error:
        if config.data != kept.data:
            raise
        raise DataError(f"{error}; where the data lie elsewhere now, --data or --data-dir says where") from None


def _hold(folder: Path) -> FolderLock | None:
    """Holds the folder for the run: on the first host."""
    locks: list[FolderLock] = []
    hosts.first_host(lambda: locks.append(FolderLock(folder)))
    return locks[0] if locks else None


def _beginning(schedule: str, data: str) -> Position:
    return Position(0, 0, 0, 0, 0.0, ((0, schedule),), data=data)


def execute(
    run: Run,
    *,
    watch: Callable[[Updates | EpochEnd], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    writers: Sequence[Writer] = (),
) -> dict[str, Any]:
    """Trains, writing each record as it comes, then the summary and the report.

    Args:
      run: what `prepare` or `resume` returned; it can be executed once.
      watch: called with the updates of each chunk and with each epoch's end, for a progress bar.
      stop: asked after each item whether to save and stop.
      writers: as for `train`.

    Returns:
      The summary, as summary.json holds it.

    Raises:
      TrainingDiverged: the loss became NaN or infinite; the folder holds the run up to there.
      Stopped: `stop` said so; the folder holds a checkpoint.
      KeyboardInterrupt: the user stopped the run; the folder holds the run up to there.
      CheckpointError: a checkpoint cannot be written; those before it are whole.
    """
    writes = hosts.is_first()
    if writes:
        # A summary tells of the whole of metrics.jsonl, or is not there.
        for name in ("summary.json", WEIGHTS):
            (run.folder / name).unlink(missing_ok=True)
    tally, failure, item = Tally(), None, None
    clock = Clock(run.trainer, run.start.seconds)
    saving = Saving(run.config, run.trainer, run.folder, run.start, clock)
    with contextlib.ExitStack() as stack:
        if run.lock is not None:
            stack.callback(run.lock.release)
        records = Records(run.folder, run.start, writers=_writers(run, writers)) if writes else NoRecords()
        stack.callback(records.close)
        for item in read_start(run.folder, run.start.metrics_bytes):
            tally.take(item)
        try:
            if run.save_start:
                saving.save(records, None)
                saving.finish()
            if writes:
                write_json(run.folder / "config.json", to_json(run.config))
                begun(run.folder)
            # Nothing is left where the process was killed between the last checkpoint and the summary.
            epochs = run.config.epochs - run.trainer.epoch
            for item in run.trainer.run(epochs, stop_every=saving.updates) if epochs else ():
                tally.take(item)
                records.write(item, images_per_second=run.images_seen(tally) / clock.seconds())
                seen = item.updates if isinstance(item, Chunk) else item
                if watch is not None and np.size(seen.count):
                    watch(seen)
                if hosts.any_host(stop()) and not (isinstance(item, Chunk) and item.diverged):
                    saving.save(records, item)
                    saving.finish()
                    raise Stopped(f"stopped at count {run.trainer.count}")
                if saving.is_due(item):
                    saving.save(records, item)
            if isinstance(item, EpochEnd):
                saving.save_end(records, item)
        except (TrainingDiverged, KeyboardInterrupt, Stopped) as error:
            failure = error
        finally:
            saving.close()
        summary = {**_summarize(run, tally, clock.seconds(), failure), "events_note": records.note}
        if writes:
            if failure is None:
                write_weights(run.folder, run.trainer.state[0], run.trainer.count)
            # The summary comes last: where it is, nothing is missing.
            _draw_report(run.folder / "report.png", run.folder / FILE, summary)
            write_json(run.folder / "summary.json", summary)
    if failure is not None:
        raise failure
    return summary


def _writers(run: Run, others: Sequence[Writer]) -> list[Writer]:
    start = run.start.count if run.start.resumed else None
    own = open_writer(run.config.events, run.folder, to_json(run.config), start=start)
    return [*others] if own is None else [own, *others]


def _steps_per_epoch(config: TrainConfig, data: Dataset) -> float:
    order = BatchOrder(len(data.train), config.batch_size, config.accumulate, config.seed)
    return order.steps_per_epoch(config.epochs)


def _make_trainer(config: TrainConfig, data: Dataset, schedule: Schedule) -> Trainer:
    options = {name: vars(config)[name] for name in inspect.getfullargspec(Trainer).kwonlyargs}
    return Trainer(make_model(config, data), make_optimizer(config, schedule), data, **options)


def _summarize(run: Run, tally: Tally, training_seconds: float, failure: BaseException | None) -> dict[str, Any]:
    """What summary.json holds; the network meets the test images here, after a whole run and never before."""
    config, trainer = run.config, run.trainer
    test_loss = test_accuracy = digest = None
    if failure is None:
        test_loss, test_accuracy = trainer.evaluate(run.data.test)
        digest = parameters_sha256(trainer.parameters)
    return {
        "status": _ENDS.get(type(failure), "interrupted"),
        "failure": None if failure is None else str(failure) or "stopped by the user",
        "test_accuracy": test_accuracy,
        "test_loss": None if test_loss is None else finite(test_loss),
        "data": config.data,
        "split": run.data.split_note,
        "schedule": config.schedule,
        "schedule_in_updates": repr(run.schedule),
        "schedule_changes": [{"count": count, "schedule": text} for count, text in run.start.schedules[1:]],
        "resumed": list(run.start.resumed),
        "optimizer": config.optimizer,
        "batch_size": config.batch_size,
        "accumulate": config.accumulate,
        **tally.entries(),
        **end_entries(run.schedule, tally.updates),
        "horizon_note": horizon_note(
            run.schedule, tally.updates, at_zero=tally.at_zero, an_epoch=trainer.updates_total(1)
        ),
        "seconds": training_seconds,
        "compile_seconds": trainer.compile_seconds,
        "images_per_second": run.images_seen(tally) / training_seconds,
        "parameters": run.parameters,
        "parameters_sha256": digest,
        **machine(trainer.devices),
    }


def _draw_report(path: Path, metrics: Path, summary: Mapping[str, Any]) -> None:
    try:
        records = parse_records(metrics.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{metrics}: changed while the run went on: {error}") from None
    result = summary["failure"] if summary["test_accuracy"] is None else f"test accuracy {summary['test_accuracy']:.4f}"
    figure = plot_run(
        records,
        title=summary["schedule"],
        subtitle=f"{summary['data']} · {summary['optimizer']} · {summary['updates']:,} updates · {result}",
        test_accuracy=summary["test_accuracy"],
    )
    plotting.save_figure(figure, path)
