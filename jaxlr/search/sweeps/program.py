"""One traced and compiled program for all members of a family, whatever their numbers."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import jaxpr_as_fun
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxlr.search.sweeps.members import Family
from jaxlr.search.trials.trial import CompilerOption
from jaxlr.typing import Array, PyTree

STRATEGIES = ("auto", "vmap", "map")
# In one call, where the caller does not say: many at once fill a device, one by one lose little if stopped.
MEMBERS_A_DEVICE = {"vmap": 16, "map": 1}
_AXIS = "members"
_ADDRESS = re.compile(r"0x[0-9a-f]+")  # of a function, where a jaxpr prints one


class Program:
    """A training function traced once, for one family, then compiled once and called for each group.

    Args:
      train_fn: schedule, or whatever else the family's structure says -> pytree of arrays.
      family: the members.

    Raises:
      TypeError: a result is a random key, which NumPy cannot hold.
    """

    def __init__(self, train_fn: Callable[[Any], PyTree], family: Family):
        def train(*leaves: jax.Array) -> PyTree:
            return train_fn(jax.tree.unflatten(family.structure, leaves))

        first = [leaf[0] for leaf in family.leaves]
        self._jaxpr, shapes = jax.make_jaxpr(train, return_shape=True)(*first)
        self.shapes: list[jax.ShapeDtypeStruct] = jax.tree.leaves(shapes)  # of each result of one member
        self.structure: Any = jax.tree.structure(shapes)
        paths = [path for path, _ in jax.tree.leaves_with_path(shapes)]
        self.names: list[str] = [jax.tree_util.keystr(path, simple=True, separator=".") for path in paths]
        for name, shape in zip(self.names, self.shapes, strict=True):
            if jnp.issubdtype(shape.dtype, jax.dtypes.prng_key):
                raise TypeError(f"the result {name!r} of train_fn is a random key; return jax.random.key_data(key)")
        self._call: Callable[..., Any] | None = None

    @property
    def has_convolutions(self) -> bool:
        """Whether a convolution is among its equations."""
        return "conv_general_dilated" in set(_primitives(self._jaxpr))

    def digest(self) -> str:
        """The SHA-256 of the traced program and of all arrays that it closes over."""
        digest = hashlib.sha256(_ADDRESS.sub("", str(self._jaxpr)).encode())
        for constant in self._jaxpr.consts:
            host = _on_host(constant)
            digest.update(f"{host.dtype} {host.shape}".encode())
            digest.update(host.tobytes())
        return digest.hexdigest()

    def compile(
        self,
        strategy: str,
        devices: Sequence[Any],
        leaves: Sequence[np.ndarray],
        options: Mapping[str, CompilerOption],
    ) -> float:
        """Compiles for groups of the shape of `leaves`; returns the seconds that it took."""
        started = time.perf_counter()
        mesh = Mesh(np.asarray(devices), (_AXIS,))
        whole, split = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(_AXIS))
        # Handed over as data: what XLA knew as constants it would fold, for minutes where they are images.
        constants = jax.device_put(list(self._jaxpr.consts), whole)
        run = self._run_all(strategy)
        if len(devices) > 1:
            # The members do not talk to each other: each device runs its own, nothing is exchanged.
            specs = (PartitionSpec(), PartitionSpec(_AXIS))
            run = jax.shard_map(run, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(_AXIS), check_vma=False)
        arguments = (constants, jax.device_put(list(leaves), split))
        compiled = jax.jit(run, compiler_options=dict(options)).lower(*arguments).compile()
        self._call = lambda group: compiled(constants, jax.device_put(list(group), split))
        return time.perf_counter() - started

    def __call__(self, leaves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The results of one group, on the host."""
        assert self._call is not None
        return [np.asarray(each) for each in self._call(leaves)]

    def _run_all(self, strategy: str) -> Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]:
        def run_one(constants, leaves):
            return jaxpr_as_fun(self._jaxpr.replace(consts=constants))(*leaves)

        if strategy == "vmap":
            return jax.vmap(run_one, in_axes=(None, 0))
        return lambda constants, leaves: lax.map(lambda each: run_one(constants, each), leaves)


def choose_strategy(program: Program, devices: Sequence[Any]) -> tuple[str, str]:
    """The strategy that is fast for a program on these devices, and why.

    A vmapped convolution has a kernel for each member. GPUs run that as one grouped convolution; XLA's CPU backend
    takes a slow path, several times the work of one member after the other.
    """
    if devices[0].platform != "cpu":
        return "vmap", f"all members of a group at once, which fills a {devices[0].platform}"
    if program.has_convolutions:
        return "map", "one member after the other: on a CPU, convolutions with a kernel for each member are slow"
    return "vmap", "all members of a group at once: on a CPU too, where nothing is a convolution"


def local_devices(devices: Sequence[Any] | None) -> list[Any]:
    """The devices asked for: all of this process where none are named."""
    chosen = list(jax.local_devices() if devices is None else devices)
    if not chosen:
        raise ValueError("devices must hold at least one device, got none")
    return chosen


def group_size_of(members: int, largest: int, devices: int) -> tuple[int, int]:
    """Members in a group, so that groups are about equal, and the devices that they are spread over.

    Example:
      >>> group_size_of(10, 8, 4)  # two groups of eight, the second of which is filled up
      (8, 4)
    """
    used = min(members, largest, devices)
    largest = largest // used * used
    groups = -(-members // largest)
    a_device = -(-members // (groups * used))
    return a_device * used, used


def _primitives(value: Any) -> Iterator[str]:
    """The names of all operations in a jaxpr, and in the jaxprs among the parameters of an operation."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from _primitives(each)
    for equation in getattr(value, "eqns", ()):
        yield equation.primitive.name
        yield from _primitives(list(equation.params.values()))


def _on_host(constant: Array) -> np.ndarray:
    if jnp.issubdtype(constant.dtype, jax.dtypes.prng_key):
        constant = jax.random.key_data(constant)
    return np.asarray(constant)
