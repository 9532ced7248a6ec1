"""The programs of a training, made from shapes alone: the updates of a chunk, and the evaluation of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from flax import nnx

from jaxlr.training.data.splits import Dataset
from jaxlr.training.loop.chunk import make_train_chunk, state_shardings
from jaxlr.training.loop.feed import Resident, Streamed
from jaxlr.training.loop.mesh import DataMesh
from jaxlr.training.loop.order import BatchOrder
from jaxlr.training.loop.update import EVALUATION_BATCH, State, make_evaluate_batch, make_update
from jaxlr.training.network.convolution import compiler_options
from jaxlr.transforms.rate.access import current_learning_rate


class Parted(NamedTuple):
    """A network in parts that a program can take."""

    graph: nnx.GraphDef[Any]
    evaluated_graph: nnx.GraphDef[Any]
    parameters: Any  # nested dictionaries, as is what follows
    variables: Any


class Programs(NamedTuple):
    """The programs of a training, and where its state lies."""

    shardings: State
    train_chunk: jax.stages.Wrapped
    evaluate_batch: jax.stages.Wrapped


def parted(model: nnx.Module) -> Parted:
    """Parts a copy of a network, of arrays or of shapes, into what it is and what it holds."""
    model = nnx.clone(model)
    model.eval()
    evaluated_graph = nnx.graphdef(model)
    model.train()
    graph, parameters, variables = nnx.split(model, nnx.Param, ...)
    return Parted(graph, evaluated_graph, nnx.to_pure_dict(parameters), nnx.to_pure_dict(variables))


def starting_state(network: Parted, optimizer: optax.GradientTransformation) -> State:
    """The state before the first update of a network in parts, under an optimizer that must record its rate."""
    state = State(network.parameters, network.variables, optimizer.init(network.parameters))
    current_learning_rate(state.optimizer)  # raises here, not in the first update
    return state


def check_order(data: Dataset, *, batch_size: int, accumulate: int, seed: int) -> BatchOrder:
    """The order of the images, its numbers checked."""
    if batch_size > len(data.train):
        raise ValueError(f"batch_size must be at most the {len(data.train)} training images, got {batch_size}")
    if not len(data.validation):
        raise ValueError("data.validation must have at least one image, got none")
    return BatchOrder(len(data.train), batch_size, accumulate, seed)


def evaluated_at_once(mesh: DataMesh) -> int:
    """The images of a batch of an evaluation: a multiple of the devices."""
    return -(-EVALUATION_BATCH // mesh.size) * mesh.size


def make_programs(
    network: Parted,
    state: State,
    optimizer: optax.GradientTransformation,
    mesh: DataMesh,
    feed: Resident | Streamed | type[Resident] | type[Streamed],
    *,
    capacity: int,
    loss: Callable,
    l1: float,
    l2: float,
    skip: bool,
    zero: bool,
) -> Programs:
    """Makes the programs, each call of at most `capacity` updates; nothing is compiled yet.

    The state may be shapes, and the devices of the mesh need not be there; the rest is as for `Trainer`.
    """
    shardings = state_shardings(mesh, state, zero=zero)
    update = make_update(network.graph, optimizer, loss, l1, l2, skip=skip, sharers=mesh if zero else None)
    return Programs(
        shardings,
        make_train_chunk(update, feed.pick, mesh, shardings, capacity=capacity, skip=skip),
        jax.jit(
            make_evaluate_batch(network.evaluated_graph, loss),
            out_shardings=mesh.everywhere,
            compiler_options=compiler_options(mesh.platform),
        ),
    )


def evaluation_shapes(data: Dataset, mesh: DataMesh) -> tuple[jax.ShapeDtypeStruct, ...]:
    """The shapes and places of what an evaluation takes beside the network: images, labels and their weights."""
    size, images = evaluated_at_once(mesh), data.validation.images
    sides = ((size, *images.shape[1:]), images.dtype), ((size,), data.validation.labels.dtype), ((size,), np.float32)
    return tuple(jax.ShapeDtypeStruct(shape, dtype, sharding=mesh.along(0)) for shape, dtype in sides)
