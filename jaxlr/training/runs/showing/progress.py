"""What a run says: a line an epoch, on a terminal a live bar beneath, and a table at the end."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from jaxlr.training.loop.items import EpochEnd, Updates
from jaxlr.training.runs.saving.weights import FILE as WEIGHTS

Watch = Callable[[Updates | EpochEnd], None]


@contextmanager
def show_progress(updates: int, epochs: int) -> Iterator[Watch]:
    """Shows a run as it goes: loss, accuracy, rate, the remaining time; gives what to call with each item."""
    if not sys.stdout.isatty():
        yield _one_line_an_epoch(updates, epochs)
        return
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(), expand=True, transient=True) as bar:
        task = bar.add_task("", total=updates, epoch=f"1/{epochs}", figures="compiling ...")
        figures = _Figures()

        def watch(item: Updates | EpochEnd) -> None:
            figures.take(item)
            if isinstance(item, EpochEnd):
                bar.console.print(figures.line(item, epochs), highlight=False, markup=False)
            epoch = f"{min(figures.epochs_done + 1, epochs)}/{epochs}"
            bar.update(task, completed=figures.count, epoch=epoch, figures=figures.short())

        yield watch


def print_summary(summary: Mapping[str, Any], folder: Path) -> None:
    """Prints a run's summary as a table, and the test accuracy as the last line."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(summary):
        table.add_row(name, value)
    table.add_row("files", f"{folder}/")
    table.add_row("weights", f"{folder}/{WEIGHTS}, read with jaxlr.training.load_network({str(folder)!r})")
    # A schedule may hold brackets, which rich would take for its markup.
    console = Console(highlight=False, markup=False)
    console.print()
    console.print(table)
    console.print(f"\ntest accuracy {summary['test_accuracy']:.4f}")


class _Figures:
    """The latest figures of a run."""

    def __init__(self):
        self.count = self.epochs_done = 0
        # A run that was stopped at an epoch's end, before its evaluation, goes on with that: no update comes first.
        self.loss = self.rate = self.accuracy = math.nan
        self._start: tuple[int, float] | None = None

    def take(self, item: Updates | EpochEnd) -> None:
        if isinstance(item, EpochEnd):
            self.epochs_done, self.count, self.accuracy = item.epoch, item.count, item.train_accuracy
        else:
            self.count = int(item.count[-1]) + 1
            # The first updates to come in also took the time to compile.
            self._start = self._start or (self.count, time.monotonic())
            self.loss, self.rate = float(item.loss.mean()), float(item.learning_rate[-1])
            self.accuracy = float(item.accuracy.mean())

    def seconds_left(self, updates: int) -> float:
        if self._start is None or self.count == self._start[0]:
            return math.nan
        return (time.monotonic() - self._start[1]) / (self.count - self._start[0]) * (updates - self.count)

    def short(self) -> str:
        """Loss, accuracy and rate; what is not known is left out."""
        figures = (("loss", self.loss, ".4f"), ("accuracy", self.accuracy, ".3f"), ("rate", self.rate, "#.3g"))
        return "  ".join(f"{name} {value:{form}}" for name, value, form in figures if not math.isnan(value))

    def line(self, end: EpochEnd, epochs: int) -> str:
        """What stays of an epoch."""
        parts = (f"epoch {end.epoch:{len(str(epochs))}}/{epochs}", self.short())
        return "  ".join(filter(None, (*parts, f"validation {end.validation_accuracy:.3f}")))


def _one_line_an_epoch(updates: int, epochs: int) -> Watch:
    figures = _Figures()

    def watch(item: Updates | EpochEnd) -> None:
        figures.take(item)
        if isinstance(item, EpochEnd):
            left = figures.seconds_left(updates)
            rest = [] if math.isnan(left) else [f"{left:.0f} s left"]
            print("  ".join([figures.line(item, epochs), *rest]), flush=True)

    return watch


def _rows(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    accumulated = f", {summary['accumulate']} batches in each" if summary["accumulate"] > 1 else ""
    rates = "first {:.4g}, highest {:.4g}, last {:.4g}, then {:.4g}"
    yield "data", f"{summary['data']}: {summary['split']}"
    yield "network", f"{summary['parameters']:,} parameters"
    yield "schedule", summary["schedule"]
    yield "optimizer", summary["optimizer"]
    epochs = f"{summary['epochs']} epoch{'s' if summary['epochs'] > 1 else ''}"
    yield "updates", f"{summary['updates']:,} in {epochs}, batches of {summary['batch_size']}{accumulated}"
    figures = (summary[f"learning_rate_{which}"] for which in ("first", "highest", "last", "end"))
    yield "rate", rates.format(*(math.nan if figure is None else figure for figure in figures))
    if summary["cycle_note"]:
        yield "cycle", summary["cycle_note"]
    if summary["horizon_note"]:
        yield "horizon", summary["horizon_note"]
    if summary.get("events_note"):
        yield "events", summary["events_note"]
    yield "time", f"{summary['seconds']:.1f} s, and {summary['compile_seconds']:.1f} s to compile"
    device = summary["device"]
    where = device["kind"] if device["used"] == 1 else f"{device['used']} x {device['kind']}"
    yield "speed", f"{summary['images_per_second']:,.0f} images/s on {where}"
    names = ("train_accuracy", "validation_accuracy", "best_validation_accuracy")
    train, last, best = (math.nan if summary[name] is None else summary[name] for name in names)
    yield "accuracy", f"train {train:.4f}, validation {last:.4f} (best {best:.4f} in epoch {summary['best_epoch']})"
