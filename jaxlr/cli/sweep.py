"""`jaxlr sweep`."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jaxlr.cli import branching
from jaxlr.cli.command_lines import train_command
from jaxlr.cli.parsing import CommandError, parse
from jaxlr.cli.search_folder import check_kept, kept_folder
from jaxlr.cli.searching import print_table, searched
from jaxlr.cli.sweep_options import SweepOptions
from jaxlr.cli.writing import say
from jaxlr.schedules import Schedule
from jaxlr.schedules.leaves import length
from jaxlr.schedules.printing import whole
from jaxlr.training.loop.hosts import is_first
from jaxlr.training.runs.config import TrainConfig, default_schedule, to_json
from jaxlr.training.runs.folder import write_json

if TYPE_CHECKING:
    from jaxlr.search.sweeps.run import GroupDone, SweepResult

SCORE = "validation_accuracy"
_DEFAULT_VARIATION = ("max_lr", "logspace(0.001, 1, 10)")


@dataclass(frozen=True)
class _Sweep:
    """A sweep that is ready to go."""

    config: TrainConfig
    text: str  # the schedule, as written
    schedules: list[Schedule]
    train_fn: Callable[[Schedule], dict[str, Any]]
    folder: Path
    notes: tuple[str, ...]  # what is odd about the images


def run(arguments: Sequence[str]) -> None:
    """`jaxlr sweep`."""
    options = parse("sweep", SweepOptions, arguments)
    if options.budgets is not None:
        if options.vary or options.group_size is not None:
            raise CommandError("--budgets goes without --vary and --group-size: its members differ in their length")
        branching.run(options)
        return
    done = searched(options, _prepare, _execute, _write_results, "finished groups")
    if done is not None:
        _print_results(*done)


def _prepare(options: SweepOptions, stack: ExitStack) -> _Sweep:
    """Checks everything that can be wrong, then makes the folder, which the stack gives back."""
    from jaxlr.search.sweeps.variations import variations
    from jaxlr.training.runs.starting.assembly import load_data
    from jaxlr.training.runs.starting.rates import check_rates
    from jaxlr.training.searches.sweep import make_training, order_of

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
    check_kept(options.out, kept, "vary", "a sweep")
    data = load_data(config)
    order = order_of(config, data)
    schedules = _variations(variations, text, numbers, order.steps_per_epoch(config.epochs))
    made = order.updates(config.epochs)
    for schedule in schedules:
        check_rates(repr(schedule), schedule, 0, made, instead=None)  # a rate of 0 is something to compare with
    train_fn = make_training(config, data)
    folder = stack.enter_context(kept_folder(options.out, kept, f"{Path(config.data).stem}-sweep"))
    return _Sweep(config, text, schedules, train_fn, folder, data.notes)


def _variations(
    variations: Callable[..., list[Schedule]], text: str, numbers: Sequence[tuple[str, str]], steps: float
) -> list[Schedule]:
    from jaxlr.schedules import parse as parse_schedule

    try:
        return variations(parse_schedule(text, steps_per_epoch=steps), numbers, steps_per_epoch=steps)
    except (TypeError, ValueError) as error:
        raise ValueError(error if str(error).startswith("schedule ") else f"--vary: {error}") from None


def _execute(sweep: _Sweep, options: SweepOptions) -> "SweepResult":
    from jaxlr.search.sweeps.run import sweep as run_sweep
    from jaxlr.training.network.convolution import compiler_options

    config, members = sweep.config, len(sweep.schedules)
    if is_first():
        for note in sweep.notes:
            say(note)
        epochs = "1 epoch" if config.epochs == 1 else f"{config.epochs} epochs"
        what = f"{members} members of {epochs} into {sweep.folder}/"
        say(f"{config.data}, {config.optimizer}, {sweep.text}: {what}")
    with _progress(sweep.schedules) if is_first() else nullcontext() as watch:
        return run_sweep(
            sweep.train_fn,
            sweep.schedules,
            strategy=options.strategy,
            group_size=options.group_size,
            folder=sweep.folder / "groups",
            over_hosts=options.hosts.several,
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
        each = (time.monotonic() - since) / (group.done - done) / jax.process_count()
        return f"  {each * (group.total - group.done):.0f} s left"

    def watch(group: "GroupDone") -> None:
        before = group.done - len(group.members)
        for index, member in enumerate(group.members):
            place = f"{before + index + 1:{len(str(group.total))}}/{group.total}"
            print(f"{place}  {said(member, group, index)}{left(group)}", flush=True)

    yield watch


def _order(result: "SweepResult") -> np.ndarray:
    """The members from best to worst: by validation accuracy, and by validation loss where that is the same."""
    return np.lexsort((result.scores("validation_loss"), -result.scores(SCORE)))


def _write_results(sweep: _Sweep, result: "SweepResult") -> None:
    from jaxlr import plotting
    from jaxlr.search.sweeps.picture import plot_scores
    from jaxlr.training.runs.records.metrics import finite

    order = _order(result)
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


def _print_results(sweep: _Sweep, result: "SweepResult") -> None:
    order = _order(result)
    rows = ([*(f"{each[member]:.4g}" for each in result.varied.values()), *_cells(result, member)] for member in order)
    print_table([*result.varied, "validation", "loss", "train", ""], rows)
    done = f"{result.loaded} were done before; " if result.loaded else ""
    took = f"{result.seconds:.1f} s, of them {result.compile_seconds:.1f} s to compile once"
    say(f"{result.strategies[0]}, {result.reasons[0]}; {done}{took}")
    print(f"files {sweep.folder}/")
    best = order[0]
    score = result.scores(SCORE)[best]
    if math.isnan(score):
        raise CommandError(f"the loss diverged in all {len(order)} members; try lower rates", code=1)
    print(f"to train with it: {train_command(sweep.config, whole(result.schedules[best]))}")
    print(f"best validation accuracy {score:.4f}")


def _cells(result: "SweepResult", member: int) -> list[str]:
    """The figures of one member in the table."""
    if math.isnan(result.scores(SCORE)[member]):
        return ["", "", "", f"diverged at count {result.results['updates'][member]}"]
    return [*(f"{result.scores(name)[member]:.4f}" for name in (SCORE, "validation_loss", "train_accuracy")), ""]
