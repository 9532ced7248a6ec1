"""What is no schedule is one error that names the place, whatever the data are."""

import json

import pytest

import jaxlr
from jaxlr.schedules import Schedule, parse
from jaxlr.schedules.family import RECORDS
from jaxlr.schedules.printing import DEEPEST

COSINE = jaxlr.cosine(0.1, 10).to_dict()


def within(data, times=1):
    for _ in range(times):
        data = {"family": "shift", "arguments": {"schedule": data, "k": 1}}
    return data


ITSELF = within(COSINE)
ITSELF["arguments"]["schedule"] = ITSELF
LIST = []
LIST.append(LIST)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (5, "data must be a mapping such as to_dict() returns, got 5"),
        ("x", "data must be a mapping such as to_dict() returns, got 'x'"),
        (None, "data must be a mapping such as to_dict() returns, got None"),
        ([COSINE], "data must be a mapping"),
        ({}, "family must be the name of a schedule, got None at data"),
        ({"function": "sin"}, "data must be a mapping"),
        ({"family": ["cosine"], "arguments": {}}, "got ['cosine'] at data"),
        ({"family": "cosine", "arguments": {5: 1}}, "arguments of cosine must be a mapping of names to values"),
        ({"family": "cosine", "arguments": {"init_value": 0.1}}, "data: cosine: missing a required argument"),
        ({"family": "clip", "arguments": {"schedule": "word", "min": 0, "max": 1}},
         "data: schedule must be a jaxlr schedule, got 'word'; read a text with jaxlr.schedules.parse(...)"),
        (within({"family": "cosine", "arguments": {"init_value": "a", "decay_steps": 5}}),
         "data.arguments.schedule: init_value must be a number, got 'a'"),
        ({"family": "join", "arguments": {"schedules": [COSINE, {"family": "cosin"}], "boundaries": [3]}},
         "family must be the name of a schedule, got 'cosin' at data.arguments.schedules[1]"),
        ({"family": "custom", "arguments": {"fn": {"function": ["max"]}}}, "functions must hold the function ['max']"),
        (within(COSINE, 2000), f"data must be nested at most {DEEPEST} deep, got more at data.arguments.schedule"),
        (ITSELF, f"data must be nested at most {DEEPEST} deep"),
        ({"family": "table", "arguments": {"values": LIST}}, f"data must be nested at most {DEEPEST} deep"),
    ],
)  # fmt: skip
def test_names_the_place(data, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        Schedule.from_dict(data)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("nonsense", [5, -1, 2.5, "x", None, [], {}, True, float("nan"), [[]], 10**400, [{}], ["x"]],
                         ids=repr)  # fmt: skip
def test_every_argument_of_every_family_refuses_nonsense_or_takes_it(nonsense):
    refusals = []
    usual = {"schedule": COSINE, "left": COSINE, "right": 2.0, "schedules": [COSINE, COSINE], "boundaries": [5]}
    for name, record in RECORDS.items():
        for wrong in record.parameters:
            arguments = {each: usual.get(each, 0.5) for each in record.parameters if each not in ("fn", "numbers")}
            data = {"family": name, "arguments": arguments | {wrong: nonsense}}
            try:
                made = Schedule.from_dict(data)
            except (TypeError, ValueError) as error:
                refusals.append(str(error))
            else:
                assert isinstance(made, Schedule)
    assert all(each.startswith(("data: ", "family must be", "arguments of", "functions must")) for each in refusals)


def test_what_is_as_deep_as_may_be_is_read():
    deep = within(COSINE, DEEPEST - 1)
    assert Schedule.from_dict(json.loads(json.dumps(deep))).to_dict() == deep
    assert parse("cosine(0.1, 10)" + ".shift(1)" * (DEEPEST - 2)).to_dict() == within(COSINE, DEEPEST - 2)


@pytest.mark.parametrize(
    "text", ["constant(0.1)" + ".shift(1)" * 200, "-" * 500 + "constant(0.1)", " + ".join(["constant(0.1)"] * 90)]
)
def test_a_text_that_is_too_deep_is_one_line(text):
    with pytest.raises(ValueError, match=f"it must be nested at most {DEEPEST} deep") as caught:
        parse(text)
    assert "\n" not in str(caught.value)
