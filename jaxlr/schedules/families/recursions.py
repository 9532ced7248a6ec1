"""Time-based decay, defined by a recursion, as a function of the count alone."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxlr.numerics.elementary import exp, log
from jaxlr.numerics.wide import (
    Wide,
    alike,
    constant,
    frexp,
    from_float32,
    from_integer,
    only,
    power_of_two,
    unless,
    where,
)
from jaxlr.schedules import leaves
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.family import family
from jaxlr.schedules.outline import through
from jaxlr.schedules.position import Position
from jaxlr.schedules.schedule import Schedule
from jaxlr.typing import Scalar

_DIRECT = 4  # factors that are multiplied; after them Euler and Maclaurin's remainder is below 2**-32
# B_2j / (2j)! times the derivative's factorial.
_ONE_OVER_B = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)


@family(outline=lambda a: through((0, a.init_value)))
@declared(decay_rate=leaves.number_from_0)
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
    ...


def _time_based(position: Position, init_value: Wide, decay_rate: Wide) -> Wide:
    # A larger decay leaves nothing after its first update either, and its multiples are no floats.
    decay_rate = where(decay_rate.high < 2.0**120, decay_rate, constant(2.0**120))
    product, exponent = _product_of_first(position.whole, decay_rate)
    rest = lax.max(*alike(position.whole, jnp.uint32(_DIRECT))) - jnp.uint32(_DIRECT)
    power, scale = exp(-_sum_of_logs(from_integer(rest), decay_rate))
    return (init_value / product).roughly(power).scaled_down(scale - exponent)


def _product_of_first(count: jax.Array, decay_rate: Wide) -> tuple[Wide, jax.Array]:
    """`(p, e)`: p * 2**e is the product of `1 + d k` for k < count and k < 4; of large d the mantissas multiply."""
    _, exponent = frexp(decay_rate)
    exponent = lax.max(*alike(exponent, jnp.int32(0)))
    unit = power_of_two(-exponent)
    step = Wide(decay_rate.high * unit, decay_rate.low * unit)
    factor = product = from_float32(unit).plus(step)
    chosen = where(count > 1, product, constant(1.0))
    for k in range(2, _DIRECT):
        factor = factor.plus(step)
        product = product * factor  # one for all counts
        chosen = where(count > k, product, chosen)
    factors = lax.min(*alike(lax.max(*alike(count, jnp.uint32(1))), jnp.uint32(_DIRECT))) - jnp.uint32(1)
    return chosen, exponent * factors.astype(jnp.int32)


def _sum_of_logs(m: Wide, decay_rate: Wide) -> Wide:
    """The sum of `log(1 + d k)` for m numbers k from 4 on, by Euler and Maclaurin.

    With b = 1 + 4 d, c = d / b and u = c m it is m log(b) plus the sum of log(1 + c j) for j < m, which is
    ((1 + u) log(1 + u) - u) / c - log(1 + u) / 2 + sum of B_2j / (2j)! times the difference of derivatives.
    Its first term is m (log(1 + u) - 1) + log(1 + u) / c, and m times a series in u where these cancel.
    """
    one = constant(1.0)
    base_less_one = Wide(decay_rate.high * _DIRECT, decay_rate.low * _DIRECT)
    base = one.plus(base_less_one)
    c = decay_rate / base
    u = c * m
    end = one.plus(u)
    log_base, log_u = _logs((base, base_less_one), (end, u))
    small = u.high < 2.0**-3
    each = log_base.plus(where(small, _series(u, small), log_u.minus(one)))
    # Of a c so small that the square of its inverse, which a gradient takes, is no float all counts are in the series.
    more = unless(small, log_u * (one / where(c.high < 2.0**-35, one, c)))
    half = Wide(log_u.high * 0.5, log_u.low * 0.5)
    return (m * each).plus(more).minus(half).plus(_corrections(c.high, 1.0 / end.high)).normalized()


def _logs(one: tuple[Wide, Wide], other: tuple[Wide, Wide]) -> tuple[Wide, Wide]:
    """The logarithms of two numbers, each with itself less one: traced once, and unrolled into the one loop of all."""
    if one[0].high.shape != other[0].high.shape:  # of many counts the first is not computed for each
        return log(*one), log(*other)

    def turn(carry: Any, _: None) -> tuple[Any, None]:
        now, later, (_, found) = carry
        return (later, now, (found, log(*now))), None

    (_, _, found), _ = lax.scan(turn, (one, other, one), None, length=2, unroll=2)
    return found


def _series(u: Wide, small: jax.Array) -> Wide:
    """((1 + u) log(1 + u) - u) / u, the mean of log(1 + x) over [0, u], for u below 1/8."""
    x = only(small, u)
    tail = jnp.zeros_like(x.high)
    for k in range(12, 3, -1):
        tail = tail * x.high + jnp.float32((-1) ** k / (k * (k - 1)))
    series = from_float32(tail)
    for k in (3, 2):
        series = constant((-1) ** k / (k * (k - 1))) + x.roughly(series)
    return x * series


def _corrections(c: jax.Array, ratio: jax.Array) -> Wide:
    """The terms with odd derivatives of log(1 + c x) at both ends: below 1/40 altogether, so float32 will do."""

    def at(x: jax.Array) -> jax.Array:
        total = jnp.zeros_like(x)
        for weight in reversed(_ONE_OVER_B):
            total = total * (x * x) + jnp.float32(weight)
        return total * x

    return from_float32(at(c * ratio) - at(c))
