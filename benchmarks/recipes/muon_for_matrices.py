"""Muon for the matrices within, AdamW for the rest, each with a rate of its own."""

import jax
import optax
import problem

import jaxlr


def label(path, parameter):
    return "muon" if path[0].key == "body" and parameter.ndim == 2 else "adamw"


def labels(params):
    return jax.tree.map_with_path(label, params)


def every_matrix(params):
    return jax.tree.map(lambda _: optax.contrib.MuonDimensionNumbers(), params)


def with_optax(number):
    schedule = optax.warmup_cosine_decay_schedule(0.0, 0.02, number // 5, number)
    direction = optax.contrib.scale_by_muon(weight_dimension_numbers=every_matrix)
    muon = optax.chain(direction, optax.scale_by_learning_rate(schedule))
    adamw = optax.adamw(lambda count: 0.15 * schedule(count), weight_decay=0.1)
    tx = optax.partition({"muon": muon, "adamw": adamw}, labels)

    @jax.jit
    def step(params, state, batch):
        value, gradients = jax.value_and_grad(problem.loss)(params, batch)
        rate = schedule(state.inner_states["muon"].inner_state[1].count)
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, rate, value

    params = problem.parameters()
    return problem.trained(step, params, tx.init(params), number)


def with_jaxlr(number):
    schedule = jaxlr.warmup(jaxlr.cosine(0.02, number - number // 5), number // 5)
    direction = optax.contrib.scale_by_muon(weight_dimension_numbers=every_matrix)
    muon = optax.chain(direction, jaxlr.scale_by_learning_rate(schedule))
    adamw = jaxlr.adamw(0.15 * schedule, weight_decay=0.1)
    tx = optax.partition({"muon": muon, "adamw": adamw}, labels)

    @jax.jit
    def step(params, state, batch):
        value, gradients = jax.value_and_grad(problem.loss)(params, batch)
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, jaxlr.learning_rates(state)["muon"], value

    params = problem.parameters()
    return problem.trained(step, params, tx.init(params), number)
