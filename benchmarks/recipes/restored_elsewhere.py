"""A run that is saved half-way and goes on under another schedule, on another mesh; the count goes on."""

import tempfile
from pathlib import Path

import jax
import numpy as np
import optax
import orbax.checkpoint as ocp
import problem
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jaxlr


def saved(tree, folder):
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder / "half", tree)


def restored(tree, folder):
    """The saved numbers, on all devices."""
    mesh = NamedSharding(Mesh(np.array(jax.devices()), "x"), PartitionSpec())
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=mesh), tree)
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(folder / "half", shapes)


def with_optax(number):
    def part(params, state, schedule, tx, batches):
        rates, losses = [], []
        for batch in batches:
            value, gradients = jax.value_and_grad(problem.loss)(params, batch)
            rates.append(float(schedule(state[0].count)))
            updates, state = tx.update(gradients, state, params)
            params = optax.apply_updates(params, updates)
            losses.append(float(value))
        return params, state, rates, losses

    batches, half = list(zip(*problem.batches(number), strict=True)), number // 2
    first = optax.constant_schedule(0.01)
    params = problem.parameters()
    params, state, rates, losses = part(
        params, optax.adamw(first).init(params), first, optax.adamw(first), batches[:half]
    )
    second = optax.linear_schedule(0.01, 0.0, number - half, half)
    with tempfile.TemporaryDirectory() as folder:
        saved({"params": params, "state": state}, Path(folder))
        new = restored({"params": params, "state": optax.adamw(second).init(params)}, Path(folder))
    _, _, more, further = part(new["params"], new["state"], second, optax.adamw(second), batches[half:])
    return rates + more, losses + further


def with_jaxlr(number):
    def part(params, state, tx, batches):
        rates, losses = [], []
        for batch in batches:
            value, gradients = jax.value_and_grad(problem.loss)(params, batch)
            updates, state = tx.update(gradients, state, params)
            params = optax.apply_updates(params, updates)
            rates.append(float(jaxlr.current_learning_rate(state)))
            losses.append(float(value))
        return params, state, rates, losses

    batches, half = list(zip(*problem.batches(number), strict=True)), number // 2
    first = jaxlr.adamw(jaxlr.constant(0.01))
    params = problem.parameters()
    params, state, rates, losses = part(params, first.init(params), first, batches[:half])
    second = jaxlr.adamw(jaxlr.cooldown(jaxlr.constant(0.01), half, number - half, shape="linear"))
    with tempfile.TemporaryDirectory() as folder:
        saved({"params": params, "state": state}, Path(folder))
        new = restored({"params": params, "state": second.init(params)}, Path(folder))
    _, _, more, further = part(new["params"], new["state"], second, batches[half:])
    return rates + more, losses + further
