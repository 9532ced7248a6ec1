"""The optimizers follow PyTorch's, and the formulas of the textbook."""

import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr.optimizers as optimizers
from jaxlr.dialects import torch

GOLDEN = Path(__file__).parents[1] / "golden"
TORCH = runpy.run_path(str(GOLDEN / "record_torch.py"))

PORTS = {
    "sgd": lambda rate: optimizers.sgd(rate),
    "sgd momentum": lambda rate: optimizers.sgd(rate, momentum=0.9),
    "sgd dampening": lambda rate: optimizers.sgd(rate, momentum=0.9, dampening=0.3),
    "sgd nesterov": lambda rate: optimizers.sgd(rate, momentum=0.9, nesterov=True),
    "sgd l2": lambda rate: optimizers.sgd(rate, momentum=0.9, weight_decay=0.1),
    "rmsprop": lambda rate: optimizers.rmsprop(rate, 0.99, eps_in_sqrt=False),
    "rmsprop momentum": lambda rate: torch.RMSprop(rate, momentum=0.9),
    "rmsprop centered": lambda rate: optimizers.rmsprop(rate, centered=True, decay=0.9, eps_in_sqrt=False),
    "rmsprop all": lambda rate: torch.RMSprop(
        rate, centered=True, alpha=0.95, momentum=0.8, weight_decay=0.1, eps=1e-6
    ),
    "adam": lambda rate: optimizers.adam(rate),
    "adam l2": lambda rate: optimizers.adam(rate, weight_decay=0.1),
    "adam amsgrad": lambda rate: optimizers.adam(rate, amsgrad=True, b2=0.9),
    "adam b2": lambda rate: optimizers.adam(rate, b2=0.999999),
    "adamw": lambda rate: optimizers.adamw(rate, weight_decay=0.01),
    "adamw amsgrad": lambda rate: optimizers.adamw(rate, amsgrad=True, weight_decay=0.1, b1=0.8, b2=0.95),
}


def walk(optimizer, first, gradients):
    """The parameters before the first update and after each."""

    def step(carry, gradient):
        params, state = carry
        updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    first = jnp.asarray(first)
    run = jax.jit(lambda params, state: jax.lax.scan(step, (params, state), jnp.asarray(gradients))[1])
    return np.concatenate([first[None], run(first, optimizer.init(first))])


def worst_of_travel(path, reference):
    """Largest distance from the reference, over what each coordinate of the reference travelled."""
    travel = np.abs(np.diff(reference.astype(np.float64), axis=0)).sum(axis=0)
    return (np.abs(path.astype(np.float64) - reference).max(axis=0) / travel).max()


def rates():
    return jnp.asarray([TORCH["rate"](count) for count in range(TORCH["UPDATES"])], jnp.float32)


@pytest.mark.parametrize("name", PORTS)
def test_follows_the_recorded_path_of_torch(name):
    with np.load(GOLDEN / "torch_optimizers.npz") as golden:
        assert str(golden["torch"]).startswith("2.14.1")
        first, gradients, reference = golden["first"], golden["gradients"], golden[name]
    table = rates()
    path = walk(PORTS[name](lambda count: table[count]), first, gradients)
    assert worst_of_travel(path, reference) < 2e-5


@pytest.mark.parametrize("name", PORTS)
def test_follows_torch_live(name):
    pytest.importorskip("torch")
    table = rates()
    path = walk(PORTS[name](lambda count: table[count]), *TORCH["problem"]())
    assert worst_of_travel(path, TORCH["record"](name)) < 2e-5


def test_every_recorded_path_has_a_port():
    assert set(PORTS) == set(TORCH["CASES"])
