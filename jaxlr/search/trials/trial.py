"""A trial: some updates under given rates, from given weights; what every search for a learning rate runs.

All trials of a search are one compiled program. Its inputs are the rates, the weights and the data; what it is made of
(the functions and a few choices) is a `Problem`, and a problem is compiled once for all inputs of the same shapes.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxlr.loops import mean_over, while_finite
from jaxlr.transforms.rate.access import learning_rates, set_learning_rate
from jaxlr.typing import Array, PyTree

Optimizer: TypeAlias = (
    "Callable[..., optax.GradientTransformation] | optax.GradientTransformation"  # of a rate, or made
)
CompilerOption: TypeAlias = "str | bool | int | float"
COMPLETED, DIVERGED, NOT_FINITE = 0, 1, 2
FLAT = np.float32(1e-6)  # of the first gradient: a ramp that has come so near to a minimum begins again
PATIENCE = 3  # losses in a row above the limit before a ramp counts as diverged: one odd batch is no divergence
_KEPT_PROGRAMS = 16  # a compiled program keeps its functions, and what they close over, alive


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is trained and how: everything that decides which program is compiled."""

    loss_fn: Callable[..., Any]
    optimizer: Optimizer
    metric_fn: Callable[..., Any] | None
    stateful: bool  # whether the functions take (params, model_state, batch, key)
    accumulate: int  # batches in an update
    final_loss: bool  # whether the loss over all batches of the trial is measured once more after it
    strategy: str  # "map": trials one after another; "vmap": side by side
    compiler_options: tuple[tuple[str, CompilerOption], ...]

    def transformation(self, rate: Array) -> optax.GradientTransformationExtraArgs:
        """The optimizer with this rate; a finished one has its rate in its state instead."""
        optimizer = self.optimizer
        made = optimizer if isinstance(optimizer, optax.GradientTransformation) else optimizer(rate)
        if not isinstance(made, optax.GradientTransformation):
            raise TypeError(f"optimizer must make a gradient transformation of a rate, got {made!r}")
        return optax.with_extra_args_support(made)

    def with_rate(self, opt_state: PyTree, rate: Array) -> PyTree:
        """The optimizer's state, holding this rate where the transformation cannot."""
        if not isinstance(self.optimizer, optax.GradientTransformation):
            return opt_state
        if not learning_rates(opt_state):
            raise ValueError(
                "optimizer must be one whose state has its rate, such as jaxlr.adamw(0.1), or a function of the rate, "
                "such as optax.adamw itself; the state of this one has none"
            )
        return set_learning_rate(opt_state, rate)


class Start(NamedTuple):
    """Where a trial begins."""

    params: PyTree
    model_state: PyTree  # None without
    opt_state: PyTree  # None: that of a new optimizer


class Entry(NamedTuple):
    """What one update of a trial shows; in a `Record` with the axes (trials, updates)."""

    loss: Array  # float32: before the update
    smoothed: Array  # float32: mean of the losses so far, weighted towards the late ones
    metric: Array  # float32: before the update; 0 without a metric
    gradient: Array  # float32: largest absolute entry of the gradient
    update: Array  # float32: largest absolute entry of what was added to the weights
    reference: Array  # float32: loss of the starting weights on the same batch; 0 where the final loss is asked for


class Record(NamedTuple):
    """What the trials of a search showed; the first axis is that of trials."""

    entries: Entry  # (trials, updates); 0 beyond `done`
    done: Array  # int32, (trials,): updates looked at
    reason: Array  # int32, (trials,): COMPLETED, DIVERGED or NOT_FINITE
    final_loss: Array  # float32, (trials,): mean over the trial's batches after it; 0 where it is not asked for
    final_metric: Array  # float32, (trials,)


class State(NamedTuple):
    """Everything that an update of a trial changes."""

    step: jax.Array  # int32, ()
    start: Start
    smoothed: jax.Array  # float32, ()
    reference: jax.Array  # float32, (): the references, smoothed in the same way
    best: jax.Array  # float32, (): the lowest smoothed loss, counted from the smoothed reference
    above: jax.Array  # int32, (): how many losses in a row lie above the limit of divergence
    gradient: jax.Array  # float32, (): the first gradient's largest absolute entry
    reason: jax.Array  # int32, ()


class Limits(NamedTuple):
    """The numbers of the smoothing and of the divergence test, as data."""

    weights: Array  # float32, (updates,): of each new loss in the smoothed one
    rise: Array  # float32, (): the rise of the smoothed loss that ends a trial, in units of `_diverged`


def smoothing_weights(smoothing: float, updates: int) -> np.ndarray:
    """The weight of each new loss in a moving average without bias: (1 - b) / (1 - b ** n) at the n-th.

    With it, mean += weight * (loss - mean) is the average of all losses so far with weights b ** age: the first is the
    loss itself, and a constant loss stays what it is to the last bit.

    Example:
      >>> print(smoothing_weights(0.5, 3))
      [1.         0.6666667  0.5714286]
    """
    steps = np.arange(1, updates + 1, dtype=np.float64)
    if smoothing == 0.0:
        return np.ones(updates, np.float32)
    return (np.expm1(np.log(smoothing)) / np.expm1(steps * np.log(smoothing))).astype(np.float32)


def run_sequence(
    problem: Problem,
    rates: np.ndarray,
    limits: Limits,
    key: jax.Array | None,
    start: Start,
    batches: Iterable[PyTree],
    metric_batch: PyTree,
) -> Record:
    """Runs one trial on batches as they come, by one compiled step; asks for no more of them than are needed."""
    initialize, step = _compiled_step(problem)
    state = initialize(rates[0], start)
    begin = state.start
    source = iter(batches)
    entries = []
    for count, (rate, weight) in enumerate(zip(rates, limits.weights, strict=True)):
        micro_batches = _next_batches(source, problem.accumulate)
        if micro_batches is None:
            raise ValueError(
                f"batches must hold {len(rates) * problem.accumulate} batches (num_steps * accumulate), "
                f"got no more after {count * problem.accumulate} whole updates' worth; pass repeat=True to reuse them"
            )
        state, entry = step(begin, state, rate, limits._replace(weights=weight), key, micro_batches, metric_batch)
        entries.append(entry)
        if int(state.reason) != COMPLETED:
            break
    columns = [np.zeros((1, len(rates)), np.float32) for _ in Entry._fields]
    for column, values in zip(columns, zip(*entries, strict=True), strict=True):
        column[0, : len(entries)] = jax.device_get(list(values))
    done, zero = np.array([len(entries)], np.int32), np.zeros(1, np.float32)
    return Record(Entry(*columns), done, np.asarray(state.reason)[None], final_loss=zero, final_metric=zero)


def _next_batches(source: Iterator[PyTree], accumulate: int) -> PyTree:
    """The next batches with a leading axis, or None if there are too few."""
    found = []
    for _ in range(accumulate):
        batch = next(source, None)
        if batch is None:
            return None
        found.append(batch)
    return stack_batches(found)


def stack_batches(batches: list[PyTree]) -> PyTree:
    """Several batches as one tree of arrays with a leading axis."""

    def stacked(*leaves: Any) -> Any:
        shapes = sorted({np.shape(leaf) for leaf in leaves})
        if len(shapes) > 1:
            raise ValueError(f"batches must all have the same shapes, got {', '.join(map(str, shapes))}")
        on_device = any(isinstance(leaf, jax.Array) for leaf in leaves)
        return jnp.stack(leaves) if on_device else np.stack(leaves)

    structures = {jax.tree.structure(batch) for batch in batches}
    if len(structures) > 1:
        raise ValueError(f"batches must all have the same structure, got {' and '.join(map(str, structures))}")
    return jax.tree.map(stacked, *batches)


@functools.lru_cache(maxsize=_KEPT_PROGRAMS)
def compiled_trials(problem: Problem) -> Callable[..., Record]:
    """The program that runs all trials of a search, on arrays of batches.

    Returns:
      A function of
        rates: float32, (trials, updates);
        limits: when to stop;
        order: int32, (trials, updates, accumulate): which batches each update sees;
        keys: a random key for each trial, or None;
        start: where all trials begin;
        batches: a tree of arrays with a leading axis of batches;
        metric_batch: what the metric is measured on; None: the batches.
    """

    def program(rates, limits, order, keys, start, batches, metric_batch):
        def trial(inputs):
            rates, order, key = inputs
            initial = _initial(problem, rates[0], start)

            def one(at: jax.Array, state: State) -> tuple[State, Entry, jax.Array]:
                now = limits._replace(weights=limits.weights[at])
                micro_batches = _taken(batches, order[at])
                state, entry = _update(problem, initial.start, state, rates[at], now, key, micro_batches, metric_batch)
                return state, entry, state.reason == COMPLETED

            columns = Entry(*(jnp.zeros(len(rates), jnp.float32) for _ in Entry._fields))
            _, _, state, entries = while_finite(one, initial, columns, len(rates))
            final_loss = final_metric = jnp.float32(0)
            if problem.final_loss:
                final_loss, final_metric = _over_all(problem, state.start, order, key, batches, metric_batch)
            return Record(entries, state.step, state.reason, final_loss, final_metric)

        inputs = (rates, order, keys)
        if len(rates) == 1:  # neither a loop around it nor its conditions batched
            return jax.tree.map(lambda leaf: leaf[None], trial(jax.tree.map(lambda leaf: leaf[0], inputs)))
        return jax.vmap(trial)(inputs) if problem.strategy == "vmap" else lax.map(trial, inputs)

    return jax.jit(program, compiler_options=dict(problem.compiler_options))


@functools.lru_cache(maxsize=_KEPT_PROGRAMS)
def _compiled_step(problem: Problem) -> tuple[Callable[..., State], Callable[..., tuple[State, Entry]]]:
    def initialize(rate, start):
        return _initial(problem, rate, start)

    def step(*inputs):
        return _update(problem, *inputs)

    compile_ = functools.partial(jax.jit, compiler_options=dict(problem.compiler_options))
    return compile_(initialize), compile_(step)


def _initial(problem: Problem, rate: jax.Array, start: Start) -> State:
    start = jax.tree.map(jnp.asarray, start)
    if start.opt_state is None:
        start = start._replace(opt_state=problem.transformation(rate).init(start.params))
    start = start._replace(opt_state=jax.tree.map(_strong, problem.with_rate(start.opt_state, rate)))
    zero = jnp.float32(0)
    start = jax.tree.map(_strong, start)
    count = jnp.int32(0)
    return State(count, start, zero, zero, jnp.float32(jnp.inf), count, zero, jnp.int32(COMPLETED))


def _update(
    problem: Problem,
    begin: Start,
    state: State,
    rate: jax.Array,
    limits: Limits,
    key: jax.Array | None,
    micro_batches: PyTree,
    metric_batch: PyTree,
) -> tuple[State, Entry]:
    """One update of a trial that began at `begin`: looks at the loss, judges it, and moves on."""
    params, model_state, opt_state = state.start
    alone = metric_batch is not None
    metric = _metric(problem, params, model_state, metric_batch, key_at(key, state.step), wanted=alone)
    loss, gradients, model_state, of_batches = _gradients(problem, state, key, micro_batches, not alone)
    metric = metric + of_batches

    smoothed = state.smoothed + limits.weights * (loss - state.smoothed)
    first = jnp.where(state.step == 0, loss, state.reference)
    reference = jnp.float32(0) if problem.final_loss else _reference(problem, begin, state, key, micro_batches)
    expected = first if problem.final_loss else first + limits.weights * (reference - first)
    largest = _largest(gradients)
    gradient = jnp.where(state.step == 0, largest, state.gradient)
    risen = _risen(smoothed - expected, expected, state.best, limits.rise)
    high = _risen(loss - (first if problem.final_loss else reference), expected, state.best, limits.rise)
    above = jnp.where(high, state.above + 1, 0)
    reason = jnp.where(risen & (above >= (1 if problem.final_loss else PATIENCE)), DIVERGED, COMPLETED)
    reason = jnp.where(jnp.isfinite(loss), reason, NOT_FINITE).astype(jnp.int32)
    best = jnp.minimum(state.best, smoothed - expected)

    updates, opt_state = problem.transformation(rate).update(gradients, problem.with_rate(opt_state, rate), params)
    new = Start(optax.apply_updates(params, updates), model_state, opt_state)
    new = jax.tree.map(_as_before, new, state.start)
    if not problem.final_loss:
        # In a minimum, up to rounding, no rate shows anything: go on from the start.
        is_flat = largest <= FLAT * gradient
        new = jax.tree.map(lambda value, old: jnp.where(is_flat, old, value), new, begin)
    state = State(state.step + 1, new, smoothed, expected, best, above, gradient, reason)
    return state, Entry(loss, smoothed, metric, largest, _largest(updates), reference)


def _risen(change: jax.Array, expected: jax.Array, best: jax.Array, rise: Array) -> jax.Array:
    """Whether the loss rose above its best by `rise` times the best's size, or a quarter of the fall if that is more.

    `change` and `best` count from what the starting weights show on the same batches, `expected`, so that a batch that
    is odd by itself is neither a rise nor a best. For a loss above 0 the limit is (1 + rise) best, unless little of it
    is left; a loss around 0 or below, whose multiples mean nothing, has fallen by something.
    """
    scale = jnp.maximum(jnp.abs(expected + best), -best / 4.0)
    return change - best > rise * scale  # before the first update best is infinite: False


def _reference(problem: Problem, begin: Start, state: State, key: jax.Array | None, micro_batches: PyTree) -> jax.Array:
    """The loss of the starting weights on an update's batches, with the keys and the model's state of the update.

    That state may hold random keys that move on, as Flax's dropout does: the same noise must be in both losses.
    """

    def of_batch(model_state, inputs):
        batch, index = inputs
        loss, new_state = _loss(problem, begin.params, model_state, batch, key_at(key, index))
        return jax.tree.map(_as_before, new_state, model_state), loss

    return mean_over(of_batch, state.start.model_state, _with_places(problem, state, micro_batches))[1]


def _gradients(
    problem: Problem, state: State, key: jax.Array | None, micro_batches: PyTree, with_metric: bool
) -> tuple[jax.Array, PyTree, PyTree, jax.Array]:
    """The means over an update's batches of loss, gradients and metric, and the model's new state."""
    params = state.start.params

    def of_batch(model_state, inputs):
        batch, index = inputs
        metric = _metric(problem, params, model_state, batch, key_at(key, index), wanted=with_metric)
        value_and_gradients = jax.value_and_grad(functools.partial(_loss, problem), has_aux=True)
        (loss, new_state), gradients = value_and_gradients(params, model_state, batch, key_at(key, index))
        return new_state, (loss, gradients, metric)

    inputs = _with_places(problem, state, micro_batches)
    model_state, (loss, gradients, metric) = mean_over(of_batch, state.start.model_state, inputs)
    return loss, gradients, model_state, metric


def _with_places(problem: Problem, state: State, micro_batches: PyTree) -> tuple[PyTree, jax.Array]:
    """An update's batches with their places in the trial."""
    return micro_batches, state.step * problem.accumulate + jnp.arange(problem.accumulate, dtype=jnp.int32)


def _over_all(
    problem: Problem, start: Start, order: jax.Array, key: jax.Array | None, batches: PyTree, metric_batch: PyTree
) -> tuple[jax.Array, jax.Array]:
    """The mean loss and the metric over all batches of a trial, nothing changed."""
    params, model_state = start.params, start.model_state

    def of_batch(_, inputs):
        position, index = inputs
        batch = jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, index, keepdims=False), batches)
        key_here = key_at(key, position)
        loss, _ = _loss(problem, params, model_state, batch, key_here)
        return (), (loss, _metric(problem, params, model_state, batch, key_here, wanted=metric_batch is None))

    indices = order.reshape(-1)
    _, (loss, metric) = mean_over(of_batch, (), (jnp.arange(len(indices), dtype=jnp.int32), indices))
    if metric_batch is not None:
        metric = _metric(problem, params, model_state, metric_batch, key_at(key, jnp.int32(0)), wanted=True)
    return loss, metric


def _loss(
    problem: Problem, params: PyTree, model_state: PyTree, batch: PyTree, key: jax.Array | None
) -> tuple[jax.Array, PyTree]:
    if not problem.stateful:
        result = problem.loss_fn(params, batch)
        if isinstance(result, tuple):
            raise TypeError(
                f"loss_fn must return a scalar where neither model_state nor key is given, got {_described(result)}"
            )
        return _scalar("loss_fn", result), model_state
    result = problem.loss_fn(params, _anew(model_state), batch, key)
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            f"loss_fn must return (loss, model_state) where model_state or key is given, got {_described(result)}"
        )
    loss, new_state = result
    _require_same(model_state, new_state)
    return _scalar("loss_fn", loss), new_state


def _metric(
    problem: Problem, params: PyTree, model_state: PyTree, batch: PyTree, key: jax.Array | None, *, wanted: bool
) -> jax.Array:
    """The metric on a batch; 0 where there is none, or none is wanted."""
    if problem.metric_fn is None or not wanted:
        return jnp.float32(0)
    arguments = (params, _anew(model_state), batch, key) if problem.stateful else (params, batch)
    return _scalar("metric_fn", problem.metric_fn(*arguments))


def _anew(tree: PyTree) -> PyTree:
    """The same tree in new containers: Flax's nnx lets a variable change only in the trace that made it."""
    return jax.tree.map(lambda leaf: leaf, tree)


def _scalar(name: str, value: object) -> jax.Array:
    """What a function returned, if it is one real number, as float32."""
    known = isinstance(value, jax.Array | np.ndarray | np.generic | float | int)
    if not known or np.shape(value) != () or not _is_real(jnp.asarray(value).dtype):
        raise ValueError(f"{name} must return a scalar, got {_described(value)}")
    return jnp.asarray(value).astype(jnp.float32)


def _is_real(dtype: np.dtype) -> bool:
    return jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)


def _described(value: object) -> str:
    if isinstance(value, jax.Array | np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_described, value))})"
    return f"{type(value).__name__}"


def _require_same(old: PyTree, new: PyTree) -> None:
    if jax.tree.structure(old) != jax.tree.structure(new):
        raise ValueError(
            "loss_fn must return a model_state of the structure that it was given, "
            f"{jax.tree.structure(old)}, got {jax.tree.structure(new)}"
        )
    for before, after in zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True):
        if np.shape(before) != np.shape(after):
            raise ValueError(
                "loss_fn must return a model_state of the shapes that it was given, "
                f"got {np.shape(after)} in place of {np.shape(before)}"
            )


def key_at(key: jax.Array | None, index: jax.Array) -> jax.Array | None:
    """The random key of a batch, by its place in the trial."""
    return None if key is None else jax.random.fold_in(key, index)


def _taken(batches: PyTree, indices: jax.Array) -> PyTree:
    """Some batches with a leading axis."""
    if len(indices) == 1:  # a slice, not a gather
        return jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, indices[0]), batches)
    return jax.tree.map(lambda leaf: leaf[indices], batches)


def _largest(tree: PyTree) -> jax.Array:
    """The largest absolute entry of a tree."""
    sizes = [jnp.max(jnp.abs(leaf)).astype(jnp.float32) for leaf in jax.tree.leaves(tree) if leaf.size]
    return jnp.stack(sizes).max() if sizes else jnp.float32(0)


def _strong(leaf: Array) -> jax.Array:
    """The leaf without a weak type: a carry of a loop keeps its type."""
    leaf = jnp.asarray(leaf)
    return leaf if _is_key(leaf) else lax.convert_element_type(leaf, leaf.dtype)


def _as_before(leaf: Array, old: jax.Array) -> jax.Array:
    """The leaf with the dtype that it had before the update."""
    leaf = jnp.asarray(leaf)
    return leaf if _is_key(leaf) else leaf.astype(old.dtype)


def _is_key(leaf: jax.Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
