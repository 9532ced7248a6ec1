"""What one compilation saves: a sweep over learning rates against separate runs as they are written today.

    python benchmarks/search.py [--members 16] [--updates 100] [--runs 3] [--out table.md]

The same training both ways: the digits, the network of `jaxlr train` (two blocks of convolution, width 32), batches of
64, Adam on a cosine from each of the peaks to 0.

- sweep: `jaxlr.sweep` over a training written as one function of the schedule.
- separate: for each peak a new optax schedule and chain, a new `nnx.jit` of the step, a Python loop over the batches.

Each way is a process of its own, the ways take turns, and the median counts. Time runs from the first peak to the last
loss, tracing and compilation included; imports, data and the initial network are left out. Both must find the same
losses.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import jaxlr
from jaxlr.search.sweeps import sweep
from jaxlr.training.convolution import compiler_options
from jaxlr.training.data import load_dataset
from jaxlr.training.loop import epoch_order
from jaxlr.training.models import CNN

BATCH_SIZE = 64


def loss_of(model, images, labels):
    return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()


def run_sweep(model, images, labels, batches, peaks) -> dict[str, Any]:
    """All peaks with `jaxlr.sweep`."""
    graph, *states = nnx.split(model, nnx.Param, ...)
    parameters, variables = map(nnx.to_pure_dict, states)

    def training(schedule):
        optimizer = jaxlr.adam(schedule)

        def step(carry, batch):
            parameters, variables, state = carry

            def objective(parameters):
                network = nnx.merge(graph, parameters, variables)
                loss = loss_of(network, images[batch], labels[batch])
                return loss, nnx.to_pure_dict(nnx.state(network, nnx.Not(nnx.Param)))

            (loss, statistics), gradients = jax.value_and_grad(objective, has_aux=True)(parameters)
            changes, state = optimizer.update(gradients, state, parameters)
            return (optax.apply_updates(parameters, changes), statistics, state), loss

        return jax.lax.scan(step, (parameters, variables, optimizer.init(parameters)), batches)[1]

    images, labels, batches = jnp.asarray(images), jnp.asarray(labels), jnp.asarray(batches)
    schedules = jax.vmap(lambda peak: jaxlr.cosine(peak, len(batches)))(jnp.asarray(peaks))
    result = sweep(training, schedules, compiler_options=compiler_options())
    return {
        "losses": result.results.tolist(),
        "traces": result.traces,
        "compile_seconds": result.compile_seconds,
        "note": f"{result.strategies[0]}: {result.reasons[0]}",
    }


def run_separate(model, images, labels, batches, peaks) -> dict[str, Any]:
    """One peak after the other, each with a chain and a jit of its own."""
    traces, losses = [], []
    for peak in peaks:
        network = nnx.clone(model)
        schedule = optax.cosine_decay_schedule(float(peak), len(batches))
        optimizer = nnx.Optimizer(network, optax.chain(optax.scale_by_adam(), optax.scale_by_learning_rate(schedule)),
                                  wrt=nnx.Param)  # fmt: skip

        @nnx.jit
        def step(network, optimizer, images, labels):
            traces.append(None)
            loss, gradients = nnx.value_and_grad(loss_of)(network, images, labels)
            optimizer.update(network, gradients)
            return loss

        run = [step(network, optimizer, images[batch], labels[batch]) for batch in batches]
        losses.append(np.asarray(jax.block_until_ready(run)).tolist())
    return {"losses": losses, "traces": len(traces), "compile_seconds": float("nan"), "note": "a jit for each peak"}


WAYS: dict[str, Callable[..., dict[str, Any]]] = {"sweep": run_sweep, "separate": run_separate}


def run_way(options) -> dict[str, Any]:
    """One way, timed."""
    data = load_dataset("digits").train
    epochs = -(-options.updates * BATCH_SIZE // (len(data.labels) // BATCH_SIZE * BATCH_SIZE))
    used = len(data.labels) // BATCH_SIZE * BATCH_SIZE
    order = np.concatenate([epoch_order(len(data.labels), 0, epoch)[:used] for epoch in range(epochs)])
    batches = order.reshape(-1, BATCH_SIZE)[: options.updates]
    peaks = np.geomspace(1e-4, 0.1, options.members).astype(np.float32)
    model = CNN(data.images.shape[1:], data_classes(data.labels), rngs=nnx.Rngs(0))
    jax.jit(jnp.negative)(1.0).block_until_ready()
    started = time.perf_counter()
    found = WAYS[options.way](model, data.images, data.labels, batches, peaks)
    return {**found, "seconds": time.perf_counter() - started}


def data_classes(labels) -> int:
    return int(labels.max()) + 1


def compare_sweeps(options) -> list[str]:
    """The table of the sweep against the separate runs."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for run in range(options.runs):
        for way, results in found.items():
            results.append(in_own_process(way, options))
            print(f"run {run + 1}, {way}: {results[-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    ours, theirs = (np.asarray(found[way][0]["losses"]) for way in ("sweep", "separate"))
    # Rounding differs and grows along the way, fastest at high rates: the first updates tell whether it is the same.
    np.testing.assert_allclose(ours[:, :3], theirs[:, :3], rtol=2e-3)
    seconds = {way: median(each["seconds"] for each in results) for way, results in found.items()}
    lines = ["| | wall time, s | traces | |", "| --- | --- | --- | --- |"]
    for way, results in found.items():
        lines.append(f"| {way} | {seconds[way]:.1f} | {results[0]['traces']} | {results[0]['note']} |")
    ratio = seconds["separate"] / seconds["sweep"]
    lines += ["", f"The sweep of {options.members} members of {options.updates} updates is {ratio:.1f} times as fast."]
    return lines


def in_own_process(way: str, options) -> dict[str, Any]:
    command = [sys.executable, __file__, "--way", way, "--members", str(options.members)]
    command += ["--updates", str(options.updates)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        sys.exit(f"{way} failed:\n{finished.stderr}")
    return json.loads(finished.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=16, help="learning rates in the sweep")
    parser.add_argument("--updates", type=int, default=100, help="updates of each member")
    parser.add_argument("--runs", type=int, default=3, help="turns of each way; the median counts")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="where the tables go, as markdown")
    options = parser.parse_args()
    if options.way:
        print(json.dumps(run_way(options)))
        return
    head = (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, jax {jax.__version__}"
    )
    text = "\n".join([head, "", *compare_sweeps(options)]) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
