"""Caffe's policies."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxlr import schedules as core
from jaxlr.arguments import meant
from jaxlr.dialects import common
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Lengths, Scalar


def learning_rate(
    lr_policy: str,
    base_lr: Scalar,
    *,
    gamma: Scalar | None = None,
    power: Scalar | None = None,
    stepsize: Length | None = None,
    stepvalue: Lengths | None = None,
    max_iter: Length | None = None,
) -> Schedule:
    """The rate of a policy, by the names of a solver's fields.

    - "fixed": base_lr
    - "step": base_lr gamma^floor(n / stepsize)
    - "exp": base_lr gamma^n
    - "inv": base_lr (1 + gamma n)^-power
    - "multistep": base_lr gamma^(how many of the stepvalues are at most n)
    - "poly": base_lr (1 - n / max_iter)^power
    - "sigmoid": base_lr / (1 + exp(-gamma (n - stepsize))), which falls for a gamma below 0

    Args:
      lr_policy: one of these.
      base_lr: the rate.
      gamma: at least 0, but for "sigmoid".
      power: above 0.
      stepsize: an integer, at least 1.
      stepvalue: integers, in any order; one that stands twice counts twice.
      max_iter: an integer, at least 1; read by "poly" alone.

    Raises:
      ValueError: an unknown policy, a field that it needs is missing, or one that it does not read is given.

    Example:
      >>> from jaxlr.dialects import caffe
      >>> caffe.learning_rate("step", 0.01, gamma=0.1, stepsize=100_000, max_iter=450_000)
      step_decay(init_value=0.01, decay_rate=0.1, step_size=100000)
      >>> rate = caffe.learning_rate("inv", 1.0, gamma=0.25, power=0.5)
      >>> [float(rate(n)) for n in (0, 12, 60)]
      [1.0, 0.5, 0.25]
    """
    if lr_policy not in _FIELDS:
        known = ", ".join(map(repr, _FIELDS))
        raise ValueError(f"lr_policy must be one of {known}, got {lr_policy!r}{meant(str(lr_policy), _FIELDS)}")
    given = {"gamma": gamma, "power": power, "stepsize": stepsize, "stepvalue": stepvalue, "max_iter": max_iter}
    for name, value in given.items():
        if value is None and name in _FIELDS[lr_policy]:
            raise ValueError(f"{name} must be given for lr_policy {lr_policy!r}, got None")
        if value is not None and name not in (*_FIELDS[lr_policy], "max_iter"):
            raise ValueError(
                f"{name} must be left out for lr_policy {lr_policy!r}, which does not read it, got {value!r}"
            )
    read = {name: value for name, value in given.items() if name in _FIELDS[lr_policy]}
    return _POLICIES[lr_policy](common.number("base_lr", base_lr), **read)


def _step(base: Any, gamma: Any, stepsize: Any) -> Schedule:
    return core.step_decay(base, leaves.factor("gamma", gamma), common.length("stepsize", stepsize, minimum=1))


def _multistep(base: Any, gamma: Any, stepvalue: Any) -> Schedule:
    steps = common.each(common.length, "stepvalue", stepvalue)
    return core.multi_step(base, sorted(steps), leaves.factor("gamma", gamma)) if steps else core.constant(base)


def _inv(base: Any, gamma: Any, power: Any) -> Schedule:
    return core.inverse_time(1.0, common.number("gamma", gamma)) ** leaves.positive("power", power) * base


def _poly(base: Any, power: Any, max_iter: Any) -> Schedule:
    return core.polynomial(base, 0.0, leaves.positive("power", power), common.length("max_iter", max_iter, minimum=1))


def _sigmoid(base: Any, gamma: Any, stepsize: Any) -> Schedule:
    middle = common.length("stepsize", stepsize, minimum=1)
    return core.custom(sigmoid, gamma=common.signed("gamma", gamma), stepsize=middle) * base


def sigmoid(count: jax.Array, gamma: jax.Array, stepsize: jax.Array) -> jax.Array:
    """1 / (1 + exp(-gamma (count - stepsize)))."""
    return jax.nn.sigmoid(gamma * (jnp.asarray(count) - stepsize).astype(jnp.float32))


_POLICIES: dict[str, Callable[..., Schedule]] = {
    "fixed": core.constant,
    "step": _step,
    "exp": lambda base, gamma: core.exponential(base, leaves.factor("gamma", gamma)),
    "inv": _inv,
    "multistep": _multistep,
    "poly": _poly,
    "sigmoid": _sigmoid,
}
# What each reads beside base_lr, its first argument.
_FIELDS = {policy: [*inspect.signature(make).parameters][1:] for policy, make in _POLICIES.items()}
