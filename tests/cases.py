"""One row for each public schedule, from which every promise is parametrized.

A new family needs its row here, its formula in oracle/reference.py and its draw in oracle/draws.py; a test names what
is missing. Whether it is left to `pytest -m ci` follows from where it stands: those under `jaxlr.schedules` alone are.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import reference
from draws import DRAWS

import jaxlr
from jaxlr.schedules import FAMILIES, Schedule

LAST = 2**31 - 1
# Every test uses counts of one shape, so that a family is compiled once for most of them.
SHAPE = 16


class Example(NamedTuple):
    """A schedule, its value as an exact number, and counts at which both are asked for."""

    schedule: Schedule
    exact: Callable[[int], Any]
    counts: list[int]


@dataclasses.dataclass(frozen=True)
class Of:
    """An example by the arguments of the row's own family; further counts than the usual ones are its borders."""

    counts: tuple[int, ...]
    arguments: dict[str, Any]


def of(*counts, **arguments):
    return Of(counts, arguments)


def made(schedule, exact, *counts):
    """An example whose exact number the reference has under no name alone."""
    counts = [0, 1, 2, 3, 1000, 10**7 + 1, LAST - 1, LAST, *counts]
    return Example(schedule, exact, counts + [0] * (SHAPE - len(counts)))


@dataclasses.dataclass(frozen=True)
class Case:
    """What the tests need to know of a family."""

    name: str
    # By the name of the test: `of(...)` or `made(...)`. An alias, whose promises are those of another family, has none.
    examples: dict[str, Of | Example]
    # Of each number the range that ten values of it are taken from; integers where it is a length.
    numbers: dict[str, tuple] = dataclasses.field(default_factory=dict)
    # The other arguments of a call; a list of numbers is one of them.
    others: dict[str, Any] = dataclasses.field(default_factory=dict)
    # Schedules in the middle of which a new horizon is given, 2000 in all, and which words of `keep` they take.
    retimed: list[tuple[Schedule, dict[str, int]]] = dataclasses.field(default_factory=list)
    keeps: tuple[str, ...] = ("rate", "phase")
    # Why a family with a length has no end that could be moved.
    not_retimed: str = ""

    @property
    def rare(self):
        return not hasattr(jaxlr, self.name)

    def made_examples(self):
        """The examples by name, with their schedules and exact numbers."""
        return {name: self._made(example) for name, example in self.examples.items()}

    def _made(self, example):
        if isinstance(example, Example):
            return example
        exact, arguments = getattr(reference, self.name), example.arguments
        return made(FAMILIES[self.name](**arguments), lambda n: exact(n, **arguments), *example.counts)


def sawtooth(cycle):
    return 1 / cycle


def ramp(count, slope):
    return slope * count


def half_cosine(n):
    return reference.cosine(n, 0.3, 40)


ANY = {"init_value": (0.1, 1.0), "base_lr": (0.0, 0.1), "max_lr": (0.5, 1.0), "end_value": (0.0, 0.05)}
LATER = {"begin": (0, 9), "begin_phase": (0.0, 0.9)}
TRAPEZOID = jaxlr.warmup_stable_decay(0.1, 100, 700, 200, end_value=0.001, decay="1-sqrt")
UNIT = "its length is a unit, not an end"
ENDLESS = "goes on for ever"

ROWS = [
    Case(
        "constant",
        examples={"constant": of(value=0.1)},
        numbers={"value": (0.1, 1.0)},
    ),
    Case(
        "linear",
        examples={
            "linear": of(9, 10, 11, init_value=1e-3, end_value=0.7, transition_steps=10),
            "linear_later": of(299, 300, init_value=1.0, end_value=0.0, transition_steps=297, transition_begin=3),
        },
        numbers=ANY | {"transition_steps": (1, 10), "transition_begin": (0, 9)},
        retimed=[(jaxlr.linear(0.1, 0.01, 1000, transition_begin=50), {"transition_steps": 1950})],
    ),
    Case(
        "polynomial",
        examples={
            "polynomial": of(999, 1001, init_value=0.1, end_value=0.0, power=0.9, transition_steps=1000),
            "polynomial_rising": of(9**9, init_value=0.0, end_value=0.1, power=2.5, transition_steps=2 * 10**9),
        },
        numbers=ANY | {"power": (0.5, 3.0), "transition_steps": (1, 10), "transition_begin": (0, 9)},
        retimed=[(jaxlr.polynomial(0.1, 0.001, 0.9, 1000), {"transition_steps": 2000})],
    ),
    Case(
        "time_based",
        examples={
            "time_based": of(15, 16, 17, 40, init_value=0.1, decay_rate=0.01),
            "time_based_slow": of(10**6, init_value=0.1, decay_rate=1e-12),
        },
        numbers=ANY | {"decay_rate": (1e-4, 0.1)},
    ),
    Case(
        "inverse_time",
        examples={
            "inverse_time": of(init_value=0.1, decay_rate=0.01, transition_steps=7),
            "inverse_time_stairs": of(7, 8, init_value=0.1, decay_rate=0.3, transition_steps=4, staircase=True),
        },
        numbers=ANY | {"decay_rate": (0.1, 2.0), "transition_steps": (1, 10)},
        not_retimed=UNIT,
    ),
    Case(
        "inverse_sqrt",
        examples={"inverse_sqrt": of(9_999, 10_001, init_value=0.01, timescale=10_000)},
        numbers=ANY | {"timescale": (1, 10)},
    ),
    Case(
        "step_decay",
        examples={
            "step_decay": of(999, 1001, 5000, init_value=0.1, decay_rate=0.5, step_size=1000),
            "step_decay_notes": of(5, 6, init_value=0.1, decay_rate=0.7, step_size=3, offset=1),
        },
        numbers=ANY | {"decay_rate": (0.1, 0.9), "step_size": (1, 10), "offset": (0, 9)},
    ),
    Case(
        "multi_step",
        examples={
            "multi_step": of(4, 83, 84, init_value=1.0, milestones=[4, 8, 16, 32, 64, 84], decay_rate=0.5),
            "multi_step_factors": of(5, 6, init_value=0.3, milestones=[2, 5, 5], decay_rate=[0.3, 0.1, 2.0]),
        },
        numbers=ANY | {"decay_rate": (0.1, 0.9)},
        others={"milestones": [2, 5]},
    ),
    Case(
        "piecewise_constant",
        examples={"piecewise_constant": of(4, 5, 6, values=[0.1, 0.5, 0.03], boundaries=[2, 5])},
        others={"values": [0.1, 0.2], "boundaries": [3]},
    ),
    Case(
        "table",
        examples={"table": of(2, 3, 4, values=[0.1, 0.5, 0.03])},
        others={"values": [0.1, 0.2]},
    ),
    Case(
        "exponential",
        examples={
            "exponential": of(10**6, init_value=0.1, decay_rate=0.99999),
            "exponential_near_1": of(10**9, init_value=1.0, decay_rate=1 - 1e-9),
            "exponential_stairs": of(
                10_773_999, 10_774_000, init_value=0.1, decay_rate=0.999, transition_steps=1000, staircase=True
            ),
            "exponential_end": of(9, 40, init_value=0.1, decay_rate=0.9, end_value=0.03),
        },
        numbers=ANY | {"decay_rate": (0.5, 0.999), "transition_steps": (1, 10)},
        not_retimed=UNIT,
    ),
    Case(
        "natural_exponential",
        examples={
            "natural_exponential": of(init_value=0.1, decay_rate=0.3, transition_steps=1000),
            "natural_exponential_stairs": of(8, 9, init_value=0.1, decay_rate=0.3, transition_steps=3, staircase=True),
        },
        numbers=ANY | {"decay_rate": (0.01, 0.5), "transition_steps": (1, 10)},
        not_retimed=UNIT,
    ),
    Case(
        "cosine",
        examples={
            "cosine": of(999, 1001, 500, init_value=0.1, decay_steps=1000, end_value=1e-5),
            "cosine_rise": of(5, 10, 15, 20, init_value=0.1, decay_steps=10, after="rise"),
        },
        numbers=ANY | LATER | {"decay_steps": (4, 13)},
        retimed=[(jaxlr.cosine(0.1, 1000, end_value=0.003), {"decay_steps": 2000})],
    ),
    Case(
        "cosine_restarts",
        examples={
            "cosine_restarts": of(2**20 - 1, 2**20, init_value=0.1, first_decay_steps=1, t_mul=2, m_mul=0.9),
            "cosine_restarts_even": of(7, 14, init_value=0.1, first_decay_steps=7, end_value=0.01),
            "cosine_restarts_3": of(
                3**9 - 1, 3**9, (3**5 - 1) * 5, (3**10 - 1) * 5, init_value=1.0, first_decay_steps=10, t_mul=3
            ),
            "cosine_restarts_real": of(4, 5, 9, 10, init_value=0.1, first_decay_steps=2, t_mul=1.5),
        },
        numbers=ANY | {"first_decay_steps": (1, 10), "t_mul": (1.0, 2.0), "m_mul": (0.5, 1.0)},
        not_retimed=ENDLESS,
    ),
    Case(
        "triangular",
        examples={
            "triangular": of(1999, 2000, 2001, 4000, base_lr=0.001, max_lr=0.006, step_size=2000),
            "triangular_skewed": of(5, 7, 8, base_lr=0.0, max_lr=1.0, step_size=2, step_size_down=6),
            "triangular_drop": of(4, 5, base_lr=0.1, max_lr=1.0, step_size=2, step_size_down=0),
        },
        numbers=ANY | {"step_size": (1, 10), "step_size_down": (1, 10)},
    ),
    Case(
        "triangular2",
        examples={"triangular2": of(10, 15, 20, base_lr=0.001, max_lr=0.006, step_size=5)},
        numbers=ANY | {"step_size": (1, 10), "step_size_down": (1, 10)},
    ),
    Case(
        "exp_range",
        examples={
            "exp_range": of(2000, base_lr=0.001, max_lr=0.006, step_size=2000, gamma=0.99994),
            "exp_range_both": of(50, base_lr=0.001, max_lr=0.006, step_size=20, gamma=0.999, decay_base=True),
        },
        numbers=ANY | {"step_size": (1, 10), "gamma": (0.5, 0.999), "step_size_down": (1, 10)},
    ),
    Case(
        "cyclic",
        examples={"cyclic": of(10, 20, base_lr=0.001, max_lr=0.006, step_size=4, scale_fn=sawtooth)},
        numbers=ANY | {"step_size": (1, 10), "step_size_down": (1, 10)},
        others={"scale_fn": sawtooth},
    ),
    Case(
        "one_cycle",
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
            (jaxlr.one_cycle(0.1, 1000, pct_start=0.3), {"total_steps": 2000}),
            (
                jaxlr.one_cycle(0.1, 1000, pct_start=0.3, three_phase=True, last="total", anneal="linear"),
                {"total_steps": 2000},
            ),
        ],
    ),
    Case(
        "one_cycle_momentum",
        examples={"one_cycle_momentum": of(299, 999, total_steps=1000)},
        numbers=LATER
        | {"total_steps": (5, 14), "pct_start": (0.2, 0.5), "base_momentum": (0.5, 0.8), "max_momentum": (0.9, 1.0)},
        retimed=[(jaxlr.one_cycle_momentum(1000), {"total_steps": 2000})],
    ),
    Case(
        "slanted_triangular",
        examples={},
        numbers=ANY | {"total_steps": (5, 14), "cut_frac": (0.1, 0.5), "ratio": (2.0, 32.0)},
        not_retimed="is made of one_cycle",
    ),
    Case(
        "warmup_stable_decay",
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
    ),
    Case(
        "flat_cosine",
        examples={"flat_cosine": of(749, 750, 751, 999, init_value=0.1, total_steps=1000, end_value=1e-4)},
        numbers=ANY | {"total_steps": (5, 14), "pct_start": (0.2, 0.9)},
        retimed=[(jaxlr.schedules.flat_cosine(0.1, 1000, pct_start=0.2), {"total_steps": 2000})],
        keeps=("rate",),
    ),
    Case(
        "tanh",
        examples={"tanh": of(700, 999, init_value=0.1, decay_steps=1000, end_value=1e-5)},
        numbers=ANY | {"decay_steps": (4, 13), "lower": (-7.0, -3.0), "upper": (2.0, 3.0)},
        retimed=[(jaxlr.schedules.tanh(0.1, 1000, end_value=0.01), {"decay_steps": 2000})],
        keeps=("rate",),
    ),
    Case(
        "k_decay",
        examples={
            "k_decay": of(999, 500, init_value=0.1, decay_steps=1000, k=1.5),
            "k_decay_power": of(999, 1001, init_value=0.1, decay_steps=1000, k=0.5, power=0.7, shape="linear"),
        },
        numbers=ANY | {"decay_steps": (4, 13), "k": (0.5, 2.0), "power": (0.5, 3.0)},
        retimed=[(jaxlr.schedules.k_decay(0.1, 1000, k=1.5), {"decay_steps": 2000})],
        keeps=("rate",),
    ),
    Case(
        "rex",
        examples={"rex": of(999, 500, init_value=0.1, decay_steps=1000)},
        numbers=ANY | {"decay_steps": (4, 13)},
        retimed=[(jaxlr.schedules.rex(0.1, 1000), {"decay_steps": 2000})],
        keeps=("rate",),
    ),
    Case(
        "polynomial_cycles",
        examples={"polynomial_cycles": of(4, 5, 8, 9, init_value=1.0, end_value=0.1, power=0.5, decay_steps=4)},
        numbers=ANY | {"power": (0.5, 3.0), "decay_steps": (4, 13)},
        not_retimed=ENDLESS,
    ),
    Case(
        "noam",
        examples={"noam": of(3999, 4000, d_model=512, warmup_steps=4000)},
        numbers={"d_model": (1, 10), "warmup_steps": (1, 10), "factor": (0.5, 2.0)},
    ),
    Case(
        "custom",
        examples={"custom": made(jaxlr.custom(ramp, slope=0.5), lambda n: reference.mpf(n) / 2)},
        numbers={"slope": (0.25, 0.5)},
        others={"fn": ramp},
    ),
    Case(
        "warmup",
        examples={
            "warmup": made(
                jaxlr.warmup(jaxlr.cosine(0.3, 40), 10),
                lambda n: reference.warmup(n, half_cosine, 10),
                9,
                10,
                11,
                30,
                50,
            ),
            "warmup_exponential": made(
                jaxlr.warmup(jaxlr.cosine(0.3, 40), 10, init_value=1e-4, kind="exponential", offset=1),
                lambda n: reference.warmup(n, half_cosine, 10, 1e-4, "exponential", 1),
                9,
                10,
            ),
            "warmup_constant": made(
                jaxlr.warmup(jaxlr.cosine(0.3, 40), 10, init_value=0.01, kind="constant"),
                lambda n: reference.warmup(n, half_cosine, 10, 0.01, "constant"),
                9,
                10,
            ),
        },
        numbers={"warmup_steps": (0, 9), "init_value": (0.1, 0.5), "offset": (0, 9)},
        others={"schedule": jaxlr.cosine(1.0, 7)},
    ),
    Case(
        "cooldown",
        examples={
            "cooldown": made(
                jaxlr.cooldown(jaxlr.cosine(0.3, 40), 20, 10),
                lambda n: reference.cooldown(n, half_cosine, 20, 10),
                19,
                20,
                21,
                29,
                30,
            ),
            "cooldown_exponential": made(
                jaxlr.cooldown(jaxlr.constant(0.3), 20, 10, shape="exponential", end_value=1e-3),
                lambda n: reference.cooldown(n, lambda n: reference.mpf(0.3), 20, 10, "exponential", 1e-3),
                21,
                29,
            ),
            "cooldown_power": made(
                jaxlr.cooldown(jaxlr.inverse_sqrt(0.3), 20, 10**9, shape="power", power=2.5, end_value=0.01),
                lambda n: reference.cooldown(
                    n, lambda n: reference.inverse_sqrt(n, 0.3), 20, 10**9, "power", 0.01, 2.5
                ),
                21,
                10**9,
            ),
            "cooldown_sqrt": made(
                jaxlr.cooldown(jaxlr.constant(0.3), 20, 1000, shape="1-sqrt"),
                lambda n: reference.cooldown(n, lambda n: reference.mpf(0.3), 20, 1000, "1-sqrt"),
                21,
                1019,
                1020,
            ),
            "cooldown_cosine": made(
                jaxlr.cooldown(jaxlr.constant(0.3), 20, 1000, shape="cosine"),
                lambda n: reference.cooldown(n, lambda n: reference.mpf(0.3), 20, 1000, "cosine"),
                21,
                1019,
                1020,
            ),
        },
        numbers={"at": (0, 9), "steps": (4, 13), "end_value": (0.01, 0.1), "power": (0.5, 3.0)},
        others={"schedule": jaxlr.cosine(1.0, 7), "shape": "power"},
    ),
    Case(
        "per_example",
        examples={
            "per_example": made(
                jaxlr.per_example(jaxlr.cosine(0.3, 40), 3, unit=7),
                lambda n: reference.per_example(n, half_cosine, 3, 7),
                92,
                93,
                94,
            ),
            "per_example_ramp": made(
                jaxlr.per_example(jaxlr.cosine(0.3, 40), {0: 1, 10: 3, 20: 7}, scale="sqrt"),
                lambda n: reference.per_example(n, half_cosine, {0: 1, 10: 3, 20: 7}, 1, "sqrt"),
                9,
                10,
                11,
                13,
                14,
                17,
            ),
        },
        numbers={"batch_size": (1, 10), "unit": (1, 10)},
        others={"schedule": jaxlr.cosine(1.0, 7)},
    ),
    Case(
        "power",
        examples={
            "power": made(
                jaxlr.power(0.1, -0.51, timescale=100, shift=7),
                lambda n: reference.power_of_count(n, 0.1, -0.51, 100, 7),
                92,
                93,
                94,
            ),
        },
        numbers=ANY | {"exponent": (-0.9, -0.1), "timescale": (1, 10), "shift": (0, 9)},
    ),
    Case(
        "join",
        examples={
            "join": made(
                jaxlr.join([jaxlr.cosine(0.3, 40), jaxlr.constant(0.2), jaxlr.cosine(0.3, 40)], [20, 1000]),
                lambda n: reference.join(n, [half_cosine, lambda n: 0.2, half_cosine], [20, 1000]),
                19,
                20,
                999,
            )
        },
        others={"schedules": [jaxlr.cosine(1.0, 7)] * 2, "boundaries": [3]},
    ),
    Case(
        "per_epoch",
        examples={
            "per_epoch": made(
                jaxlr.per_epoch(jaxlr.cosine(0.3, 40), 390),
                lambda n: reference.per_epoch(n, half_cosine, 390),
                389,
                390,
            ),
            "per_epoch_smooth": made(
                jaxlr.per_epoch(jaxlr.cosine(0.3, 40), 390, staircase=False),
                lambda n: reference.per_epoch(n, half_cosine, 390, False),
                389,
                390,
                15_599,
                15_600,
            ),
        },
        numbers={"steps_per_epoch": (1, 10)},
        others={"schedule": jaxlr.cosine(1.0, 7)},
    ),
    Case(
        "at_speed",
        examples={
            "at_speed": made(
                jaxlr.schedules.at_speed(jaxlr.cosine(0.3, 40, end_value=0.01), 2.5),
                lambda n: reference.at_speed(n, lambda n: reference.cosine(n, 0.3, 40, 0.01), 2.5),
                15,
                16,
                17,
            ),
            "at_speed_stairs": made(
                jaxlr.schedules.at_speed(jaxlr.step_decay(0.3, 0.999, 1), 1 / 2.4),
                lambda n: reference.at_speed(n, lambda n: reference.step_decay(n, 0.3, 0.999, 1), 1 / 2.4),
                11,
                12,
                24,
                36,
            ),
        },
        numbers={"speed": (0.5, 2.0)},
        others={"schedule": jaxlr.cosine(1.0, 7)},
    ),
    Case(
        "with_restarts",
        examples={
            "with_restarts": made(
                jaxlr.schedules.with_restarts(
                    jaxlr.linear(0.3, 0.1, 10), 10, t_mul=1.5, m_mul=0.5, limit=3, end_value=0.05
                ),
                lambda n: reference.with_restarts(
                    n, lambda n: reference.linear(n, 0.3, 0.1, 10), 10, 1.5, 0.5, 3, 0.05
                ),
                10,
                11,
                24,
                25,
                26,
                47,
                48,
            ),
            "with_restarts_even": made(
                jaxlr.schedules.with_restarts(jaxlr.cosine(0.3, 40, end_value=0.01), 40, m_mul=0.999),
                lambda n: reference.with_restarts(n, lambda n: reference.cosine(n, 0.3, 40, 0.01), 40, 1, 0.999),
                39,
                40,
                80,
                81,
            ),
        },
        numbers={
            "period": (2, 11),
            "t_mul": (1.0, 3.0),
            "m_mul": (0.1, 0.9),
            "limit": (1, 10),
            "end_value": (0.01, 0.02),
        },
        others={"schedule": jaxlr.cosine(1.0, 7)},
    ),
]
CASES = {case.name: case for case in ROWS}


def problems():
    """What is wrong with the rows: one line for each schedule without one, and for each part that a row lacks."""
    for name in FAMILIES.keys() - CASES.keys():
        yield f"{name} has no row: add a Case to ROWS in tests/cases.py"
    for name in CASES.keys() - FAMILIES.keys():
        yield f"{name} has a row in tests/cases.py and is no schedule"
    for name in FAMILIES.keys() - DRAWS.keys():
        yield f"{name} has no draw: add a function of this name to tests/oracle/draws.py"
    for case in ROWS:
        if any(isinstance(example, Of) for example in case.examples.values()) and not hasattr(reference, case.name):
            yield f"{case.name} has no formula: add a function of this name to tests/oracle/reference.py"


def marked(family):
    """The marks of a test of this family: the rare ones wait for `pytest -m ci`."""
    return pytest.mark.ci if family in CASES and CASES[family].rare else ()


def names(families):
    """The names as parameters."""
    return [pytest.param(name, id=name, marks=marked(name)) for name in families]
