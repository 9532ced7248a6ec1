"""PyTorch's Adadelta, Rprop and ASGD, whose steps get their size elsewhere than from the rate alone.

Their arguments are as `optimizers.py` says.
"""

# ruff: noqa: N802 - PyTorch's own names

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import optax

from jaxlr.dialects.rates import known_rate
from jaxlr.dialects.torch.factories import Optimizer, Rate, chained, factory
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule, number
from jaxlr.transforms.moments.rprop import scale_by_rprop
from jaxlr.transforms.penalties import add_decay_of_all
from jaxlr.transforms.wrappers.last import is_injected_schedule
from jaxlr.transforms.wrappers.precision import widened


@factory
def Adadelta(
    lr: Rate = 1.0,
    rho: Number = 0.9,
    eps: Number = 1e-6,
    weight_decay: NumberOrSchedule = 0,
    foreach: bool | None = None,
    *,
    capturable: bool = False,
    maximize: bool = False,
    differentiable: bool = False,
) -> Optimizer:
    """`torch.optim.Adadelta`: `optax.scale_by_adadelta`, which is the same rule.

    v = rho v + (1 - rho) g^2, u = sqrt(x + eps) / sqrt(v + eps) g, x = rho x + (1 - rho) u^2, p -= lr u

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either; 1 is the paper's.
      rho: share of the two means that stays, in [0, 1).
      eps: at least 0.
      weight_decay: an L2 penalty; a number or a schedule.
      maximize: climb instead of descend.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = Adadelta(lr=1.0, rho=0.75, eps=1.0)
      >>> updates, _ = optimizer.update(jnp.array([2.0]), optimizer.init(jnp.zeros(1)))
      >>> round(float(updates[0]), 4)
      -1.4142
    """
    share, eps = number("rho", rho, minimum=0.0, below=1.0), number("eps", eps, minimum=0.0)
    return chained([widened(optax.scale_by_adadelta(share, eps))], lr, weight_decay, maximize)


@factory
def Rprop(
    lr: Number = 1e-2,
    etas: tuple[Number, Number] = (0.5, 1.2),
    step_sizes: tuple[Number, Number] = (1e-6, 50),
    *,
    capturable: bool = False,
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
) -> Optimizer:
    """`torch.optim.Rprop`: a step size s for each number, by whether its gradient keeps its sign; p -= s sign(g).

    torch takes `lr` for the first s alone: a scheduler, however it changes the rate, changes no step. So a schedule is
    refused here, and the recorded rate is 1, a factor for every s, which `set_learning_rate` can change.

    Args:
      lr: the first s; a number.
      etas: the factor after a change of sign, below 1, and the other, above 1.
      step_sizes: the least and the largest s.
      maximize: climb instead of descend.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Returns:
      A gradient transformation; see `scale_by_rprop` for the whole rule.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = Rprop(lr=0.25, etas=(0.5, 2.0))
      >>> state = optimizer.init(jnp.zeros(1))
      >>> for gradient in (1.0, 3.0, -2.0, -1.0):
      ...   updates, state = optimizer.update(jnp.array([gradient]), state)
      ...   print(float(updates[0]), end=" ")
      -0.25 -0.5 -0.0 0.25

    References:
      Riedmiller and Braun, A direct adaptive method for faster backpropagation learning, 1993
    """
    if callable(lr):
        raise TypeError(f"lr must be a number, the first step size, got {lr!r}: no later rate changes torch's steps")
    first = number("lr", lr, minimum=0.0)
    shrink, grow = _pair("etas", etas)
    least, largest = _pair("step_sizes", step_sizes)
    link = scale_by_rprop(
        first,
        shrink=number("etas[0]", shrink, above=0.0, below=1.0),
        grow=number("etas[1]", grow, above=1.0),
        min_size=number("step_sizes[0]", least, minimum=0.0),
        max_size=number("step_sizes[1]", largest, above=0.0),
    )
    return chained([link], 1.0, 0, maximize)


@factory
def ASGD(
    lr: Rate = 1e-2,
    lambd: Number = 1e-4,
    alpha: Number = 0.75,
    t0: Number = 1e6,
    weight_decay: NumberOrSchedule = 0,
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
) -> Optimizer:
    """`torch.optim.ASGD`, without the average of the parameters, which torch keeps beside and never uses.

    p -= eta ((g + weight_decay p) + lambd p), eta = r / (1 + lambd r n)^alpha after n updates

    r is lr of the update before, since torch computes eta at the end of a step: a scheduler's change comes one update
    late, and so it does here. The recorded rate is eta. For an average of the parameters use `optax.incremental_update`
    after each update.

    Args:
      lr: a number or a schedule.
      lambd: decay of the parameters, and of eta.
      alpha: power of eta.
      t0: where torch's average begins; does nothing here.
      weight_decay: an L2 penalty; a number or a schedule.
      maximize: climb instead of descend; what decays shrinks all the same.

    Raises:
      TypeError: `lr` is the schedule of an `optax.inject_hyperparams`, which shows the rate of each update alone.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = ASGD(lr=0.5, lambd=2.0, alpha=1.0)
      >>> params = jnp.ones(1)
      >>> state = optimizer.init(params)
      >>> for _ in range(2):
      ...   updates, state = optimizer.update(jnp.ones(1), state, params)
      ...   print(float(updates[0]), end=" ")
      -1.5 -0.75

    References:
      Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992
    """
    if is_injected_schedule("lr"):
        raise TypeError(
            "lr: ASGD goes by the rate of the update before, and optax.inject_hyperparams shows it that of each update "
            'alone: inject_hyperparams(ASGD, static_args="lr") leaves it the schedule'
        )
    rate = known_rate("lr", lr, "torch's ASGD has it inside of a power; give the schedule alone")
    decay, power = number("lambd", lambd, minimum=0.0), number("alpha", alpha)
    number("t0", t0)

    def eta(count: Any) -> Any:
        before = rate(jnp.maximum(count - 1, 0))
        return before / (1.0 + decay * before * jnp.asarray(count, jnp.float32)) ** power

    return chained([add_decay_of_all(decay)], eta, weight_decay, maximize)


def _pair(name: str, value: Any) -> tuple[Number, Number]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} must be a pair of numbers, got {value!r}")
    return value[0], value[1]
