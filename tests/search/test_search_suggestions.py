"""Suggestions: what fastai and torch-lr-finder say of the same curves, bounds as the CLR paper reads them, refusals."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlr
from jaxlr.search.ranges import suggestions
from jaxlr.search.ranges.recommendation import Recommendation
from jaxlr.search.ranges.result import Curve, RangeTest
from jaxlr.search.ranges.suggestions import NoSuggestion

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "suggestions.npz")
CURVES = range(len(GOLDEN["points"]))
RATES = np.geomspace(1e-6, 10.0, 100).astype(np.float32)


def golden_curve(index):
    points = GOLDEN["points"][index]
    return GOLDEN["rates"][index, :points], GOLDEN["losses"][index, :points]


def points_apart(rates, one, other):
    """How many grid points lie between two rates of an exponential grid."""
    return abs(np.log(one / other)) / np.log(rates[-1] / rates[0]) * (len(rates) - 1)


def ramp(losses, *, metrics=None, smoothed=None, gradients=None, rates=RATES):
    losses = np.asarray(losses, np.float32)
    return RangeTest.from_curves(
        [
            Curve(
                learning_rates=rates[: len(losses)],
                losses=losses,
                smoothed=losses if smoothed is None else np.asarray(smoothed, np.float32),
                metrics=None if metrics is None else np.asarray(metrics, np.float32),
                gradients=np.ones_like(losses) if gradients is None else np.asarray(gradients, np.float32),
                reason="end: made by hand",
                start_loss=None,
                start_metric=None,
                ramp_steps=len(rates),
            )
        ]
    )


@pytest.mark.parametrize("index", CURVES)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("steepest", "torch_lr_finder"), ("valley", "valley"), ("slide", "slide"), ("minimum", "minimum")],
)
def test_the_rules_are_those_of_fastai_and_torch_lr_finder(ours, theirs, index):
    rates, losses = golden_curve(index)
    assert points_apart(rates, getattr(suggestions, ours)(rates, losses), GOLDEN[theirs][index]) < 1e-3


@pytest.mark.parametrize("index", [index for index in CURVES if not GOLDEN["noisy"][index]])
def test_steepest_is_within_a_point_of_fastai_whose_differences_look_ahead(index):
    rates, losses = golden_curve(index)
    assert points_apart(rates, suggestions.steepest(rates, losses), GOLDEN["steep"][index]) < 1.001


def test_valley_takes_the_longest_falling_subsequence():
    random = np.random.default_rng(0)
    for _ in range(50):
        losses = random.integers(0, 12, size=30).astype(float)
        longest = np.ones(30, int)
        for i in range(30):
            longest[i] += max((longest[j] for j in range(i) if losses[j] > losses[i]), default=0)
        end, length = int(longest.argmax()), int(longest.max())
        expected = max(0, end - length + int(length / 3) + int(length / 6))
        assert suggestions.valley(np.arange(1.0, 31.0), losses) == expected + 1.0


def test_a_test_suggests_from_the_smoothed_curve_without_its_first_tenth_and_last_five_points():
    """As lr_find of fastai does with 100 steps, and LRFinder.plot of torch-lr-finder by default."""
    random = np.random.default_rng(1)
    smoothed = 2.0 - 1.0 / (1 + np.exp(-(np.arange(100) - 55) / 6)) + 0.01 * random.normal(size=100)
    smoothed[3], smoothed[97] = -5.0, -7.0  # would win every rule
    result = ramp(np.linspace(2.0, 1.0, 100), smoothed=smoothed)
    for method in suggestions.METHODS:
        rule = getattr(suggestions, method)
        assert result.suggestion(method) == rule(RATES[10:-5], smoothed.astype(np.float32)[10:-5])
    assert set(result.suggestions()) == set(suggestions.METHODS)
    assert result.suggestion() == result.suggestion("steepest")


def test_steepest_is_not_the_fall_back_from_an_explosion():
    falling = np.interp(np.arange(100), [0, 30, 50, 99], [2.0, 2.0, 1.0, 1.0])
    exploded = falling + 50.0 * np.exp(-(((np.arange(100) - 80) / 3.0) ** 2))
    exploded[60:] += 0.1
    assert ramp(exploded).suggestion() == ramp(falling).suggestion()


REFUSED = {
    "constant": np.full(100, 2.0),
    "rising": np.linspace(1.0, 2.0, 100),
    "nan from the first": [np.nan],
    "infinite from the first": [np.inf],
    "too short": [2.0, 1.5, np.nan],
    "noise alone": 2.0 + 0.1 * np.random.default_rng(3).normal(size=100),
}


@pytest.mark.parametrize("losses", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("method", suggestions.METHODS)
def test_a_curve_without_an_answer_is_refused(losses, method):
    smoothed = np.cumsum(losses) / np.arange(1, len(losses) + 1)
    with pytest.raises(NoSuggestion, match="no suggestion: "):
        ramp(losses, smoothed=smoothed).suggestion(method)
    assert issubclass(NoSuggestion, ValueError)


@pytest.mark.parametrize("losses", REFUSED.values(), ids=REFUSED)
def test_bounds_of_a_curve_without_an_answer_are_refused(losses):
    with pytest.raises(NoSuggestion, match="no bounds"):
        ramp(losses).bounds()
    with pytest.raises(NoSuggestion, match="no bounds"):
        ramp(losses, metrics=np.full(len(losses), 0.1)).bounds()


@pytest.mark.parametrize("losses", REFUSED.values(), ids=REFUSED)
def test_a_result_without_answers_still_becomes_data(losses):
    data = ramp(losses, smoothed=np.cumsum(losses) / np.arange(1, len(losses) + 1)).to_dict()
    assert data["bounds"] is None
    assert data["suggestions"] == dict.fromkeys(suggestions.METHODS)


@pytest.mark.parametrize("rule", [getattr(suggestions, method) for method in suggestions.METHODS])
def test_a_rule_refuses_a_curve_that_never_falls(rule):
    for losses in (np.full(40, 1.0), np.linspace(1.0, 2.0, 40)):
        with pytest.raises(NoSuggestion, match="never falls"):
            rule(np.arange(1.0, 41.0), losses)
    with pytest.raises(NoSuggestion, match="needs at least"):
        rule([1.0], [2.0])
    with pytest.raises(NoSuggestion, match="not finite"):
        rule(np.arange(1.0, 41.0), [2.0, np.nan] * 20)
    with pytest.raises(ValueError, match=r"as many, got the shapes \(2,\) and \(3,\)"):
        rule([1.0, 2.0], [1.0, 2.0, 3.0])


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="method must be one of 'steepest', 'valley', 'minimum', 'slide', got 'best'"):
        ramp(np.linspace(2.0, 1.0, 100)).suggestion("best")


def accuracy_curve(noise=0.0):
    """Chance up to point 30, a straight rise from there to 0.9 at point 60, flat to 80, then down."""
    accuracy = np.interp(np.arange(100), [0, 30, 60, 80, 85, 99], [0.1, 0.1, 0.9, 0.9, 0.2, 0.1])
    return accuracy + noise * np.random.default_rng(0).normal(size=100)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_bounds_are_where_the_accuracy_starts_and_stops_rising(noise):
    base, highest = ramp(np.linspace(2.0, 1.0, 100), metrics=accuracy_curve(noise)).bounds()
    assert points_apart(RATES, base, RATES[32]) <= 4
    assert points_apart(RATES, highest, RATES[59]) <= 4


def test_bounds_end_where_the_accuracy_turns_jagged():
    accuracy = accuracy_curve()
    accuracy[46:60] += np.where(np.arange(14) // 3 % 2 == 0, -0.5, 0.0)  # before it is at its highest
    _, highest = ramp(np.linspace(2.0, 1.0, 100), metrics=accuracy).bounds()
    assert points_apart(RATES, highest, RATES[44]) <= 3


@pytest.mark.parametrize("scale", [1.0, -1.0], ids=["above 0", "around 0"])
def test_bounds_without_accuracy_are_where_the_loss_starts_and_stops_falling(scale):
    losses = 2.0 * scale - accuracy_curve()
    losses[88:] = 1e9
    base, highest = ramp(losses).bounds()
    assert points_apart(RATES, base, RATES[32]) <= 4
    assert points_apart(RATES, highest, RATES[59]) <= 4


def test_the_upper_bound_is_stable():
    losses = np.interp(np.arange(100), [0, 30, 50, 99], [2.0, 2.0, 1.0, 5.0])
    result = ramp(losses, metrics=accuracy_curve())
    assert result.max_stable == RATES[49]
    assert result.bounds()[1] == RATES[49]


def test_bounds_and_step_size_feed_the_cyclic_schedules():
    result = ramp(np.linspace(2.0, 1.0, 100), metrics=accuracy_curve())
    rate = jaxlr.triangular(*result.bounds(), result.step_size(25))
    low, high = np.float32(result.bounds())
    assert result.step_size(25) == 100
    assert rate(0) == low
    assert rate(100) == high


@pytest.mark.parametrize(("epochs", "cycles"), [(1, 1), (8, 1), (9, 2), (20, 3), (64, 8)])
def test_the_step_size_of_a_training_makes_whole_cycles_of_at_most_eight_epochs(epochs, cycles):
    step_size = ramp(np.ones(3)).step_size(25, epochs=epochs)
    assert step_size == epochs * 25 // (2 * cycles)
    assert 0 <= epochs * 25 - 2 * cycles * step_size < 2 * cycles
    assert 2 * step_size <= 8 * 25


@pytest.mark.parametrize("arguments", [{"steps_per_epoch": 0}, {"steps_per_epoch": 5, "epochs": 0}])
def test_a_step_size_needs_lengths(arguments):
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        ramp(np.ones(3)).step_size(**arguments)
    with pytest.raises(TypeError, match="must be an integer"):
        ramp(np.ones(3)).step_size(2.5)


def test_max_stable_is_the_rate_that_led_to_the_last_low_loss():
    assert ramp([3.0, 2.0, 1.0, 4.0, 9.0, np.nan]).curves[0].max_stable() == RATES[1]
    assert ramp([3.0, 2.0, 1.0, 1.0, 9.0, np.nan]).curves[0].max_stable() == RATES[2]
    assert ramp([3.0, np.nan]).curves[0].max_stable() is None
    assert ramp([np.nan]).curves[0].max_stable() is None
    assert ramp([3.0, 4.0, 5.0]).curves[0].max_stable() is None


def test_the_gradient_decides_where_the_loss_is_the_same_to_the_last_bit():
    losses = [3.0, 2.0, 1.0, 1.0, 1.0, 1.0, 2.0]
    assert ramp(losses, gradients=[9.0, 5.0, 1e-3, 1e-4, 2e-5, 1e-4, 9.0]).curves[0].max_stable() == RATES[3]


def test_only_what_came_after_a_vanished_gradient_says_what_is_stable():
    losses = [3.0, 1.0, 0.0, 3.0, 2.0, 1.5, 2.0]
    assert ramp(losses, gradients=[9.0, 5.0, 0.0, 9.0, 5.0, 4.0, 5.0]).curves[0].max_stable() == RATES[4]
    assert ramp([2.0, 2.0], gradients=[0.0, 0.0]).curves[0].max_stable() is None


def test_the_median_and_the_spread_over_seeds():
    def of(turn, length):
        place = np.arange(length)
        losses = 2.0 - 1.0 / (1 + np.exp(-(place - turn) / 3.0)) + np.exp((place - 90) / 2.0)
        losses[-1] = np.nan if length < 100 else losses[-1]
        return ramp(losses, metrics=accuracy_curve()[:length]).curves[0]

    tests = [RangeTest.from_curves([of(turn, length)]) for turn, length in [(40, 100), (50, 96), (60, 90)]]
    result = RangeTest.from_curves([test.curves[0] for test in tests])
    alone = [test.suggestion() for test in tests]
    assert result.suggestion() == alone[1]
    assert result.spread() == (alone[0], alone[2])
    assert result.max_stable == np.median([test.max_stable for test in tests])
    assert result.bounds() == tests[0].bounds()
    assert len(result.losses) == len(result.learning_rates) == len(result.smoothed) == len(result.metrics) == 95
    np.testing.assert_array_equal(result.losses[:80], np.median([t.losses[:80] for t in tests], axis=0))


def test_most_seeds_must_have_an_answer():
    falling, constant = ramp(np.linspace(2.0, 1.0, 100)).curves[0], ramp(np.ones(100)).curves[0]
    assert RangeTest.from_curves([falling, constant, falling]).suggestion("valley") > 0
    with pytest.raises(NoSuggestion, match=r"the loss never falls \(2 of 3 seeds\)"):
        RangeTest.from_curves([falling, constant, constant]).suggestion("valley")


SQUARES = jnp.ones(2), jnp.ones((40, 3))


@pytest.mark.parametrize(
    ("loss", "arguments", "said"),
    [
        (
            lambda p, b, s, k: (jnp.sum(p**2), s),
            {"key": 0},
            r"key must be a random key such as jax.random.key\(0\), got 0",
        ),
        (lambda p, b: (jnp.sum(p**2), 1), {}, "must return a scalar where neither model_state nor key is given"),
    ],
)
def test_a_wrong_key_or_loss_is_named(loss, arguments, said):
    with pytest.raises(TypeError, match=said):
        jaxlr.lr_range_test(loss, *SQUARES, optimizer=jaxlr.sgd, num_steps=40, **arguments)


@pytest.mark.parametrize("key", [jax.random.key(0), jax.random.PRNGKey(0)])
def test_keys_of_both_kinds_will_do(key):
    def loss(params, state, batch, key):
        return jnp.sum(params**2) + jax.random.uniform(key), state

    result = jaxlr.lr_range_test(loss, *SQUARES, optimizer=jaxlr.sgd, num_steps=40, key=key)
    assert len(set(result.losses[:10].tolist())) == 10  # each batch has a key of its own


def test_a_loss_that_is_never_finite_has_no_bounds():
    result = jaxlr.lr_range_test(lambda p, b: jnp.sum(p) / 0.0, *SQUARES, optimizer=jaxlr.sgd, num_steps=40)
    with pytest.raises(NoSuggestion, match="no bounds: the loss is not finite at the first rate"):
        result.bounds()


def test_rules_that_refuse_beside_a_recommendation_are_told():
    flat = ramp(np.ones(100))
    assert "other rules" not in repr(flat)
    told = repr(dataclasses.replace(flat, recommendation=Recommendation(0.1, "by hand", 0.05, 0.2), why="by hand"))
    assert "other rules: none sees a fall through the noise from batch to batch" in told
