"""An optimizer from its links: the weight decay before or after them, the rate behind, all of it in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms.coupling import Coupling, Told, checked, needs_rate, rates_in, scaled, with_rate
from jaxlr.transforms.hyperparameters import Held, Number, NumberOrSchedule, choice
from jaxlr.transforms.parameters.masks import Mask
from jaxlr.transforms.penalties import decay_link
from jaxlr.transforms.rate.controller import Controller
from jaxlr.transforms.rate.learning_rate import scale_by_learning_rate
from jaxlr.transforms.wrappers.precision import in_float32

Rate = NumberOrSchedule | Controller | Held


def assemble(
    links: Sequence[optax.GradientTransformation],
    learning_rate: Rate,
    *,
    weight_decay: NumberOrSchedule | None = None,
    decoupled: bool = False,
    mask: Mask = None,
    maximize: bool = False,
    momentum: optax.GradientTransformation | None = None,
    coupling: Coupling = "rate",
    peak: Number | None = None,
    cautious: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Chains an optimizer's own links with what every optimizer has.

    Args:
      links: the rule, without the rate.
      learning_rate: a number, a schedule, or a rule such as `reduce_on_plateau` over either.
      weight_decay: a number or a schedule; None leaves its link out, a number keeps it, 0 too.
      decoupled: decay after the links, which sees the rate alone; else before them, as an L2 penalty.
      mask: which parameters decay, as for `add_weight_decay`.
      maximize: climb instead of descend; what decays shrinks all the same.
      momentum: a link that follows the rate, as in Optax' and Keras' RMSprop; a decoupled decay goes beside it.
      coupling, peak, cautious: of a decoupled decay, as for `add_weight_decay`; here all three see the rate.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = assemble([], 0.5, weight_decay=0.25, maximize=True)
      >>> params = jnp.array([4.0])
      >>> float(optimizer.update(jnp.array([2.0]), optimizer.init(params), params)[0][0])
      0.5
    """
    choice("decoupled", decoupled, (False, True))
    choice("maximize", maximize, (False, True))
    checked(coupling, peak, cautious)
    if not decoupled and (cautious or coupling != "rate"):
        named = "cautious=True" if cautious else f"coupling={coupling!r}"
        raise ValueError(f"{named} needs decoupled=True: an L2 penalty enters the moments and has no rate of its own")
    rate = scale_by_learning_rate(learning_rate)
    turned = [optax.scale(-1.0)] if maximize else []
    after = [rate] if momentum is None else [rate, momentum]
    if weight_decay is None:
        return in_float32(optax.chain(*turned, *links, *after))
    decay = decay_link(weight_decay, least=0.0, mask=mask, coupling=coupling, peak=peak, cautious=cautious)
    if not decoupled:
        return in_float32(optax.chain(*turned, decay, *links, *after))
    if momentum is not None:
        after = [_decay_beside_momentum(decay, rate, momentum)]
        return in_float32(optax.chain(*turned, *links, *after))
    if needs_rate(coupling):
        return in_float32(with_rate([*turned, *links], decay, rate))
    return in_float32(optax.chain(*turned, *links, decay, *after))


def unless_zero(value: Any) -> Any:
    """None for a 0 that was written down, PyTorch's and Keras' word for "none of it"; an array of 0 is a number."""
    return None if isinstance(value, int | float) and not isinstance(value, bool) and value == 0 else value


def _decay_beside_momentum(
    decay: optax.GradientTransformation, rate: optax.GradientTransformation, momentum: optax.GradientTransformation
) -> optax.GradientTransformationExtraArgs:
    """The rate on the step and on the decay, the momentum on the step alone: one rate is recorded, watched and set."""
    links = [optax.with_extra_args_support(link) for link in (decay, rate, momentum)]

    def init(params: optax.Params) -> tuple[optax.OptState, ...]:
        return tuple(link.init(params) for link in links)

    def update(
        updates: optax.Updates, state: tuple[optax.OptState, ...], params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, tuple[optax.OptState, ...]]:
        decay, rate, momentum = links
        decay_state, rate_state, momentum_state = state
        rates, rate_state = rates_in(rate, updates, rate_state, params, extra)
        steps, momentum_state = momentum.update(scaled(updates, rates), momentum_state, params, **extra)
        told = Told(rates=rates, steps=jax.tree.map(jnp.negative, steps)).keyword
        zeros = jax.tree.map(jnp.zeros_like, updates)
        decayed, decay_state = decay.update(zeros, decay_state, params, **extra, **told)
        return jax.tree.map(jnp.add, steps, scaled(decayed, rates)), (decay_state, rate_state, momentum_state)

    return optax.GradientTransformationExtraArgs(cast(Any, init), cast(Any, update))
