"""How the training images reach the devices: all at once before the run, or some updates ahead of the program."""

from __future__ import annotations

import os
from typing import Any, Protocol

import jax
import numpy as np
from jax import lax

from jaxlr.schedules import leaves
from jaxlr.training.data.splits import MappedRows, Split
from jaxlr.training.loop.mesh import DataMesh, Device
from jaxlr.training.loop.order import BatchOrder

_WINDOW_BYTES = 32 * 2**20  # of images in a window
_SHARE = 0.5  # of a device's memory that the images may take
AHEAD = 2  # windows on a device beside the one that the program reads


class Feed(Protocol):
    """Gives the program what its next updates need."""

    capacity: int  # updates that one call of the program can make

    def room(self, first: int) -> int:
        """The updates that one call of the program can make from this one on."""
        ...

    def fed(self, first: int, length: int) -> Any:
        """What the program takes for `length` updates from this one on."""
        ...

    def look_ahead(self, first: int) -> None:
        """Prepares what comes after the call that made this update, while the devices work."""
        ...

    @staticmethod
    def shapes(split: Split, order: BatchOrder, mesh: DataMesh) -> Any:
        """The shapes and places of what `fed` gives, for images that need not be anywhere yet."""
        ...

    @staticmethod
    def pick(fed: Any, place: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The images (accumulate, batch, H, W, C) and labels (accumulate, batch) at a place of what `fed` gave."""
        ...


class Resident:
    """Every device holds all images; the program is given indices."""

    def __init__(self, split: Split, order: BatchOrder, mesh: DataMesh):
        self.capacity: int = capacity_of(Resident, split, order)
        self._order, self._mesh = order, mesh
        self._data = mesh.replicate((np.asarray(split.images), split.labels))

    def room(self, first: int) -> int:  # noqa: D102
        return self.capacity

    def fed(self, first: int, length: int) -> Any:  # noqa: D102
        indices = np.zeros((self.capacity, self._order.accumulate, self._order.batch_size), np.int32)
        indices[:length] = self._order.indices(first, length)
        return *self._data, self._mesh.split(indices, axis=2)

    def look_ahead(self, first: int) -> None:  # noqa: D102
        pass

    @staticmethod
    def shapes(split: Split, order: BatchOrder, mesh: DataMesh) -> Any:  # noqa: D102
        sides = (order.updates_in_epoch, order.accumulate, order.batch_size)
        whole = (_shape(each.shape, each.dtype, mesh.everywhere) for each in (split.images, split.labels))
        return *whole, _shape(sides, np.int32, mesh.along(2))

    @staticmethod
    def pick(fed: Any, place: jax.Array) -> tuple[jax.Array, jax.Array]:  # noqa: D102
        images, labels, batches = fed
        chosen = lax.dynamic_index_in_dim(batches, place, keepdims=False)
        return images[chosen], labels[chosen]


class Streamed:
    """The images stay where they are, for one a file that is mapped; a window of updates is on the devices at a time.

    Each host reads those images alone that its own devices take.
    """

    def __init__(self, split: Split, order: BatchOrder, mesh: DataMesh):
        self.capacity: int = capacity_of(Streamed, split, order)
        self._split, self._order, self._mesh = split, order, mesh
        self._windows: dict[int, tuple[jax.Array, jax.Array]] = {}

    def room(self, first: int) -> int:  # noqa: D102
        return self.capacity - first % self.capacity

    def fed(self, first: int, length: int) -> Any:  # noqa: D102
        window, place = divmod(first, self.capacity)
        self._windows = {each: arrays for each, arrays in self._windows.items() if each >= window}
        self._read(window)
        return *self._windows[window], np.int32(place)

    def look_ahead(self, first: int) -> None:  # noqa: D102
        self._read(first // self.capacity + 1)

    @staticmethod
    def shapes(split: Split, order: BatchOrder, mesh: DataMesh) -> Any:  # noqa: D102
        sides = (capacity_of(Streamed, split, order), order.accumulate, order.batch_size)
        windows = (
            _shape((*sides, *each.shape[1:]), each.dtype, mesh.along(2)) for each in (split.images, split.labels)
        )
        return *windows, _shape((), np.int32, mesh.everywhere)

    @staticmethod
    def pick(fed: Any, place: jax.Array) -> tuple[jax.Array, jax.Array]:  # noqa: D102
        images, labels, start = fed
        images, labels = (lax.dynamic_index_in_dim(each, start + place, keepdims=False) for each in (images, labels))
        return images, labels

    def _read(self, window: int) -> None:
        if window in self._windows:
            return
        indices = self._order.indices(window * self.capacity, self.capacity)

        def window_of(column: np.ndarray | MappedRows) -> jax.Array:
            shape = (*indices.shape, *column.shape[1:])
            return self._mesh.assemble(shape, 2, lambda part: column[indices[part[:3]]])

        self._windows[window] = window_of(self._split.images), window_of(self._split.labels)


def are_resident(images_on: str, split: Split, memory: float) -> bool:
    """Whether the images are to lie on the devices; for "auto" where they take at most half of a device's bytes.

    Example:
      >>> few = Split(np.zeros((8, 4, 4, 1), np.uint8), np.zeros(8, np.int32))
      >>> are_resident("auto", few, memory=256), are_resident("auto", few, memory=255)
      (True, False)
    """
    leaves.choice("images_on", images_on, ("auto", "device", "host"))
    return images_on == "device" or (images_on == "auto" and split.nbytes <= _SHARE * memory)


def capacity_of(feed: type[Resident] | type[Streamed], split: Split, order: BatchOrder) -> int:
    """Updates that one call of the program can make: an epoch's, or a window's."""
    if feed is Resident:
        return order.updates_in_epoch
    an_update = order.accumulate * order.batch_size
    in_bytes = an_update * int(np.prod(split.images.shape[1:])) * split.images.dtype.itemsize
    return max(1, min(order.updates_in_epoch, _WINDOW_BYTES // in_bytes))


def _shape(sides: tuple[int, ...], dtype: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sides, dtype, sharding=sharding)


def memory_of(device: Device) -> float:
    """Bytes of a device's memory, for a CPU the machine's."""
    limit = (device.memory_stats() or {}).get("bytes_limit")
    if limit is not None:
        return limit
    if device.platform == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return np.inf
