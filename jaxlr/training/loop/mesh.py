"""The devices of a run as one mesh: each takes a part of every batch, and all hold the parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

Device = Any  # jax.Device, which is no type to a checker

_AXIS = "data"


def choose_devices(batch_size: int, count: int | None = None, there: Sequence[Device] | None = None) -> list[Device]:
    """The devices that share a batch.

    Args:
      batch_size: images in a batch, over all devices.
      count: how many of the devices; None: all, those of every host.
      there: devices to choose from that need not be of this machine; None: jax's.

    Raises:
      ValueError: there are fewer devices, several hosts would not all take part, or the batch cannot be shared evenly.

    Example:
      >>> len(choose_devices(64, 1))
      1
    """
    hosts = jax.process_count() if there is None else len({device.process_index for device in there})
    there = jax.devices() if there is None else there
    if count is not None and count > len(there):
        raise ValueError(f"devices must be at most the {len(there)} that are there, got {count}")
    if count is not None and count < len(there) and hosts > 1:
        raise ValueError(f"devices must be all {len(there)} of a run on several hosts, got {count}")
    chosen = list(there[:count])
    if batch_size % len(chosen):
        fewer = max(n for n in range(1, len(chosen)) if batch_size % n == 0)
        raise ValueError(
            f"batch_size must be a multiple of the {len(chosen)} devices, got {batch_size}; "
            f"with devices={fewer} it can stay"
        )
    return chosen


class DataMesh:
    """Puts arrays on the devices of a run, in the order of their parts of a batch.

    Example:
      >>> mesh = DataMesh(jax.devices()[:1])
      >>> tuple(mesh.split(np.arange(6).reshape(2, 3), axis=1).sharding.spec)
      (None, 'data')
    """

    def __init__(self, devices: list[Device]):
        # Made so, its axis is "auto" with every jax: the compiler shards what lies between inputs and outputs.
        self._mesh = Mesh(np.array(devices), (_AXIS,))
        self.size: int = len(devices)
        self.platform: str = devices[0].platform
        self.everywhere: NamedSharding = NamedSharding(self._mesh, PartitionSpec())

    def along(self, axis: int) -> NamedSharding:
        """The sharding of an array whose `axis` counts the images of a batch."""
        return NamedSharding(self._mesh, PartitionSpec(*[None] * axis, _AXIS))

    def of_moments(self, leaf: Any) -> NamedSharding:
        """The sharding of an array of the optimizer: along the side whose parts are smallest on a TPU, or the longest.

        A TPU fills the last two sides of a part up to multiples of 8 and 128: an eighth of 128 channels would take as
        much memory there as all of them.
        """
        sides = [axis for axis, side in enumerate(leaf.shape) if side and side % self.size == 0]
        if not sides:
            return self.everywhere
        return self.along(min(sides, key=lambda axis: (_filled(leaf.shape, axis, self.size), -leaf.shape[axis], axis)))

    def whole(self, tree: Any) -> Any:
        """Inside a program: the same arrays, which every device has from here on."""
        return lax.with_sharding_constraint(tree, self.everywhere)

    def share(self, tree: Any) -> Any:
        """Inside a program: the same arrays, of which each device has from here on the part of `of_moments`."""
        return lax.with_sharding_constraint(tree, jax.tree.map(self.of_moments, tree))

    def replicate(self, tree: Any) -> Any:
        """Puts arrays, the same on every host, on every device."""
        return self.place(tree, jax.tree.map(lambda _: self.everywhere, tree))

    def place(self, tree: Any, shardings: Any) -> Any:
        """Puts arrays, the same on every host, where their shardings say."""
        return jax.tree.map(_place, tree, shardings)

    def copies(self, tree: Any, shardings: Any) -> Any:
        """Puts copies of arrays where their shardings say: a program may take over the buffers of these."""
        return jax.tree.map(lambda leaf, sharding: jnp.copy(_place(leaf, sharding)), tree, shardings)

    def split(self, array: np.ndarray, axis: int = 0) -> jax.Array:
        """Puts an array, of which every host has the whole, on the devices in parts along an axis."""
        return self.assemble(array.shape, axis, lambda part: array[part])

    def assemble(self, shape: tuple[int, ...], axis: int, part_of: Callable[[Any], np.ndarray]) -> jax.Array:
        """Makes an array in parts along an axis; each host is asked for the parts of its own devices alone."""
        return jax.make_array_from_callback(shape, self.along(axis), part_of)


def _filled(shape: tuple[int, ...], axis: int, count: int) -> int:
    """The numbers that a part of an array takes in the tiles of a TPU where an axis is parted."""
    sides = [side // (count if place == axis else 1) for place, side in enumerate(shape)]
    tile = [1] * (len(sides) - 2) + [8, 128][-len(sides) :]
    return math.prod(-(-side // unit) * unit for side, unit in zip(sides, tile, strict=True))


def _place(array: Any, sharding: NamedSharding) -> jax.Array:
    if sharding.is_fully_addressable:
        return jax.device_put(array, sharding)
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_place(jax.random.key_data(array), sharding), impl=jax.random.key_impl(array))
    # Not device_put, which would compare the hosts' copies over the network, array by array.
    host = np.asarray(array)
    return jax.make_array_from_callback(host.shape, sharding, lambda part: host[part])
