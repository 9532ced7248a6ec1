"""Rates that a rule needs elsewhere than in front of its step: by the count, and capped as Adafactor caps them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax.numpy as jnp

from jaxlr.transforms.assembly import unless_zero
from jaxlr.transforms.hyperparameters import Held, NumberOrSchedule, at_count, number_or_schedule
from jaxlr.transforms.rate.controller import Controller

ByCount: TypeAlias = "Callable[[Any], Any]"


def known_rate(name: str, rate: NumberOrSchedule | Controller | Held, reason: str) -> ByCount:
    """The rate by the count; no rule can move it, for this reason."""
    if isinstance(rate, Controller | Held):
        raise TypeError(f"{name} must be a number or a schedule, got {rate!r}: {reason}")
    known = number_or_schedule(name, rate, minimum=0.0)
    return lambda count: at_count(name, known, jnp.asarray(count, jnp.int32))


def capped(rate: ByCount, weight_decay: NumberOrSchedule | None) -> tuple[ByCount, ByCount | None]:
    """The rate, at most 1 / sqrt(t), and what then decays by the whole of it."""

    def root(count: Any) -> Any:
        return jnp.sqrt(jnp.asarray(count, jnp.float32) + 1.0)

    def rho(count: Any) -> Any:
        return jnp.minimum(rate(count), 1.0 / root(count))

    def shrinking(count: Any) -> Any:
        return at_count("weight_decay", decay, count) * jnp.maximum(1.0, rate(count) * root(count))

    decay = number_or_schedule("weight_decay", 0.0 if weight_decay is None else weight_decay, minimum=0.0)
    return rho, None if unless_zero(weight_decay) is None else shrinking
