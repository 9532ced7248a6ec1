"""The KL-adaptive rate of policy optimization: lower where a policy has moved too far, higher where hardly at all."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlr.numerics import wide
from jaxlr.numerics.wide import Wide
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import telling
from jaxlr.transforms.hyperparameters import Held, Number, NumberOrSchedule
from jaxlr.transforms.rate.controller import Controller, base_of, controller_state, exactly
from jaxlr.transforms.rate.scales import bounded, clamped, limits


@telling()
class KlAdaptiveNumbers(NamedTuple):
    """The numbers of a rule, each a sum of two float32, (): in the state so that `observe` needs nothing else."""

    highest: Wide  # a KL above it lowers the rate
    lowest: Wide  # a KL below it raises the rate
    factor: Wide  # by which the rate is divided or multiplied
    min_lr: Wide  # no step goes below it
    max_lr: Wide  # no step goes above it
    above_zero: Any  # bool, (): a KL of 0 or below raises nothing
    jumps: Any  # bool, (): a rate outside the two limits jumps to the nearer at the first step, as a number does


@controller_state("kl_adaptive")
@telling("numbers")
class KlAdaptiveState(NamedTuple):
    """State of the rule, inside that of `scale_by_learning_rate`."""

    numbers: KlAdaptiveNumbers
    base: jax.Array  # float32, (): the rate without the rule at the last update
    scale: Wide  # two float32, (): what the steps have made of it

    def rate(self) -> jax.Array:
        """The base times the scale; past the limits only where the base itself is."""
        return bounded(self.base, self.scale, self.numbers.min_lr, self.numbers.max_lr)

    def shown(self, metric: jax.Array) -> KlAdaptiveState:
        """The state after one more KL."""
        numbers = self.numbers
        kl = wide.from_float32(metric)
        low = wide.less(kl, numbers.lowest) & (~numbers.above_zero | (metric > 0))
        steps = (
            clamped(self.base, self.scale / numbers.factor, least=numbers.min_lr),
            clamped(self.base, self.scale * numbers.factor, most=numbers.max_lr),
        )
        forth = (wide.less(steps[0], self.scale), wide.less(self.scale, steps[1]))
        lowered, raised = (
            wide.where(numbers.jumps | goes, step, self.scale) for step, goes in zip(steps, forth, strict=True)
        )
        scale = wide.where(wide.less(numbers.highest, kl), lowered, wide.where(low, raised, self.scale))
        return self._replace(scale=wide.where(self.base > 0, scale, self.scale))

    def undone(self) -> KlAdaptiveState:
        """The state without its steps."""
        return self._replace(scale=wide.from_float32(jnp.ones_like(self.base)))


class KlAdaptive(Controller):
    """What `kl_adaptive` returns: a rate and the rule over it."""

    name = "kl_adaptive"

    def init(self, base: jax.Array) -> KlAdaptiveState:
        """The state before the first KL."""
        return KlAdaptiveState(self.fresh_numbers(), jnp.array(base), jax.tree.map(jnp.array, self.first()))


def kl_adaptive(
    learning_rate: NumberOrSchedule | Held,
    *,
    target: Number = 0.008,
    threshold: Number = 2.0,
    factor: Number = 1.5,
    min_lr: Number = 1e-6,
    max_lr: Number = 1e-2,
    zero: Literal["keep", "raise"] = "keep",
    axis_name: Any = None,
) -> KlAdaptive:
    """Moves a learning rate by the KL divergence between a policy and the one before; goes wherever a rate goes.

    kl > target threshold: rate = max(rate / factor, min_lr)
    0 < kl < target / threshold: rate = min(rate factor, max_lr)

    The KL comes from `jaxlr.observe(opt_state, kl)`, or from `update(..., value=kl)`, whose own update has the new rate
    already, as in rsl_rl. All of it is inside jit, `lax.scan` and `jax.vmap`; the rate is carried to 46 bits, so it is
    the nearest float32 to that of the same rule in Python. Over a schedule the steps multiply what it gives, and only
    the schedule itself goes past the limits.

    Args:
      learning_rate: a number, a schedule, or one that is `held`.
      target: the KL that is wanted, above 0 (skrl's `kl_threshold`, rsl_rl's `desired_kl`).
      threshold: how many times more or less than that is borne, at least 1.
      factor: above 1.
      min_lr: no step goes below it; rsl_rl has 1e-5.
      max_lr: no step goes above it.
      zero: what a KL of 0 or below does: "keep" the rate (rsl_rl), or "raise" it (skrl). A NaN always keeps it.
      axis_name: mesh axis or axes over which `value=` is averaged, inside `jax.shard_map`; see also `observe`.

    Returns:
      A rule for `scale_by_learning_rate` or an optimizer.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> link = jaxlr.scale_by_learning_rate(kl_adaptive(1e-3, target=0.01))
      >>> state = link.init(jnp.zeros(1))
      >>> for kl in (0.03, 0.03, 0.012, 0.001):
      ...   _, state = link.update(jnp.ones(1), jaxlr.observe(state, kl))
      ...   print(f"{jaxlr.current_learning_rate(state):.3g}", end=" ")
      0.000667 0.000444 0.000444 0.000667

    References:
      Heess et al., Emergence of Locomotion Behaviours in Rich Environments, 2017, arXiv:1707.02286
      Serrano-Munoz et al., skrl, 2023, `KLAdaptiveLR`; Rudin et al., 2021, arXiv:2109.11978 (rsl_rl)
    """
    learning_rate = base_of(learning_rate)
    target = hyperparameters.number("target", target, above=0.0)
    threshold = hyperparameters.number("threshold", threshold, minimum=1.0)
    numbers = KlAdaptiveNumbers(
        highest=_product(target, threshold),
        lowest=_quotient(target, threshold),
        factor=exactly(hyperparameters.number("factor", factor, above=1.0)),
        **limits(min_lr, max_lr),
        above_zero=np.bool_(hyperparameters.choice("zero", zero, ("keep", "raise")) == "keep"),
        jumps=np.bool_(not callable(learning_rate) and not isinstance(learning_rate, Held)),
    )
    return KlAdaptive(learning_rate, numbers, axis_name)


def _product(this: Any, other: Any) -> Wide:
    if isinstance(this, float) and isinstance(other, float):
        return exactly(this * other)
    return exactly(this) * exactly(other)


def _quotient(this: Any, other: Any) -> Wide:
    if isinstance(this, float) and isinstance(other, float):
        return exactly(this / other)
    return exactly(this) / exactly(other)
