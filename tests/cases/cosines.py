"""Half cosines and their relatives."""

import mpmath
from reference import mpf, resumed
from rows import ANY, LATER, of, row


def cosine(n, init_value, decay_steps, end_value=0.0, after="hold", begin=0, begin_phase=0.0):
    n = resumed(n, decay_steps, begin, begin_phase)
    if after == "hold":
        n = min(n, decay_steps)
    weight = mpmath.cos(mpmath.pi * (n % (2 * decay_steps)) / (2 * mpf(decay_steps))) ** 2
    return mpf(init_value) * weight + mpf(end_value) * (1 - weight)


def cosine_draw(dice):
    low, high = dice.rates()
    steps = dice.length()
    numbers = {"init_value": high, "decay_steps": steps, "end_value": low, **dice.begun(steps)}
    return {**numbers, "after": dice.word("hold", "rise")}, [steps, steps // 2, numbers.get("begin", 0)]


row(
    cosine,
    cosine_draw,
    examples={
        "cosine": of(999, 1001, 500, init_value=0.1, decay_steps=1000, end_value=1e-5),
        "cosine_rise": of(5, 10, 15, 20, init_value=0.1, decay_steps=10, after="rise"),
    },
    numbers=ANY | LATER | {"decay_steps": (4, 13)},
    retimed=[("cosine(0.1, 1000, end_value=0.003)", {"decay_steps": 2000})],
)


def k_decay(n, init_value, decay_steps, k=1.0, end_value=0.0, power=1.0, shape="cosine"):
    late = min(mpf(n) / decay_steps, 1) ** mpf(k)
    curve = 1 - late if shape == "linear" else mpmath.cos(mpmath.pi / 2 * late) ** 2
    weight = curve ** mpf(power) if n < decay_steps else mpf(0)
    return mpf(init_value) * weight + mpf(end_value) * (1 - weight)


def k_decay_draw(dice):
    low, high = dice.rates()
    steps = dice.length()
    numbers = {"decay_steps": steps, "k": dice.of(1.0, dice.between(0.1, 5)), "shape": dice.word("cosine", "linear")}
    numbers |= {"power": dice.of(1.0, dice.between(0.1, 5))}
    return {"init_value": high, **numbers, "end_value": low}, [steps, steps // 2]


row(
    k_decay,
    k_decay_draw,
    examples={
        "k_decay": of(999, 500, init_value=0.1, decay_steps=1000, k=1.5),
        "k_decay_power": of(999, 1001, init_value=0.1, decay_steps=1000, k=0.5, power=0.7, shape="linear"),
    },
    numbers=ANY | {"decay_steps": (4, 13), "k": (0.5, 2.0), "power": (0.5, 3.0)},
    retimed=[("k_decay(0.1, 1000, k=1.5)", {"decay_steps": 2000})],
    keeps=("rate",),
)
