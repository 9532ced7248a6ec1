"""Cooldowns and new horizons at random counts of random compositions: the rate does not jump, and the end is exact."""

import jax
import numpy as np
import pytest
from cases import ROWS
from draws import Dice, call_of
from rows import SMALLEST

import jaxlr
from jaxlr.schedules import at_speed, flat_cosine, k_decay, rex, tanh

COUNTS = 500  # of each composition
LAST = 2**31 - 1
SHAPES = ("linear", "1-sqrt", "cosine", "exponential", "power")
WITH_A_HORIZON = {
    "cosine": (lambda rate, end, steps: jaxlr.cosine(rate, steps, end_value=end), "decay_steps"),
    "linear": (lambda rate, end, steps: jaxlr.linear(rate, end, steps), "transition_steps"),
    "polynomial": (lambda rate, end, steps: jaxlr.polynomial(rate, end, 1.7, steps), "transition_steps"),
    "tanh": (lambda rate, end, steps: tanh(rate, steps, end_value=end), "decay_steps"),
    "rex": (lambda rate, end, steps: rex(rate, steps), "decay_steps"),
    "k_decay": (lambda rate, end, steps: k_decay(rate, steps, k=1.5, end_value=end), "decay_steps"),
    "one_cycle": (lambda rate, end, steps: jaxlr.one_cycle(rate, steps, pct_start=0.3), "total_steps"),
    "flat_cosine": (lambda rate, end, steps: flat_cosine(rate, steps, pct_start=0.2, end_value=end), "total_steps"),
}
SCALED = ("one_cycle", "tanh")  # by the rate with all that is left at the end: they end at a multiple of a number
BY_PHASE = ("cosine", "linear", "polynomial", "one_cycle")  # the others keep the rate alone
AROUND = {
    "product": lambda schedule, dice: dice.between(0.1, 2) * schedule,
    "quotient": lambda schedule, dice: schedule / dice.between(0.1, 2),
    "sum": lambda schedule, dice: schedule + dice.between(1e-4, 1e-2),
    "power": lambda schedule, dice: schedule ** dice.between(0.5, 2),
    "clip": lambda schedule, dice: schedule.clip(min=dice.between(1e-6, 1e-5)),
    "shift": lambda schedule, dice: schedule.shift((schedule.end() or dice.length(1000)) // 3),
    "warmup": lambda schedule, dice: jaxlr.warmup(schedule, dice.length(1000)),
    "per_epoch": lambda schedule, dice: jaxlr.per_epoch(schedule, dice.length(50)),
    "at_speed": lambda schedule, dice: at_speed(schedule, dice.between(0.2, 0.9)),
}
BESIDE = {
    **AROUND,
    "join": lambda schedule, dice: jaxlr.join([jaxlr.constant(0.1), schedule], [dice.length(10**6)]),
    "repeat": lambda schedule, dice: schedule.repeat(dice.length(10**6)),
    "overlap": lambda schedule, dice: jaxlr.warmup(schedule, dice.length(1000), overlap=True),
    "per_example": lambda schedule, dice: jaxlr.per_example(schedule, dice.length(100)),
    "smooth": lambda schedule, dice: jaxlr.per_epoch(schedule, dice.between(2.0, 50.0), staircase=False),
}


def no_jump(rates, others):
    """At most 2 ulps, or what flushes to 0."""
    flushed = np.abs(rates - others) <= SMALLEST
    np.testing.assert_array_max_ulp(np.where(flushed, others, rates), others, 2)


def some(number, short):
    """As many numbers, of which the short form has the first ones."""
    return [pytest.param(each, marks=() if each in short else pytest.mark.long) for each in range(number)]


@pytest.mark.parametrize("number", some(100, short=(3,)))
def test_a_cooldown_begins_at_the_rate_and_ends_at_its_own(number):
    dice = Dice((11, number))
    schedule = call_of(dice, list(ROWS)[number % len(ROWS)])[0].schedule()
    for _ in range(1 + number % 2):
        schedule = BESIDE[dice.of(*(name for name in BESIDE if name != "power"))](schedule, dice)
    shape, end = SHAPES[number % len(SHAPES)], np.float32(dice.between(1e-6, 1e-3))

    def rates(schedule, at, steps):
        cooled = jaxlr.cooldown(schedule, at, steps, shape=shape, end_value=end)
        return cooled(at), schedule(at), cooled(at - 1), schedule(at - 1), cooled(at + steps), cooled(LAST)

    at = np.array([dice.length(2**30) for _ in range(COUNTS)], np.int32)
    steps = np.array([dice.length(2**30) for _ in range(COUNTS)], np.int32)
    first, there, before, as_before, last, held = jax.jit(jax.vmap(rates, (None, 0, 0)))(schedule, at, steps)
    no_jump(first, there)
    np.testing.assert_array_equal(before, as_before)
    np.testing.assert_array_equal(last, end)
    np.testing.assert_array_equal(held, end)


@pytest.mark.parametrize("number", some(100, short=(10,)))
def test_a_new_horizon_goes_on_from_the_rate_and_ends_where_the_old_one_would(number):
    dice = Dice((12, number))
    family = list(WITH_A_HORIZON)[number % len(WITH_A_HORIZON)]
    keep = "phase" if family in BY_PHASE and number // len(WITH_A_HORIZON) % 2 else "rate"
    make, horizon = WITH_A_HORIZON[family]
    length = dice.length(1_000_000) + 20
    schedule = make(dice.between(1e-3, 1.0), dice.between(1e-6, 1e-4), length)
    for _ in range(1 + number % 3):
        names = [name for name in AROUND if keep == "rate" or name != "at_speed"]
        schedule = AROUND[dice.of(*names)](schedule, dice)

    def rates(at, steps):
        new = jaxlr.retime(schedule, at, keep=keep, **{horizon: steps})
        return new(at), new(LAST)

    at = np.array([dice.length(schedule.end() - 2) - 1 for _ in range(COUNTS)], np.int32)
    steps = np.array([int(length * dice.between(1.0, 3.0)) for _ in range(COUNTS)], np.int32)
    first, last = jax.jit(jax.vmap(rates))(at, steps)
    no_jump(first, schedule(at))
    if family not in SCALED or keep == "phase":
        np.testing.assert_array_equal(last, schedule(LAST))
