"""Cycles of straight lines."""

from reference import mpf, power
from rows import ANY, of, row


def sawtooth(cycle):
    return 1 / cycle


def alternating(x):
    return 1 - 0.5 * (x % 2)


def rise(n, step_size, step_size_down):
    down = step_size if step_size_down is None else step_size_down
    cycle = int(n) // (step_size + down)
    inside = n - cycle * (step_size + down)
    return cycle, mpf(inside) / step_size if inside < step_size else 1 - mpf(inside - step_size) / down


def triangular(n, base_lr, max_lr, step_size, step_size_down=None):
    return mpf(base_lr) + (mpf(max_lr) - mpf(base_lr)) * rise(n, step_size, step_size_down)[1]


def triangular_draw(dice):
    low, high = dice.rates()
    up = dice.length()
    down = dice.word(None, dice.of(up, 0, dice.length()))
    cycle = up + (up if down is None else down)
    return {"base_lr": low, "max_lr": high, "step_size": up, "step_size_down": down}, [up, cycle]


row(
    triangular,
    triangular_draw,
    examples={
        "triangular": of(1999, 2000, 2001, 4000, base_lr=0.001, max_lr=0.006, step_size=2000),
        "triangular_skewed": of(5, 7, 8, base_lr=0.0, max_lr=1.0, step_size=2, step_size_down=6),
        "triangular_drop": of(4, 5, base_lr=0.1, max_lr=1.0, step_size=2, step_size_down=0),
    },
    numbers=ANY | {"step_size": (1, 10), "step_size_down": (1, 10)},
)


def triangular2(n, base_lr, max_lr, step_size, step_size_down=None):
    cycle, height = rise(n, step_size, step_size_down)
    return mpf(base_lr) + (mpf(max_lr) - mpf(base_lr)) * height / mpf(2) ** cycle


row(
    triangular2,
    triangular_draw,
    examples={"triangular2": of(10, 15, 20, base_lr=0.001, max_lr=0.006, step_size=5)},
    numbers=ANY | {"step_size": (1, 10), "step_size_down": (1, 10)},
)


def exp_range(n, base_lr, max_lr, step_size, gamma, step_size_down=None, decay_base=False):
    height = (mpf(max_lr) - mpf(base_lr)) * rise(n, step_size, step_size_down)[1]
    return (mpf(base_lr) + height) * power(gamma, n) if decay_base else mpf(base_lr) + height * power(gamma, n)


def exp_range_draw(dice):
    numbers, marks = triangular_draw(dice)
    return {**numbers, "gamma": dice.gamma() if dice.chance(0.9) else 1.0, "decay_base": dice.word(False, True)}, marks


row(
    exp_range,
    exp_range_draw,
    examples={
        "exp_range": of(2000, base_lr=0.001, max_lr=0.006, step_size=2000, gamma=0.99994),
        "exp_range_both": of(50, base_lr=0.001, max_lr=0.006, step_size=20, gamma=0.999, decay_base=True),
    },
    numbers=ANY | {"step_size": (1, 10), "gamma": (0.5, 0.999), "step_size_down": (1, 10)},
)


def cyclic(n, base_lr, max_lr, step_size, scale_fn, scale_by="cycle", step_size_down=None):
    cycle, height = rise(n, step_size, step_size_down)
    scale = mpf(scale_fn(cycle + 1 if scale_by == "cycle" else n))
    return mpf(base_lr) + (mpf(max_lr) - mpf(base_lr)) * height * scale


def cyclic_draw(dice):
    numbers, marks = triangular_draw(dice)
    return {**numbers, "scale_fn": alternating, "scale_by": dice.word("cycle", "update")}, marks


row(
    cyclic,
    cyclic_draw,
    examples={"cyclic": of(10, 20, base_lr=0.001, max_lr=0.006, step_size=4, scale_fn=sawtooth)},
    numbers=ANY | {"step_size": (1, 10), "step_size_down": (1, 10)},
    others={"scale_fn": sawtooth},
)
