"""`jaxlr sweep --budgets`: one trunk, a cooldown for each budget."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from jaxlr.cli import stopping
from jaxlr.cli.hints import train_command
from jaxlr.cli.parsing import CommandError, input_errors
from jaxlr.cli.writing import say
from jaxlr.schedules import updates
from jaxlr.training.runs.config import ScheduledTask, TrainConfig, to_json
from jaxlr.training.runs.folder import FolderLock, begun, check_folder, make_folder, write_json

if TYPE_CHECKING:
    from jaxlr.search.branching.run import BranchesResult, PartDone

_TRUNK = "warmup(constant(0.003), 100)"
_BUDGET = re.compile(r"(\d+)(ep)?")


def run(task: ScheduledTask, budgets: str, cooldown: float, strategy: str, out: Path | None) -> None:
    """Trains the trunk once and each budget's cooldown, and shows their scores."""
    with input_errors(), Console().status("getting ready ..."):
        from jaxlr.schedules import parse as parse_schedule
        from jaxlr.training.runs.starting.assembly import load_data
        from jaxlr.training.searches.branching import make_steps
        from jaxlr.training.searches.sweep import steps_per_epoch

        text = _TRUNK if task.schedule is None else task.schedule
        config = TrainConfig(**{**vars(task), "schedule": text, "epochs": 1})
        kept = {**to_json(config), "budgets": budgets, "cooldown": cooldown}
        if out is not None:
            _check_folder(out, kept)
        data = load_data(config)

        def made(epochs: int) -> int:
            examples = len(data.train.labels)
            return updates(epochs, examples=examples, batch_size=config.batch_size, accumulate=config.accumulate)

        wanted = _budgets(budgets, made)
        epochs = next(number for number in range(1, 2**31) if made(number) >= max(wanted))
        config = TrainConfig(**{**vars(config), "epochs": epochs})
        trunk = parse_schedule(text, steps_per_epoch=steps_per_epoch(config, data))
        step, state, score = make_steps(config, data)
        folder = out
        if folder is None or not (folder / "config.json").exists():
            folder = make_folder(folder, f"{Path(config.data).stem}-branches")
            write_json(folder / "config.json", kept)
            begun(folder)
        lock = FolderLock(folder)
    again = f"the same command with --out {folder} goes on from there"
    stopping.stands(lambda: f"finished parts are in {folder}/, {again}")
    print(f"{config.data}, {config.optimizer}, {text}: budgets {budgets} into {folder}/", flush=True)
    try:
        with input_errors():
            from jaxlr.search.branching.run import branches
            from jaxlr.training.network.convolution import compiler_options

            result = branches(
                step,
                state,
                trunk,
                wanted,
                cooldown=cooldown,
                score=score,
                strategy=strategy,
                folder=folder / "parts",
                watch=_say,
                compiler_options=compiler_options(),
            )
    except KeyboardInterrupt:
        raise CommandError(f"interrupted; finished parts are in {folder}/, {again}", code=130) from None
    finally:
        lock.release()
    _write(result, folder, text, config)
    _print(result, folder, config)


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


def _check_folder(folder: Path, kept: dict[str, Any]) -> None:
    """Lets a folder pass that is new, empty, or holds these very branches."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or "budgets" not in found:
        check_folder(folder)
        return
    for name, value in kept.items():
        if found.get(name) != value:
            raise ValueError(f"out: {folder} holds branches with {name} {found.get(name)!r}, not {value!r}")


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


def _write(result: BranchesResult, folder: Path, text: str, config: TrainConfig) -> None:
    from jaxlr import plotting
    from jaxlr.search.sweeps.picture import plot_scores
    from jaxlr.training.runs.records.summary import finite

    rows = [{name: finite(v) if isinstance(v, float) else v for name, v in row.items()} for row in _rows(result)]
    costs = {"updates": result.updates, "updates_alone": result.updates_alone}
    write_json(folder / "results.json", {**costs, "strategy": result.strategy, "budgets": rows})
    accuracy = np.asarray(result.scores["validation_accuracy"])
    figure = plot_scores(
        {"updates": np.asarray(result.budgets)},
        accuracy,
        best=int(np.nanargmax(np.nan_to_num(accuracy, nan=-1.0))),
        label="validation accuracy",
        title=text,
        subtitle=f"{config.data} · {config.optimizer} · one trunk, {len(accuracy)} cooldowns",
    )
    plotting.save_figure(figure, folder / "branches.png")


def _print(result: BranchesResult, folder: Path, config: TrainConfig) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("updates", "cools from", "trunk", "validation", "loss"):
        table.add_column(name, justify="right")
    for row in _rows(result):
        scores = (f"{row[name]:.4f}" for name in ("trunk_accuracy", "validation_accuracy", "validation_loss"))
        table.add_row(f"{row['updates']:,}", f"{row['start']:,}", *scores)
    console = Console(highlight=False, markup=False)
    console.print()
    console.print(table)
    done = f"{result.loaded:,} were done before; " if result.loaded else ""
    print()
    say(
        f"{result.updates:,} updates instead of {result.updates_alone:,}; {result.strategy}, {result.reason}; "
        f"{done}{result.seconds:.1f} s, of them {result.compile_seconds:.1f} s to compile"
    )
    print(f"files {folder}/")
    last = _rows(result)[-1]
    if math.isnan(last["validation_loss"]):
        raise CommandError("the loss diverged in the longest budget; try a lower rate", code=1)
    print(f"to train the longest alone: {train_command(config, last['schedule'])}")
    print(f"validation accuracy of the longest {last['validation_accuracy']:.4f}", file=sys.stdout)
