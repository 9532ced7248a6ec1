"""The `Schedule` type: a formula of the update count, and its numbers as the leaves of a pytree."""

from __future__ import annotations

import functools
import importlib
import operator
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from jaxlr.numerics.fusion import for_one_count, fused_if_small, isolated
from jaxlr.numerics.wide import Wide
from jaxlr.schedules import leaves, printing
from jaxlr.schedules.cycle_table import with_tables
from jaxlr.schedules.family import RECORDS, Cycle, Family, fact
from jaxlr.schedules.outline import UNKNOWN, Outline
from jaxlr.schedules.position import Position
from jaxlr.typing import Count, Length, Scalar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FUNCTION_REMEDY = "wrap a function of the count, such as Optax's schedules, in jaxlr.custom(...)"
DYNAMIC = object()
_LISTS = ("values", "milestones", "boundaries", "decay_rate", "batch_size")  # one number of another is rank 0


@jax.tree_util.register_pytree_with_keys_class
class Schedule:
    """A learning rate as a function of the number of updates already applied.

    Call it with a count, a Python int or an integer array of any shape: the answer is float32 of that shape. A count
    below 0 counts as 0. It is a pytree whose leaves are its numbers, so it goes through `jax.jit` as an argument,
    changes its numbers without a retrace and is mapped over any of them by `jax.vmap`. Schedules compose:
    `s * other`, `s + other` and `s - other` take a number or a schedule, `s / number` and `s ** number` a number; see
    also `number / s`, `-s`, `clip`, `shift`, `repeat` and `plot`.

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

    __array_ufunc__ = None  # a NumPy number on the left leaves the operation to this class
    __slots__ = ("__weakref__", "_formula", "_functions", "_on_device", "_parts", "arguments")

    arguments: Mapping[str, Any]

    def __init__(self, formula: Callable[..., Wide], /, **arguments: Any):
        self._formula = formula
        self.arguments = arguments
        dynamic = tuple(value for value in arguments.values() if not printing.is_static(value))
        static = tuple((name, value if printing.is_static(value) else DYNAMIC) for name, value in arguments.items())
        self._parts = dynamic, (formula, static)
        self._on_device = None
        own = [value for _, value in static if callable(value)]
        self._functions = frozenset(own).union(*(s._functions for s in _schedules_in(dynamic)))

    def __call__(self, count: Count) -> jax.Array:
        """The rate of the update that comes after `count` updates, float32 of the count's shape."""
        try:
            return self._called(_as_count(count))
        except RecursionError:
            raise ValueError("the schedule has more schedules inside one another than Python can follow") from None

    def _called(self, count: Any) -> jax.Array:
        if isinstance(count, Tracer):
            return _program_of(self)(with_tables(self), count)
        if self._on_device is None:
            if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(self)):
                return _program_of(self)(with_tables(self), count)
            # Moved once, at the first call: a schedule made before jax.distributed.initialize touches no device. In one
            # transfer: `asarray` compiles a program a dtype.
            with jax.ensure_compile_time_eval():
                self._on_device = jax.device_put(with_tables(self))
        if count.ndim == 0 and not self._functions:
            return _program_of_one_count()(self._on_device, count)
        return _program_of(self)(self._on_device, count)

    def at(self, position: Position) -> Wide:
        """The exact value at a position: what formulas that contain schedules call."""
        return isolated(lambda: self.formula_at(position).normalized())

    def formula_at(self, position: Position) -> Wide:
        """The same among the operations around it: what a schedule that stands alone calls."""
        return self._formula(position, **{name: leaves.decoded(value) for name, value in self.arguments.items()})

    @property
    def holds_functions(self) -> bool:
        """Whether a function of a user is in it, of which only a run tells anything."""
        return bool(self._functions)

    @property
    def name(self) -> str:
        """The family's name."""
        return self._formula.__name__.removeprefix("_")

    @property
    def family(self) -> Family:
        """What is known of the family."""
        return RECORDS[self.name]

    def end(self) -> int | None:
        """The count at which the schedule has come to its end, from which its rate holds; None if it has no horizon.

        Example:
          >>> import jaxlr
          >>> jaxlr.warmup(jaxlr.cosine(0.1, 100), 10).end(), jaxlr.triangular(0.1, 1.0, 40).end()
          (110, None)
        """
        return printing.inside_out("end", self, lambda each: fact(each.family.end, each._plain()))

    def cycle(self, count: int) -> Cycle | None:
        """Where a count lies in its cycle; None if the schedule has no cycles, or has not begun them.

        Example:
          >>> import jaxlr
          >>> jaxlr.triangular(0.1, 1.0, 40).cycle(100)
          Cycle(updates=20, length=80)
        """
        if self.family.cycle is not None:
            return self.family.cycle(self._plain(), count)
        places = (child.cycle(count) for child in self.children())
        return next((place for place in places if place is not None), None)

    def span(self) -> int:
        """As many updates as show the whole of it: to its end, or a few cycles, or 1,000 where it has neither.

        Example:
          >>> import jaxlr
          >>> jaxlr.cosine(0.1, 100).span(), jaxlr.triangular(0.1, 1.0, 40).span(), jaxlr.constant(0.1).span()
          (100, 320, 1000)
        """

        def span(each: Schedule) -> int:
            known = fact(each.family.span or each.family.end, each._plain())
            return max((child.span() for child in each.children()), default=1000) if known is None else known

        return printing.inside_out("span", self, span)

    def children(self) -> list[Schedule]:
        """The schedules that it is made of.

        Example:
          >>> import jaxlr
          >>> jaxlr.warmup(jaxlr.cosine(0.1, 100), 10).children()
          [cosine(init_value=0.1, decay_steps=100)]
        """
        return _schedules_in(self.arguments.values())

    def outline(self) -> Outline:
        """What the host knows of its rates without running it: nothing where a number is traced, or a list of several.

        Example:
          >>> import jaxlr, numpy as np
          >>> line = (0.5 - jaxlr.linear(0.0, 1.0, 10)).outline()
          >>> line.turns.tolist(), [round(bound.item(), 4) for bound in line.at(np.array([10]))]
          ([0, 10], [-0.5, -0.5])
        """
        numbers: dict[str, Any] = {}
        for name, value in self.arguments.items():
            if leaves.is_leaf(value) and not (leaves.is_known(value) and leaves.rank(value) <= (name in _LISTS)):
                return UNKNOWN
            numbers[name] = _for_outline(value)
        return self.family.outline(SimpleNamespace(**numbers))

    def _plain(self) -> SimpleNamespace:
        """The arguments as Python numbers, words and schedules."""
        is_leaf = leaves.is_leaf
        return SimpleNamespace(**{n: leaves.plain(v) if is_leaf(v) else v for n, v in self.arguments.items()})

    def replace(self, **numbers: object) -> Schedule:
        """The same schedule with some arguments changed, checked as when it was made."""
        for name in numbers:
            if name not in self.arguments:
                known = ", ".join(self.arguments)
                raise TypeError(f"{self.name} has no argument {name!r}; it has {known}")
        return printing.make(self.name, {**self.arguments, **numbers})

    def to_dict(self) -> dict[str, Any]:
        """The schedule as JSON-able data: its family and its arguments by name; a function stands as its own name."""

        def data(each: Schedule) -> dict[str, Any]:
            shown = printing.changed(each.family, each.arguments)
            return {"family": each.name, "arguments": {name: printing.to_data(value) for name, value in shown.items()}}

        return printing.inside_out("data", self, data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None) -> Schedule:
        """The schedule that `to_dict` described.

        Args:
          data: what `to_dict` returned.
          functions: the functions named in it, by name; none is ever imported by name.

        Raises:
          ValueError, TypeError: it is no such data; the message is that of the factory, behind the place in the data.
        """
        return printing.from_data(data, functions or {})

    def __repr__(self) -> str:
        return printing.inside_out("text", self, lambda each: printing.written(each.family, each.arguments))

    def tree_flatten_with_keys(self) -> tuple[Any, Any]:
        """For jax.tree_util: as `tree_flatten`, with the arguments' names."""
        children, structure = self._parts
        names = [name for name, value in structure[1] if value is DYNAMIC]
        return [(jax.tree_util.GetAttrKey(n), c) for n, c in zip(names, children, strict=True)], structure

    def tree_flatten(self) -> tuple[Any, Any]:
        """For jax.tree_util: the numbers and schedules within, and what is static."""
        return self._parts

    @classmethod
    def tree_unflatten(cls, structure: Any, children: Any) -> Schedule:
        """For jax.tree_util: takes any leaves, unchecked."""
        formula, names = structure
        leaves = iter(children)
        return cls(formula, **{name: next(leaves) if static is DYNAMIC else static for name, static in names})

    def __reduce__(self) -> Any:
        host = jax.tree.map(np.asarray, self)
        return _restored, (self._formula, dict(host.arguments))

    def __mul__(self, other: Scalar | Schedule) -> Schedule:
        return RECORDS["product"].make(self, other)

    def __add__(self, other: Scalar | Schedule) -> Schedule:
        return RECORDS["total"].make(self, other)

    def __sub__(self, other: Scalar | Schedule) -> Schedule:
        return RECORDS["difference"].make(self, other)

    __rmul__ = __mul__
    __radd__ = __add__

    def __rsub__(self, other: Scalar | Schedule) -> Schedule:
        return RECORDS["difference"].make(other, self)

    def __truediv__(self, number: Scalar) -> Schedule:
        return RECORDS["quotient"].make(self, number)

    def __rtruediv__(self, number: Scalar) -> Schedule:
        return RECORDS["quotient"].make(number, self)

    def __pow__(self, exponent: Scalar) -> Schedule:
        return RECORDS["raised"].make(self, exponent)

    def __neg__(self) -> Schedule:
        return RECORDS["product"].make(-1.0, self)

    def __pos__(self) -> Schedule:
        return self

    def __abs__(self) -> Schedule:
        raise TypeError(_no_formula("abs(schedule)", "abs(schedule(n))"))

    def __rpow__(self, base: Scalar) -> Schedule:
        raise TypeError(_no_formula("number ** schedule", "number ** schedule(n)"))

    def clip(self, min: Scalar | None = None, max: Scalar | None = None) -> Schedule:
        """The schedule held within `[min, max]`; None is no bound."""
        return RECORDS["clip"].make(self, min, max)

    def shift(self, k: Length) -> Schedule:
        """`s.shift(k)(n) = s(n + k)`; where n + k is below 0 it is s(0)."""
        return RECORDS["shift"].make(self, k)

    def repeat(self, period: Length) -> Schedule:
        """`s.repeat(period)(n) = s(n mod period)`."""
        return RECORDS["repeat"].make(self, period)

    def plot(self, steps: int | None = None, *, log: bool = False, steps_per_epoch: int | None = None) -> Figure:
        """A picture of the schedule, as `jaxlr.plotting.plot_schedules` draws several.

        Args:
          steps: the last count drawn; None is `span()`.
          log: whether the rate is drawn on a logarithmic axis.
          steps_per_epoch: updates in an epoch; with it the horizontal axis is in epochs.

        Returns:
          A Matplotlib figure.

        Example:
          >>> import jaxlr
          >>> figure = jaxlr.cosine(0.5, 100).plot()
          >>> figure.axes[0].lines[0].get_xydata()[-1].tolist()
          [100.0, 0.0]
        """
        plotting = importlib.import_module("jaxlr.plotting")  # it stands above this room
        steps = self.span() if steps is None else steps
        return plotting.plot_schedules(self, steps, log=log, steps_per_epoch=steps_per_epoch)


def as_schedule(name: str, value: Any) -> Schedule:
    """A schedule as it is; anything else is an error that says what makes one of it."""
    if isinstance(value, Schedule):
        return value
    if isinstance(value, str):
        remedy = "read a text with jaxlr.schedules.parse(...)"
    elif isinstance(value, Mapping):
        remedy = "read a dictionary with jaxlr.Schedule.from_dict(...)"
    else:
        remedy = FUNCTION_REMEDY if callable(value) else "wrap a number in jaxlr.constant(...)"
    raise TypeError(f"{name} must be a jaxlr schedule, got {value!r}; {remedy}")


def _value(schedule: Schedule, count: jax.Array) -> jax.Array:
    _require_single(schedule)
    # Behind the barrier nothing is a constant, so literal, closed-over and traced numbers make one program.
    schedule, count = lax.optimization_barrier((schedule, count))
    whole = lax.max(count, jnp.zeros_like(count)).astype(jnp.uint32)
    composed = any(map(_is_schedule, jax.tree.leaves(schedule._parts[0], is_leaf=_is_schedule)))
    value = (fused_if_small if composed else operator.call)(lambda: schedule.formula_at(Position(whole)).nearest())
    if value.shape != whole.shape and value.ndim:  # numbers of a function
        raise TypeError(_batched(value.shape))
    return jnp.broadcast_to(value, whole.shape)


def _batched(shape: tuple[int, ...]) -> str:
    return f"the numbers of this schedule are batched, with shape {shape}: call it under jax.vmap"


def _require_single(schedule: Schedule) -> None:
    """One number of each kind: of as many as there are counts each would go with one of these."""
    schedules = [schedule]
    while schedules:
        each = schedules.pop()
        schedules += each.children()
        for name, value in each.arguments.items():
            batch = leaves.rank(value) - (name in _LISTS) if isinstance(value, leaves.StoredLeaf) else 0
            if batch > 0:
                raise TypeError(_batched(np.shape(jax.tree.leaves(value)[0])[:batch]))


# One program a family; inside another jit its equations stand there themselves.
_compiled_value = jax.jit(_value, inline=True)


# Of a program for one count at a time the compilation takes longer than all its runs.
_compiled_single = jax.jit(for_one_count(_value), inline=True)


@functools.cache
def _program_of_one_count() -> Callable[[Schedule, Any], jax.Array]:
    return _compiled_single if jax.default_backend() == "cpu" else _compiled_value


class _Programs:
    """Programs of schedules that hold functions, of so many functions at most.

    A program holds the functions that it was made of, and jax keeps it as long as the function that was compiled: so
    that is a new one after `MOST` functions, and a program that makes a lambda for each schedule stays small.
    """

    MOST = 64

    def __init__(self) -> None:
        self.functions: set[Callable[..., Any]] = set()

    def of(self, functions: frozenset[Callable[..., Any]]) -> Callable[..., jax.Array]:
        """The compiled function for schedules that hold these."""
        if not self.functions or len(self.functions | functions) > self.MOST:
            self.functions = set()
            self.compiled = jax.jit(lambda schedule, count: _value(schedule, count), inline=True)
        self.functions |= functions
        return self.compiled


_programs = _Programs()


def _program_of(schedule: Schedule) -> Callable[..., jax.Array]:
    return _programs.of(schedule._functions) if schedule._functions else _compiled_value


def _no_formula(operation: str, instead: str) -> str:
    return f"{operation} is no schedule: write jaxlr.custom(lambda n: {instead})"


def _schedules_in(values: Any) -> list[Schedule]:
    """The schedules among some arguments, and in lists of them."""
    inner = [value if isinstance(value, list | tuple) else (value,) for value in values]
    return [each for items in inner for each in items if isinstance(each, Schedule)]


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


def _for_outline(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_for_outline(each) for each in value]
    if isinstance(value, Schedule):
        return value.outline()
    return leaves.nearly(value) if leaves.is_leaf(value) else value


def _is_schedule(value: Any) -> bool:
    return isinstance(value, Schedule)


def _restored(formula: Callable[..., Wide], arguments: dict[str, Any]) -> Schedule:
    return Schedule(formula, **arguments)
