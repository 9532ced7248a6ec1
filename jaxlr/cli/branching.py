"""`jaxlr sweep --budgets`: one trunk, a cooldown for each budget."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlr.cli.command_lines import train_command
from jaxlr.cli.parsing import CommandError
from jaxlr.cli.search_folder import check_kept, kept_folder
from jaxlr.cli.searching import print_table, searched
from jaxlr.cli.sweep_options import SweepOptions
from jaxlr.cli.writing import say
from jaxlr.schedules import Schedule
from jaxlr.training.loop.hosts import is_first
from jaxlr.training.runs.config import TrainConfig, to_json
from jaxlr.training.runs.folder import write_json

if TYPE_CHECKING:
    from jaxlr.search.branching.parts import PartDone
    from jaxlr.search.branching.run import BranchesResult

_TRUNK = "warmup(constant(0.003), 100)"
_BUDGET = re.compile(r"(\d+)(ep)?")


@dataclass(frozen=True)
class _Branches:
    """Branches that are ready to go."""

    config: TrainConfig
    text: str  # the trunk, as written
    trunk: Schedule
    wanted: list[int]  # updates of each budget
    parts: tuple[Any, ...]  # step, state, score
    folder: Path
    notes: tuple[str, ...]  # what is odd about the images


def run(options: SweepOptions) -> None:
    """Trains the trunk once and each budget's cooldown, and shows their scores."""
    done = searched(options, _prepare, _execute, _write, "finished parts")
    if done is not None:
        _print(*done)


def _prepare(options: SweepOptions, stack: ExitStack) -> _Branches:
    """Checks everything that can be wrong, then makes the folder, which the stack gives back."""
    from jaxlr.schedules import parse as parse_schedule
    from jaxlr.search.branching.parts import plan_of
    from jaxlr.training.runs.starting.assembly import load_data
    from jaxlr.training.runs.starting.rates import check_rates
    from jaxlr.training.searches.branching import make_steps
    from jaxlr.training.searches.sweep import order_of

    assert options.budgets is not None
    task = options.task
    text = _TRUNK if task.schedule is None else task.schedule
    config = TrainConfig(**{**vars(task), "schedule": text, "epochs": 1})
    kept = {**to_json(config), "budgets": options.budgets, "cooldown": options.cooldown}
    check_kept(options.out, kept, "budgets", "branches")
    data = load_data(config)
    order = order_of(config, data)
    wanted = _budgets(options.budgets, order.updates)
    epochs = next(number for number in range(1, 2**31) if order.updates(number) >= max(wanted))
    config = TrainConfig(**{**vars(config), "epochs": epochs})
    trunk = parse_schedule(text, steps_per_epoch=order.steps_per_epoch(epochs))
    plan_of(trunk, wanted, options.cooldown, "1-sqrt", 0.0)  # raises what is wrong before there is a folder
    check_rates(repr(trunk), trunk, 0, max(wanted), instead=None)
    parts = make_steps(config, data)
    folder = stack.enter_context(kept_folder(options.out, kept, f"{Path(config.data).stem}-branches"))
    return _Branches(config, text, trunk, wanted, parts, folder, data.notes)


def _execute(ready: _Branches, options: SweepOptions) -> BranchesResult:
    from jaxlr.search.branching.run import branches
    from jaxlr.training.network.convolution import compiler_options

    config, folder = ready.config, ready.folder
    if is_first():
        for note in ready.notes:
            say(note)
        say(f"{config.data}, {config.optimizer}, {ready.text}: budgets {options.budgets} into {folder}/")
    step, state, score = ready.parts
    return branches(
        step,
        state,
        ready.trunk,
        ready.wanted,
        cooldown=options.cooldown,
        score=score,
        strategy=options.strategy,
        folder=folder / "parts",
        over_hosts=options.hosts.several,
        watch=_say if is_first() else None,
        compiler_options=compiler_options(),
    )


def _budgets(text: str, made: Callable[[int], int]) -> list[int]:
    """The updates of each budget: 2ep is two epochs, a bare number updates."""
    found = []
    for word in filter(None, map(str.strip, text.split(","))):
        match = _BUDGET.fullmatch(word)
        if match is None or int(match[1]) < 1:
            raise ValueError(f"--budgets must be lengths such as 2ep,4ep,8ep or 500,1000, got {word!r} in {text!r}")
        found.append(made(int(match[1])) if match[2] else int(match[1]))
    if not found:
        raise ValueError(f"--budgets must be lengths such as 2ep,4ep,8ep, got {text!r}")
    return found


def _say(part: PartDone) -> None:
    accuracy = np.asarray(part.scores["validation_accuracy"])
    before = "  was done before" if part.loaded else ""
    for budget, score in zip(part.budgets, accuracy, strict=True):
        what = f"trunk of {budget:,}" if part.what == "trunk" else f"budget   {budget:,}"
        print(f"{what}  validation {score:.4f}{before}", flush=True)


def _rows(result: BranchesResult) -> list[dict[str, Any]]:
    return [
        {
            "updates": budget,
            "start": result.starts[row],
            "schedule": repr(result.schedules[row]),
            "trunk_accuracy": float(result.trunk_scores["validation_accuracy"][row]),
            **{name: float(values[row]) for name, values in result.scores.items()},
        }
        for row, budget in enumerate(result.budgets)
    ]


def _write(ready: _Branches, result: BranchesResult) -> None:
    from jaxlr import plotting
    from jaxlr.search.sweeps.picture import plot_scores
    from jaxlr.training.runs.records.metrics import finite

    rows = [{name: finite(v) if isinstance(v, float) else v for name, v in row.items()} for row in _rows(result)]
    costs = {"updates": result.updates, "updates_alone": result.updates_alone}
    write_json(ready.folder / "results.json", {**costs, "strategy": result.strategy, "budgets": rows})
    accuracy = np.asarray(result.scores["validation_accuracy"])
    figure = plot_scores(
        {"updates": np.asarray(result.budgets)},
        accuracy,
        best=int(np.nanargmax(np.nan_to_num(accuracy, nan=-1.0))),
        label="validation accuracy",
        title=ready.text,
        subtitle=f"{ready.config.data} · {ready.config.optimizer} · one trunk, {len(accuracy)} cooldowns",
    )
    plotting.save_figure(figure, ready.folder / "branches.png")


def _print(ready: _Branches, result: BranchesResult) -> None:
    scores = ("trunk_accuracy", "validation_accuracy", "validation_loss")
    cells = (
        (f"{row['updates']:,}", f"{row['start']:,}", *(f"{row[name]:.4f}" for name in scores)) for row in _rows(result)
    )
    print_table(("updates", "cools from", "trunk", "validation", "loss"), cells)
    done = f"{result.loaded:,} were done before; " if result.loaded else ""
    say(
        f"{result.updates:,} updates instead of {result.updates_alone:,}; {result.strategy}, {result.reason}; "
        f"{done}{result.seconds:.1f} s, of them {result.compile_seconds:.1f} s to compile"
    )
    print(f"files {ready.folder}/")
    last = _rows(result)[-1]
    if math.isnan(last["validation_loss"]):
        raise CommandError("the loss diverged in the longest budget; try a lower rate", code=1)
    print(f"to train the longest alone: {train_command(ready.config, last['schedule'])}")
    print(f"validation accuracy of the longest {last['validation_accuracy']:.4f}", file=sys.stdout)
