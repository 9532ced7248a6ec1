"""PyTorch's optimizers under its own names, as chains of jaxlr's transformations.

Arguments, their order and defaults are those of torch 2.14, with `lr` first in place of `params`. `foreach`, `fused`,
`capturable` and `differentiable` choose among torch's implementations of one formula: they are accepted and change
nothing. Every function returns a gradient transformation that ends with `scale_by_learning_rate`. An argument of the
wrong kind or out of range is a TypeError or ValueError that names it; so is a momentum, alpha or beta of 1 and more,
which torch lets pass. A complex parameter is two real ones, its real and its imaginary part, as in torch.
"""

# ruff: noqa: N802 - PyTorch's own names

from __future__ import annotations

from jaxlr import transforms
from jaxlr.dialects.torch.factories import Betas, Optimizer, Rate, chained, checked_betas, factory
from jaxlr.transforms.assembly import unless_zero
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule, number, number_or_schedule


@factory
def SGD(
    lr: Rate = 1e-3,
    momentum: NumberOrSchedule = 0,
    dampening: Number = 0,
    weight_decay: NumberOrSchedule = 0,
    nesterov: bool = False,
    *,
    maximize: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    fused: bool | None = None,
) -> Optimizer:
    """`torch.optim.SGD`.

    g = g + weight_decay p, m = momentum m + (1 - dampening) g, the first m undamped, p -= lr m

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either.
      momentum: in [0, 1); a number or a schedule, such as OneCycleLR's momentum.
      dampening: share of each gradient that does not enter the buffer.
      weight_decay: an L2 penalty; a number or a schedule.
      nesterov: look one step ahead.
      maximize: climb instead of descend.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range, or Nesterov's momentum is 0 or damped.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = SGD(lr=0.5, weight_decay=0.25)
      >>> params = jnp.array([4.0])
      >>> updates, _ = optimizer.update(jnp.array([1.0]), optimizer.init(params), params)
      >>> float(updates[0])
      -1.0
    """
    share = number_or_schedule("momentum", momentum, minimum=0.0, below=1.0)
    dampening = number("dampening", dampening)
    if nesterov and (unless_zero(momentum) is None or (isinstance(dampening, float) and dampening != 0.0)):
        raise ValueError(f"nesterov needs a momentum above 0 and a dampening of 0, got {momentum!r} and {dampening!r}")
    link = transforms.scale_by_momentum(share, dampening=dampening, nesterov=nesterov)
    return chained([] if unless_zero(momentum) is None else [link], lr, weight_decay, maximize)


@factory
def RMSprop(
    lr: Rate = 1e-2,
    alpha: NumberOrSchedule = 0.99,
    eps: Number = 1e-8,
    weight_decay: NumberOrSchedule = 0,
    momentum: NumberOrSchedule = 0,
    centered: bool = False,
    capturable: bool = False,
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
) -> Optimizer:
    """`torch.optim.RMSprop`.

    v = alpha v + (1 - alpha) g^2, m = momentum m + g / (sqrt(v) + eps), p -= lr m

    Args:
      alpha: share of the mean square that stays, in [0, 1); a number or a schedule.
      eps: at least 0; outside the root.
      centered: divide by the root of the variance. Where rounding leaves it below 0, torch's step is NaN; here it is 0.
      lr, weight_decay, momentum, maximize: as in `SGD`.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = RMSprop(lr=0.5, alpha=0.75, eps=0.0)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.5]), optimizer.init(jnp.zeros(2)))
      >>> updates.tolist()
      [-1.0, 1.0]
    """
    alpha = number_or_schedule("alpha", alpha, minimum=0.0, below=1.0)
    second = transforms.scale_by_momentum(number_or_schedule("momentum", momentum, minimum=0.0, below=1.0))
    link = transforms.scale_by_rmsprop(alpha, eps=eps, centered=centered)
    return chained([link] if unless_zero(momentum) is None else [link, second], lr, weight_decay, maximize)


@factory
def Adam(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: NumberOrSchedule = 0,
    amsgrad: bool = False,
    *,
    foreach: bool | None = None,
    maximize: bool = False,
    capturable: bool = False,
    differentiable: bool = False,
    fused: bool | None = None,
    decoupled_weight_decay: bool = False,
) -> Optimizer:
    """`torch.optim.Adam`.

    m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either.
      betas: b1 and b2, in [0, 1); b1 may be a schedule, such as OneCycleLR's momentum.
      eps: at least 0.
      weight_decay: an L2 penalty unless decoupled; a number or a schedule.
      amsgrad: divide by the largest v so far.
      maximize: climb instead of descend.
      decoupled_weight_decay: p -= lr weight_decay p beside the step, as AdamW.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = Adam(lr=0.5, maximize=True)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))
      >>> updates.round(5).tolist()
      [0.5, -0.5]
    """
    link = transforms.scale_by_adam(*checked_betas(betas), eps=eps, amsgrad="raw" if amsgrad else False)
    return chained([link], lr, weight_decay, maximize, decoupled_weight_decay)


@factory
def AdamW(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: NumberOrSchedule = 1e-2,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
    foreach: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    fused: bool | None = None,
) -> Optimizer:
    """`torch.optim.AdamW`: Adam with the weight decay beside the step.

    p -= lr ((m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay p)

    Args:
      weight_decay: a number or a schedule.
      maximize: climb instead of descend; the weights shrink all the same.
      lr, betas, eps, amsgrad: as in `Adam`.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = AdamW(lr=0.5, weight_decay=0.25)
      >>> params = jnp.array([4.0])
      >>> updates, _ = optimizer.update(jnp.array([0.0]), optimizer.init(params), params)
      >>> float(updates[0])
      -0.5
    """
    return Adam(lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


@factory
def NAdam(
    lr: Rate = 2e-3,
    betas: Betas = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: NumberOrSchedule = 0,
    momentum_decay: Number = 4e-3,
    decoupled_weight_decay: bool = False,
    *,
    foreach: bool | None = None,
    maximize: bool = False,
    capturable: bool = False,
    differentiable: bool = False,
) -> Optimizer:
    """`torch.optim.NAdam`: Adam with Nesterov momentum that grows, `b1 (1 - 0.96^(momentum_decay t) / 2)`.

    Args:
      momentum_decay: how fast the momentum grows from about b1 / 2 to b1.
      lr, betas, eps, weight_decay, decoupled_weight_decay, maximize: as in `Adam`.

    Returns:
      A gradient transformation that ends with `scale_by_learning_rate`; see `scale_by_nadam` for the whole formula.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = NAdam(lr=0.5, betas=(0.0, 0.999))
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))
      >>> updates.round(5).tolist()
      [-0.5, 0.5]
    """
    link = transforms.scale_by_nadam(*checked_betas(betas), eps=eps, momentum_decay=momentum_decay)
    return chained([link], lr, weight_decay, maximize, decoupled_weight_decay)


@factory
def RAdam(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: NumberOrSchedule = 0,
    decoupled_weight_decay: bool = False,
    *,
    foreach: bool | None = None,
    maximize: bool = False,
    capturable: bool = False,
    differentiable: bool = False,
) -> Optimizer:
    """`torch.optim.RAdam`: momentum steps until the mean square is worth dividing by, then rectified Adam.

    Args:
      lr, betas, eps, weight_decay, decoupled_weight_decay, maximize: as in `Adam`.

    Returns:
      A gradient transformation that ends with `scale_by_learning_rate`; see `scale_by_radam` for the whole formula.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = RAdam(lr=0.5)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))
      >>> updates.round(5).tolist()
      [-1.5, 0.125]
    """
    link = transforms.scale_by_radam(*checked_betas(betas), eps=eps)
    return chained([link], lr, weight_decay, maximize, decoupled_weight_decay)


@factory
def Adagrad(
    lr: Rate = 1e-2,
    lr_decay: Number = 0,
    weight_decay: NumberOrSchedule = 0,
    initial_accumulator_value: Number = 0,
    eps: Number = 1e-10,
    foreach: bool | None = None,
    *,
    maximize: bool = False,
    differentiable: bool = False,
    fused: bool | None = None,
) -> Optimizer:
    """`torch.optim.Adagrad`.

    s = s + g^2, p -= lr / (1 + lr_decay (t - 1)) g / (sqrt(s) + eps)

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either; the recorded rate is this one, as torch's group has
        it, without `lr_decay`.
      lr_decay: time-based decay, beside any schedule.
      initial_accumulator_value: s before the first update.
      eps: at least 0; outside the root.
      weight_decay, maximize: as in `SGD`.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = Adagrad(lr=0.5)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))
      >>> updates.tolist()
      [-0.5, 0.5]
    """
    lr_decay = number("lr_decay", lr_decay, minimum=0.0)
    start = number("initial_accumulator_value", initial_accumulator_value, minimum=0.0)
    link = transforms.scale_by_adagrad(eps=eps, initial_total=start, rate_decay=lr_decay)
    return chained([link], lr, weight_decay, maximize)


@factory
def Adamax(
    lr: Rate = 2e-3,
    betas: Betas = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: NumberOrSchedule = 0,
    foreach: bool | None = None,
    *,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
) -> Optimizer:
    """`torch.optim.Adamax`.

    m = b1 m + (1 - b1) g, u = max(b2 u, |g| + eps), p -= lr / (1 - b1^t) m / u

    Args:
      eps: at least 0; inside the maximum.
      lr, betas, weight_decay, maximize: as in `Adam`.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = Adamax(lr=0.5)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))
      >>> updates.round(5).tolist()
      [-0.5, 0.5]
    """
    return chained([transforms.scale_by_adamax(*checked_betas(betas), eps=eps)], lr, weight_decay, maximize)
