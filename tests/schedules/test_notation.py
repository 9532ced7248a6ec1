# ruff: noqa: E501, one case a line
"""The text notation: what it reads, what it refuses, and that it never runs anything."""

import pytest

from jaxlr.schedules import parse


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("constant(0.1)", "constant(value=0.1)"),
        (
            "warmup(cosine(0.1, 10ep), 1ep)",
            "warmup(schedule=cosine(init_value=0.1, decay_steps=500), warmup_steps=50)",
        ),
        ("cosine(1e-3, 2.5ep, end_value=1e-5)", "cosine(init_value=0.001, decay_steps=125, end_value=1e-05)"),
        ("multi_step(.1, [1ep, 2ep], 0.1)", "multi_step(init_value=0.1, milestones=[50, 100], decay_rate=0.1)"),
        ("per_epoch(exponential(0.1, 0.95), 1ep)", "per_epoch(schedule=exponential(init_value=0.1, decay_rate=0.95), "
         "steps_per_epoch=50)"),
        ("cosine(0.1, 1e5)", "cosine(init_value=0.1, decay_steps=100000)"),
        ("linear(-0.1, 0.1, 5)", "linear(init_value=-0.1, end_value=0.1, transition_steps=5)"),
        ("0.5 * cosine(0.1, 5) + constant(0.1)", "((0.5 * cosine(init_value=0.1, decay_steps=5)) + constant(value=0.1))"),
        ("cosine(0.1, 5).shift(-2).clip(0.01, 0.1)", "cosine(init_value=0.1, decay_steps=5).shift(-2)"
         ".clip(min=0.01, max=0.1)"),
        ("-cosine(0.1, 5) / 2", "((-1.0 * cosine(init_value=0.1, decay_steps=5)) / 2.0)"),
        ("+cosine(0.1, 5)", "cosine(init_value=0.1, decay_steps=5)"),
        ("1 / cosine(0.1, 5)", "(1.0 * (cosine(init_value=0.1, decay_steps=5) ** -1.0))"),
        ("-(cosine(0.1, 5) ** 0.5)", "(-1.0 * (cosine(init_value=0.1, decay_steps=5) ** 0.5))"),
        ("cosine(0.1, 5).clip(max=0.01)", "cosine(init_value=0.1, decay_steps=5).clip(max=0.01)"),
        ("cosine(0.1, 5).repeat(1ep)", "cosine(init_value=0.1, decay_steps=5).repeat(50)"),
        ("join([constant(0.1), constant(0.2)], [7])", "join(schedules=[constant(value=0.1), constant(value=0.2)], "
         "boundaries=[7])"),
    ],
)  # fmt: skip
def test_reads(text, printed):
    schedule = parse(text, steps_per_epoch=50)
    assert repr(schedule) == printed
    assert repr(parse(printed)) == printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cosin(0.1, 5)", "unknown schedule 'cosin'; did you mean 'cosine'?"),
        ("triangular(0.1, 0.2, 5, gama=1)", "unknown argument 'gama'"),
        ("exp_range(0.1, 0.2, 5, gama=1.0)", "did you mean 'gamma'?"),
        ("cosine(0.1)", "missing a required argument: 'decay_steps'"),
        ("cosine(0.1, 5, 0.0)", "too many positional arguments"),
        ("cosine(0.1, -5)", "decay_steps must be at least 1, got -5"),
        ("cosine(0.1, 2.5)", "decay_steps must be an integer number of updates, got 2.5; make it one with int(...)"),
        (
            "cosine(0.1, '10ep')",
            "schedule \"cosine(0.1, '10ep')\": a length is written without quotes, as 10ep, got '10ep'",
        ),
        ("cosine(0.1, -10ep)", "'-10ep' has no meaning here"),
        ("cosine(0.1, 5, after='in 2ep')", "got 'in 2ep'"),
        ("cosine('a', 5)", "init_value must be a number, got 'a'"),
        ("cosine(0.1, 5, after='fall')", "after must be one of 'hold', 'rise', got 'fall'"),
        ("warmup(0.1, 5)", "schedule must be a jaxlr schedule, got 0.1; wrap a number in jaxlr.constant(...)"),
        ("0.1", "a fixed rate is written constant(0.1)"),
        ("0.1 * 0.2", "arithmetic is for schedules"),
        ("", "is not written as a call"),
        ("cosine(0.1, 5", "is not written as a call"),
        ("cosine(0.1, 5ep)", "needs to know the updates in an epoch"),
        ("cosine(*[0.1, 5])", "has no meaning here"),
        ("cosine(**{})", "** has no meaning here"),
        ("__import__('os').system('true')", "has no meaning here"),
        ("().__class__", "has no meaning here"),
        ("lambda: 0", "has no meaning here"),
        ("[constant(0.1) for _ in '12']", "has no meaning here"),
        ("table([0.1, ..., 0.2])", "to_dict() holds it whole"),
        ("custom(print)", "has no meaning here"),
        ("constant(10**10)", "arithmetic is for schedules"),
        ("-(2)", "no schedule"),
        ("constant(0.1) ** constant(2.0)", "the exponent must be a number"),
        ("constant(0.1) / 0", "the divisor must not be 0, got 0.0"),
        ("(" * 500 + ")" * 500, "is not written as a call"),
    ],
)
def test_refuses_in_one_line(text, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        parse(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        f"cosine(0.1, 10, after='{LONG}')",
        f"cosine('{LONG}', 10)",
        f"cosine(0.1, '{LONG}')",
        f"cosine(0.1, {LONG}=3)",
        f"{LONG}(0.1)",
        f"cosine(0.1, 10) + b'{LONG}'",
        f"['{LONG}']",
        "1 " * 50_000,
        "0.1" + " " * 100_000,
        "a." * 30_000 + "b(3)",
        f"multi_step(0.1, [{'3, 2, ' * 20_000}1], 0.1)",
        f"join([{'constant(0.1), ' * 5_000}], [3])",
        f"cosine('{'1' * 300}ep', 3)" + " " * 100_000,
    ],
    ids=range(14),
)
def test_what_was_given_is_repeated_in_part(text):
    with pytest.raises(ValueError, match=r"^(unknown )?schedule ") as caught:
        parse(text)
    assert len(str(caught.value)) < 1_000
    assert len(str(caught.value).splitlines()) == 1
