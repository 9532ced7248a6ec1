"""From an argument to a leaf: every number is checked here, at the door, and then stored as float32 or int32.

A number becomes a `Number` (two float32, 48 bits), a growth of cycles a `Fine` (three), a decay factor a `Factor`, a
number of updates a `Length`, one of either sign an `Offset`. Each type passes its own door alone, as it is, so that
`Schedule.replace` keeps every bit; traced values pass unchecked. A formula gets what a leaf stands for, by `decoded`.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import operator
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxlr.numerics import elementary, wide
from jaxlr.numerics.triple import Triple
from jaxlr.numerics.wide import Wide

LARGEST_LENGTH = 2**31 - 1
MOST_PRINTED: ContextVar[float] = ContextVar("MOST_PRINTED", default=1000)  # entries of a list
_FLOATS = float | np.floating | np.ndarray
_Word = TypeVar("_Word", bound=str)
_Leaf = TypeVar("_Leaf", "Number", "Length", "Length | Number")


class StoredLeaf:
    """What the leaves have in common."""

    is_leaf = True

    def decoded(self) -> Any:
        """What formulas compute with."""
        raise NotImplementedError


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Number(StoredLeaf):
    """A number: two float32, the nearest one and what it leaves out."""

    high: Any
    low: Any

    def decoded(self) -> Wide:
        """The number as formulas compute with it."""
        return Wide(self.high, self.low)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Fine(StoredLeaf):
    """A number with all the bits of a Python float: three float32, each what the ones before it leave out."""

    high: Any
    middle: Any
    low: Any

    def decoded(self) -> Triple:
        """The number as formulas compute with it."""
        return Triple(self.high, self.middle, self.low)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Factor(StoredLeaf):
    """A factor, as its logarithm: two float32 of 1 - 1e-9 keep too few bits of its distance from 1."""

    high: Any
    low: Any

    @property
    def log(self) -> Wide:
        """Its natural logarithm."""
        return Wide(self.high, self.low)

    def decoded(self) -> Factor:
        """Itself: formulas ask for powers of it."""
        return self

    def power(self, exponent: Wide) -> tuple[Wide, jax.Array]:
        """`(y, k)` with `factor ** exponent = y * 2**k`."""
        return elementary.exp(self.log, exponent)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Length(StoredLeaf):
    """A number of updates: int32."""

    count: Any

    def __index__(self) -> int:
        return operator.index(np.asarray(self.count)[()])

    def decoded(self) -> jax.Array:
        """As uint32, in which the sum of two lengths does not overflow; a traced negative one is 0."""
        return jnp.maximum(self.count, 0).astype(jnp.uint32)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Offset(StoredLeaf):
    """A number of updates of either sign: int32."""

    count: Any

    def decoded(self) -> jax.Array:
        """As int32."""
        return jnp.asarray(self.count)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Ramp(StoredLeaf):
    """Batch sizes that change: from so many examples on, so many in a batch; of rank 1, with one entry a size."""

    starts: Number  # examples from which the size is meant to hold; exact below 2**46
    seen: Number  # examples behind the first update of this size, the first at which as many are reached
    updates: Any  # int32, the count of that update
    sizes: Any  # int32

    def decoded(self) -> Ramp:
        """Itself: formulas look sizes up in it."""
        return self


def decoded(value: Any) -> Any:
    """What a formula computes with in place of a leaf; anything else as it is."""
    return value.decoded() if isinstance(value, StoredLeaf) else value


def stored(value: Wide) -> Number:
    """The leaf of a number that a formula computed."""
    return Number(value.high, value.low)


def number(name: str, value: Any, *, minimum: float = -math.inf, shape: tuple[int, ...] = ()) -> Number:
    """A finite number of any sign as a leaf."""
    if isinstance(value, Number):
        return _at_least(name, value, minimum)
    if isinstance(value, Tracer):
        return stored(_traced_number(name, value))
    value = _known_array(name, value, shape)
    if not np.all(np.abs(value) <= wide.LARGEST):  # NaN neither
        _require(False, name, value, "within the reach of float32" if np.all(np.isfinite(value)) else "finite")
    if minimum > -math.inf:
        _require(bool(np.all(value >= minimum)), name, value, f"at least {minimum:g}")
    return Number(*_split(value))


def positive(name: str, value: Any) -> Number:
    """A finite number above 0 as a leaf."""
    leaf = number(name, value)
    if is_known(leaf) and np.any(_decoded(leaf) <= 0):
        raise ValueError(f"{name} must be above 0, got {printed(leaf)}")
    return leaf


def share(name: str, value: Any, *, maximum: float = 1.0) -> Number:
    """A number in [0, maximum] as a leaf."""
    return at_most(name, number(name, value, minimum=0.0), maximum)


def at_most(name: str, leaf: Number, maximum: float) -> Number:
    """A leaf whose number, where it is known, is not above another."""
    if is_known(leaf) and np.any(_decoded(leaf) > maximum):
        raise ValueError(f"{name} must be at most {maximum:g}, got {printed(leaf)}")
    return leaf


def function(name: str, value: Any) -> Any:
    """A function: static, it selects the program."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {value!r}")
    return value


def factor(name: str, value: Any, *, shape: tuple[int, ...] = ()) -> Factor:
    """A finite factor, at least 0, as the leaf of its logarithm."""
    if isinstance(value, Factor):
        return value
    if isinstance(value, Tracer):
        traced = elementary.log(_traced_number(name, value))
        return Factor(traced.high, traced.low)
    value = _known_array(name, value, shape)
    _require(bool(np.all(np.isfinite(value))), name, value, "finite")
    _require(bool(np.all(value >= 0)), name, value, "at least 0")
    return Factor(*_split_logarithm(value))


def length(name: str, value: Any, *, minimum: int = 1) -> Length:
    """A number of updates as a leaf."""
    return (
        _at_least(name, value, minimum) if isinstance(value, Length) else Length(integer(name, value, minimum=minimum))
    )


def offset(name: str, value: Any) -> Offset:
    """A number of updates of either sign as a leaf."""
    return value if isinstance(value, Offset) else Offset(integer(name, value, minimum=-LARGEST_LENGTH))


def growth(name: str, value: Any) -> Length | Number | Fine:
    """A factor above 0 as a leaf: as an integer where it is one, else with all its bits."""
    if isinstance(value, Length):
        return _at_least(name, value, 1)
    if isinstance(value, Fine):
        return value
    if isinstance(value, Tracer) and jnp.issubdtype(value.dtype, jnp.integer):
        return length(name, value)
    leaf = positive(name, value)
    if isinstance(value, Number | Tracer):
        return leaf
    factor = float(value)
    if factor.is_integer() and factor <= LARGEST_LENGTH:
        return length(name, int(factor))
    return _fine(factor)


def _fine(value: float) -> Fine:
    high = np.float32(value)
    middle = np.float32(value - float(high))
    return Fine(high, middle, np.float32(value - float(high) - float(middle)))


def interval(name: str, value: Any) -> Length | Number:
    """A number of updates as a leaf, or the leaf of a number where it has a fraction; at least 1."""
    if isinstance(value, Length | Number):
        return _at_least(name, value, 1)
    if isinstance(value, Tracer):
        return length(name, value) if jnp.issubdtype(value.dtype, jnp.integer) else number(name, value)
    if isinstance(value, _FLOATS) and np.ndim(value) == 0 and not float(value).is_integer():
        _require(bool(np.isfinite(value)), name, value, "finite")
        _require(bool(value <= LARGEST_LENGTH), name, value, f"at most {LARGEST_LENGTH}")
        return number(name, value, minimum=1)
    return length(name, value)


def length_or_ramp(name: str, value: Any) -> Length | Ramp:
    """A batch size, or sizes by the number of examples from which they hold: a mapping, or a list of pairs."""
    if isinstance(value, Ramp):
        return value
    if not isinstance(value, Mapping | list | tuple):
        return length(name, value)
    pairs = list(value.items()) if isinstance(value, Mapping) else [tuple(sequence(name, pair)) for pair in value]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise ValueError(
            f"{name} must be a size, or sizes by numbers of examples as {{0: 256, 10**6: 512}}, got {value!r}"
        )
    if any(map(is_traced, itertools.chain(*pairs))):
        raise TypeError(f"{name} must be known where it changes, got {value!r}; the schedule may be an argument of jit")
    starts = [_as_integer(f"a number of examples in {name}", start) for start, _ in pairs]
    sizes = [int(integer(f"{name}[{start}]", size, minimum=1)) for start, size in pairs]
    rising = starts[0] == 0 and all(map(operator.lt, starts, starts[1:])) and starts[-1] < 2**46
    _require(rising, f"the numbers of examples in {name}", starts, "rising from 0, and below 2**46")
    updates, seen = [0], [0]
    for start, size in zip(starts[1:], sizes, strict=False):
        steps = -(-(start - seen[-1]) // size)
        updates.append(updates[-1] + max(0, steps))
        seen.append(seen[-1] + max(0, steps) * size)
    updates = [min(count, LARGEST_LENGTH) for count in updates]
    meant, reached = (Number(*_split(np.asarray(each, np.float64))) for each in (starts, seen))
    return Ramp(meant, reached, np.asarray(updates, np.int32), np.asarray(sizes, np.int32))


def integer(name: str, value: Any, *, minimum: int) -> Any:
    """A number of updates as an int32 scalar, for code that computes with it."""
    if isinstance(value, Tracer):
        if not jnp.issubdtype(value.dtype, jnp.integer):
            raise TypeError(f"{name} must be an integer number of updates, got an array of dtype {value.dtype}")
        return value.astype(jnp.int32)
    value = _as_integer(name, value)
    _require(value >= minimum, name, value, f"at least {minimum}")
    _require(value <= LARGEST_LENGTH, name, value, f"at most {LARGEST_LENGTH}")
    return np.int32(value)


def lengths(name: str, values: Any, *, minimum: int = 1, strictly: bool = False) -> Length:
    """Update counts in rising order as one leaf of rank 1."""
    if isinstance(values, Length) and np.ndim(values.count):
        return values
    if isinstance(values, Tracer) or (isinstance(values, jax.Array | np.ndarray) and values.ndim > 1):
        return Length(_integers(name, values))
    items = sequence(name, values)
    if not _all_are(items, int):  # the usual list costs no check of each
        items = [length(f"{name}[{i}]", item, minimum=minimum).count for i, item in enumerate(items)]
    if any(map(is_traced, items)):
        return Length(jnp.stack([jnp.asarray(item, jnp.int32) for item in items]))
    _require_each(name, items, minimum)
    counts = np.asarray(items, np.int32)
    steps = np.diff(counts.astype(np.int64))
    _require(
        bool(np.all(steps > 0 if strictly else steps >= 0)), name, counts, f"in {'strictly ' * strictly}rising order"
    )
    return Length(counts)


def numbers(name: str, values: Any) -> Number:
    """Finite numbers as one leaf of rank 1."""
    if isinstance(values, Number) and np.ndim(values.high):
        return values
    items = sequence(name, values)
    if items and _all_are(items, int, float):  # at once, as `number` would one by one
        array = np.asarray([float(item) if abs(item) <= wide.LARGEST else math.nan for item in items])
        if np.all(np.isfinite(array)):
            return Number(*_split(array))
    return Number(*_stacked([number(f"{name}[{i}]", item) for i, item in enumerate(items)]))


def factors(name: str, values: Any) -> Factor:
    """One factor, or one for each of several, as one leaf."""
    if isinstance(values, Factor) or (not isinstance(values, list | tuple) and np.ndim(values) == 0):
        return factor(name, values)
    return Factor(*_stacked([factor(f"{name}[{i}]", item) for i, item in enumerate(sequence(name, values))]))


# Those that take 0 as well.
number_from_0 = functools.partial(number, minimum=0.0)
length_from_0 = functools.partial(length, minimum=0)
lengths_from_0 = functools.partial(lengths, minimum=0)


def sequence(name: str, values: Any) -> Sequence[Any]:
    """A list, a tuple or an array of rank 1."""
    _refuse_leaf(name, values, "a list")
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return values.tolist()
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list, got {values!r}")
    return list(values)


def choice(name: str, value: _Word, options: Sequence[str]) -> _Word:
    """One of a few words."""
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")
    return value


def flag(name: str, value: Any) -> bool:
    """True or False: it selects another formula, so it cannot be traced."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def ordered(low_name: str, low: Number, high_name: str, high: Number) -> None:
    """`low <= high`, where both are known."""
    if is_known(low) and is_known(high) and np.any(_decoded(low) > _decoded(high)):
        raise ValueError(
            f"{low_name} must be at most {high_name}, got {low_name}={printed(low)} and {high_name}={printed(high)}"
        )


def entries(values: Any) -> int:
    """How many entries a leaf of rank 1, or a list, has."""
    return jax.tree.leaves(values)[0].shape[-1] if isinstance(values, StoredLeaf) else len(values)


def same_length(name: str, leaf: Factor, other_name: str, other: Length) -> None:
    """A leaf of rank 1 has as many entries as another; a scalar stands for all of them."""
    entries, others = np.shape(leaf.high), np.shape(other.count)
    if entries and entries != others:
        raise ValueError(
            f"{name} must be one number or one for each of {other_name}, got {entries[-1]} for {others[-1]}"
        )


def one_fewer(name: str, values: Any, other_name: str, others: Any) -> None:
    """There is one entry fewer than there are others."""
    if entries(values) + 1 != entries(others):
        raise ValueError(
            f"{name} must be one fewer than {other_name}, "
            f"got {entries(values)} {name} for {entries(others)} {other_name}"
        )


def one_or_more(name: str, values: Any) -> None:
    """There is an entry."""
    if not entries(values):
        raise ValueError(f"{name} must have one entry at least, got none")


def _at_least(name: str, leaf: _Leaf, minimum: float) -> _Leaf:
    """The leaf of another schedule, whose number may be one that this argument does not take."""
    if minimum > -math.inf and is_known(leaf):
        values = np.asarray(leaf.count if isinstance(leaf, Length) else _decoded(leaf))
        if not np.all(values >= minimum):
            raise ValueError(f"{name} must be at least {minimum:g}, got {printed(leaf)}")
    return leaf


def is_traced(value: Any) -> bool:
    """Whether a value is only known when the program runs."""
    return isinstance(value, Tracer) or (
        isinstance(value, StoredLeaf) and any(isinstance(part, Tracer) for part in jax.tree.leaves(value))
    )


def is_leaf(value: Any) -> bool:
    """Whether a value is a number that a schedule holds: a leaf, or an array of a custom schedule."""
    return isinstance(value, StoredLeaf) or hasattr(value, "dtype")


def is_known(leaf: Any) -> bool:
    """Whether a leaf's values can be looked at now."""
    return all(isinstance(part, np.ndarray | np.generic | jax.Array) and not is_traced(part)
               for part in jax.tree.leaves(leaf))  # fmt: skip


def printed(leaf: Any) -> str:
    """The shortest text that makes the same leaf again; of a list of thousands both ends."""
    if not is_known(leaf):
        return "<traced>"
    if isinstance(leaf, Ramp):
        return repr(dict(plain(leaf)))
    parts = jax.tree.leaves(leaf)
    if np.size(parts[0]) <= MOST_PRINTED.get():
        return repr(plain(leaf))
    if np.ndim(parts[0]) > 1:
        return f"<an array of shape {np.shape(parts[0])}>"
    first, last = (plain(jax.tree.map(lambda x, part=part: x[part], leaf)) for part in (slice(3), slice(-1, None)))
    return f"[{', '.join(map(repr, first))}, ..., {last[0]!r}]"


def rank(leaf: Any) -> int:
    """0 for a number, 1 for a list of them; more where there is one for each of a batch."""
    return max(np.ndim(part) for part in jax.tree.leaves(leaf))


def nearly(leaf: Any) -> Any:
    """A leaf as a Python number or an array of them, without a search for the shortest digits."""
    if isinstance(leaf, Ramp):
        return plain(leaf)
    value = _decoded(leaf) if isinstance(leaf, Number | Factor) else np.asarray(plain(leaf))
    return value if np.ndim(value) else value.item()


def plain(leaf: Any) -> Any:
    """A leaf as a Python number, or a list of them."""
    if isinstance(leaf, Length | Offset):
        return np.asarray(leaf.count).tolist()
    if isinstance(leaf, Ramp):
        return [
            [int(start), size]
            for start, size in zip(_decoded(leaf.starts), np.asarray(leaf.sizes).tolist(), strict=True)
        ]
    if isinstance(leaf, Fine):
        high, middle, low = (np.asarray(part, np.float64) for part in (leaf.high, leaf.middle, leaf.low))
        return (high + middle + low).tolist()  # the float that it was made of
    if not isinstance(leaf, Number | Factor):
        return np.asarray(leaf).tolist()
    high, low = np.asarray(leaf.high), np.asarray(leaf.low)
    if high.ndim:
        return _shortest_of_each(type(leaf), high.ravel(), low.ravel()).reshape(high.shape).tolist()
    return _shortest(type(leaf), np.float32(high), np.float32(low))


@functools.lru_cache(maxsize=4096)
def _shortest(kind: type[Number] | type[Factor], high: np.float32, low: np.float32) -> float:
    return _shortest_of_each(kind, np.asarray([high]), np.asarray([low])).item()


def _shortest_of_each(kind: type[Number] | type[Factor], high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """The shortest decimal numbers whose leaves are these."""
    values = _decoded(kind(high, low))
    split = _split_logarithm if kind is Factor else _split
    found, left = values.copy(), np.arange(values.size)
    for digits in range(1, 17):
        short = np.array([float(f"{value:.{digits}g}") for value in values[left].tolist()])
        parts = split(np.clip(short, -wide.LARGEST, wide.LARGEST))
        same = (np.abs(short) <= wide.LARGEST) & (parts[0] == high[left]) & (parts[1] == low[left])
        found[left[same]] = short[same]
        left = left[~same]
        if not left.size:
            break
    return found


def _decoded(leaf: Number | Factor) -> np.ndarray:
    value = np.asarray(leaf.high, np.float64) + np.asarray(leaf.low, np.float64)
    if isinstance(leaf, Factor):
        value = np.where(value < wide.LOG_OF_ZERO / 2, 0.0, np.exp(np.maximum(value, -1e3)))
    return value


def _traced_number(name: str, value: jax.Array) -> Wide:
    if jnp.issubdtype(value.dtype, jnp.integer):
        magnitude = wide.from_integer(jnp.abs(value).astype(jnp.uint32))
        return wide.where(value < 0, -magnitude, magnitude)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise TypeError(f"{name} must be a number, got an array of dtype {value.dtype}")
    high = value.astype(jnp.float32)
    if value.dtype != jnp.float64:
        return wide.from_float32(high)
    return Wide(high, (value - high.astype(jnp.float64)).astype(jnp.float32))


def _known_array(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    _refuse_leaf(name, value, "a number")
    if hasattr(value, "init") and hasattr(value, "update"):
        raise TypeError(f"{name} must be a number, got an optimizer: write its learning rate in its place")
    if isinstance(value, bool | np.bool_ | str | bytes | complex) or value is None or callable(value):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        array = np.asarray(value, np.float64)
    except OverflowError:
        raise ValueError(f"{name} must be within the reach of float32, got {shown(value)}") from None
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if array.shape != shape:
        raise TypeError(
            f"{name} must be one number, got an array of shape {array.shape}; "
            f"make one schedule for each with jax.vmap(lambda value: ...)(values)"
        )
    return array


def _as_integer(name: str, value: Any) -> int:
    _refuse_leaf(name, value, "an integer number of updates")
    if not isinstance(value, bool | np.bool_):
        if np.ndim(value):
            raise TypeError(f"{name} must be one integer, got an array of shape {np.shape(value)}")
        try:
            return operator.index(value)
        except TypeError:
            pass
    if isinstance(value, _FLOATS) and np.issubdtype(type(np.asarray(value)[()]), np.floating) and value % 1 == 0:
        return int(value)
    remedy = "; make it one with int(...), or give a fraction to per_epoch or at_speed"
    fractional = isinstance(value, float | np.floating | np.ndarray | jax.Array)
    raise TypeError(f"{name} must be an integer number of updates, got {value!r}{remedy if fractional else ''}")


def _integers(name: str, values: Any) -> Any:
    """An array of counts as int32."""
    if jnp.issubdtype(values.dtype, jnp.integer):
        return values.astype(np.int32)
    if isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.floating) and np.all(values % 1 == 0):
        return values.astype(np.int32)
    raise TypeError(f"{name} must be integer numbers of updates, got an array of dtype {values.dtype}")


def _all_are(items: Sequence[Any], *kinds: type) -> bool:
    return set(map(type, items)) <= set(kinds)


def _require_each(name: str, items: Sequence[int], minimum: int) -> None:
    """Each count in range; the first that is not is named."""
    if items and not minimum <= min(items) <= max(items) <= LARGEST_LENGTH:
        for i, item in enumerate(items):
            integer(f"{name}[{i}]", item, minimum=minimum)


def _split(value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(under="ignore"):
        high = value.astype(np.float32)
        return high[()], (value - high.astype(np.float64)).astype(np.float32)[()]


def _split_logarithm(value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _split(np.where(value >= wide.SMALLEST, np.log(np.maximum(value, wide.SMALLEST)), wide.LOG_OF_ZERO))


def _stacked(leaves: Sequence[Number | Factor]) -> tuple[Any, Any]:
    if not leaves:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    stack = np.stack if all(map(is_known, leaves)) else jnp.stack
    return stack([leaf.high for leaf in leaves]), stack([leaf.low for leaf in leaves])


def _refuse_leaf(name: str, value: Any, wanted: str) -> None:
    if isinstance(value, StoredLeaf):
        kinds = {Number: "number", Fine: "number", Factor: "factor", Length: "length", Offset: "offset", Ramp: "ramp"}
        kind = kinds[type(value)]
        raise TypeError(f"{name} must be {wanted}, got the {kind} {printed(value)} of a schedule; write its value out")


def _require(holds: bool, name: str, value: Any, rule: str) -> None:
    if not holds:
        raise ValueError(f"{name} must be {rule}, got {shown(value)}")


def shown(value: Any) -> str:
    """A value for an error: a number of hundreds of digits and a list of thousands of entries only in part."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, int) and abs(value) >= 10**40:
        return f"an integer of about {int(value.bit_length() * math.log10(2)) + 1} digits"
    return reprlib.repr(value) if isinstance(value, list) and len(value) > MOST_PRINTED.get() else repr(value)
