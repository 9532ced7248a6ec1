"""Formulas over schedules: product, sum, quotient, power, clip, shift, repeat; `Schedule`'s operators call them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlr.numerics import elementary
from jaxlr.numerics.wide import Wide, constant, frexp, less, saturating_product, saturating_sum, two_sum, where
from jaxlr.numerics.wide import alike as same_shape
from jaxlr.schedules import leaves, outline
from jaxlr.schedules.composition.groups import alike
from jaxlr.schedules.family import Cycle, family
from jaxlr.schedules.outline import Outline
from jaxlr.schedules.position import Position
from jaxlr.schedules.schedule import FUNCTION_REMEDY, Schedule, as_schedule
from jaxlr.typing import Length, Scalar

_FEW = 4  # terms of a sum that stand one after another


def _last_end(a: SimpleNamespace) -> int | None:
    """Where the last of the operands ends, if all that are schedules do, or have changed for the last time by then."""
    operands = [each for each in (a.left, a.right) if isinstance(each, Schedule)]
    ends = [each.end() for each in operands]
    held = [_last_change(each) if end is None else end for each, end in zip(operands, ends, strict=True)]
    known = [end for end in held if end is not None]
    return max(known) if len(known) == len(ends) and ends.count(None) < len(ends) else None


def _last_change(schedule: Schedule) -> int | None:
    """The count from which a schedule without a horizon holds its rate: a constant, or one with milestones."""
    family = schedule.family
    if family.steady or (family.milestones and not schedule.children()):
        return max([0, *leaves.plain(schedule.arguments[family.milestones])]) if family.milestones else 0
    return None


def _here(a: SimpleNamespace, position: Position) -> Position:
    """The schedules within stand where the whole does."""
    return position


@family(
    infix="*",
    end=_last_end,
    inner=_here,
    outline=lambda a: outline.combined(a.left, a.right, outline.product),
)
def product(left: Scalar | Schedule, right: Scalar | Schedule) -> Schedule:
    """left(n) * right(n)."""
    return Schedule(_product, left=_operand(left), right=_operand(right))


def _product(position: Position, left: Any, right: Any) -> Wide:
    factors = [_at(each, position) for each in (left, right)]
    if isinstance(left, Schedule) and isinstance(right, Schedule):  # of a line near 0 the low part may be no small one
        factors = [Wide(*two_sum(each.high, each.low)) for each in factors]
    return saturating_product(*factors)


@family(infix="+", end=_last_end, inner=_here, outline=lambda a: outline.combined(a.left, a.right, outline.total))
def total(left: Scalar | Schedule, right: Scalar | Schedule) -> Schedule:
    """left(n) + right(n)."""
    return Schedule(_total, left=_operand(left), right=_operand(right))


def _total(position: Position, left: Any, right: Any) -> Wide:
    return _sum(position, left, right, 1.0)


@family(infix="-", end=_last_end, inner=_here, outline=lambda a: outline.combined(a.left, a.right, outline.difference))
def difference(left: Scalar | Schedule, right: Scalar | Schedule) -> Schedule:
    """left(n) - right(n)."""
    return Schedule(_difference, left=_operand(left), right=_operand(right))


def _difference(position: Position, left: Any, right: Any) -> Wide:
    return _sum(position, left, right, -1.0)


def _sum(position: Position, left: Any, right: Any, sign: float) -> Wide:
    """`left + sign * right`; of a sum of sums each term, without a recursion."""
    terms, signs = [right], [sign]
    while isinstance(left, Schedule) and left.name in ("total", "difference"):
        terms.append(leaves.decoded(left.arguments["right"]))
        signs.append(1.0 if left.name == "total" else -1.0)
        left = leaves.decoded(left.arguments["left"])
    terms, signs = [left, *reversed(terms)], [1.0, *reversed(signs)]
    if len(terms) <= _FEW:
        values = [_at(term, position) for term in terms]
        total = values[0]
        for value, sign in zip(values[1:], signs[1:], strict=True):
            total = saturating_sum(total, value if sign > 0 else -value)
        return total
    values, weights = _all_at(terms, position), jnp.asarray(signs, jnp.float32)

    def add(total: Wide, term: Any) -> tuple[Wide, None]:
        value, weight = term
        return saturating_sum(total, Wide(value.high * weight, value.low * weight)), None

    zeros = jnp.zeros(values.high.shape[1:], jnp.float32)
    return lax.scan(add, Wide(zeros, zeros), (values, weights))[0]


def _all_at(terms: list[Any], position: Position) -> Wide:
    """The values of all terms, one after another; those of schedules that differ in numbers only by one program."""
    shape, values, order = position.whole.shape, [], []
    schedules = [i for i, term in enumerate(terms) if isinstance(term, Schedule)]
    for i in sorted(set(range(len(terms))) - set(schedules)):
        values.append(jax.tree.map(lambda part: jnp.broadcast_to(part, (1, *shape)), terms[i]))
        order.append(i)
    for group in alike([terms[i] for i in schedules]):
        members = [terms[schedules[j]] for j in group]
        stacked = jax.tree.map(lambda *numbers: jnp.stack(numbers), *members)
        found = jax.vmap(lambda schedule: schedule.at(position))(stacked)
        values.append(Wide(*(jnp.broadcast_to(part, (len(group), *shape)) for part in (found.high, found.low))))
        order += [schedules[j] for j in group]
    place = np.argsort(order)
    return jax.tree.map(lambda *parts: jnp.concatenate(parts)[place], *values)


@family(infix="/", end=_last_end, inner=_here, outline=lambda a: outline.combined(a.left, 1 / a.right, outline.product))
def quotient(left: Scalar | Schedule, right: Scalar | Schedule) -> Schedule:
    """left(n) / right; a number over a schedule is left * right ** -1, the largest float32 where right(n) is 0."""
    if isinstance(right, Schedule):
        if isinstance(left, Schedule):
            raise TypeError(f"the divisor must be a number, got {right!r}; multiply by its power: schedule * it ** -1")
        return product(left, raised(right, -1.0))
    divisor = leaves.number("the divisor", right)
    if leaves.is_known(divisor) and np.any(divisor.high == 0):
        raise ValueError(f"the divisor must not be 0, got {leaves.printed(divisor)}")
    return Schedule(_quotient, left=as_schedule("the dividend", left), right=divisor)


def _quotient(position: Position, left: Schedule, right: Wide) -> Wide:
    (value, k), (divisor, j) = frexp(left.at(position)), frexp(right)
    zero = divisor.high == 0.0  # a traced one: it leaves the schedule as it is
    return (value / where(zero, constant(1.0), divisor)).scaled(k - jnp.where(zero, 0, j))


@family(infix="**", end=_last_end, inner=_here, outline=lambda a: outline.combined(a.left, a.right, outline.raised))
def raised(left: Schedule, right: Scalar) -> Schedule:
    """left(n) ** right; where left(n) is below 0 and has no such power, 0."""
    return Schedule(_raised, left=as_schedule("the base", left), right=leaves.number("the exponent", right))


def _raised(position: Position, left: Schedule, right: Wide) -> Wide:
    value = left.at(position)
    below = value.high < 0.0
    power, scale = elementary.power(elementary.logarithm(where(below, -value, value)), right)
    magnitude = where(right.high == 0.0, constant(1.0), power.scaled(scale))
    whole, half = right.rounded(), Wide(right.high * 0.5, right.low * 0.5)
    even = _same(half.rounded(), half)
    signed = where(even, magnitude, where(_same(whole, right), -magnitude, constant(0.0)))
    return where(below, signed, magnitude)


def _same(this: Wide, other: Wide) -> jax.Array:
    return (this.high == other.high) & (this.low == other.low)


def _clipped(a: SimpleNamespace) -> Outline:
    low, high = -np.inf if a.min is None else a.min, np.inf if a.max is None else a.max
    return Outline(a.schedule.turns, lambda n: tuple(np.clip(bound, low, high) for bound in a.schedule.at(n)))


@family(method=True, end=lambda a: a.schedule.end(), inner=_here, outline=_clipped)
def clip(schedule: Schedule, min: Scalar | None = None, max: Scalar | None = None) -> Schedule:
    """The schedule within [min, max]; None is no bound."""
    if min is None and max is None:
        raise ValueError("min or max must be given, got min=None and max=None")
    low, high = (None if value is None else leaves.number(n, value) for n, value in (("min", min), ("max", max)))
    if low is not None and high is not None:
        leaves.ordered("min", low, "max", high)
    return Schedule(_clip, schedule=as_schedule("schedule", schedule), min=low, max=high)


def _clip(position: Position, schedule: Schedule, min: Wide | None, max: Wide | None) -> Wide:
    value = schedule.at(position)
    value = value if min is None else where(less(value, min), min, value)
    return value if max is None else where(less(max, value), max, value)


def _sooner(updates: int | None, k: int) -> int | None:
    return None if updates is None else max(0, updates - k)


@family(
    method=True,
    end=lambda a: _sooner(a.schedule.end(), a.k),
    span=lambda a: max(1, a.schedule.span() - a.k),
    cycle=lambda a, n: a.schedule.cycle(max(n + a.k, 0)),
    inner=lambda a, here: _shifted(here, a.k),
    outline=lambda a: outline.later(a.schedule, -a.k),
)
def shift(schedule: Schedule, k: Length) -> Schedule:
    """schedule(n + k), and schedule(0) where n + k is below 0."""
    return Schedule(_shift, schedule=as_schedule("schedule", schedule), k=leaves.offset("k", k))


def _shift(position: Position, schedule: Schedule, k: jax.Array) -> Wide:
    shifts = [k]
    while schedule.name == "shift":  # without a recursion
        shifts.append(leaves.decoded(schedule.arguments["k"]))
        schedule = schedule.arguments["schedule"]
    if len(shifts) <= _FEW:
        for k in shifts:
            position = _shifted(position, k)
        return schedule.at(position)

    return schedule.at(lax.scan(lambda here, k: (_shifted(here, k), None), position, jnp.stack(shifts))[0])


def _shifted(position: Position, k: jax.Array) -> Position:
    ahead, back = (lax.max(part, jnp.zeros_like(part)).astype(jnp.uint32) for part in (k, -k))
    later = position.since(back)
    saturated = lax.min(*same_shape(later.whole, ~ahead)) + ahead
    return later.replace(saturated)


def _repeated(a: SimpleNamespace) -> Outline:
    turns = a.schedule.turns
    return outline.elsewhere(a.schedule, [*turns[turns < a.period], a.period - 1], lambda n: n % a.period)


@family(
    method=True,
    span=lambda a: 4 * a.period,
    cycle=lambda a, n: Cycle(n % a.period, a.period),
    outline=_repeated,
)
def repeat(schedule: Schedule, period: Length) -> Schedule:
    """schedule(n mod period)."""
    return Schedule(_repeat, schedule=as_schedule("schedule", schedule), period=leaves.length("period", period))


def _repeat(position: Position, schedule: Schedule, period: jax.Array) -> Wide:
    return schedule.at(position.within(period)[1])


def _operand(value: Scalar | Schedule) -> Any:
    if callable(value) and not isinstance(value, Schedule):
        raise TypeError(f"the other operand must be a number or a schedule, got {value!r}; {FUNCTION_REMEDY}")
    return value if isinstance(value, Schedule) else leaves.number("the other operand", value)


def _at(operand: Any, position: Position) -> Wide:
    return operand if isinstance(operand, Wide) else operand.at(position)
