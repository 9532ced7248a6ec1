"""Exponentials."""

import mpmath
from draws import LAST
from reference import mpf, power
from rows import ANY, UNIT, of, row


def exponential(n, init_value, decay_rate, transition_steps=1, staircase=False, end_value=None):
    exponent = int(n) // transition_steps if staircase else mpf(n) / transition_steps
    value = mpf(init_value) * power(decay_rate, exponent)
    if end_value is None:
        return value
    return max(value, mpf(end_value)) if decay_rate < 1 else min(value, mpf(end_value))


def exponential_draw(dice):
    steps = dice.of(1, dice.length())
    end = dice.word(None, None, dice.rate())
    stairs = dice.word(False, False, True)
    rate = dice.gamma() if end is None else dice.of(dice.between(0.1, 0.99999), dice.between(1.00001, 2))
    numbers = {"decay_rate": rate, "transition_steps": steps, "staircase": stairs, "end_value": end}
    return {"init_value": dice.rate(), **numbers}, [steps, int(min(LAST, 1 / abs(1.0000000001 - rate)))]


row(
    exponential,
    exponential_draw,
    examples={
        "exponential": of(10**6, init_value=0.1, decay_rate=0.99999),
        "exponential_near_1": of(10**9, init_value=1.0, decay_rate=1 - 1e-9),
        "exponential_stairs": of(
            10_773_999, 10_774_000, init_value=0.1, decay_rate=0.999, transition_steps=1000, staircase=True
        ),
        "exponential_end": of(9, 40, init_value=0.1, decay_rate=0.9, end_value=0.03),
    },
    numbers=ANY | {"decay_rate": (0.5, 0.999), "transition_steps": (1, 10)},
    retimed=[("exponential(0.1, 0.1, transition_steps=1000, end_value=0.001)", {"transition_steps": 2000})],
    keeps=("rate",),
)


def natural_exponential(n, init_value, decay_rate, transition_steps=1, staircase=False):
    exponent = int(n) // transition_steps if staircase else mpf(n) / transition_steps
    return mpf(init_value) * mpmath.exp(-mpf(decay_rate) * exponent)


def natural_exponential_draw(dice):
    rate, steps = dice.decay_rate(), dice.of(1, dice.length())
    numbers = {"decay_rate": rate, "transition_steps": steps, "staircase": dice.word(False, True)}
    return {"init_value": dice.rate(), **numbers}, [steps, steps / rate]


row(
    natural_exponential,
    natural_exponential_draw,
    examples={
        "natural_exponential": of(init_value=0.1, decay_rate=0.3, transition_steps=1000),
        "natural_exponential_stairs": of(8, 9, init_value=0.1, decay_rate=0.3, transition_steps=3, staircase=True),
    },
    numbers=ANY | {"decay_rate": (0.01, 0.5), "transition_steps": (1, 10)},
    not_retimed=UNIT,
)


def tanh(n, init_value, decay_steps, end_value=0.0, lower=-7.0, upper=3.0):
    x = min(mpf(n) / decay_steps, 1)
    weight = (1 - mpmath.tanh(mpf(lower) * (1 - x) + mpf(upper) * x)) / 2
    return mpf(init_value) * weight + mpf(end_value) * (1 - weight)


def tanh_draw(dice):
    low, high = dice.rates()
    steps = dice.length()
    ends = {"lower": -dice.of(7.0, dice.between(1, 40)), "upper": dice.of(3.0, dice.between(1, 40))}
    return {"init_value": high, "decay_steps": steps, "end_value": low, **ends}, [steps]


row(
    tanh,
    tanh_draw,
    examples={"tanh": of(700, 999, init_value=0.1, decay_steps=1000, end_value=1e-5)},
    numbers=ANY | {"decay_steps": (4, 13), "lower": (-7.0, -3.0), "upper": (2.0, 3.0)},
    retimed=[("tanh(0.1, 1000, end_value=0.01)", {"decay_steps": 2000})],
    keeps=("rate",),
)
