"""The last weights of a run in weights.npz: a file that NumPy reads, written whole or not at all."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlr.errors import CheckpointError
from jaxlr.files import whole
from jaxlr.training.runs.saving.layout import check_layout, layout_of, named_arrays

FILE = "weights.npz"
_COUNT = "count"


def write_weights(folder: Path, network: Any, count: int) -> None:
    """Keeps the weights and statistics of a network; keys of random numbers are none."""
    arrays: dict[str, Any] = {name: np.asarray(leaf) for name, leaf in _weights(network).items()}
    with whole(folder / FILE) as part, part.open("wb") as file:
        np.savez(file, **{_COUNT: np.int64(count), **arrays})


def weight_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays, by their paths."""
    return {name.partition(".")[2]: array.shape for name, array in _read(folder).items() if name != _COUNT}


def read_weights(folder: Path, network: Any) -> tuple[Any, int]:
    """Reads the weights into the places of a network's, whose keys of random numbers stay, and the updates applied."""
    arrays = _read(folder)
    count, wanted = int(arrays.pop(_COUNT)), _weights(network)
    check_layout(f"{folder / FILE}: of another network", layout_of(arrays), layout_of(wanted))

    def place(path: Any, leaf: Any) -> Any:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        return jax.device_put(arrays[name], leaf.sharding) if name in wanted else leaf

    return jax.tree.map_with_path(place, network), count


def _weights(network: Any) -> dict[str, Any]:
    """Dropout's keys and counts of draws are the run's, not the network's."""
    return {name: leaf for name, leaf in named_arrays(network).items() if jnp.issubdtype(leaf.dtype, jnp.floating)}


def _read(folder: Path) -> dict[str, np.ndarray]:
    path = folder / FILE
    try:
        # Opened here, since NumPy leaves a file open whose archive it can't read. Each array has a checksum.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    except (ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise CheckpointError(
            f"{path}: truncated or damaged; without it the last checkpoint is read ({error})"
        ) from None
    if found.get(_COUNT) is None or found[_COUNT].shape != () or found[_COUNT].dtype.kind != "i":
        raise CheckpointError(f"{path}: damaged: it does not say at which count")
    return found
