"""`jaxlr find`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from jaxlr.cli import stopping
from jaxlr.cli.command_lines import train_command
from jaxlr.cli.parsing import CommandError, input_errors, parse
from jaxlr.cli.searching import print_table
from jaxlr.cli.writing import disk_errors, say
from jaxlr.errors import NoSuggestion
from jaxlr.training.runs.config import Task, TrainConfig, shortened, to_json
from jaxlr.training.runs.folder import begun, check_folder, discard, make_folder, write_json

if TYPE_CHECKING:
    from jaxlr.search import RangeTest

_ROWS = 12  # of the curve in the table
_MOST = 10_000  # rates, updates and tests: their batches lie in memory


@dataclass(frozen=True)
class FindOptions:
    """Find the learning rate for the network of `jaxlr train` by a range test: a short training under a rising rate.

    It prints the rate and the command that trains with it, and writes config.json, range_test.json and the picture
    range_test.png. No training is touched; the test images stay unseen.
    """

    mode: Literal["ramp", "constant"] = "ramp"
    """ramp: one update at each rate, from low to high; constant: every rate for some updates from the same weights."""
    start: float = 1e-6
    """The lowest rate."""
    end: float = 10.0
    """The highest rate."""
    steps: int | None = None
    """Rates to try. None: 100 in a ramp, 29 constant ones."""
    hold: int = 20
    """Updates at each constant rate."""
    tests: int = 3
    """Tests with the images in different orders; the medians count, and the spread is told."""
    out: Path | None = None
    """New or empty folder for the files. None: the next free one of runs/digits-find-1, ..."""
    table: bool = False
    """Print the curve and what the rules of others say of it, too."""
    json: bool = False
    """Print the result as JSON, and nothing else."""
    task: Annotated[Task, tyro.conf.arg(name="")] = field(default_factory=Task)


def run(arguments: Sequence[str]) -> None:
    """`jaxlr find`."""
    options = parse("find", FindOptions, arguments)
    console = Console(stderr=options.json, highlight=False, markup=False)
    with input_errors(), console.status("testing learning rates ..."):
        from jaxlr.training.runs.starting.assembly import load_data
        from jaxlr.training.searches.finding import find_rates

        if options.out is not None:
            check_folder(options.out)
        task, data = options.task, load_data(options.task)
        steps = options.steps if options.steps is not None else 100 if options.mode == "ramp" else 29
        for name, value, least in (("steps", steps, 2), ("hold", options.hold, 1), ("tests", options.tests, 1)):
            if not least <= value <= _MOST:
                bound = f"at least {least}" if value < least else f"at most {_MOST:,}"
                raise ValueError(f"{name} must be {bound}, got {shortened(value)}")
        result = find_rates(
            task,
            data,
            mode=options.mode,
            start=options.start,
            end=options.end,
            num_rates=steps,
            hold=options.hold,
            seeds=options.tests,
        )
    config = TrainConfig(**vars(task))
    found = result_entries(config, result)
    _print_result(options, console, config, result, found, data.notes)
    # What was found is told before a disk may be full.
    with input_errors():
        folder = make_folder(options.out, f"{Path(task.data).stem}-find")
    stopping.stands(lambda: _without_files(folder))
    with disk_errors(lambda: _without_files(folder)):
        write_result(folder, config, result, found)
        write_json(folder / "config.json", {**to_json(config), "mode": options.mode, "tests": options.tests})
        begun(folder)
    if result.recommendation is None:
        raise CommandError(f"no recommendation: {result.why} (the curve is in {folder}/)", code=1)
    if not options.json:
        print(f"files {folder}/")


def _without_files(folder: Path) -> str:
    discard(folder)
    return "the same command makes the files"


def _print_result(
    options: FindOptions,
    console: Console,
    config: TrainConfig,
    result: "RangeTest",
    found: dict[str, Any],
    notes: Sequence[str],
) -> None:
    if options.json:
        print(json.dumps(found))
        return
    for note in notes:
        say(note)
    if result.recommendation is None:
        return
    say(answer_line(result))
    print(f"to train with it: {train_command(config, found['schedule'])}")
    if options.table:
        print_table(("learning rate", "loss", "smoothed", "accuracy"), _curve(result))
        console.print(_answers(result, found, options.mode))


def answer_line(result: "RangeTest") -> str:
    """The recommendation, how sure it is, and the largest stable rate, in one line."""
    rate = result.recommendation
    assert rate is not None
    line = f"learning rate {rate:.2g}, constant or as a peak"
    if rate.low < rate.high:
        line += f" (from {rate.low:.2g} to {rate.high:.2g})"
    return line if result.max_stable is None else f"{line}; stable up to {result.max_stable:.2g}"


def result_entries(config: Task, result: "RangeTest") -> dict[str, Any]:
    """What range_test.json holds."""
    from jaxlr.training.searches.finding import schedule_of

    found: dict[str, Any] = {**result.to_dict(), "schedule": None, "refusal": None}
    try:
        found["schedule"] = schedule_of(config, result)
    except NoSuggestion as error:
        found["refusal"] = str(error)
    return found


def write_result(folder: Path, config: Task, result: "RangeTest", found: dict[str, Any]) -> None:
    """Writes range_test.json, which holds what was found, and range_test.png."""
    from jaxlr import plotting

    write_json(folder / "range_test.json", found)
    tested = f"{Path(config.data).stem}, {config.depth} blocks of width {config.width}, {config.optimizer}, "
    plotting.save_figure(result.plot(subtitle=f"{tested}batches of {config.batch_size}"), folder / "range_test.png")


def _curve(result: "RangeTest") -> Iterator[list[str]]:
    """Some points of the curve, evenly apart."""
    points, columns = len(result.learning_rates), (result.losses, result.smoothed, result.metrics)
    for place in sorted({round(row * (points - 1) / (_ROWS - 1)) for row in range(_ROWS)}):
        figures = ("" if column is None else f"{column[place]:.4g}" for column in columns)
        yield [f"{result.learning_rates[place]:.2g}", *figures]


def _answers(result: "RangeTest", found: dict[str, Any], mode: str) -> Table:
    """Every suggestion with its spread, and why the test ended."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _rows(result, found, mode):
        table.add_row(name, text)
    return table


def _rows(result: "RangeTest", found: dict[str, Any], mode: str) -> Iterator[tuple[str, str]]:
    if mode == "constant":
        yield "lowest loss", f"{result.learning_rates[result.losses.argmin()]:.2g}"
    # The rules are made for the curve of a ramp.
    for method, rate in (result.suggestions() if mode == "ramp" else {}).items():
        low, high = result.spread(method)
        yield method, f"{rate:.2g}" + (f"  (from {low:.2g} to {high:.2g})" if low < high else "")
    stable = result.max_stable
    yield "stable up to", "no rate of these" if stable is None else f"{stable:.2g}"
    if found["bounds"] is not None:
        low, high = found["bounds"]
        yield "bounds", f"accuracy starts to rise at {low:.2g} and stops, or the loss turns, at {high:.2g}"
    yield "end", result.stop_reason
