"""What the rules that raise and lower a rate share: a scale over a base, to 46 bits, and limits of the rate."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxlr.numerics import wide
from jaxlr.numerics.wide import Wide
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.rate.controller import exactly


def limits(min_lr: Any, max_lr: Any) -> dict[str, Wide]:
    """The limits of a rate, checked."""
    least, most = hyperparameters.number("min_lr", min_lr, minimum=0.0), hyperparameters.number("max_lr", max_lr)
    if not isinstance(least, Tracer) and not isinstance(most, Tracer) and not least <= most:
        raise ValueError(f"max_lr must be at least min_lr = {least:g}, got {most:g}")
    return {"min_lr": exactly(least), "max_lr": exactly(most)}


def clamped(base: jax.Array, scale: Wide, *, least: Wide | None = None, most: Wide | None = None) -> Wide:
    """The scale whose rate is at least or at most this; a base of 0 has no such scale, and keeps its own."""
    rate = scale.times(base)
    safe = wide.from_float32(jnp.where(base > 0, base, 1.0))
    if least is not None:
        scale = wide.where((base > 0) & wide.less(rate, least), least / safe, scale)
    if most is not None:
        scale = wide.where((base > 0) & wide.less(most, rate), most / safe, scale)
    return scale


def bounded(base: jax.Array, scale: Wide, least: Wide, most: Wide) -> jax.Array:
    """The rate: what the scale makes of the base never takes it past the limits; only the base itself is past them."""
    rate, low, high = scale.times(base).nearest(), least.nearest(), most.nearest()
    rate = jnp.where((rate < base) & (rate < low), jnp.minimum(base, low), rate)
    return jnp.where((rate > base) & (rate > high), jnp.maximum(base, high), rate)
