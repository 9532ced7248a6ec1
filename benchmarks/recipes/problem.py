"""What the recipes train: a small network with three named parts, on batches that are always the same."""

import jax
import jax.numpy as jnp
import numpy as np


def parameters(seed=0):
    random = np.random.default_rng(seed)
    return {
        "embed": {"kernel": jnp.asarray(random.normal(size=(8, 16)) / 3, jnp.float32)},
        "body": {"kernel": jnp.asarray(random.normal(size=(16, 16)) / 4, jnp.float32), "bias": jnp.zeros(16)},
        "head": {"kernel": jnp.asarray(random.normal(size=(16, 1)) / 4, jnp.float32), "bias": jnp.zeros(1)},
    }


def batches(number):
    """Inputs and targets of `number` batches of 32."""
    random = np.random.default_rng(1)
    inputs = random.normal(size=(number, 32, 8)).astype(np.float32)
    return jnp.asarray(inputs), jnp.asarray(np.sin(inputs.sum(-1, keepdims=True)))


def apply(params, inputs):
    hidden = jnp.tanh(inputs @ params["embed"]["kernel"])
    hidden = jnp.tanh(hidden @ params["body"]["kernel"] + params["body"]["bias"])
    return hidden @ params["head"]["kernel"] + params["head"]["bias"]


def loss(params, batch):
    inputs, targets = batch
    return jnp.mean((apply(params, inputs) - targets) ** 2)


def trained(step, params, state, number):
    """The rates and losses of `number` steps; `step(params, state, batch)` gives params, state, rate, loss."""
    rates, losses = [], []
    for batch in zip(*batches(number), strict=True):
        params, state, rate, value = step(params, state, batch)
        rates.append(rate)
        losses.append(value)
    return np.asarray(jax.device_get(rates)), np.asarray(jax.device_get(losses))
