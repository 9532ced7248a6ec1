"""Inverses of the count."""

import mpmath
from reference import mpf
from rows import ANY, UNIT, of, row

from cases.exponentials import natural_exponential_draw


def inverse_time(n, init_value, decay_rate, transition_steps=1, staircase=False):
    exponent = int(n) // transition_steps if staircase else mpf(n) / transition_steps
    return mpf(init_value) / (1 + mpf(decay_rate) * exponent)


row(
    inverse_time,
    natural_exponential_draw,
    examples={
        "inverse_time": of(init_value=0.1, decay_rate=0.01, transition_steps=7),
        "inverse_time_stairs": of(7, 8, init_value=0.1, decay_rate=0.3, transition_steps=4, staircase=True),
    },
    numbers=ANY | {"decay_rate": (0.1, 2.0), "transition_steps": (1, 10)},
    not_retimed=UNIT,
)


def inverse_sqrt(n, init_value, timescale=1):
    return mpf(init_value) * mpmath.sqrt(mpf(timescale) / max(n, timescale))


def inverse_sqrt_draw(dice):
    timescale = dice.length()
    return {"init_value": dice.rate(), "timescale": timescale}, [timescale]


row(
    inverse_sqrt,
    inverse_sqrt_draw,
    examples={"inverse_sqrt": of(9_999, 10_001, init_value=0.01, timescale=10_000)},
    numbers=ANY | {"timescale": (1, 10)},
)


def rex(n, init_value, decay_steps):
    x = min(mpf(n) / decay_steps, 1)
    return mpf(init_value) * (1 - x) / (1 - x / 2)


def rex_draw(dice):
    steps = dice.length()
    return {"init_value": dice.rate(), "decay_steps": steps}, [steps]


row(
    rex,
    rex_draw,
    examples={"rex": of(999, 500, init_value=0.1, decay_steps=1000)},
    numbers=ANY | {"decay_steps": (4, 13)},
    retimed=[("rex(0.1, 1000)", {"decay_steps": 2000})],
    keeps=("rate",),
)


def noam(n, d_model, warmup_steps, factor=1.0):
    k = mpf(n + 1)
    return mpf(factor) / mpmath.sqrt(d_model) * min(1 / mpmath.sqrt(k), k / mpf(warmup_steps) ** mpf(1.5))


def noam_draw(dice):
    width, steps = dice.length(100_000), dice.length()
    return {"d_model": width, "warmup_steps": steps, "factor": dice.rate()}, [steps]


row(
    noam,
    noam_draw,
    examples={"noam": of(3999, 4000, d_model=512, warmup_steps=4000)},
    numbers={"d_model": (1, 10), "warmup_steps": (1, 10), "factor": (0.5, 2.0)},
)


def power(n, init_value, exponent, timescale=1, shift=0):
    ratio = max(mpf(n + shift) / timescale, 1)
    return mpf(init_value) * mpmath.exp(mpf(exponent) * mpmath.log(ratio))


def power_draw(dice):
    timescale, shift = dice.of(1, dice.length()), dice.of(0, 1, dice.length())
    exponent = dice.of(-0.5, -0.51, -1.0, -dice.between(0.01, 2), dice.between(0.01, 1))
    numbers = {"exponent": exponent, "timescale": timescale, "shift": shift}
    return {"init_value": dice.rate(), **numbers}, [timescale - shift, timescale]


row(
    power,
    power_draw,
    examples={"power": of(92, 93, 94, init_value=0.1, exponent=-0.51, timescale=100, shift=7)},
    numbers=ANY | {"exponent": (-0.9, -0.1), "timescale": (1, 10), "shift": (0, 9)},
)
