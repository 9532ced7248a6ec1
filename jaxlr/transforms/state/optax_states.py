"""States of Optax' optimizers as those of jaxlr, and back: a training goes on where the other left it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms.moments.adam import ScaleByAdamState
from jaxlr.transforms.moments.momentum import ScaleByMomentumState
from jaxlr.transforms.moments.rms import ScaleByRmspropState
from jaxlr.transforms.state.counts import counts_of, set_update_count, update_count
from jaxlr.transforms.trees import stored_like

# Optax' states by name, since some have come and gone with its versions; ours; the fields of both.
_LINKS: tuple[tuple[tuple[str, ...], type[Any], dict[str, str]], ...] = (
    (("ScaleByAdamState",), ScaleByAdamState, {"mu": "mu", "nu": "nu"}),
    (("ScaleByAmsgradState",), ScaleByAdamState, {"mu": "mu", "nu": "nu", "nu_max": "nu_max"}),
    (("TraceState",), ScaleByMomentumState, {"trace": "buffer"}),
    (("ScaleByRmsState", "ScaleByRmsWithCountState"), ScaleByRmspropState, {"nu": "nu"}),
    (("ScaleByRStdDevState", "ScaleByRStdDevWithCountState"), ScaleByRmspropState, {"nu": "nu", "mu": "mu"}),
)


def from_optax_state(
    optax_state: optax.OptState,
    optimizer: optax.GradientTransformation,
    params: optax.Params,
    *,
    count: Any = None,
) -> optax.OptState:
    """The state of a jaxlr optimizer that goes on where one of Optax stands.

    Moments are taken by kind: Adam's, RMSprop's, the momentum; all counts are set together.

    Args:
      optax_state: of `optax.adam` and its relatives, `optax.rmsprop`, `optax.sgd`, in any chain.
      optimizer: of jaxlr, with the same links.
      params: the parameters.
      count: updates made; needed where Optax counted none, as with `optax.sgd` at a constant rate.

    Returns:
      A state for `optimizer.update`.

    Raises:
      ValueError: the links differ, the counts differ, or none is known.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> theirs, ours, params = optax.adam(0.1), jaxlr.adam(0.1), jnp.ones(2)
      >>> _, state = theirs.update(params, theirs.init(params))
      >>> state = from_optax_state(state, ours, params)
      >>> float(state[0].mu[0]), int(jaxlr.update_count(state))
      (0.10000000149011612, 1)
    """
    return _carried(optax_state, optimizer.init(params), count, back=False)


def to_optax_state(
    state: optax.OptState, optimizer: optax.GradientTransformation, params: optax.Params
) -> optax.OptState:
    """The state of an Optax optimizer that goes on where one of jaxlr stands.

    Args:
      state: of a jaxlr optimizer.
      optimizer: of Optax, with the same links.
      params: the parameters.

    Returns:
      A state for `optimizer.update`.

    Raises:
      ValueError: the links differ, or the counts of `state` do.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> theirs, ours, params = optax.adam(0.1), jaxlr.adam(0.1), jnp.ones(2)
      >>> _, state = ours.update(params, ours.init(params))
      >>> int(to_optax_state(state, theirs, params)[0].count)
      1
    """
    return _carried(state, optimizer.init(params), update_count(state), back=True)


def _carried(given: Any, fresh: Any, count: Any, *, back: bool) -> Any:
    sources, targets = _with_moments(given, theirs=not back), _with_moments(fresh, theirs=back)
    kinds = [[kind.__name__ for kind, _, _ in each] for each in (sources, targets)]
    if kinds[0] != kinds[1]:
        raise ValueError(f"the state has the links {kinds[0]}, the optimizer {kinds[1]}: they must be the same")
    replaced = {}
    for (_, source, named), (_, target, names) in zip(sources, targets, strict=True):
        new = {name: _as(getattr(target, name), getattr(source, named[ours])) for ours, name in names.items()}
        replaced[id(target)] = target._replace(**new)
    state = jax.tree.map(lambda node: replaced.get(id(node), node), fresh, is_leaf=lambda node: id(node) in replaced)
    try:
        count = update_count(given) if count is None else count
    except ValueError as error:
        raise ValueError(f"count must say how many updates were made: {error}") from error
    return set_update_count(state, count) if counts_of(state) else state


def _with_moments(state: Any, *, theirs: bool) -> list[tuple[type[Any], Any, dict[str, str]]]:
    """The states with moments in order: our kind of state, the state, its fields by the names of ours."""
    nodes = jax.tree.leaves(state, is_leaf=lambda node: _entry(node, theirs) is not None)
    found = [(_entry(node, theirs), node) for node in nodes]
    return [
        (entry[0], node, {ours: name for ours, name in entry[1].items() if not _is_empty(getattr(node, name))})
        for entry, node in found
        if entry is not None
    ]


def _entry(node: Any, theirs: bool) -> tuple[type[Any], dict[str, str]] | None:
    """Our kind of state for a node, and the names of its fields by those of ours; None for other nodes."""
    for names, kind, fields in _LINKS:
        if theirs and type(node).__name__ in names and not isinstance(node, kind):
            return kind, {ours: name for name, ours in fields.items()}
    own = {ours: ours for _, kind, fields in _LINKS if isinstance(node, kind) for ours in fields.values()}
    return (type(node), own) if own and not theirs else None


def _is_empty(field: Any) -> bool:
    return isinstance(field, tuple) and not field


def _as(target: Any, value: Any) -> Any:
    """Copies of a tree of moments in the dtypes of another."""
    if jax.tree.structure(target) != jax.tree.structure(value):
        raise ValueError("the moments are of other parameters than those given")
    return stored_like(jax.tree.map(jnp.array, value), target)
