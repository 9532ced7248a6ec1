"""PyTorch's optimizers under its own names, as chains of jaxlr's transformations, and the one that reads a live one.

Arguments, their order and defaults are those of torch 2.13, with `lr` first in place of `params`. `foreach`, `fused`,
`capturable` and `differentiable` choose among torch's implementations of one formula: they are accepted and change
nothing. A momentum, alpha or beta of 1 and more, which torch lets pass, is an error.
"""

# ruff: noqa: N802 - PyTorch's own names

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax

from jaxlr.dialects.torch.parameters import Names, grouped_parameters, nearest, path_name
from jaxlr.transforms import (
    add_weight_decay,
    in_float32,
    scale_by_adagrad,
    scale_by_adam,
    scale_by_adamax,
    scale_by_learning_rate,
    scale_by_momentum,
    scale_by_nadam,
    scale_by_radam,
    scale_by_rmsprop,
)
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule, choice, number, number_or_schedule
from jaxlr.transforms.rate.plateau import ReduceOnPlateau

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "from_optimizer"]

Rate = NumberOrSchedule | ReduceOnPlateau
Betas = tuple[NumberOrSchedule, Number]


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
) -> optax.GradientTransformationExtraArgs:
    """`torch.optim.SGD`.

    g = g + weight_decay p, m = momentum m + (1 - dampening) g, the first m undamped, p -= lr m

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either.
      momentum: in [0, 1); a number or a schedule, such as OneCycleLR's momentum.
      dampening: share of each gradient that does not enter the buffer.
      weight_decay: an L2 penalty; a number or a schedule.
      nesterov: look one step ahead.
      maximize: climb instead of descend.
      foreach, differentiable, fused: without effect.

    Returns:
      A gradient transformation that ends with `scale_by_learning_rate`.

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
    _check_flags(foreach=foreach, differentiable=differentiable, fused=fused)
    momentum = number_or_schedule("momentum", momentum, minimum=0.0, below=1.0)
    dampening = number("dampening", dampening)
    choice("nesterov", nesterov, (False, True))
    if nesterov and (_is_zero(momentum) or (isinstance(dampening, float) and dampening != 0.0)):
        raise ValueError(f"nesterov needs a momentum above 0 and a dampening of 0, got {momentum!r} and {dampening!r}")
    link = scale_by_momentum(momentum, dampening=dampening, nesterov=nesterov)
    return _chain([] if _is_zero(momentum) else [link], lr, weight_decay, maximize)


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
) -> optax.GradientTransformationExtraArgs:
    """`torch.optim.RMSprop`.

    v = alpha v + (1 - alpha) g^2, m = momentum m + g / (sqrt(v) + eps), p -= lr m

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either.
      alpha: share of the mean square that stays, in [0, 1); a number or a schedule.
      eps: at least 0; outside the root.
      weight_decay: an L2 penalty; a number or a schedule.
      momentum: in [0, 1); a number or a schedule.
      centered: divide by the root of the variance. Where rounding leaves it below 0, torch's step is NaN; here it is 0.
      maximize: climb instead of descend.
      capturable, foreach, differentiable: without effect.

    Returns:
      A gradient transformation that ends with `scale_by_learning_rate`.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = RMSprop(lr=0.5, alpha=0.75, eps=0.0)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.5]), optimizer.init(jnp.zeros(2)))
      >>> updates.tolist()
      [-1.0, 1.0]
    """
    _check_flags(capturable=capturable, foreach=foreach, differentiable=differentiable)
    alpha = number_or_schedule("alpha", alpha, minimum=0.0, below=1.0)
    momentum = number_or_schedule("momentum", momentum, minimum=0.0, below=1.0)
    link = scale_by_rmsprop(alpha, eps=eps, centered=centered)
    return _chain([link] if _is_zero(momentum) else [link, scale_by_momentum(momentum)], lr, weight_decay, maximize)


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
) -> optax.GradientTransformationExtraArgs:
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
      foreach, capturable, differentiable, fused: without effect.

    Returns:
      A gradient transformation that ends with `scale_by_learning_rate`.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = Adam(lr=0.5, maximize=True)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))
      >>> updates.round(5).tolist()
      [0.5, -0.5]
    """
    _check_flags(foreach=foreach, capturable=capturable, differentiable=differentiable, fused=fused)
    choice("amsgrad", amsgrad, (False, True))
    link = scale_by_adam(*_checked(betas), eps=eps, amsgrad="raw" if amsgrad else False)
    return _chain([link], lr, weight_decay, maximize, decoupled_weight_decay)


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
) -> optax.GradientTransformationExtraArgs:
    """`torch.optim.AdamW`: Adam with the weight decay beside the step.

    p -= lr ((m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay p)

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either.
      betas: b1 and b2, in [0, 1); b1 may be a schedule, such as OneCycleLR's momentum.
      eps: at least 0.
      weight_decay: a number or a schedule.
      amsgrad: divide by the largest v so far.
      maximize: climb instead of descend; the weights shrink all the same.
      foreach, capturable, differentiable, fused: without effect.

    Returns:
      A gradient transformation that ends with `scale_by_learning_rate`.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = AdamW(lr=0.5, weight_decay=0.25)
      >>> params = jnp.array([4.0])
      >>> updates, _ = optimizer.update(jnp.array([0.0]), optimizer.init(params), params)
      >>> float(updates[0])
      -0.5
    """
    return Adam(
        lr,
        betas,
        eps,
        weight_decay,
        amsgrad,
        foreach=foreach,
        maximize=maximize,
        capturable=capturable,
        differentiable=differentiable,
        fused=fused,
        decoupled_weight_decay=True,
    )


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
) -> optax.GradientTransformationExtraArgs:
    """`torch.optim.NAdam`: Adam with Nesterov momentum that grows, `b1 (1 - 0.96^(momentum_decay t) / 2)`.

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either.
      betas: b1 and b2, in [0, 1); b1 may be a schedule.
      eps: at least 0.
      weight_decay: an L2 penalty unless decoupled; a number or a schedule.
      momentum_decay: how fast the momentum grows from about b1 / 2 to b1.
      decoupled_weight_decay: p -= lr weight_decay p beside the step.
      maximize: climb instead of descend.
      foreach, capturable, differentiable: without effect.

    Returns:
      A gradient transformation that ends with `scale_by_learning_rate`; see `scale_by_nadam` for the whole formula.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = NAdam(lr=0.5, betas=(0.0, 0.999))
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))
      >>> updates.round(5).tolist()
      [-0.5, 0.5]
    """
    _check_flags(foreach=foreach, capturable=capturable, differentiable=differentiable)
    link = scale_by_nadam(*_checked(betas), eps=eps, momentum_decay=momentum_decay)
    return _chain([link], lr, weight_decay, maximize, decoupled_weight_decay)


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
) -> optax.GradientTransformationExtraArgs:
    """`torch.optim.RAdam`: momentum steps until the mean square is worth dividing by, then rectified Adam.

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either.
      betas: b1 and b2, in [0, 1); b1 may be a schedule.
      eps: at least 0.
      weight_decay: an L2 penalty unless decoupled; a number or a schedule.
      decoupled_weight_decay: p -= lr weight_decay p beside the step.
      maximize: climb instead of descend.
      foreach, capturable, differentiable: without effect.

    Returns:
      A gradient transformation that ends with `scale_by_learning_rate`; see `scale_by_radam` for the whole formula.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = RAdam(lr=0.5)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))
      >>> updates.round(5).tolist()
      [-1.5, 0.125]
    """
    _check_flags(foreach=foreach, capturable=capturable, differentiable=differentiable)
    link = scale_by_radam(*_checked(betas), eps=eps)
    return _chain([link], lr, weight_decay, maximize, decoupled_weight_decay)


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
) -> optax.GradientTransformationExtraArgs:
    """`torch.optim.Adagrad`.

    s = s + g^2, p -= lr / (1 + lr_decay (t - 1)) g / (sqrt(s) + eps)

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either; the recorded rate is this one, as torch's group has
        it, without `lr_decay`.
      lr_decay: time-based decay, beside any schedule.
      weight_decay: an L2 penalty; a number or a schedule.
      initial_accumulator_value: s before the first update.
      eps: at least 0; outside the root.
      maximize: climb instead of descend.
      foreach, differentiable, fused: without effect.

    Returns:
      A gradient transformation that ends with `scale_by_learning_rate`.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = Adagrad(lr=0.5)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))
      >>> updates.tolist()
      [-0.5, 0.5]
    """
    _check_flags(foreach=foreach, differentiable=differentiable, fused=fused)
    lr_decay = number("lr_decay", lr_decay, minimum=0.0)
    start = number("initial_accumulator_value", initial_accumulator_value, minimum=0.0)
    link = scale_by_adagrad(eps=eps, initial_total=start, rate_decay=lr_decay)
    return _chain([link], lr, weight_decay, maximize)


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
) -> optax.GradientTransformationExtraArgs:
    """`torch.optim.Adamax`.

    m = b1 m + (1 - b1) g, u = max(b2 u, |g| + eps), p -= lr / (1 - b1^t) m / u

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either.
      betas: b1 and b2, in [0, 1); b1 may be a schedule.
      eps: at least 0; inside the maximum.
      weight_decay: an L2 penalty; a number or a schedule.
      maximize: climb instead of descend.
      foreach, differentiable, capturable: without effect.

    Returns:
      A gradient transformation that ends with `scale_by_learning_rate`.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = Adamax(lr=0.5)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))
      >>> updates.round(5).tolist()
      [-0.5, 0.5]
    """
    _check_flags(foreach=foreach, differentiable=differentiable, capturable=capturable)
    return _chain([scale_by_adamax(*_checked(betas), eps=eps)], lr, weight_decay, maximize)


FACTORIES: dict[str, Callable[..., optax.GradientTransformationExtraArgs]] = {
    factory.__name__: factory for factory in (SGD, RMSprop, Adam, AdamW, NAdam, RAdam, Adagrad, Adamax)
}


def from_optimizer(
    optimizer: Any, schedule: Any = None, *, momentum: Any = None, names: Names = None
) -> optax.GradientTransformationExtraArgs:
    """The transformation that does what a live torch optimizer does, from its class and its parameter groups.

    Several groups become the groups `group0`, `group1` and so on of `optax.partition`, each with its own rate, weight
    decay and other numbers; `learning_rates` and `set_learning_rate(..., group="group0")` know them by these labels.

    Args:
      optimizer: one of torch's that this module has. Its state is read by `load_optimizer_state`.
      schedule: the learning rate, in place of the group's `lr` (which a torch scheduler changes: it is that of the next
        update): a number, a schedule or `reduce_on_plateau`, or a list with one for each group; None takes `lr`.
      momentum: likewise, in place of `momentum` or `betas[0]`.
      names: what the parameters are called here, needed with several groups: a list in the order of the optimizer's
        groups, first all of the first one's (which is not the order of `model.named_parameters()`), or a mapping from
        torch's names, if the groups were made from `named_parameters()`. Dots are slashes.

    Returns:
      A gradient transformation.

    Raises:
      TypeError, ValueError: the optimizer is none of torch's that this module has, its groups lack what torch 2.13
        writes, or an argument does not fit them. A parameter that no group has, or that has another size there, is an
        error when the state is made.

    Example:
      >>> class AdamW:  # stands in for torch's
      ...   __module__ = "torch.optim.adamw"
      ...   same = dict(betas=(0.9, 0.999), eps=1e-8, amsgrad=False, maximize=False, foreach=None, capturable=False,
      ...               differentiable=False, fused=None)
      ...   param_groups = [dict(same, params=[0], lr=0.5, weight_decay=0.25), dict(same, params=[1], lr=0.125,
      ...                   weight_decay=0.0)]
      >>> import jax.numpy as jnp
      >>> from jaxlr import learning_rates
      >>> optimizer = from_optimizer(AdamW(), names=["body.weight", "body.bias"])
      >>> state = optimizer.init({"body": {"weight": jnp.ones((2, 2)), "bias": jnp.ones(2)}})
      >>> {label: float(rate) for label, rate in learning_rates(state).items()}
      {'group0': 0.5, 'group1': 0.125}
    """
    kind = type(optimizer)
    if kind.__name__ not in FACTORIES or not kind.__module__.startswith("torch.optim"):
        raise TypeError(
            f"optimizer must be one of torch.optim's {', '.join(FACTORIES)}, got {kind.__module__}.{kind.__name__}"
        )
    groups = optimizer.param_groups
    rates, momenta = one_for_each("schedule", schedule, groups), one_for_each("momentum", momentum, groups)
    links = [
        _from_group(kind.__name__, group, rate, share)
        for group, rate, share in zip(groups, rates, momenta, strict=True)
    ]
    if len(links) == 1:
        return links[0]
    known = {
        parameter.name: (f"group{number}", theirs)
        for number, (group, parameters) in enumerate(zip(groups, grouped_parameters(groups, names), strict=True))
        for parameter, theirs in zip(parameters, group["params"], strict=True)
    }

    def label(path: Any, param: Any) -> str:
        name = path_name(path)
        if name not in known:
            raise ValueError(f"no group of the optimizer has the parameter {name}; the nearest {nearest(name, known)}")
        group, theirs = known[name]
        if math.prod(getattr(theirs, "shape", np.shape(param))) != np.size(param):
            raise ValueError(
                f"names must be in the order of the optimizer's groups: {name} has the shape {np.shape(param)} here, "
                f"and {tuple(theirs.shape)} in torch's {group}"
            )
        return group

    labelled: dict[Hashable, Any] = {f"group{number}": link for number, link in enumerate(links)}
    return optax.partition(labelled, lambda params: jax.tree_util.tree_map_with_path(label, params))


def one_for_each(argument: str, value: Any, groups: Sequence[Any]) -> list[Any]:
    """A list with one value for each group: the list that was given, or the one value again and again."""
    if not isinstance(value, list | tuple):
        return [value] * len(groups)
    if len(value) != len(groups):
        raise ValueError(f"{argument} must be one, or one for each of the {len(groups)} groups, got {len(value)}")
    return list(value)


def settings(name: str, group: Mapping[str, Any]) -> dict[str, Any]:
    """What a parameter group of torch has for the arguments of the class `name`."""
    arguments = inspect.signature(FACTORIES[name]).parameters
    missing = [argument for argument in arguments if argument not in group]
    if missing:
        raise ValueError(
            f"this is no parameter group of {name} as torch 2.13 writes it: it lacks {', '.join(missing)}; "
            "if it is of an older torch, load it there into torch 2.13 and save it again"
        )
    return {argument: _plain(group[argument]) for argument in arguments}


def _from_group(name: str, group: Mapping[str, Any], rate: Any, momentum: Any) -> optax.GradientTransformationExtraArgs:
    arguments = settings(name, group)
    if rate is not None:
        arguments["lr"] = rate
    if momentum is not None:
        if "betas" in arguments:
            arguments["betas"] = (momentum, arguments["betas"][1])
        elif "momentum" in arguments:
            arguments["momentum"] = momentum
        else:
            raise ValueError(f"momentum must be None for {name}, which has none, got {momentum!r}")
    return FACTORIES[name](**arguments)


def _plain(value: Any) -> Any:
    """A setting with numbers in place of torch's tensors of one number."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return value.item() if hasattr(value, "item") else value


def _chain(
    links: list[optax.GradientTransformation],
    lr: Rate,
    weight_decay: NumberOrSchedule,
    maximize: bool,
    decoupled: bool = False,
) -> optax.GradientTransformationExtraArgs:
    if not isinstance(lr, ReduceOnPlateau):
        lr = number_or_schedule("lr", lr, minimum=0.0)
    weight_decay = number_or_schedule("weight_decay", weight_decay, minimum=0.0)
    choice("maximize", maximize, (False, True))
    choice("decoupled_weight_decay", decoupled, (False, True))
    decay = [] if _is_zero(weight_decay) else [add_weight_decay(weight_decay)]
    links = [*links, *decay] if decoupled else [*decay, *links]
    # The gradient alone is turned: what decays shrinks all the same.
    turned = [optax.scale(-1.0)] if maximize else []
    return in_float32(optax.chain(*turned, *links, scale_by_learning_rate(lr)))


def _checked(betas: Betas) -> Betas:
    if not isinstance(betas, list | tuple) or len(betas) != 2:
        raise TypeError(f"betas must be a pair of numbers, the first of which may be a schedule, got {betas!r}")
    first = number_or_schedule("betas[0]", betas[0], minimum=0.0, below=1.0)
    return first, number("betas[1]", betas[1], minimum=0.0, below=1.0)


def _check_flags(**flags: Any) -> None:
    for name, value in flags.items():
        choice(name, value, (None, False, True))


def _is_zero(value: NumberOrSchedule) -> bool:
    return isinstance(value, float) and value == 0.0
