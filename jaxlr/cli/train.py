"""`jaxlr train`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from jaxlr.cli.parsing import CommandError, input_errors, parse
from jaxlr.training.config import TrainConfig, load_config

if TYPE_CHECKING:
    from jaxlr.training.run import Run


@dataclass(frozen=True)
class TrainOptions(TrainConfig):
    """Train a small convolutional network on real images, and see what the learning rate did.

    Without options it learns the digits in seconds. The run's folder gets config.json, metrics.jsonl, summary.json and
    the picture report.png.
    """

    out: Path | None = None
    """New or empty folder for the run's files. None: the next free one of runs/digits-1, runs/digits-2, ..."""
    config: Path | None = None
    """A run's config.json to start from; options given beside it take its place."""


def run(arguments: Sequence[str]) -> None:
    """`jaxlr train`."""
    options = parse("train", TrainOptions, arguments)
    with input_errors():
        if options.config is not None:
            kept = TrainOptions(**vars(load_config(options.config)))
            options = parse("train", TrainOptions, arguments, default=kept)
        config = TrainConfig(**{field.name: getattr(options, field.name) for field in dataclasses.fields(TrainConfig)})
        # Flax and the network take seconds: something must move on the terminal before that.
        with Console().status("getting ready ..."):
            from jaxlr.training.run import prepare

            prepared = prepare(config, out=options.out)
    _execute(prepared)


def _execute(run: "Run") -> None:
    from jaxlr.training.loop import TrainingDiverged
    from jaxlr.training.progress import print_summary, show_progress
    from jaxlr.training.run import execute

    config = run.config
    print(
        f"{config.data}, {config.optimizer}, {config.schedule}: {run.updates:,} updates into {run.folder}/", flush=True
    )
    try:
        with show_progress(run.updates, config.epochs) as watch:
            summary = execute(run, watch=watch)
    except TrainingDiverged as error:
        raise CommandError(f"{error}; the run up to there is in {run.folder}/", code=1) from None
    except OSError as error:
        raise CommandError(error, code=1) from None
    except KeyboardInterrupt:
        raise CommandError(f"interrupted; the run up to there is in {run.folder}/", code=130) from None
    print_summary(summary, run.folder)
