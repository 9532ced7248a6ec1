"""A live torch optimizer, with all its parameter groups, as the transformation that does the same."""

from __future__ import annotations

import inspect
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax
from jax.typing import ArrayLike

from jaxlr.dialects.torch.arguments import LiveOptimizer
from jaxlr.dialects.torch.factories import FACTORIES, Optimizer, Rate
from jaxlr.dialects.torch.parameters import Names, grouped_parameters, nearest, path_name
from jaxlr.transforms.hyperparameters import NumberOrSchedule
from jaxlr.transforms.parameters.paths import Path


def from_optimizer(
    optimizer: LiveOptimizer,
    schedule: Rate | Sequence[Rate] | None = None,
    *,
    momentum: NumberOrSchedule | Sequence[NumberOrSchedule] | None = None,
    names: Names = None,
) -> Optimizer:
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
      TypeError, ValueError: the optimizer is none of torch's that this module has, its groups lack what torch 2.14
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

    def label(path: Path, param: ArrayLike) -> str:
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


def one_for_each(argument: str, value: object, groups: Sequence[object]) -> list[Any]:
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
            f"this is no parameter group of {name} as torch 2.14 writes it: it lacks {', '.join(missing)}; "
            "if it is of an older torch, load it there into torch 2.14 and save it again"
        )
    return {argument: group[argument] for argument in arguments}


def _from_group(name: str, group: Mapping[str, Any], rate: object, momentum: object) -> Optimizer:
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
