"""Optimizers on a mesh of eight devices: run by test_transforms_mesh.py in a process of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from flax.training.train_state import TrainState
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxlr import optimizers
from jaxlr.transforms import (
    clip_by_global_norm,
    current_learning_rate,
    load_state_dict,
    observe,
    reduce_on_plateau,
    set_learning_rate,
    state_dict,
)


def schedule(count):
    return 0.1 / (1.0 + count)


def gradients_of(params, shift):
    return jax.tree.map(lambda p: jnp.sin(p + shift), params)


def run(optimizer, params, state=None):
    """Five updates with the rate set by hand for the third and fourth; returns all that changed, and the step."""
    state = optimizer.init(params) if state is None else state

    @jax.jit
    def step(params, state, shift):
        updates, state = optimizer.update(gradients_of(params, shift), state, params)
        return optax.apply_updates(params, updates), state

    rates = []
    for shift, value in enumerate(["keep", "keep", 0.5, "keep", None]):
        state = state if value == "keep" else set_learning_rate(state, value)
        params, state = step(params, state, jnp.float32(shift))
        rates.append(float(current_learning_rate(state)))
    return params, state, rates, step


def shardings(tree):
    return [leaf.sharding for leaf in jax.tree.leaves(tree)]


def check_links(mesh, plain):
    """One compilation, sharded moments, replicated scalars, and the numbers of one device."""
    split = NamedSharding(mesh, PartitionSpec("data"))
    everywhere = NamedSharding(mesh, PartitionSpec())
    placed = {"kernel": jax.device_put(plain["kernel"], split), "bias": jax.device_put(plain["bias"], everywhere)}
    for make in (
        lambda: optimizers.sgd(schedule, momentum=0.9, nesterov=True),
        lambda: optimizers.rmsprop(schedule, centered=True, momentum=0.9),
        lambda: optax.chain(clip_by_global_norm(1.0), optimizers.adamw(reduce_on_plateau(schedule))),
    ):
        start = make().init(placed)
        for leaf in jax.tree.leaves(start):
            expected = split if leaf.shape == plain["kernel"].shape else everywhere
            assert leaf.sharding.is_equivalent_to(expected, leaf.ndim), leaf.sharding
        params, state, rates, step = run(make(), placed)
        assert step._cache_size() == 1, step._cache_size()
        assert (
            shardings(state) == shardings(set_learning_rate(state, 0.25)) == shardings(set_learning_rate(state, None))
        )
        np.testing.assert_allclose(rates, [0.1, 0.05, 0.5, 0.5, 0.02], rtol=1e-6)
        alone, _, _, _ = run(make(), plain)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), params, alone)

        loaded, report = load_state_dict(make().init(placed), {k: np.asarray(v) for k, v in state_dict(state).items()})
        assert report.missing == report.extra == report.misshapen == ()
        for leaf, other in zip(jax.tree.leaves(loaded), jax.tree.leaves(state), strict=True):
            assert leaf.sharding.is_equivalent_to(other.sharding, leaf.ndim)


def check_train_state(mesh, plain):
    """A TrainState and an nnx.Optimizer keep their one compilation when the rate is set."""
    split = NamedSharding(mesh, PartitionSpec("data"))
    params = {"kernel": jax.device_put(plain["kernel"], split)}
    holder = TrainState.create(apply_fn=None, params=params, tx=optimizers.adamw(schedule))
    holder = holder.replace(step=jax.device_put(jnp.int32(0), NamedSharding(mesh, PartitionSpec())))
    step = jax.jit(lambda state: state.apply_gradients(grads=gradients_of(state.params, 0.0)))
    for value in (0.5, None, 0.25):
        holder = step(set_learning_rate(holder, value))
        assert float(current_learning_rate(holder)) == np.float32(value or 0.05)
    assert step._cache_size() == 1

    model = nnx.Linear(8, 2, rngs=nnx.Rngs(0))
    model.kernel[...] = jax.device_put(model.kernel[...], split)
    model.bias[...] = jax.device_put(model.bias[...], NamedSharding(mesh, PartitionSpec()))
    optimizer = nnx.Optimizer(model, optimizers.adamw(schedule), wrt=nnx.Param)
    for value in (0.5, None, 0.25):
        before = shardings(nnx.state(optimizer))
        set_learning_rate(optimizer, value)
        assert shardings(nnx.state(optimizer)) == before
        optimizer.update(model, nnx.state(model, nnx.Param))
        assert float(current_learning_rate(optimizer)) == np.float32(value or 0.05)


def check_plateau(mesh):
    """Inside shard_map every device sees another metric; all decide by the mean."""
    optimizer = optimizers.sgd(reduce_on_plateau(1.0, factor=0.5, patience=0, axis_name="data"))
    params = jnp.ones(4)

    def on_each(metrics):
        state = optimizer.init(params)
        for metric in metrics[:2, 0]:
            state = observe(state, metric, axis_name="data")
        for metric in metrics[2:, 0]:
            _, state = optimizer.update(params, state, params, value=metric)
        return current_learning_rate(state)[None]

    # Means 2, 1, 3 (bad), 0.5, 0.5 (bad); single devices would decide otherwise.
    spread = np.linspace(-0.9, 0.9, 8)
    metrics = jnp.asarray(
        [[2.0], [1.0], [3.0], [0.5], [0.5]] + spread * np.array([[1], [-1], [3], [0], [0.5]]), jnp.float32
    )
    along = PartitionSpec(None, "data")
    rates = jax.jit(jax.shard_map(on_each, mesh=mesh, in_specs=along, out_specs=PartitionSpec("data")))(metrics)
    np.testing.assert_array_equal(rates, np.full(8, 0.25, np.float32))


if __name__ == "__main__":
    devices = Mesh(np.array(jax.devices()), ("data",))
    assert devices.size == 8
    first = {"kernel": jnp.linspace(-1.0, 1.0, 32).reshape(8, 4), "bias": jnp.ones(3)}
    check_links(devices, first)
    check_train_state(devices, first)
    check_plateau(devices)
    print("all hold")
