"""A seeded fuzz of every schedule and composition: the compiled program against the reference, in ulps.

`python tests/programs/fuzz.py --draws 10000 --seed 0 --out table.md` writes the worst error of each family, in each
form in which its numbers can reach the program, and fails where one is above its bound: 1 ulp, for a composition the
sum of its parts', and 2**-30 of the largest number more where a curve crosses zero.
"""

import argparse
import functools
import math
import platform
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxlr.schedules.family import RECORDS

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in (".", "oracle")]
import reference
from cases import ROWS, problems
from draws import LAST, Dice, call_of
from rows import SMALLEST, Call

LARGEST = float(np.finfo(np.float32).max)
COMPOSITIONS = {name for name, record in RECORDS.items() if {"schedule", "schedules", "left"} & set(record.parameters)}


def as_argument(call, counts):
    """The schedule itself is an argument of jit."""
    return _call(call.schedule(), counts)


def traced(call, counts):
    """Its numbers are: float32 and int32 scalars, from which jit makes the schedule."""
    return call_with(*parted(call), counts)


def called(call, counts):
    """The schedule is called as it is: numbers that are known may have another program."""
    return call.schedule()(counts)


def closed_over(call, counts):
    """A schedule made outside is a constant of the program."""
    schedule = call.schedule()
    return jax.jit(lambda n: schedule(n))(counts)


def literal(call, counts):
    """jit makes the schedule, from Python numbers."""
    return jax.jit(lambda n: call.schedule()(n))(counts)


FORMS = {"argument": as_argument, "traced": traced, "called": called, "closed over": closed_over, "literal": literal}


@jax.jit
def _call(schedule, counts):
    return schedule(counts)


@functools.partial(jax.jit, static_argnums=(0, 1))
def call_with(tree, words, numbers, counts):
    """The values of a call in three parts, see `parted`."""
    leaves = [number if word is None else word for word, number in zip(words, numbers, strict=True)]
    return jax.tree.unflatten(tree, leaves).schedule()(counts)


def parted(call):
    """The structure of a call, its words, and its numbers as scalars."""
    paths, tree = jax.tree.flatten_with_path(call)
    # The sizes of a ramp are counted with when it is made, so they are words here.
    leaves = [(leaf, _is_number(leaf) and not isinstance(getattr(path[-1], "key", None), int)) for path, leaf in paths]
    numbers = [_as_scalar(leaf) if is_number else None for leaf, is_number in leaves]
    return tree, tuple(None if is_number else leaf for leaf, is_number in leaves), numbers


def _is_number(leaf):
    return isinstance(leaf, int | float) and not isinstance(leaf, bool)


def _as_scalar(number):
    return np.int32(number) if isinstance(number, int) else np.float32(number)


def as_float32(call):
    """The call with each float as a traced one has it."""
    return jax.tree.map(lambda leaf: float(np.float32(leaf)) if isinstance(leaf, float) else leaf, call)


def exact_range(call, counts):
    """The lowest and the highest value that are right at each count: the exact one.

    A growth that is no integer puts its restarts between counts, and a speed that is none puts a schedule there. These
    places are decided to 44 bits, fewer for a growth near 1: so near to a restart the values on both of its sides are
    right, and of a schedule inside of it those at both of these places.
    """
    exact = np.array([float(call.exact(int(n))) for n in counts])
    anywhere = call.reach()
    reach = anywhere or (call.reach_of_restarts() if call.grows_by_a_fraction() else 0.0)
    if not reach:
        return exact, exact
    near = [exact]
    for factor in (1 - reach, 1 + reach):
        near.append(np.array([float(call.exact(reference.mpf(int(n)) * factor)) for n in counts]))
    either = (np.ptp(near, axis=0) > call.largest() / 1000) | (anywhere > 0)
    return np.where(either, np.min(near, axis=0), exact), np.where(either, np.max(near, axis=0), exact)


def errors(call, low_high, values):
    """The error of each value, in ulps of the exact number in `low_high`, beyond the slack of the call.

    What is below the smallest normal float32 may flush to 0, what is above the largest float32 stops there, and
    neither NaN nor infinity ever passes.
    """
    low, high = np.clip(low_high, -LARGEST, LARGEST)
    values = np.asarray(values, np.float64)
    nearest = np.clip(values, low, high)
    error = np.maximum(np.abs(values - nearest) - call.slack(), 0)
    ulp = np.ldexp(1.0, np.frexp(np.maximum(np.abs(nearest), SMALLEST))[1] - 24)
    vanished = (np.abs(high) < SMALLEST) & (np.abs(values) <= SMALLEST)
    return np.where(vanished, 0.0, np.where(np.isfinite(values), error / ulp, np.inf))


class Result(NamedTuple):
    """The worst error of one draw, in ulps, where it is, and whether it is above the bound."""

    error: float
    count: int
    call: Call
    broken: bool


def check(form, call, counts):
    """Compares one draw in one form with the exact numbers."""
    values = np.asarray(FORMS[form](call, counts))
    exactly = as_float32(call) if form == "traced" else call
    error = errors(exactly, exact_range(exactly, counts), values)
    at = int(np.argmax(error))
    return Result(float(error[at]), int(counts[at]), call, bool(error[at] > call.bound()))


def fuzz(draws, seed, names, minutes=math.inf, slow=50):
    """The results by family and form; one draw in `slow` is made in each of the forms that compile every time."""
    results = {(name, form): [] for name in names for form in FORMS}
    start = time.monotonic()
    for i in range(draws):
        turn, name = i // len(names), names[i % len(names)]
        form = {0: "closed over", slow // 2: "literal"}.get(turn % slow, ("argument", "traced", "called")[turn % 3])
        result = check(form, *call_of(Dice((seed, i)), name))
        results[name, form].append(result)
        if result.broken:
            print(f"broken: {form}, {result.error:.4g} ulps at n = {result.count} of {result.call}", flush=True)
        if time.monotonic() - start > 60 * minutes:
            break
    return results


def machine():
    """The device and the versions, in a line."""
    device = jax.devices()[0]
    name = _processor() if device.platform == "cpu" else device.device_kind
    return f"{name}, Python {platform.python_version()}, jax {jax.__version__}, NumPy {np.__version__}"


def _processor():
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def table(results):
    """The worst errors and the numbers of draws, as markdown."""
    lines = ["| schedule | bound, ulps | " + " | ".join(FORMS) + " |", "| --- " * (2 + len(FORMS)) + "|"]
    for name in dict.fromkeys(name for name, _ in results):
        bound = "1 for each part" if name in COMPOSITIONS else "1.5" if name == "custom" else "1"
        found = [results[name, form] for form in FORMS]
        cells = [f"{max(r.error for r in some):.3f} ({len(some)})" if some else "" for some in found]
        lines.append(f"| {name} | {bound} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    """Runs the fuzz."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, whatever is left")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), help="these schedules alone")
    parser.add_argument("--out", type=Path, help="where the table goes, as markdown")
    options = parser.parse_args()
    if missing := list(problems()):
        sys.exit("\n".join(missing))
    results = fuzz(options.draws, options.seed, options.only, options.minutes)
    draws = sum(map(len, results.values()))
    head = (
        f"{machine()}.\n{draws:,} draws of 32 counts up to {LAST:,}, seed {options.seed}: "
        "the worst error in ulps, and the number of draws, by the form in which the numbers reach the program."
    )
    text = f"{head}\n\n{table(results)}\n"
    print(text)
    if options.out:
        options.out.write_text(text)
    sys.exit(any(result.broken for some in results.values() for result in some))


if __name__ == "__main__":
    main()
