"""Data sets: read, downloaded, split. `load_dataset` is the way in."""

from jaxlr.errors import DataError
from jaxlr.training.data.datasets import SOURCES, Source, load_dataset
from jaxlr.training.data.splits import Dataset, Split

__all__ = ["SOURCES", "DataError", "Dataset", "Source", "Split", "load_dataset"]
