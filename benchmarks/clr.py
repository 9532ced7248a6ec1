"""The claim of the CLR paper: does a cyclical rate reach in fewer updates what a fixed rate reaches?

    python benchmarks/clr.py [--data fashion-mnist] [--data-dir FOLDER] [--full] [--out FOLDER]

On CIFAR-10, the paper says, triangular2 reaches in 25,000 updates the 81.4% for which a fixed rate needs 70,000, and a
rate that only decays over 25,000 reaches 78.5%. Here the same in kind, with SGD (momentum 0.9) and with Adam:

- Every schedule but the fixed one has the same horizon; the fixed rate has 2.8 times as long, as in the paper.
- Every schedule has the same budget of tuning: so many peaks, evenly apart in logarithm, one training each with a seed
  that is not used again; the one with the highest validation accuracy at its end is taken. The rest is set as in the
  paper: base = peak / 6, step_size = 2/25 of the horizon, exp_range falls by 0.99994 an update of 25,000.
- The accuracy to reach is the fixed rate's last one, mean over the seeds. A schedule has reached it at the first
  evaluation from which the mean over its seeds stays at least there.
- Accuracies are of test images that decided nothing; each seed has its own initial network and order of images.

The short form trains a narrow network for minutes; --full, made for a GPU, has the horizon and batches of the paper,
and on CIFAR-10 (`--data cifar10 --data-dir FOLDER`) its network and its triangular2 (0.001 to 0.006, step_size 2000).
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from clr_training import BATCH, Study

import jaxlr
from jaxlr import plotting
from jaxlr.training.data.datasets import load_dataset

LONGER = 2.8  # 70,000 / 25,000
PEAKS = {"sgd": (0.003, 1.0), "adam": (0.0001, 0.03)}
TUNING_SEED = 1000


class Size(NamedTuple):
    """How much is done."""

    updates: int  # horizon of every schedule but the fixed one
    evaluations: int  # over this horizon
    judges: int  # images that judge
    width: int | None
    budget: int  # peaks to try
    seeds: int


SHORT = Size(updates=500, evaluations=25, judges=2000, width=8, budget=4, seeds=5)
FULL = Size(updates=25_000, evaluations=100, judges=10_000, width=32, budget=8, seeds=5)

# name -> (peak, horizon) -> schedule
SCHEDULES: dict[str, Callable[[float, int], jaxlr.Schedule]] = {
    "fixed": lambda peak, n: jaxlr.constant(peak),
    "step": lambda peak, n: jaxlr.multi_step(peak, [n // 2, 3 * n // 4], 0.1),
    "exponential": lambda peak, n: jaxlr.exponential(peak, 0.01, transition_steps=n),
    "exp_range": lambda peak, n: jaxlr.exp_range(peak / 6, peak, 2 * n // 25, 0.99994 ** (25_000 / n)),
    "triangular": lambda peak, n: jaxlr.triangular(peak / 6, peak, 2 * n // 25),
    "triangular2": lambda peak, n: jaxlr.triangular2(peak / 6, peak, 2 * n // 25),
    "cosine restarts": lambda peak, n: jaxlr.cosine_restarts(peak, -(-n // 7), t_mul=2),
    "one cycle": lambda peak, n: jaxlr.one_cycle(peak, n),
}


class Result(NamedTuple):
    """What a schedule reached with its best peak."""

    optimizer: str
    name: str
    schedule: jaxlr.Schedule
    counts: np.ndarray  # of the evaluations
    accuracies: np.ndarray  # (seeds, evaluations)
    seconds: float  # of one training

    def mean(self) -> np.ndarray:
        """The accuracy at each evaluation over the seeds."""
        return self.accuracies.mean(axis=0)

    def reached(self, target: float) -> int | None:
        """The first count from which the mean stays at the target or above."""
        below = np.flatnonzero(self.mean() < target)
        first = below[-1] + 1 if len(below) else 0
        return int(self.counts[first]) if first < len(self.counts) else None


def tuned(study: Study, optimizer: str, name: str, size: Size, paper: bool) -> Result:
    """The best of the budget on validation images, then all seeds on test images."""
    longer = LONGER if name == "fixed" else 1.0
    evaluations = round(size.evaluations * longer)
    updates = size.updates // size.evaluations * evaluations
    study.evaluations = evaluations
    tuning = study.inputs(TUNING_SEED, updates)
    schedules = [SCHEDULES[name](float(peak), updates) for peak in np.geomspace(*PEAKS[optimizer], size.budget)]
    if paper and name == "triangular2" and optimizer == "sgd":
        schedules = [jaxlr.triangular2(0.001, 0.006, 2000)]
    scores = [study.accuracies(optimizer, schedule, tuning, "validation")[-1] for schedule in schedules]
    best = schedules[int(np.argmax(scores))]
    inputs = [study.inputs(seed, updates) for seed in range(size.seeds)]
    started = time.perf_counter()
    accuracies = np.stack([study.accuracies(optimizer, best, each, "test") for each in inputs])
    seconds = (time.perf_counter() - started) / size.seeds
    counts = np.arange(1, evaluations + 1) * (updates // evaluations)
    print(f"{optimizer} {name}: {best!r} {accuracies[:, -1].mean():.4f}", file=sys.stderr, flush=True)
    return Result(optimizer, name, best, counts, accuracies, seconds)


def table(results: list[Result]) -> list[str]:
    lines = [
        "| optimizer | schedule | updates | last accuracy | lowest to highest | has the fixed rate's | after |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for optimizer in PEAKS:
        fixed, *_ = own = [result for result in results if result.optimizer == optimizer]
        target = fixed.mean()[-1]
        for result in own:
            last, reached = result.accuracies[:, -1], result.reached(target)
            seconds = "" if reached is None else f"{result.seconds * reached / result.counts[-1]:.1f} s"
            lines.append(
                f"| {optimizer} | `{result.schedule!r}` | {result.counts[-1]:,} | {last.mean():.4f} | {last.min():.4f} "
                f"to {last.max():.4f} | {'no' if reached is None else f'at {reached:,}'} | {seconds} |"
            )
    return lines


def sentences(results: list[Result]) -> list[str]:
    """What came out of the claim, for each optimizer."""
    lines = []
    for optimizer in PEAKS:
        named = {result.name: result for result in results if result.optimizer == optimizer}
        fixed, cyclical = named["fixed"], named["triangular2"]
        target = fixed.mean()[-1]
        reached = cyclical.reached(target)
        held = "held" if reached is not None else "did not hold"
        how = f"after {reached:,}" if reached is not None else f"not within {cyclical.counts[-1]:,}"
        falls = ", ".join(f"{name} {named[name].mean()[-1]:.4f}" for name in ("step", "exponential"))
        first = min((r for r in named.values() if r.reached(target)), key=lambda r: r.reached(target) or 0)
        lines.append(
            f"With {optimizer} the claim {held}: the fixed rate has {target:.4f} after {fixed.counts[-1]:,} updates, "
            f"triangular2 reaches that {how}, and has {cyclical.mean()[-1]:.4f} at its end; rates that only fall have "
            f"{falls}. The first to reach it was {first.name}, at {first.reached(target):,}."
        )
    return lines


def draw(results: list[Result], title: str):
    """The mean accuracy of each schedule over the updates, a panel an optimizer."""
    with plotting.style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 8.2), layout="constrained")
        for axes, optimizer in zip(figure.subplots(len(PEAKS), 1), PEAKS, strict=True):
            own = [result for result in results if result.optimizer == optimizer]
            target = own[0].mean()[-1]
            for result, colour in zip(own, ("#8a8a8a", *plotting.COLOURS), strict=True):
                style = "--" if result.name == "fixed" else "-"
                axes.plot(result.counts, result.mean(), style, color=colour, label=result.name, linewidth=1.6)
            axes.axhline(target, color="#8a8a8a", linewidth=0.8)
            axes.set_title({"sgd": "SGD, momentum 0.9", "adam": "Adam"}[optimizer])
            axes.set_ylim(max(0.0, target - 0.12), min(1.0, axes.get_ylim()[1]))
            axes.set_ylabel("test accuracy, mean")
        axes.set_xlabel("updates")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=4, frameon=False, fontsize=10)
        figure.suptitle(title, x=0.015, ha="left", fontsize=11, color=plotting.PALE)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="fashion-mnist", help="as for `jaxlr train`")
    parser.add_argument("--data-dir", type=Path, help="folder with the data set's files")
    parser.add_argument("--full", action="store_true", help="the horizon of the paper, on a GPU")
    parser.add_argument("--updates", type=int, help="another horizon")
    parser.add_argument("--budget", type=int, help="another number of peaks to try")
    parser.add_argument("--seeds", type=int, help="another number of seeds")
    parser.add_argument("--out", type=Path, help="folder for clr_DATA.md and clr_DATA.png")
    options = parser.parse_args()
    given = {name: value for name in ("updates", "budget", "seeds") if (value := getattr(options, name)) is not None}
    size = (FULL if options.full else SHORT)._replace(**given)
    paper = options.full and options.data == "cifar10"
    data = load_dataset(options.data, data_dir=options.data_dir)
    study = Study(data, width=None if paper else size.width, evaluations=size.evaluations, judges=size.judges)
    results = [tuned(study, optimizer, name, size, paper) for optimizer in PEAKS for name in SCHEDULES]
    network = "Caffe's cifar10_full" if paper else f"width {size.width}"
    what = f"{options.data}, {network}, batches of {BATCH}, {size.budget} peaks tried, seeds 0 to {size.seeds - 1}"
    device = jax.devices()[0]
    machine = f"{os.cpu_count()} cores" if device.platform == "cpu" else device.device_kind
    head = (
        f"{what}; {machine}, Python {platform.python_version()}, jax {jax.__version__}; `python benchmarks/clr.py"
        f"{' --full' if options.full else ''} --data {options.data}`, {study.traces} traces"
    )
    text = "\n".join([head, "", *table(results), "", *sentences(results)]) + "\n"
    print(text)
    if options.out:
        (options.out / f"clr_{options.data}.md").write_text(text)
        plotting.save_figure(draw(results, what), options.out / f"clr_{options.data}.png")


if __name__ == "__main__":
    main()
