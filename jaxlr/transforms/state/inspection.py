"""Reading the hyperparameters that the links of a chain record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxlr.transforms.records import numbers_in
from jaxlr.transforms.state import walk as states
from jaxlr.transforms.waiting import RECORDS


def current_hyperparameters(x: Any) -> dict[str, jax.Array]:
    """The momentum, decay, b1 and weight decay of the last update; before the first update, those of the first.

    Args:
      x: as for `current_learning_rate`.

    Returns:
      Float32 scalars by name; where a name occurs several times, as in groups, by label or path and name.

    Example:
      One-cycle moves the momentum against the rate:

      >>> import jax.numpy as jnp
      >>> from jaxlr.optimizers import sgd
      >>> optimizer = sgd(lambda n: 0.5 + 0.25 * n, momentum=lambda n: 0.5 - 0.25 * n)
      >>> state = optimizer.init(jnp.zeros(1))
      >>> for _ in range(2):
      ...   _, state = optimizer.update(jnp.ones(1), state)
      >>> {name: float(value) for name, value in current_hyperparameters(state).items()}
      {'momentum': 0.25}
    """
    found: dict[str, jax.Array] = {}
    for name in dict.fromkeys(name for names in RECORDS.values() for name in names):
        kinds = tuple(kind for kind, names in RECORDS.items() if name in names)
        holders = states.find_states(x, kinds)
        for label, state in holders.items():
            before = "" if len(holders) == 1 else f"{label}/"
            for group, value in _by_group(numbers_in(states.as_arrays(getattr(state, name)))):
                # A copy: a step that donates the state must not delete what was read.
                found[f"{before}{group}{name}"] = jnp.array(value)
    return found


def _by_group(record: Any) -> list[tuple[str, Any]]:
    """A record, or those of the groups that have one each, with the names that go before."""
    return [(f"{group}/", value) for group, value in record.items()] if isinstance(record, Mapping) else [("", record)]
