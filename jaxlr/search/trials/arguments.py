"""The arguments that all searches share: checked at the door, and brought into the form that trials take."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
import optax

from jaxlr.schedules import leaves
from jaxlr.search.trials.trial import (
    CompilerOption,
    Limits,
    Optimizer,
    Problem,
    Start,
    smoothing_weights,
    stack_batches,
)
from jaxlr.typing import Length, PyTree


def grid(start: float, end: float, points: int, scale: str) -> np.ndarray:
    """Rates from `start` to `end`, both reached exactly: evenly spaced, or in their logarithms.

    Example:
      >>> grid(0.5, 8.0, 5, "exponential").tolist(), grid(0.0, 1.0, 3, "linear").tolist()
      ([0.5, 1.0, 2.0, 4.0, 8.0], [0.0, 0.5, 1.0])
    """
    leaves.choice("scale", scale, ("exponential", "linear"))
    start, end = _number("start", start), _number("end", end)
    if scale == "exponential" and start <= 0.0:
        raise ValueError(f"start must be above 0 on an exponential scale, got {start!r}")
    if start < 0.0:
        raise ValueError(f"start must be at least 0, got {start!r}")
    if start >= end:
        raise ValueError(f"start must be below end, got start={start!r} and end={end!r}")
    space = np.geomspace if scale == "exponential" else np.linspace
    rates = space(start, end, points, dtype=np.float64).astype(np.float32)
    rates[0], rates[-1] = start, end
    return rates


def count(name: str, value: Length, minimum: int) -> int:
    """A known integer."""
    return int(leaves.length(name, value, minimum=minimum))


def limits(updates: int, smoothing: float, divergence: float) -> Limits:
    """The numbers of smoothing and divergence as data."""
    smoothing = _number("smoothing", smoothing)
    if not 0.0 <= smoothing < 1.0:
        raise ValueError(f"smoothing must be at least 0 and below 1, got {smoothing!r}")
    if isinstance(divergence, bool) or not isinstance(divergence, int | float) or not divergence > 1.0:
        raise ValueError(f"divergence must be a number above 1 (math.inf: never stop), got {divergence!r}")
    return Limits(smoothing_weights(smoothing, updates), np.asarray(divergence - 1.0, np.float32))


def problem(
    loss_fn: Callable[..., Any],
    optimizer: Optimizer,
    metric_fn: Callable[..., Any] | None,
    metric_batch: PyTree,
    *,
    stateful: bool,
    accumulate: int,
    final_loss: bool,
    strategy: str,
    compiler_options: Mapping[str, CompilerOption] | None,
) -> Problem:
    """What decides which program is compiled."""
    for name, value in (("loss_fn", loss_fn), ("metric_fn", metric_fn)):
        if not callable(value) and not (name == "metric_fn" and value is None):
            raise TypeError(f"{name} must be a function, got {value!r}")
    if metric_fn is None and metric_batch is not None:
        raise ValueError("metric_batch needs metric_fn, which is None")
    if not callable(optimizer) and not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(
            "optimizer must be a function of the rate, such as jaxlr.sgd, or a gradient transformation, "
            f"got {optimizer!r}"
        )
    leaves.choice("strategy", strategy, ("auto", "map", "vmap"))
    if strategy == "auto":
        # On a CPU, convolutions with weights of several trials side by side cost many times those of one after another.
        strategy = "map" if jax.default_backend() == "cpu" else "vmap"
    options = tuple(sorted((compiler_options or {}).items()))
    return Problem(
        loss_fn=comparable(loss_fn),
        optimizer=comparable(optimizer),
        metric_fn=comparable(metric_fn),
        stateful=stateful,
        accumulate=count("accumulate", accumulate, 1),
        final_loss=final_loss,
        strategy=strategy,
        compiler_options=options,
    )


@dataclasses.dataclass(frozen=True)
class _Partial:
    """A `functools.partial` that equals others of the same parts."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*self.arguments, *arguments, **dict(self.keywords))


def comparable(function: Any) -> Any:
    """The function; a partial as one that is written anew for each test and still compiled once.

    Example:
      >>> import functools
      >>> comparable(functools.partial(round, ndigits=2)) == comparable(functools.partial(round, ndigits=2))
      True
    """
    if not isinstance(function, functools.partial):
        return function
    same = _Partial(function.func, function.args, tuple(sorted(function.keywords.items())))
    try:
        hash(same)
    except TypeError:  # an argument without a hash, such as an array
        return function
    return same


def start(params: PyTree, model_state: PyTree, opt_state: PyTree) -> Start:
    """Where trials begin."""
    if not jax.tree.leaves(params):
        raise ValueError("params must hold at least one array, got none")
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        dtype = getattr(leaf, "dtype", None) if not isinstance(leaf, int | float | complex) else np.result_type(leaf)
        if dtype is None or not jax.numpy.issubdtype(dtype, np.inexact):
            where = jax.tree_util.keystr(path)
            what = f"an array of {dtype}" if dtype is not None else f"a {type(leaf).__name__}"
            raise TypeError(
                f"params{where} must be an array of floats, got {what}; of a model take the weights alone: of Flax by "
                "nnx.split(model, nnx.Param, ...), of Equinox by eqx.partition(model, eqx.is_inexact_array), and put "
                "the two together again in loss_fn"
            )
    return Start(params, model_state, opt_state)


def is_sequence(batches: PyTree) -> bool:
    """Whether batches come one after another: a list, an iterator or a loader, not arrays with a leading axis."""
    if isinstance(batches, list):
        return True
    is_one_leaf = jax.tree_util.all_leaves([batches])
    return is_one_leaf and not hasattr(batches, "shape") and isinstance(batches, Iterable)


def in_order(batches: PyTree, updates: int, accumulate: int, seeds: int, *, repeat: bool) -> tuple[PyTree, np.ndarray]:
    """Batches as arrays with a leading axis, and which of them each update of each seed sees, as `orders` has it.

    Of a sequence as many are taken as are needed, or all if there are fewer.
    """
    needed = updates * accumulate
    if is_sequence(batches):
        batches = stack_batches(at_least_one(list(itertools.islice(iter(batches), needed))))
    leaves = jax.tree.leaves(batches)
    if not leaves:
        raise ValueError("batches must hold at least one array, got none")
    if any(np.ndim(leaf) == 0 for leaf in leaves):
        raise ValueError("batches must be arrays with a leading axis of batches, got a scalar")
    lengths = sorted({len(leaf) for leaf in leaves})
    if len(lengths) > 1:
        raise ValueError(f"batches must all have the same leading axis, got the lengths {', '.join(map(str, lengths))}")
    require_enough(len(at_least_one(leaves[0])), needed, repeat)
    return batches, orders(lengths[0], updates, accumulate, seeds)


def at_least_one(batches: Any) -> Any:
    """The batches, of which there are some."""
    if not len(batches):
        raise ValueError("batches must hold at least one batch, got none")
    return batches


def require_enough(held: int, needed: int, repeat: bool) -> None:
    """There are as many batches as a trial needs."""
    if held < needed and not repeat:
        raise ValueError(
            f"batches must hold at least {needed} batches (num_steps * accumulate), got {held}; "
            "pass repeat=True to reuse them"
        )


def orders(held: int, updates: int, accumulate: int, seeds: int) -> np.ndarray:
    """Which batches each update of each seed sees: (seeds, updates, accumulate), int32.

    The first seed takes them as they come. The others take them in orders of their own, one for each time round.

    Example:
      >>> orders(3, 5, 1, 2)[:, :, 0].tolist()
      [[0, 1, 2, 0, 1], [2, 0, 1, 1, 2]]
    """
    rounds = math.ceil(updates * accumulate / held)
    rows = [np.tile(np.arange(held), rounds)]
    for seed in range(1, seeds):
        # NumPy promises the raw stream of a generator for ever, but not the permutation that it makes of it.
        draws = np.random.PCG64(seed).random_raw(rounds * held).reshape(rounds, held)
        rows.append(np.argsort(draws, axis=1, kind="stable").reshape(-1))
    rows = [row[: updates * accumulate].reshape(updates, accumulate) for row in rows]
    return np.stack(rows).astype(np.int32)


def random_key(key: jax.Array | None) -> jax.Array | None:
    """One random key, or None."""
    dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", None)
    typed = dtype is not None and jax.numpy.issubdtype(dtype, jax.dtypes.prng_key) and shape == ()
    if key is None or typed or (dtype == np.uint32 and shape is not None and len(shape) == 1):
        return key
    raise TypeError(f"key must be a random key such as jax.random.key(0), got {key!r}")


def keys_of(key: jax.Array | None, seeds: int) -> jax.Array | None:
    """A random key for each seed; the first is `key` itself."""
    if key is None:
        return None
    others = [jax.random.fold_in(key, seed) for seed in range(1, seeds)]
    return jax.numpy.stack([jax.numpy.asarray(key), *others])


def _number(name: str, value: float) -> float:
    leaf = leaves.number(name, value)
    if not leaves.is_known(leaf):
        raise TypeError(f"{name} must be a known number, not a traced one")
    return float(value)
