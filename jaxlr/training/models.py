"""The former place of `jaxlr.training.network`."""

from jaxlr.training.network import CNN, Block, Downsample

__all__ = ["CNN", "Block", "Downsample"]
