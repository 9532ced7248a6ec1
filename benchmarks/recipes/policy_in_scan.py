"""A policy trained wholly inside scan, clipped surrogate and all, vmapped over seeds, rates and horizons."""

import jax
import jax.numpy as jnp
import optax

import jaxlr

RATES = jnp.array([0.05, 0.1, 0.2])
HORIZONS = jnp.array([20, 30, 40])
REWARDS = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.2]])  # of an action in a context


def surrogate(params, old, contexts, actions):
    now, before = (
        jnp.take_along_axis(jax.nn.log_softmax(p[contexts]), actions[:, None], 1)[:, 0] for p in (params, old)
    )
    rewards = REWARDS[contexts, actions]
    advantages = rewards - rewards.mean()
    ratio = jnp.exp(now - before)
    return -jnp.minimum(ratio * advantages, jnp.clip(ratio, 0.8, 1.2) * advantages).mean()


def trained(tx, rate_of, seed, number):
    params = jnp.zeros((3, 2))

    def step(carry, key):
        params, state, old = carry
        contexts = jax.random.randint(key, (64,), 0, 3)
        actions = jax.random.categorical(key, old[contexts])
        value, gradients = jax.value_and_grad(surrogate)(params, old, contexts, actions)
        updates, state = tx.update(gradients, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state, 0.5 * (params + old)), (rate_of(state), value)

    keys = jax.random.split(jax.random.key(seed), number)
    return jax.lax.scan(step, (params, tx.init(params), params), keys)[1]


def with_optax(number):
    def one(seed, rate, horizon):
        def schedule(count):
            return rate * (1 - jnp.minimum(count, horizon) / horizon)

        tx = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(schedule, eps=1e-5))
        return trained(tx, lambda state: schedule(state[1][0].count - 1), seed, number)

    return jax.jit(jax.vmap(one))(jnp.arange(3), RATES, HORIZONS)


def with_jaxlr(number):
    def one(seed, rate, horizon):
        schedule = jaxlr.linear(rate, 0.0, horizon)
        tx = optax.chain(jaxlr.clip_by_global_norm(0.5), jaxlr.adam(schedule, eps=1e-5))
        return trained(tx, jaxlr.current_learning_rate, seed, number)

    return jax.jit(jax.vmap(one))(jnp.arange(3), RATES, HORIZONS)
