"""jaxlr's schedules against optax's, in one run: errors, ends, traces, and the time of a call.

    python benchmarks/schedules.py [--short] [--out table.md]

Each row is the same formula with the same numbers in both. Errors are those of the compiled program, in ulps of the
exact number (tests/cases, mpmath), over counts up to a few times the horizon; where the exact number is
0, see the ends. Eager calls take a Python int, and the two take turns. A count array is passed as it is, or under vmap
where optax's function takes one count only.
"""

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import jax
import numpy as np
import optax

import jaxlr

sys.path += [str(Path(__file__).resolve().parents[1] / "tests" / folder) for folder in (".", "oracle", "programs")]
import reference
from cases import EXACT
from fuzz import machine

MILLION = np.arange(10**6, dtype=np.int32)


@dataclasses.dataclass(frozen=True)
class Case:
    """One formula: `jaxlr` and `optax` make the schedule for a length, `exact` is the real number for it."""

    length: int
    jaxlr: Callable[[Any], Any]
    optax: Callable[[Any], Any]
    exact: Callable[[int, int], Any]
    end: int | None = None  # the count that ends it; None if it has no end
    up_to: int = 2**31 - 1


def warmed_up(n, length):
    return EXACT["warmup"](n, lambda m: EXACT["cosine"](m, 0.1, length - 5_000), 5_000)


CASES = {
    "linear": Case(
        90_000,
        lambda length: jaxlr.linear(0.1, 0.0, length),
        lambda length: optax.linear_schedule(0.1, 0.0, length),
        lambda n, length: EXACT["linear"](n, 0.1, 0.0, length),
        end=90_000,
    ),
    "polynomial, power 0.9": Case(
        90_000,
        lambda length: jaxlr.polynomial(0.1, 0.0, 0.9, length),
        lambda length: optax.polynomial_schedule(0.1, 0.0, 0.9, length),
        lambda n, length: EXACT["polynomial"](n, 0.1, 0.0, 0.9, length),
        end=90_000,
    ),
    "cosine": Case(
        90_000,
        lambda length: jaxlr.cosine(0.1, length),
        lambda length: optax.cosine_decay_schedule(0.1, length),
        lambda n, length: EXACT["cosine"](n, 0.1, length),
        end=90_000,
    ),
    "warm-up, cosine": Case(
        90_000,
        lambda length: jaxlr.warmup(jaxlr.cosine(0.1, length - 5_000), 5_000),
        lambda length: optax.warmup_cosine_decay_schedule(0.0, 0.1, 5_000, length),
        warmed_up,
        end=90_000,
    ),
    "one cycle": Case(
        90_000,
        lambda length: jaxlr.one_cycle(0.1, length, last="total"),
        lambda length: optax.cosine_onecycle_schedule(length, 0.1),
        lambda n, length: EXACT["one_cycle"](n, 0.1, length, last="total"),
        end=90_000,
    ),
    "multi-step": Case(
        30_000,
        lambda length: jaxlr.multi_step(0.1, [length, 2 * length], 0.1),
        lambda length: optax.piecewise_constant_schedule(0.1, {length: 0.1, 2 * length: 0.1}),
        lambda n, length: EXACT["multi_step"](n, 0.1, [length, 2 * length], 0.1),
        end=60_000,
    ),
    "exponential": Case(
        1,
        lambda length: jaxlr.exponential(0.1, 0.99999, transition_steps=length),
        lambda length: optax.exponential_decay(0.1, length, 0.99999),
        lambda n, length: EXACT["exponential"](n, 0.1, 0.99999, length),
        up_to=3_000_000,
    ),
    "staircase": Case(
        1_000,
        lambda length: jaxlr.exponential(0.1, 0.999, transition_steps=length, staircase=True),
        lambda length: optax.exponential_decay(0.1, length, 0.999, staircase=True),
        lambda n, length: EXACT["exponential"](n, 0.1, 0.999, length, staircase=True),
        up_to=20_000_000,
    ),
}


def counts_of(case):
    """Counts over the horizon and past it, next to its multiples too."""
    random = np.random.default_rng(0)
    spread = np.exp(random.uniform(0, np.log(min(case.up_to, 3 * (case.end or case.up_to))), 200)).astype(int)
    multiples = case.length * random.integers(1, case.up_to // case.length + 1, 100)
    return np.unique(np.clip([*spread, *multiples, *(multiples - 1), case.length - 1], 0, case.up_to)).astype(np.int32)


def by_count(schedule):
    """The schedule over an array of counts: as it is, or mapped where it takes one count only."""
    try:
        if schedule(np.zeros(3, np.int32)).shape == (3,):
            return schedule
    except TypeError:
        pass
    return jax.vmap(schedule)


def worst_error(schedule, case):
    counts = counts_of(case)
    exact = [case.exact(int(n), case.length) for n in counts]
    values = np.asarray(jax.jit(lambda n: by_count(schedule)(n))(counts))
    if np.isnan(values).any():
        return "NaN"
    error = max(reference.ulps(value, e) for value, e in zip(values, exact, strict=True) if e != 0)
    return f"{float(error):.2f}" if error < 10 else f"{int(error):,}"


def ends(schedule, case):
    """The compiled value at the end and a million updates later."""
    if case.end is None:
        return "none"
    compiled = jax.jit(lambda n: schedule(n))
    at, past = (f"{float(compiled(case.end + more)):.3g}" for more in (0, 10**6))
    return at if at == past else f"{at}, then {past}"


def traces(make, length):
    """How often ten lengths are traced: the length as an argument of jit where that works, else in a closure."""
    traced = []

    def call(length, n):
        traced.append(None)
        return make(length)(n)

    try:
        step = jax.jit(call)
        for i in range(10):
            step(length + i, 5)
    except (TypeError, jax.errors.JAXTypeError):
        traced.clear()
        for i in range(10):
            jax.jit(lambda n, i=i: call(length + i, n))(5)
    return len(traced)


def taking_turns(calls, rounds, repeats):
    """The median seconds of each call."""
    seconds = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats):
                jax.block_until_ready(call())
            seconds[name].append((time.perf_counter() - start) / repeats)
    return [median(times[1:]) for times in seconds.values()]  # the first round compiles


def equations(jaxpr):
    """The number of equations, those of inner programs too."""
    inner = (v for e in jaxpr.eqns for v in jax.tree.leaves(e.params, is_leaf=lambda x: hasattr(x, "jaxpr")))
    return len(jaxpr.eqns) + sum(equations(v.jaxpr) for v in inner if hasattr(v, "jaxpr"))


def restarts_of(make):
    """Equations, and seconds from the schedule to a compiled program."""
    start = time.perf_counter()
    schedule = make()
    jax.jit(lambda n: schedule(n)).lower(5).compile()
    seconds = time.perf_counter() - start
    return equations(jax.make_jaxpr(schedule)(5).jaxpr), seconds


def families_table(options):
    """The rows, and the times of the eager calls."""
    lines = [
        "| jaxlr / optax | worst error, ulps | value at the end and after | eager call, µs | 10^6 counts, ms "
        "| traces for ten lengths |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    eager = []
    for name, case in CASES.items():
        ours, theirs = case.jaxlr(case.length), case.optax(case.length)
        cells = [[worst_error(s, case) for s in (ours, theirs)], [ends(s, case) for s in (ours, theirs)]]
        call = taking_turns({"jaxlr": lambda: ours(1234), "optax": lambda: theirs(1234)}, options.rounds, 200)  # noqa: B023
        arrays = [by_count(s) for s in (ours, theirs)]
        million = taking_turns({i: lambda i=i: arrays[i](MILLION) for i in (0, 1)}, options.rounds, 1)  # noqa: B023
        eager.append(call)
        cells += [[f"{1e6 * t:,.0f}" for t in call], [f"{1e3 * t:.0f}" for t in million]]
        cells.append([str(traces(make, case.length)) for make in (case.jaxlr, case.optax)])
        lines.append(f"| {name} | " + " | ".join(" / ".join(pair) for pair in cells) + " |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines, np.array(eager)


def restarts_table(options):
    """Warm restarts, the same cosine again and again."""
    lines = [
        "| cosine restarts | jaxlr: equations | compiled in, s | optax: equations | compiled in, s |",
        "| --- | --- | --- | --- | --- |",
    ]
    cycle = {"init_value": 0.1, "peak_value": 0.1, "warmup_steps": 0, "decay_steps": 1000}
    jax.jit(lambda n: n + 1).lower(5).compile()
    for number in options.restarts:
        ours = restarts_of(lambda: jaxlr.cosine_restarts(0.1, 1000))
        theirs = restarts_of(lambda number=number: optax.sgdr_schedule([cycle] * number))
        lines.append(f"| {number} | {ours[0]:,} | {ours[1]:.2f} | {theirs[0]:,} | {theirs[1]:.2f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each timed call")
    parser.add_argument("--restarts", type=int, nargs="+", default=[1, 10, 500], help="numbers of warm restarts")
    parser.add_argument("--short", action="store_true", help="few turns and few restarts")
    parser.add_argument("--out", type=Path, help="where the tables go, as markdown")
    options = parser.parse_args()
    if options.short:
        options.rounds, options.restarts = 3, [1, 10]
    head = f"{machine()}, optax {optax.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}."
    rows, eager = families_table(options)
    ours, theirs = 1e6 * np.median(eager, axis=0)
    note = (
        f"Median eager call: jaxlr {ours:.0f} µs (slowest {1e6 * eager[:, 0].max():.0f}), optax {theirs:.0f} µs: "
        f"{theirs / ours:.1f} times as long."
    )
    text = "\n".join([head, "", *rows, "", note, "", *restarts_table(options)]) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
