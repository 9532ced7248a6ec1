"""The network of a run, ready to predict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flax import nnx

from jaxlr.training.loop.programs import parted
from jaxlr.training.network.models import CNN
from jaxlr.training.runs.config import load_config
from jaxlr.training.runs.saving import checkpoints, weights
from jaxlr.training.runs.starting.assembly import make_network


def load_network(folder: str | Path) -> CNN:
    """The network of a run with the weights of its end, or of its last checkpoint, in evaluation mode.

    The images are not needed.

    Args:
      folder: of the run.

    Returns:
      A network: images (N, height, width, channels) of the run's kind -> outputs (N, classes), the largest at the
      class that it predicts.

    Raises:
      ValueError: the folder is no run's.
      CheckpointError: it holds no weights, or damaged ones.

    Example:
      >>> load_network("absent")
      Traceback (most recent call last):
      ValueError: absent/config.json: No such file or directory
    """
    folder = Path(folder)
    config = load_config(folder / "config.json")
    shapes = _shapes(folder)
    first, hidden, output = (shapes[f"{layer}.kernel"] for layer in ("blocks.layers.0", "hidden", "output"))
    # Of the images' sides the weights tell the product alone, which is all that the network needs.
    pixels = hidden[0] // (config.width << config.depth - 1)
    model = parted(make_network(config, (pixels << config.depth, 1 << config.depth, first[2]), output[1]))
    network, _ = read_network(folder, (model.parameters, model.variables))
    return nnx.merge(model.evaluated_graph, *network)


def read_network(folder: Path, network: Any) -> tuple[Any, int]:
    """The last weights of a run, of its end or else of its last checkpoint, and the updates that had been applied.

    They go into the places of a network's parameters and other variables.
    """
    if (folder / weights.FILE).exists():
        return weights.read_weights(folder, network)
    count = checkpoints.read_position(folder).count
    return checkpoints.load_network(folder, network), count


def _shapes(folder: Path) -> Mapping[str, tuple[int, ...]]:
    return weights.weight_shapes(folder) if (folder / weights.FILE).exists() else checkpoints.read_shapes(folder)
