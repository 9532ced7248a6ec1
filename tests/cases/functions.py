"""Functions of the user's own."""

from reference import mpf
from rows import of, row


def ramp(count, slope):
    return slope * count


def sawtooth(count, slope):
    return slope * (count % 1024)


def custom(n, fn, **numbers):
    return fn(n, **{name: mpf(value) for name, value in numbers.items()})


def custom_draw(dice):
    return {"fn": sawtooth, "slope": dice.rate()}, [1024]


row(
    custom,
    custom_draw,
    examples={"custom": of(fn=ramp, slope=0.5)},
    numbers={"slope": (0.25, 0.5)},
    others={"fn": ramp},
)
