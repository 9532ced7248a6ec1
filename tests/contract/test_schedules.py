"""The contract: every public schedule keeps the same promises."""

import contextlib
import inspect
import json
import pickle
import re
from pathlib import Path

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import reference
from cases import CASES, SHAPE, examples_of, marked, problems
from cases.functions import ramp
from cases.triangles import sawtooth
from draws import LAST
from rows import made

import jaxlr
from jaxlr.schedules import FAMILIES, Schedule, parse

COUNTS = np.resize([0, 1, 2, 3, 4, 5, 7, 8, 30, 50, 999, 1000, 10**6, 10**9, LAST - 1, LAST], SHAPE).astype(np.int32)


EVERY = pytest.mark.parametrize(
    ("schedule", "exact", "counts"),
    [
        pytest.param(*example, id=name, marks=marked(row.name))
        for row in CASES.values()
        for name, example in examples_of(row).items()
    ],
)
# Of each family one: for promises whose keeping does not depend on the numbers.
ONE_EACH = {name: list(examples_of(row).values())[-1].schedule for name, row in CASES.items() if row.examples}
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


@SCHEDULES
@pytest.mark.parametrize("counts", [3, np.arange(2), np.arange(3)], ids=["one", "as many", "others"])
def test_a_batch_is_called_under_vmap_alone(schedule, counts):
    batch = jax.tree.map(lambda number: np.stack([number, number]), schedule)
    if not jax.tree.leaves(batch):
        pytest.skip("it has no numbers")
    with pytest.raises(TypeError, match=r"are batched, with shape \(2,\): call it under jax.vmap"):
        batch(counts)


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


def test_every_public_schedule_has_a_row():
    assert list(problems()) == []
    assert set(FAMILIES) - set(ONE_EACH) == {"slanted_triangular"}  # one_cycle with other numbers


def test_every_public_schedule_is_a_name_of_its_room():
    assert FAMILIES.keys() - set(jaxlr.schedules.__all__) == set()


def test_the_exact_values_owe_nothing_to_jaxlr():
    rows = Path(cases.__file__).parent.glob("[!_]*.py")
    for path in (*rows, Path(reference.__file__)):
        assert not re.search(r"\bimport jaxlr|\bfrom jaxlr|FAMILIES|RECORDS", path.read_text()), path


@EVERY
def test_matches_the_exact_number(schedule, exact, counts):
    values = schedule(np.array(counts))
    assert values.dtype == jnp.float32
    for count, value in zip(counts, np.asarray(values), strict=True):
        assert reference.ulps(value, exact(count)) <= 1.0, count


def test_jit_changes_no_bit_of_a_factor_next_to_1():
    test_jit_changes_no_bit(jaxlr.exponential(1.0, 1 - 1e-9))


@SOME
def test_jit_changes_no_bit(schedule):
    closed_over = jax.jit(lambda n: schedule(n))(COUNTS)
    assert bits(schedule(COUNTS)) == bits(closed_over) == bits(through_argument(schedule, COUNTS))


@FEW
def test_one_count_at_a_time_is_the_same_as_many(schedule):
    assert bits(schedule(COUNTS)) == bits(jnp.stack([schedule(count) for count in COUNTS]))


def test_a_known_count_has_its_rate_inside_other_programs():
    schedule = jaxlr.cosine(0.1, 1000)
    (rate,) = schedule(np.array([5]))

    def times(x):
        return x * schedule(5)

    assert jax.jit(times)(1.0) == jax.grad(times)(1.0) == jax.vmap(times)(jnp.ones(1)) == rate
    assert schedule(5) == schedule(5) == jax.lax.scan(lambda x, _: (schedule(5), x), 0.0, length=2)[0] == rate


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


WORDS = {
    "overlap",
    "scale",
    "staircase",
    "after",
    "scale_by",
    "decay_base",
    "anneal",
    "three_phase",
    "last",
    "decay",
    "kind",
    "shape",
}


def numbers_of(name):
    """The names of the family's numbers, each with ten values; the other arguments of a call."""
    ranges, others = CASES[name].numbers, made(CASES[name].others)
    known = inspect.signature(FAMILIES[name]).parameters
    values = {
        number: np.linspace(*bounds, 10).astype(np.int32 if isinstance(bounds[0], int) else np.float32)
        for number, bounds in ranges.items()
        if number in known or name == "custom"
    }
    return values, others


def test_every_number_of_every_family_has_a_range():
    for name in CASES:
        values, others = numbers_of(name)
        missing = set(inspect.signature(FAMILIES[name]).parameters) - set(values) - set(others) - WORDS
        assert missing <= {"numbers"}, name


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        pytest.param(name, argument, marks=() if name in SHORT else pytest.mark.long, id=f"{name}-{argument}")
        for name in CASES
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
