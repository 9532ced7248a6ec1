"""The schedules of transformers that are no cosine: constant, linear, polynomial, inverse root, WSD, plateau."""

from __future__ import annotations

from typing import Literal, TypeAlias

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import Updates
from jaxlr.dialects.torch.schedulers import ReduceLROnPlateau
from jaxlr.dialects.transformers.shared import lengths, wave
from jaxlr.schedules import Schedule, leaves
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.rate.greedy import Greedy, greedy
from jaxlr.typing import Length, Scalar

Ramp: TypeAlias = Literal["linear", "cosine", "1-sqrt"]
_PART = 10_000  # updates after which Adafactor's rate falls
_RAMPS = ("linear", "cosine", "1-sqrt")


def get_constant_schedule(lr: Scalar, last_epoch: Length = -1) -> Schedule:
    """The rate as it is.

    lr(n) = lr

    Args:
      lr, last_epoch: see the module.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> float(transformers.get_constant_schedule(0.5)(7))
      0.5
    """
    return common.resumed(core.constant(common.number("lr", lr)), last_epoch)


def get_constant_schedule_with_warmup(lr: Scalar, num_warmup_steps: Length, last_epoch: Length = -1) -> Schedule:
    """Up in a straight line, and on at the rate.

    lr(n) = lr * min(1, n / num_warmup_steps)

    Args:
      lr, num_warmup_steps, last_epoch: see the module.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_constant_schedule_with_warmup(1.0, 2)
      >>> [float(rate(n)) for n in range(4)]
      [0.0, 0.5, 1.0, 1.0]
    """
    steps = common.length("num_warmup_steps", num_warmup_steps)
    return common.resumed(common.warmed(core.constant(common.number("lr", lr)), steps), last_epoch)


def get_linear_schedule_with_warmup(
    lr: Scalar, num_warmup_steps: Length, num_training_steps: Length, last_epoch: Length = -1
) -> Schedule:
    """Up in a straight line, and down in one to 0.

    lr(n) = lr * n / num_warmup_steps, then lr * (num_training_steps - n) / (num_training_steps - num_warmup_steps)

    Args:
      lr, num_warmup_steps, num_training_steps, last_epoch: see the module.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_linear_schedule_with_warmup(1.0, 2, 6)
      >>> [float(rate(n)) for n in range(8)]
      [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    peak = common.number("lr", lr)
    warm, left = lengths(num_warmup_steps, num_training_steps)
    if common.known(left) and left <= 0:
        return common.resumed(common.up_and(core.constant(0.0), peak, warm), last_epoch)
    return common.resumed(common.warmed(core.linear(peak, 0.0, left), warm), last_epoch)


def get_polynomial_decay_schedule_with_warmup(
    lr: Scalar,
    num_warmup_steps: Length,
    num_training_steps: Length,
    lr_end: Scalar = 1e-7,
    power: Scalar = 1.0,
    last_epoch: Length = -1,
) -> Schedule:
    """Up in a straight line, and down along a power of what is left to `lr_end`.

    lr(n) = lr * n / num_warmup_steps, then lr_end + (lr - lr_end) * (1 - x) ** power with
    x = (n - num_warmup_steps) / (num_training_steps - num_warmup_steps) <= 1

    Where the warm-up is the whole run, the source divides by 0; here the rate is `lr_end` after it.

    Args:
      lr, num_warmup_steps, num_training_steps, last_epoch: see the module.
      lr_end: the last rate, below `lr`.
      power: the power, above 0.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_polynomial_decay_schedule_with_warmup(1.0, 2, 6, lr_end=0.25, power=2.0)
      >>> [round(float(rate(n)), 4) for n in range(8)]
      [0.0, 0.5, 1.0, 0.6719, 0.4375, 0.2969, 0.25, 0.25]
    """
    peak = common.number("lr", lr)
    end = common.number("lr_end", lr_end)
    if common.known(peak, end) and not peak > end:
        raise ValueError(f"lr_end must be below lr, got lr_end={lr_end} and lr={lr}")
    leaves.positive("power", power)
    warm, left = lengths(num_warmup_steps, num_training_steps)
    if common.known(left) and left <= 0:
        return common.resumed(common.up_and(core.constant(end), peak, warm), last_epoch)
    return common.resumed(common.warmed(core.polynomial(peak, end, power, left), warm), last_epoch)


def get_inverse_sqrt_schedule(
    lr: Scalar, num_warmup_steps: Length, timescale: Length | None = None, last_epoch: Length = -1
) -> Schedule:
    """Up in a straight line, and down as one over the square root of the count.

    lr(n) = lr * n / num_warmup_steps, then lr * sqrt(timescale / (n - num_warmup_steps + timescale))

    Args:
      lr, num_warmup_steps, last_epoch: see the module.
      timescale: an integer, at least 1; `num_warmup_steps` if None, or 10000 where that is 0.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_inverse_sqrt_schedule(1.0, 4)
      >>> [float(rate(n)) for n in (0, 2, 4, 16, 64)]
      [0.0, 0.5, 1.0, 0.5, 0.25]
    """
    warm = common.length("num_warmup_steps", num_warmup_steps)
    if timescale is None:
        timescale = 10_000 if common.equals(warm, 0) else warm
    timescale = common.length("timescale", timescale, minimum=1)
    return common.resumed(
        common.warmed(core.inverse_sqrt(common.number("lr", lr), timescale=timescale).shift(timescale), warm),
        last_epoch,
    )


get_reduce_on_plateau_schedule = ReduceLROnPlateau  # PyTorch's, to which transformers hands its arguments on


def get_greedy_schedule(
    lr: NumberOrSchedule,
    mode: Literal["min", "max"] = "min",
    factor: Number = 0.95,
    patience: int = 10,
    threshold: Number = 1e-6,
    threshold_mode: Literal["rel", "abs"] = "abs",
    cooldown: int = 0,
    warmup: int = 0,
    min_lr: Number = 1e-3,
    max_lr: Number = 1.0,
    eps: Number = 1e-8,
    smooth: bool = False,
    window_size: int = 50,
    reset_start: int = 500,
) -> Greedy:
    """The rate, raised while a metric improves and cut while it does not: transformers' `GreedyLR`.

    A rule for wherever a learning rate goes; the metric comes from `jaxlr.observe`.

    Args:
      lr: the rate, or a schedule.
      mode, factor, patience, threshold, threshold_mode, cooldown, warmup, min_lr, max_lr, eps, smooth, window_size,
        reset_start: as in `jaxlr.greedy`.

    Returns:
      What `jaxlr.greedy` returns.

    Example:
      >>> import jax.numpy as jnp
      >>> import jaxlr
      >>> from jaxlr.dialects import transformers
      >>> optimizer = jaxlr.adamw(transformers.get_greedy_schedule(0.01, patience=3))
      >>> state = jaxlr.observe(optimizer.init(jnp.zeros(1)), 0.7)
    """
    return greedy(
        lr,
        mode=mode,
        factor=factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_mode,
        cooldown=cooldown,
        warmup=warmup,
        min_lr=min_lr,
        max_lr=max_lr,
        eps=eps,
        smooth=smooth,
        window_size=window_size,
        reset_start=reset_start,
    )


def GreedyLR(  # noqa: N802, transformers' name
    lr: NumberOrSchedule,
    mode: Literal["min", "max"] = "min",
    factor: Number = 0.95,
    patience: int = 10,
    threshold: Number = 1e-6,
    threshold_mode: Literal["rel", "abs"] = "abs",
    cooldown: int = 0,
    warmup: int = 0,
    min_lr: Number = 1e-3,
    max_lr: Number = 1.0,
    eps: Number = 1e-8,
    verbose: bool = False,
    smooth: bool = False,
    window_size: int = 50,
    reset_start: int = 500,
) -> Greedy:
    """`get_greedy_schedule` with the arguments of the class in their order there; `verbose` does nothing.

    Args:
      lr: the rate, or a schedule.
      mode, factor, patience, threshold, threshold_mode, cooldown, warmup, min_lr, max_lr, eps, smooth, window_size,
        reset_start: as in `jaxlr.greedy`.
      verbose: does nothing.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> type(transformers.GreedyLR(0.01, patience=3)).__name__
      'Greedy'
    """
    limits = {"cooldown": cooldown, "warmup": warmup, "min_lr": min_lr, "max_lr": max_lr, "eps": eps}
    means = {"smooth": smooth, "window_size": window_size, "reset_start": reset_start}
    return get_greedy_schedule(lr, mode, factor, patience, threshold, threshold_mode, **limits, **means)


def get_adafactor_schedule(
    initial_lr: Scalar = 0.0, *, relative_step: bool = True, warmup_init: bool = False
) -> Schedule:
    """The rates that transformers' Adafactor gives itself, which `AdafactorSchedule` reads from it.

    lr(n) = min(0.01, 1 / sqrt(n + 1)), or with `warmup_init` min(1e-6 (n + 1), 1 / sqrt(n + 1)); they part at 10,000

    With `scale_parameter` a rate is this times the root mean square of its parameter, which is no schedule: a link says
    it, `optax.scale_by_param_block_rms(1e-3)` in front of the rate.

    Args:
      initial_lr: what transformers shows before the first update; nothing is trained with it, and it does nothing here.
      relative_step: as of the optimizer; False is refused, since the rate is then the optimizer's own `lr`.
      warmup_init: as of the optimizer.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> transformers.get_adafactor_schedule()
      power(init_value=0.01, exponent=-0.5, timescale=10000, shift=1)
      >>> rate = transformers.get_adafactor_schedule(warmup_init=True)
      >>> [f"{float(rate(n)):g}" for n in (0, 1, 9999, 39999)]
      ['1e-06', '2e-06', '0.01', '0.005']
    """
    common.number("initial_lr", initial_lr)
    if not leaves.flag("relative_step", relative_step):
        raise ValueError("relative_step must be True, got False: the rate is then the optimizer's lr, as it is")
    if not leaves.flag("warmup_init", warmup_init):
        return core.power(0.01, -0.5, timescale=_PART, shift=1)
    return common.up_and(core.power(0.01, -0.5, timescale=_PART, shift=_PART), 0.01, _PART - 1, 1e-6)


AdafactorSchedule = get_adafactor_schedule  # the class that it reads


def get_wsd_schedule(
    lr: Scalar,
    num_warmup_steps: Length,
    num_decay_steps: Length,
    num_training_steps: Length | None = None,
    num_stable_steps: Length | None = None,
    warmup_type: Ramp = "linear",
    decay_type: Ramp = "cosine",
    min_lr_ratio: Scalar = 0.0,
    num_cycles: Scalar = 0.5,
    last_epoch: Length = -1,
) -> Schedule:
    """Rises from a lowest rate, stays, falls back to it (WSD), and holds it.

    low = lr * min_lr_ratio; in the warm-up lr(n) = low + (lr - low) * f(n / num_warmup_steps), in the decay
    lr(n) = lr + (low - lr) * g(x), x from 0 to 1
    with f(y) = y ("linear"), (1 - cos(pi y)) / 2 ("cosine") or 1 - sqrt(1 - y) ("1-sqrt"),
    and g(x) = x, (1 - cos(2 pi num_cycles x)) / 2 or sqrt(x)

    Args:
      last_epoch: see the module.
      lr: the rate of the stable phase.
      num_warmup_steps: updates of the rise; an integer, at least 0.
      num_decay_steps: updates of the fall; an integer, at least 0.
      num_training_steps: updates in all; an integer.
      num_stable_steps: updates at `lr`; an integer, at least 0. It wins where both are given.
      warmup_type: "linear", "cosine" or "1-sqrt".
      decay_type: "linear", "cosine" or "1-sqrt".
      min_lr_ratio: the lowest rate as a share of `lr`.
      num_cycles: waves of the cosine in the decay, above 0; after them the rate is the lowest.

    Raises:
      ValueError: neither `num_training_steps` nor `num_stable_steps` is given, or the run is shorter than its warm-up
        and decay.

    Example:
      >>> from jaxlr.dialects import transformers
      >>> rate = transformers.get_wsd_schedule(1.0, 2, 2, num_training_steps=6, min_lr_ratio=0.5)
      >>> [float(rate(n)) for n in range(7)]
      [0.5, 0.75, 1.0, 1.0, 1.0, 0.75, 0.5]
    """
    peak = common.number("lr", lr)
    low = common.number("min_lr_ratio", min_lr_ratio) * peak
    leaves.choice("warmup_type", warmup_type, _RAMPS)
    leaves.choice("decay_type", decay_type, _RAMPS)
    leaves.positive("num_cycles", num_cycles)
    warm = common.length("num_warmup_steps", num_warmup_steps)
    decay = common.length("num_decay_steps", num_decay_steps)
    stable = _stable(warm, decay, num_training_steps, num_stable_steps)
    once = decay_type != "cosine" or common.equals(num_cycles, 0.5)
    if warmup_type == "linear" and once and not common.equals(decay, 0):
        whole = core.warmup_stable_decay(peak, warm, stable, decay, init_value=low, end_value=low, decay=decay_type)
        return common.resumed(whole, last_epoch)
    up, down = common.at_least_one(warm), common.at_least_one(decay)
    rise = core.polynomial(low, peak, 0.5, up) if warmup_type == "1-sqrt" else common.curve(warmup_type, low, peak, up)
    fall = wave(peak, down, num_cycles, low) if decay_type == "cosine" else common.curve(decay_type, peak, low, down)
    phases = (rise, warm), (core.constant(peak), stable), (fall, decay)
    return common.resumed(common.in_turn(*phases, last=core.constant(low)), last_epoch)


def _stable(
    warm: Updates, decay: Updates, num_training_steps: Length | None, num_stable_steps: Length | None
) -> Updates:
    if num_stable_steps is not None:
        return common.length("num_stable_steps", num_stable_steps)
    if num_training_steps is None:
        raise ValueError("num_training_steps or num_stable_steps must be given, got None for both")
    stable = common.length("num_training_steps", num_training_steps) - warm - decay
    if common.known(stable) and stable < 0:
        raise ValueError(
            f"num_training_steps must be at least num_warmup_steps + num_decay_steps = {warm + decay}, "
            f"got {num_training_steps}"
        )
    return stable
