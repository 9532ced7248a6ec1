"""One row for each link of a chain: what the contract in test_links.py is asked of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jaxlr
from jaxlr import transforms


def falling(count):
    """A scheduled share of a running mean."""
    return 0.9 - 0.01 * count


@dataclasses.dataclass(frozen=True)
class Case:
    """A link."""

    make: Callable[..., Any]  # with its defaults, but for what has none
    scheduled: Mapping[str, Callable[[Any], Any]] = dataclasses.field(default_factory=dict)  # what may be a schedule
    records: tuple[str, ...] = ()  # the names under which the state holds them, in the order of `scheduled`
    numbers: Mapping[str, float] = dataclasses.field(default_factory=dict)  # what may be traced
    stateless: bool = False
    real: bool = False  # for real parameters alone

    def __call__(self, **arguments: Any) -> Any:
        return self.make(**arguments)


B1 = {"b1": falling}
LINKS = {
    "scale_by_momentum": Case(
        transforms.scale_by_momentum, {"decay": falling}, ("momentum",), {"decay": 0.8, "dampening": 0.5}
    ),
    "scale_by_rmsprop": Case(transforms.scale_by_rmsprop, {"decay": falling}, ("decay",), {"decay": 0.8, "eps": 1e-3}),
    "scale_by_adam": Case(transforms.scale_by_adam, B1, ("b1",), {"b1": 0.8, "b2": 0.9, "eps": 1e-3}),
    "scale_by_adam_with_b2": Case(  # as its state is called
        lambda b2=lambda count: 0.95 - 0.05 / (1 + count), **others: transforms.scale_by_adam(b2=b2, **others),
        {"b1": falling, "b2": falling},
        ("b1", "b2"),
        {"b1": 0.8, "eps": 1e-3},
    ),
    "scale_by_nadam": Case(
        transforms.scale_by_nadam, B1, ("b1",), {"b1": 0.8, "b2": 0.9, "eps": 1e-3, "momentum_decay": 0.1}
    ),
    "scale_by_radam": Case(transforms.scale_by_radam, B1, ("b1",), {"b1": 0.8, "b2": 0.9, "eps": 1e-3}),
    "scale_by_adamax": Case(transforms.scale_by_adamax, B1, ("b1",), {"b1": 0.8, "b2": 0.9, "eps": 1e-3}),
    "scale_by_adagrad": Case(
        transforms.scale_by_adagrad, numbers={"eps": 1e-3, "initial_total": 0.5, "rate_decay": 0.1}
    ),
    "scale_by_factored_rms": Case(transforms.scale_by_factored_rms, numbers={"decay_exponent": -0.5, "eps": 1e-3}),
    "scale_by_rprop": Case(
        transforms.scale_by_rprop, numbers={"init_size": 0.1, "shrink": 0.4, "min_size": 1e-4}, real=True
    ),
    "add_weight_decay": Case(
        lambda weight_decay=0.1, **others: transforms.add_weight_decay(weight_decay, **others),
        {"weight_decay": falling},
        ("weight_decay",),
        {"weight_decay": 0.2},
    ),
    "add_l1_penalty": Case(
        lambda weight=0.1: transforms.add_l1_penalty(weight), numbers={"weight": 0.2}, stateless=True, real=True
    ),
    "clip_by_global_norm": Case(
        lambda max_norm=0.5: transforms.clip_by_global_norm(max_norm), numbers={"max_norm": 0.2}, stateless=True
    ),
    "scale_by_learning_rate": Case(
        lambda learning_rate=0.1: jaxlr.scale_by_learning_rate(learning_rate), numbers={"learning_rate": 0.2}
    ),
}
