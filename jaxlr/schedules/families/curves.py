"""Rarer curves, found here and not at the top level."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp

from jaxlr.numerics import wide
from jaxlr.numerics.wide import Wide, constant, from_integer
from jaxlr.schedules import leaves
from jaxlr.schedules.families.cosines import cosine_weights, from_zero, rest_to_the_power
from jaxlr.schedules.families.onecycle import one_cycle, through
from jaxlr.schedules.family import Cycle, family
from jaxlr.schedules.position import Position, at_least_one
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Length, Scalar


@family()
def slanted_triangular(
    max_lr: Scalar, total_steps: Length, *, cut_frac: Scalar = 0.1, ratio: Scalar = 32.0
) -> Schedule:
    """A short rise and a long fall in straight lines (ULMFiT).

    From max_lr / ratio up to max_lr at n = cut_frac * total_steps, back to max_lr / ratio at n = total_steps; holds. It
    is `one_cycle` with other numbers, and prints as that.

    Args:
      max_lr: the peak.
      total_steps: updates in the run; an integer, at least 1.
      cut_frac: the share of the run that rises, in [0, 1].
      ratio: peak over first and last rate, above 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `total_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import slanted_triangular
      >>> rate = slanted_triangular(1.0, 8, cut_frac=0.25, ratio=4.0)
      >>> [float(rate(n)) for n in (0, 1, 2, 5, 8, 9)]
      [0.25, 0.625, 1.0, 0.625, 0.25, 0.25]

    References:
      Howard and Ruder, Universal Language Model Fine-tuning for Text Classification, 2018, arXiv:1801.06146
    """
    share = leaves.share("cut_frac", cut_frac)
    leaves.positive("ratio", ratio)
    return one_cycle(
        max_lr, total_steps, pct_start=share, div_factor=ratio, final_div_factor=1.0, anneal="linear", last="total"
    )


@family(end="total_steps", scales=("init_value",), towards="end_value", borders=lambda a: from_zero(a.total_steps))
def flat_cosine(
    init_value: Scalar, total_steps: Length, *, pct_start: Scalar = 0.75, end_value: Scalar = 0.0
) -> Schedule:
    """Stays, then falls along half a cosine (fastai's fit_flat_cos).

    lr(n) = init_value up to n = pct_start * total_steps, then a cosine down to end_value at n = total_steps; holds.

    Args:
      init_value: the rate of the flat part.
      total_steps: updates in the run; an integer, at least 1.
      pct_start: the share of the run that is flat, in [0, 1].
      end_value: the last rate.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `total_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import flat_cosine
      >>> rate = flat_cosine(1.0, 8, pct_start=0.75)
      >>> [round(float(rate(n)), 4) for n in (0, 6, 7, 8)]
      [1.0, 1.0, 0.5, 0.0]
    """
    return Schedule(
        _flat_cosine,
        init_value=leaves.number("init_value", init_value),
        total_steps=leaves.length("total_steps", total_steps),
        pct_start=leaves.share("pct_start", pct_start),
        end_value=leaves.number("end_value", end_value),
    )


def _flat_cosine(
    position: Position, init_value: Wide, total_steps: jax.Array, pct_start: Wide, end_value: Wide
) -> Wide:
    return through([init_value, init_value, end_value], position, total_steps, pct_start, "cos", "total")


@family(end="decay_steps", scales=("init_value",), towards="end_value", borders=lambda a: from_zero(a.decay_steps))
def tanh(
    init_value: Scalar, decay_steps: Length, *, end_value: Scalar = 0.0, lower: Scalar = -7.0, upper: Scalar = 3.0
) -> Schedule:
    """Falls along a hyperbolic tangent between two of its arguments.

    lr(n) = end_value + (init_value - end_value) * (1 - tanh(lower * (1 - x) + upper * x)) / 2, x = n / decay_steps <= 1

    It starts just below init_value and holds, from n = decay_steps on, just above end_value: a tangent has no ends.

    Args:
      init_value: the rate that it comes from.
      decay_steps: updates of the fall; an integer, at least 1.
      end_value: the rate that it goes to.
      lower: the tangent's first argument, in [-40, 40].
      upper: the tangent's last argument, in [-40, 40].

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `decay_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import tanh
      >>> [round(float(tanh(1.0, 10)(n)), 4) for n in (0, 5, 7, 10)]
      [1.0, 0.982, 0.5, 0.0025]

    References:
      Hsueh, Li and Wu, Stochastic Gradient Descent with Hyperbolic-Tangent Decay on Classification, 2018,
      arXiv:1806.01593
    """
    bounds = {"lower": lower, "upper": upper}
    arguments = {name: leaves.number(name, value, minimum=-40.0) for name, value in bounds.items()}
    for name, leaf in arguments.items():
        if leaves.is_known(leaf) and leaves.plain(leaf) > 40:
            raise ValueError(f"{name} must be at most 40, got {leaves.printed(leaf)}")
    return Schedule(
        _tanh,
        init_value=leaves.number("init_value", init_value),
        decay_steps=leaves.length("decay_steps", decay_steps),
        end_value=leaves.number("end_value", end_value),
        **arguments,
    )


def _tanh(
    position: Position, init_value: Wide, decay_steps: jax.Array, end_value: Wide, lower: Wide, upper: Wide
) -> Wide:
    done, left = position.parts(decay_steps)
    argument = lower * left + upper * done
    power, scale = wide.exp(argument + argument)
    growth = power.scaled(scale)
    return (init_value + end_value * growth) / (constant(1.0) + growth)


@family(end="decay_steps", scales=("init_value",), towards="end_value", borders=lambda a: from_zero(a.decay_steps))
def k_decay(
    init_value: Scalar,
    decay_steps: Length,
    *,
    k: Scalar = 1.0,
    end_value: Scalar = 0.0,
    power: Scalar = 1.0,
    shape: Literal["cosine", "linear"] = "cosine",
) -> Schedule:
    """A power of a cosine, or of a straight line, over a power of the time (timm's k_decay, optax's exponent).

    lr(n) = end_value + (init_value - end_value) * f(x ** k) ** power, x = n / decay_steps <= 1
    with f(y) = (1 + cos(pi y)) / 2 ("cosine") or 1 - y ("linear")

    Args:
      init_value: the first rate.
      decay_steps: updates of the fall; an integer, at least 1.
      k: the power of the time, above 0; above 1 it falls later.
      end_value: the last rate.
      power: the power of the curve, above 0; above 1 it falls earlier.
      shape: "cosine" or "linear".

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range, another word for `shape`.
      TypeError: `decay_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import k_decay
      >>> [round(float(k_decay(1.0, 10, k=2.0)(n)), 4) for n in (0, 5, 10)]
      [1.0, 0.8536, 0.0]
      >>> [float(k_decay(1.0, 10, power=2.0)(n)) for n in (0, 5, 10)]
      [1.0, 0.25, 0.0]

    References:
      Zhang and Li, k-decay: A New Method for Learning Rate Schedule, 2020, arXiv:2004.05909
    """
    return Schedule(
        _k_decay,
        init_value=leaves.number("init_value", init_value),
        decay_steps=leaves.length("decay_steps", decay_steps),
        k=leaves.positive("k", k),
        end_value=leaves.number("end_value", end_value),
        power=leaves.positive("power", power),
        shape=leaves.choice("shape", shape, ("cosine", "linear")),
    )


def _k_decay(
    position: Position, init_value: Wide, decay_steps: jax.Array, k: Wide, end_value: Wide, power: Wide, shape: str
) -> Wide:
    done, left = position.parts(decay_steps)
    mantissa, exponent, left = rest_to_the_power(left, done, k)
    done = mantissa.scaled(exponent)
    kept, gone = (left, done) if shape == "linear" else cosine_weights(done, left)
    kept, scale, gone = rest_to_the_power(gone, kept, power)
    return (init_value * kept).scaled(scale) + end_value * gone


@family(end="decay_steps", scales=("init_value",), borders=lambda a: from_zero(a.decay_steps))
def rex(init_value: Scalar, decay_steps: Length) -> Schedule:
    """Falls ever faster to 0 (reflected exponential).

    lr(n) = init_value * (1 - x) / (1 - x / 2), x = n / decay_steps <= 1

    Args:
      init_value: the first rate.
      decay_steps: updates of the fall; an integer, at least 1.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `decay_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import rex
      >>> [round(float(rex(1.0, 10)(n)), 4) for n in (0, 5, 10, 11)]
      [1.0, 0.6667, 0.0, 0.0]

    References:
      Chen, Wolfe and Kyrillidis, REX: Revisiting Budgeted Training with an Improved Schedule, 2021, arXiv:2107.04197
    """
    return Schedule(
        _rex,
        init_value=leaves.number("init_value", init_value),
        decay_steps=leaves.length("decay_steps", decay_steps),
    )


def _rex(position: Position, init_value: Wide, decay_steps: jax.Array) -> Wide:
    _, left = position.parts(decay_steps)
    return init_value * ((left + left) / (constant(1.0) + left))


@family(span=lambda a: 4 * a.decay_steps, cycle=lambda a, n: Cycle(n % a.decay_steps, a.decay_steps))
def polynomial_cycles(init_value: Scalar, end_value: Scalar, power: Scalar, decay_steps: Length) -> Schedule:
    """A polynomial whose horizon grows by `decay_steps` whenever it is reached (Keras' PolynomialDecay, cycle=True).

    lr(n) = end_value + (init_value - end_value) * (1 - n / T) ** power, T = decay_steps * max(1, ceil(n / decay_steps))

    At every multiple of decay_steps it is at end_value, and one update later above it, each time less.

    Args:
      init_value: the first rate.
      end_value: the rate at multiples of decay_steps.
      power: the power, above 0.
      decay_steps: updates between two visits of end_value; an integer, at least 1.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `decay_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import polynomial_cycles
      >>> rate = polynomial_cycles(1.0, 0.1, 1.0, 4)
      >>> [round(float(rate(n)), 4) for n in (0, 1, 3, 4, 5, 8)]
      [1.0, 0.775, 0.325, 0.1, 0.4375, 0.1]
    """
    return Schedule(
        _polynomial_cycles,
        init_value=leaves.number("init_value", init_value),
        end_value=leaves.number("end_value", end_value),
        power=leaves.positive("power", power),
        decay_steps=leaves.length("decay_steps", decay_steps),
    )


def _polynomial_cycles(
    position: Position, init_value: Wide, end_value: Wide, power: Wide, decay_steps: jax.Array
) -> Wide:
    steps = at_least_one(decay_steps)
    whole = position.whole // steps
    exactly = whole * steps == position.whole
    if position.fraction is not None:
        exactly = exactly & (position.fraction.high == 0)
    horizons = jnp.maximum(whole + 1 - exactly.astype(jnp.uint32), jnp.uint32(1))
    done, left = position.parts(horizons * steps)
    kept, scale, gone = rest_to_the_power(done, left, power)
    return (init_value * kept).scaled(scale) + end_value * gone


@family(span=lambda a: 4 * a.warmup_steps)
def noam(d_model: Length, warmup_steps: Length, *, factor: Scalar = 1.0) -> Schedule:
    """The Transformer paper's schedule: up in a straight line, down as one over the square root.

    lr(n) = factor / sqrt(d_model) * min(1 / sqrt(k), k / warmup_steps ** 1.5), k = n + 1

    The paper counts from 1, so the first update has a rate above 0 and the peak lies at n = warmup_steps - 1.

    Args:
      d_model: the model's width; an integer, at least 1.
      warmup_steps: updates of the rise; an integer, at least 1.
      factor: a factor for all of it.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.
      TypeError: `d_model` or `warmup_steps` is no integer.

    Example:
      >>> from jaxlr.schedules import noam
      >>> [round(float(noam(4, 4)(n)), 4) for n in (0, 3, 15)]
      [0.0625, 0.25, 0.125]

    References:
      Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762
    """
    return Schedule(
        _noam,
        d_model=leaves.length("d_model", d_model),
        warmup_steps=leaves.length("warmup_steps", warmup_steps),
        factor=leaves.number("factor", factor),
    )


def _noam(position: Position, d_model: jax.Array, warmup_steps: jax.Array, factor: Wide) -> Wide:
    warmup = at_least_one(warmup_steps)
    k = position.wide() + constant(1.0)
    peak = factor * wide.sqrt(constant(1.0) / (from_integer(at_least_one(d_model)) * from_integer(warmup)))
    rising = k / from_integer(warmup)
    falling = wide.sqrt(from_integer(warmup) / wide.where(position.whole < warmup, from_integer(warmup), k))
    return peak * wide.where(position.whole < warmup, rising, falling)
