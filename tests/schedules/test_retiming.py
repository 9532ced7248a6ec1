"""A new horizon in the middle of a run: the rate goes on from where it is, and ends where the new numbers say."""

import inspect
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from cases import CASES, EXACT, SHAPE, marked

import jaxlr
from jaxlr.schedules import FAMILIES, parse, rex
from jaxlr.schedules.family import RECORDS

COSINE = jaxlr.cosine(0.1, 1000, end_value=0.003)
ONE_CYCLE = jaxlr.one_cycle(0.1, 1000, pct_start=0.3)
THREE_PHASES = jaxlr.one_cycle(0.1, 1000, pct_start=0.3, three_phase=True, last="total", anneal="linear")
RETIMED = [
    (keep, row.name, number, text, numbers)
    for keep in ("rate", "phase")
    for row in CASES.values()
    if keep in row.keeps
    for number, (text, numbers) in enumerate(row.retimed)
]
BY_PHASE = [(parse(text), numbers) for keep, _, _, text, numbers in RETIMED if keep == "phase"]


def marks_of(name, number):
    """Each schedule compiles programs of its own: the first of a family stands for its further ones."""
    return pytest.mark.long if number else marked(name)


def structure_of(schedule):
    return jax.tree.structure(schedule), [(np.shape(leaf), leaf.dtype) for leaf in jax.tree.leaves(schedule)]


@pytest.mark.parametrize("at", [0, 60, 180, 500, 900, 998])
@pytest.mark.parametrize(
    ("keep", "schedule", "numbers"),
    [
        pytest.param(keep, parse(text), numbers, marks=marks_of(name, number), id=f"{keep}-{name}-{number}")
        for keep, name, number, text, numbers in RETIMED
    ],
)
def test_the_rate_goes_on_from_where_it_is(keep, schedule, numbers, at):
    new = jaxlr.retime(schedule, at, keep=keep, **numbers)
    counts = np.full(SHAPE, at, np.int32)
    np.testing.assert_array_max_ulp(new(counts), schedule(counts), 1)
    assert structure_of(new) == structure_of(schedule)
    for name, value in numbers.items():
        assert int(new.arguments[name]) == value


@pytest.mark.parametrize(("schedule", "numbers"), BY_PHASE)
def test_the_end_is_that_of_the_new_horizon(schedule, numbers):
    for keep in ("rate", "phase"):
        if schedule.name == "one_cycle" and keep == "rate":
            continue  # scaled as a whole
        new = jaxlr.retime(schedule, 500, keep=keep, **numbers)
        assert float(new(2000)) == float(schedule(10**6)) == float(new(2**31 - 1))
        if schedule.name not in ("one_cycle", "one_cycle_momentum") or schedule.arguments["last"] == "total":
            assert float(new(1998)) != float(new(2000))


def test_keeping_the_rate_is_the_new_curve_scaled():
    new = jaxlr.retime(COSINE, 400, decay_steps=2000)
    scale = (EXACT["cosine"](400, 0.1, 1000, 0.003) - 0.003) / (EXACT["cosine"](400, 0.1, 2000, 0.003) - 0.003)
    for n in (401, 700, 1500, 1999):
        exact = 0.003 + (EXACT["cosine"](n, 0.1, 2000, 0.003) - 0.003) * scale
        assert reference.ulps(new(n), exact) <= 1.5


@pytest.mark.parametrize("steps", [500, 3000])
def test_keeping_the_phase_is_the_old_curve_stretched(steps):
    new = jaxlr.retime(COSINE, 400, keep="phase", decay_steps=400 + steps)
    for n in (400, 401, 640, 899):
        old = 400 + (n - 400) * reference.mpf(600) / steps
        assert reference.ulps(new(n), EXACT["cosine"](old, 0.1, 1000, 0.003)) <= 1.5


@pytest.mark.parametrize("schedule", [ONE_CYCLE, pytest.param(THREE_PHASES, marks=pytest.mark.ci)])
@pytest.mark.parametrize("at", [150, 299, 301, 450])
def test_the_phases_of_one_cycle_stay_apart(schedule, at):
    """The peak does not lie at the same share of two horizons: a share of the whole would make the rate jump."""
    new = jaxlr.retime(schedule, at, keep="phase", total_steps=5000)
    np.testing.assert_array_max_ulp(new(at), schedule(at), 1)
    ahead = np.asarray(new(np.arange(5001)))[at:]  # of one shape for every `at`: one program
    rising = np.diff(ahead) > 0
    assert not (rising[1:] & ~rising[:-1]).any()  # up at most once
    assert at > 300 or ahead.max() == pytest.approx(0.1, rel=1e-3)


def test_a_second_change_goes_on_from_the_first():
    once = jaxlr.retime(COSINE, 200, keep="phase", decay_steps=3000)
    twice = jaxlr.retime(once, 1500, keep="phase", decay_steps=1600)
    back = jaxlr.retime(once, 1500, decay_steps=1600)
    np.testing.assert_array_max_ulp(twice(1500), once(1500), 1)
    np.testing.assert_array_max_ulp(back(1500), once(1500), 1)
    assert float(twice(1600)) == float(back(1600)) == float(np.float32(0.003))


@pytest.mark.parametrize("keep", ["rate", "phase"])
def test_goes_through_a_warmup(keep):
    schedule = jaxlr.warmup(COSINE, 100)
    new = jaxlr.retime(schedule, 600, keep=keep, decay_steps=2000)
    np.testing.assert_array_max_ulp(new(600), schedule(600), 1)
    assert float(new(2100)) == float(np.float32(0.003))
    assert structure_of(new) == structure_of(schedule)
    early = jaxlr.retime(schedule, 40, keep=keep, decay_steps=2000)
    np.testing.assert_array_equal(early(np.arange(40, 101)), schedule(np.arange(40, 101)))


def test_is_text_and_data():
    new = jaxlr.retime(COSINE, 400, keep="phase", decay_steps=2000)
    for again in (jaxlr.schedules.parse(repr(new)), jaxlr.Schedule.from_dict(new.to_dict())):
        np.testing.assert_array_equal(again(np.arange(300, 2001, 50)), new(np.arange(300, 2001, 50)))


@pytest.mark.parametrize("keep", ["rate", "phase"])
def test_a_compiled_step_takes_it_without_a_retrace(keep):
    traces = []

    @jax.jit
    def rate(schedule, count):
        traces.append(1)
        return schedule(count)

    @jax.jit
    def lengthen(schedule, at, steps):
        traces.append(1)
        return jaxlr.retime(schedule, at, keep=keep, decay_steps=steps)

    rate(COSINE, 0)
    for at, steps in [(100, 2000), (500, 1500), (500, 600)]:
        new = jaxlr.retime(COSINE, at, keep=keep, decay_steps=steps)
        compiled = lengthen(COSINE, at, steps)
        np.testing.assert_array_equal(rate(compiled, at + 50), rate(new, at + 50))
    assert len(traces) == 2


@pytest.mark.parametrize("keep", [pytest.param("rate", marks=pytest.mark.ci), "phase"])
def test_horizons_are_a_batch(keep):
    horizons = np.array([600, 1500, 2000])
    batch = jax.vmap(lambda steps: jaxlr.retime(COSINE, 500, keep=keep, decay_steps=steps)(550))(horizons)
    alone = [jaxlr.retime(COSINE, 500, keep=keep, decay_steps=int(steps))(550) for steps in horizons]
    np.testing.assert_array_equal(batch, np.array(alone))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: jaxlr.retime(0.1, 5, decay_steps=3), TypeError, "schedule must be a jaxlr schedule, got 0.1"),
        (lambda: jaxlr.retime(jaxlr.triangular(0.0, 1.0, 5), 5, step_size=3), TypeError, "must have a horizon"),
        (lambda: jaxlr.retime(COSINE.repeat(9), 5, decay_steps=3), TypeError, "must have a horizon"),
        (lambda: jaxlr.retime(COSINE * 0.5, 5, decay_step=3), TypeError, "has an argument 'decay_step'"),
        (
            lambda: jaxlr.retime(COSINE + COSINE, 5, decay_steps=9),
            TypeError,
            "decay_steps must be of one schedule alone",
        ),
        (
            lambda: jaxlr.retime(jaxlr.join([COSINE, jaxlr.constant(0.1)], [9]), 9, decay_steps=20),
            TypeError,
            "none of the present and later schedules",
        ),
        (
            lambda: jaxlr.retime(jaxlr.warmup(COSINE, 9), 9, warmup_steps=20),
            ValueError,
            "before the end of the warm-up, 9",
        ),
        (
            lambda: jaxlr.retime(jaxlr.multi_step(0.1, [3, 9], 0.5), 3, milestones=[4, 9]),
            ValueError,
            "milestones up to the count 3 must stay, for they are over: [3], got []",
        ),
        (
            lambda: jaxlr.retime(jaxlr.per_epoch(COSINE, 10, staircase=False), 15, keep="phase", decay_steps=20),
            ValueError,
            "at must be the count at which an epoch begins",
        ),
        (lambda: jaxlr.retime(COSINE, 5), TypeError, "at least one number"),
        (lambda: jaxlr.retime(COSINE, 5, decay_step=3), TypeError, "cosine has no argument 'decay_step'"),
        (
            lambda: jaxlr.retime(COSINE, 5.5, decay_steps=9),
            TypeError,
            "at must be an integer number of updates, got 5.5",
        ),
        (lambda: jaxlr.retime(COSINE, -1, decay_steps=3), ValueError, "at must be at least 0, got -1"),
        (lambda: jaxlr.retime(COSINE, 5, keep="lr", decay_steps=9), ValueError, "keep must be one of 'rate', 'phase'"),
        (lambda: jaxlr.retime(COSINE, 5, decay_steps=0), ValueError, "decay_steps must be at least 1, got 0"),
        (lambda: jaxlr.retime(COSINE, 5, init_value=0.3), TypeError, "init_value is what keep='rate' sets"),
        (lambda: jaxlr.retime(COSINE, 5, keep="phase", begin=3), TypeError, "begin is what keep='phase' sets"),
        (lambda: jaxlr.retime(COSINE, 5, after="rise"), TypeError, "after must be a number, got 'rise'"),
        (lambda: jaxlr.retime(COSINE, 500, decay_steps=400), ValueError, "before the new schedule has ended, got 500"),
        (lambda: jaxlr.retime(rex(0.1, 9), 5, keep="phase", decay_steps=20), TypeError, "keep must be 'rate' for rex"),
    ],
)
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=re.escape(words)):
        call()


def test_every_family_with_one_horizon_can_be_retimed():
    """A schedule that ends can be given another end; cycles and restarts go on for ever, and tables have no curve."""
    lengths = {"decay_steps", "total_steps", "transition_steps"}
    for case in CASES.values():
        arguments = set(inspect.signature(FAMILIES[case.name]).parameters)
        ends = RECORDS[case.name].end is not None and not arguments & {"schedule", "schedules"}
        if lengths & arguments or ends:
            said = f"{case.name}: say in its row how it is retimed, or why it is not"
            assert bool(case.retimed) != bool(case.not_retimed), said


@pytest.mark.parametrize("at", [1000, 1001, 10**6])
@pytest.mark.parametrize("keep", ["rate", "phase"])
@pytest.mark.parametrize(("schedule", "numbers"), BY_PHASE)
def test_from_its_end_on_nothing_is_retimed(schedule, numbers, keep, at):
    """Its rate is the last one, so that every factor on it gives a dead rate."""
    at += schedule.end() - 1000
    for whole in (schedule, jaxlr.warmup(schedule, 10), 0.5 * schedule):
        with pytest.raises(
            ValueError, match=r"at must lie before the schedule has ended, .* begin another, as jaxlr.join"
        ):
            jaxlr.retime(whole, at + 10 * (whole.name == "warmup"), keep=keep, **numbers)


MADE_OF_ONE = {
    "product": (0.5 * COSINE, 500, 2000),
    "sum": (COSINE + 0.01, 500, 2000),
    "quotient": (COSINE / 3, 500, 2000),
    "clip": (COSINE.clip(0.001, 0.09), 500, 2000),
    "shift": (COSINE.shift(100), 500, 1900),
    "join": (jaxlr.join([jaxlr.linear(0.0, 0.1, 100), COSINE], [100]), 500, 2100),
    "join to come": (jaxlr.join([jaxlr.linear(0.0, 0.1, 700), COSINE], [700]), 500, 2700),
    "per_epoch": (jaxlr.per_epoch(COSINE, 7), 3503, 14_000),
    "per_epoch smooth": (jaxlr.per_epoch(COSINE, 7, staircase=False), 3503, 14_000),
    "per_epoch of a fraction": (jaxlr.per_epoch(COSINE, 2.5), 1251, 5000),
    "at_speed": (jaxlr.schedules.at_speed(COSINE, 0.4), 1251, 5000),
    "per_example": (jaxlr.per_example(COSINE, 10, unit=25), 1251, 5000),
    "overlap": (jaxlr.warmup(COSINE, 100, overlap=True), 500, 2000),
    "all": ((0.5 * jaxlr.warmup(jaxlr.per_epoch(COSINE, 3), 30) + 0.1).clip(max=0.2), 1203, 6030),
}


@pytest.mark.parametrize("name", MADE_OF_ONE)
def test_goes_through_everything_that_is_made_of_one(name):
    schedule, at, end = MADE_OF_ONE[name]
    new = jaxlr.retime(schedule, at, decay_steps=2000)
    np.testing.assert_array_max_ulp(new(at), schedule(at), 1)
    assert new.end() == end
    assert float(new(end)) == float(schedule(10**8)) != float(new(end - 20))
    assert structure_of(new) == structure_of(schedule)
    if "smooth" not in name and name not in ("at_speed", "per_example"):
        by_phase = jaxlr.retime(schedule, at, keep="phase", decay_steps=2000)
        np.testing.assert_array_max_ulp(by_phase(at), schedule(at), 1)
        assert float(by_phase(end)) == float(schedule(10**8))


@pytest.mark.parametrize("steps", [60, 200])
def test_a_warmup_gets_another_end_along_a_straight_line(steps):
    schedule = jaxlr.warmup(COSINE, 100)
    new = jaxlr.retime(schedule, 50, warmup_steps=steps)
    counts = np.arange(50, steps + 1)
    np.testing.assert_allclose(new(counts), 0.05 + 0.05 * (counts - 50) / (steps - 50), rtol=1e-6)
    np.testing.assert_array_equal(new(steps + counts), COSINE(counts))
    ready = jaxlr.retime(jaxlr.warmup(COSINE, 100, init_value=0.01, kind="constant"), 50, warmup_steps=steps)
    assert [float(ready(n)) for n in (steps - 1, steps)] == [np.float32(0.01), np.float32(0.1)]


def test_an_exponential_goes_on_to_its_end():
    schedule = jaxlr.exponential(0.1, 0.9, end_value=0.03)
    new = jaxlr.retime(schedule, 5, decay_rate=0.95)
    exact = [max(0.1 * 0.9**5 * 0.95 ** (n - 5), 0.03) for n in range(5, 40)]
    np.testing.assert_allclose(new(np.arange(5, 40)), exact, rtol=1e-6)
    assert new.end() == 19
    for at, numbers, said in (
        (12, {"decay_rate": 0.95}, "before the schedule has ended, got the count 12"),
        (5, {"decay_rate": 0.5}, "before the new schedule has ended, got 5"),  # 0.1 * 0.5**5 lies below the end
    ):
        with pytest.raises(ValueError, match=said):
            jaxlr.retime(schedule, at, **numbers)
    inside = jax.jit(lambda n: jaxlr.retime(schedule, n, decay_rate=0.95)(n + 1) * schedule.end())(5)
    np.testing.assert_allclose(inside, 12 * exact[1], rtol=1e-6)


RISEN = {
    "linear": lambda n, steps: n / steps,
    "log": lambda n, steps: math.log1p(n) / math.log1p(steps),
    "1-exp": lambda n, steps: 1 - math.exp(-n / steps),
    "1-sqrt": lambda n, steps: 1 - math.sqrt(1 - n / steps),
    "cosine": lambda n, steps: (1 - math.cos(math.pi * n / steps)) / 2,
}


@pytest.mark.parametrize("overlap", [False, pytest.param(True, marks=pytest.mark.ci)])
@pytest.mark.parametrize("kind", [*RISEN, "exponential"])
def test_a_warmup_of_any_kind_keeps_its_form_and_its_rate(kind, overlap):
    schedule = jaxlr.warmup(COSINE, 100, init_value=0.01, kind=kind, overlap=overlap, offset=1)
    new = jaxlr.retime(schedule, 50, warmup_steps=80)
    counts = range(50, 50 + SHAPE)
    rates = np.asarray(new(np.array(counts)))
    np.testing.assert_array_max_ulp(rates[0], np.asarray(schedule(np.array(counts)))[0], 2)

    def target(n):
        return 0.003 + 0.097 * (1 + math.cos(math.pi * n / 1000)) / 2 if overlap else 0.1

    def rate(n, first, steps):
        if kind == "exponential":
            return first * (target(n) / first) ** ((n + 1) / steps)
        return first + (target(n) - first) * RISEN[kind](n + 1, steps)

    here = rate(50, 0.01, 100)
    if kind == "exponential":
        first = (here / target(50) ** (51 / 80)) ** (80 / 29)
    else:
        first = (here - target(50) * RISEN[kind](51, 80)) / (1 - RISEN[kind](51, 80))
    np.testing.assert_allclose(rates[:30], [rate(n, first, 80) for n in counts[:30]], rtol=1e-6)
    with pytest.raises(ValueError, match="before the end of the warm-up, 51, got 50, with an offset of 1"):
        jaxlr.retime(schedule, 50, warmup_steps=51)  # whose last update has the target already


def test_changes_to_come_are_moved_and_those_behind_stay():
    steps = jaxlr.retime(jaxlr.multi_step(1.0, [30, 60], 0.5), 40, milestones=[30, 80])
    assert [float(steps(n)) for n in (29, 30, 60, 79, 80)] == [1.0, 0.5, 0.5, 0.5, 0.25]
    pieces = jaxlr.retime(jaxlr.piecewise_constant([1.0, 0.5, 0.25], [30, 60]), 40, boundaries=[30, 50])
    assert [float(pieces(n)) for n in (30, 49, 50)] == [0.5, 0.5, 0.25]
    joined = jaxlr.retime(jaxlr.join([jaxlr.constant(1.0), COSINE], [30]), 20, boundaries=[40])
    assert [float(joined(n)) for n in (39, 40)] == [1.0, np.float32(0.1)]
    epochs = jaxlr.retime(jaxlr.per_epoch(jaxlr.multi_step(1.0, [3, 6], 0.5), 10), 40, milestones=[3, 8])
    assert [float(epochs(n)) for n in (30, 79, 80)] == [0.5, 0.5, 0.25]
    later = jaxlr.cooldown(jaxlr.constant(1.0), 50, 4).replace(at=60)  # whose `at` is no number of retime's
    assert [float(later(n)) for n in (40, 50, 60, 61, 64)] == [1.0, 1.0, 1.0, 0.75, 0.0]


COOLED = jaxlr.cooldown(jaxlr.warmup(jaxlr.cosine(0.1, 900), 100), 500, 10)


@pytest.mark.parametrize("at", [300, 500])
def test_a_cooldown_that_has_not_begun_takes_another_length(at):
    longer = jaxlr.retime(COOLED, at, steps=200)
    assert repr(longer) == repr(COOLED.replace(steps=200))
    assert longer(at) == COOLED(at)
    assert longer(699) > 0.0
    assert longer(700) == 0.0


def test_one_that_has_begun_does_not():
    with pytest.raises(ValueError, match="at must lie before the cooldown begins, 500, got 501; one that has"):
        jaxlr.retime(COOLED, 501, steps=200)
    between = jaxlr.per_epoch(COOLED, 2, staircase=False)  # of which 1001 lies half an update behind 500
    assert jaxlr.retime(between, 1000, steps=200)(1000) == between(1000)
    with pytest.raises(ValueError, match="at must lie before the cooldown begins, 500, got 500"):
        jaxlr.retime(between, 1001, steps=200)


def test_a_cooldown_changes_inside_a_program_and_in_a_batch():
    assert jax.jit(lambda s, n: s.replace(at=n)(n + 5))(COOLED, 300) == COOLED.replace(at=300)(305)
    moved = jax.jit(lambda s, n: jaxlr.retime(s, n, decay_steps=2000))(COOLED, 300)
    assert moved(300) == COOLED(300)
    many = jax.vmap(lambda rate: jaxlr.cooldown(jaxlr.constant(rate), 10, 10))(jnp.array([0.1, 0.2]))
    rates = jax.vmap(lambda schedule: schedule.replace(steps=5)(13))(many)
    np.testing.assert_allclose(rates, [0.04, 0.08], rtol=1e-6)
    with pytest.raises(ValueError, match="power must be left out for shape='linear', got <traced>"):
        jax.jit(lambda power: jaxlr.cooldown(jaxlr.constant(0.1), 10, 10, power=power)(3))(2.0)


@pytest.mark.parametrize(
    ("text", "numbers"), [(text, numbers) for keep, *_, text, numbers in RETIMED if keep == "rate"]
)
def test_a_curve_can_be_left_up_to_the_end_that_it_says(text, numbers):
    schedule = parse(text)
    end = schedule.end()
    if schedule.family.borders is None or end is None:
        pytest.skip("no curve by itself")
    with pytest.raises(ValueError, match="at must lie before the schedule has ended"):
        jaxlr.retime(schedule, end, **numbers)
    before = end - 2  # of a one-cycle the last update is at its end
    fresh = schedule.replace(**numbers).end()
    if fresh is None or fresh > end:
        jaxlr.retime(schedule, before, **numbers)
