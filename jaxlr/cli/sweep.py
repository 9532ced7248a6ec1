"""`jaxlr sweep`."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from jaxlr.cli import branching, stopping
from jaxlr.cli.hints import train_command
from jaxlr.cli.parsing import CommandError, input_errors, parse
from jaxlr.cli.writing import disk_errors, say
from jaxlr.schedules import Schedule, updates
from jaxlr.schedules.leaves import length
from jaxlr.schedules.printing import whole
from jaxlr.training.runs.config import ScheduledTask, TrainConfig, default_schedule, shortened, to_json
from jaxlr.training.runs.folder import FolderLock, begun, check_folder, discard, make_folder, write_json
from jaxlr.training.runs.records.schema import read_json

if TYPE_CHECKING:
    from jaxlr.search.sweeps.run import GroupDone, SweepResult

SCORE = "validation_accuracy"
_DEFAULT_VARIATION = ("max_lr", "logspace(0.001, 1, 10)")


@dataclass(frozen=True)
class SweepOptions:
    """Train the network of `jaxlr train` once for each of many learning rates, in one compiled program.

    Without options it tries ten highest rates of the default schedule on the digits. The table is sorted by validation
    accuracy; the test images stay untouched. The folder gets config.json, results.json, the picture sweep.png and a
    file for each finished group; the same command with the same --out goes on where it was stopped.
    """

    vary: Annotated[
        tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME VALUES...")
    ] = ()
    """A number of the schedule and its values: `--vary max_lr 0.003 0.01 0.03`, a range with both ends as
    `--vary max_lr "logspace(0.001, 1, 10)"` or "linspace(0.1, 0.5, 5)", a length as `--vary step_size 1ep 2ep`. Given
    several times, every combination is tried. None: max_lr from 0.001 to 1 in the default schedule."""
    strategy: Literal["auto", "vmap", "map"] = "auto"
    """vmap trains the members of a group at once, map one after the other; auto takes what is fast on the device."""
    group_size: int | None = None
    """Members in one call of the program, kept together when they are done. None: 16 a device with vmap, 1 with map."""
    budgets: str | None = None
    """Lengths of training, such as `--budgets 2ep,4ep,8ep`, in place of --vary: the schedule (a constant rate after a
    warm-up, if none is given) is trained once as a trunk, and each budget cools down from there."""
    cooldown: float = 0.2
    """Share of each of the --budgets that cools down to 0, as 1 - sqrt."""
    out: Path | None = None
    """New or empty folder, or one of a sweep to go on with. None: the next free one of runs/digits-sweep-1, ..."""
    task: Annotated[ScheduledTask, tyro.conf.arg(name="")] = field(default_factory=ScheduledTask)


@dataclass(frozen=True)
class _Sweep:
    """A sweep that is ready to go."""

    config: TrainConfig
    text: str  # the schedule, as written
    schedules: list[Schedule]
    train_fn: Callable[[Schedule], dict[str, Any]]
    folder: Path
    lock: FolderLock
    notes: tuple[str, ...]  # what is odd about the images


def run(arguments: Sequence[str]) -> None:
    """`jaxlr sweep`."""
    options = parse("sweep", SweepOptions, arguments)
    if options.budgets is not None:
        if options.vary or options.group_size is not None:
            raise CommandError("--budgets goes without --vary and --group-size: its members differ in their length")
        branching.run(options.task, options.budgets, options.cooldown, options.strategy, options.out)
        return
    with input_errors(), Console().status("getting ready ..."):
        sweep = _prepare(options)
    try:
        _run(sweep, options)
    finally:
        sweep.lock.release()  # a frame that matplotlib keeps may hold it until the next garbage collection


def _run(sweep: _Sweep, options: SweepOptions) -> None:
    again = f"the same command with --out {sweep.folder} goes on from there"
    stopping.stands(lambda: f"finished groups are in {sweep.folder}/, {again}")
    try:
        with disk_errors(lambda: again), input_errors(of_files=False):
            result = _execute(sweep, options)
    except KeyboardInterrupt:
        raise CommandError(f"interrupted; finished groups are in {sweep.folder}/, {again}", code=130) from None
    order = _order(result)
    with disk_errors(lambda: again):
        _write_results(sweep, result, order)
    _print_results(sweep, result, order)


def _prepare(options: SweepOptions) -> _Sweep:
    """Checks everything that can be wrong, then makes the folder."""
    from jaxlr.search.sweeps.variations import variations
    from jaxlr.training.runs.starting.assembly import load_data
    from jaxlr.training.runs.starting.rates import check_rates
    from jaxlr.training.searches.sweep import make_training, steps_per_epoch

    task = options.task
    if task.schedule is not None and not options.vary:
        raise ValueError(
            '--schedule needs --vary: name one of its numbers, such as --vary max_lr "logspace(0.001, 1, 10)"'
        )
    if options.group_size is not None:
        length("group_size", options.group_size)
    text = default_schedule(task.epochs) if task.schedule is None else task.schedule
    numbers = [(words[0], " ".join(words[1:])) for words in options.vary if words] or [_DEFAULT_VARIATION]
    config = TrainConfig(**{**vars(task), "schedule": text})
    kept = {**to_json(config), "vary": [list(pair) for pair in numbers]}
    if options.out is not None:
        _check_folder(options.out, kept)
    data = load_data(config)
    schedules = _variations(variations, text, numbers, steps_per_epoch(config, data))
    made = updates(
        config.epochs,
        examples=len(data.train.labels),
        batch_size=config.batch_size,
        accumulate=config.accumulate,
    )
    for schedule in schedules:
        check_rates(repr(schedule), schedule, 0, made, instead=None)  # a rate of 0 is something to compare with
    train_fn = make_training(config, data)
    folder = options.out
    if folder is None or not (folder / "config.json").exists():
        folder = make_folder(folder, f"{Path(config.data).stem}-sweep")
        with disk_errors(lambda: _without(folder)):
            write_json(folder / "config.json", kept)
            begun(folder)
    return _Sweep(config, text, schedules, train_fn, folder, FolderLock(folder), data.notes)


def _without(folder: Path) -> str:
    discard(folder)
    return "the same command starts again"


def _variations(
    variations: Callable[..., list[Schedule]], text: str, numbers: Sequence[tuple[str, str]], steps: float
) -> list[Schedule]:
    from jaxlr.schedules import parse as parse_schedule

    try:
        return variations(parse_schedule(text, steps_per_epoch=steps), numbers, steps_per_epoch=steps)
    except (TypeError, ValueError) as error:
        raise ValueError(error if str(error).startswith("schedule ") else f"--vary: {error}") from None


def _check_folder(folder: Path, kept: dict[str, Any]) -> None:
    """Lets a folder pass that is new, empty, or holds this very sweep."""
    path, found = folder / "config.json", None
    if path.exists():
        try:
            found = read_json(path)
        except ValueError as error:
            raise ValueError(f"out: {path}: {error}") from None
    if not isinstance(found, dict) or "vary" not in found:
        check_folder(folder)
        return
    for name, value in kept.items():
        if found.get(name) != value:
            there, given = shortened(found.get(name)), shortened(value)
            raise ValueError(f"out: {folder} holds a sweep with {name} {there}, not {given}")


def _execute(sweep: _Sweep, options: SweepOptions) -> "SweepResult":
    from jaxlr.search.sweeps.run import sweep as run_sweep
    from jaxlr.training.network.convolution import compiler_options

    config, members = sweep.config, len(sweep.schedules)
    for note in sweep.notes:
        say(note)
    epochs = "1 epoch" if config.epochs == 1 else f"{config.epochs} epochs"
    what = f"{members} members of {epochs} into {sweep.folder}/"
    say(f"{config.data}, {config.optimizer}, {sweep.text}: {what}")
    with _progress(sweep.schedules) as watch:
        return run_sweep(
            sweep.train_fn,
            sweep.schedules,
            strategy=options.strategy,
            group_size=options.group_size,
            folder=sweep.folder / "groups",
            compiler_options=compiler_options(),
            watch=watch,
        )


@contextmanager
def _progress(schedules: Sequence[Schedule]) -> Iterator[Callable[["GroupDone"], None]]:
    """A bar on a terminal, elsewhere a line a member."""
    from jaxlr.search.sweeps.numbers import numbers_of

    rows = [numbers_of(schedule) for schedule in schedules]
    varied = [name for name in rows[0] if any(row[name] != rows[0][name] for row in rows)]

    def said(member: int, group: "GroupDone", index: int) -> str:
        numbers = "  ".join(f"{name} {rows[member][name]:.4g}" for name in varied)
        score = group.results[SCORE][index]
        return f"{numbers}  {'diverged' if math.isnan(score) else f'validation {score:.4f}'}"

    if sys.stdout.isatty():
        columns = (TextColumn("{task.completed}/{task.total}"), BarColumn(), TextColumn("{task.description}"))
        with Progress(*columns, TimeRemainingColumn(), console=Console(), expand=True, transient=True) as bar:
            task = bar.add_task("compiling ...", total=len(schedules))
            yield lambda group: bar.update(task, completed=group.done, description=said(group.members[-1], group, -1))
        return

    first: list[tuple[int, float]] = []  # members done, and when: the first group also took the time to compile

    def left(group: "GroupDone") -> str:
        if group.loaded:
            return "  was done before"
        first.append((group.done, time.monotonic()))
        done, since = first[0]
        if group.done == done:
            return ""
        return f"  {(time.monotonic() - since) / (group.done - done) * (group.total - group.done):.0f} s left"

    def watch(group: "GroupDone") -> None:
        before = group.done - len(group.members)
        for index, member in enumerate(group.members):
            place = f"{before + index + 1:{len(str(group.total))}}/{group.total}"
            print(f"{place}  {said(member, group, index)}{left(group)}", flush=True)

    yield watch


def _order(result: "SweepResult") -> np.ndarray:
    """The members from best to worst: by validation accuracy, and by validation loss where that is the same."""
    return np.lexsort((result.scores("validation_loss"), -result.scores(SCORE)))


def _write_results(sweep: _Sweep, result: "SweepResult", order: np.ndarray) -> None:
    from jaxlr import plotting
    from jaxlr.search.sweeps.picture import plot_scores
    from jaxlr.training.runs.records.summary import finite

    names = (SCORE, "validation_loss", "best_validation_accuracy", "train_loss", "train_accuracy", "updates")
    columns = {name: result.scores(name) for name in names}
    rows = [
        {
            "schedule": whole(result.schedules[member]),
            **{name: values[member].item() for name, values in result.varied.items()},
            **{name: finite(values[member]) for name, values in columns.items()},
        }
        for member in order
    ]
    write_json(sweep.folder / "results.json", {"strategy": result.strategies[0], "members": rows})
    best = order[0]
    figure = plot_scores(
        result.varied or result.numbers,
        columns[SCORE],
        best=best,
        label="validation accuracy",
        losses=columns["validation_loss"],
        title=sweep.text,
        subtitle=f"{sweep.config.data} · {sweep.config.optimizer} · {sweep.config.epochs} epochs · "
        f"{len(order)} members",
    )
    plotting.save_figure(figure, sweep.folder / "sweep.png")


def _print_results(sweep: _Sweep, result: "SweepResult", order: np.ndarray) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in (*result.varied, "validation", "loss", "train"):
        table.add_column(name, justify="right")
    table.add_column()
    for member in order:
        table.add_row(*(f"{values[member]:.4g}" for values in result.varied.values()), *_cells(result, member))
    console = Console(highlight=False, markup=False)
    console.print()
    console.print(table)
    done = f"{result.loaded} were done before; " if result.loaded else ""
    print()
    took = f"{result.seconds:.1f} s, of them {result.compile_seconds:.1f} s to compile once"
    say(f"{result.strategies[0]}, {result.reasons[0]}; {done}{took}")
    print(f"files {sweep.folder}/")
    best = order[0]
    score = result.scores(SCORE)[best]
    if math.isnan(score):
        raise CommandError(f"the loss diverged in all {len(order)} members; try lower rates", code=1)
    print(f"to train with it: {train_command(sweep.config, whole(result.schedules[best]))}")
    print(f"best validation accuracy {score:.4f}")


def _cells(result: "SweepResult", member: int) -> Iterator[str]:
    """The figures of one member in the table."""
    score = result.scores(SCORE)[member]
    if math.isnan(score):
        yield from ("", "", "", f"diverged at count {result.results['updates'][member]}")
        return
    yield f"{score:.4f}"
    yield f"{result.scores('validation_loss')[member]:.4f}"
    yield f"{result.scores('train_accuracy')[member]:.4f}"
    yield ""
