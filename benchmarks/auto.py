"""What `--lr auto` is worth: against the default schedule, and against the best of 16 constant rates.

    python benchmarks/auto.py [--data digits] [--data-dir FOLDER] [--seeds 5] [--out table.md]

For each seed, the range test of `jaxlr train --lr auto` recommends a rate. A training under the default schedule with
that peak is compared with one under the default schedule as it is, and with trainings at 16 constant rates from 1e-5 to
1: the same network, batches and number of updates, with Adam. The accuracy is that on the test images after the last
update; nothing is chosen by it but the best constant rate, which is the one with the highest mean over the seeds.
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
from jaxlr.training.searches.finding import find_rates, schedule_of
from jaxlr.training.searches.sweep import make_training, steps_per_epoch

RATES = np.geomspace(1e-5, 1.0, 16).astype(np.float32)
SIZES = {"digits": {"epochs": 16, "batch_size": 64, "width": 32}}
LARGE = {"epochs": 1, "batch_size": 128, "width": 16}


def accuracies(config: TrainConfig, data) -> tuple[str, np.ndarray]:
    """Of one seed: the schedule of `--lr auto`, and test accuracies under it, the default and the constant rates."""
    text = schedule_of(config, find_rates(config, data, seeds=3))
    on_test = dataclasses.replace(data, validation=data.test)
    steps = steps_per_epoch(config, data)
    cycles = [parse(each, steps_per_epoch=steps) for each in (text, default_schedule(config.epochs))]
    alone = [jax.vmap(lambda _, cycle=cycle: cycle)(np.zeros(1)) for cycle in cycles]
    schedules = [*alone, jax.vmap(jaxlr.constant)(RATES)]
    found = jaxlr.sweep(make_training(config, on_test), schedules, compiler_options=compiler_options())
    return text, np.nan_to_num(found.scores("validation_accuracy"), nan=0.0)


def table(options) -> list[str]:
    config = TrainConfig(data=options.data, data_dir=options.data_dir, **SIZES.get(options.data, LARGE))
    rows, texts = [], []
    for seed in range(options.seeds):
        config = dataclasses.replace(config, seed=seed)
        data = load_dataset(config.data, data_dir=config.data_dir, validation_fraction=config.validation, seed=seed)
        text, scores = accuracies(config, data)
        rows.append(scores)
        texts.append(text)
        said = f"auto {scores[0]:.4f}, default {scores[1]:.4f}, best constant {scores[2:].max():.4f}"
        print(f"seed {seed}: {text}: {said}", file=sys.stderr, flush=True)
    columns = np.transpose(rows)
    means = columns.mean(axis=1)
    best = int(means[2:].argmax())
    names = ["--lr auto", f"the default, {default_schedule(config.epochs)}", *(f"{rate:.2g}" for rate in RATES)]
    return [
        f"{options.data}: {config.epochs} epochs in batches of {config.batch_size}, width {config.width}, "
        f"seeds 0 to {options.seeds - 1}, test accuracy",
        "",
        "| rate | mean | lowest | highest |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {column.mean():.4f} | {column.min():.4f} | {column.max():.4f} |"
            for name, column in zip(names, columns, strict=True)
        ),
        "",
        f"`--lr auto` took, by seed: {', '.join(f'`{text}`' for text in texts)}.",
        "",
        f"It against the default: {100 * (means[0] - means[1]):+.2f} points; against the best constant rate, "
        f"{RATES[best]:.2g}: {100 * (means[0] - means[2 + best]):+.2f}.",
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
        f"jax {jax.__version__}; `python benchmarks/auto.py --data {options.data}`"
    )
    text = "\n".join([head, "", *table(options)]) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
