"""`jaxlr train`."""

import contextlib
import dataclasses
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console

from jaxlr.cli import stopping
from jaxlr.cli.parsing import CommandError, input_errors, parse
from jaxlr.cli.peers import lost_peers, need_same_options, several
from jaxlr.cli.writing import disk_errors, say
from jaxlr.errors import CheckpointError, NoSuggestion, Stopped, TrainingDiverged
from jaxlr.training.loop.hosts import Hosts, is_first
from jaxlr.training.runs.config import TrainConfig, load_config
from jaxlr.training.runs.folder import check_folder, discard, was_left

if TYPE_CHECKING:
    from jaxlr.training.runs.run import Run

_TESTS = 3  # range tests whose medians count


@dataclass(frozen=True)
class TrainOptions:
    """Train a small convolutional network on real images, and see what the learning rate did.

    Without options it learns the digits in seconds. The run's folder gets config.json, metrics.jsonl, summary.json and
    the picture report.png.
    """

    lr: str | None = None
    """A number is a rate that stays. auto makes a range test first, as `jaxlr find` does, and takes the default
    schedule with the rate that it recommends as its peak; its picture is kept beside the run's. None: --schedule, or
    the default one."""
    resume: Path | None = None
    """Folder of a run to go on with from its last checkpoint, to the same result. Only its epochs and the numbers of
    its schedule may change. None: a new run."""
    from_: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Folder of a run whose last weights to start from, with its options and what is given beside it; the optimizer
    is new and the count 0. None: random weights."""
    out: Path | None = None
    """New or empty folder for the run's files. None: the next free one of runs/digits-1, runs/digits-2, ..."""
    kept: Annotated[Path | None, tyro.conf.arg(name="config")] = None
    """A run's folder, or its config.json, to start from; options given beside it take its place."""
    compile_for: tuple[str, ...] = ()
    """Devices such as v5e:2x4, v6e:2x2, v5p:2x2x1, h100 or h100:8 to compile this run for, without them and without
    running it: prints how long that takes, what it needs of each device, and the largest batch that fits. Exit code 1
    where the run does not fit."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)
    hosts: Annotated[Hosts, tyro.conf.arg(name="")] = field(default_factory=Hosts)


def run(arguments: Sequence[str]) -> None:
    """`jaxlr train`."""
    options = parse("train", TrainOptions, arguments)
    with input_errors():
        options = _with_kept(options, arguments)
        _check_alone(options, arguments)
        options = _with_fixed_rate(options)
        if options.compile_for:
            _compile_for(options)
            return
        with several("train", options.hosts):
            others = {name: vars(options)[name] for name in ("lr", "resume", "from_", "out")}
            need_same_options({**vars(options.config), **others})
            _execute(_prepare(options))


def _compile_for(options: TrainOptions) -> None:
    """Compiles the run for each of the devices and says what it needs of them."""
    from jaxlr.cli.planning import print_plans

    others = {"--lr auto": options.lr, "--resume": options.resume, "--out": options.out}
    for name, value in others.items():
        if value is not None:
            raise ValueError(f"--compile-for runs and writes nothing, leave {name} away")
    print_plans(options.config, options.compile_for)


def _prepare(options: TrainOptions) -> "Run":
    if options.resume is not None:
        stopping.stands(lambda: f"go on with jaxlr train --resume {options.resume}")
    # Flax and the network take seconds: something must move on the terminal before that.
    with input_errors(), lost_peers(), Console().status("getting ready ..."):
        from jaxlr.training.runs.run import prepare, resume

        try:
            if options.resume is not None:
                return resume(options.resume, options.config)
            if options.lr is not None:
                return _with_found_rates(options, options.config)
            return prepare(options.config, out=options.out, weights=options.from_)
        except CheckpointError as error:
            raise CommandError(error, code=1) from None


def _with_kept(options: TrainOptions, arguments: Sequence[str]) -> TrainOptions:
    """The options given, and those that a run has kept where none is given."""
    sources = {
        "--config": options.kept and (options.kept / "config.json" if options.kept.is_dir() else options.kept),
        # Of a folder that was left before it had one, `resume` says what to do.
        "--resume": (options.resume and not was_left(options.resume) and options.resume / "config.json") or None,
        "--from": options.from_ and options.from_ / "config.json",
    }
    given = {name: path for name, path in sources.items() if path is not None}
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} exclude each other")
    if options.resume is not None and options.out is not None:
        raise ValueError("--resume goes on in the run's own folder, leave --out away")
    if not given:
        return options
    (path,) = given.values()
    return parse("train", TrainOptions, arguments, default=TrainOptions(config=load_config(path)))


def _check_alone(options: TrainOptions, arguments: Sequence[str]) -> None:
    """A rate that is found has no other beside it, and is found in one process."""
    if options.lr is None:
        return
    if options.hosts.several and options.lr == "auto":
        raise ValueError("--lr auto runs in one process: make the range test first, with jaxlr find")
    if options.resume is not None:
        raise ValueError("--lr and --resume exclude each other: a resumed run has its rate")
    if any(word.split("=")[0] == "--schedule" for word in arguments):
        raise ValueError("--lr and --schedule exclude each other")


def _with_fixed_rate(options: TrainOptions) -> TrainOptions:
    """The options with the constant schedule that a number for --lr stands for."""
    if options.lr is None or options.lr == "auto":
        return options
    try:
        rate = float(options.lr)
    except ValueError:
        raise ValueError(f"--lr must be a number or auto, got {options.lr!r}") from None
    config = dataclasses.replace(options.config, schedule=f"constant({rate!r})")
    return dataclasses.replace(options, lr=None, config=config)


def _with_found_rates(options: TrainOptions, config: TrainConfig) -> "Run":
    """The run with the schedule that a range test of its network proposes, the test in its folder."""
    from jaxlr.cli.find import answer_line, result_entries, write_result
    from jaxlr.training.runs.run import prepare
    from jaxlr.training.runs.starting.assembly import load_data
    from jaxlr.training.searches.finding import find_rates, initial_network, schedule_of

    if options.out is not None:
        check_folder(options.out)
    data = load_data(config)
    network = initial_network(config, data)
    if options.from_ is not None:
        from jaxlr.training.runs.saving.loading import read_network

        network, _ = read_network(options.from_, network)
    result = find_rates(config, data, seeds=_TESTS, network=network)
    try:
        config = dataclasses.replace(config, schedule=schedule_of(config, result))
    except NoSuggestion as error:
        raise CommandError(f"--lr auto: {error}; give a --schedule", code=1) from None
    run = prepare(config, out=options.out, weights=options.from_)
    with disk_errors(lambda: _after(run.folder)):
        write_result(run.folder, config, result, result_entries(config, result))
    note = f"range test: {answer_line(result)} ({run.folder}/range_test.png)"
    return dataclasses.replace(run, notes=(note, *run.notes))


def _go_on(folder: Path) -> str:
    return f"go on with jaxlr train --resume {folder}"


def _after(folder: Path) -> str:
    """How to go on from a folder, which is taken away where nothing has begun in it."""
    return "the same command starts it again" if discard(folder) else _go_on(folder)


def _execute(run: "Run") -> None:
    from jaxlr.training.runs.run import execute
    from jaxlr.training.runs.showing.progress import print_summary, show_progress

    again = _go_on(run.folder)
    stopping.stands(lambda: "nothing has been written" if discard(run.folder) else again)
    progress = show_progress(run.updates, run.config.epochs) if is_first() else contextlib.nullcontext()
    try:
        with lost_peers(), disk_errors(lambda: _after(run.folder)):
            if is_first():
                for note in run.notes:
                    say(note)
                where = f"{run.updates:,} updates into {run.folder}/"
                say(f"{run.config.data}, {run.config.optimizer}, {run.config.schedule}: {where}")
            with progress as watch, stopping.patience() as stop:
                summary = execute(run, watch=watch, stop=stop)
    except TrainingDiverged as error:
        raise CommandError(f"{error}; the run up to there is in {run.folder}/", code=1, by_all=True) from None
    except Stopped as error:
        number = stopping.came() or signal.SIGTERM
        by = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        raise CommandError(f"{error} by {by} and saved; {again}", code=128 + number, by_all=True) from None
    except CheckpointError as error:
        raise CommandError(f"{error}; once that is mended, {_after(run.folder)}", code=1) from None
    except BrokenPipeError:  # nobody reads on
        discard(run.folder)
        raise
    except KeyboardInterrupt:
        raise CommandError(f"interrupted; {again}", code=130) from None
    if not is_first():
        return
    if summary["skipped_updates"]:
        print(f"\n{summary['skipped_updates']:,} updates skipped, since their loss or gradient was not finite")
    print_summary(summary, run.folder)
