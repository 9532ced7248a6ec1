"""Schedules by another clock."""

import mpmath
from reference import mpf, near_integer
from rows import SEVEN, call, of, row

COSINE = call("cosine", init_value=0.3, decay_steps=40)


def per_epoch(n, schedule, steps_per_epoch, staircase=True):
    return schedule(int(n) // steps_per_epoch if staircase else mpf(n) / steps_per_epoch)


def per_epoch_draw(dice):
    schedule, marks = dice.schedule()
    steps = dice.length(100_000_000)
    numbers = {"steps_per_epoch": steps, "staircase": dice.of(True, False)}
    return {"schedule": schedule, **numbers}, [steps, *(steps * mark for mark in marks)]


row(
    per_epoch,
    per_epoch_draw,
    examples={
        "per_epoch": of(389, 390, schedule=COSINE, steps_per_epoch=390),
        "per_epoch_smooth": of(389, 390, 15_599, 15_600, schedule=COSINE, steps_per_epoch=390, staircase=False),
    },
    numbers={"steps_per_epoch": (1, 10)},
    others={"schedule": SEVEN},
)


def at_speed(n, schedule, speed):
    return schedule(near_integer(n * mpf(speed)))


def at_speed_draw(dice):
    schedule, marks = dice.schedule("cosine", "linear", "inverse_sqrt")
    speed = dice.of(2.0, 0.5, 3.0, 1 / 2.4, dice.between(0.1, 10))
    return {"schedule": schedule, "speed": speed}, [mark / speed for mark in marks]


row(
    at_speed,
    at_speed_draw,
    examples={
        "at_speed": of(15, 16, 17, schedule=call("cosine", init_value=0.3, decay_steps=40, end_value=0.01), speed=2.5),
        "at_speed_stairs": of(
            11, 12, 24, 36, schedule=call("step_decay", init_value=0.3, decay_rate=0.999, step_size=1), speed=1 / 2.4
        ),
    },
    numbers={"speed": (0.5, 2.0)},
    others={"schedule": SEVEN},
)


def per_example(n, schedule, batch_size, unit=1, scale=None):
    if not isinstance(batch_size, dict):
        return schedule(in_units(n, mpf(n) * batch_size, unit))
    starts, sizes = list(batch_size), list(batch_size.values())
    seen, updates, piece = 0, 0, 0
    while piece + 1 < len(starts):  # as many updates of this size as it takes to have seen the next size's start
        needed = -(-max(starts[piece + 1] - seen, 0) // sizes[piece])
        if updates + needed > n:
            break
        seen, updates, piece = seen + needed * sizes[piece], updates + needed, piece + 1
    ratio = mpf(sizes[piece]) / sizes[0]
    factor = {None: 1, "linear": ratio, "sqrt": mpmath.sqrt(ratio)}[scale]
    return factor * schedule(in_units(n, seen + (n - updates) * mpf(sizes[piece]), unit))


def in_units(n, examples, unit):
    """Exact of whole updates."""
    return near_integer(examples / unit) if n != int(n) else min(examples / unit, mpf(2**32 - 1))


def per_example_draw(dice):
    schedule, marks = dice.schedule("cosine", "linear", "inverse_sqrt")
    size, unit = dice.length(10_000), dice.of(1, 1000, dice.length(10**6))
    if dice.depth or dice.chance(0.5):
        return {"schedule": schedule, "batch_size": size, "unit": unit}, [mark * unit / size for mark in marks]
    starts = sorted({0, dice.length(10**9), dice.length(10**9)})
    sizes = {start: size * (i + 1) for i, start in enumerate(starts)}
    numbers = {"batch_size": sizes, "unit": unit, "scale": dice.of(None, "linear", "sqrt")}
    return {"schedule": schedule, **numbers}, [start // size for start in starts[1:]]


row(
    per_example,
    per_example_draw,
    examples={
        "per_example": of(92, 93, 94, schedule=COSINE, batch_size=3, unit=7),
        "per_example_ramp": of(9, 10, 11, 13, 14, 17, schedule=COSINE, batch_size={0: 1, 10: 3, 20: 7}, scale="sqrt"),
    },
    numbers={"batch_size": (1, 10), "unit": (1, 10)},
    others={"schedule": SEVEN},
)
