"""What compiling a step for some devices has told: how long it took, how large it is, whether it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxlr.compiling.program import Program

_UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


@dataclass(frozen=True)
class Memory:
    """Bytes of a compiled program on each device, as its compiler says.

    Attributes:
      arguments: what it is given: state and inputs, as they are laid out there.
      outputs: what it gives back.
      aliased: outputs that lie where an argument lay: what was donated.
      temporaries: what it needs while it runs.
      code: the program itself, where it lies in the same memory.
      reported: the peak that the compiler reports of its own, which leaves parts out on some platforms.
    """

    arguments: int = 0
    outputs: int = 0
    aliased: int = 0
    temporaries: int = 0
    code: int = 0
    reported: int = 0

    @property
    def peak(self) -> int:
        """All of them at once, arguments + outputs - aliased + temporaries + code, or what is reported if more."""
        return max(self.arguments + self.outputs - self.aliased + self.temporaries + self.code, self.reported)


@dataclass(frozen=True)
class Report:
    """A step compiled for some devices.

    Attributes:
      target: the name of the devices.
      devices: how many share the step.
      trace_seconds: until XLA was given its program.
      compile_seconds: of XLA.
      parts: bytes a device of each part of the arguments, by the part's name.
      memory: bytes a device of the whole; None where the compiler refused the program for its size.
      available: bytes a device that it may have.
      program: what it consists of; None where it was refused.
      refusal: what the compiler said then.
      flops: floating-point operations on each device, where the compiler says.
      bytes_accessed: bytes read and written on each device, where the compiler says.
      beside: bytes a device of what lies there beside the program, by name.
      compiled: jax's own object, for all else; None where it was refused.
    """

    target: str
    devices: int
    trace_seconds: float
    compile_seconds: float
    parts: Mapping[str, int]
    memory: Memory | None
    available: int
    program: Program | None = None
    refusal: str | None = None
    flops: float | None = None
    bytes_accessed: float | None = None
    beside: Mapping[str, int] = field(default_factory=dict)
    compiled: Any = field(default=None, repr=False, compare=False)

    @property
    def peak(self) -> int | None:
        """Bytes a device at once; None where the compiler gave no number."""
        return None if self.memory is None else self.memory.peak + sum(self.beside.values())

    @property
    def seconds(self) -> float:
        """Until it was compiled."""
        return self.trace_seconds + self.compile_seconds

    @property
    def fits(self) -> bool:
        """Whether each device has memory for it."""
        return self.peak is not None and self.peak <= self.available

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def _lines(report: Report) -> list[str]:
    devices = f"{report.devices} device{'s' * (report.devices > 1)}"
    lines = [f"{report.target}: {devices}, compiled in {report.seconds:.1f} s"]
    rows = [(name, size) for name, size in report.parts.items() if size]
    if report.memory is not None:
        memory = report.memory
        rows += [("outputs", memory.outputs - memory.aliased), ("temporaries", memory.temporaries)]
        rows += [("program", memory.code)] if memory.code else []
        rows += report.beside.items()
    width = max(len(name) for name, _ in [*rows, ("a device has", 0)])
    lines += [f"  {name:<{width}}  {in_bytes(size):>9}" for name, size in rows]
    if report.peak is not None:
        lines.append(f"  {'peak':<{width}}  {in_bytes(report.peak):>9}  a device, {report.peak / report.available:.1%}")
    lines.append(f"  {'a device has':<{width}}  {in_bytes(report.available):>9}")
    if report.program is not None:
        exchanged = ", ".join(f"{count} {kind}" for kind, count in report.program.collectives.items())
        lines.append(
            f"  {report.program.operations:,} operations, {report.program.fusions:,} of them fusions; "
            f"{exchanged or 'no collectives'}"
        )
    lines.append(f"  {'it fits' if report.fits else 'it does not fit'}{f': {report.refusal}' * bool(report.refusal)}")
    return lines


def in_bytes(size: int) -> str:
    """A number of bytes for a reader.

    Example:
      >>> in_bytes(17_179_869_184), in_bytes(1_300), in_bytes(12)
      ('17.18 GB', '1.30 kB', '12 B')
    """
    unit, scale = next(((unit, scale) for unit, scale in _UNITS if abs(size) >= scale), ("B", 1))
    return f"{size / scale:.2f} {unit}" if scale > 1 else f"{size} B"
