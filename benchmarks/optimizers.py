"""Step time, compile time and temporary memory of jaxlr's optimizers, against optax, torch and the memory's bandwidth.

    python benchmarks/optimizers.py [--torch-python PYTHON] [--rounds 15] [--arrays one resnet50 small]

A step is jitted, with donated parameters and state: the optimizer's update under a schedule, then `apply_updates`.
Gradients are given, so nothing else is measured.

- one: one array of 25 million numbers; resnet50: ResNet-50's 161 arrays; transformer: the 292 arrays of 24 layers, 304
  million numbers; small: 1,000 arrays of 256; few: 8 arrays of 256, to try the script.
- MultiSteps: both under `optax.MultiSteps`, the two micro-steps of one update; accumulate: jaxlr under its own
  `accumulate`, optax under its `MultiSteps`.
- stream: the time that `p += g` takes for as many bytes as the step must at least read and write.
- torch: fused and foreach, eager, in a process of its own, which may have another Python; on its GPU where it has one.

All contenders of a row take turns, round by round, and medians count.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import geometric_mean, median
from typing import Any

ARRAYS = ("one", "resnet50", "small", "transformer", "few")
USUAL = ("one", "resnet50", "small")
OPTIMIZERS = ("sgd", "rmsprop", "adamw", "clip+adamw")
WRAPPERS = ("plain", "MultiSteps", "accumulate")
BYTES = {"sgd": 20, "rmsprop": 20, "adamw": 28, "clip+adamw": 32}  # a parameter, at least: float32 in and out
RATE, DECAY = 1e-3, 1e-4


def shapes_of(name: str) -> list[tuple[int, ...]]:
    """The shapes of the parameters."""
    if name == "one":
        return [(25_000_000,)]
    if name == "small":
        return [(256,)] * 1000
    if name == "few":
        return [(256,)] * 8
    return list(_transformer() if name == "transformer" else _resnet50())


def _transformer(width: int = 1024, layers: int = 24, words: int = 1000) -> Iterator[tuple[int, ...]]:
    """As GPT-2 medium has them, but for a small vocabulary."""
    yield from [(words, width), (1024, width)]
    for _ in range(layers):
        yield from [(width,), (width,), (width, 3 * width), (3 * width,), (width, width), (width,)]
        yield from [(width,), (width,), (width, 4 * width), (4 * width,), (4 * width, width), (width,)]
    yield from [(width,), (width,)]


def _resnet50() -> Iterator[tuple[int, ...]]:
    def convolution(size: int, inputs: int, outputs: int) -> Iterator[tuple[int, ...]]:
        yield from [(size, size, inputs, outputs), (outputs,), (outputs,)]

    yield from convolution(7, 3, 64)
    inputs = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            yield from convolution(1, inputs, width)
            yield from convolution(3, width, width)
            yield from convolution(1, width, 4 * width)
            if block == 0:
                yield from convolution(1, inputs, 4 * width)
            inputs = 4 * width
    yield from [(2048, 1000), (1000,)]


@dataclasses.dataclass
class Contender:
    """One compiled step that is run again and again."""

    run: Callable[[], None]
    compile_seconds: float = math.nan
    temporary_bytes: float = math.nan
    seconds: list[float] = dataclasses.field(default_factory=list)

    def time(self) -> None:
        """Runs it once and notes the seconds."""
        start = time.perf_counter()
        self.run()
        self.seconds.append(time.perf_counter() - start)

    @property
    def milliseconds(self) -> float:
        """The median."""
        return 1e3 * median(self.seconds)


def main() -> None:
    options = parse_options()
    if options.torch_contender:
        run_torch(options)
        return
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}")
    print(
        "arrays    optimizer   wrapper     jaxlr ms  optax ms  ratio  stream ms  / stream"
        "  compile s        temporary MB"
    )
    rows = []
    for arrays in options.arrays:
        for optimizer in options.optimizers:
            for wrapper in options.wrappers:
                rows.append(measure(arrays, optimizer, wrapper, options.rounds))
                print_row(rows[-1])
    print_summary(rows)
    if options.torch_python:
        subprocess.run([options.torch_python, __file__, "--torch-contender", *sys.argv[1:]], check=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)


def machine() -> str:
    """What the steps run on."""
    import jax

    device = jax.devices()[0]
    if device.platform != "cpu":
        return device.device_kind
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", nargs="+", choices=ARRAYS, default=USUAL)
    parser.add_argument("--optimizers", nargs="+", choices=OPTIMIZERS, default=OPTIMIZERS)
    parser.add_argument("--wrappers", nargs="+", choices=WRAPPERS, default=WRAPPERS)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", help="write the rows to this file")
    parser.add_argument("--torch-python", help="a Python that has torch: measure it too")
    parser.add_argument("--torch-contender", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(arrays: str, optimizer: str, wrapper: str, rounds: int) -> dict[str, Any]:
    """One row: both libraries and the stream, in turns."""
    contenders = {
        "jaxlr": compile_step(jaxlr_optimizer(optimizer), arrays, wrapper),
        "optax": compile_step(optax_optimizer(optimizer), arrays, wrapper.replace("accumulate", "MultiSteps")),
        "stream": compile_stream(arrays),
    }
    order = list(contenders.values())
    for _ in range(rounds):
        for contender in order:
            contender.time()
        order.reverse()
    jaxlr, optax, stream = contenders.values()
    return {
        "arrays": arrays,
        "optimizer": optimizer,
        "wrapper": wrapper,
        "jaxlr_ms": jaxlr.milliseconds,
        "optax_ms": optax.milliseconds,
        "ratio": median(o / j for o, j in zip(optax.seconds, jaxlr.seconds, strict=True)),
        "stream_ms": stream.milliseconds * BYTES[optimizer] / 12,
        "jaxlr_compile_s": jaxlr.compile_seconds,
        "optax_compile_s": optax.compile_seconds,
        "jaxlr_temporary_mb": jaxlr.temporary_bytes / 1e6,
        "optax_temporary_mb": optax.temporary_bytes / 1e6,
    }


def schedule(count: Any) -> Any:
    """An exponential decay, for every contender."""
    import jax.numpy as jnp

    return RATE * jnp.exp(-DECAY * count.astype(jnp.float32))


def jaxlr_optimizer(name: str) -> Any:
    import optax

    import jaxlr

    if name == "sgd":
        return jaxlr.sgd(schedule, momentum=0.9)
    if name == "rmsprop":
        return jaxlr.rmsprop(schedule)
    if name == "adamw":
        return jaxlr.adamw(schedule)
    return optax.chain(jaxlr.clip_by_global_norm(1.0), jaxlr.adamw(schedule))


def optax_optimizer(name: str) -> Any:
    import optax

    if name == "sgd":
        return optax.sgd(schedule, momentum=0.9)
    if name == "rmsprop":
        return optax.rmsprop(schedule, decay=0.99, eps_in_sqrt=False)
    if name == "adamw":
        return optax.adamw(schedule, weight_decay=0.01)
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.01))


def compile_step(optimizer: Any, arrays: str, wrapper: str) -> Contender:
    """A step on fresh arrays; its gradients are large enough to be clipped."""
    import jax
    import jax.numpy as jnp
    import optax

    from jaxlr.transforms import accumulate

    optimizer = {
        "plain": lambda: optimizer,
        "MultiSteps": lambda: optax.MultiSteps(optimizer, 2),
        "accumulate": lambda: accumulate(optimizer, 2),
    }[wrapper]()
    micro_steps = 1 if wrapper == "plain" else 2

    def step(params: Any, state: Any, gradients: Any) -> Any:
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    params = [jnp.full(shape, 0.5) for shape in shapes_of(arrays)]
    gradients = [jnp.full(shape, 0.1) for shape in shapes_of(arrays)]
    held = [params, optimizer.init(params)]
    start = time.perf_counter()
    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(*held, gradients).compile()
    seconds = time.perf_counter() - start

    def run() -> None:
        for _ in range(micro_steps):
            held[:] = compiled(*held, gradients)
        jax.block_until_ready(held)

    run()
    return Contender(run, seconds, compiled.memory_analysis().temp_size_in_bytes)


def compile_stream(arrays: str) -> Contender:
    """`p += g`: 12 bytes a parameter."""
    import jax
    import jax.numpy as jnp

    held = [jnp.full(shape, 0.5) for shape in shapes_of(arrays)]
    gradients = [jnp.full(shape, 0.1) for shape in shapes_of(arrays)]
    add = jax.jit(lambda params, gradients: jax.tree.map(jnp.add, params, gradients), donate_argnums=0)

    def run() -> None:
        held[:] = add(held, gradients)
        jax.block_until_ready(held)

    run()
    return Contender(run)


def print_row(row: dict[str, Any]) -> None:
    compiled = f"{row['jaxlr_compile_s']:.1f} / {row['optax_compile_s']:.1f}"
    temporary = f"{row['jaxlr_temporary_mb']:.2f} / {row['optax_temporary_mb']:.2f}"
    against = row["jaxlr_ms"] / row["stream_ms"]
    print(
        f"{row['arrays']:<9} {row['optimizer']:<11} {row['wrapper']:<10}  {row['jaxlr_ms']:8.2f}"
        f"  {row['optax_ms']:8.2f}  {row['ratio']:5.2f}  {row['stream_ms']:9.2f}  {against:8.2f}"
        f"  {compiled:<15}  {temporary}",
        flush=True,
    )


def print_summary(rows: list[dict[str, Any]]) -> None:
    ratios = [row["ratio"] for row in rows]
    print(f"optax / jaxlr: geometric mean {geometric_mean(ratios):.2f}, least {min(ratios):.2f}")
    own = [row["jaxlr_temporary_mb"] for row in rows if row["wrapper"] != "MultiSteps"]
    print(f"largest temporary of jaxlr outside optax.MultiSteps: {max(own, default=math.nan):.2f} MB")


def run_torch(options: argparse.Namespace) -> None:
    """Torch's fused and foreach step with a rate that changes at each."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    print(f"torch {torch.__version__}, {where}")
    for arrays in options.arrays:
        for optimizer in options.optimizers:
            contenders = {kind: torch_step(optimizer, arrays, kind) for kind in ("fused", "foreach")}
            contenders = {kind: contender for kind, contender in contenders.items() if contender}
            for _ in range(options.rounds):
                for contender in contenders.values():
                    contender.time()
            times = ", ".join(f"{kind} {contender.milliseconds:.2f} ms" for kind, contender in contenders.items())
            print(f"{arrays:<9} {optimizer:<11} {times}", flush=True)


def torch_step(name: str, arrays: str, kind: str) -> Contender | None:
    """One contender; None where torch has no such kernel."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    params = [torch.nn.Parameter(torch.full(shape, 0.5, device=device)) for shape in shapes_of(arrays)]
    for param in params:
        param.grad = torch.full_like(param, 0.1)
    if name == "rmsprop" and kind == "fused":
        return None
    if name == "sgd":
        optimizer = torch.optim.SGD(params, lr=RATE, momentum=0.9, **{kind: True})
    elif name == "rmsprop":
        optimizer = torch.optim.RMSprop(params, lr=RATE, **{kind: True})
    else:
        optimizer = torch.optim.AdamW(params, lr=RATE, **{kind: True})
    count = 0

    def run() -> None:
        nonlocal count
        optimizer.param_groups[0]["lr"] = RATE * math.exp(-DECAY * count)
        count += 1
        if name == "clip+adamw":
            torch.nn.utils.clip_grad_norm_(params, 1.0, foreach=True)
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    run()
    return Contender(run)


if __name__ == "__main__":
    main()
