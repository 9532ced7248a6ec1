"""`jaxlr plot`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxlr import plotting
from jaxlr.cli.parsing import input_errors, parse
from jaxlr.schedules import parse as parse_schedule

_IN_EPOCHS = re.compile(r"[\d.]ep\b")


@dataclass(frozen=True)
class PlotOptions:
    """Draw one or several schedules in one picture."""

    schedules: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="TEXT...")] = ()
    """Schedules, each in quotes, such as "warmup(cosine(0.1, 10ep), 1ep)"."""
    steps: int | None = None
    """The last update to draw. None: the end of the longest schedule."""
    steps_per_epoch: int | None = None
    """Updates in an epoch; the picture is then in epochs. None: 100 where a length is in epochs (10ep)."""
    log: bool = False
    """Draw the rate on a logarithmic axis."""
    out: Path = Path("schedules.png")
    """The picture's file: .png, .svg or .pdf."""


def run(arguments: Sequence[str]) -> None:
    """`jaxlr plot`."""
    options = parse("plot", PlotOptions, arguments)
    with input_errors():
        if not options.schedules:
            raise ValueError('give one schedule or more, each in quotes, such as "cosine(0.1, 1000)"')
        out = plotting.require_format(options.out)
        steps_per_epoch = options.steps_per_epoch
        if steps_per_epoch is None and any(map(_IN_EPOCHS.search, options.schedules)):
            steps_per_epoch = 100
        schedules = {text: parse_schedule(text, steps_per_epoch=steps_per_epoch) for text in options.schedules}
        steps = options.steps
        if steps is None:
            steps = max(schedule.span() for schedule in schedules.values())
        figure = plotting.plot_schedules(schedules, steps, log=options.log, steps_per_epoch=steps_per_epoch)
        plotting.save_figure(figure, out)
    print(out)
