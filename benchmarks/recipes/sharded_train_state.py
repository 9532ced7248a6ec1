"""Flax' TrainState with sharded kernels, the rate in the log of every step."""

import jax
import numpy as np
import optax
import problem
from flax.training.train_state import TrainState
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jaxlr


def placed(params):
    mesh = Mesh(np.array(jax.devices()), "x")
    sharded, whole = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((None, "x"), ()))
    fits = 16 % len(jax.devices()) == 0
    return jax.tree.map(
        lambda p: jax.device_put(p, sharded if p.shape[-1] == 16 and p.ndim == 2 and fits else whole), params
    )


def with_optax(number):
    schedule = optax.warmup_cosine_decay_schedule(0.0, 0.02, number // 5, number)
    state = TrainState.create(apply_fn=problem.apply, params=placed(problem.parameters()), tx=optax.adamw(schedule))

    @jax.jit
    def step(_, state, batch):
        value, gradients = jax.value_and_grad(problem.loss)(state.params, batch)
        rate = schedule(state.step)
        return None, state.apply_gradients(grads=gradients), rate, value

    return problem.trained(step, None, state, number)


def with_jaxlr(number):
    schedule = jaxlr.warmup(jaxlr.cosine(0.02, number - number // 5), number // 5)
    state = TrainState.create(apply_fn=problem.apply, params=placed(problem.parameters()), tx=jaxlr.adamw(schedule))

    @jax.jit
    def step(_, state, batch):
        value, gradients = jax.value_and_grad(problem.loss)(state.params, batch)
        state = state.apply_gradients(grads=gradients)
        return None, state, jaxlr.current_learning_rate(state), value

    return problem.trained(step, None, state, number)
