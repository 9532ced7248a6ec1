"""Steps."""

from reference import mpf, power
from rows import ANY, of, row


def step_decay(n, init_value, decay_rate, step_size, offset=0):
    return mpf(init_value) * power(decay_rate, int(n + offset) // step_size)


def step_decay_draw(dice):
    steps, offset = dice.length(), dice.of(0, 1, dice.length())
    return {"init_value": dice.rate(), "decay_rate": dice.gamma(), "step_size": steps, "offset": offset}, [
        steps,
        steps - offset,
    ]


row(
    step_decay,
    step_decay_draw,
    examples={
        "step_decay": of(999, 1001, 5000, init_value=0.1, decay_rate=0.5, step_size=1000),
        "step_decay_notes": of(5, 6, init_value=0.1, decay_rate=0.7, step_size=3, offset=1),
    },
    numbers=ANY | {"decay_rate": (0.1, 0.9), "step_size": (1, 10), "offset": (0, 9)},
)


def multi_step(n, init_value, milestones, decay_rate):
    rates = decay_rate if isinstance(decay_rate, list) else [decay_rate] * len(milestones)
    value = mpf(init_value)
    for milestone, rate in zip(milestones, rates, strict=True):
        value *= mpf(rate) if n >= milestone else 1
    return value


def multi_step_draw(dice):
    milestones = dice.lengths(dice.word(4, 1))
    factors = dice.word(dice.gamma(), [dice.between(0.01, 2) for _ in milestones])
    return {"init_value": dice.rate(), "milestones": milestones, "decay_rate": factors}, milestones


row(
    multi_step,
    multi_step_draw,
    examples={
        "multi_step": of(4, 83, 84, init_value=1.0, milestones=[4, 8, 16, 32, 64, 84], decay_rate=0.5),
        "multi_step_factors": of(5, 6, init_value=0.3, milestones=[2, 5, 5], decay_rate=[0.3, 0.1, 2.0]),
    },
    numbers=ANY | {"decay_rate": (0.1, 0.9)},
    others={"milestones": [2, 5]},
)


def piecewise_constant(n, values, boundaries):
    return mpf(values[sum(n >= boundary for boundary in boundaries)])


def piecewise_constant_draw(dice):
    boundaries = dice.lengths(3)
    return {"values": [dice.rate() for _ in range(4)], "boundaries": boundaries}, boundaries


row(
    piecewise_constant,
    piecewise_constant_draw,
    examples={"piecewise_constant": of(4, 5, 6, values=[0.1, 0.5, 0.03], boundaries=[2, 5])},
    others={"values": [0.1, 0.2], "boundaries": [3]},
)


def table(n, values):
    return mpf(values[min(n, len(values) - 1)])


def table_draw(dice):
    return {"values": [dice.rate() for _ in range(5)]}, [1, 4, 5]


row(
    table,
    table_draw,
    examples={"table": of(2, 3, 4, values=[0.1, 0.5, 0.03])},
    others={"values": [0.1, 0.2]},
    not_retimed="it has no curve",
)
