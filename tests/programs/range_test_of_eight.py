"""The range test on a mesh of eight devices: run by test_search_range.py in a process of its own."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxlr.search import constant_rate_test, lr_range_test


def loss_fn(params, batch):
    return jnp.mean((jnp.tanh(batch @ params["kernel"]) @ params["out"] - 1.0) ** 2)


def accuracy(params, batch):
    return jnp.mean((jnp.tanh(batch @ params["kernel"]) @ params["out"] > 0.5).astype(jnp.float32))


def main():
    mesh = Mesh(np.array(jax.devices()), ("data",))
    assert mesh.size == 8
    random = np.random.default_rng(0)
    params = {"kernel": random.normal(size=(5, 8)).astype(np.float32), "out": np.full(8, 0.1, np.float32)}
    batches = random.normal(size=(30, 64, 5)).astype(np.float32)
    layouts = {
        "batches split": (PartitionSpec(), PartitionSpec(None, "data")),
        "weights split": (PartitionSpec(), PartitionSpec()),
    }
    for test in (lr_range_test, constant_rate_test):
        arguments = {"num_steps": 30 if test is lr_range_test else 5, "start": 1e-3, "end": 0.5, "metric_fn": accuracy}
        alone = test(loss_fn, params, batches, **arguments)
        for layout, (of_params, of_batches) in layouts.items():
            placed = jax.device_put(params, NamedSharding(mesh, of_params))
            if layout == "weights split":
                placed["kernel"] = jax.device_put(params["kernel"], NamedSharding(mesh, PartitionSpec(None, "data")))
            split = jax.device_put(batches, NamedSharding(mesh, of_batches))
            in_turn = test is lr_range_test and layout == "batches split"
            for form in (split, list(split)) if in_turn else (split,):
                result = test(loss_fn, placed, form, **arguments)
                np.testing.assert_allclose(result.losses, alone.losses, rtol=2e-4)
                np.testing.assert_allclose(result.metrics, alone.metrics, atol=0.05)
                assert not placed["kernel"].is_deleted()


if __name__ == "__main__":
    main()
    print("all hold")
