"""What one compilation saves: a sweep against separate runs as they are written today, a range test against torch's.

    python benchmarks/search.py [--torch-python PYTHON] [--members 16] [--updates 100] [--runs 3] [--out table.md]

All train the network of `jaxlr train` (two blocks of convolution, width 32) with Adam on batches of 64 images.

A range test of 100 rates from 1e-7 to 0.1, none of which stops early:

- jaxlr: `lr_range_test`. The first call compiles; a second one, on other weights, does not.
- torch: torch-lr-finder's `LRFinder.range_test` on a `DataLoader` that shuffles images in memory; eager.

A sweep over peaks, each with a cosine to 0, the same training both ways:

- sweep: `jaxlr.sweep` over a training written as one function of the schedule.
- separate: for each peak a new optax schedule and chain, a new `nnx.jit` of the step, a Python loop over the batches.

Each way is a process of its own, the ways take turns, and the medians count. Time runs from the first rate to the last
loss, tracing and compilation included; imports, data and the initial network are left out. Both ways of a sweep must
find the same losses. PYTHON is an interpreter with torch and torch-lr-finder; without it torch is left out.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from jaxlr.training.data.datasets import load_dataset
from jaxlr.training.loop.order import BatchOrder

BATCH_SIZE = 64
RATES, ENDS = 100, (1e-7, 0.1)
PEAKS = (1e-4, 0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", help="a Python interpreter that has torch and torch-lr-finder")
    parser.add_argument("--data", default="digits", help="the images of the range test, as for `jaxlr train`")
    parser.add_argument("--members", type=int, default=16, help="learning rates in the sweep")
    parser.add_argument("--updates", type=int, default=100, help="updates of each member")
    parser.add_argument("--runs", type=int, default=3, help="turns of each way; the median counts")
    parser.add_argument("--out", type=Path, help="where the tables go, as markdown")
    options = parser.parse_args()
    range_lines, sweep_lines = compare_range_tests(options), compare_sweeps(options)
    head = (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}; `python benchmarks/search.py`"
    )
    text = "\n".join([head, "", *range_lines, "", *sweep_lines]) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text)


def compare_range_tests(options) -> list[str]:
    """The table of the range test against torch's."""
    ways = {"jaxlr": [sys.executable, "search_jax.py", "range"]}
    if options.torch_python:
        ways["torch-lr-finder"] = [options.torch_python, "search_torch.py"]
    found = take_turns(ways, options.data, RATES, np.asarray(ENDS), options.runs)
    lines = [
        f"A range test of {RATES} rates on {options.data}:",
        "",
        "| | first, s | again, s | versions |",
        "| --- | --- | --- | --- |",
    ]
    for way, results in found.items():
        seconds, again = (median(each[name] for each in results) for name in ("seconds", "again"))
        lines.append(f"| {way} | {seconds:.2f} | {again:.2f} | {results[0]['versions']} |")
    return lines


def compare_sweeps(options) -> list[str]:
    """The table of the sweep against the separate runs."""
    peaks = np.geomspace(*PEAKS, options.members).astype(np.float32)
    ways = {way: [sys.executable, "search_jax.py", way] for way in ("sweep", "separate")}
    found = take_turns(ways, "digits", options.updates, peaks, options.runs)
    ours, theirs = (np.asarray(found[way][0]["losses"]) for way in ways)
    # Rounding differs and grows along the way, fastest at high rates: the first updates tell whether it is the same.
    np.testing.assert_allclose(ours[:, :3], theirs[:, :3], rtol=2e-3)
    lines = [
        f"A sweep of {options.members} members of {options.updates} updates on digits:",
        "",
        "| | wall time, s | traces | |",
        "| --- | --- | --- | --- |",
    ]
    seconds = {way: median(each["seconds"] for each in results) for way, results in found.items()}
    for way, results in found.items():
        lines.append(f"| {way} | {seconds[way]:.1f} | {results[0]['traces']} | {results[0]['note']} |")
    return [*lines, "", f"The sweep is {seconds['separate'] / seconds['sweep']:.1f} times as fast."]


def take_turns(
    ways: dict[str, list[str]], data: str, updates: int, rates: np.ndarray, runs: int
) -> dict[str, list[dict[str, Any]]]:
    """Runs each way some times in processes of their own; what each printed."""
    split = load_dataset(data).train
    batches = BatchOrder(len(split.labels), BATCH_SIZE, 1, 0).indices(0, updates)[:, 0]
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        np.savez(path, images=split.images, labels=split.labels, batches=batches, rates=rates)
        for run in range(runs):
            for way, (python, script, *words) in ways.items():
                found[way].append(in_own_process([python, str(Path(__file__).with_name(script)), *words, str(path)]))
                print(f"run {run + 1}, {way}: {found[way][-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    return found


def in_own_process(command: list[str]) -> dict[str, Any]:
    # Threads that spin while they wait make torch many times slower on a machine that does anything else.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if finished.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{finished.stderr}")
    return json.loads(finished.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
