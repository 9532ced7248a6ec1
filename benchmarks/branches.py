"""Several budgets from one trunk against as many cosine runs and as many runs of their own with a cooldown.

    python benchmarks/branches.py [--data fashion-mnist] [--epochs 2 4 8 16] [--seeds 5] [--examples 6000]

- cosine: a run for each budget, a warm-up and then a cosine over all of it
- alone: a run for each budget, a warm-up, a constant rate, and the last fifth cooled down as 1 - sqrt
- branches: the same as alone, the stable part trained once (`jaxlr.branches`)

The peak rate is each method's best of `--rates` at the shortest budget, on the part of the training images that
validates and a seed that the table has not. Accuracy is that on the test images; the seeds decide weights and order.
"""

from __future__ import annotations

import argparse
import dataclasses
import platform
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxlr
from jaxlr.training.data.datasets import Dataset
from jaxlr.training.network.convolution import compiler_options
from jaxlr.training.runs.config import Task
from jaxlr.training.runs.starting.assembly import load_data
from jaxlr.training.searches.branching import make_steps

WARMUP = 0.5  # of the shortest budget's stable part would be too long: of an epoch


def with_examples(data: Dataset, examples: int | None, part: str) -> Dataset:
    """The data with so many training images, and this part of it where the score looks."""
    train = data.train if examples is None else data.train[np.arange(min(examples, len(data.train)))]
    return dataclasses.replace(data, train=train, validation=getattr(data, part))


def run(
    options: argparse.Namespace, seed: int, rates: dict[str, float], epochs: list[int], part: str = "test"
) -> dict[str, Any]:
    """Accuracies by method, seconds, updates, and whether each branch has the bits of the run alone."""
    config = Task(
        data=options.data,
        data_dir=options.data_dir,
        seed=seed,
        epochs=max(epochs),
        width=options.width,
        depth=options.depth,
        batch_size=100,
    )
    data = with_examples(load_data(config), options.examples, part)
    step, state, score = make_steps(config, data)
    an_epoch = len(data.train) // config.batch_size
    budgets, warm = [each * an_epoch for each in epochs], max(1, int(WARMUP * an_epoch))
    found: dict[str, Any] = {"budgets": budgets}

    def timed(name: str, trunk: Any, each: list[int]) -> Any:
        started = time.perf_counter()
        result = jaxlr.branches(
            step, state, trunk, each, score=score, cooldown=options.cooldown, compiler_options=compiler_options()
        )
        seconds = time.perf_counter() - started - result.compile_seconds
        found[f"{name} seconds"] = found.get(f"{name} seconds", 0.0) + seconds
        found[f"{name} updates"] = found.get(f"{name} updates", 0) + result.updates
        found.setdefault(name, []).extend(np.asarray(result.scores["validation_accuracy"]).tolist())
        return result

    if "branches" in rates:
        trunk = jaxlr.warmup(jaxlr.constant(rates["branches"]), warm)
        together = timed("branches", trunk, budgets)
        equal = []
        for place, budget in enumerate(budgets):
            alone = timed("alone", trunk, [budget])
            pairs = zip(jax.tree.leaves(together.scores), jax.tree.leaves(alone.scores), strict=True)
            parameters = zip(
                jax.tree.leaves(together.states.parameters), jax.tree.leaves(alone.states.parameters), strict=True
            )
            equal.append(all(np.array_equal(a[place], b[0]) for a, b in (*pairs, *parameters)))
        found["equal"] = equal
    if "cosine" in rates:
        train = jax.jit(
            lambda state, schedule, end: score(jax.lax.fori_loop(0, end, lambda n, s: step(s, schedule, n), state))[
                "validation_accuracy"
            ],
            compiler_options=compiler_options(),
        )
        for budget in budgets:
            schedule = jaxlr.warmup(jaxlr.cosine(rates["cosine"], budget - warm), warm)
            compiled = train.lower(state, schedule, jnp.int32(budget)).compile()
            started = time.perf_counter()
            found.setdefault("cosine", []).append(float(compiled(state, schedule, jnp.int32(budget))))
            found["cosine seconds"] = found.get("cosine seconds", 0.0) + time.perf_counter() - started
        found["cosine updates"] = sum(budgets)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 4, 8, 16])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--examples", type=int, default=None)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--cooldown", type=float, default=0.2)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.001, 0.003, 0.01, 0.03])
    options = parser.parse_args()
    best = {}
    for method in ("branches", "cosine"):
        shortest = [min(options.epochs)]
        scores = [run(options, 1000, {method: rate}, shortest, "validation")[method][0] for rate in options.rates]
        best[method] = options.rates[int(np.argmax(scores))]
    runs = [run(options, seed, best, options.epochs) for seed in range(options.seeds)]
    said = {name: value for name, value in vars(options).items() if name not in ("data", "data_dir")}
    lines = [
        f"# One trunk, every horizon: {options.data}",
        "",
        f"`python benchmarks/branches.py` with {said}: jax {jax.__version__}, {platform.machine()}, "
        f"{jax.devices()[0].platform}; peak rates {best}. Test accuracy, mean and standard deviation over "
        f"{options.seeds} seeds.",
        "",
        "| budget | cosine | alone | branches | branches - cosine, by seed |",
        "| --- | --- | --- | --- | --- |",
    ]
    for place, epochs in enumerate(options.epochs):
        columns = {name: np.array([each[name][place] for each in runs]) for name in ("cosine", "alone", "branches")}
        cells = [f"{values.mean():.4f} ± {values.std(ddof=min(1, len(values) - 1)):.4f}" for values in columns.values()]
        difference = columns["branches"] - columns["cosine"]
        cells.append(f"{difference.mean():+.4f} ± {difference.std(ddof=min(1, len(difference) - 1)):.4f}")
        lines.append(f"| {epochs} epochs, {runs[0]['budgets'][place]:,} updates | {' | '.join(cells)} |")
    for what in ("updates", "seconds"):
        totals = {name: np.mean([each[f"{name} {what}"] for each in runs]) for name in ("cosine", "alone", "branches")}
        lines.append(f"| {what} of all | {' | '.join(f'{total:,.1f}' for total in totals.values())} | |")
    equal = sum(sum(each["equal"]) for each in runs)
    lines += ["", f"{equal} of {len(runs) * len(options.epochs)} branches have the bits of the run alone."]
    text = "\n".join(lines) + "\n"
    print(text)
    path = Path(__file__).parent / "results" / f"branches_{options.data}.md"
    path.write_text(text)


if __name__ == "__main__":
    main()
