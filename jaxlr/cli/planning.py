"""`jaxlr train --compile-for`: what a run needs of devices that are not there."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence

from jaxlr.cli.parsing import CommandError
from jaxlr.training.runs.config import TrainConfig


def print_plans(config: TrainConfig, names: Sequence[str]) -> None:
    """Compiles a run for each of some devices and prints what it needs of them."""
    _take_no_device(names)
    from jaxlr.compiling.targets import describe
    from jaxlr.training.runs.planning import Plan, plan

    with _without_chatter():
        targets = [describe(name) for name in names]
    refused: list[Plan] = []
    for target in targets:
        needed = plan(config, target, largest=True)
        print(needed, flush=True)
        if not needed.fits:
            refused.append(needed)
    if refused:
        raise CommandError("; ".join(each.verdict for each in refused), code=1)


def _take_no_device(names: Sequence[str]) -> None:
    """Leaves the devices of this machine to others, and makes as many of its CPU as are asked for."""
    import jax

    wanted = [int(found[1]) for name in names if (found := re.fullmatch(r"cpu:([1-9][0-9]{0,2})", name))]
    with contextlib.suppress(RuntimeError):  # it has its devices already
        jax.config.update("jax_platforms", "cpu")
        if wanted:
            jax.config.update("jax_num_cpu_devices", max(wanted))


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """What compilers say of missing drivers while they are loaded goes nowhere: that is what they are here for."""
    try:
        there = os.dup(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):  # no stderr of the system's
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stderr.fileno())
        yield
    finally:
        os.dup2(there, sys.stderr.fileno())
        os.close(there)
        os.close(nowhere)
