"""What PyTorch's optimizers have in common: the table of them, their yes-or-no arguments, the chain."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

import optax

from jaxlr.transforms.assembly import assemble, unless_zero
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Held, Number, NumberOrSchedule, choice, number, number_or_schedule
from jaxlr.transforms.rate.controller import Controller
from jaxlr.transforms.wrappers.parts import real_and_imaginary

Rate = NumberOrSchedule | Controller | Held
Betas = tuple[NumberOrSchedule, Number]
Optimizer = optax.GradientTransformationExtraArgs
P = ParamSpec("P")

FACTORIES: dict[str, Callable[..., Optimizer]] = {}
_IMPLEMENTATIONS = ("foreach", "fused", "capturable", "differentiable")


def factory(make: Callable[P, Optimizer]) -> Callable[P, Optimizer]:
    """Puts an optimizer into the table, and checks those of its arguments that are yes or no."""
    signature, printed = inspect.signature(make), described(make)
    options = {
        name: (None, False, True) if name in _IMPLEMENTATIONS else (False, True)
        for name, parameter in signature.parameters.items()
        if name in _IMPLEMENTATIONS or isinstance(parameter.default, bool)
    }

    @functools.wraps(make)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Optimizer:
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            if name in options:
                choice(name, value, options[name])
            bound.arguments[name] = plain_number(value)
        return printed(*bound.args, **bound.kwargs)

    FACTORIES[make.__name__] = checked
    return checked


def plain_number(value: Any) -> Any:
    """A torch tensor of one number as that number; in a pair of betas too."""
    if isinstance(value, tuple | list):
        return tuple(map(plain_number, value))
    return value.item() if hasattr(value, "detach") and value.numel() == 1 else value


def chained(
    links: list[optax.GradientTransformation],
    lr: Rate,
    weight_decay: NumberOrSchedule,
    maximize: bool,
    decoupled: bool = False,
) -> Optimizer:
    """An optimizer of torch from its links; complex arrays go through them in two parts."""
    if not isinstance(lr, Controller | Held):
        lr = number_or_schedule("lr", lr, minimum=0.0)
    apart = [real_and_imaginary(link) for link in links]
    return assemble(apart, lr, weight_decay=unless_zero(weight_decay), decoupled=decoupled, maximize=maximize)


def checked_betas(betas: Betas) -> Betas:
    """A pair of betas, both in [0, 1)."""
    if not isinstance(betas, list | tuple) or len(betas) != 2:
        raise TypeError(f"betas must be a pair of numbers, the first of which may be a schedule, got {betas!r}")
    first = number_or_schedule("betas[0]", betas[0], minimum=0.0, below=1.0)
    return first, number("betas[1]", betas[1], minimum=0.0, below=1.0)
