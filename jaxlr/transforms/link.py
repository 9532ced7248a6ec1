"""A link of a chain from its mathematics: what every link does beside it stands here, once.

A link is pure functions of arrays in float32 or wider: how its moments start, how a gradient advances them, and the
direction that follows. Around them `link` widens and casts, counts, waits where no update is due, places scalars on the
parameters' devices, and records the hyperparameters that may move.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlr.transforms.debiasing import one_minus_power
from jaxlr.transforms.hyperparameters import Hyperparameter
from jaxlr.transforms.records import as_records, is_record
from jaxlr.transforms.trees import cast_like, gradients_of, increment, is_function, like_updates, place_like
from jaxlr.transforms.waiting import link_state, settled, where_due
from jaxlr.typing import PyTree

__all__ = ["Step", "link", "link_state"]


@dataclasses.dataclass(frozen=True)
class Step:
    """What the functions of a link know of an update; what two of them ask for stands in the program once."""

    count: jax.Array  # int32, (): updates applied before it
    number: jax.Array  # int32, (): updates applied with it; stays at 2**31 - 1
    before: Any  # the state before it
    params: PyTree = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # keywords of the chain's `update`
    _known: dict[Any, jax.Array] = dataclasses.field(default_factory=dict)

    def at(self, each: Hyperparameter) -> jax.Array:
        """The hyperparameter in this update."""
        return self._once(("at", id(each)), lambda: each.at(self.count))

    def one_minus(self, each: Hyperparameter) -> jax.Array:
        """One minus the above, with all bits."""
        return self._once(("one minus", id(each)), lambda: each.one_minus(self.count))

    def debiasing(self, share: Hyperparameter) -> jax.Array:
        """`1 - share ** number`: the weight that a running mean from 0 has gathered."""
        return self._once(("debiasing", id(share)), lambda: one_minus_power(share, self.count, self.number))

    def _once(self, key: Any, compute: Callable[[], jax.Array]) -> jax.Array:
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]


def link(
    state: type[Any],
    *,
    start: Callable[[PyTree], dict[str, PyTree]] = lambda params: {},
    advance: Callable[[Step, Any, PyTree], dict[str, PyTree]] = lambda step, moments, gradients: {},
    direction: Callable[[Step, Any, PyTree], PyTree],
    records: Mapping[str, Hyperparameter] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """A gradient transformation from the mathematics of a link.

    Args:
      state: a class marked with `link_state`.
      start: parameters -> the moments, by the names of the state's fields, in the dtypes in which they are stored.
      advance: (step, moments, gradients) -> the new moments by name, in float32 or wider; one that is made from the
        others after this update is a function of these.
      direction: (step, moments, gradients) -> the new updates, from the moments after this update; those before it are
        `step.before`.
      records: the hyperparameters in the state, by the names of its fields.

    Returns:
      A gradient transformation. Its updates keep their dtypes, its state its dtypes and shapes.

    Example:
      The running mean of the signs of all gradients:

      >>> from typing import NamedTuple
      >>> @link_state()
      ... class MeanSignState(NamedTuple):
      ...   count: jax.Array
      ...   total: optax.Updates
      >>> mean_sign = link(
      ...   MeanSignState,
      ...   start=lambda params: {"total": jax.tree.map(jnp.zeros_like, params)},
      ...   advance=lambda step, m, g: {"total": jax.tree.map(lambda t, g: t + jnp.sign(g), m.total, g)},
      ...   direction=lambda step, m, g: jax.tree.map(lambda t: t / step.number, m.total),
      ... )
      >>> state = mean_sign.init(jnp.zeros(1))
      >>> for gradient in (3.0, -2.0, 0.5):
      ...   updates, state = mean_sign.update(jnp.array([gradient]), state)
      >>> round(float(updates[0]), 4)
      0.3333
    """
    recorded = records or {}

    def init(params: optax.Params) -> Any:
        count = jnp.zeros([], jnp.int32)
        numbers = {field: as_records(each.first(count)) for field, each in recorded.items()}
        return place_like(params, state(count=count, **numbers, **start(params)))

    def update(
        updates: optax.Updates, old: Any, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, Any]:
        _require_unwritten(old, recorded)
        gradients = gradients_of(updates, *old[1 + len(recorded) :])
        step = Step(old.count, increment(old.count), old, like_updates(params, updates), extra)
        # Chosen here and not afterwards, the moments are written in place: see waiting.py.
        new: dict[str, PyTree] = {}
        for name, each in advance(step, old, gradients).items():
            fresh = each(SimpleNamespace(**new)) if is_function(each) else each
            new[name] = where_due(fresh, getattr(old, name))
        scaled = direction(step, SimpleNamespace(**new), gradients)
        numbers = {name: where_due(as_records(step.at(each)), getattr(old, name)) for name, each in recorded.items()}
        moments = {name: cast_like(each, getattr(old, name)) for name, each in new.items()}
        after = state(count=where_due(step.number, old.count), **numbers, **moments)
        return cast_like(scaled, updates), settled(after, old)

    return optax.GradientTransformationExtraArgs(cast(Any, init), cast(Any, update))


def _require_unwritten(state: Any, recorded: Mapping[str, Hyperparameter]) -> None:
    """Raises where anything stands in place of a record, as `optax.tree.set(state, b1=0.5)` leaves it, or in one."""
    # A state taken out of several on the host is made of NumPy's numbers throughout.
    numbers = int | float if isinstance(state.count, np.generic) else int | float | np.generic
    for field in recorded:
        records = jax.tree.leaves(getattr(state, field), is_leaf=lambda node: node is None or is_record(node))
        leaves = jax.tree.leaves(records)
        if not all(map(is_record, records)) or any(getattr(n, "weak_type", isinstance(n, numbers)) for n in leaves):
            raise TypeError(
                f"{field} in the optimizer's state is a record, which changes nothing where it is written: give "
                f"{field}= to the optimizer, as a number, a traced number or a schedule; inside inject_hyperparams "
                f"write state.hyperparams[{field!r}]. A state of an older version goes through "
                "jaxlr.load_state_dict(optimizer.init(params), jaxlr.state_dict(state))"
            )
