"""Schedules by another clock."""

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
