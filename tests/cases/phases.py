"""One schedule after another."""

from reference import mpf, power
from rows import SEVEN, call, of, row

COSINE = call("cosine", init_value=0.3, decay_steps=40)


def join(n, schedules, boundaries):
    passed = sum(n >= boundary for boundary in boundaries)
    return schedules[passed](n - boundaries[passed - 1] if passed else n)


def join_draw(dice):
    children = [dice.schedule(name) for name in ("linear", dice.of("cosine", "exponential"), "triangular")]
    boundaries = dice.lengths(2)
    later = [start + mark for start, (_, marks) in zip([0, *boundaries], children, strict=True) for mark in marks]
    return {"schedules": [child for child, _ in children], "boundaries": boundaries}, [*boundaries, *later]


row(
    join,
    join_draw,
    examples={"join": of(19, 20, 999, schedules=[COSINE, call("constant", value=0.2), COSINE], boundaries=[20, 1000])},
    others={"schedules": [SEVEN, SEVEN], "boundaries": [3]},
)


def warmup(n, schedule, warmup_steps, init_value=None, kind="linear", offset=0):
    if n >= warmup_steps:
        return schedule(n - warmup_steps)
    target, first = schedule(0), mpf(0 if init_value is None else init_value)
    done = min(mpf(n + offset) / warmup_steps, 1)
    if kind == "constant":
        return first
    return first + (target - first) * done if kind == "linear" else first * power(target / first, done)


def warmup_draw(dice):
    schedule, marks = dice.schedule()
    steps = dice.of(0, dice.length())
    kind = dice.word("linear", "constant", "exponential")
    if kind == "exponential" and schedule.exact(0) <= 0:  # it needs a target above 0
        kind = "constant"
    first = dice.word(None, dice.rate()) if kind == "linear" else dice.rate()
    numbers = {"warmup_steps": steps, "init_value": first, "kind": kind, "offset": dice.of(0, 1, 7)}
    return {"schedule": schedule, **numbers}, [steps, *(steps + mark for mark in marks)]


row(
    warmup,
    warmup_draw,
    examples={
        "warmup": of(9, 10, 11, 30, 50, schedule=COSINE, warmup_steps=10),
        "warmup_exponential": of(
            9, 10, schedule=COSINE, warmup_steps=10, init_value=1e-4, kind="exponential", offset=1
        ),
        "warmup_constant": of(9, 10, schedule=COSINE, warmup_steps=10, init_value=0.01, kind="constant"),
    },
    numbers={"warmup_steps": (0, 9), "init_value": (0.1, 0.5), "offset": (0, 9)},
    others={"schedule": SEVEN},
)
