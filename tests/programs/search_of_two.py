"""A sweep and branches that two processes share: run by test_search_over_hosts.py, once in each of them.

    python tests/programs/search_of_two.py ADDRESS PLACE FOLDER

Prints what the process has found, as the hexadecimal digits of its bytes.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxlr

RATES = [jaxlr.constant(0.5), *(jaxlr.linear(rate, 0.0, 10) for rate in (0.1, 0.2, 0.3, 1e30)), jaxlr.cosine(0.1, 9)]


def train(schedule):
    """Results of many kinds: numbers, an array, small floats, a NaN."""
    x = jax.lax.fori_loop(0, 10, lambda count, x: x - schedule(count) * x, 1.0)
    return {
        "end": x,
        "log": jnp.log(x - 1.0),
        "steps": jnp.int32(10),
        "finite": jnp.isfinite(x),
        "small": jnp.full((2, 3), x, jnp.bfloat16),
        "empty": jnp.zeros((0,)),
    }


def step(state, schedule, count):
    """A walk that a random key leads."""
    key, own = jax.random.split(state["key"])
    return {"key": key, "x": state["x"] - schedule(count) * (state["x"] - jax.random.normal(own, (3,)))}


def start():
    """The state at count 0."""
    return {"key": jax.random.key(0), "x": jnp.zeros(3)}


def as_text(tree):
    """All bytes of a tree."""
    leaves = [
        jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        for leaf in jax.tree.leaves(tree)
    ]
    return b"".join(np.asarray(leaf).tobytes() for leaf in leaves).hex()


def search(over_hosts=False, folder=None, strategy="auto"):
    """What is found, and which members `watch` was told of, in their order."""
    told = []
    swept = jaxlr.sweep(
        train,
        RATES,
        strategy=strategy,
        group_size=1,
        over_hosts=over_hosts,
        folder=folder and f"{folder}/swept",
        watch=lambda group: told.append(group.members.tolist()),
    )
    branched = jaxlr.branches(
        step,
        start(),
        jaxlr.constant(0.1),
        [10, 20, 40, 80],
        score=lambda state: jnp.sum(state["x"]),
        strategy="map",
        over_hosts=over_hosts,
        folder=folder and f"{folder}/branched",
        watch=lambda part: told.append([part.what, *part.budgets]),
    )
    found = (swept.results, branched.states, branched.scores, branched.trunk_scores)
    return as_text(found), told, (swept.loaded, branched.loaded)


def main():
    """Meets the other process and searches with it, twice: the second time all is on disk."""
    address, place, folder = sys.argv[1:]
    jax.distributed.initialize(address, 2, int(place))
    for _ in range(2):
        print(*search(True, folder), sep="\n", flush=True)
    jax.distributed.shutdown()


if __name__ == "__main__":
    main()
