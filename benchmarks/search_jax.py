"""The ways of benchmarks/search.py that run on JAX; `python search_jax.py WAY FILE.npz` prints one JSON object."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import jaxlr
from jaxlr.search.sweeps.run import sweep
from jaxlr.training.network.convolution import compiler_options
from jaxlr.training.network.models import CNN


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


def run_range(model, images, labels, batches, ends) -> dict[str, Any]:
    """A range test, and a second one on other weights, which finds the first one's program."""
    graph, *states = nnx.split(model, nnx.Param, ...)
    parameters, variables = map(nnx.to_pure_dict, states)
    traces = []

    def loss_fn(parameters, variables, batch, _):
        traces.append(None)
        network = nnx.merge(graph, parameters, variables)
        loss = loss_of(network, *batch)
        return loss, nnx.to_pure_dict(nnx.state(network, nnx.Not(nnx.Param)))

    def test(parameters):
        return jaxlr.lr_range_test(
            loss_fn,
            parameters,
            (images[batches], labels[batches]),
            optimizer=jaxlr.adam,
            start=float(ends[0]),
            end=float(ends[1]),
            num_steps=len(batches),
            model_state=variables,
            divergence=float("inf"),
            compiler_options=compiler_options(),
        )

    result = test(parameters)
    first, started = len(traces), time.perf_counter()
    test(jax.tree.map(lambda leaf: 0.5 * leaf, parameters))
    again = time.perf_counter() - started
    assert len(traces) == first
    return {"losses": result.losses.tolist(), "traces": first, "again": again, "note": result.stop_reason.split(":")[0]}


WAYS: dict[str, Callable[..., dict[str, Any]]] = {"sweep": run_sweep, "separate": run_separate, "range": run_range}


def main():
    way, path = sys.argv[1:]
    with np.load(path) as file:
        images, labels, batches, rates = (file[name] for name in ("images", "labels", "batches", "rates"))
    model = CNN(images.shape[1:], int(labels.max()) + 1, rngs=nnx.Rngs(0))
    jax.jit(jnp.negative)(1.0).block_until_ready()
    started = time.perf_counter()
    found = WAYS[way](model, images, labels, batches, rates)
    seconds = time.perf_counter() - started - found.get("again", 0.0)
    print(json.dumps({**found, "seconds": seconds, "versions": f"jax {jax.__version__}, optax {optax.__version__}"}))


if __name__ == "__main__":
    main()
