"""The `Schedule` type: a formula of the update count, and its numbers as the leaves of a pytree."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr.numerics.fusion import apart, together
from jaxlr.numerics.wide import Wide
from jaxlr.schedules import leaves
from jaxlr.schedules.composition import algebra
from jaxlr.schedules.position import Position

FAMILIES: dict[str, Callable[..., Schedule]] = {}  # the factories that `family` registers, by name

_DYNAMIC = object()
_Factory = TypeVar("_Factory", bound=Callable[..., "Schedule"])


@jax.tree_util.register_pytree_with_keys_class
class Schedule:
    """A learning rate as a function of the number of updates already applied.

    Call it with a count, a Python int or an integer array of any shape: the answer is float32 of that shape. A count
    below 0 counts as 0. It is a pytree whose leaves are its numbers, so it goes through `jax.jit` as an argument,
    changes its numbers without a retrace and is mapped over any of them by `jax.vmap`. Schedules compose:
    `s * other`, `s + other` and `s - other` take a number or a schedule; see also `clip`, `shift` and `repeat`.

    Make one with a factory such as `jaxlr.cosine`. `==` and hash are identity; compare `to_dict()`.

    Args:
      formula: `(position, **arguments) -> Wide`, the formula.
      **arguments: leaves made by `jaxlr.schedules.leaves`, schedules, or static choices (words, flags, functions).

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.triangular(base_lr=0.0, max_lr=1.0, step_size=2)
      >>> rate
      triangular(base_lr=0.0, max_lr=1.0, step_size=2)
      >>> [float(rate(count)) for count in (0, 1, 2, 3, 4)]
      [0.0, 0.5, 1.0, 0.5, 0.0]
      >>> rate.replace(max_lr=0.5)
      triangular(base_lr=0.0, max_lr=0.5, step_size=2)
    """

    __slots__ = ("__weakref__", "_formula", "_on_device", "_parts", "arguments")

    arguments: Mapping[str, Any]

    def __init__(self, formula: Callable[..., Wide], /, **arguments: Any):
        self._formula = formula
        self.arguments = arguments
        dynamic = tuple(value for value in arguments.values() if not _is_static(value))
        static = tuple((name, value if _is_static(value) else _DYNAMIC) for name, value in arguments.items())
        self._parts = dynamic, (formula, static)
        self._on_device = None

    def __call__(self, count: Any) -> jax.Array:
        """The rate of the update that comes after `count` updates, float32 of the count's shape."""
        count = _as_count(count)
        if leaves.is_traced(count):
            return _compiled_value(self, count)
        if self._on_device is None:
            if any(map(leaves.is_traced, jax.tree.leaves(self))):
                return _compiled_value(self, count)
            # Moved once, at the first call: a schedule made before jax.distributed.initialize touches no device.
            with jax.ensure_compile_time_eval():
                self._on_device = jax.tree.map(jnp.asarray, self)
        return _compiled_value(self._on_device, count)

    def at(self, position: Position) -> Wide:
        """The exact value at a position: what formulas that contain schedules call."""
        return apart(lambda: self.formula_at(position))

    def formula_at(self, position: Position) -> Wide:
        """The same among the operations around it: what a schedule that stands alone calls."""
        return self._formula(position, **self.arguments)

    @property
    def name(self) -> str:
        """The family's name."""
        return self._formula.__name__.lstrip("_")

    def replace(self, **numbers: Any) -> Schedule:
        """The same schedule with some arguments changed, checked as when it was made."""
        for name in numbers:
            if name not in self.arguments:
                known = ", ".join(self.arguments)
                raise TypeError(f"{self.name} has no argument {name!r}; it has {known}")
        return _make(self.name, {**self.arguments, **numbers})

    def to_dict(self) -> dict[str, Any]:
        """The schedule as JSON-able data: its family and its arguments by name; a function stands as its own name."""
        return {"family": self.name, "arguments": {k: _to_data(value) for k, value in self._changed().items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None) -> Schedule:
        """The schedule that `to_dict` described.

        Args:
          data: what `to_dict` returned.
          functions: the functions named in it, by name; none is ever imported by name.

        Raises:
          ValueError: an unknown family or function.
          TypeError: an argument that the family does not have.
        """
        return _from_data(data, functions or {})

    def __repr__(self) -> str:
        if self._formula in algebra.PRINTED:
            return algebra.PRINTED[self._formula](**{k: _printed(v) for k, v in self.arguments.items()})
        arguments = ", ".join(f"{name}={_printed(value)}" for name, value in self._changed().items())
        return f"{self.name}({arguments})"

    def _changed(self) -> dict[str, Any]:
        """The arguments that differ from their defaults."""
        parameters = inspect.signature(factory(self.name)).parameters
        return {
            name: value
            for name, value in self.arguments.items()
            if name not in parameters or not _equals_default(value, parameters[name].default)
        }

    def tree_flatten_with_keys(self) -> tuple[Any, Any]:
        """For jax.tree_util: as `tree_flatten`, with the arguments' names."""
        children, structure = self._parts
        names = [name for name, value in structure[1] if value is _DYNAMIC]
        return [(jax.tree_util.GetAttrKey(n), c) for n, c in zip(names, children, strict=True)], structure

    def tree_flatten(self) -> tuple[Any, Any]:
        """For jax.tree_util: the numbers and schedules within, and what is static."""
        return self._parts

    @classmethod
    def tree_unflatten(cls, structure: Any, children: Any) -> Schedule:
        """For jax.tree_util: takes any leaves, unchecked."""
        formula, names = structure
        leaves = iter(children)
        return cls(formula, **{name: next(leaves) if static is _DYNAMIC else static for name, static in names})

    def __reduce__(self) -> Any:
        host = jax.tree.map(np.asarray, self)
        return _restored, (self._formula, dict(host.arguments))

    def __mul__(self, other: Any) -> Schedule:
        return product(self, other)

    def __add__(self, other: Any) -> Schedule:
        return total(self, other)

    def __sub__(self, other: Any) -> Schedule:
        return difference(self, other)

    __rmul__ = __mul__
    __radd__ = __add__

    def __rsub__(self, other: Any) -> Schedule:
        return difference(other, self)

    def clip(self, min: Any, max: Any) -> Schedule:
        """The schedule held within `[min, max]`."""
        low, high = leaves.number("min", min), leaves.number("max", max)
        leaves.ordered("min", low, "max", high)
        return Schedule(algebra.clip, schedule=self, min=low, max=high)

    def shift(self, k: Any) -> Schedule:
        """`s.shift(k)(n) = s(n + k)`; where n + k is below 0 it is s(0)."""
        return Schedule(algebra.shift, schedule=self, k=leaves.signed("k", k))

    def repeat(self, period: Any) -> Schedule:
        """`s.repeat(period)(n) = s(n mod period)`."""
        return Schedule(algebra.repeat, schedule=self, period=leaves.length("period", period))


def family(make: _Factory) -> _Factory:
    """Registers a factory under its name, for `repr`, `replace`, `from_dict` and the text notation."""
    FAMILIES[make.__name__] = make
    return make


def as_schedule(name: str, value: Any) -> Schedule:
    """A schedule as it is."""
    if not isinstance(value, Schedule):
        raise TypeError(f"{name} must be a jaxlr schedule, got {value!r}; wrap a number in jaxlr.constant(...)")
    return value


def _operand(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value
    return leaves.number("the other operand", value)


def product(left: Any, right: Any) -> Schedule:
    """`left * right`."""
    return Schedule(algebra.product, left=_operand(left), right=_operand(right))


def total(left: Any, right: Any) -> Schedule:
    """`left + right`."""
    return Schedule(algebra.total, left=_operand(left), right=_operand(right))


def difference(left: Any, right: Any) -> Schedule:
    """`left - right`."""
    return Schedule(algebra.difference, left=_operand(left), right=_operand(right))


OPERATIONS: dict[str, Callable[..., Schedule]] = {
    "product": product,
    "total": total,
    "difference": difference,
    "clip": lambda schedule, min, max: schedule.clip(min, max),
    "shift": lambda schedule, k: schedule.shift(k),
    "repeat": lambda schedule, period: schedule.repeat(period),
}


def factory(name: str) -> Callable[..., Schedule]:
    """What makes a schedule of this name."""
    return FAMILIES[name] if name in FAMILIES else OPERATIONS[name]


def _value(schedule: Schedule, count: jax.Array) -> jax.Array:
    whole = jnp.maximum(count, 0).astype(jnp.uint32)
    # Behind the barrier nothing is a constant, so literal, closed-over and traced numbers make one program.
    schedule, whole = lax.optimization_barrier((schedule, whole))
    composed = any(map(_is_schedule, jax.tree.leaves(schedule._parts[0], is_leaf=_is_schedule)))
    value = (together if composed else operator.call)(lambda: schedule.formula_at(Position(whole)).nearest())
    if value.shape != whole.shape and value.ndim:
        raise TypeError(f"the numbers of this schedule are batched, with shape {value.shape}: call it under jax.vmap")
    return jnp.broadcast_to(value, whole.shape)


# One program a family; inside another jit its equations stand there themselves.
_compiled_value = jax.jit(_value, inline=True)


def _as_count(count: Any) -> Any:
    """An integer count as int32, saturating."""
    if hasattr(count, "dtype"):
        if not jnp.issubdtype(count.dtype, jnp.integer):
            raise TypeError(
                f"count must be an integer, got dtype {count.dtype}; a count of updates is never a fraction"
            )
        if count.dtype == np.int32:
            return count
        if isinstance(count, jax.Array):
            return jnp.clip(count, 0, min(leaves.LARGEST_LENGTH, jnp.iinfo(count.dtype).max)).astype(jnp.int32)
        return np.clip(count, 0, min(leaves.LARGEST_LENGTH, np.iinfo(count.dtype).max)).astype(np.int32)
    try:
        index = operator.index(count)
    except TypeError:
        index = None
    if index is None or isinstance(count, bool):
        raise TypeError(f"count must be an integer, got {count!r}; a count of updates is never a fraction")
    return np.int32(min(max(index, 0), leaves.LARGEST_LENGTH))


def _is_schedule(value: Any) -> bool:
    return isinstance(value, Schedule)


def _is_static(value: Any) -> bool:
    return isinstance(value, str | bool) or (callable(value) and not isinstance(value, Schedule))


def _restored(formula: Callable[..., Wide], arguments: dict[str, Any]) -> Schedule:
    return Schedule(formula, **arguments)


def _make(name: str, arguments: Mapping[str, Any]) -> Schedule:
    """Calls the factory of this name with arguments by name, also where it takes one by position only."""
    signature = inspect.signature(factory(name))
    positional = [p for p, kind in signature.parameters.items() if kind.kind is kind.POSITIONAL_ONLY]
    missing = [p for p in positional if p not in arguments]
    if missing:
        raise TypeError(f"{name}: missing a required argument: {missing[0]!r}")
    keywords = {key: value for key, value in arguments.items() if key not in positional}
    try:
        bound = signature.bind(*(arguments[p] for p in positional), **keywords)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    return factory(name)(*bound.args, **bound.kwargs)


def _equals_default(value: Any, default: Any) -> bool:
    if default is inspect.Parameter.empty:
        return False
    if value is None or _is_static(value):
        return value is default or value == default
    if not leaves.is_known(value) or isinstance(value, Schedule) or np.ndim(jax.tree.leaves(value)[0]):
        return False
    return default is not None and leaves.plain(value) == default


def _printed(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_printed, value))}]"
    if isinstance(value, Schedule):
        return repr(value)
    if callable(value):
        return value.__name__
    return repr(value) if value is None or _is_static(value) else leaves.printed(value)


def _to_data(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.to_dict()
    if isinstance(value, list | tuple):
        return [_to_data(item) for item in value]
    if callable(value):
        return {"function": value.__name__}
    if value is None or _is_static(value):
        return value
    if not leaves.is_known(value):
        raise TypeError("a schedule with traced numbers has no values to write down")
    return leaves.plain(value)


def _from_data(data: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:
    if isinstance(data, list):
        return [_from_data(item, functions) for item in data]
    if not isinstance(data, Mapping):
        return data
    if set(data) == {"function"}:
        if data["function"] not in functions:
            raise ValueError(f"functions must hold the function {data['function']!r}, got {sorted(functions)}")
        return functions[data["function"]]
    name, arguments = data.get("family"), data.get("arguments")
    if name not in FAMILIES and name not in OPERATIONS:
        raise ValueError(f"family must be the name of a schedule, got {name!r}")
    if not isinstance(arguments, Mapping):
        raise ValueError(f"arguments of {name} must be a mapping of names to values, got {arguments!r}")
    return _make(name, {key: _from_data(value, functions) for key, value in arguments.items()})
