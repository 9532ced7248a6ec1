"""What a compiled program consists of, read from the text that XLA prints of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_HEAD = re.compile(r"^(ENTRY )?%?([\w.-]+) \(.*\{$")
_LINE = re.compile(r"^  +(?:ROOT )?%?([\w.-]+) = (.*?) ?\b([a-z][a-z0-9-]*)\(")
_NAMED = re.compile(r"(?:body|condition|true_computation|false_computation)=%?([\w.-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_CALLED = re.compile(r"(?:to_apply|calls)=%?([\w.-]+)")
_NOTHING = frozenset({"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id"})
_COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_FAST = re.compile(r"S\([1-9]")  # another memory than the main one: a TPU fetches what it is about to need
_HOST = frozenset({"infeed", "outfeed", "send", "recv"})


@dataclass(frozen=True)
class Instruction:
    """One step of a program: what it does, its result's type, and the whole line."""

    opcode: str
    type: str
    line: str


@dataclass(frozen=True)
class Program:
    """What a device is told to do.

    Attributes:
      operations: the steps outside of fusions, loops and branches counted once, without what costs nothing.
      fusions: those of them that are a fusion: on GPU and TPU, kernels of several operations.
      collectives: how often devices exchange what, by kind, fusions included.
      copies: the types of what is copied as it is within a device's main memory, outside of fusions.
      float64: whether anything is computed in float64.
      callbacks: whether it ever asks the host.
    """

    operations: int
    fusions: int
    collectives: Mapping[str, int]
    copies: tuple[str, ...]
    float64: bool
    callbacks: bool


def read_program(text: str) -> Program:
    """Reads the text of a compiled program.

    Args:
      text: what `jax.jit(...).lower(...).compile().as_text()` returns.

    Returns:
      What it consists of.

    Example:
      >>> import jax
      >>> program = read_program(jax.jit(lambda x: 2 * x + 1).lower(1.0).compile().as_text())
      >>> program.fusions, program.float64, program.callbacks, dict(program.collectives)
      (1, False, False, {})
    """
    computations, entry = _computations(text)
    done = [each for each in _executed(computations, entry) if each.opcode not in _NOTHING]
    everything = [each for instructions in computations.values() for each in instructions]
    collectives = Counter(kind for each in everything if (kind := _collective(each)))
    return Program(
        operations=len(done),
        fusions=sum(each.opcode == "fusion" for each in done),
        collectives=dict(sorted(collectives.items())),
        copies=tuple(
            each.type for each in done if each.opcode in ("copy", "copy-start") and not _FAST.search(each.type)
        ),
        float64=any(re.search(r"\b(f64|c128)\[", each.type) for each in everything),
        callbacks=any(each.opcode in _HOST or re.search(r'_target="[^"]*callback', each.line) for each in everything),
    )


def _computations(text: str) -> tuple[dict[str, list[Instruction]], str]:
    """The instructions of every computation by its name, and the name of the one that is called."""
    found: dict[str, list[Instruction]] = {}
    entry = name = ""
    for line in text.splitlines():
        if head := _HEAD.match(line):
            name = head[2]
            found[name] = []
            entry = name if head[1] else entry
        elif name and (match := _LINE.match(line)):
            found[name].append(Instruction(match[3], match[2], line))
    return found, entry


def _executed(computations: Mapping[str, list[Instruction]], name: str) -> Iterator[Instruction]:
    """The instructions of a computation and of its loops, branches and calls; not those inside of fusions."""
    for each in computations.get(name, ()):
        yield each
        inner = _NAMED.findall(each.line)
        inner += [part.strip(" %") for part in ",".join(_BRANCHES.findall(each.line)).split(",") if part.strip()]
        if each.opcode in ("call", "async-start"):
            inner += _CALLED.findall(each.line)
        for below in inner:
            yield from _executed(computations, below)


def _collective(instruction: Instruction) -> str | None:
    kind = instruction.opcode.removesuffix("-start")
    if kind in _COLLECTIVES:
        return kind
    # TPUs reduce and scatter in one step, which is written as a fusion of a name of its own.
    return (
        "reduce-scatter" if instruction.opcode == "fusion" and "calls=%all-reduce-scatter" in instruction.line else None
    )
