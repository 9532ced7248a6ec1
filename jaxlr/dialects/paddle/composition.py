"""What Paddle makes of a function, of another schedule, and of a metric."""

# ruff: noqa: N802, Paddle's own names

from __future__ import annotations

from typing import Literal

from jaxlr import schedules as core
from jaxlr.dialects import common, torch
from jaxlr.dialects.common import resumed
from jaxlr.dialects.torch.arguments import Function
from jaxlr.schedules import Schedule
from jaxlr.transforms import hyperparameters, reduce_on_plateau
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.rate.controller import Controller
from jaxlr.transforms.rate.plateau import ReduceOnPlateau as Rule
from jaxlr.typing import Length, Scalar


def LinearWarmup(
    learning_rate: Scalar | Schedule,
    warmup_steps: Length,
    start_lr: Scalar,
    end_lr: Scalar,
    last_epoch: Length = -1,
    verbose: object = False,
) -> Schedule:
    """A straight line, and then a rate or a schedule, which starts at its own count 0 when the line ends.

    lr(n) = start_lr + (end_lr - start_lr) * n / warmup_steps for n < warmup_steps, learning_rate(n - warmup_steps) then

    Nothing makes the schedule start at `end_lr`, which no count has itself.

    Args:
      learning_rate: a number, at least 0, or a schedule.
      warmup_steps: counts of the line; an integer, at least 1.
      start_lr: where the line starts.
      end_lr: where it leads to.
      last_epoch, verbose: see the module.

    Raises:
      TypeError: `learning_rate` is neither; a rule over a metric is none.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> rate = paddle.LinearWarmup(paddle.StepDecay(1.0, 2, gamma=0.5), 4, start_lr=0.0, end_lr=1.0)
      >>> [float(rate(n)) for n in range(8)]
      [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 0.5]
    """
    if isinstance(learning_rate, Controller):
        raise TypeError(
            f"learning_rate must be a number or a schedule, got a rule, {learning_rate.name}; write the rule around "
            "the warm-up, as ReduceOnPlateau(LinearWarmup(...))"
        )
    if not isinstance(learning_rate, Schedule):
        learning_rate = core.constant(common.number("learning_rate", learning_rate))
    steps = common.length("warmup_steps", warmup_steps, minimum=1)
    first, peak = common.signed("start_lr", start_lr), common.signed("end_lr", end_lr)
    return resumed(common.up_and(learning_rate, peak, steps, first), last_epoch)


def LambdaDecay(
    learning_rate: Scalar,
    lr_lambda: Function,
    last_epoch: Length = -1,
    verbose: object = False,
    *,
    total_steps: int | None = None,
) -> Schedule:
    """The rate times a function of the count: PyTorch's LambdaLR.

    Args:
      learning_rate: the rate, at least 0.
      lr_lambda: takes the count and returns the factor.
      last_epoch, verbose: see the module.
      total_steps: None for a function that JAX can trace; else any function is recorded for so many counts.

    Raises:
      TypeError: `lr_lambda` is no function, or JAX cannot trace it and `total_steps` is not given.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> rate = paddle.LambdaDecay(0.5, lambda n: 1 / (1 + n))
      >>> [float(rate(n)) for n in (0, 1, 3)]
      [0.5, 0.25, 0.125]
    """
    rate = common.number("learning_rate", learning_rate)
    return resumed(torch.LambdaLR(rate, lr_lambda, total_steps=total_steps), last_epoch)


def MultiplicativeDecay(
    learning_rate: Scalar,
    lr_lambda: Function,
    last_epoch: Length = -1,
    verbose: object = False,
    *,
    total_steps: int | None = None,
) -> Schedule:
    """The rate of the count before times a function of the count: PyTorch's MultiplicativeLR.

    lr(n) = learning_rate * lr_lambda(1) * lr_lambda(2) * ... * lr_lambda(n)

    Paddle multiplies all of it again at every count; here it is recorded once, and its last rate holds.

    Args:
      learning_rate: the first rate, at least 0.
      lr_lambda: takes the count and returns the factor; any Python function.
      last_epoch, verbose: see the module.
      total_steps: counts to record; needed.

    Raises:
      TypeError: `lr_lambda` is no function.
      ValueError: `total_steps` is not given.

    Example:
      >>> from jaxlr.dialects import paddle
      >>> rate = paddle.MultiplicativeDecay(1.0, lambda n: 0.5, total_steps=4)
      >>> [float(rate(n)) for n in (0, 1, 3, 9)]
      [1.0, 0.5, 0.125, 0.125]
    """
    if total_steps is None:
        raise ValueError(
            "total_steps must be given for MultiplicativeDecay, got None: it is recorded; write LambdaDecay with the "
            "product as a formula, or ExponentialDecay for a constant factor"
        )
    rate = common.number("learning_rate", learning_rate)
    return resumed(torch.MultiplicativeLR(rate, lr_lambda, total_steps=total_steps), last_epoch)


def ReduceOnPlateau(
    learning_rate: NumberOrSchedule,
    mode: Literal["min", "max"] = "min",
    factor: Number = 0.1,
    patience: int = 10,
    threshold: Number = 1e-4,
    threshold_mode: Literal["rel", "abs"] = "rel",
    cooldown: int = 0,
    min_lr: Number = 0,
    epsilon: Number = 1e-8,
    verbose: object = False,
) -> Rule:
    """The rate, cut when a metric has stopped improving: `jaxlr.reduce_on_plateau`, blind within its cooldown.

    It is PyTorch's rule, but that a metric of the cooldown cannot become the best one. It goes where a learning rate
    goes, and `jaxlr.observe(opt_state, metric)` stands for `scheduler.step(metric)`.

    Args:
      learning_rate: the rate, or a schedule.
      mode, factor, patience, threshold, threshold_mode, cooldown, min_lr: as in `jaxlr.reduce_on_plateau`.
      epsilon: a cut of the rate by no more than this is not made.
      verbose: does nothing.

    Returns:
      A rule for `jaxlr.scale_by_learning_rate` or an optimizer.

    Example:
      >>> import jaxlr
      >>> from jaxlr.dialects import paddle
      >>> optimizer = jaxlr.sgd(paddle.ReduceOnPlateau(0.1, factor=0.5, patience=2))
    """
    return reduce_on_plateau(
        learning_rate,
        mode=mode,
        factor=factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_mode,
        cooldown=cooldown,
        best_in_cooldown=False,
        min_lr=min_lr,
        eps=hyperparameters.number("epsilon", epsilon, minimum=0.0),
    )
