"""What a schedule costs beside its rate, jaxlr against Optax in one run: compilation, a scanned training, first calls.

    python benchmarks/schedule_programs.py [--devices v5e h100] [--rounds 5] [--out table.md]

- compile: from a fresh `jax.jit` of an AdamW step over 20 arrays to the compiled program, tracing included; the two
  take turns, medians. A device is compiled for without being there (`jaxlr.compiling`).
- scanned Adam: microseconds an update of a network 64 wide, 2,000 updates in one program; what nine of ten rounds do
  not undercut, since a processor changes its speed between rounds of milliseconds, and the least of three programs.
- 10^6 counts: milliseconds of one pass over an array of counts.
- first call: seconds from a schedule with numbers of its own to its first rate, in a process that has compiled nothing
  but a constant and the families above it; the least of as many processes as there are rounds, for the same reason.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxlr

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "programs"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "oracle"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from fuzz import machine

Make = Callable[[], Any]
LENGTH = 90_000


def restarts(growth: float) -> Any:
    cycle = {"init_value": 0.1, "peak_value": 0.1, "warmup_steps": 0}
    return optax.sgdr_schedule([cycle | {"decay_steps": round(1000 * growth**i)} for i in range(8)])


# jaxlr's schedule, and Optax's that is nearest to it.
PAIRS: dict[str, tuple[Make, Make]] = {
    "constant": (lambda: jaxlr.constant(0.1), lambda: optax.constant_schedule(0.1)),
    "linear": (lambda: jaxlr.linear(0.1, 0.0, LENGTH), lambda: optax.linear_schedule(0.1, 0.0, LENGTH)),
    "cosine": (lambda: jaxlr.cosine(0.1, LENGTH), lambda: optax.cosine_decay_schedule(0.1, LENGTH)),
    "warm-up, cosine": (
        lambda: jaxlr.warmup(jaxlr.cosine(0.1, LENGTH), 5000),
        lambda: optax.warmup_cosine_decay_schedule(0.0, 0.1, 5000, LENGTH + 5000),
    ),
    "one cycle": (
        lambda: jaxlr.one_cycle(0.1, LENGTH, last="total"),
        lambda: optax.cosine_onecycle_schedule(LENGTH, 0.1),
    ),
    "exponential": (lambda: jaxlr.exponential(0.1, 0.9999), lambda: optax.exponential_decay(0.1, 1, 0.9999)),
    "polynomial": (
        lambda: jaxlr.polynomial(0.1, 0.0, 0.9, LENGTH),
        lambda: optax.polynomial_schedule(0.1, 0.0, 0.9, LENGTH),
    ),
    "restarts": (lambda: jaxlr.cosine_restarts(0.1, 1000), lambda: restarts(1)),
    "growing restarts": (lambda: jaxlr.cosine_restarts(0.1, 1000, t_mul=2), lambda: restarts(2)),
    "restarts, by a half": (lambda: jaxlr.cosine_restarts(0.1, 1000, t_mul=1.5), lambda: restarts(1.5)),
    "time based": (lambda: jaxlr.time_based(0.1, 1e-6), lambda: optax.exponential_decay(0.1, 1, 0.9999)),
}
HERE = "this machine"
COMPILED = ("warm-up, cosine", "one cycle", "growing restarts")


def in_turns(calls: Iterable[Callable[[], float]], rounds: int, share: float = 0.5) -> list[float]:
    """What this share of the rounds undercuts, of each, which gives its own seconds; the first round only warms up."""
    calls = list(calls)
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 1):
        for call, found in zip(calls, seconds, strict=True):
            found.append(call())
    return [float(np.quantile(found[1:], share)) for found in seconds]


def adamw_step(library: Any, schedule: Any) -> tuple[Callable[..., Any], Any, Any]:
    optimizer = library.adamw(schedule)
    shapes = [jax.ShapeDtypeStruct((128, 128 + 8 * i), jnp.float32) for i in range(20)]

    def step(state: Any, gradients: Any) -> Any:
        updates, inner = optimizer.update(gradients, state["optimizer"], state["params"])
        return {"params": optax.apply_updates(state["params"], updates), "optimizer": inner}

    return step, {"params": shapes, "optimizer": jax.eval_shape(optimizer.init, shapes)}, shapes


def compiles_here(library: Any, make: Make) -> float:
    start = time.perf_counter()
    step, state, gradients = adamw_step(library, make())
    jax.jit(lambda *arguments: step(*arguments), donate_argnums=0).lower(state, gradients).compile()
    return time.perf_counter() - start


def compiles_for(device: str, library: Any, make: Make) -> float:
    from jaxlr.compiling import compile_for

    report = compile_for(device, *adamw_step(library, make()))
    return report.trace_seconds + report.compile_seconds


def compile_table(devices: list[str], rounds: int) -> list[str]:
    lines = ["| AdamW, 20 arrays: compiled for | schedule | jaxlr, s | Optax, s | ratio |", "| --- " * 5 + "|"]
    lines += compile_rows(HERE, rounds)
    for device in devices:  # each in a process of its own: the compilers of two kinds do not share one
        lines += by_itself("--rows", device, "--rounds", str(rounds)).splitlines()
    joined = median(compiles_join(100) for _ in range(3))
    return [*lines, "", f"A join of 100 cosines compiles in {joined:.2f} s on this machine, tracing included."]


def compile_rows(device: str, rounds: int) -> list[str]:
    one = compiles_here if device == HERE else partial(compiles_for, device)
    rows: list[str] = []
    for name in COMPILED:
        ours, theirs = PAIRS[name]
        mine, other = in_turns([partial(one, jaxlr, ours), partial(one, optax, theirs)], rounds)
        rows.append(f"| {device} | {name} | {mine:.2f} | {other:.2f} | {mine / other:.2f} |")
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def compiles_join(number: int) -> float:
    cosines = [jaxlr.cosine(0.1 + 0.001 * i, 100) for i in range(number)]
    start = time.perf_counter()
    schedule = jaxlr.join(cosines, [100 * i for i in range(1, number)])
    jax.jit(lambda schedule, n: schedule(n)).lower(schedule, 5).compile()
    return time.perf_counter() - start


def scanned_adam(library: Any, make: Make, updates: int = 2000) -> Callable[[], float]:
    """A training of a network 64 wide as one program; a call gives the seconds of an update."""
    optimizer = library.adam(make())
    params = {"in": jnp.ones((16, 64)) * 0.01, "out": jnp.ones((64, 1)) * 0.01}
    batch = jnp.asarray(np.random.default_rng(0).normal(size=(8, 16)), jnp.float32)

    def loss(params: Any) -> jax.Array:
        return jnp.mean((jnp.tanh(batch @ params["in"]) @ params["out"] - 1.0) ** 2)

    @jax.jit
    def train(params: Any, state: Any) -> Any:
        def step(carry: Any, _: Any) -> Any:
            params, state = carry
            updates, state = optimizer.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, state), None, length=updates)[0]

    state = optimizer.init(params)
    jax.block_until_ready(train(params, state))

    def call() -> float:
        start = time.perf_counter()
        jax.block_until_ready(train(params, state))
        return (time.perf_counter() - start) / updates

    return call


def a_million(schedule: Any) -> Callable[[], float]:
    counts = jnp.arange(10**6, dtype=jnp.int32)
    rates = jax.jit(schedule if isinstance(schedule, jaxlr.Schedule) else jax.vmap(schedule))

    def call() -> float:
        start = time.perf_counter()
        jax.block_until_ready(rates(counts))
        return time.perf_counter() - start

    return call


def first_call(make: Make) -> float:
    schedule = make()
    start = time.perf_counter()
    float(schedule(7))
    return time.perf_counter() - start


def first_calls() -> dict[str, float]:
    float(jaxlr.constant(0.1)(7))
    return {name: first_call(ours) for name, (ours, _) in PAIRS.items() if name != "constant"}


def by_itself(*words: str) -> str:
    """What this script prints in a process of its own."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    command = [sys.executable, __file__, *words]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def running_table(rounds: int) -> list[str]:
    processes = [json.loads(by_itself("--first-calls")) for _ in range(rounds)]
    firsts = {name: min(each[name] for each in processes) for name in processes[0]}
    lines = [
        "| schedule, jaxlr / Optax | scanned Adam, us an update | ratio | 10^6 counts, ms | ratio | first call, s |",
        "| --- " * 6 + "|",
    ]
    for name, (ours, theirs) in PAIRS.items():
        # Milliseconds each, so more rounds: processors change their speed in the middle. And programs made anew: of one
        # text one or the other takes half as long again whenever it runs.
        programs = ([scanned_adam(jaxlr, ours), scanned_adam(optax, theirs)] for _ in range(3))
        update = [min(some) for some in zip(*(in_turns(pair, 15 * rounds, 0.1) for pair in programs), strict=True)]
        million = in_turns([a_million(ours()), a_million(theirs())], 4 * rounds)
        first = f"{firsts[name]:.2f}" if name in firsts else ""
        lines.append(
            f"| {name} | {1e6 * update[0]:.1f} / {1e6 * update[1]:.1f} | {update[0] / update[1]:.2f} "
            f"| {1e3 * million[0]:.1f} / {1e3 * million[1]:.1f} | {million[0] / million[1]:.1f} | {first} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    note = f"First calls: median {median(firsts.values()):.2f} s, slowest {max(firsts.values()):.2f} s."
    return [*lines, "", f"{note} Optax has neither time_based's recursion nor a power: its exponential stands there."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", nargs="*", default=[], help="what to compile for besides, as v5e or h100")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="where the tables go, as markdown")
    parser.add_argument("--rows", metavar="DEVICE", help="nothing but the rows of compiling for one device")
    parser.add_argument(
        "--first-calls", action="store_true", help="nothing but the seconds of the first calls, as JSON"
    )
    options = parser.parse_args()
    if options.first_calls:
        print(json.dumps(first_calls()))
        return
    if options.rows:
        print("\n".join(compile_rows(options.rows, options.rounds)))
        return
    head = f"{machine()}, optax {optax.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}."
    tables = [*compile_table(options.devices, options.rounds), "", *running_table(options.rounds)]
    text = "\n".join([head, "", *tables]) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
