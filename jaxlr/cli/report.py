"""`jaxlr report`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from jaxlr import plotting
from jaxlr.cli.parsing import input_errors, parse
from jaxlr.training.runs.config import TrainConfig, to_json
from jaxlr.training.runs.showing.comparison import plot_runs
from jaxlr.training.runs.showing.past_runs import PastRun, read_run, split_options

_OF_SEARCHES = ("results.json", "groups")


@dataclass(frozen=True)
class ReportOptions:
    """Compare runs of `jaxlr train` in one picture and one table, the best by validation accuracy first.

    Validation is, here and everywhere, the accuracy on the held-out images after the last epoch: that of the weights
    which the run keeps. The best of all epochs stands beside it in the JSON. A run that still goes on, or was killed,
    is shown up to there.
    """

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DIR...")] = ()
    """The folders of the runs, or one that holds them, such as runs."""
    out: Path = Path("comparison.png")
    """The picture's file: .png, .svg or .pdf."""
    json: bool = False
    """Print the figures as JSON in place of the table."""


def run(arguments: Sequence[str]) -> None:
    """`jaxlr report`."""
    options = parse("report", ReportOptions, arguments)
    with input_errors():
        if not options.folders:
            raise ValueError("give the folder of one run or more, such as runs/digits-1")
        out = plotting.require_format(options.out)
        runs = sorted(map(read_run, _expanded(options.folders)), key=_place)
        common, differing = split_options(runs)
        labels = [f"{each.folder}{_of_end(each)}  {_in_words(own)}" for each, own in zip(runs, differing, strict=True)]
        plotting.save_figure(plot_runs(list(zip(labels, runs, strict=True))), out)
    if options.json:
        entries = [_figures(each) | {"options": own} for each, own in zip(runs, differing, strict=True)]
        print(json.dumps({"picture": str(out), "common_options": common, "runs": entries}, indent=2))
        return
    console = Console(highlight=False, markup=False)
    if told := _told(common):
        console.print(f"{'both' if len(runs) == 2 else 'all'}: {told}\n" if len(runs) > 1 else f"{told}\n")
    console.print(_table(runs, differing, console))
    print(f"\nvalidation: accuracy after the last epoch\n{out}")


def _expanded(folders: Sequence[Path]) -> list[Path]:
    """The folders, in place of one that holds runs those; what `find` and `sweep` have left beside them is left out."""
    found: list[Path] = []
    for folder in folders:
        inside = sorted(folder.glob("*/metrics.jsonl")) if not (folder / "config.json").exists() else []
        found += [path.parent for path in inside] or [folder]
    runs = [folder for folder in found if not any((folder / name).exists() for name in _OF_SEARCHES)]
    return list(dict.fromkeys(runs or found))


def _place(run: PastRun) -> tuple[bool, float]:
    return run.last_validation_accuracy is None, -(run.last_validation_accuracy or 0.0)


def _of_end(run: PastRun) -> str:
    return "" if run.status == "done" else f" ({run.status})"


def _in_words(options: Mapping[str, Any]) -> str:
    """What is particular to a run, for its label: the schedule and the optimizer speak for themselves."""
    words = [
        _text(value) if name in ("schedule", "optimizer") else f"{_spaced(name)} {_text(value)}"
        for name, value in options.items()
    ]
    return ", ".join(words)


def _told(options: Mapping[str, Any]) -> str:
    """The options that all runs share, without those that nobody has set."""
    usual = to_json(TrainConfig())
    always = ("data", "schedule", "optimizer", "epochs", "batch_size")
    return ", ".join(
        f"{_spaced(name)} {_text(value)}" for name, value in options.items() if name in always or value != usual[name]
    )


def _table(runs: Sequence[PastRun], differing: Sequence[Mapping[str, Any]], console: Console) -> Table:
    """A column for each option that differs, or all of them under the run's name where the terminal is too narrow."""
    wide = _make_table(runs, [str(each.folder) for each in runs], differing)
    if Measurement.get(console, console.options.update(max_width=10**6), wide).minimum <= console.width:
        return wide
    names = [f"{each.folder}\n{_in_words(own)}".strip() for each, own in zip(runs, differing, strict=True)]
    return _make_table(runs, names, [{}] * len(runs))


def _make_table(runs: Sequence[PastRun], names: Sequence[str], options: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("run", overflow="fold", min_width=_longest_word(names))
    for option in options[0]:
        words = _longest_word([_spaced(option), *(_text(own[option]) for own in options)])
        table.add_column(_spaced(option), overflow="fold", min_width=words)
    for figure in ("updates", "validation", "test", "images/s"):
        table.add_column(figure, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for each, name, own in zip(runs, names, options, strict=True):
        speed = "" if each.images_per_second is None else f"{each.images_per_second:,.0f}"
        scores = ["" if x is None else f"{x:.4f}" for x in (each.last_validation_accuracy, each.test_accuracy)]
        table.add_row(name, *map(_text, own.values()), f"{len(each.count):,}", *scores, speed, each.status)
    return table


def _longest_word(texts: Sequence[str]) -> int:
    # Broken between its words: a schedule that is cut anywhere is hard to read.
    return min(24, max(len(word) for text in texts for word in text.split()))


def _figures(run: PastRun) -> dict[str, Any]:
    return {
        "folder": str(run.folder),
        "status": run.status,
        "updates": len(run.count),
        "epochs": len(run.epoch_end),
        "validation_accuracy": run.last_validation_accuracy,
        "best_validation_accuracy": run.best_validation_accuracy,
        "test_accuracy": run.test_accuracy,
        "images_per_second": run.images_per_second,
    }


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else "-" if value is None else str(value)
