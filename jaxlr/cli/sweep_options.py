"""What `jaxlr sweep` is asked for."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxlr.training.loop.hosts import Hosts
from jaxlr.training.runs.config import ScheduledTask


@dataclass(frozen=True)
class SweepOptions:
    """Train the network of `jaxlr train` once for each of many learning rates, in one compiled program.

    Without options it tries ten highest rates of the default schedule on the digits. The table is sorted by validation
    accuracy; the test images stay untouched. The folder gets config.json, results.json, the picture sweep.png and a
    file for each finished group; the same command with the same --out goes on where it was stopped. Several processes
    (--distributed) share the members out.
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
    hosts: Annotated[Hosts, tyro.conf.arg(name="")] = field(default_factory=Hosts)

    @property
    def same_everywhere(self) -> dict[str, Any]:
        """What all processes need alike."""
        return {**vars(self.task), **{name: each for name, each in vars(self).items() if name not in ("task", "hosts")}}
