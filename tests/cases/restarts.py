"""Restarts."""

import bisect
import functools

import mpmath
import numpy as np
from draws import LAST
from reference import mpf, near_integer, power
from rows import ANY, ENDLESS, SEVEN, call, of, row

LEAST = 1 - mpf(2) ** -40  # what decimals mean to be one update is one


@functools.lru_cache(maxsize=64)
def cycles(first, t_mul):
    """Where the cycles start and their lengths, as far as somebody asked: many counts ask of the same ones."""
    return [mpf(0)], [mpf(first)]


def cycle_of(n, first, t_mul):
    """The cycle of a count, where it starts and its length; None behind the last one of at least one update."""
    if t_mul == 1:
        cycle = int(n) // first
        return cycle, mpf(cycle * first), mpf(first)
    starts, lengths = cycles(first, t_mul)
    while lengths[-1] >= LEAST and n >= starts[-1] + lengths[-1]:
        starts.append(starts[-1] + lengths[-1])
        lengths.append(lengths[-1] * mpf(t_mul))
    cycle = bisect.bisect_right(starts, n) - 1
    return None if lengths[cycle] < LEAST else (cycle, starts[cycle], lengths[cycle])


def cosine_restarts(n, init_value, first_decay_steps, t_mul=1, m_mul=1.0, end_value=0.0):
    place = cycle_of(n, first_decay_steps, t_mul)
    if place is None:
        return mpf(end_value)
    cycle, start, length = place
    weight = mpmath.cos(mpmath.pi * (n - start) / (2 * length)) ** 2
    return mpf(end_value) + (mpf(init_value) - mpf(end_value)) * power(m_mul, cycle) * weight


def cosine_restarts_draw(dice):
    low, high = dice.rates()
    first = dice.length()
    shrinking = [0.9, 0.5, 0.3, 1 - dice.between(1e-3, 1), 1 - dice.between(1e-2, 1)]
    growth = dice.of(1, 2, 3, 10, *([] if dice.depth else [1.5, 1.1, 1 + dice.between(1e-3, 9), *shrinking]))
    starts = [first * sum(growth**i for i in range(k)) for k in range(1, 5)]
    if growth < 1:  # the last cycles too, and the end
        cycles = 1 + int(np.log(first) / -np.log(growth))
        starts += [first * (1 - growth**i) / (1 - growth) for i in (cycles // 2, cycles - 2, cycles - 1, cycles)]
    while starts[-1] * growth < LAST and growth > 1.05:
        starts.append(starts[-1] * growth + first)
    numbers = {"first_decay_steps": first, "t_mul": growth, "m_mul": dice.of(1.0, 0.5, dice.between(0.1, 1))}
    return {"init_value": high, **numbers, "end_value": low}, [*starts, *(start + 1 for start in starts)]


row(
    cosine_restarts,
    cosine_restarts_draw,
    examples={
        "cosine_restarts": of(2**20 - 1, 2**20, init_value=0.1, first_decay_steps=1, t_mul=2, m_mul=0.9),
        "cosine_restarts_even": of(7, 14, init_value=0.1, first_decay_steps=7, end_value=0.01),
        "cosine_restarts_3": of(
            3**9 - 1, 3**9, (3**5 - 1) * 5, (3**10 - 1) * 5, init_value=1.0, first_decay_steps=10, t_mul=3
        ),
        "cosine_restarts_endless": of(9, 10, 11, 10**6, 2**31 - 2, init_value=0.1, first_decay_steps=10, t_mul=1e30),
        "cosine_restarts_real": of(4, 5, 9, 10, init_value=0.1, first_decay_steps=2, t_mul=1.5),
        "cosine_restarts_shorter": of(
            10, 17, 18, 23, 24, 36, 37, init_value=0.1, first_decay_steps=10, t_mul=0.75, m_mul=0.8, end_value=0.01
        ),
        "cosine_restarts_halves": of(
            2**19, 2**20 - 3, 2**20 - 2, 2**20 - 1, init_value=0.1, first_decay_steps=2**19, t_mul=0.5
        ),
        "cosine_restarts_thirds": of(2, 3, 4, 5, init_value=0.1, first_decay_steps=3, t_mul=1 / 3, end_value=0.05),
        "cosine_restarts_tenths": of(9, 10, 11, init_value=0.1, first_decay_steps=10, t_mul=0.1, end_value=0.05),
    },
    numbers=ANY | {"first_decay_steps": (1, 10), "t_mul": (0.5, 2.0), "m_mul": (0.5, 1.0)},
    not_retimed=ENDLESS,
)


def with_restarts(n, schedule, period, t_mul=1, m_mul=1.0, limit=None, end_value=0.0):
    place = cycle_of(n, period, t_mul)
    if place is None or (limit is not None and place[0] >= limit):
        return mpf(end_value)
    cycle, start, length = place
    return power(m_mul, cycle) * schedule(near_integer((n - start) / length * period))


def with_restarts_draw(dice):
    schedule, marks = dice.schedule("cosine", "linear", "inverse_sqrt")
    numbers, starts = cosine_restarts_draw(dice)
    numbers = {"period": numbers["first_decay_steps"], **{n: numbers[n] for n in ("t_mul", "m_mul", "end_value")}}
    return {"schedule": schedule, **numbers, "limit": dice.of(1, 2, 5, 10**9)}, [*starts, *marks]


row(
    with_restarts,
    with_restarts_draw,
    examples={
        "with_restarts": of(
            10,
            11,
            24,
            25,
            26,
            47,
            48,
            schedule=call("linear", init_value=0.3, end_value=0.1, transition_steps=10),
            period=10,
            t_mul=1.5,
            m_mul=0.5,
            limit=3,
            end_value=0.05,
        ),
        "with_restarts_shorter": of(
            10,
            14,
            15,
            18,
            19,
            20,
            schedule=call("linear", init_value=0.3, end_value=0.1, transition_steps=10),
            period=10,
            t_mul=0.5,
            m_mul=0.5,
            end_value=0.05,
        ),
        "with_restarts_even": of(
            39,
            40,
            80,
            81,
            schedule=call("cosine", init_value=0.3, decay_steps=40, end_value=0.01),
            period=40,
            m_mul=0.999,
        ),
    },
    numbers={
        "period": (2, 11),
        "t_mul": (0.5, 3.0),
        "m_mul": (0.1, 0.9),
        "limit": (1, 10),
        "end_value": (0.01, 0.02),
    },
    others={"schedule": SEVEN},
)
