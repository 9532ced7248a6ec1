"""Many updates in a row as one compiled program."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxlr.loops import while_finite
from jaxlr.training.loop.mesh import DataMesh
from jaxlr.training.loop.update import State
from jaxlr.training.network.convolution import compiler_options
from jaxlr.transforms.rate.access import current_learning_rate, learning_rates
from jaxlr.transforms.state.inspection import current_hyperparameters

# state, what the feed gives, length -> state, updates done, metrics
TrainChunk = Callable[..., tuple[State, jax.Array, "ChunkMetrics"]]


class ChunkMetrics(NamedTuple):
    """Buffers for the metrics of a chunk."""

    learning_rate: jax.Array  # float32, (capacity,)
    loss: jax.Array  # float32, (capacity,)
    accuracy: jax.Array  # float32, (capacity,)
    gradient_norm: jax.Array  # float32, (capacity,)
    hyperparameters: dict[str, jax.Array]  # float32, (capacity,) by name


def recorded(optimizer_state: optax.OptState) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The learning rate of the last update, of groups the highest, and what else the state records, by name."""
    rates = learning_rates(optimizer_state)
    others = current_hyperparameters(optimizer_state)
    if len(rates) < 2:
        return current_learning_rate(optimizer_state), others
    groups = {f"learning_rate/{label}": rate for label, rate in rates.items()}
    return jnp.max(jnp.stack(list(rates.values()))), {**groups, **others}


def state_shardings(mesh: DataMesh, state: State, *, zero: bool) -> State:
    """Where everything that an update changes lies: on every device, the moments with `zero` in parts."""
    everywhere = jax.tree.map(lambda _: mesh.everywhere, state)
    return everywhere._replace(optimizer=jax.tree.map(mesh.of_moments, state.optimizer)) if zero else everywhere


def make_train_chunk(
    update: Callable, pick: Callable, mesh: DataMesh, shardings: State, *, capacity: int, skip: bool
) -> jax.stages.Wrapped:
    """The program: the first `length` updates of a chunk; unless `skip`, no further than a loss that is not finite.

    Args:
      update: what `make_update` returned.
      pick: what the feed gives, place -> images and labels of the update at this place of the chunk.
      mesh: the devices.
      shardings: of the state.
      capacity: updates that one call can make.
      skip: whether to go on after an update whose loss is not finite.

    Returns:
      A jitted function: state, what the feed gives, length -> state, updates done, `ChunkMetrics`; it takes the
      buffers of the state over, and may be traced once.
    """

    def train_chunk(state: State, fed: Any, length: jax.Array) -> tuple[State, jax.Array, ChunkMetrics]:
        def one(place: jax.Array, state: State) -> tuple[State, ChunkMetrics, jax.Array]:
            batch = lax.with_sharding_constraint(pick(fed, place), mesh.along(1))
            state = lax.with_sharding_constraint(state, shardings)
            state, loss, *others = update(state, *batch)
            state = lax.with_sharding_constraint(state, shardings)
            rate, hyperparameters = recorded(state.optimizer)
            entry = ChunkMetrics(rate, loss, *others, hyperparameters=hyperparameters)
            return state, entry, jnp.bool_(True) if skip else jnp.isfinite(loss)

        kinds = jax.eval_shape(lambda: recorded(state.optimizer)[1])
        empty = lambda: jnp.zeros(capacity, jnp.float32)  # noqa: E731
        buffers = ChunkMetrics(empty(), empty(), empty(), empty(), {name: empty() for name in kinds})
        done, _, state, metrics = while_finite(one, state, buffers, length)
        return state, done, metrics

    return jax.jit(
        _traced_once(train_chunk),
        donate_argnums=0,
        out_shardings=(shardings, mesh.everywhere, mesh.everywhere),
        compiler_options=compiler_options(mesh.platform),
    )


def _traced_once(function: Callable) -> Callable:
    traces = itertools.count(1)

    @functools.wraps(function)
    def counted(*arguments: Any) -> Any:
        assert next(traces) == 1, f"{function.__name__} is traced > 1 times: an argument has another shape or type"
        return function(*arguments)

    return counted
