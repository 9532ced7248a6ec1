"""Accumulated updates are those of optax.MultiSteps, without its copies."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr import optimizers
from jaxlr.transforms import (
    accumulate,
    clip_by_global_norm,
    current_learning_rate,
    observe,
    reduce_on_plateau,
    scale_by_learning_rate,
    with_master_weights,
)

PARAMS = {"kernel": jnp.linspace(-1.0, 1.0, 6).reshape(3, 2), "bias": jnp.ones(2)}
RANDOM = np.random.default_rng(9)
GRADIENTS = [jax.tree.map(lambda p: jnp.asarray(RANDOM.normal(size=p.shape), jnp.float32), PARAMS) for _ in range(10)]


def schedule(count):
    return 0.1 / (1.0 + count)


def momentum(count):
    return 0.5 + 0.1 * count


OPTIMIZERS = {
    "sgd": lambda: optimizers.sgd(schedule, momentum=momentum, nesterov=True, weight_decay=momentum, decoupled=True),
    "rmsprop": lambda: optimizers.rmsprop(schedule, centered=True, momentum=0.9),
    "adam": lambda: optimizers.adam(schedule, b1=momentum, amsgrad=True),
    "clip and adamw": lambda: optax.chain(clip_by_global_norm(0.5), optimizers.adamw(schedule)),
    "plateau": lambda: optimizers.adamw(reduce_on_plateau(schedule, patience=0)),
    "master weights": lambda: with_master_weights(optimizers.adamw(schedule)),
    "groups": lambda: optax.partition(
        {"a": optimizers.adamw(schedule), "b": optax.sgd(0.1, momentum=0.9)}, {"kernel": "a", "bias": "b"}
    ),
    "of optax": lambda: optax.adamw(schedule),
    "mixed": lambda: optax.chain(optax.scale_by_lion(), scale_by_learning_rate(schedule)),
}


def run(optimizer, gradients=GRADIENTS, params=PARAMS, **extra):
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    path = []
    for gradient in gradients:
        updates, state = update(gradient, state, params, **extra)
        params = optax.apply_updates(params, updates)
        path.append(params)
    return path, state


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_is_multisteps_of_optax(make):
    path, state = run(accumulate(make(), 3))
    expected, expected_state = run(optax.MultiSteps(make(), 3))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), path, expected)
    inner, expected_inner = state.inner_state, expected_state.inner_opt_state
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), inner, expected_inner)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in ("groups", "of optax", "mixed")])
def test_needs_no_temporary_copies(name):
    if name == "clip and adamw" and jax.__version_info__ < (0, 10):
        pytest.skip("older compilers store the squares that the norm sums up")
    optimizer = accumulate(OPTIMIZERS[name](), 2)
    params = jnp.ones(100_000)

    def step(params, state, gradient):
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(params, optimizer.init(params), params).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 4096


def test_micro_steps_change_nothing_but_the_mean():
    path, _ = run(accumulate(optimizers.adamw(schedule), 5), GRADIENTS[:4])
    for params in path:
        jax.tree.map(np.testing.assert_array_equal, params, PARAMS)


def test_the_schedule_advances_with_the_updates():
    optimizer = accumulate(scale_by_learning_rate(schedule), 2)
    state = optimizer.init(PARAMS)
    rates = []
    for gradient in GRADIENTS[:6]:
        _, state = optimizer.update(gradient, state, PARAMS)
        rates.append(float(current_learning_rate(state)))
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.1, 0.05, 0.05, 0.1 / 3], rtol=1e-6)


def test_a_bad_micro_gradient_is_kept_out_by_apply_if_finite():
    bad = jax.tree.map(lambda p: p * jnp.nan, GRADIENTS[1])
    gradients = [GRADIENTS[0], bad, *GRADIENTS[2:6]]
    path, state = run(accumulate(optax.apply_if_finite(optimizers.adamw(schedule), 5), 2), gradients)
    expected, _ = run(accumulate(optimizers.adamw(schedule), 2), GRADIENTS[2:6])
    jax.tree.map(np.testing.assert_array_equal, path[2:], expected)
    assert current_learning_rate(state) == np.float32(0.05)


def test_a_plateau_hears_what_comes_with_the_update_and_every_observation():
    rule = reduce_on_plateau(1.0, factor=0.5, patience=0)
    _, state = run(accumulate(optimizers.sgd(rule), 2), GRADIENTS[:4], value=1.0)
    assert current_learning_rate(state) == 0.5
    optimizer = accumulate(optimizers.sgd(rule), 2)
    _, state = optimizer.update(GRADIENTS[0], observe(observe(optimizer.init(PARAMS), 1.0), 1.0), PARAMS)
    _, state = optimizer.update(GRADIENTS[0], state, PARAMS)
    assert current_learning_rate(state) == 0.5


def test_the_mean_may_be_stored_narrower():
    optimizer = accumulate(optimizers.sgd(1.0), 2, dtype=jnp.bfloat16)
    assert optimizer.init(PARAMS).mean["kernel"].dtype == jnp.bfloat16
    path, state = run(optimizer, GRADIENTS[:2])
    assert state.mean["kernel"].dtype == jnp.bfloat16
    mean = (GRADIENTS[0]["kernel"] + GRADIENTS[1]["kernel"]) / 2
    np.testing.assert_allclose(path[1]["kernel"], PARAMS["kernel"] - mean, atol=2e-2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"every": 0}, ValueError, "every must be at least 1, got 0"),
        ({"every": 2.5}, TypeError, r"every must be an integer, got 2\.5; make it one with int"),
        ({"every": 2, "dtype": jnp.int8}, ValueError, "dtype must be a floating-point dtype"),
    ],
    ids=["zero", "float", "integers"],
)
def test_a_wrong_argument_is_named_with_its_value(arguments, error, message):
    with pytest.raises(error, match=message):
        accumulate(optimizers.sgd(0.1), **arguments)


@pytest.mark.parametrize("weight", [-1, -0.5, float("nan"), float("inf"), np.float32(-2.0), "one"])
def test_a_weight_that_is_known_to_be_wrong_is_named(weight):
    optimizer = accumulate(optimizers.sgd(0.1), 2)
    with pytest.raises((TypeError, ValueError), match="weight must be"):
        optimizer.update(PARAMS, optimizer.init(PARAMS), weight=weight)


@pytest.mark.parametrize("wrap", [lambda o: o, lambda o: accumulate(o, 1), jaxlr.with_master_weights], ids=range(3))
@pytest.mark.parametrize("weights", [(0, 0), (0, 3), (3, 0), (1, 3), (1, -1), (1, np.nan)], ids=str)
def test_a_window_that_weighs_nothing_makes_no_update(weights, wrap):
    optimizer = accumulate(wrap(optimizers.sgd(1.0, momentum=0.5, weight_decay=0.1)), 2)
    params, update = jnp.ones(1), jax.jit(optimizer.update)
    _, state = update(params, optimizer.init(params), params, flush=True)  # a momentum that would move on
    gradients = (1e30, 3.0)
    for gradient, weight in zip(gradients, weights, strict=True):
        updates, state = update(jnp.array([gradient]), state, params, weight=jnp.float32(weight))
    total = np.float64(sum(weights))
    if total <= 0:
        assert float(updates[0]) == 0.0
        assert int(jaxlr.update_count(state)) == 1
    else:
        mean = np.dot(weights, gradients) / total
        np.testing.assert_allclose(updates, [-(0.5 * 1.1 + mean + 0.1)], rtol=1e-6)
        assert int(jaxlr.update_count(state)) == 2
    assert int(state.micro_step) == 0


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("compiled", [False, True])
def test_what_takes_no_wider_gradient_is_refused_in_words(compiled, times):
    params = jnp.ones((3, 2), jnp.bfloat16)

    def updated(optimizer):
        for _ in range(times):
            optimizer = accumulate(optax.masked(optimizer, True), 1)
        update = jax.jit(optimizer.update) if compiled else optimizer.update
        return update(params, optimizer.init(params), params)[0]

    with pytest.raises(TypeError, match=r"accumulate\(jaxlr.with_master_weights\(optimizer\), every\)"):
        updated(optax.novograd(0.1))
    assert np.all(np.asarray(updated(with_master_weights(optax.novograd(0.1)))) < 0.0)


def test_other_errors_of_the_optimizer_are_its_own():
    optimizer = accumulate(optax.polyak_sgd(0.1), 2)
    params = jnp.ones(2, jnp.bfloat16)
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'value'"):
        optimizer.update(params, optimizer.init(params), params)
