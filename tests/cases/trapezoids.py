"""A rise, a plateau and a fall."""

import mpmath
from draws import LAST
from reference import mpf, resumed
from rows import ANY, LATER, of, row

TRAPEZOID = "warmup_stable_decay(0.1, 100, 700, 200, end_value=0.001, decay='1-sqrt')"


def warmup_stable_decay(
    n,
    peak_value,
    warmup_steps,
    stable_steps,
    decay_steps,
    init_value=0.0,
    end_value=0.0,
    decay="linear",
    begin=0,
    begin_phase=0.0,
):
    n = resumed(n, warmup_steps + stable_steps + decay_steps, begin, begin_phase)
    if n < warmup_steps:
        return mpf(init_value) + (mpf(peak_value) - mpf(init_value)) * n / warmup_steps
    x = min(max(mpf(n - warmup_steps - stable_steps), 0), decay_steps) / decay_steps
    weight = {"linear": x, "cosine": mpmath.sin(mpmath.pi * x / 2) ** 2, "1-sqrt": mpmath.sqrt(x)}[decay]
    return mpf(peak_value) * (1 - weight) + mpf(end_value) * weight


def warmup_stable_decay_draw(dice):
    low, high = dice.rates()
    rise, stay, fall = dice.of(0, dice.length()), dice.of(0, dice.length()), dice.length()
    lengths = {"warmup_steps": rise, "stable_steps": stay, "decay_steps": fall}
    numbers = {"peak_value": high, "init_value": dice.of(0.0, abs(low)), "end_value": dice.of(0.0, low)}
    decay = dice.word("linear", "cosine", "1-sqrt")
    begun = dice.begun(rise + stay + fall) if rise + stay + fall < LAST else {}
    return {**numbers, **lengths, "decay": decay, **begun}, [rise, rise + stay, rise + stay + fall]


row(
    warmup_stable_decay,
    warmup_stable_decay_draw,
    examples={
        "warmup_stable_decay": of(4, 5, 14, 15, peak_value=0.1, warmup_steps=5, stable_steps=10, decay_steps=1000),
        "warmup_stable_decay_sqrt": of(
            5, 9, peak_value=0.1, warmup_steps=0, stable_steps=0, decay_steps=12, end_value=0.01, decay="1-sqrt"
        ),
    },
    numbers=ANY
    | LATER
    | {"peak_value": (0.5, 1.0), "warmup_steps": (0, 9), "stable_steps": (0, 9), "decay_steps": (4, 13)},
    retimed=[
        (TRAPEZOID, {"stable_steps": 1700}),
        (TRAPEZOID, {"warmup_steps": 50, "stable_steps": 500, "decay_steps": 1450}),
    ],
)
