"""The shape of a rule that moves a learning rate by what it is shown: plateau, KL, greedy.

A rule goes where a learning rate goes. Its state lies inside that of `scale_by_learning_rate`: its numbers, so that
`observe` needs nothing else, the rate without it at the last update, and what it remembers. A rule multiplies: the rate
is the base times a scale, so it composes with any schedule, with groups and with what is set by hand.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Protocol, Self, TypeGuard, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxlr.numerics import wide
from jaxlr.numerics.wide import Wide
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import Held, NumberOrSchedule

_State = TypeVar("_State")
_STATES: dict[type[Any], str] = {}


class ControllerState(Protocol):
    """The state of a rule: a NamedTuple whose fields `numbers` and `base` the link brings up to date at each update."""

    @property
    def base(self) -> jax.Array:
        """float32, (): the rate without the rule at the last update."""
        ...

    def rate(self) -> jax.Array:
        """The rate under the rule."""
        ...

    def shown(self, metric: jax.Array) -> Self:
        """The state after one more metric, a float32 scalar."""
        ...

    def undone(self) -> Self:
        """The state whose rate is its base: what the rule did so far is forgotten."""
        ...

    def _replace(self, **fields: Any) -> Self: ...


@dataclasses.dataclass(frozen=True)
class Controller:
    """A rate and the rule over it: what `reduce_on_plateau`, `kl_adaptive` and `greedy` return."""

    learning_rate: NumberOrSchedule | Held
    numbers: Any  # a NamedTuple of the rule's numbers
    axis_name: Any = None
    name: ClassVar[str] = ""

    def init(self, base: jax.Array) -> Any:
        """The state before the first metric."""
        raise NotImplementedError

    def fresh_numbers(self) -> Any:
        """The numbers as arrays that share no memory with the caller's."""
        return jax.tree.map(lambda number: jnp.array(number, dtype=_dtype(number)), self.numbers)

    def first(self) -> Wide:
        """The scale at first: 1, and what float32 leaves out of a Python float."""
        rate = self.learning_rate
        high = float(wide.split(rate)[0]) if isinstance(rate, float) else 0.0
        rest = rate / high - 1.0 if isinstance(rate, float) and high else 0.0
        return Wide(np.float32(1.0), np.float32(rest))


def controller_state(name: str) -> Any:
    """Marks the class of a rule's state, with the name of the rule."""

    def mark(state: type[_State]) -> type[_State]:
        _STATES[state] = name
        return state

    return mark


def is_controller_state(state: Any) -> TypeGuard[ControllerState]:
    """Whether a rule is in a state of `scale_by_learning_rate`, where () stands without one."""
    return type(state) in _STATES


def name_of(state: Any) -> str:
    """The name of the rule whose state it is."""
    return _STATES[type(state)]


def require_same(rule: Controller | None, state: Any) -> None:
    """Raises where a state was made under another rule than the one that goes on with it."""
    made, wanted = _STATES.get(type(state)), rule.name if rule else None
    if made != wanted:
        raise ValueError(
            f"this state was made {f'with {made}' if made else f'without {wanted}'}, and is updated "
            f"{f'with {wanted}' if wanted else 'without it'}; see load_state_dict"
        )


def observed(state: Any, metric: Any, axis_name: Any = None) -> Any:
    """A rule's state after one more metric, averaged over a mesh axis if one is named."""
    hyperparameters.require_scalar(f"the metric that {name_of(state)} watches", metric)
    metric = jnp.asarray(metric, jnp.float32)
    return state.shown(metric if axis_name is None else jax.lax.pmean(metric, axis_name))


def base_of(learning_rate: Any) -> Any:
    """The rate under a rule, if it is a number or a schedule, held or not."""
    if isinstance(learning_rate, Controller):
        raise TypeError(f"learning_rate is already under {learning_rate.name}: one rule for a rate")
    if isinstance(learning_rate, Held):
        return learning_rate
    return hyperparameters.number_or_schedule("learning_rate", learning_rate, minimum=0.0)


def exactly(number: Any) -> Wide:
    """A number of a rule, checked, with the digits that float32 leaves out."""
    if isinstance(number, Tracer):
        return wide.from_float32(number)
    return Wide(*wide.split(number))


def _dtype(number: Any) -> Any:
    """The dtype of a number in the state."""
    dtype = jnp.result_type(number)
    if dtype == jnp.bool_:
        return jnp.bool_
    return jnp.int32 if jnp.issubdtype(dtype, jnp.integer) else jnp.float32
