"""Compiling a step for devices that may not be there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxlr.compiling.layouts import parts_of
from jaxlr.compiling.program import read_program
from jaxlr.compiling.report import Memory, Report
from jaxlr.compiling.targets import Target, describe

_NOTHING: Mapping[str, int] = MappingProxyType({})


def compile_for(
    target: str | Target,
    step: Callable[..., Any],
    state: Any,
    *inputs: Any,
    place: Callable[[Mesh], tuple[Any, ...]] | None = None,
) -> Report:
    """Compiles a training step for some devices, which need not be there.

    The step takes the buffers of the state over, and each device a part of the inputs; the compiler puts the exchange
    of gradients between them.

    Args:
      target: the devices: a name such as "v5e:2x4" or "h100", or what `describe` returned.
      step: state, *inputs -> the new state, alone or first of a tuple; plain, or from `jax.jit`, which then decides
        about donation and the results' places.
      state: arrays, or shapes: a pytree.
      *inputs: likewise: batches, keys, numbers.
      place: the mesh of all devices, whose axis is "data" -> a sharding of the state and one of each input, each for
        the whole argument or a tree of them. None: the state lies on every device, arrays among the inputs are parted
        along their first axis.

    Returns:
      What the compiler said. Where it refuses the program for its size, the report says so.

    Raises:
      TargetError: no such devices, or no compiler for them; the message says what to install.
      ValueError: a batch is no multiple of the devices.

    Example:
      >>> import jax.numpy as jnp
      >>> shape = lambda *sides: jax.ShapeDtypeStruct(sides, jnp.float32)
      >>> step = lambda state, batch: {"weights": state["weights"] - batch.mean(0)}
      >>> report = compile_for("cpu", step, {"weights": shape(1000)}, shape(32, 1000))
      >>> report.parts, report.memory.aliased, report.fits
      ({'weights': 4000, 'inputs[0]': 128000}, 4000, True)
    """
    target = describe(target) if isinstance(target, str) else target
    mesh = target.mesh()
    if place is None:
        everywhere = NamedSharding(mesh, PartitionSpec())
        shardings = (everywhere, *(_along_first(target, mesh, number, each) for number, each in enumerate(inputs)))
    else:
        shardings = tuple(place(mesh))
    arguments = tuple(map(placed, (state, *inputs), shardings))
    if not hasattr(step, "lower"):
        step = jax.jit(step, donate_argnums=0, out_shardings=_results(step, arguments))
    names = [_part(path) for path, _ in jax.tree.leaves_with_path(arguments)]
    return compile_placed(target, step, arguments, names)


def compile_placed(
    target: Target, step: Any, arguments: tuple[Any, ...], names: Sequence[str], *, beside: Mapping[str, int] = _NOTHING
) -> Report:
    """Compiles a jitted function for arguments that have their places, and reads what the compiler says.

    Args:
      target: the devices that the places are on.
      step: from `jax.jit`.
      arguments: shapes with shardings.
      names: the part that each of their leaves belongs to.
      beside: bytes a device of what lies there beside the program, by name.
    """
    devices = len({device for leaf in jax.tree.leaves(arguments) for device in leaf.sharding.device_set})
    start = time.perf_counter()
    lowered = step.lower(*arguments)
    traced = time.perf_counter()

    def report(formats: Sequence[Any] | None, memory: Memory | None, **others: Any) -> Report:
        seconds = traced - start, time.perf_counter() - traced
        parts = parts_of(arguments, names, formats)
        return Report(target.name, devices, *seconds, parts, memory, target.memory, beside=beside, **others)

    try:
        with _no_cache() if target.platform != "cpu" else contextlib.nullcontext():
            compiled = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return report(None, None, refusal=" ".join(str(error).split())[:400])
    stats, cost = compiled.memory_analysis(), compiled.cost_analysis()
    cost = cost if isinstance(cost, dict) else {}
    memory = Memory(
        stats.argument_size_in_bytes,
        stats.output_size_in_bytes,
        stats.alias_size_in_bytes,
        stats.temp_size_in_bytes,
        stats.generated_code_size_in_bytes,
        getattr(stats, "peak_memory_in_bytes", 0),  # not every jaxlib says it
    )
    return report(
        jax.tree.leaves(compiled.input_formats, is_leaf=lambda leaf: hasattr(leaf, "layout")),
        memory,
        program=read_program(compiled.as_text()),
        flops=cost.get("flops"),
        bytes_accessed=cost.get("bytes accessed"),
        compiled=compiled,
    )


def placed(tree: Any, shardings: Any) -> Any:
    """The shapes of arrays with the places that they are to have: one for all of them, or a tree of them."""

    def of_part(sharding: Any, part: Any) -> Any:
        return jax.tree.map(lambda leaf: _shaped(leaf, sharding), part)

    return jax.tree.map(of_part, shardings, tree)


def _shaped(leaf: Any, sharding: NamedSharding) -> jax.ShapeDtypeStruct:
    known = leaf if hasattr(leaf, "dtype") else jax.eval_shape(lambda: jax.numpy.asarray(leaf))
    return jax.ShapeDtypeStruct(known.shape, known.dtype, sharding=sharding)


def _along_first(target: Target, mesh: Mesh, number: int, tree: Any) -> Any:
    count = len(target.devices)

    def sharding(path: Any, leaf: Any) -> NamedSharding:
        sides = getattr(leaf, "shape", ())
        if not sides:
            return NamedSharding(mesh, PartitionSpec())
        if sides[0] % count:
            where = f"inputs[{number}]{jax.tree_util.keystr(path)}"
            raise ValueError(
                f"{where} must have a first axis that is a multiple of the {count} devices of {target.name}, "
                f"got {tuple(sides)}; place= says how else it is parted"
            )
        return NamedSharding(mesh, PartitionSpec("data"))

    return jax.tree.map_with_path(sharding, tree)


def _results(step: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """The places of the step's results: the new state lies where the old one lay, so that it can take its buffers."""
    state = arguments[0]
    results = jax.eval_shape(step, *arguments)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state)
    if jax.tree.structure(results) == jax.tree.structure(state):
        return shardings
    if isinstance(results, tuple) and jax.tree.structure(results[0]) == jax.tree.structure(state):
        return (shardings, *[None] * (len(results) - 1))
    return None


def _part(path: tuple[Any, ...]) -> str:
    """What an array is a part of: a field or key of the state, or the number of the input."""
    argument, *inner = path
    if argument.idx:
        return f"inputs[{argument.idx - 1}]"
    if not inner:
        return "state"
    name = getattr(inner[0], "name", getattr(inner[0], "key", None))
    return f"state[{inner[0].idx}]" if name is None else str(name)


@contextlib.contextmanager
def _no_cache() -> Iterator[None]:
    """What is compiled for devices that are not there cannot be read back from jax's cache, which warns of that."""
    before = jax.config.values["jax_enable_compilation_cache"]
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()  # jax looks at the option once
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()
