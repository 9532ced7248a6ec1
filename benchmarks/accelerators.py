"""What jaxlr and Optax are to the compilers of a TPU and a GPU, on a machine that has neither: compiled, never run.

    python benchmarks/accelerators.py [--devices v5e h100] [--arrays resnet50 transformer] [--many]

A step is the optimizer's update under an exponential decay, then `apply_updates`, with donated parameters and state, as
in benchmarks/optimizers.py; gradients are given. jaxlr / Optax in each column:

- trace: seconds until XLA has its program; compile: seconds of the device's compiler, here;
- fusions: kernels of several operations; other: operations outside of them, but for what costs nothing;
- temporaries: memory beside parameters, state and gradients; bytes: read and written for each parameter, where the
  compiler says; optax stands under its `MultiSteps` where jaxlr stands under `accumulate`.

Then the trainer's update, alone and on several devices. --many adds 1,000 arrays of 256 on every device and the CPU.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import jax
import optax
from optimizers import ARRAYS, jaxlr_optimizer, optax_optimizer, shapes_of

import jaxlr
from jaxlr.compiling import Report, TargetError, compile_for
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.planning import plan

STEPS = ("sgd", "adamw", "clip+adamw", "accumulate")
RUNS = {"v5e": ("v5e", "v5e:2x4"), "h100": ("h100", "h100:8")}


def main() -> None:
    options = parse_options()
    print(heading())
    for device in options.devices:
        print(f"\n| {device} | trace, s | compile, s | fusions | other | temporaries, MB | bytes a parameter |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for arrays in options.arrays:
            for name in options.steps:
                print(row(device, arrays, name), flush=True)
        if options.many:
            print(row(device, "small", "adamw"), flush=True)
    print("\n| the trainer (digits) | trace, s | compile, s | fusions | collectives | optimizer state, kB | peak, MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for device in options.devices:
        for target in RUNS.get(device, (device,)):
            for zero in (False, True) if ":" in target else (False,):
                print(row_of_run(target, zero), flush=True)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", nargs="+", default=["v5e", "h100"])
    parser.add_argument("--arrays", nargs="+", choices=ARRAYS, default=["resnet50", "transformer"])
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    parser.add_argument("--many", action="store_true", help="1,000 small arrays too")
    return parser.parse_args()


def heading() -> str:
    """The machine that compiles, and the versions of the compilers."""
    names = ("jax", "jaxlib", "libtpu", "jax-cuda12-plugin", "optax", "flax")
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python "
        f"{platform.python_version()}, {', '.join(found)}; jaxlr / Optax"
    )


def compiled(library: str, device: str, arrays: str, name: str) -> Report:
    """One library's step for one device."""
    inner = "adamw" if name == "accumulate" else name
    optimizer = jaxlr_optimizer(inner) if library == "jaxlr" else optax_optimizer(inner)
    if name == "accumulate":
        optimizer = jaxlr.accumulate(optimizer, 4) if library == "jaxlr" else optax.MultiSteps(optimizer, 4)

    def step(state: Any, gradients: Any) -> Any:
        updates, inner = optimizer.update(gradients, state["optimizer"], state["params"])
        return {"params": optax.apply_updates(state["params"], updates), "optimizer": inner}

    params = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes_of(arrays)]
    return compile_for(device, step, {"params": params, "optimizer": jax.eval_shape(optimizer.init, params)}, params,
                       place=lambda mesh: (everywhere(mesh), everywhere(mesh)))  # fmt: skip


def everywhere(mesh: Any) -> Any:
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())


def row(device: str, arrays: str, name: str) -> str:
    """Both libraries, side by side."""
    title = f"{name}, {arrays} ({len(shapes_of(arrays)):,} arrays)"
    try:
        both = [compiled(library, device, arrays, name) for library in ("jaxlr", "optax")]
    except TargetError as error:
        return f"| {title} | {error} |"
    parameters = sum(math.prod(shape) for shape in shapes_of(arrays))
    columns = [
        [f"{each.trace_seconds:.1f}" for each in both],
        [f"{each.compile_seconds:.1f}" for each in both],
        [f"{each.program.fusions:,}" for each in both],
        [f"{each.program.operations - each.program.fusions:,}" for each in both],
        [f"{each.memory.temporaries / 1e6:.2f}" for each in both],
        [f"{each.bytes_accessed / parameters:.1f}" if each.bytes_accessed else "-" for each in both],
    ]
    return f"| {title} | " + " | ".join(" / ".join(cells) for cells in columns) + " |"


def row_of_run(target: str, zero: bool) -> str:
    """The trainer's update."""
    title = f"{target}{', --zero' * zero}"
    try:
        update = plan(TrainConfig(zero=zero, schedule="constant(0.01)"), target).update
    except TargetError as error:
        return f"| {title} | {error} |"
    exchanged = ", ".join(f"{count} {kind}" for kind, count in update.program.collectives.items()) or "none"
    return (
        f"| {title} | {update.trace_seconds:.1f} | {update.compile_seconds:.1f} | {update.program.fusions} "
        f"| {exchanged} | {update.parts['optimizer state'] / 1e3:.1f} | {update.peak / 1e6:.2f} |"
    )


if __name__ == "__main__":
    main()
