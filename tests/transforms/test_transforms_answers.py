"""Rates that answer a measurement: kl_adaptive in the words of skrl and rsl_rl, greedy in those of Transformers."""

import dataclasses
import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr import current_learning_rate, greedy, kl_adaptive, learning_rates, observe, scale_by_learning_rate
from jaxlr.transforms import set_learning_rate

GOLDEN = Path(__file__).parents[1] / "golden"
RECORD = runpy.run_path(str(GOLDEN / "record_greedy.py"))


def rates_after(rule, metrics):
    """The rate of the update after each metric."""
    link = scale_by_learning_rate(rule)

    def step(state, metric):
        _, state = link.update(jnp.zeros(1), observe(state, metric))
        return state, current_learning_rate(state)

    return jax.lax.scan(step, link.init(jnp.zeros(1)), jnp.asarray(metrics, jnp.float32))[1]


def python_kl(rates, kls, target, threshold, factor, low, high, zero="keep"):
    """The rule as skrl and rsl_rl have it."""
    after = []
    for kl in map(float, kls):
        if kl > target * threshold:
            rates = max(rates / factor, low)
        elif kl < target / threshold and (kl > 0 or zero == "raise"):
            rates = min(rates * factor, high)
        after.append(np.float32(rates))
    return after


KLS = 0.008 * np.exp(np.random.default_rng(3).normal(size=400) * 1.5)
KLS[::37], KLS[5::41], KLS[7::43] = 0.0, np.nan, -1e-4


@pytest.mark.parametrize("zero", ["keep", "raise"])
@pytest.mark.parametrize(
    ("rate", "numbers"),
    [
        (1e-3, (0.008, 2.0, 1.5, 1e-6, 1e-2)),
        (3e-4, (0.02, 1.0, 1.1, 1e-4, 1e-3)),
        (0.3, (0.01, 2.0, 1.7, 1e-5, 1e-2)),  # above the highest: the first step takes it there
        (1e-7, (0.01, 1.5, 2.0, 1e-5, 1e-2)),
    ],
)
def test_kl_adaptive_is_the_rule_in_python(rate, numbers, zero):
    words = dict(zip(("target", "threshold", "factor", "min_lr", "max_lr"), numbers, strict=True))
    kls = KLS.astype(np.float32)
    expected = python_kl(rate, kls, *numbers, zero)
    np.testing.assert_array_equal(rates_after(kl_adaptive(rate, zero=zero, **words), kls), expected)
    assert len(set(expected)) > 5


@pytest.mark.parametrize("how", ["observe", "value"])
def test_kl_adaptive_in_a_scan_of_policy_updates_over_16_seeds(how):
    target = 0.01
    optimizer = optax.chain(optax.scale_by_adam(), scale_by_learning_rate(kl_adaptive(3e-2, target=target, max_lr=0.3)))

    def divergence(new, old):
        ratio, shift = jnp.exp(2 * (new["log_std"] - old["log_std"])), new["mean"] - old["mean"]
        return jnp.sum(old["log_std"] - new["log_std"] + (ratio + shift**2 * jnp.exp(-2 * old["log_std"]) - 1) / 2)

    def surrogate(policy, old, actions, advantages):
        def log_density(p):
            return jnp.sum(-(((actions - p["mean"]) / jnp.exp(p["log_std"])) ** 2) / 2 - p["log_std"], axis=-1)

        ratio = jnp.exp(log_density(policy) - log_density(old))
        return -jnp.mean(jnp.minimum(ratio * advantages, jnp.clip(ratio, 0.8, 1.2) * advantages))

    def iteration(carry, noise):
        old, state = carry
        actions = old["mean"] + jnp.exp(old["log_std"]) * noise
        rewards = -jnp.sum((actions - jnp.array([1.0, -2.0])) ** 2, axis=-1)
        advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-6)

        def step(carry, _):
            policy, state = carry
            gradients = jax.grad(surrogate)(policy, old, actions, advantages)
            kl = divergence(policy, old)
            extra = {"value": kl} if how == "value" else {}
            updates, state = optimizer.update(gradients, state, policy, **extra)
            return (optax.apply_updates(policy, updates), state), (kl, current_learning_rate(state))

        (policy, state), (kls, rates) = jax.lax.scan(step, (old, state), None, length=3)
        if how == "observe":
            kl = divergence(policy, old)
            return (policy, observe(state, kl)), (kl, rates)
        return (policy, state), (kls, rates)

    def train(noise):
        policy = {"mean": jnp.zeros(2), "log_std": jnp.zeros(2)}
        return jax.lax.scan(iteration, (policy, optimizer.init(policy)), noise)[1]

    noise = np.float32(np.random.default_rng(0).normal(size=(16, 60, 64, 2)))
    kls, rates = jax.jit(jax.vmap(train))(noise)
    for seed_kls, seed_rates in zip(np.asarray(kls), np.asarray(rates), strict=True):
        if how == "observe":  # the rate of an iteration's three updates follows from the KLs before it
            expected = [np.float32(3e-2), *python_kl(3e-2, seed_kls[:-1], target, 2.0, 1.5, 1e-6, 0.3)]
            expected = np.repeat(expected, 3)
        else:  # each update shows its own KL and has the rate that follows
            expected = python_kl(3e-2, seed_kls.ravel(), target, 2.0, 1.5, 1e-6, 0.3)
        np.testing.assert_array_equal(seed_rates.ravel(), expected)
        assert len(set(expected)) > 2


def test_greedy_metric_by_metric_as_recorded():
    with np.load(GOLDEN / "greedy_transformers.npz") as golden:
        assert str(golden["version"]) == "5.24.0"
        expected, sound = golden["rates"], ~golden["astray"]
    cases = RECORD["cases"]()
    rules = [greedy(case.lr, **case.arguments) for case in cases]
    got = np.zeros_like(expected)
    for window in {rule.window for rule in rules}:
        chosen = [i for i, rule in enumerate(rules) if rule.window == window]

        @jax.jit
        @jax.vmap
        def run(numbers, first, rate, metrics, rule=rules[chosen[0]]):
            state = dataclasses.replace(rule, numbers=numbers).init(rate)
            state = state._replace(first=first, memory=state.memory._replace(scale=first))

            def step(state, metric):
                state = state.shown(metric)
                return state, state.rate()

            return jax.lax.scan(step, state, metrics)[1]

        many = [(rules[i].numbers, rules[i].first(), np.float32(cases[i].lr), cases[i].metrics) for i in chosen]
        got[chosen] = run(*jax.tree.map(lambda *leaves: np.stack(leaves), *many))
    np.testing.assert_array_equal(got[sound], expected[sound])
    assert sound.sum() >= 500
    assert (np.diff(expected, axis=1) > 0).any(1).mean() > 0.5
    assert (np.diff(expected, axis=1) < 0).any(1).mean() > 0.5


def test_greedy_begins_anew_after_its_patience_at_the_least_rate():
    rule = greedy(1.0, factor=0.5, patience=0, min_lr=0.25, reset_start=2)
    np.testing.assert_array_equal(rates_after(rule, jnp.ones(6)), [1, 0.5, 0.25, 1, 1, 0.5])


@pytest.mark.parametrize("rule", [kl_adaptive, greedy], ids=lambda rule: rule.__name__)
def test_a_rule_multiplies_a_schedule_and_only_the_schedule_goes_past_the_limits(rule):
    def schedule(count):
        return jnp.asarray([0.01, 0.5, 1.0, 1.0, 4.0, 0.01], jnp.float32)[count]

    if rule is kl_adaptive:
        lower, higher = {"factor": 2.0, "min_lr": 0.3, "max_lr": 2.0}, [1.0] * 6
        raised = [0.0001] * 6
        made = lambda **words: kl_adaptive(schedule, target=0.01, **words)  # noqa: E731
    else:
        lower, higher = {"factor": 0.5, "min_lr": 0.3, "max_lr": 2.0}, [np.inf] * 6
        raised = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
        made = lambda **words: greedy(schedule, patience=0, **words)  # noqa: E731
    down, up = rates_after(made(**lower), higher), rates_after(made(**lower), raised)
    assert np.all(np.asarray(down) <= [0.01, 0.5, 1.0, 1.0, 4.0, 0.01])
    assert np.all(np.asarray(down)[1:5] >= np.float32(0.3))
    assert np.all(np.asarray(up) >= np.asarray([0.01, 0.5, 1.0, 1.0, 4.0, 0.01], np.float32))
    assert np.all(np.asarray(up)[:4] <= 2.0)
    assert up[4] == 4.0
    assert up[3] == 2.0


@pytest.mark.parametrize(
    ("rule", "metrics"),
    [(kl_adaptive(0.004, target=0.01), [0.1, 0.1]), (greedy(0.5, factor=0.5, patience=0), [1.0, 1.0, 1.0])],
    ids=["kl_adaptive", "greedy"],
)
class TestWhatEveryRuleDoes:
    def test_in_groups_each_rate_moves(self, rule, metrics):
        groups = jaxlr.ParameterGroups(rates={"slow": 0.25}, names={"slow": "slow"})
        optimizer = groups.wrap(jaxlr.sgd(rule))
        params = {"slow": jnp.ones(1), "fast": jnp.ones(1)}
        state = optimizer.init(params)
        first = learning_rates(state)
        for metric in metrics:
            state = observe(state, metric)
        _, state = optimizer.update(params, state, params)
        after = learning_rates(state)
        assert {"slow", "others"} == set(after)
        assert all(float(after[name]) < float(first[name]) for name in after)

    def test_one_trace_and_no_change_of_structure(self, rule, metrics):
        optimizer = jaxlr.adamw(rule)
        params = jnp.ones(2, jnp.bfloat16)
        state = optimizer.init(params)
        kinds = [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(state)]
        traces = []

        @jax.jit
        def step(params, state, metric):
            traces.append(None)
            updates, state = optimizer.update(params, observe(state, metric), params)
            return optax.apply_updates(params, updates), state

        for metric in metrics:
            params, state = step(params, state, jnp.float32(metric))
            state = observe(state, metric)
            assert [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(state)] == kinds
        assert len(traces) == 1

    def test_a_rate_set_by_hand_goes_on_from_there(self, rule, metrics):
        link = scale_by_learning_rate(rule)
        state = link.init(jnp.zeros(1))
        for metric in metrics:
            state = observe(state, metric)
        state = set_learning_rate(state, 0.0078125)
        assert float(current_learning_rate(state)) == 0.0078125
        _, state = link.update(jnp.ones(1), state)
        assert float(current_learning_rate(state)) == 0.0078125
        _, state = link.update(jnp.ones(1), observe(state, metrics[-1]))
        assert float(current_learning_rate(state)) < 0.0078125

    def test_its_state_goes_through_a_dictionary_and_back(self, rule, metrics):
        link = scale_by_learning_rate(rule)
        state = observe(link.init(jnp.zeros(1)), metrics[0])
        restored, report = jaxlr.load_state_dict(link.init(jnp.zeros(1)), jaxlr.state_dict(state))
        assert not report.missing
        jax.tree.map(np.testing.assert_array_equal, restored, state)

    def test_accumulation_shows_it_the_mean_of_the_window(self, rule, metrics):
        once, twice = scale_by_learning_rate(rule), jaxlr.accumulate(scale_by_learning_rate(rule), 2)
        state, state_of_two = once.init(jnp.zeros(1)), twice.init(jnp.zeros(1))
        for metric in [*metrics, *metrics]:
            _, state = once.update(jnp.ones(1), state, value=metric)
            for part in (0.5, 1.5):
                _, state_of_two = twice.update(jnp.ones(1), state_of_two, value=part * metric)
        assert float(current_learning_rate(state_of_two)) == float(current_learning_rate(state))

    def test_a_state_of_another_rule_is_refused(self, rule, metrics):
        state = scale_by_learning_rate(jaxlr.reduce_on_plateau(0.1)).init(jnp.zeros(1))
        with pytest.raises(ValueError, match=f"made with reduce_on_plateau, and is updated with {rule.name}"):
            scale_by_learning_rate(rule).update(jnp.ones(1), state)
        with pytest.raises(TypeError, match=f"already under {rule.name}: one rule for a rate"):
            jaxlr.reduce_on_plateau(rule)


WRONG = {
    "target": (lambda: kl_adaptive(0.1, target=0.0), "target must be .* above 0, got 0.0"),
    "threshold": (lambda: kl_adaptive(0.1, threshold=0.5), "threshold must be .* at least 1, got 0.5"),
    "factor": (lambda: kl_adaptive(0.1, factor=1.0), "factor must be .* above 1, got 1.0"),
    "limits": (lambda: kl_adaptive(0.1, min_lr=1.0), r"max_lr must be at least min_lr = 1, got 0\.01"),
    "zero": (lambda: kl_adaptive(0.1, zero="fall"), "zero must be one of 'keep', 'raise', got 'fall'"),
    "greedy factor": (lambda: greedy(0.1, factor=1.0), "factor must be .* below 1, got 1.0"),
    "greedy patience": (lambda: greedy(0.1, patience=-1), "patience must be at least 0, got -1"),
    "greedy window": (lambda: greedy(0.1, window_size=0), "window_size must be at least 1, got 0"),
    "greedy limits": (lambda: greedy(0.1, max_lr=1e-4), r"max_lr must be at least min_lr = 0\.001, got 0\.0001"),
}


@pytest.mark.parametrize(("make", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_with_its_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()
