"""PyTorch's recursion on the host, in float64: what a composition of schedulers does where no formula says it.

Each scheduler takes the rate that it finds in the optimizer and leaves another; a composition lets several have their
way in turn.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlr.numerics.wide import Wide
from jaxlr.schedules import Schedule
from jaxlr.schedules.position import Position


class Rule(NamedTuple):
    """What a scheduler does to the rate."""

    begin: Callable[[float], float]  # at count 0, as the scheduler is made
    restart: Callable[[float], float]  # at its own count 0, as a SequentialLR comes to it
    step: Callable[[int, float], float]  # at a count from 1 on


def absolute(rates: np.ndarray) -> Rule:
    """Sets the rate, whatever it was."""
    return Rule(lambda rate: rates[0], lambda rate: rates[0], lambda count, rate: rates[count])


def factor(base: float, factors: np.ndarray) -> Rule:
    """Multiplies the rate by how the factor has changed."""

    def step(count: int, rate: float) -> float:
        before, now = factors[count - 1], factors[count]
        return rate * (now / before) if before else rate

    return Rule(lambda rate: rate * factors[0], lambda rate: base * factors[0], step)


def growing(function: Callable[[int], float]) -> Rule:
    """MultiplicativeLR, whose function gives each change."""
    return Rule(lambda rate: rate, lambda rate: rate * function(0), lambda count, rate: rate * function(count))


def cosine(base: float, lowest: float, period: int, factors: np.ndarray) -> Rule:
    """CosineAnnealingLR: a factor on the distance from the lowest rate, and a new start behind each trough."""

    def step(count: int, rate: float) -> float:
        if (count - 1 - period) % (2 * period) == 0:
            return rate + (base - lowest) * factors[count]
        return lowest + (rate - lowest) * (factors[count] / factors[count - 1])

    return Rule(lambda rate: rate, lambda rate: base, step)


def successive(rules: Sequence[Rule], milestones: Sequence[int], initial: float) -> Rule:
    """SequentialLR: one rule after the other; the first begins with the optimizer's `initial_lr`."""

    def begin(rate: float) -> float:
        return rules[bisect.bisect_right(milestones, 0)].begin(initial)

    def step(count: int, rate: float) -> float:
        index = bisect.bisect_right(milestones, count)
        start = milestones[index - 1] if index else 0
        return rules[index].restart(rate) if index and start == count else rules[index].step(count - start, rate)

    return Rule(begin, begin, step)


def replay(rules: Sequence[Rule], base: float, steps: int) -> list[float]:
    """The rates of the first `steps` updates under several rules, each on what the one before it leaves."""
    rate, rates = base, []
    for count in range(steps):
        for rule in rules:
            rate = rule.step(count, rate) if count else rule.begin(rate)
        rates.append(float(rate))
    return rates


def exact_values(schedule: Schedule, steps: int) -> np.ndarray:
    """A schedule's first values in float64, to the 46 bits that it is computed in."""
    value = _wide(schedule, np.arange(steps, dtype=np.uint32))
    exact = np.asarray(value.high, np.float64) + np.asarray(value.low, np.float64)
    return np.broadcast_to(exact, (steps,))


def exact_value(schedule: Schedule, count: int) -> float:
    """A schedule's value at a count, likewise."""
    value = _wide(schedule, np.uint32(count))
    return float(value.high) + float(value.low)


@jax.jit
def _wide(schedule: Schedule, counts: jax.Array) -> Wide:
    schedule, counts = jax.lax.optimization_barrier((schedule, counts))
    return jax.tree.map(jnp.asarray, schedule.at(Position(counts)))
