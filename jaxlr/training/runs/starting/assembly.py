"""The images, the network and the optimizer that a run's options ask for."""

from __future__ import annotations

import jax.numpy as jnp
import optax
from flax import nnx

import jaxlr
from jaxlr.dialects import torch
from jaxlr.schedules import Schedule
from jaxlr.training.data.datasets import Dataset, load_dataset
from jaxlr.training.network.models import CNN
from jaxlr.training.runs.config import Optimization, Task


def load_data(config: Task) -> Dataset:
    """The images of these options, in their three parts."""
    return load_dataset(config.data, data_dir=config.data_dir, validation_fraction=config.validation, seed=config.seed)


def make_model(config: Task, data: Dataset) -> CNN:
    """The network of these options for these images, with the initial weights of the seed."""
    return make_network(config, data.train.images.shape[1:], data.classes)


def make_network(config: Task, image_shape: tuple[int, ...], classes: int) -> CNN:
    """The same for images of this shape, with so many classes."""
    return CNN(
        image_shape,
        classes,
        width=config.width,
        depth=config.depth,
        dropout=config.dropout,
        downsample=config.downsample,
        dtype=jnp.dtype(config.precision),
        rngs=nnx.Rngs(config.seed),
    )


def make_optimizer(config: Optimization, schedule: Schedule) -> optax.GradientTransformationExtraArgs:
    """The optimizer of these options under this schedule; a rate in its place is one that stays."""
    decay = config.weight_decay or None  # 0 leaves the link out, as in the runs that were made before it could stay
    match config.optimizer:
        case "sgd":
            momentum = 0.9 if config.momentum is None else config.momentum
            return jaxlr.sgd(schedule, momentum=momentum or None, weight_decay=decay)
        case "rmsprop":
            return torch.RMSprop(schedule, momentum=config.momentum or 0.0, weight_decay=config.weight_decay or 0.0)
        case "adam":
            return jaxlr.adam(schedule, weight_decay=decay)
        case "adamw":
            return jaxlr.adamw(schedule, weight_decay=0.01 if config.weight_decay is None else decay)
