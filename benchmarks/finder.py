"""How often a finder's learning rate is usable: the truth by brute force, and every rule on the same recorded curves.

    python benchmarks/finder.py [--short] [--fashion FOLDER] [--only WORD] [--folder runs/finder] [--out table.md]

A cell is a problem, an optimizer and a batch size. Its truth: the mean final loss, over seeds, of trainings at 30
constant rates and under one-cycle with 30 peaks, all of the same number of updates. Its curves: range tests at the
library's defaults, 20 draws of weights and batches, three tests each. Both go into a file of FOLDER, so that the
script goes on where it was stopped, and rules are judged on what is there: a changed rule needs no new training.

usable: the final loss at the answer is within 5% of the way from the best to the start, or the answer within a factor
of 3 of the best rate; harmful: the loss ends above its start, or is not finite. Where the best rate gains less than 2%
of the starting loss, or less than three standard errors, the right answer is a refusal; so it is where a range ends at
a 30th of the usable rates, or begins above all that are not harmful.
"""

import argparse
import functools
import math
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from finder_problems import Problem, batches, problems

import jaxlr
from jaxlr.errors import NoSuggestion
from jaxlr.search import RangeTest, lr_range_test
from jaxlr.search.ranges import suggestions
from jaxlr.search.ranges.result import Curve

OPTIMIZERS = {"sgd": functools.partial(jaxlr.sgd, momentum=0.9), "adamw": jaxlr.adamw}
RATES = np.geomspace(1e-5, 10.0, 30)
UPDATES = 200
START, END, POINTS, TESTS = 1e-7, 10.0, 100, 3
COLUMNS = ("learning_rates", "losses", "smoothed", "gradients", "references")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="three problems, two batch sizes, 5 draws: two minutes")
    parser.add_argument("--fashion", type=Path, help="folder with the files of Fashion-MNIST; without it, left out")
    parser.add_argument("--only", default="", help="cells whose name holds this word")
    parser.add_argument("--draws", type=int, default=20, help="range tests a cell")
    parser.add_argument("--first-draw", type=int, default=0, help="where the seeds of the draws begin")
    parser.add_argument("--folder", type=Path, default=Path("runs/finder"), help="where the cells are kept")
    parser.add_argument("--judge", action="store_true", help="no trainings: the rules on the cells that are there")
    parser.add_argument("--out", type=Path, help="where the table goes, as markdown")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if not options.judge:
        record(options)
    cells = [Cell.load(path) for path in sorted(options.folder.glob("*.npz")) if options.only in path.stem]
    text = report(cells)
    print(text)
    if options.out:
        options.out.write_text(text)


# The trainings.


def record(options) -> None:
    """Every cell that has no file yet."""
    chosen = problems(options.fashion)
    if options.short:
        chosen = {name: chosen[name] for name in ("linear regression", "mlp, digits", "pure noise")}
    draws = 5 if options.short else options.draws
    for name, make in chosen.items():
        problem = None
        sizes = make().sizes if not options.short else (16, 128)
        for optimizer in OPTIMIZERS:
            for size in sizes:
                label = f"{name}; {optimizer}; {size}"
                path = options.folder / f"{label}.npz"
                if path.exists() or options.only not in label:
                    continue
                problem = make() if problem is None else problem
                began = time.monotonic()
                found = {**truth(problem, optimizer, size)}
                found.update(curves(problem, optimizer, size, draws, options.first_draw, found))
                part = path.with_suffix(".part.npz")
                np.savez_compressed(part, **found)
                part.rename(path)
                print(f"{label}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def truth(problem: Problem, optimizer: str, size: int) -> dict[str, np.ndarray]:
    """The losses before and after training at each constant rate and under each peak: (seeds,), (2, rates, seeds)."""
    seeds = 6 if size <= 32 else 3
    steps = np.arange(UPDATES)
    cycles = [np.asarray(jaxlr.one_cycle(peak, UPDATES)(steps)) for peak in RATES]
    constant = np.repeat(RATES[:, None], UPDATES, axis=1)
    rates = jnp.asarray(np.concatenate([constant, cycles]), jnp.float32)
    judge = problem.sample(np.random.default_rng(99), 2048)

    def train(weights, batches):
        def update(carry, inputs):
            (batch, rates), (weights, state) = inputs, carry

            def one(weights, state, rate):
                gradients = jax.grad(problem.loss)(weights, batch)
                changes, state = OPTIMIZERS[optimizer](rate).update(gradients, state, weights)
                return optax.apply_updates(weights, changes), state

            return jax.vmap(one)(weights, state, rates), None

        def begin(rate):
            return weights, OPTIMIZERS[optimizer](rate).init(weights)

        (trained, _), _ = jax.lax.scan(update, jax.vmap(begin)(rates[:, 0]), (batches, rates.T))
        return problem.loss(weights, judge), jax.lax.map(lambda each: problem.loss(each, judge), trained)

    before, after = [], []
    train = jax.jit(train)
    for seed in range(seeds):
        random = np.random.default_rng((1000, seed))
        weights = jax.tree.map(jnp.asarray, problem.initial(random))
        one, other = train(weights, batches(problem, random, UPDATES, size))
        before.append(one)
        after.append(other)
    return {"before": np.asarray(before), "after": np.asarray(after).T.reshape(2, len(RATES), seeds)}


def curves(problem: Problem, optimizer: str, size: int, draws: int, first: int, found) -> dict[str, np.ndarray]:
    """The curves of range tests: over the default range, one that ends too early and one that begins too late."""
    answer = Truth.of(found["before"], found["after"][0])
    ranges = {"default": (START, END)}
    if answer.exists:
        ranges["short"] = (START, answer.lowest / 30.0)
        if answer.too_high < END / 3.0:
            ranges["late"] = (3.0 * answer.too_high, 30.0 * answer.too_high)
    arrays = {}
    for name, (start, end) in ranges.items():
        shape = (draws, TESTS, POINTS)
        for column in COLUMNS:
            arrays[f"{name} {column}"] = np.zeros(shape, np.float32)
        done, reasons = np.zeros(shape[:2], np.int32), np.zeros(shape[:2], "U80")
        for index in range(draws):
            random = np.random.default_rng((first + index,))
            weights, drawn = problem.initial(random), batches(problem, random, POINTS, size)
            result = lr_range_test(
                problem.loss, weights, drawn, optimizer=OPTIMIZERS[optimizer], start=start, end=end,
                num_steps=POINTS, seeds=TESTS,
            )  # fmt: skip
            for seed, curve in enumerate(result.curves):
                done[index, seed], reasons[index, seed] = len(curve.losses), curve.reason
                for column in COLUMNS:
                    arrays[f"{name} {column}"][index, seed, : len(curve.losses)] = getattr(curve, column)
        arrays[f"{name} done"], arrays[f"{name} reasons"] = done, reasons
    return arrays


# The judgement.


class Truth(NamedTuple):
    """What trainings at the rates of the grid ended with."""

    start: float
    losses: np.ndarray  # (rates,), inf where not finite
    exists: bool  # whether any rate helps
    best: float
    lowest: float  # of the usable rates
    highest: float
    too_high: float  # the lowest rate from which on all are harmful; inf without

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray) -> "Truth":
        """Of losses (seeds,) and (rates, seeds)."""
        start = float(before.mean())
        with np.errstate(invalid="ignore", over="ignore"):
            losses = after.mean(axis=1)
            gains = (before - after).mean(axis=1)
            errors = (before - after).std(axis=1, ddof=1) / math.sqrt(len(before))
        losses = np.where(np.isfinite(losses), losses, np.inf)
        place = int(losses.argmin())
        exists = gains[place] > max(0.02 * abs(start), 3.0 * errors[place])
        best = float(RATES[place])
        usable = cls(start, losses, exists, best, 0.0, 0.0, 0.0)
        fine = np.geomspace(RATES[0], RATES[-1], 600)
        inside = [rate for rate in fine if usable.is_usable(rate)]
        fits = np.flatnonzero(losses <= start)
        too_high = float(RATES[fits[-1] + 1]) if len(fits) and fits[-1] + 1 < len(RATES) else math.inf
        return usable._replace(lowest=float(min(inside)), highest=float(max(inside)), too_high=too_high)

    def loss(self, rate: float) -> float:
        """Between the grid's rates by their logarithms; below them the starting loss is neared in proportion."""
        if rate > RATES[-1]:
            return math.inf
        if rate < RATES[0]:
            return self.start + (float(self.losses[0]) - self.start) * rate / RATES[0]
        place = min(int(np.searchsorted(RATES, rate, side="right")) - 1, len(RATES) - 2)
        share = math.log(rate / RATES[place]) / math.log(RATES[place + 1] / RATES[place])
        left, right = float(self.losses[place]), float(self.losses[place + 1])
        if share == 0.0 or left == right:
            return left
        return left + share * (right - left)

    def is_usable(self, rate: float) -> bool:
        """Whether training ends near the best."""
        best = float(self.losses.min())
        return max(rate / self.best, self.best / rate) <= 3.0 or self.loss(rate) <= best + 0.05 * (self.start - best)

    def is_harmful(self, rate: float) -> bool:
        """Whether training ends above its start."""
        return not self.loss(rate) <= self.start


class Cell(NamedTuple):
    """What is kept of a problem with an optimizer and a batch size."""

    name: str
    constant: Truth
    peak: Truth
    tests: dict[str, list[list[Curve]]]  # of each range the draws, of each draw the tests

    @classmethod
    def load(cls, path: Path) -> "Cell":
        """From its file."""
        with np.load(path) as data:
            arrays = dict(data)
        constant, peak = (Truth.of(arrays["before"], after) for after in arrays["after"])
        tests = {}
        for name in ("default", "short", "late"):
            if f"{name} done" not in arrays:
                continue
            tests[name] = [
                [
                    _curve(arrays, name, draw, seed, int(done))
                    for seed, done in enumerate(each)
                ]
                for draw, each in enumerate(arrays[f"{name} done"])
            ]  # fmt: skip
        return cls(path.stem, constant, peak, tests)


def _curve(arrays, name: str, draw: int, seed: int, done: int) -> Curve:
    columns = {column: arrays[f"{name} {column}"][draw, seed, :done] for column in COLUMNS}
    reason = str(arrays[f"{name} reasons"][draw, seed])
    return Curve(**columns, metrics=None, reason=reason, start_loss=None, start_metric=None, ramp_steps=POINTS)


def _stopped(rates: np.ndarray, smoothed: np.ndarray, times: float) -> tuple[np.ndarray, np.ndarray]:
    """A curve up to where a peer's finder would have stopped: the first loss above so many times the best before."""
    finite = np.isfinite(smoothed)
    smoothed = smoothed[: len(smoothed) if finite.all() else int(finite.argmin())]
    high = smoothed[1:] > times * np.minimum.accumulate(smoothed)[:-1]
    stop = int(high.argmax()) + 2 if high.any() else len(smoothed)
    return rates[:stop], smoothed[:stop]


def of_fastai(rule: Callable[..., float], tests: list[Curve]) -> float:
    """As `Learner.lr_find`: the running mean of 0.98 without bias, without its first tenth and its last five points."""
    curve = tests[0]
    rates, smoothed = _stopped(curve.learning_rates, curve.smoothed, 4.0)
    return rule(rates[POINTS // 10 : -5], smoothed[POINTS // 10 : -5])


def of_torch_lr_finder(tests: list[Curve]) -> float:
    """As `LRFinder.range_test` and `plot`: a running mean of 0.05, the first ten and the last five points left out."""
    curve = tests[0]
    smoothed = np.asarray(curve.losses, np.float64).copy()
    for place in range(1, len(smoothed)):
        smoothed[place] = 0.05 * smoothed[place] + 0.95 * smoothed[place - 1]
    rates, smoothed = _stopped(curve.learning_rates, smoothed, 5.0)
    rates, smoothed = rates[10:-5], smoothed[10:-5]
    if len(smoothed) < 2:
        raise NoSuggestion("too few points")
    return float(rates[np.gradient(smoothed).argmin()])


def of_jaxlr(count: int, tests: list[Curve]) -> float:
    rate = RangeTest.from_curves(tests[:count]).recommendation
    if rate is None:
        raise NoSuggestion("refused")
    return float(rate)


def of_jaxlr_times(factor: float, tests: list[Curve]) -> float:
    """A multiple of the recommendation: what a bolder or a more careful one would be worth."""
    return factor * of_jaxlr(TESTS, tests)


RULES: dict[str, Callable[[list[Curve]], float]] = {
    "jaxlr, one test": functools.partial(of_jaxlr, 1),
    "jaxlr, three tests": functools.partial(of_jaxlr, 3),
    "fastai valley": functools.partial(of_fastai, suggestions.valley),
    "fastai slide": functools.partial(of_fastai, suggestions.slide),
    "fastai minimum": functools.partial(of_fastai, suggestions.minimum),
    "fastai steep": functools.partial(of_fastai, suggestions.steepest),
    "torch-lr-finder": of_torch_lr_finder,
}


# The cells that nobody looked at when the rule of the recommendation was chosen.
HELD_OUT = ("cnn", "transformer", "batchnorm, digits; adamw")
FACTORS = (1.0, 1.15, 1.3, 1.5, 2.0)


class Count(NamedTuple):
    """What a rule said in some draws, as shares of those that have an answer or have none."""

    answered: int
    constant: int  # usable as a constant rate, of those answered
    peak: int  # usable as the peak of a cycle
    harmful: int  # as a constant rate or as a peak
    refused: int
    none_right: int  # refusals where there is no answer
    none: int  # draws without an answer

    def row(self) -> str:
        """The shares in the order of `HEAD`."""
        asked = self.answered + self.refused

        def share(part: int, whole: int) -> str:
            return f"{100.0 * part / whole:.1f}" if whole else "-"

        of_answers = [share(part, self.answered) for part in (self.constant, self.peak, self.harmful)]
        return " | ".join([*of_answers, share(self.refused, asked), share(self.none_right, self.none)])


def count(rule: Callable[[list[Curve]], float], cell: Cell) -> Count:
    """The rule on all draws: over the default range, and over ranges that end too early or begin too late."""
    numbers = dict.fromkeys(Count._fields, 0)
    for kind, draws in cell.tests.items():
        has_answer = cell.constant.exists and kind == "default"
        for tests in draws:
            try:
                rate = rule(tests)
            except (NoSuggestion, ValueError):
                rate = None
            if not has_answer:
                numbers["none"] += 1
                numbers["none_right"] += rate is None
            elif rate is None:
                numbers["refused"] += 1
            else:
                numbers["answered"] += 1
                numbers["constant"] += cell.constant.is_usable(rate)
                numbers["peak"] += cell.peak.is_usable(rate)
                numbers["harmful"] += cell.constant.is_harmful(rate) or cell.peak.is_harmful(rate)
    return Count(**numbers)


def total(counts: list[Count]) -> Count:
    return Count(*(sum(column) for column in zip(*counts, strict=True)))


HEAD = ["usable as constant, %", "usable as peak, %", "harmful, %", "refused with an answer, %", "refused with none, %"]


def table(first: str, rows: dict[str, Count]) -> list[str]:
    lines = [f"| {first} | {' | '.join(HEAD)} |", "| --- " * (len(HEAD) + 1) + "|"]
    return lines + [f"| {name} | {counted.row()} |" for name, counted in rows.items()]


def report(cells: list[Cell]) -> str:
    counts = {name: [count(rule, cell) for cell in cells] for name, rule in RULES.items()}
    by_problem, by_size = {}, {}
    for cell, counted in zip(cells, counts["jaxlr, three tests"], strict=True):
        problem, optimizer, size = cell.name.split("; ")
        by_problem.setdefault(f"{problem}, {optimizer}", []).append(counted)
        by_size.setdefault(int(size), []).append(counted)
    draws = sum(len(each) for cell in cells for each in cell.tests.values())
    lines = [
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"jax {jax.__version__}; `python benchmarks/finder.py`",
        "",
        f"{len(cells)} cells, {draws} range tests of {POINTS} rates from {START:g} to {END:g} (or over a range that "
        f"ends too early or begins too late); trainings of {UPDATES} updates at {len(RATES)} rates.",
        "",
        *table("rule", {name: total(each) for name, each in counts.items()}),
        "",
        "The recommendation of three tests, by problem and optimizer:",
        "",
        *table("problem", {name: total(each) for name, each in by_problem.items()}),
        "",
        "By batch size:",
        "",
        *table("size", {str(size): total(by_size[size]) for size in sorted(by_size)}),
        "",
        "Multiples of the recommendation of three tests, over all cells:",
        "",
        *table("times", multiples(cells)),
        "",
        "The same over the cells that were not looked at when the rule was chosen:",
        "",
        *table("times", multiples([cell for cell in cells if cell.name.startswith(HELD_OUT)])),
        "",
        "The usable rates, lowest to highest, and the best, by brute force:",
        "",
        "| problem; optimizer; batch size | constant | peak | gain of the best, % |",
        "| --- | --- | --- | --- |",
        *(_bands(cell) for cell in cells),
    ]
    return "\n".join(lines) + "\n"


def multiples(cells: list[Cell]) -> dict[str, Count]:
    return {
        f"{factor:g}": total([count(functools.partial(of_jaxlr_times, factor), cell) for cell in cells])
        for factor in FACTORS
    }


def _bands(cell: Cell) -> str:
    gain = 100.0 * (cell.constant.start - cell.constant.losses.min()) / abs(cell.constant.start)
    if not cell.constant.exists:
        return f"| {cell.name} | none | none | {gain:.2f} |"
    bands = (f"{each.lowest:.2g} to {each.highest:.2g}, {each.best:.2g}" for each in (cell.constant, cell.peak))
    return f"| {cell.name} | {' | '.join(bands)} | {gain:.1f} |"


if __name__ == "__main__":
    main()
