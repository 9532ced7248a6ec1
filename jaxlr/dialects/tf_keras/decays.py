"""The functions of `tf.compat.v1.train`, and the classes that Keras 3 has no more."""

# ruff: noqa: N802, Keras' own names

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxlr.dialects import common
from jaxlr.dialects.common import Updates
from jaxlr.dialects.keras import schedules as keras
from jaxlr.schedules import Schedule, at_speed, cosine, custom, join, linear, natural_exponential, power
from jaxlr.typing import Array, Length, Lengths, Scalar


def exponential_decay(
    learning_rate: Scalar, decay_steps: Length, decay_rate: Scalar, staircase: bool = False, name: object = None
) -> Schedule:
    """`tf.compat.v1.train.exponential_decay`: `keras.ExponentialDecay`.

    Args:
      learning_rate, decay_steps, decay_rate, staircase, name: as there.

    Example:
      >>> from jaxlr.dialects import tf_keras
      >>> tf_keras.exponential_decay(0.1, 10, 0.5)
      exponential(init_value=0.1, decay_rate=0.5, transition_steps=10)
    """
    return keras.ExponentialDecay(learning_rate, decay_steps, decay_rate, staircase, name)


def natural_exp_decay(
    learning_rate: Scalar, decay_steps: Length, decay_rate: Scalar, staircase: bool = False, name: object = None
) -> Schedule:
    """`tf.compat.v1.train.natural_exp_decay`: `jaxlr.natural_exponential`.

    lr(n) = learning_rate * exp(-decay_rate * n / decay_steps), with the floor of n / decay_steps if `staircase`

    Args:
      learning_rate: the first rate.
      decay_steps: updates in the unit of `decay_rate`; an integer, at least 1.
      decay_rate: how fast it falls.
      staircase: whether the rate changes only at multiples of `decay_steps`.
      name: does nothing.

    Example:
      >>> from jaxlr.dialects import tf_keras
      >>> tf_keras.natural_exp_decay(0.1, 10, 0.5)
      natural_exponential(init_value=0.1, decay_rate=0.5, transition_steps=10)
    """
    first, steps = common.signed("learning_rate", learning_rate), common.length("decay_steps", decay_steps, minimum=1)
    return natural_exponential(first, decay_rate, transition_steps=steps, staircase=staircase)


def inverse_time_decay(
    learning_rate: Scalar, decay_steps: Length, decay_rate: Scalar, staircase: bool = False, name: object = None
) -> Schedule:
    """`tf.compat.v1.train.inverse_time_decay`: `keras.InverseTimeDecay`.

    Args:
      learning_rate, decay_steps, decay_rate, staircase, name: as there.

    Example:
      >>> from jaxlr.dialects import tf_keras
      >>> tf_keras.inverse_time_decay(0.1, 10, 0.5)
      inverse_time(init_value=0.1, decay_rate=0.5, transition_steps=10)
    """
    return keras.InverseTimeDecay(learning_rate, decay_steps, decay_rate, staircase, name)


def polynomial_decay(
    learning_rate: Scalar,
    decay_steps: Length,
    end_learning_rate: Scalar = 0.0001,
    power: Scalar = 1.0,
    cycle: bool = False,
    name: object = None,
) -> Schedule:
    """`tf.compat.v1.train.polynomial_decay`: `keras.PolynomialDecay`.

    Args:
      learning_rate, decay_steps, end_learning_rate, power, cycle, name: as there.

    Example:
      >>> from jaxlr.dialects import tf_keras
      >>> tf_keras.polynomial_decay(0.1, 10, power=2.0)
      polynomial(init_value=0.1, end_value=0.0001, power=2.0, transition_steps=10)
    """
    return keras.PolynomialDecay(learning_rate, decay_steps, end_learning_rate, power, cycle, name)


def piecewise_constant(boundaries: Lengths, values: Sequence[Scalar] | Array, name: object = None) -> Schedule:
    """`tf.compat.v1.train.piecewise_constant`: `keras.PiecewiseConstantDecay`, at a boundary still the old rate.

    Args:
      boundaries, values, name: as there.

    Example:
      >>> from jaxlr.dialects import tf_keras
      >>> tf_keras.piecewise_constant([9], [0.1, 0.01])
      piecewise_constant(values=[0.1, 0.01], boundaries=[10])
    """
    return keras.PiecewiseConstantDecay(boundaries, values, name)


def cosine_decay(learning_rate: Scalar, decay_steps: Length, alpha: Scalar = 0.0, name: object = None) -> Schedule:
    """`tf.compat.v1.train.cosine_decay`: `keras.CosineDecay` without a warm-up.

    Args:
      learning_rate, decay_steps, alpha, name: as there.

    Example:
      >>> from jaxlr.dialects import tf_keras
      >>> tf_keras.cosine_decay(0.1, 10)
      cosine(init_value=0.1, decay_steps=10)
    """
    return keras.CosineDecay(learning_rate, decay_steps, alpha, name)


def cosine_decay_restarts(
    learning_rate: Scalar,
    first_decay_steps: Length,
    t_mul: Scalar = 2.0,
    m_mul: Scalar = 1.0,
    alpha: Scalar = 0.0,
    name: object = None,
) -> Schedule:
    """`tf.compat.v1.train.cosine_decay_restarts`: `keras.CosineDecayRestarts`.

    Args:
      learning_rate, first_decay_steps, t_mul, m_mul, alpha, name: as there.

    Example:
      >>> from jaxlr.dialects import tf_keras
      >>> tf_keras.cosine_decay_restarts(0.1, 10)
      cosine_restarts(init_value=0.1, first_decay_steps=10, t_mul=2)
    """
    return keras.CosineDecayRestarts(learning_rate, first_decay_steps, t_mul, m_mul, alpha, name)


def linear_cosine_decay(
    learning_rate: Scalar,
    decay_steps: Length,
    num_periods: Scalar = 0.5,
    alpha: Scalar = 0.0,
    beta: Scalar = 0.001,
    name: object = None,
) -> Schedule:
    """A line times a cosine, and a little on top, which holds at the end.

    lr(n) = learning_rate * ((alpha + 1 - x) * (1 + cos(2 pi num_periods x)) / 2 + beta), x = min(1, n / decay_steps)

    Args:
      learning_rate: the first rate, nearly.
      decay_steps: updates to the end; an integer, at least 1.
      num_periods: waves of the cosine, above 0.
      alpha: what the line ends at.
      beta: what is added.
      name: does nothing.

    Example:
      >>> from jaxlr.dialects import tf_keras
      >>> rate = tf_keras.linear_cosine_decay(1.0, 4, beta=0.0)
      >>> [round(float(rate(n)), 4) for n in range(6)]
      [1.0, 0.6402, 0.25, 0.0366, 0.0, 0.0]

    References:
      Bello and others, Neural Optimizer Search with Reinforcement Learning, 2017, arXiv:1709.07417
    """
    rate = common.signed("learning_rate", learning_rate)
    steps = common.length("decay_steps", decay_steps, minimum=1)
    last = common.signed("alpha", alpha)
    line = linear(rate * (1.0 + last), rate * last, steps)
    return line * _wave(steps, num_periods) + rate * common.signed("beta", beta)


def noisy_linear_cosine_decay(
    learning_rate: Scalar,
    decay_steps: Length,
    initial_variance: Scalar = 1.0,
    variance_decay: Scalar = 0.55,
    num_periods: Scalar = 0.5,
    alpha: Scalar = 0.0,
    beta: Scalar = 0.001,
    name: object = None,
    *,
    seed: int = 0,
) -> Schedule:
    """`linear_cosine_decay` with normal noise on the line, which gets less.

    lr(n) = learning_rate * ((alpha + 1 - x + e) * (1 + cos(2 pi num_periods x)) / 2 + beta), and e has the variance
    initial_variance / (1 + min(n, decay_steps)) ** variance_decay

    Args:
      initial_variance: that of the first count, at least 0.
      variance_decay: the power by which it falls.
      learning_rate, decay_steps, num_periods, alpha, beta, name: as in `linear_cosine_decay`.
      seed: of the noise, which is a function of it and the count.

    Example:
      >>> from jaxlr.dialects import tf_keras
      >>> rate = tf_keras.noisy_linear_cosine_decay(1.0, 100, initial_variance=0.25)
      >>> float(rate(5)) == float(rate(5)), float(rate(5)) != float(rate(6))
      (True, True)
    """
    calm = linear_cosine_decay(learning_rate, decay_steps, num_periods, alpha, beta, name)
    rate = common.signed("learning_rate", learning_rate)
    steps = common.length("decay_steps", decay_steps, minimum=1)
    deviation = rate * jnp.sqrt(jnp.asarray(common.number("initial_variance", initial_variance)))
    falling = power(deviation, -0.5 * common.signed("variance_decay", variance_decay), shift=1)
    falling = _held(falling, steps)
    return calm + custom(_normal, seed=int(common.length("seed", seed))) * falling * _wave(steps, num_periods)


def LinearCosineDecay(
    initial_learning_rate: Scalar,
    decay_steps: Length,
    num_periods: Scalar = 0.5,
    alpha: Scalar = 0.0,
    beta: Scalar = 0.001,
    name: object = None,
) -> Schedule:
    """`linear_cosine_decay` by the name of the class.

    Args:
      initial_learning_rate, decay_steps, num_periods, alpha, beta, name: as there.

    Example:
      >>> from jaxlr.dialects import tf_keras
      >>> round(float(tf_keras.LinearCosineDecay(1.0, 4)(4)), 6)
      0.001
    """
    return linear_cosine_decay(initial_learning_rate, decay_steps, num_periods, alpha, beta, name)


def NoisyLinearCosineDecay(
    initial_learning_rate: Scalar,
    decay_steps: Length,
    initial_variance: Scalar = 1.0,
    variance_decay: Scalar = 0.55,
    num_periods: Scalar = 0.5,
    alpha: Scalar = 0.0,
    beta: Scalar = 0.001,
    seed: int | None = None,
    name: object = None,
) -> Schedule:
    """`noisy_linear_cosine_decay` by the name of the class.

    Args:
      seed: None is 0.
      initial_learning_rate, decay_steps, initial_variance, variance_decay, num_periods, alpha, beta, name: as there.

    Example:
      >>> from jaxlr.dialects import tf_keras
      >>> round(float(tf_keras.NoisyLinearCosineDecay(1.0, 4)(4)), 6)
      0.001
    """
    shape = (initial_variance, variance_decay, num_periods, alpha, beta, name)
    return noisy_linear_cosine_decay(initial_learning_rate, decay_steps, *shape, seed=seed or 0)


def _wave(steps: Updates, num_periods: Scalar) -> Schedule:
    """So many waves between 1 and 0 in so many updates, and then their last value."""
    periods = common.positive("num_periods", num_periods)
    if common.equals(periods, 0.5):
        return cosine(1.0, steps)
    return _held(at_speed(cosine(1.0, steps, after="rise"), 2.0 * periods), steps)


def _held(schedule: Schedule, steps: Updates) -> Schedule:
    """The schedule up to a count, and then what it has there."""
    return join([schedule, schedule.shift(steps).repeat(1)], [steps])


def _normal(count: Any, seed: Any) -> Any:
    """A normal number of a count, of any shape, and a seed."""
    key = jax.random.key(jnp.asarray(seed, jnp.uint32))

    def one(n: jax.Array) -> jax.Array:
        return jax.random.normal(jax.random.fold_in(key, n), (), jnp.float32)

    flat = jax.vmap(one)(jnp.ravel(count).astype(jnp.uint32))
    return jnp.reshape(flat, jnp.shape(count))
