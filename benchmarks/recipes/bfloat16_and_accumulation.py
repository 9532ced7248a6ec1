"""Bfloat16 gradients, a decay of matrices alone, and an update from every four micro-batches."""

import jax
import jax.numpy as jnp
import optax
import problem

import jaxlr

EVERY = 4


def decays(params):
    return jax.tree.map(lambda p: p.ndim > 1, params)


def gradients_of(params, batch):
    """The loss, and gradients computed in bfloat16, kept in float32 so that Optax averages them in it."""
    half, inputs = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), (params, batch))
    gradients = jax.grad(problem.loss)(half, inputs)
    return problem.loss(params, batch), jax.tree.map(lambda leaf: leaf.astype(jnp.float32), gradients)


def with_optax(number):
    schedule = optax.linear_schedule(0.01, 0.0, number // EVERY)
    tx = optax.MultiSteps(optax.adamw(schedule, weight_decay=0.1, mask=decays), EVERY)

    @jax.jit
    def step(params, state, batch):
        value, gradients = gradients_of(params, batch)
        rate = schedule(state.gradient_step)
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, rate, value

    params = problem.parameters()
    return problem.trained(step, params, tx.init(params), number)


def with_jaxlr(number):
    schedule = jaxlr.linear(0.01, 0.0, number // EVERY)
    tx = jaxlr.accumulate(jaxlr.adamw(schedule, weight_decay=0.1, mask=decays), EVERY)

    @jax.jit
    def step(params, state, batch):
        value, gradients = gradients_of(params, batch)
        rate = schedule(jaxlr.update_count(state))
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, rate, value

    params = problem.parameters()
    return problem.trained(step, params, tx.init(params), number)
