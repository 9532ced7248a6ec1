"""Networks in Flax, their convolutions and losses."""

from jaxlr.training.network.models import CNN, Block, Downsample

__all__ = ["CNN", "Block", "Downsample"]
