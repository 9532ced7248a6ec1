"""Every schedule is the exact number to 1 ulp: a short form of fuzz.py, and the worst cases that it ever found."""

import jax
import mpmath
import numpy as np
import pytest
from cases import ROWS, dice_of, names
from draws import LAST, PLAIN, Dice, call_of
from fuzz import FORMS, check, errors, exact_range
from rows import Call

import jaxlr


@pytest.mark.parametrize("name", names(ROWS))
def test_is_exact(name):
    for seed in range(3):
        dice = dice_of(name, seed)
        dice.depth = name in PLAIN  # with the same words, so that one program is enough
        call, counts = call_of(dice, name)
        error = errors(call, exact_range(call, counts), call.schedule()(counts))
        assert error.max() <= call.bound(), call
        if name not in PLAIN:
            break


@pytest.mark.parametrize("name", names(PLAIN))
def test_is_exact_with_traced_numbers(name):
    for seed in range(3):
        dice = Dice((3, seed))
        dice.depth = 1
        assert not check("traced", *call_of(dice, name)).broken


NEAR_1 = 1 - 1e-9
FACTORS = {
    "exponential": {"init_value": 0.1, "decay_rate": NEAR_1},
    "step_decay": {"init_value": 0.1, "decay_rate": NEAR_1, "step_size": 7},
    "multi_step": {"init_value": 0.1, "milestones": [1, 10**9], "decay_rate": NEAR_1},
    "exp_range": {"base_lr": 0.001, "max_lr": 0.1, "step_size": 3, "gamma": NEAR_1},
}


@pytest.mark.parametrize("name", FACTORS)
def test_a_factor_next_to_1_is_exact_and_the_same_in_every_form(name):
    call = Call(name, FACTORS[name])
    counts = np.resize([0, 1, 10**6, 10**9, 10**9 + 1, LAST - 1, LAST], 32).astype(np.int32)
    values = {form: FORMS[form](call, counts) for form in ("argument", "closed over", "literal")}
    values["called"] = call.schedule()(counts)
    assert errors(call, exact_range(call, counts), values["called"]).max() <= 0.75
    assert len({np.asarray(value).tobytes() for value in values.values()}) == 1


# What the fuzz found while it was written: a call, and the counts where it was wrong.
FOUND = {
    "a power next to underflow": (
        Call("polynomial", {"init_value": 10.0, "end_value": 0.0, "power": 4.0, "transition_steps": 2 * 10**9}),
        [1999999993, 1999999997, 1999999998, 1999999999],
    ),
    "a product next to underflow": (
        Call("product", dict.fromkeys(("left", "right"), Call("exponential", {"init_value": 1.0, "decay_rate": 0.99}))),
        [4000, 4100, 4200, 4300, 4340],
    ),
    "a product above float32": (
        Call("product", dict.fromkeys(("left", "right"), Call("exponential", {"init_value": 1.0, "decay_rate": 2.0}))),
        [60, 63, 64, 100, 1000, LAST],
    ),
    "a sum above float32": (
        Call("total", dict.fromkeys(("left", "right"), Call("exponential", {"init_value": 1.0, "decay_rate": 2.0}))),
        [100, 126, 127, 128, 1000, LAST],
    ),
    "late restarts with low peaks": (
        Call("cosine_restarts", {"init_value": 0.126, "first_decay_steps": 684, "m_mul": 0.5, "t_mul": 1}),
        [75740, 78660, 79160, 80712, 81212, 82580],
    ),
    "restarts at whole counts of a growth with a fraction": (
        Call("cosine_restarts", {"init_value": 0.05, "first_decay_steps": 8743, "t_mul": 1.1, "m_mul": 0.7}),
        [8742, 8743, 9616, 9617, 18360, 18361, 2885535],
    ),
    "thousands of slowly growing cycles": (
        Call("cosine_restarts", {"init_value": 8.637867, "first_decay_steps": 118, "t_mul": 1.00111424922943}),
        [5345140, 5345141, 2**31 - 2],
    ),
    "the last cycles of a growth next to 1": (
        Call("cosine_restarts", {"init_value": 2.55, "first_decay_steps": 16786, "t_mul": 1.0019393561456378}),
        [2**30, 2**31 - 1000, 2**31 - 2, LAST],
    ),
    "the last of the cycles that get shorter": (
        Call("cosine_restarts", {"init_value": 0.0156, "first_decay_steps": 70464725, "t_mul": 0.20779006183147430}),
        [88947000, 88947032, 88947033, 88947034, 88947035],
    ),
    "restarts at whole counts of cycles that get shorter by a fraction": (
        Call("cosine_restarts", {"init_value": 0.1, "first_decay_steps": 1000, "t_mul": 0.9, "m_mul": 0.8}),
        [999, 1000, 1899, 1900, 2709, 2710, 3438, 3439],
    ),
    "a thousand cycles that get shorter": (
        Call("cosine_restarts", {"init_value": 0.3, "first_decay_steps": 1000000, "t_mul": 0.99, "m_mul": 0.999}),
        [989999, 990000, 1990000, 98760000, 99999000, 99999900, 99999901, 99999902],
    ),
    "the last update of few and long epochs": (
        Call("per_epoch", {
            "schedule": Call("cosine", {"init_value": 0.1, "decay_steps": 10}),
            "steps_per_epoch": 10**8, "staircase": False,
        }),
        [5 * 10**8, 10**9 - 2, 10**9 - 1, 10**9],
    ),
    "the last update of a cycle in epochs": (
        Call("per_epoch", {
            "schedule": Call("cosine_restarts", {"init_value": 0.01, "first_decay_steps": 353370, "t_mul": 2}),
            "steps_per_epoch": 28, "staircase": False,
        }),
        [623344677, 623344678, 623344679, 623344680],
    ),
    "a cosine through zero": (
        Call("cosine", {"init_value": 6.2370050414366, "end_value": -6.21258, "decay_steps": 14}),
        [6, 7, 8],
    ),
    "a power through zero": (
        Call("polynomial", {"init_value": 6.237, "end_value": -6.21258, "power": 2.5, "transition_steps": 99}),
        [23, 24, 25],
    ),
    "a product of lines through zero": (
        Call("product", {
            "left": Call("linear", {"init_value": 1.0, "end_value": -1.0, "transition_steps": 100}),
            "right": Call("linear", {"init_value": 0.3, "end_value": -0.3, "transition_steps": 100}),
        }),
        [48, 49, 50, 51, 52, 75],
    ),
}  # fmt: skip
SLOW = ("thousands of slowly growing cycles", "the last update of a cycle in epochs")


@pytest.mark.parametrize(
    ("call", "counts"),
    [pytest.param(*row, id=n, marks=pytest.mark.ci if n in SLOW else ()) for n, row in FOUND.items()],
)
def test_what_was_found_stays_right(call, counts):
    counts = np.resize(counts, 32).astype(np.int32)
    assert errors(call, exact_range(call, counts), call.schedule()(counts)).max() <= 1.0


@pytest.mark.parametrize("t_mul", [0.25, 0.9, 0.999, 1.0, 1.001, 1.5, 3.0])
@pytest.mark.parametrize("name", ["cosine_restarts", "with_restarts"])
def test_a_traced_growth_may_be_on_either_side_of_1(name, t_mul):
    inner = {"schedule": Call("linear", {"init_value": 0.3, "end_value": 0.1, "transition_steps": 40})}
    given = {"init_value": 0.3, "first_decay_steps": 40} if name == "cosine_restarts" else inner | {"period": 40}
    call = Call(name, given | {"t_mul": t_mul, "m_mul": 0.9, "end_value": 0.05})
    counts = np.resize([0, 1, 39, 40, 41, 49, 50, 53, 54, 76, 98, 360, 399, 400, 10**6, LAST], 32).astype(np.int32)
    assert check("traced", call, counts).error <= 1.0


@pytest.mark.parametrize(
    ("first", "t_mul", "starts"),
    [(10, 1.1, [10, 21]), (100, 1.1, [100, 210, 331]), (1000, 1.3, [1000, 2300, 3990, 6187]), (10, 0.7, [10, 17])],
)
def test_a_product_that_is_whole_in_decimals_is_a_restart(first, t_mul, starts):
    counts = np.array(starts, np.int32)
    rate = jaxlr.cosine_restarts(0.1, first, t_mul=t_mul)
    traced = jax.jit(lambda t_mul: jaxlr.cosine_restarts(0.1, first, t_mul=t_mul)(counts))
    for values in (rate(counts), [rate(int(n)) for n in counts], jax.vmap(rate)(counts)):
        assert np.array_equal(values, np.full(len(starts), 0.1, np.float32))
    assert np.all(traced(t_mul)[0] == np.float32(0.1))  # the float32 of 1.1 is another number


@pytest.mark.parametrize("growth", [2.0**-40, 2.0**-30, 2.0**-20])
def test_millions_of_cycles_that_hardly_grow(growth):
    counts = np.array([10**6, 2**30 + 12345, LAST])
    t = mpmath.mpf(1 + growth)
    for count, value in zip(counts, jaxlr.cosine_restarts(0.1, 10, t_mul=1 + growth)(counts), strict=True):
        passed = mpmath.floor(mpmath.log1p(count * (t - 1) / 10) / mpmath.log(t))
        place = (count - 10 * (t**passed - 1) / (t - 1)) / (10 * t**passed)
        error = abs(float(value) - float(0.05 * (1 + mpmath.cos(mpmath.pi * place))))
        assert error < 5e-8 + 2.0**-57 / growth  # of 70 bits, the growth and the number of cycles leave so many


def test_a_list_of_numbers_may_be_traced():
    call = Call("multi_step", {"init_value": 0.1, "milestones": [3, 5], "decay_rate": [0.5, 0.25]})
    assert check("traced", call, np.arange(8, dtype=np.int32)).error <= 0.5
