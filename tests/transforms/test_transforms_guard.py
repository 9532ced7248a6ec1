"""The guard leaves bad updates out, clips them or lowers the rate; on clean runs it acts as rarely as it says."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

import jaxlr
from jaxlr import current_learning_rate, guard, guard_counts, learning_rates, set_learning_rate, update_count

X = np.random.default_rng(0).normal(size=(256, 8)).astype(np.float32)
CHANCE = 1 / (1 + np.exp(-(X @ np.random.default_rng(1).normal(size=(8, 1)))))
Y = (np.random.default_rng(5).random((256, 1)) < 0.2 + 0.6 * CHANCE).astype(np.float32)  # so no loss comes near 0
UPDATES, SPIKES = 600, np.arange(200, 600, 37)


def train(optimizer, spikes):
    """The losses of a small network, whose gradients and losses are 1,000 times as large at the spikes."""

    def loss_of(params, rows):
        hidden = jnp.tanh(jnp.asarray(X)[rows] @ params["w1"])
        logits = hidden @ params["w2"]
        return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, jnp.asarray(Y)[rows]))

    def step(carry, inputs):
        params, state = carry
        rows, spike = inputs
        loss, gradients = jax.value_and_grad(loss_of)(params, rows)
        gradients = jax.tree.map(lambda g: g * spike, gradients)
        updates, state = optimizer.update(gradients, state, params, value=loss * spike)
        return (optax.apply_updates(params, updates), state), None

    noise = np.random.default_rng(2)
    params = {"w1": jnp.asarray(noise.normal(size=(8, 16)) * 0.3, jnp.float32), "w2": jnp.zeros((16, 1))}
    rows = noise.integers(0, 256, size=(UPDATES, 32))
    (params, state), _ = jax.lax.scan(step, (params, optimizer.init(params)), (rows, spikes))
    return loss_of(params, np.arange(256)), guard_counts(state)["acted"]


def spiked(size):
    spikes = np.ones(UPDATES, np.float32)
    spikes[SPIKES] = size
    return spikes


WAYS = {
    "skip": {"act": "skip"},
    "clip": {"act": "clip"},
    "lower": {"act": "lower", "recovery": 5},
    "loss": {"watch": "loss"},
    "both": {"watch": "both"},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_training_with_spikes_ends_as_one_without(way):
    optimizer = guard(jaxlr.sgd(0.05, 0.9), window=64, **way)
    ends, acted = jax.jit(jax.vmap(lambda spikes: train(optimizer, spikes)))(jnp.stack([spiked(1), spiked(1000)]))
    assert abs(float(ends[1]) / float(ends[0]) - 1) < 0.02
    assert acted.tolist() == [0, len(SPIKES)]


def test_without_it_the_spikes_are_felt():
    optimizer = guard(jaxlr.sgd(0.05, 0.9), sigmas=1e30)
    ends, acted = jax.jit(jax.vmap(lambda spikes: train(optimizer, spikes)))(jnp.stack([spiked(1), spiked(1000)]))
    assert float(ends[1]) > 1.5 * float(ends[0])
    assert acted.tolist() == [0, 0]


@pytest.mark.parametrize("sigmas", [2.0, 3.0])
def test_its_false_alarms_are_as_many_as_students_t_says(sigmas):
    window, many = 64, 40_000
    optimizer = guard(jaxlr.sgd(0.1), watch="loss", sigmas=sigmas, window=window, least=window)
    losses = 5 + np.random.default_rng(4).normal(size=many).astype(np.float32)

    def step(state, loss):
        return optimizer.update(jnp.zeros(1), state, value=loss)[1], None

    state = jax.lax.scan(step, optimizer.init(jnp.zeros(1)), losses)[0]
    expected = (many - window) * stats.t.sf(sigmas * np.sqrt(window / (window + 1)), window - 1)
    # A false alarm enters as the limit, so the window's sigma is a little smaller than that of the values.
    assert (
        0.9 * expected - 4 * np.sqrt(expected) < int(guard_counts(state)["acted"]) < 1.3 * expected + 4 * expected**0.5
    )


def gradient(size):
    return jnp.array([size, 0.0])


def after(optimizer, sizes, state=None, **extra):
    """The first number of each update, and the state."""
    state = optimizer.init(jnp.zeros(2)) if state is None else state
    steps = []
    for size in sizes:
        updates, state = optimizer.update(gradient(size), state, jnp.zeros(2), **extra)
        steps.append(float(updates[0]))
    return steps, state


USUAL = [1.0, 1.1, 0.9, 1.0, 1.05, 0.95]


@pytest.mark.parametrize("bad", [100.0, np.nan, np.inf])
def test_a_skipped_update_leaves_the_optimizer_as_it_was(bad):
    optimizer = guard(jaxlr.adamw(0.1), window=8)
    _, before = after(optimizer, USUAL)
    steps, state = after(optimizer, [bad], before)
    assert steps == [0.0]
    jax.tree.map(np.testing.assert_array_equal, state.inner_state, before.inner_state)
    assert int(guard_counts(state)["acted"]) == 1
    assert int(update_count(state)) == len(USUAL)
    assert after(optimizer, [1.0], state)[0] == after(optimizer, [1.0], before)[0]


def test_what_is_not_finite_is_bad_from_the_first_update_on():
    steps, state = after(guard(jaxlr.sgd(0.5), window=8), [np.nan, 1.0])
    assert steps == [0.0, -0.5]
    assert int(state.norms.filled) == 1


def test_a_clipped_gradient_has_the_norm_of_the_limit():
    steps, _ = after(guard(jaxlr.sgd(1.0), act="clip", window=6, sigmas=3.0), [*USUAL, 100.0, np.nan])
    assert steps[-2] == pytest.approx(-(np.mean(USUAL) + 3 * np.std(USUAL, ddof=1)), rel=1e-5)
    assert steps[-1] == 0.0


def test_a_lasting_change_is_got_used_to():
    steps, _ = after(guard(jaxlr.sgd(1.0), window=8), [*USUAL, *[3.0] * 12])
    assert steps[len(USUAL)] == 0.0
    assert steps[-1] == -3.0


def test_a_lowered_rate_is_recorded_and_comes_back():
    optimizer = guard(jaxlr.sgd(0.4), act="lower", window=8, factor=0.25, recovery=2)
    _, state = after(optimizer, USUAL)
    state = set_learning_rate(state, factor=0.3)
    steps, state = after(optimizer, [100.0], state)
    rates = []
    for _ in range(3):
        step, state = after(optimizer, [1.0], state)
        rates.append(float(current_learning_rate(state)))
        assert step == [-rates[-1]]
    assert steps == [0.0]
    np.testing.assert_allclose(rates, 0.12 * np.array([0.25, 0.5, 1.0]), rtol=1e-6)
    assert rates[-1] == float(np.float32(0.4) * np.float32(0.3))


def test_a_rate_that_never_recovers_stays_lowered_in_every_group():
    groups = jaxlr.ParameterGroups(rates={"b": 0.5}, names={"b": "b"})
    optimizer = guard(groups.wrap(jaxlr.sgd(0.4)), act="lower", window=8, factor=0.25, recovery=0)
    params = {"a": jnp.zeros(2), "b": jnp.zeros(2)}
    state = optimizer.init(params)
    for size in [*USUAL, 100.0, 1.0, 100.0, 1.0]:
        _, state = optimizer.update({"a": gradient(size), "b": gradient(size)}, state, params)
    rates = {name: float(rate) for name, rate in learning_rates(state).items()}
    assert rates == pytest.approx({"others": 0.4 / 16, "b": 0.2 / 16})


def test_around_accumulate_it_judges_micro_steps_and_inside_it_their_mean():
    around, inside = (
        guard(jaxlr.accumulate(jaxlr.sgd(1.0), 2), window=8),
        jaxlr.accumulate(guard(jaxlr.sgd(1.0), window=8), 2),
    )
    steps, state = after(around, [*USUAL, 100.0, 1.0, 2.0])
    assert steps[-3:] == [0.0, 0.0, -1.5]  # the bad one is not in the mean
    assert {name: int(each) for name, each in guard_counts(state).items()} == {"acted": 1, "seen": 9}
    steps, state = after(inside, [*USUAL, *USUAL, 100.0, 1.0, 1.0, 2.0])
    assert steps[-3:] == [0.0, 0.0, -1.5]  # the bad one takes its window with it
    assert {name: int(each) for name, each in guard_counts(state).items()} == {"acted": 1, "seen": 8}


def test_one_trace_and_no_change_of_structure():
    optimizer = guard(jaxlr.adamw(0.1), watch="both", act="lower", window=4)
    params = jnp.ones(2, jnp.bfloat16)
    state = optimizer.init(params)
    kinds = [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(state)]
    step = jax.jit(lambda state, loss: optimizer.update(params, state, params, value=loss)[1])
    for loss in (1.0, 2.0, 3.0):
        state = step(state, loss)
        assert [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(state)] == kinds
    assert step._cache_size() == 1


WRONG = {
    "watch": (lambda: guard(jaxlr.sgd(0.1), watch="all"), ValueError, "watch must be one of .* got 'all'"),
    "act": (lambda: guard(jaxlr.sgd(0.1), act="stop"), ValueError, "act must be one of .* got 'stop'"),
    "clip": (lambda: guard(jaxlr.sgd(0.1), act="clip", watch="loss"), ValueError, "watch must be 'norm', got 'loss'"),
    "window": (lambda: guard(jaxlr.sgd(0.1), window=1), ValueError, "window must be at least 2, got 1"),
    "sigmas": (lambda: guard(jaxlr.sgd(0.1), sigmas=0.0), ValueError, "sigmas must be .* above 0, got 0.0"),
    "factor": (lambda: guard(jaxlr.sgd(0.1), factor=1.0), ValueError, "factor must be .* below 1, got 1.0"),
    "no rate": (
        lambda: guard(optax.sgd(0.1), act="lower").init(jnp.zeros(1)),
        ValueError,
        "needs a rate to lower: end the chain",
    ),
    "no loss": (
        lambda: after(guard(jaxlr.sgd(0.1), watch="both"), [1.0]),
        ValueError,
        r"watch='both' needs the loss .* update\(..., value=loss\)",
    ),
    "no guard": (lambda: guard_counts(jaxlr.sgd(0.1).init(jnp.zeros(1))), ValueError, "no guard is in this"),
}


@pytest.mark.parametrize(("make", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_with_its_value(make, error, message):
    with pytest.raises(error, match=message):
        make()
