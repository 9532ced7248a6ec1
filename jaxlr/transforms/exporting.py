"""`jax.export` of programs that take optimizer states: the names under which their kinds are written down.

A process that reads such a program imports what defines its states first, `jaxlr` for most, `jaxlr.dialects` for those
of a dialect. The kinds of Optax, such as `optax.EmptyState`, are for the program that has them to register.
"""

from __future__ import annotations

from typing import Any, TypeVar

from jax import export

from jaxlr.numerics.wide import Wide

_Kind = TypeVar("_Kind", bound=type[Any])
_PACKAGE = __name__.partition(".")[0]
_NAMES: set[str] = set()


def exportable(kind: _Kind) -> _Kind:
    """Registers a state of this package, a NamedTuple; another's is its own program's to register."""
    name = f"{_PACKAGE}.{kind.__name__}"
    if kind.__module__.startswith(f"{_PACKAGE}.") and name not in _NAMES:
        _NAMES.add(name)
        export.register_namedtuple_serialization(kind, serialized_name=name)
    return kind


export.register_pytree_node_serialization(
    Wide,
    serialized_name=f"{_PACKAGE}.Wide",
    serialize_auxdata=lambda nothing: b"",
    deserialize_auxdata=lambda nothing: (),
)
