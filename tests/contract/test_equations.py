"""What exactness costs: the equations of a schedule's program, which is what its compilation takes time for."""

import importlib

import jax
import numpy as np
import pytest
from draws import Dice, call_of
from fuzz import errors, exact_range
from hostile import Machine

import jaxlr
import jaxlr.numerics
from jaxlr.numerics import wide
from jaxlr.numerics.fusion import for_one_count
from jaxlr.schedules.cycle_table import with_tables


def equations(jaxpr):
    """The number of equations, those of inner programs too."""
    inner = (
        getattr(each, "jaxpr", each)
        for equation in jaxpr.eqns
        for each in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr"))
        if hasattr(each, "eqns") or hasattr(each, "jaxpr")
    )
    return len(jaxpr.eqns) + sum(map(equations, inner))


def equations_of(schedule):
    return equations(jax.make_jaxpr(lambda schedule, count: schedule(count))(schedule, 5).jaxpr)


SCHEDULES = jaxlr.schedules
# The schedule, and as many equations as it may have.
BOUNDS = {
    "constant": (jaxlr.constant(0.1), 12),
    "linear": (jaxlr.linear(0.1, 0.0, 1000), 130),
    "triangular": (jaxlr.triangular(0.1, 1.0, 1000), 130),
    "triangular2": (jaxlr.triangular2(0.1, 1.0, 1000), 170),
    "cosine": (jaxlr.cosine(0.1, 1000), 220),
    "exponential": (jaxlr.exponential(0.1, 0.99), 260),
    "natural_exponential": (jaxlr.natural_exponential(0.1, 0.01), 260),
    "step_decay": (jaxlr.step_decay(0.1, 0.5, 100), 260),
    "multi_step": (jaxlr.multi_step(0.1, [4, 8, 16], 0.5), 260),
    "warm-up and cosine": (jaxlr.warmup(jaxlr.cosine(0.1, 1000), 100), 340),
    "one_cycle": (jaxlr.one_cycle(0.1, 1000), 440),
    "one_cycle_momentum": (jaxlr.one_cycle_momentum(1000), 440),
    "cosine_restarts": (jaxlr.cosine_restarts(0.1, 1000), 460),
    "growing cosine_restarts": (jaxlr.cosine_restarts(0.1, 1000, t_mul=2), 1500),
    "cosine_restarts growing by a fraction": (jaxlr.cosine_restarts(0.1, 1000, t_mul=1.5), 1500),
    "time_based": (jaxlr.time_based(0.1, 0.001), 900),
    "polynomial": (jaxlr.polynomial(0.1, 0.0, 0.9, 1000), 560),
    "inverse_sqrt": (jaxlr.inverse_sqrt(0.1, timescale=10), 130),
    "warmup_stable_decay": (jaxlr.warmup_stable_decay(0.1, 10, 10, 10), 340),
    "tanh": (SCHEDULES.tanh(0.1, 1000), 380),
    "k_decay": (SCHEDULES.k_decay(0.1, 1000, k=2.0), 1100),
    "rex": (SCHEDULES.rex(0.1, 1000), 130),
    "noam": (SCHEDULES.noam(512, 4000), 300),
}


@pytest.mark.parametrize(("schedule", "most"), BOUNDS.values(), ids=BOUNDS)
def test_a_schedule_is_a_small_program(schedule, most):
    assert equations_of(schedule) <= most


def test_cycles_of_a_known_growth_are_a_smaller_program():
    known = with_tables(jaxlr.cosine_restarts(0.1, 1000, t_mul=1.5))
    assert equations_of(known) <= 850
    assert "while" not in str(jax.make_jaxpr(lambda schedule: schedule(5))(known))


def cosines(number):
    return [jaxlr.cosine(0.1 + 0.01 * i, 100, end_value=0.01) for i in range(number)]


@pytest.mark.parametrize("number", [2, 10, 40])
def test_a_composition_of_one_family_is_one_program_of_it(number):
    joined = jaxlr.join(cosines(number), [100 * i for i in range(1, number)])
    # An older jax unstacks the chosen numbers one by one.
    older = 10 * number if jax.__version_info__ < (0, 10) else 0
    assert equations_of(joined) <= 300 + older
    assert equations_of(sum(cosines(number), jaxlr.constant(0.0))) <= 320 + 300 * (number < 4) + older


def test_one_count_at_a_time_is_few_kernels():
    value = importlib.import_module("jaxlr.schedules.schedule")._value
    growing = jaxlr.cosine_restarts(0.1, 1000, t_mul=1.5)
    for schedule, most in ((growing, 40), (SCHEDULES.with_restarts(growing, 1000, t_mul=1.5), 80)):
        compiled = jax.jit(for_one_count(value)).lower(schedule, 5).compile()
        assert compiled.as_text().count(" fusion(") <= most


def test_one_count_at_a_time_has_no_parts_that_stand_apart():
    value = importlib.import_module("jaxlr.schedules.schedule")._value
    heavy = jaxlr.time_based(0.1, 1e-6) * jaxlr.cosine_restarts(0.2, 1000, t_mul=1.5)
    apart, whole = (str(jax.make_jaxpr(make)(heavy, 5)) for make in (value, for_one_count(value)))
    assert "cond[" in apart
    assert "cond[" not in whole


def test_the_powers_of_a_growth_are_one_table_for_all_counts():
    def rates(growth):
        return jax.vmap(jaxlr.cosine_restarts(0.1, 100, t_mul=growth))(np.arange(1000))

    text = str(jax.make_jaxpr(rates)(1.5))
    assert "f32[32,3]" in text
    assert "f32[1000,32,3]" not in text


def test_inner_programs_count():
    counted = jax.make_jaxpr(lambda n: jax.lax.fori_loop(0, 3, lambda i, x: x + i * i, n))(1).jaxpr
    assert equations(counted) > len(counted.eqns)


@pytest.mark.parametrize("ulps", [0, 200, -200])
def test_a_ratio_of_integers_is_exact_whatever_the_division(ulps):
    random = np.random.default_rng(0)
    part, whole = (random.integers(1, 2**31, 400).astype(np.uint32) >> random.integers(0, 31, 400).astype(np.uint32))[
        :, None
    ].T.repeat(2, 0)
    whole = np.maximum(random.permutation(whole), 1).astype(np.uint32)
    program = jax.make_jaxpr(wide.ratio)(part, whole)
    machine = Machine(contract="every", refold=True, ulps=abs(ulps), drift=int(np.sign(ulps)))
    high, low = (np.asarray(x, np.longdouble) for x in machine.evaluate(program, part, whole))
    exact = part.astype(np.longdouble) / whole.astype(np.longdouble)
    assert (np.abs(high + low - exact) <= exact * 2.0 ** (-35 if ulps else -44)).all()


BUDGETS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (jaxlr.numerics.__doc__ or "").splitlines()
    if line.startswith("| ") and not line.startswith(("| family", "| ---"))
]
FAMILIES_IN_BUDGETS = [
    ("warmup" if name == "warm-up" else name, float(budget))
    for names, _, budget in BUDGETS
    for name in names.split(", ")
]


@pytest.mark.parametrize(
    ("name", "budget"),
    [pytest.param(*row, id=row[0], marks=() if row[0] in ("linear", "cosine") else pytest.mark.ci)
     for row in FAMILIES_IN_BUDGETS],
)  # fmt: skip
def test_no_family_loses_more_than_its_budget(name, budget):
    for seed in range(3):
        dice = Dice((seed, 99))
        dice.depth = 1  # with the same words, so that one program is enough
        call, counts = call_of(dice, name)
        lost = errors(call, exact_range(call, counts), call.schedule()(counts)) - 0.5
        assert lost.max() <= budget
