"""What every Keras optimizer does around its own rule: clipping, decoupled weight decay, the arguments in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict, cast

import jax
import optax

from jaxlr.arguments import meant
from jaxlr.dialects.rates import known_rate
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.assembly import assemble, unless_zero
from jaxlr.transforms.clipping import clip_by_global_norm
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.parameters import masks
from jaxlr.transforms.rate.controller import Controller
from jaxlr.transforms.trees import widen
from jaxlr.typing import Mask, PyTree

Rate = NumberOrSchedule | Controller
Optimizer = optax.GradientTransformationExtraArgs


class Others(TypedDict, total=False):
    """The arguments of every Keras optimizer, by name: clipping, the mask, and what only its default is taken of."""

    clipnorm: Number | None
    clipvalue: Number | None
    global_clipnorm: Number | None
    mask: Mask | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


_INSTEAD = {
    "use_ema": "average the parameters after each update, with optax.incremental_update",
    "loss_scale_factor": "scale the loss, and divide its gradients, in the training step",
    "gradient_accumulation_steps": (
        "wrap the optimizer in jaxlr.accumulate; a schedule then counts updates, where Keras' counts batches"
    ),
}


def chain(
    links: Sequence[optax.GradientTransformation],
    learning_rate: Rate,
    weight_decay: NumberOrSchedule | None,
    others: Others,
    momentum: optax.GradientTransformation | None = None,
) -> Optimizer:
    """Clipping, the links, then the rate; the weight decay beside the links, and beside a momentum after the rate."""
    # optax.inject_hyperparams gives what goes by name under the name of the whole.
    others = cast(Others, {**cast(Any, others).pop("others", {}), **others})
    _refuse(others)
    return assemble(
        [*_clipping(others), *links],
        learning_rate,
        weight_decay=unless_zero(weight_decay),
        decoupled=True,
        mask=others.get("mask"),
        momentum=momentum,
    )


def checked_betas(beta_1: NumberOrSchedule, beta_2: Number, prefix: str = "") -> tuple[NumberOrSchedule, Number]:
    """Both in [0, 1)."""
    first = hyperparameters.number_or_schedule(f"{prefix}beta_1", beta_1, minimum=0.0, below=1.0)
    return first, hyperparameters.number(f"{prefix}beta_2", beta_2, minimum=0.0, below=1.0)


@link_state()
class OfDecayedState(NamedTuple):
    """State of `of_decayed`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1


def of_decayed(
    inner: optax.GradientTransformation,
    learning_rate: Rate,
    weight_decay: NumberOrSchedule | None,
    mask: Mask | None,
) -> optax.GradientTransformation:
    """A link without a state that sees the parameters after the weight decay of the same update, as Keras' do."""
    if unless_zero(weight_decay) is None:
        return inner
    rate = known_rate("learning_rate", learning_rate, "with a weight_decay, Keras measures the parameters after it")

    def direction(step: Step, moments: object, gradients: PyTree) -> PyTree:
        params = decayed("the optimizer", step, rate, weight_decay, mask)
        return inner.update(gradients, optax.EmptyState(), params)[0]

    return link(OfDecayedState, direction=direction)


def decayed(
    name: str, step: Step, rate: Callable[[Any], Any], weight_decay: NumberOrSchedule | None, mask: Mask | None
) -> PyTree:
    """The parameters less what decays of them in an update."""
    if step.params is None:
        raise ValueError(f"{name} needs the parameters: call update(updates, state, params)")
    wide = jax.tree.map(widen, step.params)
    if unless_zero(weight_decay) is None:
        return wide
    decay = hyperparameters.number_or_schedule("weight_decay", weight_decay, minimum=0.0)
    share = rate(step.count) * hyperparameters.at_count("weight_decay", decay, step.count)
    return jax.tree.map(lambda use, p: p - p * share if use else p, masks.resolve(mask, wide), wide)


def _clipping(others: Others) -> list[optax.GradientTransformation]:
    names = ("clipnorm", "clipvalue", "global_clipnorm")
    given = {name: value for name in names if (value := others.get(name)) is not None}
    if len(given) > 1:
        texts = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise ValueError(f"at most one of {', '.join(names)} may be given, got {texts}")
    for name, value in given.items():
        limit = hyperparameters.number(name, value, above=0.0)
        if name == "clipvalue":
            return [optax.clip(limit)]
        return [clip_by_global_norm(limit) if name == "global_clipnorm" else _one_by_one(clip_by_global_norm(limit))]
    return []


def _one_by_one(link: optax.GradientTransformation) -> optax.GradientTransformation:
    """A link without state, on every array by itself."""

    def one(leaf: jax.Array) -> optax.Updates:
        return link.update(leaf, optax.EmptyState())[0]

    return optax.stateless(lambda updates, _: jax.tree.map(one, updates))


def _refuse(others: Mapping[str, object]) -> None:
    """Raises for an argument that is unknown, or asks for what is no part of an optimizer here."""
    for name, value in others.items():
        if name not in Others.__annotations__:
            raise TypeError(f"unknown argument {name!r} of a Keras optimizer{meant(name, Others.__annotations__)}")
        if value and name in _INSTEAD:
            raise ValueError(f"{name} must be left out, got {value!r}: {_INSTEAD[name]}")
