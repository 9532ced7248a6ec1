"""How a decoupled weight decay follows the learning rate, and where it acts: the mathematics of `add_weight_decay`.

The link of the decay stands before that of the rate, which multiplies both the step and the decay by the rate r. So a
decay of r weight_decay is the plain one; one that is to follow the schedule's multiplier alone is divided by the base
rate, and one that is to follow r^2 / peak is multiplied by r / peak, with r as the link of the rate applies it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms.hyperparameters import choice, number
from jaxlr.transforms.parameters.context import Group, groups_here
from jaxlr.transforms.trees import map_wide

Coupling = Literal["rate", "independent", "corrected"]

_COUPLINGS = ("rate", "independent", "corrected")
_TOLD = "jaxlr.decay"  # the keyword of `update` under which a decay hears of it: no name that a caller can write


@dataclasses.dataclass(frozen=True)
class Told:
    """What the link of a decay is told where it does not stand directly before that of the rate."""

    rates: Any = None  # a tree of the rates of this update, which "corrected" asks for
    steps: Any = None  # a tree of the steps whose signs count, where these are not the updates

    @property
    def keyword(self) -> dict[str, Any]:
        """As a keyword of `update`."""
        return {_TOLD: self}


def told(extra: Mapping[str, Any]) -> Told:
    """What an update was told."""
    return extra.get(_TOLD, Told())


def needs_rate(coupling: Coupling) -> bool:
    """Whether the decay must hear the rate of its update."""
    return coupling == "corrected"


def checked(coupling: Any, peak: Any, cautious: Any) -> Any:
    """The peak, once the three fit each other; None where the decay follows the rate alone."""
    choice("coupling", coupling, _COUPLINGS)
    choice("cautious", cautious, (False, True))
    if coupling == "rate":
        if peak is not None:
            raise ValueError(f"peak needs coupling='independent' or 'corrected', got {peak!r} with 'rate'")
        return None
    if peak is None:
        what = "base rate" if coupling == "independent" else "highest rate"
        raise ValueError(f"peak must be the {what}, a number, for coupling={coupling!r}, got None")
    return number("peak", peak, above=0.0)


def ratios(coupling: Coupling, peak: Any, rates: Any, chosen: Any, params: Any) -> Any:
    """What multiplies the decay of each chosen parameter before the rate does: 1, 1 / peak or rate / peak."""
    if coupling == "rate":
        return jax.tree.map(lambda _: 1.0, params)
    rates = rates if needs_rate(coupling) and rates is not None else jax.tree.map(lambda _: 1.0, params)
    return jax.tree.map(
        lambda use, rate, group: _over(rate, peak * _share(group)) if use else 1.0, chosen, rates, groups_here(params)
    )


def same_signs(update: jax.Array, param: jax.Array) -> jax.Array:
    """The parameter where its sign is the update's or either is 0, else 0; the parts of a complex one on their own."""
    if jnp.iscomplexobj(param):
        return jax.lax.complex(same_signs(update.real, param.real), same_signs(update.imag, param.imag))
    # No product: that of two small numbers would be 0, and 0 decays.
    same = ((update >= 0) & (param >= 0)) | ((update <= 0) & (param <= 0))
    return jnp.where(same, param, jnp.zeros_like(param))


def rates_in(
    rate: optax.GradientTransformationExtraArgs, updates: Any, state: Any, params: Any, extra: Mapping[str, Any]
) -> tuple[Any, Any]:
    """The rate that a link of the rate applies to each update, as a tree of scalars, and its state after it."""
    ones = jax.tree.map(lambda _: jnp.ones([], jnp.float32), updates)
    minus, state = rate.update(ones, state, params, **extra)
    return jax.tree.map(jnp.negative, minus), state


def scaled(updates: Any, rates: Any) -> Any:
    """Minus the rates times the updates."""
    return map_wide(lambda update, rate: -rate * update, updates, rates)


def with_rate(
    links: Sequence[optax.GradientTransformation],
    decay: optax.GradientTransformation,
    rate: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
    """The chain of links, decay and rate, with its state, in which the decay is told the rate."""
    whole = optax.chain(*links, decay, rate)
    own, decay, rate = [*map(optax.with_extra_args_support, links)], *map(optax.with_extra_args_support, (decay, rate))

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, Any]:
        *before, decay_state, rate_state = state
        after = []
        for link, each in zip(own, before, strict=True):
            updates, new = link.update(updates, each, params, **extra)
            after.append(new)
        rates, rate_state = rates_in(rate, updates, rate_state, params, extra)
        told = Told(rates=rates).keyword
        decayed, decay_state = decay.update(updates, decay_state, params, **extra, **told)
        return scaled(decayed, rates), (*after, decay_state, rate_state)

    return optax.GradientTransformationExtraArgs(whole.init, cast(Any, update))


def _share(group: Group) -> Any:
    """The group's peak over the optimizer's."""
    if callable(group.rate):
        raise ValueError(
            f"the group {group.name!r} has a schedule of its own, whose peak is not known to the weight decay: give it "
            "a factor, leave it out of the decay (no_decay, mask), or use coupling='rate'"
        )
    return group.rate


def _over(rate: Any, peak: Any) -> Any:
    """Rate over peak; 0 for a group whose rate is 0 times that of the others, which stands still."""
    if isinstance(peak, float):
        return rate / peak if peak else 0.0
    safe = jnp.where(peak > 0, peak, 1.0)
    return jnp.where(peak > 0, rate / safe, 0.0)
