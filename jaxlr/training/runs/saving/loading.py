"""The network of a run, ready to predict."""

from __future__ import annotations

from pathlib import Path

from flax import nnx

from jaxlr.training.network.models import CNN
from jaxlr.training.runs.config import load_config
from jaxlr.training.runs.saving import checkpoints
from jaxlr.training.runs.starting.assembly import make_network

__all__ = ["load_network"]


def load_network(folder: str | Path) -> CNN:
    """The network of a run with the weights of its last checkpoint, in evaluation mode; the images are not needed.

    Args:
      folder: of the run.

    Returns:
      A network: images (N, height, width, channels) of the run's kind -> outputs (N, classes), the largest at the
      class that it predicts.

    Raises:
      ValueError: the folder is no run's.
      CheckpointError: it holds no checkpoint, or a damaged one.

    Example:
      >>> load_network("absent")
      Traceback (most recent call last):
      ValueError: absent/config.json: No such file or directory
    """
    folder = Path(folder)
    config = load_config(folder / "config.json")
    shapes = checkpoints.read_shapes(folder)
    first, hidden, output = (shapes[f"{layer}.kernel"] for layer in ("blocks.layers.0", "hidden", "output"))
    # Of the images' sides the weights tell the product alone, which is all that the network needs.
    pixels = hidden[0] // (config.width << config.depth - 1)
    model = make_network(config, (pixels << config.depth, 1 << config.depth, first[2]), output[1])
    model.eval()
    graph, *states = nnx.split(model, nnx.Param, ...)
    return nnx.merge(graph, *checkpoints.load_network(folder, tuple(map(nnx.to_pure_dict, states))))
