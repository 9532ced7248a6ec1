"""Random numbers and counts for every schedule and composition: what the fuzz and the hostile compiler are fed."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import reference

from jaxlr.schedules import FAMILIES
from jaxlr.schedules.family import RECORDS

LAST = 2**31 - 1
LONGEST = 2_000_000_000
SMALLEST = float(np.finfo(np.float32).tiny)
RATES = {
    "value",
    "values",
    "init_value",
    "end_value",
    "base_lr",
    "max_lr",
    "peak_value",
    "min",
    "max",
    "factor",
    "left",
    "right",
}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Call:
    """A call of a factory as data: its name, and its arguments as Python numbers, words and further calls."""

    name: str = dataclasses.field(metadata={"static": True})
    arguments: dict[str, Any]

    def schedule(self):
        arguments = {name: _made(value, Call.schedule) for name, value in self.arguments.items()}
        if "fn" in arguments:  # the one argument that a factory takes by position only
            return FAMILIES[self.name](arguments.pop("fn"), **arguments)
        return RECORDS[self.name].make(**arguments)

    def exact(self, count):
        """The exact value at a count, by the reference."""
        arguments = {name: _made(value, lambda call: call.exact) for name, value in self.arguments.items()}
        return (REFERENCES.get(self.name) or getattr(reference, self.name))(count, **arguments)

    def bound(self):
        """How many ulps it may err: 1 for each schedule that is no composition, 1.5 for a function of the user."""
        inner = [call for value in self.arguments.values() for call in _calls(value)]
        return sum(call.bound() for call in inner) if inner else 1.5 if self.name == "custom" else 1.0

    def largest(self):
        """The largest rate in it: what an error is measured by where the curve crosses zero."""
        own = [abs(x) for name in RATES & set(self.arguments) for x in np.ravel(self.arguments[name]) if _is_number(x)]
        inner = [call.largest() for value in self.arguments.values() for call in _calls(value)]
        return math.prod(own + inner) if self.name == "product" else max(own + inner, default=1.0)

    def slack(self):
        """The error besides ulps.

        2**-30 of the largest number where terms cancel; 2**-45 where restarts of a fractional growth lie between
        counts, more for a growth next to 1; and what flushes to 0 inside of a composition.
        """
        own = [x for name in RATES & set(self.arguments) for x in np.ravel(self.arguments[name]) if _is_number(x)]
        inner = [call for value in self.arguments.values() for call in _calls(value)]
        slack = 2.0**-30 * self.largest() if self.name == "difference" or min(own, default=0) < 0 else 0.0
        if self.grows_by_a_fraction():
            growth = self.arguments["t_mul"]
            slack = max(slack, 2.0**-45 * self.largest() * growth / (growth - 1))
        if self.name in ("at_speed", "with_restarts"):  # a place between two counts is known to 2**-45 of itself
            slack = max(slack, 2.0**-43 * self.largest())
        if inner:
            slack = max(slack, SMALLEST * max(1.0, self.largest()), *(call.slack() for call in inner))
        return slack

    def grows_by_a_fraction(self):
        return self.name in ("cosine_restarts", "with_restarts") and self.arguments["t_mul"] % 1 > 0


def _made(value, make):
    if isinstance(value, Call):
        return make(value)
    return [_made(item, make) for item in value] if isinstance(value, list) else value


def _calls(value):
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, Call)]


def _is_number(value):
    return isinstance(value, int | float | np.floating)


def _at(operand, n):
    return operand(n) if callable(operand) else reference.mpf(operand)


def _slanted_triangular(n, max_lr, total_steps, cut_frac, ratio):
    return reference.one_cycle(n, max_lr, total_steps, cut_frac, ratio, 1, "linear", last="total")


REFERENCES: dict[str, Callable[..., Any]] = {
    "slanted_triangular": _slanted_triangular,
    "custom": lambda n, fn, **numbers: fn(n, **{name: reference.mpf(value) for name, value in numbers.items()}),
    "product": lambda n, left, right: _at(left, n) * _at(right, n),
    "total": lambda n, left, right: _at(left, n) + _at(right, n),
    "difference": lambda n, left, right: _at(left, n) - _at(right, n),
    "clip": lambda n, schedule, min, max: sorted([reference.mpf(min), schedule(n), reference.mpf(max)])[1],
    "shift": lambda n, schedule, k: schedule(n + k if n + k > 0 else 0),
    "repeat": lambda n, schedule, period: schedule(n % period),
}


class Dice:
    """Numbers over the useful range; inside a composition the words stay the same: fewer programs to compile."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.depth = 0

    def between(self, low, high):
        """A number whose logarithm is uniform."""
        return float(np.exp(self.random.uniform(np.log(low), np.log(high))))

    def chance(self, probability):
        return bool(self.random.random() < probability)

    def of(self, *options):
        return options[self.random.integers(len(options))]

    def word(self, *options):
        return options[0] if self.depth else self.of(*options)

    def rate(self):
        return float(f"{self.between(1e-6, 10):.{self.random.integers(1, 17)}g}")

    def rates(self):
        """A lower and a higher one; the lower is 0 at times, and below 0 at times."""
        low, high = sorted([self.rate(), self.rate()])
        return self.of(low, low, low, low, 0.0, 0.0, 0.0, low if self.depth else -low), high

    def length(self, longest=LONGEST):
        return int(self.between(1, longest + 1))

    def lengths(self, number):
        return sorted(self.length() for _ in range(number))

    def gamma(self):
        """A factor, mostly near 1; in a composition none above it, lest values stop at the largest float32."""
        near = [1 - self.between(1e-9, 0.9) for _ in range(4)]
        return self.of(*near, 1 + (-1 if self.depth else 1) * self.between(1e-9, 1e-3), 0.0, 0.1, 0.5, 0.95, 1.0)

    def decay_rate(self):
        return self.between(1e-12, 10)

    def begun(self, horizon):
        """Now and then, a way of which a share was done at some count."""
        if self.chance(0.7):
            return {}
        return {"begin": int(self.between(1, horizon + 1)) - 1, "begin_phase": self.of(0.0, self.between(1e-6, 0.99))}

    def schedule(self, *names):
        """A schedule for a composition, and its marks."""
        self.depth += 1
        name = self.of(*(names or (COMPOSED if self.depth == 1 else PLAIN)))
        arguments, marks = DRAWS[name](self)
        self.depth -= 1
        return Call(name, arguments), marks

    def counts(self, marks, number=32):
        """Counts at both ends and around the marks and their multiples, and as many others."""
        ends = [0, 1, LAST - 1, LAST]
        marks = [int(mark) for mark in marks if 1 <= mark <= LAST]
        multiples = [m * int(self.between(1, LAST // m + 1)) for m in marks]
        inside = [int(self.random.integers(m + 1)) for m in marks]
        borders = [m + step for m in marks + [2 * m for m in marks] + multiples for step in (-1, 0, 1)] + inside
        anywhere = [self.length(LAST) for _ in range(number)]
        if len(borders) > number // 2:
            borders = [int(n) for n in self.random.permutation(borders)[: number // 2]]
        counts = (ends + borders + anywhere)[:number]
        return np.clip(counts, 0, LAST).astype(np.int32)


DRAWS: dict[str, Callable[[Dice], tuple[dict[str, Any], list[int]]]] = {}
PLAIN = ("cosine", "linear", "polynomial", "exponential", "inverse_sqrt", "step_decay", "triangular")
COMPOSED = (*PLAIN, "piecewise_constant", "cosine_restarts", "warmup")


def draw(function):
    """Registers the draw of a family under its name: the arguments of its factory, and counts where it changes."""
    DRAWS[function.__name__] = function
    return function


def call_of(dice, name):
    """A drawn call, and its counts."""
    arguments, marks = DRAWS[name](dice)
    return Call(name, arguments), dice.counts(marks)


@draw
def constant(dice):
    return {"value": dice.of(1, -1) * dice.rate()}, []


@draw
def linear(dice):
    first, last = dice.random.permutation(dice.rates()).tolist()
    steps, begin = dice.length(), dice.of(0, dice.length())
    numbers = {"init_value": first, "end_value": last, "transition_steps": steps, "transition_begin": begin}
    return numbers, [begin, begin + steps, begin + steps // 2]


@draw
def polynomial(dice):
    numbers, marks = linear(dice)
    return {**numbers, "power": dice.of(0.5, 2.0, 0.9, dice.between(0.1, 5))}, marks


@draw
def exponential(dice):
    steps = dice.of(1, dice.length())
    end = dice.word(None, None, dice.rate())
    stairs = dice.word(False, False, True)
    rate = dice.gamma() if end is None else dice.of(dice.between(0.1, 0.99999), dice.between(1.00001, 2))
    numbers = {"decay_rate": rate, "transition_steps": steps, "staircase": stairs, "end_value": end}
    return {"init_value": dice.rate(), **numbers}, [steps, int(min(LAST, 1 / abs(1.0000000001 - rate)))]


@draw
def natural_exponential(dice):
    rate, steps = dice.decay_rate(), dice.of(1, dice.length())
    numbers = {"decay_rate": rate, "transition_steps": steps, "staircase": dice.word(False, True)}
    return {"init_value": dice.rate(), **numbers}, [steps, steps / rate]


@draw
def inverse_time(dice):
    return natural_exponential(dice)


@draw
def inverse_sqrt(dice):
    timescale = dice.length()
    return {"init_value": dice.rate(), "timescale": timescale}, [timescale]


@draw
def time_based(dice):
    rate = dice.decay_rate()
    return {"init_value": dice.rate(), "decay_rate": rate}, [15, 1 / rate, *(k / rate**0.5 for k in (1, 3, 8, 12))]


@draw
def step_decay(dice):
    steps, offset = dice.length(), dice.of(0, 1, dice.length())
    return {"init_value": dice.rate(), "decay_rate": dice.gamma(), "step_size": steps, "offset": offset}, [
        steps,
        steps - offset,
    ]


@draw
def multi_step(dice):
    milestones = dice.lengths(dice.word(4, 1))
    factors = dice.word(dice.gamma(), [dice.between(0.01, 2) for _ in milestones])
    return {"init_value": dice.rate(), "milestones": milestones, "decay_rate": factors}, milestones


@draw
def piecewise_constant(dice):
    boundaries = dice.lengths(3)
    return {"values": [dice.rate() for _ in range(4)], "boundaries": boundaries}, boundaries


@draw
def table(dice):
    return {"values": [dice.rate() for _ in range(5)]}, [1, 4, 5]


@draw
def cosine(dice):
    low, high = dice.rates()
    steps = dice.length()
    numbers = {"init_value": high, "decay_steps": steps, "end_value": low, **dice.begun(steps)}
    return {**numbers, "after": dice.word("hold", "rise")}, [steps, steps // 2, numbers.get("begin", 0)]


@draw
def cosine_restarts(dice):
    low, high = dice.rates()
    first = dice.length()
    growth = dice.of(1, 2, 3, 10, *([] if dice.depth else [1.5, 1.1, 1 + dice.between(1e-3, 9)]))
    starts = [first * sum(growth**i for i in range(k)) for k in range(1, 5)]
    while starts[-1] * growth < LAST and growth > 1.05:
        starts.append(starts[-1] * growth + first)
    numbers = {"first_decay_steps": first, "t_mul": growth, "m_mul": dice.of(1.0, 0.5, dice.between(0.1, 1))}
    return {"init_value": high, **numbers, "end_value": low}, [*starts, *(start + 1 for start in starts)]


@draw
def triangular(dice):
    low, high = dice.rates()
    up = dice.length()
    down = dice.word(None, dice.of(up, 0, dice.length()))
    cycle = up + (up if down is None else down)
    return {"base_lr": low, "max_lr": high, "step_size": up, "step_size_down": down}, [up, cycle]


@draw
def triangular2(dice):
    return triangular(dice)


@draw
def exp_range(dice):
    numbers, marks = triangular(dice)
    return {**numbers, "gamma": dice.gamma() if dice.chance(0.9) else 1.0, "decay_base": dice.word(False, True)}, marks


def alternating(x):
    return 1 - 0.5 * (x % 2)


@draw
def cyclic(dice):
    numbers, marks = triangular(dice)
    return {**numbers, "scale_fn": alternating, "scale_by": dice.word("cycle", "update")}, marks


def sawtooth(count, slope):
    return slope * (count % 1024)


@draw
def custom(dice):
    return {"fn": sawtooth, "slope": dice.rate()}, [1024]


@draw
def one_cycle(dice):
    steps, three = dice.length(), dice.word(False, True)
    start = dice.of(0.3, 0.25, 0.5, dice.between(1e-3, 0.5), min(0.5, 1 / steps), 0.0)
    words = {"anneal": dice.word("cos", "linear"), "three_phase": three, "last": dice.word("total-1", "total")}
    numbers = {"max_lr": dice.rate(), "div_factor": dice.between(1, 100), "final_div_factor": dice.between(1, 1e5)}
    marks = [steps, start * steps, 2 * start * steps]
    return {"total_steps": steps, "pct_start": start, **numbers, **words, **dice.begun(steps)}, marks


@draw
def one_cycle_momentum(dice):
    numbers, marks = one_cycle(dice)
    low, high = sorted([dice.between(0.1, 1), dice.between(0.1, 1)])
    names = ("total_steps", "pct_start", "anneal", "three_phase", "last", "begin", "begin_phase")
    shared = {name: numbers[name] for name in names if name in numbers}
    return {**shared, "base_momentum": low, "max_momentum": high}, marks


@draw
def slanted_triangular(dice):
    steps, cut = dice.length(), dice.of(0.1, dice.between(1e-3, 1))
    return {"max_lr": dice.rate(), "total_steps": steps, "cut_frac": cut, "ratio": dice.between(1, 100)}, [
        steps,
        cut * steps,
    ]


@draw
def flat_cosine(dice):
    low, high = dice.rates()
    steps, start = dice.length(), dice.of(0.75, dice.between(1e-3, 1))
    numbers = {"total_steps": steps, "pct_start": start}
    return {"init_value": high, **numbers, "end_value": low}, [steps, start * steps]


@draw
def tanh(dice):
    low, high = dice.rates()
    steps = dice.length()
    ends = {"lower": -dice.of(7.0, dice.between(1, 40)), "upper": dice.of(3.0, dice.between(1, 40))}
    return {"init_value": high, "decay_steps": steps, "end_value": low, **ends}, [steps]


@draw
def k_decay(dice):
    low, high = dice.rates()
    steps = dice.length()
    numbers = {"decay_steps": steps, "k": dice.of(1.0, dice.between(0.1, 5)), "shape": dice.word("cosine", "linear")}
    numbers |= {"power": dice.of(1.0, dice.between(0.1, 5))}
    return {"init_value": high, **numbers, "end_value": low}, [steps, steps // 2]


@draw
def rex(dice):
    steps = dice.length()
    return {"init_value": dice.rate(), "decay_steps": steps}, [steps]


@draw
def polynomial_cycles(dice):
    low, high = dice.rates()
    steps = dice.length()
    numbers = {"power": dice.of(1.0, 0.5, dice.between(0.1, 5)), "decay_steps": steps}
    return {"init_value": high, "end_value": low, **numbers}, [steps]


@draw
def noam(dice):
    width, steps = dice.length(100_000), dice.length()
    return {"d_model": width, "warmup_steps": steps, "factor": dice.rate()}, [steps]


@draw
def warmup_stable_decay(dice):
    low, high = dice.rates()
    rise, stay, fall = dice.of(0, dice.length()), dice.of(0, dice.length()), dice.length()
    lengths = {"warmup_steps": rise, "stable_steps": stay, "decay_steps": fall}
    numbers = {"peak_value": high, "init_value": dice.of(0.0, abs(low)), "end_value": dice.of(0.0, low)}
    decay = dice.word("linear", "cosine", "1-sqrt")
    begun = dice.begun(rise + stay + fall) if rise + stay + fall < LAST else {}
    return {**numbers, **lengths, "decay": decay, **begun}, [rise, rise + stay, rise + stay + fall]


@draw
def warmup(dice):
    schedule, marks = dice.schedule()
    steps = dice.of(0, dice.length())
    kind = dice.word("linear", "constant", "exponential")
    if kind == "exponential" and schedule.exact(0) <= 0:  # it needs a target above 0
        kind = "constant"
    first = dice.word(None, dice.rate()) if kind == "linear" else dice.rate()
    numbers = {"warmup_steps": steps, "init_value": first, "kind": kind, "offset": dice.of(0, 1, 7)}
    return {"schedule": schedule, **numbers}, [steps, *(steps + mark for mark in marks)]


@draw
def join(dice):
    children = [dice.schedule(name) for name in ("linear", dice.of("cosine", "exponential"), "triangular")]
    boundaries = dice.lengths(2)
    later = [start + mark for start, (_, marks) in zip([0, *boundaries], children, strict=True) for mark in marks]
    return {"schedules": [child for child, _ in children], "boundaries": boundaries}, [*boundaries, *later]


@draw
def per_epoch(dice):
    schedule, marks = dice.schedule()
    steps = dice.length(100_000_000)
    numbers = {"steps_per_epoch": steps, "staircase": dice.of(True, False)}
    return {"schedule": schedule, **numbers}, [steps, *(steps * mark for mark in marks)]


@draw
def at_speed(dice):
    schedule, marks = dice.schedule("cosine", "linear", "inverse_sqrt")
    speed = dice.of(2.0, 0.5, 3.0, 1 / 2.4, dice.between(0.1, 10))
    return {"schedule": schedule, "speed": speed}, [mark / speed for mark in marks]


@draw
def with_restarts(dice):
    schedule, marks = dice.schedule("cosine", "linear", "inverse_sqrt")
    numbers, starts = cosine_restarts(dice)
    numbers = {"period": numbers["first_decay_steps"], **{n: numbers[n] for n in ("t_mul", "m_mul", "end_value")}}
    return {"schedule": schedule, **numbers, "limit": dice.of(1, 2, 5)}, [*starts, *marks]


def _two(dice):
    left, marks = dice.schedule()
    if dice.chance(0.3):
        return left, dice.rate(), marks
    right, more = dice.schedule("cosine", "exponential")
    return left, right, marks + more


@draw
def product(dice):
    left, right, marks = _two(dice)
    return {"left": left, "right": right}, marks


@draw
def total(dice):
    return product(dice)


@draw
def difference(dice):
    return product(dice)


@draw
def clip(dice):
    schedule, marks = dice.schedule()
    low, high = sorted([dice.rate(), dice.rate()])
    return {"schedule": schedule, "min": low, "max": high}, marks


@draw
def shift(dice):
    schedule, marks = dice.schedule()
    k = dice.of(1, -1) * dice.length()
    return {"schedule": schedule, "k": k}, [abs(k), *(mark - k for mark in marks)]


@draw
def repeat(dice):
    schedule, marks = dice.schedule()
    period = dice.length()
    return {"schedule": schedule, "period": period}, [period, *marks, *(period + mark for mark in marks)]
