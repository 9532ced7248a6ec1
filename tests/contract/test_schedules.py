"""The contract: every public schedule keeps the same promises."""

import contextlib
import inspect
import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import reference
from rare import marked

import jaxlr
from jaxlr.schedules import FAMILIES, Schedule, parse

LAST = 2**31 - 1
# Every test uses counts of one shape, so that a family is compiled once for most of them.
SHAPE = 16
COUNTS = np.array([0, 1, 2, 3, 4, 5, 7, 8, 30, 50, 999, 1000, 10**6, 10**9, LAST - 1, LAST], np.int32)


def sawtooth(cycle):
    return 1 / cycle


def ramp(count, slope):
    return slope * count


def case(schedule, exact, *counts):
    counts = [0, 1, 2, 3, 1000, 10**7 + 1, LAST - 1, LAST, *counts]
    return pytest.param(schedule, exact, counts + [0] * (SHAPE - len(counts)))


def of(name, *counts, **arguments):
    """A family and its own reference, by name; other counts than the usual ones are its borders."""
    schedule = getattr(jaxlr.schedules, name)(**arguments)
    return case(schedule, lambda n: getattr(reference, name)(n, **arguments), *counts)


def half_cosine(n):
    return reference.cosine(n, 0.3, 40)


CASES = {
    "constant": of("constant", value=0.1),
    "linear": of("linear", 9, 10, 11, init_value=1e-3, end_value=0.7, transition_steps=10),
    "linear_later": of("linear", 299, 300, init_value=1.0, end_value=0.0, transition_steps=297, transition_begin=3),
    "polynomial": of("polynomial", 999, 1001, init_value=0.1, end_value=0.0, power=0.9, transition_steps=1000),
    "polynomial_rising": of("polynomial", 9**9, init_value=0.0, end_value=0.1, power=2.5, transition_steps=2 * 10**9),
    "time_based": of("time_based", 15, 16, 17, 40, init_value=0.1, decay_rate=0.01),
    "time_based_slow": of("time_based", 10**6, init_value=0.1, decay_rate=1e-12),
    "inverse_time": of("inverse_time", init_value=0.1, decay_rate=0.01, transition_steps=7),
    "inverse_time_stairs": of("inverse_time", 7, 8, init_value=0.1, decay_rate=0.3, transition_steps=4, staircase=True),
    "inverse_sqrt": of("inverse_sqrt", 9_999, 10_001, init_value=0.01, timescale=10_000),
    "step_decay": of("step_decay", 999, 1001, 5000, init_value=0.1, decay_rate=0.5, step_size=1000),
    "step_decay_notes": of("step_decay", 5, 6, init_value=0.1, decay_rate=0.7, step_size=3, offset=1),
    "multi_step": of("multi_step", 4, 83, 84, init_value=1.0, milestones=[4, 8, 16, 32, 64, 84], decay_rate=0.5),
    "multi_step_factors": of("multi_step", 5, 6, init_value=0.3, milestones=[2, 5, 5], decay_rate=[0.3, 0.1, 2.0]),
    "piecewise_constant": of("piecewise_constant", 4, 5, 6, values=[0.1, 0.5, 0.03], boundaries=[2, 5]),
    "table": of("table", 2, 3, 4, values=[0.1, 0.5, 0.03]),
    "exponential": of("exponential", 10**6, init_value=0.1, decay_rate=0.99999),
    "exponential_near_1": of("exponential", 10**9, init_value=1.0, decay_rate=1 - 1e-9),
    "exponential_stairs": of(
        "exponential", 10_773_999, 10_774_000, init_value=0.1, decay_rate=0.999, transition_steps=1000, staircase=True
    ),
    "exponential_end": of("exponential", 9, 40, init_value=0.1, decay_rate=0.9, end_value=0.03),
    "natural_exponential": of("natural_exponential", init_value=0.1, decay_rate=0.3, transition_steps=1000),
    "natural_exponential_stairs": of(
        "natural_exponential", 8, 9, init_value=0.1, decay_rate=0.3, transition_steps=3, staircase=True
    ),
    "cosine": of("cosine", 999, 1001, 500, init_value=0.1, decay_steps=1000, end_value=1e-5),
    "cosine_rise": of("cosine", 5, 10, 15, 20, init_value=0.1, decay_steps=10, after="rise"),
    "cosine_restarts": of("cosine_restarts", 2**20 - 1, 2**20, init_value=0.1, first_decay_steps=1, t_mul=2, m_mul=0.9),
    "cosine_restarts_even": of("cosine_restarts", 7, 14, init_value=0.1, first_decay_steps=7, end_value=0.01),
    "cosine_restarts_3": of("cosine_restarts", 3**9 - 1, 3**9, (3**5 - 1) * 5, (3**10 - 1) * 5, init_value=1.0,
                            first_decay_steps=10, t_mul=3),
    "cosine_restarts_real": of("cosine_restarts", 4, 5, 9, 10, init_value=0.1, first_decay_steps=2, t_mul=1.5),
    "triangular": of("triangular", 1999, 2000, 2001, 4000, base_lr=0.001, max_lr=0.006, step_size=2000),
    "triangular_skewed": of("triangular", 5, 7, 8, base_lr=0.0, max_lr=1.0, step_size=2, step_size_down=6),
    "triangular_drop": of("triangular", 4, 5, base_lr=0.1, max_lr=1.0, step_size=2, step_size_down=0),
    "triangular2": of("triangular2", 10, 15, 20, base_lr=0.001, max_lr=0.006, step_size=5),
    "exp_range": of("exp_range", 2000, base_lr=0.001, max_lr=0.006, step_size=2000, gamma=0.99994),
    "exp_range_both": of("exp_range", 50, base_lr=0.001, max_lr=0.006, step_size=20, gamma=0.999, decay_base=True),
    "cyclic": of("cyclic", 10, 20, base_lr=0.001, max_lr=0.006, step_size=4, scale_fn=sawtooth),
    "one_cycle": of("one_cycle", 299, 300, 998, 999, max_lr=0.1, total_steps=1000),
    "one_cycle_three": of("one_cycle", 24, 49, 50, 99, max_lr=0.1, total_steps=100, pct_start=0.25, three_phase=True,
                          anneal="linear", last="total"),
    "one_cycle_tiny": of("one_cycle", max_lr=0.1, total_steps=10, pct_start=0.1),
    "one_cycle_momentum": of("one_cycle_momentum", 299, 999, total_steps=1000),
    "warmup_stable_decay": of("warmup_stable_decay", 4, 5, 14, 15, peak_value=0.1, warmup_steps=5, stable_steps=10,
                              decay_steps=1000),
    "warmup_stable_decay_sqrt": of("warmup_stable_decay", 5, 9, peak_value=0.1, warmup_steps=0, stable_steps=0,
                                   decay_steps=12, end_value=0.01, decay="1-sqrt"),
    "flat_cosine": of("flat_cosine", 749, 750, 751, 999, init_value=0.1, total_steps=1000, end_value=1e-4),
    "tanh": of("tanh", 700, 999, init_value=0.1, decay_steps=1000, end_value=1e-5),
    "k_decay": of("k_decay", 999, 500, init_value=0.1, decay_steps=1000, k=1.5),
    "k_decay_power": of("k_decay", 999, 1001, init_value=0.1, decay_steps=1000, k=0.5, power=0.7, shape="linear"),
    "rex": of("rex", 999, 500, init_value=0.1, decay_steps=1000),
    "polynomial_cycles": of("polynomial_cycles", 4, 5, 8, 9, init_value=1.0, end_value=0.1, power=0.5, decay_steps=4),
    "noam": of("noam", 3999, 4000, d_model=512, warmup_steps=4000),
    "custom": case(jaxlr.custom(ramp, slope=0.5), lambda n: reference.mpf(n) / 2),
    "warmup": case(
        jaxlr.warmup(jaxlr.cosine(0.3, 40), 10), lambda n: reference.warmup(n, half_cosine, 10), 9, 10, 11, 30, 50
    ),
    "warmup_exponential": case(
        jaxlr.warmup(jaxlr.cosine(0.3, 40), 10, init_value=1e-4, kind="exponential", offset=1),
        lambda n: reference.warmup(n, half_cosine, 10, 1e-4, "exponential", 1), 9, 10,
    ),
    "warmup_constant": case(
        jaxlr.warmup(jaxlr.cosine(0.3, 40), 10, init_value=0.01, kind="constant"),
        lambda n: reference.warmup(n, half_cosine, 10, 0.01, "constant"), 9, 10,
    ),
    "join": case(
        jaxlr.join([jaxlr.cosine(0.3, 40), jaxlr.constant(0.2), jaxlr.cosine(0.3, 40)], [20, 1000]),
        lambda n: reference.join(n, [half_cosine, lambda n: 0.2, half_cosine], [20, 1000]), 19, 20, 999,
    ),
    "per_epoch": case(
        jaxlr.per_epoch(jaxlr.cosine(0.3, 40), 390), lambda n: reference.per_epoch(n, half_cosine, 390), 389, 390
    ),
    "per_epoch_smooth": case(
        jaxlr.per_epoch(jaxlr.cosine(0.3, 40), 390, staircase=False),
        lambda n: reference.per_epoch(n, half_cosine, 390, False), 389, 390, 15_599, 15_600,
    ),
    "at_speed": case(
        jaxlr.schedules.at_speed(jaxlr.cosine(0.3, 40, end_value=0.01), 2.5),
        lambda n: reference.at_speed(n, lambda n: reference.cosine(n, 0.3, 40, 0.01), 2.5), 15, 16, 17,
    ),
    "at_speed_stairs": case(
        jaxlr.schedules.at_speed(jaxlr.step_decay(0.3, 0.999, 1), 1 / 2.4),
        lambda n: reference.at_speed(n, lambda n: reference.step_decay(n, 0.3, 0.999, 1), 1 / 2.4), 11, 12, 24, 36,
    ),
    "with_restarts": case(
        jaxlr.schedules.with_restarts(jaxlr.linear(0.3, 0.1, 10), 10, t_mul=1.5, m_mul=0.5, limit=3, end_value=0.05),
        lambda n: reference.with_restarts(n, lambda n: reference.linear(n, 0.3, 0.1, 10), 10, 1.5, 0.5, 3, 0.05),
        10, 11, 24, 25, 26, 47, 48,
    ),
    "with_restarts_even": case(
        jaxlr.schedules.with_restarts(jaxlr.cosine(0.3, 40, end_value=0.01), 40, m_mul=0.999),
        lambda n: reference.with_restarts(n, lambda n: reference.cosine(n, 0.3, 40, 0.01), 40, 1, 0.999),
        39, 40, 80, 81,
    ),
}  # fmt: skip
EVERY = pytest.mark.parametrize(
    ("schedule", "exact", "counts"),
    [pytest.param(*p.values, id=name, marks=marked(p.values[0].name)) for name, p in CASES.items()],
)
# Of each family one: for promises whose keeping does not depend on the numbers.
ONE_EACH = {schedule.values[0].name: schedule.values[0] for schedule in CASES.values()}
SCHEDULES = pytest.mark.parametrize("schedule", [pytest.param(s, id=n, marks=marked(n)) for n, s in ONE_EACH.items()])
# Promises that cost several programs each are kept by these in the short run, by every family in a longer one.
SHORT = {"constant", "linear", "exponential", "cosine", "triangular2", "custom"}


def short(others):
    """The schedules as parameters, all but the short ones marked."""
    marks = {"warmup": pytest.mark.ci, "per_epoch": pytest.mark.ci} | dict.fromkeys(SHORT, ())
    return [pytest.param(s, marks=marks.get(n, others), id=n) for n, s in ONE_EACH.items()]


SOME = pytest.mark.parametrize("schedule", short(pytest.mark.ci))
FEW = pytest.mark.parametrize("schedule", short(pytest.mark.long))


def bits(values):
    return np.asarray(values).view(np.uint32).tolist()


through_argument = jax.jit(lambda s, n: s(n))


@contextlib.contextmanager
def x64():
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", False)


def traces(function):
    """The function, and a list that grows by one at each trace."""
    seen = []

    def counted(*arguments):
        seen.append(None)
        return function(*arguments)

    return jax.jit(counted), seen


def test_every_public_schedule_has_a_case():
    aliases = {"slanted_triangular"}  # one_cycle with other numbers
    assert {schedule.values[0].name for schedule in CASES.values()} == set(FAMILIES) - aliases


@EVERY
def test_matches_the_exact_number(schedule, exact, counts):
    values = schedule(np.array(counts))
    assert values.dtype == jnp.float32
    for count, value in zip(counts, np.asarray(values), strict=True):
        assert reference.ulps(value, exact(count)) <= 1.5, count


def test_jit_changes_no_bit_of_a_factor_next_to_1():
    test_jit_changes_no_bit(jaxlr.exponential(1.0, 1 - 1e-9))


@SOME
def test_jit_changes_no_bit(schedule):
    closed_over = jax.jit(lambda n: schedule(n))(COUNTS)
    assert bits(schedule(COUNTS)) == bits(closed_over) == bits(through_argument(schedule, COUNTS))


@FEW
def test_one_count_at_a_time_is_the_same_as_many(schedule):
    assert bits(schedule(COUNTS)) == bits(jnp.stack([schedule(count) for count in COUNTS]))


@SOME
def test_takes_every_integer_count(schedule):
    expected = schedule(3)
    for count in (np.int32(3), np.int64(3), np.uint32(3), np.uint8(3), jnp.int32(3), jnp.uint32(3)):
        value = schedule(count)
        assert value.dtype == jnp.float32
        assert value.shape == ()
        assert value == expected
    assert schedule(-5) == schedule(np.int64(-5)) == schedule(jnp.int32(-5)) == schedule(0)
    assert schedule(2**40) == schedule(np.int64(2**40)) == schedule(jnp.uint32(2**32 - 1)) == schedule(LAST)
    for count in (1.0, np.float32(1), jnp.ones(2), True, "1", None):
        with pytest.raises(TypeError, match="count must be an integer"):
            schedule(count)


@SOME
def test_other_numbers_do_not_retrace(schedule):
    call, seen = traces(lambda s, n: s(n))
    for factor in (1.0, 0.5, 0.25):
        call(jax.tree.map(lambda x, factor=factor: (x * factor).astype(x.dtype), schedule), 5)
    call(jax.tree.map(jnp.asarray, schedule), 5)
    call(pickle.loads(pickle.dumps(schedule)), 5)
    assert len(seen) == 1


@SCHEDULES
def test_stays_finite_whatever_its_traced_numbers(schedule):
    for value in (0, 1):
        filled = jax.tree.map(lambda x, value=value: jnp.full_like(x, value), schedule)
        if not schedule.name.startswith("one_cycle"):  # a traced divisor of 0 has no answer
            assert np.isfinite(filled(COUNTS)).all()


@FEW
def test_gradients_are_finite(schedule):
    def total(floats, integers, structure):
        leaves = iter(floats), iter(integers)
        full = [next(leaves[0]) if isinstance(x, float) else next(leaves[1]) for x in structure[1]]
        return jax.tree.unflatten(structure[0], full)(COUNTS).sum()

    leaves, tree = jax.tree.flatten(schedule)
    floats = [jnp.asarray(x) for x in leaves if x.dtype == np.float32]
    integers = [x for x in leaves if x.dtype != np.float32]
    kinds = [0.0 if x.dtype == np.float32 else 0 for x in leaves]
    for gradient in jax.jit(jax.grad(lambda floats: total(floats, integers, (tree, kinds))))(floats):
        assert np.isfinite(gradient).all()


@SCHEDULES
def test_prints_as_the_call_that_makes_it(schedule):
    if any(callable(value) and not isinstance(value, Schedule) for value in schedule.arguments.values()):
        assert "sawtooth" in repr(schedule) or "ramp" in repr(schedule)
        return
    again = parse(repr(schedule))
    assert repr(again) == repr(schedule)
    assert bits(again(COUNTS)) == bits(schedule(COUNTS))


@SCHEDULES
def test_goes_through_json_and_pickle(schedule):
    data = json.loads(json.dumps(schedule.to_dict()))
    again = Schedule.from_dict(data, {"sawtooth": sawtooth, "ramp": ramp})
    assert again.to_dict() == schedule.to_dict()
    for other in (again, pickle.loads(pickle.dumps(schedule)), schedule.replace()):
        assert jax.tree.structure(other) == jax.tree.structure(schedule)
        assert bits(other(COUNTS)) == bits(schedule(COUNTS))


@FEW
def test_drives_optax(schedule):
    parameters, gradient = jnp.ones(2), jnp.array([1.0, -1.0])
    for make in (
        optax.sgd,
        optax.scale_by_schedule,
        lambda s: optax.inject_hyperparams(optax.sgd)(learning_rate=s),
        lambda s: optax.MultiSteps(optax.sgd(s), 1),
        lambda s: optax.sgd(optax.join_schedules([s, s], [1])),
    ):
        optimizer = make(schedule)
        updates, state = optimizer.update(gradient, optimizer.init(parameters), parameters)
        sign = 1 if make is optax.scale_by_schedule else -1
        np.testing.assert_array_equal(np.asarray(updates), np.asarray(sign * schedule(0) * gradient))
        updates, _ = optimizer.update(gradient, state, parameters)
        assert np.isfinite(updates).all()
    adamw = optax.adamw(schedule, weight_decay=0.0)
    updates, _ = adamw.update(gradient, adamw.init(parameters), parameters)
    np.testing.assert_allclose(updates, -schedule(0) * gradient, rtol=1e-5)


@FEW
def test_needs_neither_x64_nor_promotion(schedule):
    expected = bits(schedule(COUNTS))
    promotion = "standard" if schedule.name in ("custom", "cyclic") else "strict"  # their functions are the user's
    with jax.numpy_dtype_promotion(promotion), jax.numpy_rank_promotion("raise"):
        assert bits(through_argument(schedule, COUNTS)) == expected
    with x64():
        value = through_argument(schedule, COUNTS)
        assert value.dtype == jnp.float32
        assert bits(value) == expected
        assert bits(schedule(np.int64(7))) == expected[6]


# Of each number of each family the range that ten values of it are taken from; integers where it is a length.
ANY = {"init_value": (0.1, 1.0), "base_lr": (0.0, 0.1), "max_lr": (0.5, 1.0), "end_value": (0.0, 0.05)}
LATER = {"begin": (0, 9), "begin_phase": (0.0, 0.9)}
NUMBERS = {
    "constant": ({"value": (0.1, 1.0)}, {}),
    "linear": (ANY | {"transition_steps": (1, 10), "transition_begin": (0, 9)}, {}),
    "polynomial": (ANY | {"power": (0.5, 3.0), "transition_steps": (1, 10), "transition_begin": (0, 9)}, {}),
    "time_based": (ANY | {"decay_rate": (1e-4, 0.1)}, {}),
    "inverse_time": (ANY | {"decay_rate": (0.1, 2.0), "transition_steps": (1, 10)}, {}),
    "inverse_sqrt": (ANY | {"timescale": (1, 10)}, {}),
    "step_decay": (ANY | {"decay_rate": (0.1, 0.9), "step_size": (1, 10), "offset": (0, 9)}, {}),
    "multi_step": (ANY | {"decay_rate": (0.1, 0.9)}, {"milestones": [2, 5]}),
    "piecewise_constant": ({}, {"values": [0.1, 0.2], "boundaries": [3]}),
    "table": ({}, {"values": [0.1, 0.2]}),
    "exponential": (ANY | {"decay_rate": (0.5, 0.999), "transition_steps": (1, 10)}, {}),
    "natural_exponential": (ANY | {"decay_rate": (0.01, 0.5), "transition_steps": (1, 10)}, {}),
    "cosine": (ANY | LATER | {"decay_steps": (4, 13)}, {}),
    "cosine_restarts": (ANY | {"first_decay_steps": (1, 10), "t_mul": (1.0, 2.0), "m_mul": (0.5, 1.0)}, {}),
    "triangular": (ANY | {"step_size": (1, 10), "step_size_down": (1, 10)}, {}),
    "triangular2": (ANY | {"step_size": (1, 10), "step_size_down": (1, 10)}, {}),
    "exp_range": (ANY | {"step_size": (1, 10), "gamma": (0.5, 0.999), "step_size_down": (1, 10)}, {}),
    "cyclic": (ANY | {"step_size": (1, 10), "step_size_down": (1, 10)}, {"scale_fn": sawtooth}),
    "one_cycle": (
        ANY
        | LATER
        | {"total_steps": (5, 14), "pct_start": (0.2, 0.5), "div_factor": (2.0, 10.0), "final_div_factor": (2.0, 9.0)},
        {},
    ),
    "one_cycle_momentum": (
        LATER
        | {"total_steps": (5, 14), "pct_start": (0.2, 0.5), "base_momentum": (0.5, 0.8), "max_momentum": (0.9, 1.0)},
        {},
    ),
    "slanted_triangular": (ANY | {"total_steps": (5, 14), "cut_frac": (0.1, 0.5), "ratio": (2.0, 32.0)}, {}),
    "flat_cosine": (ANY | {"total_steps": (5, 14), "pct_start": (0.2, 0.9)}, {}),
    "tanh": (ANY | {"decay_steps": (4, 13), "lower": (-7.0, -3.0), "upper": (2.0, 3.0)}, {}),
    "k_decay": (ANY | {"decay_steps": (4, 13), "k": (0.5, 2.0), "power": (0.5, 3.0)}, {}),
    "rex": (ANY | {"decay_steps": (4, 13)}, {}),
    "polynomial_cycles": (ANY | {"power": (0.5, 3.0), "decay_steps": (4, 13)}, {}),
    "noam": ({"d_model": (1, 10), "warmup_steps": (1, 10), "factor": (0.5, 2.0)}, {}),
    "warmup_stable_decay": (
        ANY
        | LATER
        | {"peak_value": (0.5, 1.0), "warmup_steps": (0, 9), "stable_steps": (0, 9), "decay_steps": (4, 13)},
        {},
    ),
    "custom": ({"slope": (0.25, 0.5)}, {"fn": ramp}),
    "warmup": (
        {"warmup_steps": (0, 9), "init_value": (0.1, 0.5), "offset": (0, 9)},
        {"schedule": jaxlr.cosine(1.0, 7)},
    ),
    "per_epoch": ({"steps_per_epoch": (1, 10)}, {"schedule": jaxlr.cosine(1.0, 7)}),
    "at_speed": ({"speed": (0.5, 2.0)}, {"schedule": jaxlr.cosine(1.0, 7)}),
    "with_restarts": (
        {"period": (2, 11), "t_mul": (1.0, 3.0), "m_mul": (0.1, 0.9), "limit": (1, 10), "end_value": (0.01, 0.02)},
        {"schedule": jaxlr.cosine(1.0, 7)},
    ),
    "join": ({}, {"schedules": [jaxlr.cosine(1.0, 7)] * 2, "boundaries": [3]}),
}
WORDS = {"staircase", "after", "scale_by", "decay_base", "anneal", "three_phase", "last", "decay", "kind", "shape"}


def numbers_of(name):
    """The names of the family's numbers, each with ten values; the other arguments of a call."""
    ranges, others = NUMBERS[name]
    known = inspect.signature(FAMILIES[name]).parameters
    values = {
        number: np.linspace(*bounds, 10).astype(np.int32 if isinstance(bounds[0], int) else np.float32)
        for number, bounds in ranges.items()
        if number in known or name == "custom"
    }
    return values, others


def test_every_number_of_every_family_has_a_range():
    assert set(NUMBERS) == set(FAMILIES)
    for name in FAMILIES:
        values, others = numbers_of(name)
        missing = set(inspect.signature(FAMILIES[name]).parameters) - set(values) - set(others) - WORDS
        assert missing <= {"numbers"}, name


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        pytest.param(name, argument, marks=() if name in SHORT else pytest.mark.long, id=f"{name}-{argument}")
        for name in NUMBERS
        for argument in numbers_of(name)[0]
    ],
)
def test_every_number_is_data(name, argument):
    values, others = numbers_of(name)
    others, batch = dict(others), values.pop(argument)
    positional = [others.pop("fn")] if "fn" in others else []
    others |= {number: value[4].item() for number, value in values.items()}

    def make(value):
        return FAMILIES[name](*positional, **others, **{argument: value})

    separate = [bits(make(value)(COUNTS)) for value in batch]
    call, seen = traces(lambda value: make(value)(COUNTS))
    assert [bits(call(value)) for value in jnp.asarray(batch)] == separate
    assert len(seen) == 1
    schedules = jax.jit(jax.vmap(make))(jnp.asarray(batch))
    assert [bits(row) for row in jax.vmap(lambda s: s(COUNTS))(schedules)] == separate


def test_a_list_of_milestones_or_values_is_data():
    def steps(milestones, rate):
        return jaxlr.multi_step(1.0, [milestones[0], milestones[1]], rate)(jnp.arange(12))

    milestones, rates = jnp.array([[2, 5], [3, 4]]), jnp.array([0.5, 0.1])
    mapped = jax.vmap(steps)(milestones, rates)
    for row, pair, rate in zip(mapped, milestones, rates, strict=True):
        assert bits(row) == bits(jaxlr.multi_step(1.0, [int(m) for m in pair], np.float32(rate))(np.arange(12)))


@pytest.mark.parametrize("t_mul", [1, 2, 3.5])
def test_any_number_of_restarts_is_the_same_program(t_mul):
    def equations(first):
        return len(jax.make_jaxpr(jaxlr.cosine_restarts(0.1, first, t_mul=t_mul))(jnp.int32(0)).eqns)

    assert equations(10**9) == equations(1000) == equations(1)


def test_a_count_of_any_shape():
    assert jaxlr.cosine(0.1, 10)(np.zeros((2, 0, 3), np.int32)).shape == (2, 0, 3)
    assert jaxlr.join([jaxlr.constant(0.1), jaxlr.cosine(0.1, 10)], [1])(np.zeros((2, 3), np.int32)).shape == (2, 3)


def test_a_batched_schedule_asks_for_vmap():
    batched = jax.vmap(lambda peak: jaxlr.cosine(peak, 10))(jnp.ones(3))
    with pytest.raises(TypeError, match=r"jax\.vmap"):
        batched(0)


def convex(target):
    """A quadratic loss of five numbers."""
    return jnp.zeros(5), lambda x: 0.5 * jnp.sum((x - target) ** 2)


def network(seed):
    """The loss of a small network on noise, which is neither convex nor smooth."""
    first, second, images, labels = (
        jax.random.normal(key, shape)
        for key, shape in zip(
            jax.random.split(jax.random.key(seed), 4), [(8, 16), (16, 3), (32, 8), (32, 3)], strict=True
        )
    )
    loss = lambda weights: jnp.mean((jax.nn.relu(images @ weights[0]) @ weights[1] - labels) ** 2)  # noqa: E731
    return (0.3 * first, 0.3 * second), loss


@pytest.mark.parametrize(
    ("problem", "alike"), [(convex(jnp.arange(1.0, 6.0)), 1000), (network(0), 50)], ids=["convex", "network"]
)
def test_training_vmapped_over_schedules_equals_separate_runs(problem, alike):
    peaks, horizons = jnp.linspace(0.01, 0.1, 8), jnp.arange(300, 1100, 100)
    schedules = jax.vmap(lambda peak, steps: jaxlr.warmup(jaxlr.cosine(peak, steps), 50))(peaks, horizons)
    start, loss_of = problem

    def train(schedule):
        optimizer = jaxlr.sgd(schedule, momentum=0.9)

        def step(carry, _):
            x, state = carry
            loss, gradient = jax.value_and_grad(loss_of)(x)
            updates, state = optimizer.update(gradient, state, x)
            return (optax.apply_updates(x, updates), state), (loss, jaxlr.current_learning_rate(state))

        return jax.lax.scan(step, (start, optimizer.init(start)), None, length=1000)[1]

    together, seen = traces(jax.vmap(train))
    losses, rates = together(schedules)
    assert len(seen) == 1
    for i, (peak, steps) in enumerate(zip(np.asarray(peaks), np.asarray(horizons), strict=True)):
        schedule = jaxlr.warmup(jaxlr.cosine(peak, steps), 50)
        loss, rate = jax.jit(train)(schedule)
        assert bits(rates[i]) == bits(rate) == bits(schedule(np.arange(1000)))
        np.testing.assert_allclose(losses[i][:alike], loss[:alike], rtol=1e-4, atol=1e-9 * float(loss[0]))
