"""Constants and straight or bent lines."""

from reference import mpf
from rows import ANY, ENDLESS, of, row


def constant(n, value):
    return mpf(value)


def constant_draw(dice):
    return {"value": dice.of(1, -1) * dice.rate()}, []


row(
    constant,
    constant_draw,
    examples={"constant": of(value=0.1)},
    numbers={"value": (0.1, 1.0)},
)


def linear(n, init_value, end_value, transition_steps, transition_begin=0):
    return polynomial(n, init_value, end_value, 1, transition_steps, transition_begin)


def linear_draw(dice):
    first, last = dice.random.permutation(dice.rates()).tolist()
    steps, begin = dice.length(), dice.of(0, dice.length())
    numbers = {"init_value": first, "end_value": last, "transition_steps": steps, "transition_begin": begin}
    return numbers, [begin, begin + steps, begin + steps // 2]


row(
    linear,
    linear_draw,
    examples={
        "linear": of(9, 10, 11, init_value=1e-3, end_value=0.7, transition_steps=10),
        "linear_later": of(299, 300, init_value=1.0, end_value=0.0, transition_steps=297, transition_begin=3),
    },
    numbers=ANY | {"transition_steps": (1, 10), "transition_begin": (0, 9)},
    retimed=[("linear(0.1, 0.01, 1000, transition_begin=50)", {"transition_steps": 1950})],
)


def polynomial(n, init_value, end_value, power, transition_steps, transition_begin=0):
    done = min(max(mpf(n - transition_begin), 0), transition_steps) / transition_steps
    weight = (1 - done) ** mpf(power)
    return mpf(init_value) * weight + mpf(end_value) * (1 - weight)


def polynomial_draw(dice):
    numbers, marks = linear_draw(dice)
    return {**numbers, "power": dice.of(0.5, 2.0, 0.9, dice.between(0.1, 5))}, marks


row(
    polynomial,
    polynomial_draw,
    examples={
        "polynomial": of(999, 1001, init_value=0.1, end_value=0.0, power=0.9, transition_steps=1000),
        "polynomial_rising": of(9**9, init_value=0.0, end_value=0.1, power=2.5, transition_steps=2 * 10**9),
    },
    numbers=ANY | {"power": (0.5, 3.0), "transition_steps": (1, 10), "transition_begin": (0, 9)},
    retimed=[("polynomial(0.1, 0.001, 0.9, 1000)", {"transition_steps": 2000})],
)


def polynomial_cycles(n, init_value, end_value, power, decay_steps):
    horizon = decay_steps * max(1, -(-int(n) // decay_steps))
    weight = (1 - mpf(n) / horizon) ** mpf(power)
    return mpf(init_value) * weight + mpf(end_value) * (1 - weight)


def polynomial_cycles_draw(dice):
    low, high = dice.rates()
    steps = dice.length()
    numbers = {"power": dice.of(1.0, 0.5, dice.between(0.1, 5)), "decay_steps": steps}
    return {"init_value": high, "end_value": low, **numbers}, [steps]


row(
    polynomial_cycles,
    polynomial_cycles_draw,
    examples={"polynomial_cycles": of(4, 5, 8, 9, init_value=1.0, end_value=0.1, power=0.5, decay_steps=4)},
    numbers=ANY | {"power": (0.5, 3.0), "decay_steps": (4, 13)},
    not_retimed=ENDLESS,
)
