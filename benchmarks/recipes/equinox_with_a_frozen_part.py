"""An Equinox model whose first layer is frozen by a filter, so that its gradients are None."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import problem

import jaxlr


class Network(eqx.Module):
    parts: dict
    activation: object = jnp.tanh  # a leaf that is no array

    def __call__(self, inputs):
        return problem.apply(self.parts, inputs)


def split(model):
    chosen = jax.tree.map(eqx.is_inexact_array, model)
    chosen = eqx.tree_at(lambda tree: tree.parts["embed"]["kernel"], chosen, replace=False)
    return eqx.partition(model, chosen)


def loss(trained, frozen, batch):
    return jnp.mean((eqx.combine(trained, frozen)(batch[0]) - batch[1]) ** 2)


def with_optax(number):
    schedule = optax.cosine_decay_schedule(0.02, number)
    tx = optax.adamw(schedule)
    trained, frozen = split(Network(problem.parameters()))

    @eqx.filter_jit
    def step(trained, state, batch):
        value, gradients = eqx.filter_value_and_grad(loss)(trained, frozen, batch)
        rate = schedule(state[0].count)
        updates, state = tx.update(gradients, state, trained)
        return eqx.apply_updates(trained, updates), state, rate, value

    return problem.trained(step, trained, tx.init(trained), number)


def with_jaxlr(number):
    schedule = jaxlr.cosine(0.02, number)
    tx = jaxlr.adamw(schedule)
    trained, frozen = split(Network(problem.parameters()))

    @eqx.filter_jit
    def step(trained, state, batch):
        value, gradients = eqx.filter_value_and_grad(loss)(trained, frozen, batch)
        updates, state = tx.update(gradients, state, trained)
        return eqx.apply_updates(trained, updates), state, jaxlr.current_learning_rate(state), value

    return problem.trained(step, trained, tx.init(trained), number)
