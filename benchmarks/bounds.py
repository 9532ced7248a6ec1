"""What the bounds of a range test are worth: triangular2 between them against 16 constant rates.

    python benchmarks/bounds.py [--data digits] [--data-dir FOLDER] [--seeds 5] [--out table.md]

For each seed, `jaxlr find`'s range test (three ramps of 100 updates) proposes bounds, and a training under the default
triangular2 between them is compared with trainings at 16 constant rates from 1e-5 to 1, of the same network, batches
and number of updates, with Adam. The accuracy is that on the test images after the last update; nothing is chosen by it
but the best constant rate, which is the one with the highest mean over the seeds.
"""

import argparse
import dataclasses
import os
import platform
import sys
from pathlib import Path

import jax
import numpy as np

import jaxlr
from jaxlr.schedules import parse
from jaxlr.training.data.datasets import load_dataset
from jaxlr.training.network.convolution import compiler_options
from jaxlr.training.runs.config import TrainConfig, default_schedule
from jaxlr.training.searches.finding import find_rates
from jaxlr.training.searches.sweep import make_training, steps_per_epoch

RATES = np.geomspace(1e-5, 1.0, 16).astype(np.float32)
SIZES = {"digits": {"epochs": 16, "batch_size": 64, "width": 32}}
LARGE = {"epochs": 1, "batch_size": 128, "width": 16}


def accuracies(config: TrainConfig, data) -> tuple[str, float, np.ndarray]:
    """Of one seed: the schedule between the bounds, its test accuracy, and that of each constant rate."""
    low, high = (float(f"{rate:.2g}") for rate in find_rates(config, data, seeds=3).bounds())
    text = default_schedule(config.epochs, low, high)
    on_test = dataclasses.replace(data, validation=data.test)
    training = make_training(config, on_test)
    cyclic = parse(text, steps_per_epoch=steps_per_epoch(config, data))
    schedules = [jax.vmap(jaxlr.constant)(RATES), jax.vmap(lambda _: cyclic)(np.zeros(1))]
    found = jaxlr.sweep(training, schedules, compiler_options=compiler_options()).scores("validation_accuracy")
    found = np.nan_to_num(found, nan=0.0)
    return text, float(found[-1]), found[:-1]


def table(options) -> list[str]:
    config = TrainConfig(data=options.data, data_dir=options.data_dir, **SIZES.get(options.data, LARGE))
    cyclic, constant, texts = [], [], []
    for seed in range(options.seeds):
        config = dataclasses.replace(config, seed=seed)
        data = load_dataset(config.data, data_dir=config.data_dir, validation_fraction=config.validation, seed=seed)
        text, score, scores = accuracies(config, data)
        cyclic.append(score)
        constant.append(scores)
        texts.append(text)
        print(f"seed {seed}: {text} {score:.4f}, best constant {scores.max():.4f}", file=sys.stderr, flush=True)
    means = np.mean(constant, axis=0)
    best = int(means.argmax())
    lines = [
        f"{options.data}: {config.epochs} epochs in batches of {config.batch_size}, width {config.width}, "
        f"seeds 0 to {options.seeds - 1}, test accuracy",
        "",
        "| rate | mean | lowest | highest |",
        "| --- | --- | --- | --- |",
    ]
    for rate, column in zip(RATES, np.transpose(constant), strict=True):
        lines.append(f"| {rate:.2g} | {column.mean():.4f} | {column.min():.4f} | {column.max():.4f} |")
    lines.append(f"| found bounds | {np.mean(cyclic):.4f} | {min(cyclic):.4f} | {max(cyclic):.4f} |")
    difference = 100 * (np.mean(cyclic) - means[best])
    return [
        *lines,
        "",
        f"The bounds, by seed: {', '.join(f'`{text}`' for text in texts)}.",
        "",
        f"Against the best constant rate, {RATES[best]:.2g}: {difference:+.2f} points.",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="as for `jaxlr train`")
    parser.add_argument("--data-dir", type=Path, help="folder with the data set's files")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="where the table goes, as markdown")
    options = parser.parse_args()
    head = (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"jax {jax.__version__}; `python benchmarks/bounds.py --data {options.data}`"
    )
    text = "\n".join([head, "", *table(options)]) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
