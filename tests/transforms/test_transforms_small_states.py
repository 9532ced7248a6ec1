"""Moments in one byte or two: unbiased, never stuck, right to their steps, and the rate stays readable."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr import small_states, state_bytes
from jaxlr.transforms.wrappers.small_states import Blocks, Rounded

BOTH = pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
PARAMS = {"w": jnp.zeros((16, 200)), "b": jnp.zeros(200)}


def identity():
    """A link whose state is the last update as it came."""
    return optax.GradientTransformation(lambda params: params, lambda updates, state, params=None: (state, updates))


def through(x, dtype, updates=1):
    """An array after it was stored so many times, each time anew."""
    link = small_states(identity(), dtype, block=64, least_size=0)

    def again(state, _):
        _, state = link.update(x, state)
        return state, link.update(x, state)[0]

    return jax.lax.scan(again, link.init(x), None, length=updates)[1]


@BOTH
def test_what_is_stored_is_the_number_on_average(dtype):
    noise = np.random.default_rng(0)
    x = jnp.asarray(noise.normal(size=(3, 100)) * 10.0 ** noise.uniform(-3, 0, size=(3, 100)), jnp.float32)
    stored = np.asarray(through(x, dtype, 2000), np.float64)
    deviation = stored.std(axis=0) / np.sqrt(2000)
    assert np.all(np.abs(stored.mean(axis=0) - x) < 6 * deviation + 1e-7 * np.abs(x) + 4e-9 * np.abs(x).max())
    step = 2.0**-7 if dtype == "bfloat16" else 4.5 / 127 * 4  # of an eighth of the largest root and more
    large = np.abs(x) > np.abs(x).max() / 4**4
    assert np.all(np.abs(stored / np.asarray(x) - 1)[:, large] < step)


@BOTH
def test_what_can_be_stored_exactly_is(dtype):
    x = jnp.asarray([[0.0, 1.0, -1.0, 0.5, np.inf, np.nan]], jnp.float32)
    if dtype == "int8":
        x = jnp.asarray([[0.0, 1.0, -1.0, (64 / 127) ** 4]], jnp.float32)
    np.testing.assert_allclose(through(x, dtype)[0], x, rtol=1e-6)


@BOTH
def test_a_mean_square_goes_where_it_should_and_does_not_stand_still(dtype):
    def after(link, updates=3000):
        def step(state, _):
            return link.update({"w": jnp.full((16, 200), 2.0), "b": jnp.ones(200)}, state)[1], None

        return jax.lax.scan(step, link.init(PARAMS), None, length=updates)[0]

    state = after(small_states(jaxlr.transforms.scale_by_adam(b2=0.999), dtype, least_size=1000))
    nu = state.inner_state.nu["w"]
    values = nu.values.astype(jnp.float32) if dtype == "bfloat16" else (nu.codes / 127.0) ** 4 * nu.largest[..., :1]
    expected = 4 * (1 - 0.999**3000)
    assert abs(float(values.mean()) / expected - 1) < 0.01
    assert state.inner_state.nu["b"].dtype == jnp.float32
    if dtype == "bfloat16":
        stuck = after(jaxlr.transforms.scale_by_adam(b2=0.999, nu_dtype=jnp.bfloat16))
        assert abs(float(stuck.nu["w"].astype(jnp.float32).mean()) / expected - 1) > 0.3


def test_a_small_mean_square_is_not_rounded_to_0():
    x = jnp.asarray([[1.0, 1e-12, 1e-30, 0.0]], jnp.float32)
    stored = through(x, "int8")[0]
    assert bool(jnp.all((stored > 0) == (x > 0)))


@BOTH
def test_bytes_a_parameter(dtype):
    params = {"w": jnp.zeros((128, 128))}
    sizes = [
        state_bytes(each.init(params)) / 128**2 for each in (jaxlr.adam(0.1), small_states(jaxlr.adam(0.1), dtype))
    ]
    assert sizes[0] == pytest.approx(8, abs=0.01)
    assert sizes[1] == pytest.approx(4 if dtype == "bfloat16" else 2 * (1 + 4 / 128), abs=0.01)


def quadratic(optimizer, updates=200):
    """A noisy least squares, and its loss at the end."""
    target = jax.random.normal(jax.random.key(1), (16, 200))

    def step(carry, key):
        params, state = carry
        gradients = {"w": params["w"] - target + jax.random.normal(key, (16, 200)), "b": params["b"] - 1}
        updates, state = optimizer.update(gradients, state, params)
        return (optax.apply_updates(params, updates), state), None

    keys = jax.random.split(jax.random.key(0), updates)
    (params, state), _ = jax.lax.scan(step, (PARAMS, optimizer.init(PARAMS)), keys)
    return float(jnp.mean((params["w"] - target) ** 2)), state


@BOTH
def test_a_training_ends_as_with_float32_and_its_rate_is_read(dtype):
    rate = jaxlr.linear(0.1, 0.0, 200)
    loss, _ = quadratic(jaxlr.adamw(rate))
    small, state = quadratic(small_states(jaxlr.adamw(rate), dtype, least_size=1000))
    assert small == pytest.approx(loss, rel=0.02)
    assert float(jaxlr.current_learning_rate(state)) == float(rate(199))
    assert int(jaxlr.update_count(state)) == 200
    assert isinstance(state.inner_state[0].mu["w"], Rounded if dtype == "bfloat16" else Blocks)


@BOTH
def test_it_composes(dtype):
    params, gradients = PARAMS, jax.tree.map(jnp.ones_like, PARAMS)
    groups = jaxlr.ParameterGroups(rates={"w": 0.5})
    chains = [
        jaxlr.accumulate(small_states(jaxlr.sgd(0.1, 0.9), dtype, least_size=1000), 2),
        groups.wrap(small_states(jaxlr.adamw(0.1), dtype, least_size=1000)),
        small_states(
            groups.wrap(optax.chain(optax.scale_by_adam(), jaxlr.scale_by_learning_rate(0.1))), dtype, least_size=1000
        ),
        jaxlr.with_master_weights(small_states(jaxlr.sgd(0.1, 0.9), dtype, least_size=1000)),
    ]
    for optimizer in chains:
        state = optimizer.init(params)
        step = jax.jit(optimizer.update)
        for _ in range(2):
            updates, new = step(gradients, state, params)
            assert jax.tree.structure(new) == jax.tree.structure(state)
            assert [leaf.dtype for leaf in jax.tree.leaves(new)] == [leaf.dtype for leaf in jax.tree.leaves(state)]
            state = new
        assert step._cache_size() == 1
        assert bool(jnp.all(updates["w"] < 0))
    _, report = jaxlr.load_state_dict(chains[0].init(params), jaxlr.state_dict(chains[0].init(params)))
    assert not report.missing


def test_a_micro_step_that_makes_no_update_changes_no_moment():
    optimizer = jaxlr.accumulate(small_states(jaxlr.adam(0.1), "int8", least_size=1000), 2)
    state = optimizer.init(PARAMS)
    gradients = jax.tree.map(jnp.ones_like, PARAMS)
    for _ in range(2):
        _, state = optimizer.update(gradients, state, PARAMS)
    _, half = optimizer.update(gradients, state, PARAMS)
    jax.tree.map(np.testing.assert_array_equal, half.inner_state, state.inner_state)


WRONG = {
    "dtype": (lambda: small_states(jaxlr.adam(0.1), "float16"), "dtype must be one of 'bfloat16', 'int8'"),
    "block": (lambda: small_states(jaxlr.adam(0.1), block=0), "block must be at least 1, got 0"),
    "least_size": (lambda: small_states(jaxlr.adam(0.1), least_size=-1), "least_size must be at least 0, got -1"),
}


@pytest.mark.parametrize(("make", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_with_its_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()
