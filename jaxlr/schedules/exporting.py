"""`jax.export` of programs that take schedules: how a schedule's structure is written down and found again.

A process that reads such a program imports `jaxlr.schedules` first, which registers both ways.
"""

from __future__ import annotations

import json
from typing import Any

from jax import export

from jaxlr.schedules import leaves
from jaxlr.schedules.family import RECORDS
from jaxlr.schedules.schedule import DYNAMIC, Schedule


def _written(structure: Any) -> bytes:
    formula, arguments = structure
    for name, value in arguments:
        if callable(value) and value is not DYNAMIC:
            raise TypeError(
                f"{name} must be no function for a schedule to be exported, got {value!r}: the exported program would "
                "have to find it again; call the schedule inside of the program, or take its values as an argument"
            )
    words = [[name, None if value is DYNAMIC else value] for name, value in arguments]
    return json.dumps([formula.__name__.removeprefix("_"), words]).encode()


def _read(data: bytes) -> Any:
    name, words = json.loads(data)
    if name not in RECORDS:
        raise ValueError(f"the exported program takes a schedule {name!r}, which this jaxlr does not have")
    arguments = tuple((argument, DYNAMIC if word is None else word) for argument, word in words)
    return RECORDS[name].formula, arguments


export.register_pytree_node_serialization(
    Schedule, serialized_name="jaxlr.Schedule", serialize_auxdata=_written, deserialize_auxdata=_read
)
for _kind in (leaves.Number, leaves.Fine, leaves.Factor, leaves.Length, leaves.Offset, leaves.Ramp):
    export.register_pytree_node_serialization(
        _kind,
        serialized_name=f"jaxlr.{_kind.__name__}",
        serialize_auxdata=lambda _: b"",
        deserialize_auxdata=lambda _: (),
    )
