"""One cycle."""

import mpmath
from reference import mpf, resumed
from rows import ANY, LATER, of, row


def through(n, values, total_steps, pct_start, anneal, last):
    lead = 1 if last == "total-1" else 0
    share = mpf(pct_start) * total_steps
    border = mpf(0) if abs(share - lead) < share / 2**40 else share - lead
    borders = [mpf(0), *[border, 2 * border][: len(values) - 2], mpf(total_steps - lead)]
    if n >= total_steps - lead:
        return values[-2] if borders[-2] >= borders[-1] else values[-1]
    for start, stop, first, then in zip(borders, borders[1:], values, values[1:], strict=False):
        if n < stop:
            x = (n - start) / (stop - start)
            weight = mpmath.sin(mpmath.pi * x / 2) ** 2 if anneal == "cos" else x
            return first * (1 - weight) + then * weight
    return values[-1]


def one_cycle(
    n,
    max_lr,
    total_steps,
    pct_start=0.3,
    div_factor=25.0,
    final_div_factor=1e4,
    anneal="cos",
    three_phase=False,
    last="total-1",
    begin=0,
    begin_phase=0.0,
):
    n = resumed(n, total_steps - (last == "total-1"), begin, begin_phase)
    first = mpf(max_lr) / mpf(div_factor)
    middle = [first] if three_phase else []
    values = [first, mpf(max_lr), *middle, first / mpf(final_div_factor)]
    return through(n, values, total_steps, pct_start, anneal, last)


def one_cycle_draw(dice):
    steps, three = dice.length(), dice.word(False, True)
    start = dice.of(0.3, 0.25, 0.5, dice.between(1e-3, 0.5), min(0.5, 1 / steps), 0.0)
    words = {"anneal": dice.word("cos", "linear"), "three_phase": three, "last": dice.word("total-1", "total")}
    numbers = {"max_lr": dice.rate(), "div_factor": dice.between(1, 100), "final_div_factor": dice.between(1, 1e5)}
    marks = [steps, start * steps, 2 * start * steps]
    return {"total_steps": steps, "pct_start": start, **numbers, **words, **dice.begun(steps)}, marks


row(
    one_cycle,
    one_cycle_draw,
    examples={
        "one_cycle": of(299, 300, 998, 999, max_lr=0.1, total_steps=1000),
        "one_cycle_three": of(
            24,
            49,
            50,
            99,
            max_lr=0.1,
            total_steps=100,
            pct_start=0.25,
            three_phase=True,
            anneal="linear",
            last="total",
        ),
        "one_cycle_tiny": of(max_lr=0.1, total_steps=10, pct_start=0.1),
    },
    numbers=ANY
    | LATER
    | {"total_steps": (5, 14), "pct_start": (0.2, 0.5), "div_factor": (2.0, 10.0), "final_div_factor": (2.0, 9.0)},
    retimed=[
        ("one_cycle(0.1, 1000, pct_start=0.3)", {"total_steps": 2000}),
        (
            "one_cycle(0.1, 1000, pct_start=0.3, three_phase=True, last='total', anneal='linear')",
            {"total_steps": 2000},
        ),
    ],
)


def one_cycle_momentum(
    n,
    total_steps,
    base_momentum=0.85,
    max_momentum=0.95,
    pct_start=0.3,
    anneal="cos",
    three_phase=False,
    last="total-1",
    begin=0,
    begin_phase=0.0,
):
    n = resumed(n, total_steps - (last == "total-1"), begin, begin_phase)
    low, high = mpf(base_momentum), mpf(max_momentum)
    return through(n, [high, low, high] + [high] * three_phase, total_steps, pct_start, anneal, last)


def one_cycle_momentum_draw(dice):
    numbers, marks = one_cycle_draw(dice)
    low, high = sorted([dice.between(0.1, 1), dice.between(0.1, 1)])
    names = ("total_steps", "pct_start", "anneal", "three_phase", "last", "begin", "begin_phase")
    shared = {name: numbers[name] for name in names if name in numbers}
    return {**shared, "base_momentum": low, "max_momentum": high}, marks


row(
    one_cycle_momentum,
    one_cycle_momentum_draw,
    examples={"one_cycle_momentum": of(299, 999, total_steps=1000)},
    numbers=LATER
    | {"total_steps": (5, 14), "pct_start": (0.2, 0.5), "base_momentum": (0.5, 0.8), "max_momentum": (0.9, 1.0)},
    retimed=[("one_cycle_momentum(1000)", {"total_steps": 2000})],
)


def slanted_triangular(n, max_lr, total_steps, cut_frac, ratio):
    return one_cycle(n, max_lr, total_steps, cut_frac, ratio, 1, "linear", last="total")


def slanted_triangular_draw(dice):
    steps, cut = dice.length(), dice.of(0.1, dice.between(1e-3, 1))
    return {"max_lr": dice.rate(), "total_steps": steps, "cut_frac": cut, "ratio": dice.between(1, 100)}, [
        steps,
        cut * steps,
    ]


row(
    slanted_triangular,
    slanted_triangular_draw,
    examples={},
    numbers=ANY | {"total_steps": (5, 14), "cut_frac": (0.1, 0.5), "ratio": (2.0, 32.0)},
    not_retimed="is made of one_cycle",
)


def flat_cosine(n, init_value, total_steps, pct_start=0.75, end_value=0.0):
    return through(n, [mpf(init_value), mpf(init_value), mpf(end_value)], total_steps, pct_start, "cos", "total")


def flat_cosine_draw(dice):
    low, high = dice.rates()
    steps, start = dice.length(), dice.of(0.75, dice.between(1e-3, 1))
    numbers = {"total_steps": steps, "pct_start": start}
    return {"init_value": high, **numbers, "end_value": low}, [steps, start * steps]


row(
    flat_cosine,
    flat_cosine_draw,
    examples={"flat_cosine": of(749, 750, 751, 999, init_value=0.1, total_steps=1000, end_value=1e-4)},
    numbers=ANY | {"total_steps": (5, 14), "pct_start": (0.2, 0.9)},
    retimed=[("flat_cosine(0.1, 1000, pct_start=0.2)", {"total_steps": 2000})],
    keeps=("rate",),
)
