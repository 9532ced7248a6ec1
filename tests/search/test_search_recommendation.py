"""The recommendation: right on problems whose answer is known, refused where there is none, alike everywhere."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxlr
from jaxlr.search import NoSuggestion, constant_rate_test, lr_range_test
from jaxlr.search.ranges.evidence import change
from jaxlr.search.ranges.recommendation import Recommendation, Setting, recommend

TRUE = np.random.default_rng(40).normal(size=10).astype(np.float32)


def regression_loss(weights, batch):
    inputs, targets, factor = batch
    return factor[0] * jnp.mean((inputs @ weights - targets) ** 2)


def regression(seed, size, steps=100, noise=0.5):
    random = np.random.default_rng((seed, size))
    inputs = random.normal(size=(steps, size, 10)).astype(np.float32)
    targets = inputs @ TRUE + noise * random.normal(size=(steps, size)).astype(np.float32)
    return inputs, targets.astype(np.float32), np.ones((steps, 1), np.float32)


def ramp_of(batches, weights=None, **arguments):
    weights = np.zeros(10, np.float32) if weights is None else weights
    return lr_range_test(regression_loss, weights, batches, **{"start": 1e-5, "end": 10.0, **arguments})


def is_refused(result, said):
    """Nothing is suggested, and all say the same."""
    assert result.recommendation is None
    assert said in result.why
    assert result.max_stable is None
    assert result.suggestions() == {}
    for ask in (result.bounds, result.suggestion, result.spread):
        with pytest.raises(NoSuggestion) as refusal:
            ask()
        assert result.why in str(refusal.value)
    assert result.to_dict()["recommendation"] is None
    return True


@pytest.mark.parametrize("size", [16, 32])
def test_a_linear_regression_trains_at_about_a_tenth(size):
    """The curvature of unit inputs is 2, so that 1 is stable on all the data, and less on small batches."""
    found = [ramp_of(regression(seed, size)).recommendation for seed in range(60, 72)]
    assert all(rate is not None and 0.03 < rate < 0.3 for rate in found), found


@pytest.mark.parametrize("place", range(5))
def test_one_odd_batch_changes_nothing(place):
    batches = regression(80, 32)
    usual = ramp_of(batches)
    batches[2][place] = 20.0
    result = ramp_of(batches)
    assert result.recommendation == pytest.approx(usual.recommendation, rel=0.25)
    assert result.max_stable == usual.max_stable
    assert abs(len(result.losses) - len(usual.losses)) <= 2


def test_an_odd_batch_within_the_fall_does_not_end_the_test():
    batches = regression(81, 32)
    usual = ramp_of(batches)
    batches[2][60] = 20.0
    result = ramp_of(batches)
    assert len(result.losses) >= len(usual.losses) - 2
    assert 0.03 < result.recommendation < 0.3


def noise_loss(weights, batch):
    inputs, labels = batch
    return optax.softmax_cross_entropy_with_integer_labels(inputs @ weights, labels).mean()


@pytest.mark.parametrize("optimizer", [jaxlr.adamw, jaxlr.sgd])
@pytest.mark.parametrize("seeds", [1, 3])
def test_pure_noise_is_refused(optimizer, seeds):
    refused = 0
    for seed in range(90, 98):
        random = np.random.default_rng(seed)
        batches = random.normal(size=(100, 16, 20)).astype(np.float32), random.integers(0, 5, size=(100, 16))
        result = lr_range_test(noise_loss, np.zeros((20, 5), np.float32), batches, optimizer=optimizer, seeds=seeds)
        refused += result.recommendation is None and is_refused(result, "larger batches or seeds=5")
    assert refused == 8


def test_a_change_of_rounding_alone_is_no_fall():
    random = np.random.default_rng(4)
    values = np.where(np.arange(100) < 30, -1.2e-7, 3e-3 * random.normal(size=100))  # the first are sure, and nothing
    setting = Setting(ramp_steps=100, reason="end: all", tests=1, spread=0.01, level=1.6, ramp=True)
    found = change(np.geomspace(1e-7, 10.0, 100), [values])
    assert found.certainty.max() > 100
    with pytest.raises(NoSuggestion, match="never falls by more than its noise"):
        recommend(found, setting)


def test_pure_noise_is_refused_by_constant_rates():
    random = np.random.default_rng(99)
    batches = random.normal(size=(10, 16, 20)).astype(np.float32), random.integers(0, 5, size=(10, 16))
    result = constant_rate_test(noise_loss, np.zeros((20, 5), np.float32), batches)
    assert is_refused(result, "the loss never falls by more than its noise")


@pytest.mark.parametrize("size", [16, 128])
def test_weights_that_are_trained_already_are_refused(size):
    for seed in range(100, 106):
        result = ramp_of(regression(seed, size, noise=1.0), weights=TRUE)
        assert is_refused(result, "trained already")


@pytest.mark.parametrize("end", [1e-7, 1e-4, 1e-2])
def test_a_range_that_ends_too_early_is_refused(end):
    for seed in range(110, 113):
        result = ramp_of(regression(seed, 32), start=1e-8, end=end)
        assert is_refused(result, "the rate never got high enough")
        assert "raise end" in result.why


@pytest.mark.parametrize("start", [0.1, 3.0])
def test_a_range_that_begins_too_late_is_refused(start):
    for seed in range(120, 123):
        result = ramp_of(regression(seed, 32), start=start, end=100.0)
        assert is_refused(result, "lower start")


def test_dropout_whose_keys_lie_in_the_model_state_is_no_change_of_the_loss():
    """The same noise is in the loss of the weights and of the starting ones: a rate near 0 changes nothing."""

    def loss(weights, state, batch, key):
        kept = jax.random.bernoulli(jax.random.fold_in(jax.random.key(0), state), 0.5, batch.shape)
        return jnp.mean((batch * kept) @ weights) ** 2, state + 1

    batches = np.random.default_rng(125).normal(size=(40, 8, 10)).astype(np.float32)
    arguments = {"model_state": jnp.int32(0), "num_steps": 20, "start": 1e-12, "end": 1e-11}
    for accumulate in (1, 2):
        result = lr_range_test(loss, TRUE, batches, accumulate=accumulate, **arguments)
        assert len(set(result.losses.tolist())) == 20
        assert is_refused(result, "the rate never got high enough")
        np.testing.assert_allclose(result.curves[0].references, result.losses, rtol=1e-5)


def test_too_few_rates_are_refused():
    assert is_refused(ramp_of(regression(130, 32), num_steps=9), "9 rates are too few: test at least 10")


def noisy_quadratic(weights, batch):
    curvatures = jnp.array([0.1, 0.4, 3.0])
    return jnp.mean(jnp.sum(curvatures * (weights - batch) ** 2, axis=-1)) / 2.0


@pytest.mark.parametrize("size", [16, 64])
def test_max_stable_is_two_over_the_largest_curvature_in_spite_of_noise(size):
    for seed in range(140, 148):
        random = np.random.default_rng((seed, size))
        batches = random.normal(size=(100, size, 3)).astype(np.float32)
        result = lr_range_test(noisy_quadratic, np.full(3, 3.0, np.float32), batches, start=1e-5, end=10.0)
        assert result.max_stable == pytest.approx(2.0 / 3.0, rel=0.25)
        assert 0.01 < result.recommendation < 2.0 / 3.0


def test_several_tests_tell_how_far_their_answers_lie_apart():
    result = ramp_of(regression(150, 16), seeds=3)
    alone = [type(result).from_curves([curve]).recommendation for curve in result.curves]
    rate = result.recommendation
    assert rate.low == min(*alone, rate) <= rate <= max(*alone, rate) == rate.high
    assert rate.low < rate.high


def test_a_recommendation_is_a_float_that_says_why():
    rate = ramp_of(regression(151, 64)).recommendation
    assert isinstance(rate, float)
    assert repr(rate) == f"{float(rate):.2g}"
    assert "nine tenths of the fall" in rate.why
    again = pickle.loads(pickle.dumps(rate))
    assert (again, again.why, again.low, again.high) == (rate, rate.why, rate.low, rate.high)
    assert isinstance(again, Recommendation)


@pytest.mark.parametrize("arguments", [{}, {"seeds": 3}, {"end": 1e-4}, {"num_steps": 5}])
def test_it_prints_in_at_most_eight_lines_the_answer_first(arguments):
    result = ramp_of(regression(152, 32), **arguments)
    lines = repr(result).splitlines()
    assert len(lines) <= 8
    answered = result.recommendation is not None
    assert lines[1].strip().startswith(f"recommendation {result.recommendation}" if answered else "no recommendation")


def test_constant_rates_recommend_too():
    batches = regression(153, 32, steps=20)
    result = constant_rate_test(regression_loss, np.zeros(10, np.float32), batches, num_steps=20)
    assert 0.03 < result.recommendation < 0.3


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"weights": np.ones(2), "activation": jnp.tanh}, r"params\['activation'\] must be an array of floats, got a "),
        ([np.ones(2), np.arange(3)], r"params\[1\] must be an array of floats, got an array of int"),
        (nnx.Dropout(0.5, rngs=nnx.Rngs(0)), r"nnx\.split\(model, nnx\.Param, \.\.\.\)"),
    ],
    ids=["a function", "integers", "a model"],
)
def test_a_whole_model_is_told_what_to_pass(params, said):
    with pytest.raises(TypeError, match=said):
        lr_range_test(lambda p, b: jnp.sum(b), params, jnp.ones((100, 1)))
