"""optax's schedules under their own names, against optax itself in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr.dialects import optax as dialect

STEPS = np.arange(200)


def case(name, random):
    def between(low, high):
        return float(random.uniform(low, high))

    def one_of(*options):
        return options[random.integers(len(options))]

    def steps(low=1, high=220):
        return int(random.integers(low, high))

    rate, low = 10 ** between(-4, 0), 10 ** between(-6, -3)
    scales = {steps(0): between(0, 1.5) for _ in range(3)}
    warm = steps(0, 60)
    decay = {"transition_steps": steps(), "decay_rate": between(0.1, 0.99), "transition_begin": one_of(0, steps(1, 50))}
    decay |= {"end_value": one_of(None, rate * 0.1)}
    up = {"init_value": low, "peak_value": rate, "warmup_steps": warm}
    fall = {"decay_steps": warm + steps(), "end_value": one_of(0.0, low), "exponent": one_of(1.0, between(0.5, 3))}
    one = {"transition_steps": steps(10), "peak_value": rate, "pct_start": between(0.1, 0.5), "div_factor": 10.0}
    return {
        "constant_schedule": lambda: {"value": rate},
        "linear_schedule": lambda: {"init_value": rate, "end_value": low, "transition_steps": steps()},
        "polynomial_schedule": lambda: {"init_value": rate, "end_value": low, "power": between(0.3, 3),
                                        "transition_steps": steps(), "transition_begin": steps(0, 50)},
        "piecewise_constant_schedule": lambda: {"init_value": rate, "boundaries_and_scales": scales},
        "piecewise_interpolate_schedule": lambda: {"interpolate_type": one_of("linear", "cosine"), "init_value": rate,
                                                   "boundaries_and_scales": scales},
        "exponential_decay": lambda: {"init_value": rate, **decay, "staircase": one_of(True, False)},
        "cosine_decay_schedule": lambda: {"init_value": rate, "decay_steps": steps(),
                                          "alpha": one_of(0.0, between(0, 1)),
                                          "exponent": one_of(1.0, between(0.5, 3))},
        "linear_onecycle_schedule": lambda: {**one, "pct_final": between(0.6, 0.9), "final_div_factor": 100.0},
        "cosine_onecycle_schedule": lambda: {**one, "final_div_factor": 100.0},
        "warmup_constant_schedule": lambda: {**up, "warmup_steps": warm + 1},
        "warmup_cosine_decay_schedule": lambda: {**up, **fall},
        "warmup_exponential_decay_schedule": lambda: {**up, **decay},
        "sgdr_schedule": lambda: {"cosine_kwargs": [{**up, **fall}, {**up, **fall, "peak_value": rate / 2}]},
    }[name]()  # fmt: skip


NAMES = [name for name in dialect.__all__ if name not in ("join_schedules", "adam", "adamw", "rmsprop", "sgd")]


def theirs(name, arguments):
    """optax in float64, one count at a time: some of its schedules are wrong for an array."""
    jax.config.update("jax_enable_x64", True)
    try:
        schedule = getattr(optax, name)(**arguments)
        return np.array([float(schedule(int(n))) for n in STEPS])
    finally:
        jax.config.update("jax_enable_x64", False)


def differences(name, draws=slice(None)):
    """The difference from optax and the arguments, for each draw."""
    random = np.random.default_rng([5, NAMES.index(name)])
    for arguments in [case(name, random) for _ in range(20)][draws]:
        expected = theirs(name, arguments)
        ours = np.asarray(getattr(dialect, name)(**arguments)(STEPS), np.float64)
        yield np.max(np.abs(ours - expected)) / np.max(np.abs(expected)), arguments


@pytest.mark.parametrize("draws", [slice(0, 1), pytest.param(slice(1, None), marks=pytest.mark.long)], ids=["1", "19"])
@pytest.mark.parametrize("name", NAMES)
def test_is_what_optax_does(name, draws):
    for difference, arguments in differences(name, draws):
        assert difference <= 1e-6, arguments


def test_joins_schedules_of_both():
    rate = dialect.join_schedules([optax.linear_schedule(0.0, 1.0, 4), dialect.cosine_decay_schedule(1.0, 4)], [4])
    expected = optax.join_schedules([optax.linear_schedule(0.0, 1.0, 4), optax.cosine_decay_schedule(1.0, 4)], [4])
    np.testing.assert_allclose([rate(n) for n in range(10)], [expected(n) for n in range(10)], atol=1e-6)


def test_the_ends_are_held():
    ended = dialect.polynomial_schedule(0.1, 0.0, 0.9, 1000), dialect.linear_schedule(1.0, 0.0, 1000)
    assert jax.jit(lambda n: [schedule(n) for schedule in ended])(1000) == [0.0, 0.0]
    stairs = dialect.exponential_decay(1.0, 1000, 0.999, staircase=True)
    assert float(stairs(10_773_999)) != float(stairs(10_774_000)) == float(stairs(10_774_999))
    assert float(dialect.warmup_constant_schedule(0.0, 1.0, 0)(0)) == 1.0
    assert float(dialect.warmup_cosine_decay_schedule(0.1, 0.0, 2, 6, end_value=0.05)(9)) == np.float32(0.05)


def test_a_short_one_cycle_keeps_its_values():
    rate = dialect.linear_onecycle_schedule(2, 1.0, div_factor=4.0, final_div_factor=4.0)
    assert [float(rate(n)) for n in range(3)] == [1.0, 0.25, 0.0625]


@pytest.mark.ci
def test_numbers_can_be_traced():
    def rate(peak, warm, steps, end):
        return dialect.warmup_cosine_decay_schedule(0.0, peak, warm, steps, end)(jnp.arange(20))

    np.testing.assert_allclose(jax.jit(rate)(0.1, 3, 15, 0.01), rate(0.1, 3, 15, 0.01), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: dialect.linear_schedule(1.0, 0.0, -1), ValueError, "transition_steps must be at least 0, got -1"),
        (lambda: dialect.polynomial_schedule(1.0, 0.0, 0.0, 5), ValueError, "power must be above 0"),
        (lambda: dialect.exponential_decay(1.0, 5, 0.0), ValueError, "decay_rate must be above 0"),
        (
            lambda: dialect.cosine_decay_schedule(1.0, 1.5),
            TypeError,
            "decay_steps must be an integer number of updates, got 1.5",
        ),
        (lambda: dialect.warmup_cosine_decay_schedule(0.0, 1.0, 5, 5), ValueError, "decay_steps must be above warmup"),
        (lambda: dialect.piecewise_interpolate_schedule("cubic", 1.0), ValueError, "interpolate_type must be one of"),
        (lambda: dialect.piecewise_constant_schedule(1.0, {5: -1.0}), ValueError, "must be at least 0, got -1.0"),
        (lambda: dialect.piecewise_constant_schedule(1.0, [5]), TypeError, "boundaries_and_scales must be a mapping"),
        (lambda: dialect.linear_onecycle_schedule(10, 1.0, 0.5, 0.2), ValueError, "pct_final must be at least"),
        (lambda: dialect.sgdr_schedule([]), ValueError, "cosine_kwargs must hold"),
        (lambda: dialect.join_schedules([jaxlr.constant(1.0)] * 2, []), ValueError, "boundaries must be one fewer"),
        (lambda: dialect.linear_schedule(1.0, 0.0, steps=5), TypeError, "steps"),
    ],
)
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("schedules", "boundaries"),
    [(2, [5, 10]), (2, (5, 10, 15)), (2, np.array([5, 10])), (2, jnp.array([5, 10])), (1, [5])],
)
def test_a_boundary_too_many_means_nothing_as_in_optax(schedules, boundaries):
    theirs = [optax.constant_schedule(0.5), optax.linear_schedule(1.0, 0.0, 8)][:schedules]
    ours = [dialect.constant_schedule(0.5), dialect.linear_schedule(1.0, 0.0, 8)][:schedules]
    expected = [optax.join_schedules(theirs, list(boundaries))(n) for n in range(16)]
    np.testing.assert_allclose(dialect.join_schedules(ours, boundaries)(np.arange(16)), expected, rtol=1e-6)
    traced = jax.jit(lambda boundaries, n: dialect.join_schedules(ours, boundaries)(n))
    np.testing.assert_allclose(traced(jnp.asarray(boundaries), np.arange(16)), expected, rtol=1e-6)


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("first", "end"), [(1.0, 0.1), (0.1, 1.0)])
def test_an_exponential_decay_stops_where_optax_does(first, end, rate):
    theirs = optax.exponential_decay(first, 3, rate, end_value=end)
    expected = [theirs(n) for n in (0, 3, 30)]
    counts = np.array([0, 3, 30])
    np.testing.assert_allclose(dialect.exponential_decay(first, 3, rate, end_value=end)(counts), expected, rtol=1e-6)
    traced = jax.jit(lambda rate, n: dialect.exponential_decay(first, 3, rate, end_value=end)(n))
    np.testing.assert_allclose(traced(rate, counts), expected, rtol=1e-6)


def test_no_transition_steps_hold_the_first_rate_as_in_optax():
    for make in (dialect.exponential_decay, optax.exponential_decay):
        assert float(make(0.5, 0, 0.25)(10**6)) == 0.5
