"""From a name such as v5e:2x4 to devices that a program can be compiled for, whether they are there or not."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh

from jaxlr.arguments import unknown
from jaxlr.compiling.chips import CHIPS, Chip
from jaxlr.errors import TargetError

_NAME = re.compile(r"(?P<chip>[a-z0-9]+)(?::(?P<topology>[1-9][0-9]*(?:x[1-9][0-9]*){0,2}))?")
_PREALLOCATED = 0.75  # of a GPU's memory: what jax takes of it unless its environment variable says otherwise
_COMPILING_ALONE = {
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # it holds no TPU, so others may compile beside it
    "TPU_SKIP_MDS_QUERY": "1",  # libtpu would ask the cloud's metadata server what machine this is
    "TPU_ACCELERATOR_TYPE": "v5litepod-1",
    "TPU_WORKER_HOSTNAMES": "localhost",
}


@dataclass(frozen=True)
class Target:
    """Devices that a program is compiled for.

    Attributes:
      name: as it was asked for.
      platform: "tpu", "cuda" or "cpu".
      devices: in the order of the topology.
      memory: bytes that a program may have on each of them.
    """

    name: str
    platform: str
    devices: tuple[Any, ...]
    memory: int

    def mesh(self, axis: str = "data") -> Mesh:
        """All devices along one axis, the compiler's to shard along."""
        return Mesh(np.array(self.devices), (axis,))


def describe(name: str) -> Target:
    """Finds the devices of a name.

    Args:
      name: `chip` for one device or `chip:topology` for several:
        v5e:2x4, v6e:4x4, v5p:2x2x2, as clouds name slices of TPUs (`pip install "jaxlr[tpu]"` compiles for them);
        h100:8, or h100:2x8 for two hosts with eight each (`pip install "jaxlr[compile-cuda]"`);
        cpu:8, which must be devices of this process.

    Returns:
      The devices. A GPU's memory is the part that jax takes: 0.75, or XLA_PYTHON_CLIENT_MEM_FRACTION.

    Raises:
      TargetError: no such chip or topology, or its compiler is not installed; the message says what to install.

    Example:
      >>> target = describe("cpu")
      >>> target.platform, len(target.devices)
      ('cpu', 1)
      >>> describe("v5x:2x4")
      Traceback (most recent call last):
      jaxlr.errors.TargetError: v5x:2x4: unknown chip 'v5x'; did you mean 'v5p'?
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise TargetError(f"{name!r} names no devices; write CHIP or CHIP:TOPOLOGY, such as v5e:2x4 or h100:8")
    if match["chip"] not in CHIPS:
        raise TargetError(f"{name}: {unknown('chip', match['chip'], CHIPS)}")
    chip = CHIPS[match["chip"]]
    topology = match["topology"] or chip.smallest
    make = {"tpu": _tpus, "cuda": _gpus, "cpu": _cpus}[chip.platform]
    return Target(name, chip.platform, *make(name, chip, topology))


def _tpus(name: str, chip: Chip, topology: str) -> tuple[tuple[Any, ...], int]:
    if importlib.util.find_spec("libtpu") is None:
        raise TargetError(f'{name}: the compiler for TPUs is not installed: pip install "jaxlr[tpu]"')
    model = name.partition(":")[0]
    # A host has four chips, but for the machines with one.
    bounds = {"chips_per_host_bounds": (1, 1, 1)} if topology == chip.smallest else {}
    with _environment(_COMPILING_ALONE):
        found = _topology(name, "tpu", topology_name=f"{model}:{topology}", **bounds)
    return tuple(found), chip.memory


def _gpus(name: str, chip: Chip, topology: str) -> tuple[tuple[Any, ...], int]:
    if all(importlib.util.find_spec(f"jax_cuda{version}_plugin") is None for version in (12, 13)):
        raise TargetError(f'{name}: the compiler for GPUs is not installed: pip install "jaxlr[compile-cuda]"')
    sides = topology.split("x")
    if len(sides) > 2:
        raise TargetError(f"{name}: GPUs are HOSTSxGPUS or GPUS, such as h100:2x8 or h100:8, got {topology}")
    shape = "x".join(["1"] * (3 - len(sides)) + sides)
    found = _topology(name, "cuda", topology_name="gpus", topology=shape, target_config=chip.description)
    fraction = float(os.environ.get("XLA_PYTHON_CLIENT_MEM_FRACTION", _PREALLOCATED))
    return tuple(found), int(fraction * chip.memory)


def _cpus(name: str, _: Chip, topology: str) -> tuple[tuple[Any, ...], int]:
    there, wanted = jax.devices("cpu"), math.prod(map(int, topology.split("x")))
    if wanted > len(there):
        raise TargetError(
            f"{name}: this process has {len(there)} CPU device{'s' * (len(there) > 1)}; start it with "
            f"JAX_NUM_CPU_DEVICES={wanted}"
        )
    return tuple(there[:wanted]), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // wanted


def _topology(name: str, platform: str, **words: Any) -> list[Any]:
    try:
        return topologies.get_topology_desc(platform=platform, **words).devices
    except Exception as error:  # of several kinds, by version
        if platform == "cuda" and isinstance(error, NotImplementedError):  # its plugin looks for CUDA's libraries
            raise TargetError(
                f"{name}: JAX has not loaded the compiler for GPUs; without CUDA's libraries it does where it starts "
                "with JAX_PLATFORMS=cpu"
            ) from None
        said = " ".join(str(error).split())[:300]
        raise TargetError(f"{name}: the installed compiler does not know these devices: {said}") from None


@contextlib.contextmanager
def _environment(words: dict[str, str]) -> Iterator[None]:
    """These environment variables where they are not set, until what is done with them is done."""
    new = {key: value for key, value in words.items() if key not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for key in new:
            os.environ.pop(key, None)
