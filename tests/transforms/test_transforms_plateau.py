"""Reduce on plateau cuts the rate when PyTorch's and Keras' do, and where theirs goes wrong it does not."""

import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState

from jaxlr import optimizers
from jaxlr.transforms import (
    current_learning_rate,
    observe,
    reduce_on_plateau,
    scale_by_learning_rate,
    set_learning_rate,
)

GOLDEN = Path(__file__).parents[1] / "golden"
RECORD = runpy.run_path(str(GOLDEN / "record_plateau.py"))


def rates_after(rule, metrics):
    """The rate of the update after each metric."""
    link = scale_by_learning_rate(rule)

    def step(state, metric):
        _, state = link.update(jnp.zeros(1), observe(state, metric))
        return state, current_learning_rate(state)

    return jax.lax.scan(step, link.init(jnp.zeros(1)), metrics)[1]


def rates_of(cases, patience_rule):
    """The same for many cases: one program for each choice of words, the numbers are data."""
    names = ("factor", "patience", "threshold", "cooldown", "min_lr", "eps")
    got = np.zeros((len(cases), RECORD["LENGTH"]), np.float32)
    for words in sorted({(case.mode, case.threshold_mode) for case in cases}):

        def run(numbers, metrics, words=words):
            rule = reduce_on_plateau(
                RECORD["BASE_RATE"], mode=words[0], threshold_mode=words[1], patience_rule=patience_rule, **numbers
            )
            return rates_after(rule, metrics)

        chosen = [i for i, case in enumerate(cases) if (case.mode, case.threshold_mode) == words]
        numbers = {name: jnp.asarray([getattr(cases[i], name) for i in chosen]) for name in names}
        metrics = jnp.asarray([cases[i].metrics for i in chosen])
        got[chosen] = jax.jit(jax.vmap(run))(numbers, metrics)
    return got


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_cuts_call_by_call_as_recorded(framework):
    with np.load(GOLDEN / f"plateau_{framework}.npz") as golden:
        assert str(golden["version"]).startswith({"torch": "2.14.1", "keras": "3.15.1"}[framework])
        expected = golden["rates"]
    np.testing.assert_allclose(rates_of(RECORD["cases"](framework), framework), expected, rtol=1e-5)
    assert (expected[:, 0] > expected[:, -1]).mean() > 0.5


def test_cuts_call_by_call_as_torch_live():
    pytest.importorskip("torch")
    cases = RECORD["cases"]("torch")
    expected = [RECORD["record_torch"](case) for case in cases]
    np.testing.assert_allclose(rates_of(cases, "torch"), expected, rtol=1e-5)


FLAT = [1.0] * 7


@pytest.mark.parametrize(
    ("patience_rule", "expected"),
    [("torch", [1, 1, 1, 0.5, 0.5, 0.5, 0.25]), ("keras", [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125])],
)
def test_a_flat_metric_is_borne_by_either_rule(patience_rule, expected):
    rule = reduce_on_plateau(1.0, factor=0.5, patience=2, patience_rule=patience_rule)
    np.testing.assert_array_equal(rates_after(rule, jnp.array(FLAT)), expected)


@pytest.mark.parametrize(
    ("sees", "expected"), [(True, [1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]), (False, [1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25])]
)
def test_a_cooldown_may_be_blind(sees, expected):
    """The 2 after it is worse than the 1 within it, and better than the 3 before it."""
    rule = reduce_on_plateau(1.0, factor=0.5, patience=0, cooldown=2, best_in_cooldown=sees)
    np.testing.assert_array_equal(rates_after(rule, jnp.array([3.0, 3.0, 1.0, 1.0, 2.0, 2.0, 2.0])), expected)


@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize(("mode", "sign"), [("min", -1), ("min", 1), ("max", -1), ("max", 1)])
def test_a_flat_metric_of_any_sign_is_a_plateau(mode, sign, threshold_mode):
    rule = reduce_on_plateau(1.0, mode=mode, factor=0.5, patience=2, threshold_mode=threshold_mode)
    np.testing.assert_array_equal(rates_after(rule, sign * jnp.array(FLAT)), [1, 1, 1, 0.5, 0.5, 0.5, 0.25])


@pytest.mark.parametrize(("mode", "sign"), [("min", -1), ("min", 1), ("max", -1), ("max", 1)])
def test_a_relative_threshold_is_a_margin_on_the_better_side(mode, sign):
    better = -1 if mode == "min" else 1
    rule = reduce_on_plateau(1.0, mode=mode, factor=0.5, patience=0, threshold=0.1)
    too_little, enough = sign + 0.05 * better, sign + 0.15 * better
    np.testing.assert_array_equal(rates_after(rule, jnp.array([sign, too_little])), [1, 0.5])
    np.testing.assert_array_equal(rates_after(rule, jnp.array([sign, enough])), [1, 1])


def test_nan_is_bad_or_nothing():
    metrics = jnp.array([1.0, np.nan, np.nan, 0.5])
    np.testing.assert_array_equal(
        rates_after(reduce_on_plateau(1.0, factor=0.5, patience=1), metrics), [1, 1, 0.5, 0.5]
    )
    skipping = reduce_on_plateau(1.0, factor=0.5, patience=1, nan="skip")
    np.testing.assert_array_equal(rates_after(skipping, metrics), [1, 1, 1, 1])


def test_a_window_averages():
    rule = reduce_on_plateau(1.0, factor=0.5, patience=0, window=2, threshold=0.0)
    metrics = jnp.array([3.0, 1.0, 0.0, 3.0, 2.0, 2.0])  # means 2, 1.5, 2
    np.testing.assert_array_equal(rates_after(rule, metrics), [1, 1, 1, 1, 1, 0.5])
    skipping = reduce_on_plateau(1.0, factor=0.5, patience=0, window=2, threshold=0.0, nan="skip")
    metrics = jnp.array([3.0, np.nan, 1.0, 2.0, np.nan, 2.0])  # means 2, 2
    np.testing.assert_array_equal(rates_after(skipping, metrics), [1, 1, 1, 1, 1, 0.5])


def test_cuts_multiply_a_schedule_and_stop_at_the_least_rate():
    def schedule(count):
        return jnp.asarray([0.01, 0.5, 1.0, 1.0, 1.0, 0.01], jnp.float32)[count]

    rule = reduce_on_plateau(schedule, factor=0.5, patience=0, min_lr=0.3)
    got = rates_after(rule, jnp.array([1.0, 2.0, 1.0, 1.0, 1.0, 1.0]))
    # Warm-up and decay go below min_lr, cuts do not; at count 1 the metric 2.0 is bad, but the rate before it was 0.01.
    np.testing.assert_allclose(got, [0.01, 0.5, 0.5, 0.3, 0.3, 0.01], rtol=1e-6)


def test_cuts_stop_at_the_least_scale():
    rule = reduce_on_plateau(1.0, factor=0.5, patience=0, min_scale=0.2)
    np.testing.assert_allclose(rates_after(rule, jnp.ones(6)), [1, 0.5, 0.25, 0.2, 0.2, 0.2], rtol=1e-6)


def test_the_metric_may_come_with_the_update():
    optimizer = optax.chain(
        optax.scale_by_adam(), scale_by_learning_rate(reduce_on_plateau(1.0, factor=0.5, patience=1))
    )
    state = optimizer.init(jnp.zeros(1))
    rates = []
    for metric in (3.0, 2.0, 2.0, None, 2.0):
        extra = {} if metric is None else {"value": metric}
        _, state = optimizer.update(jnp.ones(1), state, jnp.zeros(1), **extra)
        rates.append(float(current_learning_rate(state)))
    assert rates == [1.0, 1.0, 1.0, 1.0, 0.5]


def test_several_metrics_between_two_updates_all_count():
    link = scale_by_learning_rate(reduce_on_plateau(1.0, factor=0.5, patience=0))
    state = link.init(jnp.zeros(1))
    for _ in range(4):
        state = observe(state, 1.0)
    assert link.update(jnp.ones(1), state)[0] == -0.125


def test_a_state_restored_in_mid_patience_goes_on_identically():
    link = scale_by_learning_rate(reduce_on_plateau(1.0, factor=0.5, patience=3, cooldown=1))

    def go(state, metrics):
        for metric in metrics:
            _, state = link.update(jnp.ones(1), observe(state, metric))
        return state

    middle = go(link.init(jnp.zeros(1)), FLAT[:3])
    leaves, tree = jax.tree.flatten(middle)
    restored = jax.tree.unflatten(tree, [jnp.asarray(np.asarray(leaf).copy()) for leaf in leaves])
    jax.tree.map(np.testing.assert_array_equal, go(restored, FLAT), go(middle, FLAT))
    assert current_learning_rate(go(restored, FLAT)) < 1


def test_a_resumed_run_takes_the_numbers_of_the_code_not_of_the_checkpoint():
    old = scale_by_learning_rate(reduce_on_plateau(1.0, factor=0.1, patience=5))
    new = scale_by_learning_rate(reduce_on_plateau(1.0, factor=0.5, patience=0))
    _, state = new.update(jnp.ones(1), observe(old.init(jnp.zeros(1)), 1.0))
    _, state = new.update(jnp.ones(1), observe(state, 1.0))
    assert current_learning_rate(state) == 0.5


def test_a_rate_set_by_hand_is_cut_from_there():
    link = scale_by_learning_rate(reduce_on_plateau(1.0, factor=0.5, patience=0))
    state = observe(observe(link.init(jnp.zeros(1)), 1.0), 1.0)
    updates, state = link.update(jnp.ones(1), set_learning_rate(state, 0.25))
    assert updates == -0.25
    updates, state = link.update(jnp.ones(1), observe(state, 1.0))
    assert updates == -0.125
    updates, _ = link.update(jnp.ones(1), set_learning_rate(state, None))
    assert updates == -0.5


def test_one_trace_and_no_change_of_structure():
    optimizer = optimizers.adamw(reduce_on_plateau(lambda count: 0.1 / (1 + count)))
    params = jnp.ones(2, jnp.bfloat16)
    state = optimizer.init(params)
    kinds = [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(state)]
    assert not any(weak for _, weak in kinds)
    traces = []

    @jax.jit
    def step(params, state, metric):
        traces.append(None)
        updates, state = optimizer.update(params, observe(state, metric), params)
        return optax.apply_updates(params, updates), state

    for _ in range(3):
        params, state = step(params, state, jnp.float32(1.0))
        assert [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(state)] == kinds
        observed_outside = observe(state, 1.0)
        assert [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(observed_outside)] == kinds
        state = observed_outside
    assert len(traces) == 1


def test_observes_through_containers():
    rule = reduce_on_plateau(1.0, factor=0.5, patience=0)
    params = {"a": jnp.ones(2), "b": jnp.ones(1)}
    optimizer = optax.MultiSteps(
        optax.partition({"x": optimizers.sgd(rule), "y": optimizers.sgd(0.5)}, {"a": "x", "b": "y"}), 1
    )
    train_state = TrainState.create(apply_fn=None, params=params, tx=optimizer.gradient_transformation())
    train_state = observe(observe(train_state, 1.0), 1.0).apply_gradients(grads=params)
    assert current_learning_rate(train_state) == 0.5
    np.testing.assert_array_equal(train_state.params["a"], [0.5, 0.5])

    model = nnx.Linear(1, 1, rngs=nnx.Rngs(0))
    holder = nnx.Optimizer(model, optimizers.sgd(rule), wrt=nnx.Param)
    assert observe(holder, 1.0) is holder
    nnx.jit(observe)(holder, 1.0)
    holder.update(model, nnx.state(model, nnx.Param))
    assert current_learning_rate(holder) == 0.5


WRONG = {
    "mode": (lambda: reduce_on_plateau(0.1, mode="auto"), ValueError, "mode must be one of 'min', 'max', got 'auto'"),
    "threshold_mode": (
        lambda: reduce_on_plateau(0.1, threshold_mode="r"),
        ValueError,
        "threshold_mode must be .* got 'r'",
    ),
    "patience_rule": (
        lambda: reduce_on_plateau(0.1, patience_rule="optax"),
        ValueError,
        "patience_rule .* got 'optax'",
    ),
    "best_in_cooldown": (
        lambda: reduce_on_plateau(0.1, best_in_cooldown="no"),
        ValueError,
        "best_in_cooldown must be one of True, False, got 'no'",
    ),
    "nan": (lambda: reduce_on_plateau(0.1, nan="good"), ValueError, "nan must be one of .* got 'good'"),
    "factor": (lambda: reduce_on_plateau(0.1, factor=1.0), ValueError, r"factor must be .* below 1, got 1\.0"),
    "patience": (lambda: reduce_on_plateau(0.1, patience=-1), ValueError, "patience must be at least 0, got -1"),
    "patience float": (
        lambda: reduce_on_plateau(0.1, patience=1.5),
        TypeError,
        r"patience must be an integer, got 1\.5",
    ),
    "window": (lambda: reduce_on_plateau(0.1, window=0), ValueError, "window must be at least 1, got 0"),
    "threshold": (lambda: reduce_on_plateau(0.1, threshold=-1.0), ValueError, r"threshold must be .* got -1\.0"),
    "twice": (lambda: reduce_on_plateau(reduce_on_plateau(0.1)), TypeError, "already under reduce_on_plateau"),
    "rate": (lambda: reduce_on_plateau(-0.1), ValueError, r"learning_rate must be .* got -0\.1"),
    "metric": (
        lambda: observe(scale_by_learning_rate(reduce_on_plateau(0.1)).init(jnp.zeros(1)), jnp.ones(3)),
        TypeError,
        r"the metric .* must be one number, got an array of shape \(3,\)",
    ),
    "no plateau": (
        lambda: observe(scale_by_learning_rate(0.1).init(jnp.zeros(1)), 1.0),
        ValueError,
        "nothing to observe: no learning rate in this optimizer state is",
    ),
    "other state": (
        lambda: scale_by_learning_rate(reduce_on_plateau(0.1)).update(
            jnp.ones(1), scale_by_learning_rate(0.1).init(jnp.ones(1))
        ),
        ValueError,
        "this state was made without reduce_on_plateau",
    ),
    "other rate": (
        lambda: scale_by_learning_rate(0.1).update(
            jnp.ones(1), scale_by_learning_rate(reduce_on_plateau(0.1)).init(jnp.ones(1))
        ),
        ValueError,
        "this state was made with reduce_on_plateau",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_with_its_value(make, error, message):
    with pytest.raises(error, match=message):
        make()
