"""A part that stays as it is, a head that is ten times as fast, no decay of biases."""

import jax
import optax
import problem

import jaxlr


def with_optax(number):
    schedule = optax.cosine_decay_schedule(0.01, number)
    fast = optax.cosine_decay_schedule(0.1, number)

    def labels(params):
        return {part: jax.tree.map(lambda _, part=part: part, params[part]) for part in params}

    def decays(params):
        return jax.tree.map(lambda p: p.ndim > 1, params)

    tx = optax.partition(
        {
            "embed": optax.set_to_zero(),
            "body": optax.adamw(schedule, weight_decay=0.1, mask=decays),
            "head": optax.adamw(fast, weight_decay=0.1, mask=decays),
        },
        labels,
    )

    @jax.jit
    def step(params, state, batch):
        value, gradients = jax.value_and_grad(problem.loss)(params, batch)
        rate = schedule(state.inner_states["body"].inner_state[0].count)
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, rate, value

    params = problem.parameters()
    return problem.trained(step, params, tx.init(params), number)


def with_jaxlr(number):
    schedule = jaxlr.cosine(0.01, number)
    groups = jaxlr.ParameterGroups(rates={"head/*": 10.0}, frozen=["embed/*"], decay_from_rank=2)
    tx = groups.wrap(jaxlr.adamw(schedule, weight_decay=0.1))

    @jax.jit
    def step(params, state, batch):
        value, gradients = jax.value_and_grad(problem.loss)(params, batch)
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, jaxlr.learning_rates(state)["others"], value

    params = problem.parameters()
    return problem.trained(step, params, tx.init(params), number)
