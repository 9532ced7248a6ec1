"""Time-based decay, defined by a recursion, as a function of the count alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr.numerics.elementary import exp, logs
from jaxlr.numerics.wide import Wide, alike, constant, from_float32, from_integer, select, where
from jaxlr.schedules import leaves
from jaxlr.schedules.family import family
from jaxlr.schedules.position import Position
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Scalar

_DIRECT = 8  # factors whose logarithms are summed; after them Euler and Maclaurin's remainder is below 2**-37
_ONE_OVER_B = (1 / 12, -2 / 720, 24 / 30240, -720 / 1209600)  # B_2j / (2j)! times the derivative's factorial
_FACTORS = np.arange(1, _DIRECT, dtype=np.float32)


@family()
def time_based(init_value: Scalar, decay_rate: Scalar) -> Schedule:
    """Divides the rate, after update n, by `1 + decay_rate * n`.

    e[n+1] = e[n] / (1 + decay_rate * n), e[0] = init_value; so lr(n) = init_value / prod_{k<n} (1 + decay_rate * k)

    The first two rates are equal. For every count it is evaluated without the recursion, and it falls to 0, never to
    NaN. It falls far faster than `inverse_time`, the other formula that people call time-based. Between updates, where
    `per_epoch` asks for them, the rate of the update before holds.

    Args:
      init_value: the first rate.
      decay_rate: the decay, at least 0.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: a number out of range.

    Example:
      >>> import jaxlr
      >>> rate = jaxlr.time_based(1.0, 1.0)
      >>> [round(float(rate(n)), 4) for n in (0, 1, 2, 3, 4)]
      [1.0, 1.0, 0.5, 0.1667, 0.0417]
    """
    return Schedule(
        _time_based,
        init_value=leaves.number("init_value", init_value),
        decay_rate=leaves.number("decay_rate", decay_rate, minimum=0.0),
    )


def _time_based(position: Position, init_value: Wide, decay_rate: Wide) -> Wide:
    # A larger decay leaves nothing after its first update either, and its multiples are no floats.
    decay_rate = where(decay_rate.high < 2.0**120, decay_rate, constant(2.0**120))
    rest = lax.max(*alike(position.whole, jnp.uint32(_DIRECT))) - jnp.uint32(_DIRECT)
    power, scale = exp(-_sum_of_logs(position.whole, from_integer(rest), decay_rate))
    return (init_value * power).scaled(scale)


def _sum_of_logs(count: jax.Array, m: Wide, decay_rate: Wide) -> Wide:
    """The sum of `log(1 + d k)` for k < count: of the first eight, and of m later ones by Euler and Maclaurin.

    With b = 1 + 8 d, c = d / b and u = c m the later ones are m log(b) plus the sum of log(1 + c j) for j < m, which is
    ((1 + u) log(1 + u) - u) / c - log(1 + u) / 2 + sum of B_2j / (2j)! times the difference of derivatives.
    """
    one = constant(1.0)
    base_less_one = Wide(decay_rate.high * _DIRECT, decay_rate.low * _DIRECT)
    base = one + base_less_one
    c = decay_rate / base
    u = c * m
    end = one + u
    factors_less_one = Wide(*(part[..., None] for part in (decay_rate.high, decay_rate.low))).times(
        jnp.asarray(_FACTORS)
    )
    log_factors, log_base, log_u = logs((one + factors_less_one, base, end), (factors_less_one, base_less_one, u))
    later = m * (log_base + _mean_log(u, log_u)) - Wide(log_u.high * 0.5, log_u.low * 0.5)
    return _sum_of_first(count, log_factors) + later + _corrections(c.high, 1.0 / end.high)


def _sum_of_first(count: jax.Array, logs: Wide) -> Wide:
    """The sum of the logarithms of factors before a count; exact in any order, of multiples of 2**-12 and 2**-34."""
    coarse = lax.stop_gradient(jnp.round(logs.high * 2.0**12) * jnp.float32(2.0**-12))
    rest = (logs.high - coarse) + logs.low
    fine = lax.stop_gradient(jnp.round(rest * 2.0**34) * jnp.float32(2.0**-34)) + (rest - lax.stop_gradient(rest))
    counted = jnp.asarray(np.tri(_DIRECT, _DIRECT - 1, -1, dtype=bool))  # by the count, one row each
    at = lax.min(*alike(count, jnp.uint32(_DIRECT))) - (count > 0).astype(jnp.uint32)
    sums = (jnp.sum(select(counted, part[None], 0.0), -1) for part in (coarse, fine))
    return Wide(*(each.at[at].get(mode="promise_in_bounds") for each in sums))


def _mean_log(u: Wide, log_u: Wide) -> Wide:
    """((1 + u) log(1 + u) - u) / u: the mean of log(1 + x) over [0, u]; a series where the difference cancels."""
    one = constant(1.0)
    small = u.high < 2.0**-3
    safe = where(small, one, u)
    log_u = where(small, one, log_u)
    large = log_u + (log_u / safe - one)
    x = where(small, u, one - one)
    tail = jnp.zeros_like(x.high)
    for k in range(12, 3, -1):
        tail = tail * x.high + jnp.float32((-1) ** k / (k * (k - 1)))
    series = from_float32(tail)
    for k in (3, 2):
        series = constant((-1) ** k / (k * (k - 1))) + x * series
    return where(small, x * series, large)


def _corrections(c: jax.Array, ratio: jax.Array) -> Wide:
    """The terms with odd derivatives of log(1 + c x) at both ends: below 1/100 altogether, so float32 will do."""
    total = jnp.zeros_like(c * ratio)
    for j, weight in enumerate(_ONE_OVER_B):
        order = 2 * j + 1
        total = total + jnp.float32(weight) * c**order * (ratio**order - 1)
    return from_float32(total)
