"""One schedule after another."""

import mpmath
from reference import mpf, power
from rows import SEVEN, SMALLEST, call, of, row

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


RISING = ("log", "1-exp", "1-sqrt", "cosine")


def warmup(n, schedule, warmup_steps, init_value=None, kind="linear", offset=0, overlap=False):
    if n >= warmup_steps and not (overlap and kind == "1-exp" and warmup_steps):
        return schedule(n if overlap else n - warmup_steps)
    target, first = schedule(n if overlap else 0), mpf(0 if init_value is None else init_value)
    done = min(mpf(n + offset) / warmup_steps, 1)
    if kind == "constant":
        return first
    if kind in ("log", "1-exp", "1-sqrt", "cosine"):
        share = {
            "log": lambda: min(mpmath.log(1 + n + offset) / mpmath.log(1 + mpf(warmup_steps)), 1),
            "1-exp": lambda: -mpmath.expm1(-mpf(n + offset) / warmup_steps),
            "1-sqrt": lambda: 1 - mpmath.sqrt(1 - done),
            "cosine": lambda: mpmath.sin(mpmath.pi * done / 2) ** 2,
        }[kind]()
        return first + (target - first) * share
    return first + (target - first) * done if kind == "linear" else first * power(target / first, done)


def warmup_draw(dice):
    schedule, marks = dice.schedule()
    steps = dice.of(0, dice.length())
    kind = dice.word("linear", "constant", "exponential", "log", "1-exp", "1-sqrt", "cosine")
    if kind == "exponential" and schedule.exact(0) <= 0:  # it needs a target above 0
        kind = "constant"
    first = dice.rate() if kind in ("constant", "exponential") else dice.word(None, dice.rate())
    overlap = dice.word(False, False, True) and kind != "exponential"
    numbers = {"warmup_steps": steps, "init_value": first, "kind": kind, "offset": dice.of(0, 1, 7), "overlap": overlap}
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
        **{f"warmup_{kind}": of(9, 10, schedule=COSINE, warmup_steps=10, kind=kind, offset=1) for kind in RISING},
        "warmup_overlapping": of(0, 9, 10, schedule=COSINE, warmup_steps=10, kind="1-exp", overlap=True),
    },
    numbers={"warmup_steps": (0, 9), "init_value": (0.1, 0.5), "offset": (0, 9)},
    others={"schedule": SEVEN},
)


def cooldown(n, schedule, at, steps, shape="linear", end_value=0.0, power=1.0):
    if n < at:
        return schedule(n)
    start, end, x = schedule(at), mpf(end_value), min(mpf(n - at) / steps, 1)
    if shape == "exponential" and start >= SMALLEST:  # a smaller rate is 0
        return end if x == 1 else mpmath.exp((1 - x) * mpmath.log(start) + x * mpmath.log(end))
    share = {
        "linear": 1 - x,
        "exponential": 1 - x,
        "1-sqrt": 1 - mpmath.sqrt(x),
        "cosine": mpmath.cos(mpmath.pi * x / 2) ** 2,
        "power": (1 - x) ** mpf(power),
    }[shape]
    return end + (start - end) * share


def cooldown_draw(dice):
    schedule, marks = dice.schedule("cosine", "linear", "inverse_sqrt", "exponential")
    at, steps = dice.of(0, dice.length()), dice.length()
    shape = dice.word("linear", "1-sqrt", "cosine", "power", "exponential")
    numbers = {"end_value": dice.rate() if shape == "exponential" else dice.of(0.0, dice.rate())}
    if shape == "power":
        numbers["power"] = dice.of(0.5, 2.0, dice.between(0.1, 5))
    return {"schedule": schedule, "at": at, "steps": steps, "shape": shape, **numbers}, [at, at + steps, *marks]


row(
    cooldown,
    cooldown_draw,
    examples={
        "cooldown": of(19, 20, 21, 29, 30, schedule=COSINE, at=20, steps=10),
        "cooldown_exponential": of(
            21, 29, schedule=call("constant", value=0.3), at=20, steps=10, shape="exponential", end_value=1e-3
        ),
        "cooldown_power": of(
            21,
            10**9,
            schedule=call("inverse_sqrt", init_value=0.3),
            at=20,
            steps=10**9,
            shape="power",
            power=2.5,
            end_value=0.01,
        ),
        "cooldown_sqrt": of(21, 1019, 1020, schedule=call("constant", value=0.3), at=20, steps=1000, shape="1-sqrt"),
        "cooldown_cosine": of(21, 1019, 1020, schedule=call("constant", value=0.3), at=20, steps=1000, shape="cosine"),
    },
    numbers={"at": (0, 9), "steps": (4, 13), "end_value": (0.01, 0.1), "power": (0.5, 3.0)},
    others={"schedule": SEVEN, "shape": "power"},
)
