"""What every Keras optimizer does around its own rule: clipping, decoupled weight decay, the arguments in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, cast

import jax
import optax

from jaxlr.arguments import meant
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.assembly import assemble, unless_zero
from jaxlr.transforms.clipping import clip_by_global_norm
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.rate.controller import Controller
from jaxlr.typing import Mask

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

    def update(updates: optax.Updates, params: optax.Params | None) -> optax.Updates:
        del params
        return jax.tree.map(lambda leaf: link.update(leaf, optax.EmptyState())[0], updates)

    return optax.stateless(update)


def _refuse(others: Mapping[str, object]) -> None:
    """Raises for an argument that is unknown, or asks for what is no part of an optimizer here."""
    for name, value in others.items():
        if name not in Others.__annotations__:
            raise TypeError(f"unknown argument {name!r} of a Keras optimizer{meant(name, Others.__annotations__)}")
        if value and name in _INSTEAD:
            raise ValueError(f"{name} must be left out, got {value!r}: {_INSTEAD[name]}")
