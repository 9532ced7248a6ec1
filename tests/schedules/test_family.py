"""What is known of a family stands with it: a family of this file is drawn, retimed, printed, parsed and noted."""

import itertools
import pickle
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from cases import CASES, examples_of, problems
from draws import LAST
from jaxlr_docs import calls

import jaxlr
from jaxlr.numerics.wide import from_integer
from jaxlr.schedules import Schedule, family, leaves, parse, retime
from jaxlr.schedules.declaring import declared
from jaxlr.schedules.family import FAMILIES, RECORDS
from jaxlr.training.runs.records.summary import horizon_note
from jaxlr.typing import Length, Scalar


def squared(init_value, steps, *, end_value=0.0):
    """Falls with the square of what is left.

    >>> float(squared(1.0, 10)(5))
    0.25
    """
    return Schedule(
        _squared,
        init_value=leaves.number("init_value", init_value),
        steps=leaves.length("steps", steps),
        end_value=leaves.number("end_value", end_value),
    )


def _squared(position, init_value, steps, end_value):
    _, left = position.parts(steps)
    return end_value + (init_value - end_value) * (left * left)


def _borders(a):
    return a.steps, [from_integer(a.steps - a.steps), from_integer(a.steps)]


@pytest.fixture
def added():
    """The family, registered for one test."""
    register = family(end="steps", scales=("init_value",), towards="end_value", borders=_borders)
    yield register(squared)
    del RECORDS["squared"], FAMILIES["squared"]


def test_a_family_needs_no_further_word(added):
    assert list(problems()) == [
        "squared has no row: add one to a file of tests/cases, with its exact value and its draw"
    ]
    rate = added(0.5, 100)
    assert repr(rate) == "squared(init_value=0.5, steps=100)"
    assert parse(repr(rate)).to_dict() == rate.to_dict() == Schedule.from_dict(rate.to_dict()).to_dict()
    assert pickle.loads(pickle.dumps(rate)).to_dict() == rate.to_dict()
    counts = np.arange(0, 130, 7)
    np.testing.assert_allclose(rate(counts), 0.5 * (1 - np.minimum(counts, 100) / 100) ** 2, rtol=1e-7)
    assert jaxlr.warmup(rate * 2.0, 10).end() == jaxlr.warmup(rate, 10).span() == 110
    longer = retime(rate, 50, steps=200)
    assert (float(longer(50)), float(longer(200))) == (float(rate(50)), 0.0)
    assert horizon_note(rate, 80, at_zero=0, an_epoch=10).startswith(
        "the run ends before its schedule, 80 updates into"
    )
    assert jax.jit(lambda s, n: s(n))(rate, 50) == jax.jit(lambda n: rate(n))(50) == rate(50)


@declared(lambda a: leaves.ordered("init_value", a.init_value, "end_value", a.end_value), begin=leaves.length_from_0)
def risen(init_value: "Scalar", steps: "Length" = 100, end_value: "Scalar | None" = None, *, begin: "Length" = 0): ...


def _risen(position, init_value, steps, end_value, begin):
    return init_value + (end_value - init_value) * position.since(begin).parts(steps)[0]


def test_a_family_that_only_says_what_it_takes_opens_the_doors_of_its_annotations():
    try:
        factory = family(end="steps")(risen)
        same = factory(1.0, 100, 3.0), factory(1.0, end_value=3.0), factory(init_value=1.0, end_value=3.0, begin=0)
        assert {repr(rate) for rate in same} == {"risen(init_value=1.0, end_value=3.0)"}
        assert [float(rate(50)) for rate in same] == [2.0, 2.0, 2.0]
        assert float(factory(1.0, 10, 3.0, begin=5)(10)) == 2.0
        for wrong, complaint in (
            (
                lambda: factory(3.0, 10, 1.0),
                "init_value must be at most end_value, got init_value=3.0 and end_value=1.0",
            ),
            (lambda: factory(1.0, 0, 3.0), "steps must be at least 1, got 0"),
            (lambda: factory(1.0, 10, 3.0, begin=-1), "begin must be at least 0, got -1"),
            (lambda: factory("high", 10, 3.0), "init_value must be a number"),
            (lambda: factory(1.0, 10, 3.0, 5), "takes from 1 to 3 positional arguments but 4"),
            (lambda: factory(1.0, stops=3), "unexpected keyword argument 'stops'"),
        ):
            with pytest.raises((TypeError, ValueError), match=re.escape(complaint)):
                wrong()
    finally:
        del RECORDS["risen"], FAMILIES["risen"]


def test_a_family_is_drawn_and_listed_by_the_command_line(added, tmp_path, capsys):
    from jaxlr import cli

    picture = tmp_path / "squared.png"
    cli.main(["plot", "squared(0.5, 100)", "--out", str(picture)])
    assert picture.read_bytes().startswith(b"\x89PNG")
    cli.main(["list"])
    assert "squared(init_value, steps, *, end_value=0.0)" in capsys.readouterr().out


@pytest.mark.ci
def test_every_family_has_its_curve_in_the_gallery_and_the_reference(added):
    curves = calls.by_family()
    assert FAMILIES.keys() <= curves.keys()
    assert curves["squared"] == "squared(1.0, 10)"
    assert (calls.updates(curves["squared"]), calls.updates(curves["rex"])) == (10, 400)
    rates = calls.rates(curves["squared"])[1]
    assert (rates[0], rates[200], rates[-1]) == (1.0, 0.25, 0.0)
    assert len(set(calls.rates(curves["rex"])[1])) == calls.STEPS
    panels = [axes.get_title("left") for axes in calls.gallery().draw().axes]
    assert FAMILIES.keys() - {"custom", "cyclic"} <= {*panels}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cosine(0.1, 10)", 10),
        ("cosine(0.1, 10, after='rise')", None),
        ("linear(0.1, 0.0, 10, transition_begin=5)", 15),
        ("warmup(one_cycle(0.1, 10), 3)", 13),
        ("warmup_stable_decay(0.1, 2, 3, 4)", 9),
        ("triangular(0.1, 1.0, 4)", None),
        ("warmup(exponential(0.1, 0.9), 3)", None),
        ("exponential(0.1, 0.9, end_value=0.03)", 12),  # 0.1 * 0.9**11 is 0.0314
        ("exponential(0.1, 0.9, end_value=0.03, transition_steps=7)", 80),
        ("exponential(0.1, 0.9, end_value=0.03, transition_steps=7, staircase=True)", 84),
        ("exponential(0.1, 0.5, end_value=0.025)", 2),
        ("exponential(0.1, 2.0, end_value=0.4, transition_steps=10)", 20),
        ("exponential(-0.1, 0.9, end_value=-0.03)", 12),
        ("exponential(0.1, 0.0, end_value=0.03)", 1),
        ("exponential(0.1, 0.9, end_value=0.2)", 0),
        ("exponential(0.1, 1.0, end_value=0.2)", None),
        ("exponential(0.1, 0.9, end_value=0.0)", None),
        ("exponential(0.1, 0.999999, end_value=1e-6, transition_steps=1000)", None),  # behind every count
        ("cosine(0.1, 10) * 0.5", 10),
        ("cosine(0.1, 10) * constant(0.5)", 10),
        ("cosine(0.1, 10) * multi_step(1.0, [5, 30], 0.1)", 30),
        ("constant(0.1) + multi_step(1.0, [5, 30], 0.1)", None),
        ("constant(0.1) + 0.1", None),
        ("table([0.3, 0.2, 0.1])", 2),
        ("cosine(0.1, 10) + linear(0.1, 0.0, 30)", 30),
        ("cosine(0.1, 10) + triangular(0.1, 1.0, 4)", None),
        ("join([constant(0.1), cosine(0.1, 10)], [5])", 15),
        ("per_epoch(cosine(0.1, 10), 20)", 200),
        ("at_speed(cosine(0.1, 10), 0.4)", 25),
        ("cosine(0.1, 10).shift(3)", 7),
        ("cosine(0.1, 10).clip(0.01, 1.0)", 10),
        ("cosine(0.1, 10).repeat(10)", None),
        ("k_decay(0.1, 10, k=2.0)", 10),
        ("flat_cosine(0.1, 10)", 10),
        ("cosine_restarts(0.1, 10, t_mul=2)", None),
        ("cosine_restarts(0.1, 10, t_mul=0.5)", 19),
        ("cosine_restarts(0.1, 10, t_mul=0.1)", 11),
        ("cosine_restarts(0.1, 3, t_mul=0.3333333333333333)", 4),
        ("with_restarts(cosine(0.1, 10), 10, t_mul=0.5)", 19),
        ("with_restarts(cosine(0.1, 10), 10, t_mul=0.5, limit=2)", 15),
        ("with_restarts(cosine(0.1, 10), 10, limit=3)", 30),
        ("with_restarts(cosine(0.1, 10), 10, t_mul=2, limit=3)", 70),
        ("with_restarts(cosine(0.1, 10), 10, t_mul=1.1, limit=3)", 34),  # 33.1
        ("with_restarts(cosine(0.1, 10), 10, t_mul=1e30, limit=1)", 10),
        ("with_restarts(cosine(0.1, 10), 10, t_mul=1e30, limit=1000)", None),
        ("with_restarts(cosine(0.1, 10), 10, limit=1_000_000_000)", None),
    ],
)
def test_the_end_of_a_schedule(text, expected):
    assert parse(text).end() == expected


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("triangular(0.1, 1.0, 4)", 16, (0, 8)),
        ("triangular2(0.1, 1.0, 4, step_size_down=6)", 25, (5, 10)),
        ("exp_range(0.1, 1.0, 4, 0.9)", 9, (1, 8)),
        ("warmup(triangular(0.1, 1.0, 4), 3)", 19, (0, 8)),
        ("warmup(triangular(0.1, 1.0, 4), 3)", 3, None),
        ("join([constant(0.1), triangular(0.1, 1.0, 4)], [5])", 14, (1, 8)),
        ("join([triangular(0.1, 1.0, 4), constant(0.1)], [8])", 8, (0, 8)),
        ("join([triangular(0.1, 1.0, 4), constant(0.1)], [8])", 9, None),
        ("triangular(0.1, 1.0, 4) * 0.5 + 0.01", 9, (1, 8)),
        ("triangular(0.1, 1.0, 4).shift(3)", 5, (0, 8)),
        ("cosine(0.1, 10).repeat(10)", 25, (5, 10)),
        ("per_epoch(triangular(0.1, 1.0, 2), 10)", 83, (3, 40)),
        ("cosine_restarts(0.1, 10, t_mul=2)", 70, (0, 80)),
        ("cosine_restarts(0.1, 7)", 2_000_000_000, (5, 7)),
        ("cosine_restarts(0.1, 10, t_mul=2)", 31, (1, 40)),
        ("with_restarts(linear(0.1, 0.0, 10), 10, t_mul=2, limit=2)", 12, (2, 20)),
        ("with_restarts(linear(0.1, 0.0, 10), 10, t_mul=2, limit=2)", 30, None),
        ("cosine_restarts(0.1, 10, t_mul=1.1)", 21, (0, 12)),
        ("cosine_restarts(0.1, 4, t_mul=0.5)", 5, (1, 2)),
        ("cosine_restarts(0.1, 4, t_mul=0.5)", 6, (0, 1)),
        ("cosine_restarts(0.1, 4, t_mul=0.5)", 7, None),
        ("with_restarts(linear(0.1, 0.0, 4), 4, t_mul=0.5, limit=2)", 6, None),
        ("polynomial_cycles(0.1, 0.0, 1.0, 10)", 25, (5, 10)),
        ("at_speed(triangular(0.1, 1.0, 4), 0.5)", 18, (2, 16)),
        ("cosine(0.1, 10)", 5, None),
    ],
)
def test_the_place_in_a_cycle(text, count, expected):
    place = parse(text).cycle(count)
    assert place is None if expected is None else place == expected


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("constant(0.1)", 1000),
        ("cosine(0.1, 300)", 300),
        ("linear(0.1, 0.0, 300, transition_begin=50)", 350),
        ("cosine_restarts(0.1, 100)", 300),
        ("cosine_restarts(0.1, 100, t_mul=2)", 700),
        ("cosine_restarts(0.1, 4, t_mul=0.5)", 7),
        ("triangular2(0.1, 1.0, 50)", 400),
        ("triangular(0.1, 1.0, 50, step_size_down=150)", 800),
        ("one_cycle(0.1, 300)", 300),
        ("one_cycle_momentum(300)", 300),
        ("warmup_stable_decay(0.1, 10, 20, 30)", 60),
        ("step_decay(0.1, 0.5, 30)", 120),
        ("multi_step(0.1, [40, 80], 0.1)", 100),
        ("piecewise_constant([0.1, 0.2], [80])", 100),
        ("table([0.3, 0.2, 0.1])", 3),
        ("rex(0.1, 300)", 300),
        ("tanh(0.1, 300)", 300),
        ("flat_cosine(0.1, 300)", 300),
        ("slanted_triangular(0.1, 300)", 300),
        ("polynomial_cycles(0.1, 0.0, 2.0, 50)", 200),
        ("noam(512, 100)", 400),
        ("inverse_sqrt(0.1, timescale=500)", 2000),
        ("with_restarts(linear(0.1, 0.0, 50), 100, t_mul=2)", 700),
        ("with_restarts(linear(0.1, 0.0, 50), 100, limit=5)", 500),
        ("at_speed(cosine(0.1, 300), 2.0)", 150),
        ("warmup(cosine(0.1, 300), 20)", 320),
        ("join([constant(0.1), cosine(0.1, 300)], [100])", 400),
        ("per_epoch(cosine(0.1, 30), 10)", 300),
        ("cosine(0.1, 300) * 0.5 + cosine(0.1, 200)", 300),
        ("cosine(0.1, 300).repeat(100)", 400),
        ("cosine(0.1, 300).shift(100)", 200),
        ("cosine(0.1, 300).clip(0.01, 1.0)", 300),
    ],
)
def test_a_schedule_is_drawn_to_its_end_by_default(text, steps):
    assert parse(text).span() == steps


LEAVES = {
    "number": leaves.number("x", 0.5),
    "factor": leaves.factor("x", 0.5),
    "length": leaves.length("x", 5),
    "offset": leaves.offset("x", -5),
    "numbers": leaves.numbers("x", [0.5, 0.25]),
    "factors": leaves.factors("x", [0.5, 0.25]),
    "lengths": leaves.lengths("x", [1, 2]),
}


@pytest.mark.parametrize(("door", "leaf"), list(itertools.product(LEAVES, LEAVES)))
def test_a_leaf_passes_its_own_door_alone(door, leaf):
    singular = door.removesuffix("s"), leaf.removesuffix("s")
    if singular[0] == singular[1]:
        assert getattr(leaves, leaf)("x", LEAVES[leaf]) is LEAVES[leaf]
    else:
        with pytest.raises(TypeError, match=r"^x must be .*, got the .* of a schedule; write its value out$"):
            getattr(leaves, door)("x", LEAVES[leaf])


def _numbers(schedule):
    return [value for value in schedule.arguments.values() if leaves.is_leaf(value)]


def test_no_argument_of_a_schedule_passes_as_another_kind():
    given = [
        jaxlr.exponential(0.1, 0.9, transition_steps=10),
        jaxlr.cosine_restarts(0.1, 10, m_mul=0.5),
        jaxlr.constant(0.1).shift(3),
        jaxlr.multi_step(0.1, [3, 5], [0.5, 0.1]),
    ]
    makers = {
        leaves.Number: lambda leaf: jaxlr.linear(leaf, 0.0, 10),
        leaves.Factor: lambda leaf: jaxlr.exponential(0.1, leaf),
        leaves.Length: lambda leaf: jaxlr.cosine(0.1, leaf),
        leaves.Offset: lambda leaf: jaxlr.constant(0.1).shift(leaf),
    }
    for leaf, (kind, make) in itertools.product(itertools.chain(*map(_numbers, given)), makers.items()):
        if type(leaf) is kind:
            make(leaf)
        else:
            with pytest.raises(TypeError, match="of a schedule; write its value out"):
                make(leaf)
    with pytest.raises(TypeError, match=r"init_value must be a number, got the factor .* of a schedule"):
        jaxlr.linear(jaxlr.exponential(0.1, 0.9).arguments["decay_rate"], 0, 10)


WRONG = """
import jaxlr
jaxlr.cosine("0.1", 10)
jaxlr.cosine(0.1, None)
jaxlr.cosine(0.1, 10, after="fall")
jaxlr.linear(None, 0.0, 10)
jaxlr.one_cycle(0.1, 10, anneal="cosine")
jaxlr.warmup(0.1, 10)
jaxlr.warmup(jaxlr.constant(0.1), 10, kind="quick")
jaxlr.join([0.1, jaxlr.constant(0.1)], [10])
jaxlr.per_epoch(0.1, 10)
jaxlr.multi_step(0.1, 10, 0.5)
jaxlr.exponential(0.1, jaxlr.constant(0.9))
jaxlr.adamw("0.1")
jaxlr.sgd(0.1, momentum="high")
jaxlr.retime(0.1, 10, decay_steps=20)
"""


def test_pyright_sees_wrong_kinds_of_arguments(tmp_path):
    pytest.importorskip("pyright")
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(tmp_path / "wrong.py")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = {line.split(":")[1] for line in result.stdout.splitlines() if " - error: " in line}
    calls = WRONG.strip().count("\n")
    assert calls == 14
    assert len(lines) >= 13, result.stdout


EXAMPLES = {f"{row.name}: {name}": each.schedule for row in CASES.values() for name, each in examples_of(row).items()}
ENDING = {name: schedule for name, schedule in EXAMPLES.items() if schedule.end() is not None}
CYCLING = {name: schedule for name, schedule in EXAMPLES.items() if schedule.cycle(10**9) is not None}


@pytest.mark.parametrize("schedule", ENDING.values(), ids=ENDING)
def test_from_its_end_on_the_rate_holds_and_shortly_before_it_did_not(schedule):
    end = schedule.end()
    counts = [end, end + 1, min(2 * end, 2**31 - 1), end - 2, end - 3 - end // 10, end - 3 - end // 4]
    rates = np.asarray(
        schedule(np.resize(np.maximum(counts, 0), 32).astype(np.int32))
    )  # as many as other tests ask for
    assert len(set(rates[:3].tolist())) == 1
    moving = "constant" not in repr(schedule) and end > 2
    assert not moving or (rates[3:6] != rates[0]).any()
    assert schedule.span() >= end


def test_every_family_with_a_last_rate_has_an_end():
    known = {schedule.name for schedule in ENDING.values()}
    assert known >= {name for name, record in RECORDS.items() if record.borders is not None}


@pytest.mark.parametrize("name", CASES)
def test_a_family_says_where_its_exact_value_comes_to_rest_and_that_it_rises_again(name):
    for example in examples_of(CASES[name]).values():
        schedule, exact = example.schedule, example.exact
        if schedule.end() is not None or schedule.cycle(10**9) is not None or name == "time_based":  # slow, and falls
            continue
        last = {exact(count) for count in (10**8 + 7, 10**9 + 3, LAST - 1, LAST)}
        # What was there before the last change of a piecewise one may still be the whole of it.
        known = schedule.family.steady or schedule.family.milestones or abs(min(last)) < 1e-45
        assert len(last) > 1 or known, "end="
        way = np.sign(np.diff([exact(count) for count in range(10_000, 10_100)]).astype(float))
        # Half a wave of a cosine that rises again is how it is used: nobody trains for two.
        assert len(set(way) - {0.0}) < 2 or name in ("custom", "cosine"), "cycle="


@pytest.mark.parametrize("schedule", CYCLING.values(), ids=CYCLING)
def test_a_cycle_begins_where_the_curve_does(schedule):
    # Where a cycle has just ended the last one's number of updates is the length of what lies behind.
    first = next(n for n in range(1, 4 * schedule.cycle(1).length + 1) if schedule.cycle(n).updates == 0)
    assert schedule.cycle(first - 1).updates == first - 1
    assert schedule.cycle(1) == (1, first) or first == 1
    assert schedule.cycle(first + 1).updates in (0, 1)
