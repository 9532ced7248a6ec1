# ruff: noqa: N802, the names are Keras'
"""The schedules of `keras.optimizers.schedules`, and the rule of `keras.callbacks.ReduceLROnPlateau`.

Lengths are integers, as Keras documents; a float that is whole, which Keras takes too, is read as the integer. `name`
is accepted everywhere and does nothing. The functions, but for the rule, return a schedule, update count (int, any
shape) -> rate (float32, same shape); an argument of the wrong kind or out of range is a TypeError or ValueError that
names it.

Keras divides the count by a length in float32. Run operation by operation that is exact at the multiples of the length;
compiled on its JAX backend, as in `fit`, the quotient may come out next to the whole number, and Keras is then wrong at
some of these multiples. What is said below of compiled Keras is that; the functions here follow the uncompiled one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.schedules import Schedule, leaves
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import Number as Known
from jaxlr.transforms.hyperparameters import NumberOrSchedule
from jaxlr.transforms.rate.plateau import ReduceOnPlateau, reduce_on_plateau
from jaxlr.typing import Array, Length, Lengths, Scalar


def ExponentialDecay(
    initial_learning_rate: Scalar,
    decay_steps: Length | float,
    decay_rate: Scalar,
    staircase: bool = False,
    name: object = "ExponentialDecay",
) -> Schedule:
    """Keras' ExponentialDecay: `jaxlr.exponential` with `transition_steps=decay_steps`.

    lr(n) = initial_learning_rate * decay_rate ** (n / decay_steps), with the floor of the exponent if `staircase`

    Keras computes in the type of `initial_learning_rate`: given the integer 1 it rounds `decay_rate` down to 0. Here an
    integer is a number like any other. Compiled Keras makes some drops of the staircase one update late.

    Args:
      initial_learning_rate: the first rate.
      decay_steps: updates over which the factor applies once; an integer, at least 1.
      decay_rate: the factor, at least 0.
      staircase: whether the factor applies at once, at every multiple of `decay_steps`.

    Example:
      >>> from jaxlr.dialects import keras
      >>> rate = keras.ExponentialDecay(1.0, decay_steps=2, decay_rate=0.25)
      >>> [float(rate(n)) for n in (0, 1, 2, 4)]
      [1.0, 0.5, 0.25, 0.0625]
    """
    return core.exponential(
        leaves.number("initial_learning_rate", initial_learning_rate),
        decay_rate,
        transition_steps=_updates("decay_steps", decay_steps),
        staircase=staircase,
    )


def PiecewiseConstantDecay(
    boundaries: Lengths, values: Sequence[Scalar] | Array, name: object = "PiecewiseConstant"
) -> Schedule:
    """Keras' PiecewiseConstantDecay: `jaxlr.piecewise_constant` with every boundary one update later.

    lr(n) = values[i] for boundaries[i - 1] < n <= boundaries[i]: at a boundary Keras still has the old rate

    Args:
      boundaries: the last counts of the first, second, ... rate; integers in rising order, one fewer than `values`.
      values: the rates.

    Example:
      >>> from jaxlr.dialects import keras
      >>> rate = keras.PiecewiseConstantDecay([2, 3], [1.0, 0.5, 0.125])
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4)]
      [1.0, 1.0, 1.0, 0.5, 0.125]
    """
    items = enumerate(leaves.sequence("boundaries", boundaries))
    last = [_updates(f"boundaries[{i}]", item, minimum=0) for i, item in items]
    leaves.lengths("boundaries", last, minimum=0)
    return core.piecewise_constant(values, [count + 1 for count in last])


def PolynomialDecay(
    initial_learning_rate: Scalar,
    decay_steps: Length | float,
    end_learning_rate: Scalar = 0.0001,
    power: Scalar = 1.0,
    cycle: bool = False,
    name: object = "PolynomialDecay",
) -> Schedule:
    """Keras' PolynomialDecay: `jaxlr.polynomial`, or with `cycle` `jaxlr.schedules.polynomial_cycles`.

    lr(n) = end_learning_rate + (initial_learning_rate - end_learning_rate) * (1 - n / T) ** power, T = decay_steps, or
    with `cycle` the first multiple of it that is at least n; without `cycle` it holds after T

    For powers that are not whole, compiled Keras may not quite reach the end, or give NaN there and after; here it is
    `end_learning_rate`.

    Args:
      initial_learning_rate: the first rate.
      decay_steps: updates from the first rate to the last; an integer, at least 1.
      end_learning_rate: the last rate.
      power: the power, above 0.
      cycle: whether the horizon grows by `decay_steps` whenever it is reached.

    Example:
      >>> from jaxlr.dialects import keras
      >>> rate = keras.PolynomialDecay(1.0, 4, end_learning_rate=0.0, power=0.5)
      >>> [round(float(rate(n)), 4) for n in (0, 1, 3, 4, 5)]
      [1.0, 0.866, 0.5, 0.0, 0.0]
    """
    first = leaves.number("initial_learning_rate", initial_learning_rate)
    last = leaves.number("end_learning_rate", end_learning_rate)
    family = core.polynomial_cycles if leaves.flag("cycle", cycle) else core.polynomial
    return family(first, last, power, _updates("decay_steps", decay_steps))


def InverseTimeDecay(
    initial_learning_rate: Scalar,
    decay_steps: Length | float,
    decay_rate: Scalar,
    staircase: bool = False,
    name: object = "InverseTimeDecay",
) -> Schedule:
    """Keras' InverseTimeDecay: `jaxlr.inverse_time` with `transition_steps=decay_steps`.

    lr(n) = initial_learning_rate / (1 + decay_rate * n / decay_steps), with the floor of n / decay_steps if `staircase`

    Compiled Keras makes some steps of the staircase one update late.

    Args:
      initial_learning_rate: the first rate.
      decay_steps: updates in the unit of `decay_rate`; an integer, at least 1.
      decay_rate: how much the divisor grows over `decay_steps` updates, at least 0.
      staircase: whether the rate changes only at multiples of `decay_steps`.

    Example:
      >>> from jaxlr.dialects import keras
      >>> rate = keras.InverseTimeDecay(1.0, decay_steps=1, decay_rate=1.0)
      >>> [float(rate(n)) for n in (0, 1, 3)]
      [1.0, 0.5, 0.25]
    """
    return core.inverse_time(
        leaves.number("initial_learning_rate", initial_learning_rate),
        decay_rate,
        transition_steps=_updates("decay_steps", decay_steps),
        staircase=staircase,
    )


def CosineDecay(
    initial_learning_rate: Scalar,
    decay_steps: Length | float,
    alpha: Scalar = 0.0,
    name: object = "CosineDecay",
    warmup_target: Scalar | None = None,
    warmup_steps: Length | float = 0,
) -> Schedule:
    """Keras' CosineDecay: `jaxlr.cosine`, with a warm-up in front where `warmup_target` is given.

    A cosine from the peak to `alpha` times the peak in `decay_steps` updates, then it holds. The peak is
    `initial_learning_rate`; or `warmup_target`, reached from `initial_learning_rate` in a straight line in
    `warmup_steps` updates, and the cosine's `decay_steps` come after those

    As in Keras, `warmup_steps` without `warmup_target` does nothing.

    Args:
      initial_learning_rate: the first rate.
      decay_steps: updates of the cosine; an integer, at least 1.
      alpha: the last rate as a share of the peak.
      warmup_target: the peak after a warm-up, or None for no warm-up.
      warmup_steps: updates of the warm-up; an integer, at least 0.

    Example:
      >>> from jaxlr.dialects import keras
      >>> rate = keras.CosineDecay(0.0, decay_steps=2, alpha=0.5, warmup_target=1.0, warmup_steps=2)
      >>> [float(rate(n)) for n in (0, 1, 2, 3, 4, 5)]
      [0.0, 0.5, 1.0, 0.75, 0.5, 0.5]
      >>> rate
      warmup(schedule=cosine(init_value=1.0, decay_steps=2, end_value=0.5), warmup_steps=2, init_value=0.0)

    References:
      Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, arXiv:1608.03983
    """
    first = leaves.number("initial_learning_rate", initial_learning_rate)
    steps = _updates("decay_steps", decay_steps)
    before = _updates("warmup_steps", warmup_steps, minimum=0)
    if warmup_target is None:
        return core.cosine(first, steps, end_value=_share("alpha", alpha, initial_learning_rate))
    peak = leaves.number("warmup_target", warmup_target)
    return core.warmup(
        core.cosine(peak, steps, end_value=_share("alpha", alpha, warmup_target)), before, init_value=first
    )


def CosineDecayRestarts(
    initial_learning_rate: Scalar,
    first_decay_steps: Length | float,
    t_mul: Scalar = 2.0,
    m_mul: Scalar = 1.0,
    alpha: Scalar = 0.0,
    name: object = "SGDRDecay",
) -> Schedule:
    """Keras' CosineDecayRestarts: `jaxlr.cosine_restarts` with `end_value=alpha * initial_learning_rate`.

    In cycle i, of T_i = first_decay_steps * t_mul ** i updates and t updates into it,
    lr = initial_learning_rate * ((1 - alpha) * m_mul ** i * (1 + cos(pi t / T_i)) / 2 + alpha)

    Keras finds the cycle by a float32 logarithm, which at some restarts still says the cycle before (the rate is then
    the end of that cycle in place of the new peak), and its float32 position in the cycle gets coarse: at 1e8 updates,
    in cycles of 2,000, the rate is any. Here restarts are decided on integers.

    Args:
      initial_learning_rate: the first peak.
      first_decay_steps: updates in the first cycle; an integer, at least 1.
      t_mul: how much longer each next cycle is; at least 1.
      m_mul: how much higher each next peak is above the lowest rate; at least 0.
      alpha: the lowest rate as a share of `initial_learning_rate`.

    Example:
      >>> from jaxlr.dialects import keras
      >>> rate = keras.CosineDecayRestarts(1.0, 2, m_mul=0.5)
      >>> [round(float(rate(n)), 4) for n in (0, 1, 2, 3, 4, 5, 6)]
      [1.0, 0.5, 0.5, 0.4268, 0.25, 0.0732, 0.25]

    References:
      Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, arXiv:1608.03983
    """
    return core.cosine_restarts(
        leaves.number("initial_learning_rate", initial_learning_rate),
        _updates("first_decay_steps", first_decay_steps),
        t_mul=common.number("t_mul", t_mul, minimum=1),
        m_mul=m_mul,
        end_value=_share("alpha", alpha, initial_learning_rate),
    )


def ReduceLROnPlateau(
    learning_rate: NumberOrSchedule,
    monitor: str = "val_loss",
    factor: Known = 0.1,
    patience: int = 10,
    verbose: object = 0,
    mode: Literal["auto", "min", "max"] = "auto",
    min_delta: Known = 1e-4,
    cooldown: int = 0,
    min_lr: Known = 0.0,
) -> ReduceOnPlateau:
    """Keras' ReduceLROnPlateau: `jaxlr.reduce_on_plateau` with Keras' patience, over a rate that comes first.

    The cut comes with the last of `patience` bad epochs, where PyTorch's comes with the next; an epoch is good if it
    is better than the best by more than `min_delta`. The metric comes from `jaxlr.observe(opt_state, metric)`, once an
    epoch.

    Args:
      learning_rate: a number or a schedule (Keras refuses a schedule here); goes in front, as there is no model.
      monitor: the name of the metric, which says the direction for `mode="auto"`; nothing else is done with it.
      factor: a cut multiplies the rate by it; in [0, 1).
      patience: bad epochs in a row that make a cut; 0 is as 1.
      verbose: does nothing.
      mode: "min" if the metric should fall, "max" if it should rise, "auto" if a loss or an accuracy by name.
      min_delta: the margin of an improvement, absolute; its sign does not matter.
      cooldown: epochs after a cut that do not count as bad (Keras counts the epoch of the cut as one of them).
      min_lr: cuts stop at this rate.

    Returns:
      A rule, to be used as the `learning_rate` of an optimizer.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range, or `monitor` tells no direction.

    Example:
      >>> import jax.numpy as jnp
      >>> import jaxlr
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.SGD(keras.ReduceLROnPlateau(1.0, factor=0.5, patience=2))
      >>> state = optimizer.init(jnp.zeros(1))
      >>> for loss in (3.0, 3.0, 3.0):
      ...   updates, state = optimizer.update(jnp.ones(1), jaxlr.observe(state, loss))
      ...   print(float(updates[0]), end=" ")
      -1.0 -1.0 -0.5
    """
    return reduce_on_plateau(
        learning_rate,
        mode="max" if _direction(monitor, mode) == "max" else "min",
        factor=factor,
        patience=patience,
        threshold=abs(hyperparameters.number("min_delta", min_delta)),
        threshold_mode="abs",
        cooldown=cooldown,
        min_lr=min_lr,
        eps=0.0,
        patience_rule="keras",
    )


def _direction(monitor: str, mode: str) -> str:
    if leaves.choice("mode", mode, ("auto", "min", "max")) != "auto":
        return mode
    directions = {"loss": "min", "accuracy": "max", "acc": "max"}
    metric = str(monitor).removeprefix("val_")
    if metric not in directions:
        known = ", ".join(map(repr, directions))
        raise ValueError(
            f'mode must be "min" or "max" for monitor={monitor!r}: only {known} (with or without val_) '
            f"tell their direction by name"
        )
    return directions[metric]


def _updates(name: str, value: Length | float, *, minimum: int = 1) -> Updates:
    """A length; Keras reads 1000.0 as 1000."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return common.length(name, whole, minimum=minimum)  # pyright: ignore[reportArgumentType], refuses a float itself


def _share(name: str, share: Scalar, peak: Scalar) -> Number:
    """`share * peak`, of two numbers that may be traced."""
    return common.signed(name, share) * common.signed("peak", peak)
