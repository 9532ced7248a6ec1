"""Paths of a dialect's optimizers against recorded ones, as the recorders `record_*_optimizer_draws.py` define them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax


def rates(record, first):
    """The recorder's rate as a schedule."""
    table = jnp.asarray([record["rate"](first, count) for count in range(record["UPDATES"])], jnp.float32)
    return lambda count: table[count]


def walk(record, optimizer, name, draw):
    """The parameters before the first update and after each, in rows."""

    def step(carry, gradient):
        params, state = carry
        updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    first, gradients = (list(map(jnp.asarray, each)) for each in record["problem"](name, draw))
    path = jax.jit(lambda carry: jax.lax.scan(step, carry, gradients)[1])((first, optimizer.init(first)))
    rows = np.concatenate([np.reshape(each, (record["UPDATES"], -1)) for each in path], axis=1)
    return np.stack([record["row"](first), *rows])


def distances(record, port, name, draws=None):
    """From the recorded paths, as shares of the distance travelled."""
    with np.load(record["FILE"]) as golden:
        recorded = golden[name]
    for draw, arguments in enumerate(record["draws"](name)[:draws]):
        *path, travel = recorded[draw]
        got = walk(record, port(name, arguments), name, draw)[list(record["COUNTS"])]
        yield (np.abs(got.astype(np.float64) - path).max(axis=0) / travel).max()
