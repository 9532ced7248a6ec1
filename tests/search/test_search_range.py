"""The range test and the constant rates: pure, one program, exact on problems whose answer is known."""

import functools
import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxlr
from jaxlr.plotting import save_figure
from jaxlr.search import NoSuggestion, constant_rate_test, lr_range_test

# Many small trainings: the short form is in test_search_suggestions.py and the executed examples.
pytestmark = pytest.mark.long

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(24, 16, 6)).astype(np.float32)
LABELS = (IMAGES @ RANDOM.normal(size=(6, 3))).argmax(-1)
PARAMS = {
    "hidden": jnp.asarray(RANDOM.normal(size=(6, 8)) * 0.3, jnp.float32),
    "out": jnp.asarray(RANDOM.normal(size=(8, 3)) * 0.3, jnp.float32),
}
BATCHES = (jnp.asarray(IMAGES), jnp.asarray(LABELS))
TESTS = {"ramp": lr_range_test, "constant rates": constant_rate_test}
every_test = pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)


def outputs(params, images):
    return jnp.tanh(images @ params["hidden"]) @ params["out"]


def loss_fn(params, batch):
    images, labels = batch
    return optax.softmax_cross_entropy_with_integer_labels(outputs(params, images), labels).mean()


def accuracy(params, batch):
    return (outputs(params, batch[0]).argmax(-1) == batch[1]).mean()


def stateful_loss(params, statistics, batch, key):
    """With a running mean as in batch normalization, and dropout."""
    images, labels = batch
    mean = images.mean(axis=0)
    kept = jax.random.bernoulli(key, 0.8, images.shape)
    loss = loss_fn(params, ((images - mean) * kept, labels))
    return loss, {"mean": 0.9 * statistics["mean"] + 0.1 * mean, "seen": statistics["seen"] + 1}


def stateful_accuracy(params, statistics, batch, key):
    return accuracy(params, batch)


def loss_of_any_form(params, batch):
    return loss_fn(params, (batch["images"], batch["labels"]) if isinstance(batch, dict) else batch)


@functools.cache
def quadratic(curvature):
    return lambda params, batch: curvature / 2 * jnp.sum((params - batch) ** 2)


STATISTICS = {"mean": jnp.zeros(6), "seen": jnp.int32(0)}
ADAM = jaxlr.adam(0.01)  # one for all tests: each new one is a new program
GRADIENTS = jax.jit(jax.value_and_grad(loss_fn))
STATEFUL_GRADIENTS = jax.jit(jax.value_and_grad(stateful_loss, has_aux=True))


def counted(function):
    """The function, and a list that grows by one each time it is traced."""
    traces = []

    @functools.wraps(function)
    def counting(*arguments):
        traces.append(1)
        return function(*arguments)

    return counting, traces


def reference_ramp(optimizer, rates, params=PARAMS, opt_state=None, batches=BATCHES, accumulate=1):
    """The plain loop that everybody writes, up to the last rate."""
    losses = []
    for n, rate in enumerate(rates):
        values = [
            GRADIENTS(params, tuple(part[(n * accumulate + i) % len(part)] for part in batches))
            for i in range(accumulate)
        ]
        gradients = jax.tree.map(lambda *leaves: sum(leaves) / accumulate, *[gradients for _, gradients in values])
        losses.append(np.mean([loss for loss, _ in values]))
        transformation = optimizer(float(rate))
        opt_state = transformation.init(params) if opt_state is None else opt_state
        updates, opt_state = transformation.update(gradients, opt_state, params)
        params = optax.apply_updates(params, updates)
    return np.array(losses)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


# Nothing of the caller's changes.


@every_test
@pytest.mark.parametrize("kind", [jnp.asarray, np.array], ids=["jax", "numpy"])
def test_what_is_handed_in_is_bit_equal_afterwards_and_not_donated(test, kind):
    trees = {
        "params": jax.tree.map(kind, PARAMS),
        "model_state": jax.tree.map(kind, STATISTICS),
        "opt_state": ADAM.init(PARAMS),
        "batches": jax.tree.map(kind, BATCHES),
        "metric_batch": jax.tree.map(lambda leaf: kind(leaf[0]), BATCHES),
        "key": jax.random.PRNGKey(3),
    }
    before = bits(trees)
    arguments = {name: trees[name] for name in ("model_state", "opt_state", "metric_batch", "key")}
    for seeds in (1, 2):
        test(
            stateful_loss, trees["params"], trees["batches"], optimizer=ADAM, metric_fn=stateful_accuracy, num_steps=10,
            seeds=seeds, start=1e-3, end=1e2, **arguments,
        )  # fmt: skip
    assert bits(trees) == before  # reading a donated buffer raises
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(trees) if isinstance(leaf, jax.Array))


@every_test
def test_a_training_after_the_test_is_the_training_without_it_bit_for_bit(test):
    def train(with_test):
        params, opt_state, key = PARAMS, ADAM.init(PARAMS), jax.random.key(7)
        statistics = STATISTICS
        for n in range(12):
            if with_test and n == 6:
                test(
                    stateful_loss, params, BATCHES, optimizer=ADAM, opt_state=opt_state, key=key,
                    model_state=statistics, num_steps=10,
                )  # fmt: skip
            key, own = jax.random.split(key)
            (_, statistics), gradients = STATEFUL_GRADIENTS(params, statistics, tuple(part[n] for part in BATCHES), own)
            updates, opt_state = ADAM.update(gradients, opt_state, params)
            params = optax.apply_updates(params, updates)
        return bits((params, opt_state, statistics, jax.random.key_data(key)))

    assert train(with_test=True) == train(with_test=False)


def test_an_iterator_is_asked_for_no_more_batches_than_the_test_needs():
    source = iter([(IMAGES[n], LABELS[n]) for n in range(24)])
    lr_range_test(loss_fn, PARAMS, source, num_steps=10, end=0.1)
    assert len(list(source)) == 14
    source = iter([(IMAGES[n], LABELS[n]) for n in range(24)])
    result = lr_range_test(lambda params, batch: jnp.nan * loss_fn(params, batch), PARAMS, source, num_steps=10)
    assert len(result.losses) == 1
    assert len(list(source)) == 23


# The curve is that of the plain loop.


OPTIMIZERS = {
    "sgd": jaxlr.sgd,
    "a partial": functools.partial(jaxlr.sgd, momentum=0.9),
    "adam of optax": optax.adam,
    "adamw": jaxlr.adamw,
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_ramp_is_the_loop_that_everybody_writes(optimizer):
    result = lr_range_test(loss_fn, PARAMS, BATCHES, optimizer=optimizer, start=1e-3, end=1.0, num_steps=24)
    expected = reference_ramp(optimizer, np.geomspace(1e-3, 1.0, 24))
    assert result.stop_reason == "end: all 24 steps were made, up to rate 1"
    np.testing.assert_allclose(result.losses, expected, rtol=2e-4)
    weights = 0.98 ** np.arange(24)[::-1]
    smoothed = [np.average(expected[: n + 1], weights=weights[-n - 1 :]) for n in range(24)]
    np.testing.assert_allclose(result.smoothed, smoothed, rtol=2e-4)


def test_a_finished_transformation_has_its_rate_set():
    finished = jaxlr.adamw(jaxlr.warmup(jaxlr.cosine(0.1, 100), 10))
    arguments = {"start": 1e-3, "end": 1.0, "num_steps": 24}
    result = lr_range_test(loss_fn, PARAMS, BATCHES, optimizer=finished, **arguments)
    expected = lr_range_test(loss_fn, PARAMS, BATCHES, optimizer=jaxlr.adamw, **arguments)
    np.testing.assert_allclose(result.losses, expected.losses, rtol=1e-5)
    with pytest.raises(ValueError, match="optimizer must be one whose state has its rate"):
        lr_range_test(loss_fn, PARAMS, BATCHES, optimizer=optax.adam(0.1), **arguments)


def test_it_goes_on_from_the_optimizer_state_that_is_given():
    optimizer = functools.partial(jaxlr.sgd, momentum=0.9)
    state = jax.tree.map(jnp.ones_like, optimizer(0.1).init(PARAMS))
    result = lr_range_test(
        loss_fn, PARAMS, BATCHES, optimizer=optimizer, opt_state=state, start=1e-3, end=0.1, num_steps=24
    )
    expected = reference_ramp(optimizer, np.geomspace(1e-3, 0.1, 24), opt_state=state)
    np.testing.assert_allclose(result.losses, expected, rtol=2e-4)
    fresh = lr_range_test(loss_fn, PARAMS, BATCHES, optimizer=optimizer, start=1e-3, end=0.1, num_steps=24)
    assert np.abs(fresh.losses - expected).max() > 0.01


@pytest.mark.parametrize("accumulate", [2, 3])
def test_accumulation_takes_the_mean_of_several_batches(accumulate):
    arguments = {"start": 1e-2, "end": 1.0, "num_steps": 8, "accumulate": accumulate}
    result = lr_range_test(loss_fn, PARAMS, BATCHES, **arguments)
    expected = reference_ramp(jaxlr.sgd, np.geomspace(1e-2, 1.0, 8), accumulate=accumulate)
    np.testing.assert_allclose(result.losses, expected, rtol=2e-4)
    in_turn = lr_range_test(loss_fn, PARAMS, list(zip(*BATCHES, strict=True)), **arguments)
    np.testing.assert_allclose(in_turn.losses, expected, rtol=2e-4)


FORMS = {
    "tuple": BATCHES,
    "list": [(IMAGES[n], LABELS[n]) for n in range(24)],
    "dict": {"images": BATCHES[0], "labels": BATCHES[1]},
    "list of dicts": [{"images": IMAGES[n], "labels": LABELS[n]} for n in range(24)],
}


@pytest.mark.parametrize("batches", FORMS.values(), ids=FORMS)
@every_test
def test_batches_may_come_as_arrays_or_one_after_another(test, batches):
    result = test(loss_of_any_form, PARAMS, batches, start=1e-3, end=1.0, num_steps=24)
    expected = test(loss_of_any_form, PARAMS, BATCHES, start=1e-3, end=1.0, num_steps=24)
    np.testing.assert_allclose(result.losses, expected.losses, rtol=1e-5)


@pytest.mark.parametrize("form", [tuple, lambda batches: iter(zip(*batches, strict=True))], ids=["arrays", "iterator"])
def test_batches_repeat_on_request(form):
    few = tuple(part[:5] for part in BATCHES)
    result = lr_range_test(loss_fn, PARAMS, form(few), start=1e-3, end=1.0, num_steps=12, repeat=True)
    expected = reference_ramp(jaxlr.sgd, np.geomspace(1e-3, 1.0, 12), batches=few)
    np.testing.assert_allclose(result.losses, expected, rtol=2e-4)


def test_the_model_state_and_the_keys_move_on():
    seen = []

    def loss(params, statistics, batch, key):
        jax.debug.callback(lambda *values: seen.append(values), statistics["seen"], jax.random.uniform(key))
        return stateful_loss(params, statistics, batch, key)

    for batches in (BATCHES, list(zip(*BATCHES, strict=True))):
        seen.clear()
        lr_range_test(loss, PARAMS, batches, model_state=STATISTICS, key=jax.random.key(0), num_steps=6)
        jax.effects_barrier()
        # Each batch is also shown to the starting weights, with the same state and key.
        counts = {float(draw): [] for _, draw in seen}
        for count, draw in seen:
            counts[float(draw)].append(int(count))
        assert sorted(map(sorted, counts.values())) == [[count, count] for count in range(6)]


@every_test
def test_a_network_of_nnx_goes_in_as_it_is(test):
    def make(inputs, outputs, rngs):
        return nnx.Sequential(
            nnx.Linear(inputs, outputs, rngs=rngs), nnx.BatchNorm(outputs, rngs=rngs), nnx.Dropout(0.1, rngs=rngs)
        )

    graph, params, rest = nnx.split(make(6, 3, nnx.Rngs(0)), nnx.Param, ...)

    def loss(params, rest, batch, key):
        network = nnx.merge(graph, params, rest)
        value = optax.softmax_cross_entropy_with_integer_labels(network(batch[0]), batch[1]).mean()
        return value, nnx.state(network, nnx.Not(nnx.Param))

    def plain(params, rest, batch, key):
        value, rest = loss(params, rest, batch, key)
        return value, nnx.to_pure_dict(rest)

    result = test(loss, params, BATCHES, model_state=rest, end=1.0, num_steps=20)
    pure = test(plain, nnx.to_pure_dict(params), BATCHES, model_state=nnx.to_pure_dict(rest), end=1.0, num_steps=20)
    np.testing.assert_array_equal(result.losses, pure.losses)


@pytest.mark.parametrize("given", ["model_state", "key"])
def test_what_is_not_given_is_none(given):
    def loss(params, model_state, batch, key):
        assert (model_state is None, key is None) == (given == "key", given == "model_state")
        return loss_fn(params, batch), model_state

    value = STATISTICS if given == "model_state" else jax.random.key(0)
    assert len(lr_range_test(loss, PARAMS, BATCHES, num_steps=5, **{given: value}).losses) == 5


def test_the_metric_is_measured_before_each_update_on_the_batch_that_is_asked_for():
    arguments = {"start": 1e-2, "end": 1.0, "num_steps": 12, "metric_fn": accuracy}
    own = lr_range_test(loss_fn, PARAMS, BATCHES, **arguments)
    assert own.metrics[0] == accuracy(PARAMS, (IMAGES[0], LABELS[0]))
    validation = (IMAGES[20], LABELS[20])
    for batches in (BATCHES, list(zip(*BATCHES, strict=True))):
        result = lr_range_test(loss_fn, PARAMS, batches, metric_batch=validation, **arguments)
        assert result.metrics[0] == accuracy(PARAMS, validation)
        assert result.metrics[-1] > result.metrics[0]
        assert len(result.metrics) == 12
    assert lr_range_test(loss_fn, PARAMS, BATCHES, num_steps=5).metrics is None


@pytest.mark.parametrize(("start", "end"), [(1e-7, 10.0), (1e-3, 0.7), (3e-5, 1e3)])
@pytest.mark.parametrize("num_steps", [2, 7, 24])
@pytest.mark.parametrize(("scale", "space"), [("exponential", np.geomspace), ("linear", np.linspace)])
def test_the_rates_reach_both_ends(scale, space, num_steps, start, end):
    result = lr_range_test(
        quadratic(1e-4), jnp.ones(2), jnp.zeros((24, 1)), start=start, end=end, num_steps=num_steps, scale=scale
    )
    assert result.learning_rates[0] == np.float32(start)
    assert result.learning_rates[-1] == np.float32(end)
    np.testing.assert_allclose(result.learning_rates, space(start, end, num_steps), rtol=1e-6)


# It stops by itself.


def test_a_constant_loss_stays_constant_to_the_last_bit():
    result = lr_range_test(lambda p, b: 2.0 + 0.0 * jnp.sum(p), jnp.ones(2), jnp.zeros((100, 1)))
    assert set(result.smoothed) == {2.0}
    assert result.max_stable is None
    with pytest.raises(NoSuggestion, match="the loss never falls"):
        result.suggestion()


@pytest.mark.parametrize("form", [jnp.asarray, list], ids=["arrays", "list"])
def test_it_stops_where_the_loss_diverges(form):
    result = lr_range_test(quadratic(1.0), jnp.ones(2), form(jnp.zeros((100, 1))), start=1e-2, end=1e3)
    assert result.stop_reason.startswith("diverged: ")
    assert 2.0 < result.learning_rates[-1] < 20.0
    assert result.smoothed[-1] > 4.0 * result.smoothed.min()
    assert result.smoothed[-2] <= 4.0 * result.smoothed.min()
    assert np.all(np.isfinite(result.losses))


@pytest.mark.parametrize("form", [jnp.asarray, list], ids=["arrays", "list"])
@pytest.mark.parametrize(("value", "said"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_it_stops_where_the_loss_is_not_finite_and_says_where(form, value, said):
    batches = np.zeros(20, np.float32)
    batches[12] = value
    result = lr_range_test(lambda p, b: 1.0 + jnp.sum(p**2) + b, jnp.ones(2), form(batches), num_steps=20, end=0.1)
    rate = np.geomspace(1e-7, 0.1, 20)[12]
    assert result.stop_reason == f"nan: the loss became {said} at rate {rate:.3g}, step 13 of 20"
    assert len(result.losses) == 13
    assert result.max_stable == result.learning_rates[10]


def test_nothing_is_computed_after_the_stop():
    calls = []

    def loss(params, batch):
        jax.debug.callback(lambda: calls.append(1))
        return jnp.nan * jnp.sum(params)

    result = lr_range_test(loss, jnp.ones(2), jnp.zeros((100, 1)))
    jax.effects_barrier()
    assert len(result.losses) == 1
    assert len(calls) == 2  # of the weights, and of those that the test began with
    with pytest.raises(NoSuggestion, match="the loss is not finite at the first rate"):
        result.suggestion()


def test_it_does_not_stop_where_that_is_not_wanted():
    result = lr_range_test(
        quadratic(1.0), jnp.ones(2), jnp.zeros((30, 1)), start=1e-2, end=1e2, num_steps=30, divergence=math.inf
    )
    assert result.stop_reason.startswith("end")


@pytest.mark.parametrize("offset", [-100.0, -1.0, 0.0])
def test_a_loss_around_0_or_below_is_followed_to_its_divergence(offset):
    """4 times the best of a negative loss is lower than the best: others stop at once."""
    result = lr_range_test(
        lambda p, b: jnp.sum(p**2) / 2 + offset, jnp.ones(2), jnp.zeros((100, 1)), start=1e-3, end=1e3
    )
    assert result.stop_reason.startswith("diverged")
    assert result.max_stable == pytest.approx(2.0, rel=0.16)


# Problems whose answer is known.


def any_quadratic(params, batch):
    centre, curvature = batch
    return curvature / 2 * jnp.sum((params - centre) ** 2)


@pytest.mark.parametrize("ratio", [1.03, 1.05, 1.1, 1.3])
@every_test
def test_max_stable_is_two_over_the_curvature(test, ratio):
    points = int(math.log(1e4) / math.log(ratio))
    grid = {"num_steps": points} if test is lr_range_test else {"num_rates": points}
    for curvature, centre in itertools.product([0.02, 1.0, 300.0], [0.0, 0.3]):
        start = 1e-3 / curvature
        end = start * ratio ** (points - 1)
        batches = (np.full((points, 1), centre, np.float32), np.full(points, curvature, np.float32))
        result = test(any_quadratic, jnp.ones(10), batches, start=start, end=end, **grid)
        apart = abs(math.log(result.max_stable * curvature / 2))
        assert apart <= (math.log(1.1) if ratio <= 1.05 else math.log(ratio) * 1.001), (curvature, centre)


def test_constant_rates_are_the_powers_of_their_factors():
    rates = np.geomspace(1e-3, 2.1, 15)
    result = constant_rate_test(
        lambda p, b: jnp.sum(p**2) / 2, jnp.ones(2), jnp.zeros((10, 1)), start=1e-3, end=2.1, num_rates=15, num_steps=6
    )
    np.testing.assert_allclose(result.losses, (1 - rates) ** 12, rtol=1e-4)
    assert result.stop_reason == "end: 15 rates, 6 updates each"


def test_a_constant_rate_that_explodes_and_comes_back_is_not_stable():
    """As a network does whose units all die: its loss ends below the first, but not because it learned."""

    def loss(params, batch):
        return jnp.where(jnp.abs(params) < 30.0, params**2, 0.5)[0]

    result = constant_rate_test(loss, jnp.ones(1), jnp.zeros((10, 1)), start=2**-8, end=8.0, num_rates=12, num_steps=6)
    assert result.losses[-1] == 0.5
    assert result.max_stable == pytest.approx(1.0)
    assert result.stop_reason == "diverged: from rate 2 on the loss rose to more than 4 times its best"


def test_constant_rates_that_diverge_are_said():
    result = constant_rate_test(
        lambda p, b: jnp.sum(p**4), jnp.ones(2), jnp.zeros((10, 1)), start=1e-4, end=1e2, num_rates=13
    )
    first = result.learning_rates[~np.isfinite(result.losses)][0]
    assert result.max_stable < first
    assert result.stop_reason.startswith("diverged: from rate 1 on")
    result = constant_rate_test(lambda p, b: jnp.sum(p) / b[0], jnp.ones(2), jnp.zeros((10, 1)))
    assert result.stop_reason == "nan: from rate 1e-05 on the loss is not finite after 10 updates"
    assert result.max_stable is None


# One trace.


@every_test
@pytest.mark.parametrize("form", [tuple, lambda batches: list(zip(*batches, strict=True))], ids=["arrays", "list"])
def test_other_ends_scales_weights_and_data_trace_nothing_again(test, form):
    loss, traces = counted(loss_fn)
    metric, metric_traces = counted(accuracy)

    def run(params, batches, **arguments):
        optimizer = functools.partial(jaxlr.sgd, momentum=0.9)  # anew each time, as one writes it
        return test(loss, params, batches, optimizer=optimizer, metric_fn=metric, **arguments)

    run(PARAMS, form(BATCHES), num_steps=12)
    first = len(traces), len(metric_traces)
    assert min(first) > 0
    others = jax.tree.map(lambda leaf: 2.0 * leaf, PARAMS)
    run(PARAMS, form(BATCHES), num_steps=12, start=1e-4, end=3)
    run(others, form(BATCHES), num_steps=12, scale="linear", start=0, end=np.float32(0.5))
    run(others, form((BATCHES[0] + 1.0, BATCHES[1])), num_steps=12)
    if test is lr_range_test:
        run(PARAMS, form(BATCHES), num_steps=12, smoothing=0.5, divergence=9)
    assert (len(traces), len(metric_traces)) == first


def test_the_functions_of_old_tests_are_let_go():
    import gc
    import weakref

    from jaxlr.search.trials import trial

    def run():
        large = jnp.ones(1000)
        loss = lambda p, b: jnp.sum(p * large) ** 2  # noqa: E731
        lr_range_test(loss, jnp.ones(1000), jnp.zeros((2, 1)), num_steps=2)
        return weakref.ref(loss)

    first = run()
    for curvature in range(trial._KEPT_PROGRAMS):
        lr_range_test(lambda p, b, c=curvature: c * jnp.sum(p), jnp.ones(2), jnp.zeros((2, 1)), num_steps=2)
    gc.collect()
    assert first() is None


# Several seeds.


@pytest.mark.parametrize("strategy", ["map", "vmap"])
def test_the_first_of_several_seeds_is_the_test_alone(strategy):
    arguments = {"start": 1e-3, "end": 30.0, "num_steps": 60, "key": jax.random.key(0), "model_state": STATISTICS}
    arguments["repeat"] = True
    alone = lr_range_test(stateful_loss, PARAMS, BATCHES, **arguments)
    result = lr_range_test(stateful_loss, PARAMS, BATCHES, seeds=3, strategy=strategy, **arguments)
    np.testing.assert_allclose(result.curves[0].losses[:40], alone.losses[:40], rtol=1e-3)
    assert len(result.curves) == 3
    assert len({tuple(curve.losses[:2].tolist()) for curve in result.curves}) == 3
    low, high = result.spread()
    assert low <= result.suggestion() <= high


def test_seeds_see_every_batch_once_in_another_order():
    numbers = jnp.arange(1.0, 25.0)
    result = lr_range_test(lambda p, b: b + 0.0 * jnp.sum(p), jnp.ones(2), numbers, num_steps=24, seeds=3,
                           divergence=math.inf)  # fmt: skip
    for curve in result.curves:
        assert sorted(curve.losses) == sorted(numbers)
    assert result.curves[0].losses.tolist() == numbers.tolist()
    assert not np.array_equal(result.curves[1].losses, result.curves[2].losses)


def test_seeds_of_constant_rates():
    result = constant_rate_test(loss_fn, PARAMS, BATCHES, seeds=3, start=1e-3, end=100.0, num_rates=20)
    alone = constant_rate_test(loss_fn, PARAMS, BATCHES, start=1e-3, end=100.0, num_rates=20)
    np.testing.assert_allclose(result.curves[0].losses, alone.losses, rtol=1e-4)
    assert len(result.losses) == 20
    low, high = result.spread("minimum")
    assert low <= result.suggestion("minimum") <= high


# Several devices.


def test_on_eight_devices_the_curve_is_that_of_one():
    script = Path(__file__).parents[1] / "programs" / "range_test_of_eight.py"
    eight = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-W", "error", script]
    done = subprocess.run(command, env=eight, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "all hold"


# Wrong input.


def wrong(said, kind=ValueError, **arguments):
    return pytest.param(arguments, kind, said, id=said[:40])


WRONG = [
    wrong("start must be below end, got start=1.0 and end=1.0", start=1.0, end=1.0),
    wrong("start must be below end, got start=2.0 and end=1.0", start=2.0, end=1.0),
    wrong("start must be above 0 on an exponential scale, got 0.0", start=0.0),
    wrong("start must be at least 0, got -1.0", start=-1.0, scale="linear"),
    wrong("end must be finite, got nan", end=math.nan),
    wrong("start must be a number, got '1e-7'", TypeError, start="1e-7"),
    wrong("num_steps must be at least [12], got 0", num_steps=0),
    wrong("num_steps must be an integer number of updates, got 5.5", TypeError, num_steps=5.5),
    wrong("accumulate must be at least 1, got 0", accumulate=0),
    wrong("seeds must be at least 1, got 0", seeds=0),
    wrong("scale must be one of 'exponential', 'linear', got 'log'", scale="log"),
    wrong("strategy must be one of 'auto', 'map', 'vmap', got 'pmap'", strategy="pmap"),
    wrong("optimizer must be a function of the rate", TypeError, optimizer=0.1),
    wrong("optimizer must make a gradient transformation of a rate, got 0.5", TypeError, optimizer=lambda rate: 0.5),
    wrong("metric_fn must be a function, got 3", TypeError, metric_fn=3),
    wrong("metric_batch needs metric_fn, which is None", metric_batch=BATCHES),
    wrong("metric_fn must return a scalar, got an array of shape (16,) and dtype float32",
          metric_fn=lambda params, batch: batch[0][:, 0]),
    wrong("metric_fn must return a scalar, got (an array of shape () and dtype float32, dict)",
          metric_fn=lambda params, batch: (jnp.float32(0), {})),
    wrong("metric_fn must return a scalar, got an array of shape () and dtype complex64",
          metric_fn=lambda params, batch: jnp.complex64(1j)),
]  # fmt: skip


@every_test
@pytest.mark.parametrize(("arguments", "kind", "said"), WRONG)
def test_a_wrong_argument_is_named(test, arguments, kind, said):
    said = said.replace("[", "\0").replace("]", "\1")
    pattern = "".join("\\" + c if c in "()." else c for c in said).replace("\0", "[").replace("\1", "]")
    with pytest.raises(kind, match=pattern):
        test(loss_fn, PARAMS, BATCHES, **{"num_steps": 10, **arguments})


@every_test
def test_a_loss_that_is_no_scalar_is_named(test):
    with pytest.raises(ValueError, match=r"loss_fn must return a scalar, got an array of shape \(16,\)"):
        test(lambda params, batch: outputs(params, batch[0])[:, 0], PARAMS, BATCHES, num_steps=10)
    with pytest.raises(TypeError, match=r"loss_fn must return a scalar where neither .* got \(an array of shape \(\)"):
        test(lambda params, batch: (loss_fn(params, batch), 0), PARAMS, BATCHES, num_steps=10)
    with pytest.raises(TypeError, match=r"must return \(loss, model_state\) where model_state or key is given, got an"):
        test(lambda p, s, b, k: loss_fn(p, b), PARAMS, BATCHES, num_steps=10, model_state=STATISTICS)
    with pytest.raises(ValueError, match=r"model_state of the shapes that it was given, got \(2,\) in place of \(1,\)"):
        test(lambda p, s, b, k: (loss_fn(p, b), jnp.ones(2)), PARAMS, BATCHES, num_steps=10, model_state=jnp.ones(1))
    with pytest.raises(ValueError, match="model_state of the structure that it was given"):
        test(lambda p, s, b, k: (loss_fn(p, b), {}), PARAMS, BATCHES, num_steps=10, model_state=STATISTICS)
    with pytest.raises(TypeError, match="loss_fn must be a function, got 3"):
        test(3, PARAMS, BATCHES)
    with pytest.raises(ValueError, match="params must hold at least one array, got none"):
        test(loss_fn, {}, BATCHES, num_steps=10)


FEW = {
    "arrays": tuple(part[:9] for part in BATCHES),
    "list": list(zip(*(part[:9] for part in BATCHES), strict=True)),
    "iterator": lambda: iter([(IMAGES[n], LABELS[n]) for n in range(9)]),
}


@every_test
@pytest.mark.parametrize("batches", FEW.values(), ids=FEW)
def test_too_few_batches_are_named(test, batches):
    batches = batches() if callable(batches) else batches
    with pytest.raises(ValueError, match=r"batches must hold .*10 batches \(num_steps \* accumulate\).*repeat=True"):
        test(loss_fn, PARAMS, batches, num_steps=10)


@every_test
@pytest.mark.parametrize(
    ("batches", "said"),
    [
        ([], "batches must hold at least one batch, got none"),
        ((), "batches must hold at least one array, got none"),
        (jnp.zeros((0, 3)), "batches must hold at least one batch, got none"),
        ((IMAGES, LABELS[:5]), "batches must all have the same leading axis, got the lengths 5, 24"),
        ((IMAGES, 3.0), "batches must be arrays with a leading axis of batches, got a scalar"),
    ],
    ids=["no batch", "no array", "no row", "lengths", "scalar"],
)
def test_wrong_batches_are_named(test, batches, said):
    with pytest.raises(ValueError, match=said):
        test(loss_fn, PARAMS, batches, num_steps=4)


def test_batches_of_different_shapes_are_named():
    ragged = [(IMAGES[0], LABELS[0]), (IMAGES[1][:5], LABELS[1][:5])]
    with pytest.raises(ValueError, match=r"batches must all have the same shapes, got \(5, 6\), \(16, 6\)"):
        constant_rate_test(loss_fn, PARAMS, ragged, num_steps=2)


@pytest.mark.parametrize("arguments", [{"smoothing": 1.0}, {"smoothing": -0.1}, {"divergence": 1.0}])
def test_the_numbers_of_the_judgement_are_checked(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"{name} must be"):
        lr_range_test(loss_fn, PARAMS, BATCHES, num_steps=10, **arguments)


# Pictures.


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("metric", [None, accuracy])
def test_a_picture_has_the_answer_as_its_title_and_names_its_lines(tmp_path, metric, seeds):
    result = lr_range_test(
        loss_fn, PARAMS, BATCHES, start=1e-3, end=300.0, num_steps=60, repeat=True, metric_fn=metric, seeds=seeds
    )
    figure = result.plot()
    assert len(figure.axes) == (1 if metric is None else 2)
    assert all(axes.get_xscale() == "log" for axes in figure.axes)
    (legend,) = figure.legends
    written = [text.get_text() for text in legend.get_texts()]
    rate, stable = f"{result.recommendation:.2g}", f"{result.max_stable:.2g}"
    assert written == ["loss of a batch", "running mean", f"recommendation {rate}", f"stable up to {stable}"]
    assert figure.get_suptitle() == f"learning rate {rate}"
    save_figure(figure, tmp_path / "test.png")
    assert (tmp_path / "test.png").stat().st_size > 10_000


def test_a_picture_goes_on_axes_that_are_given():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    result = lr_range_test(loss_fn, PARAMS, BATCHES, num_steps=20)
    assert result.plot(axes) is axes.figure
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), result.losses)


def test_a_picture_of_a_failure_is_drawn():
    for batches in itertools.product([np.nan, np.inf], [2]):
        result = lr_range_test(lambda p, b: b * jnp.sum(p), jnp.ones(2), jnp.full(5, batches[0]), num_steps=5)
        figure = result.plot(subtitle="a loss that is never finite")
        assert figure.get_suptitle() == "no recommendation"
        assert figure.axes[0].get_title(loc="left").split("\n")[:2] == ["a loss that is never finite", result.why]
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["loss of a batch", "running mean"]


@pytest.mark.parametrize("test", [jaxlr.lr_range_test, jaxlr.constant_rate_test])
def test_an_optimizer_whose_rate_cannot_be_set_is_named_with_what_can_be_given(test):
    with pytest.raises(ValueError, match=r"such as optax\.adamw itself; the state of this one has none"):
        test(
            lambda params, batch: jnp.sum((params - batch) ** 2),
            jnp.ones(3),
            jnp.zeros((100, 3)),
            optimizer=optax.adam(0.1),
        )
