"""Branches: each has the bits of the training done alone, the trunk is trained once, and a killed one goes on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr import branches

X = np.random.default_rng(0).normal(size=(256, 8)).astype(np.float32)
Y = np.sin(X @ np.random.default_rng(1).normal(size=(8, 2))).astype(np.float32)
BUDGETS = [40, 10, 20]
TRUNK = jaxlr.warmup(jaxlr.constant(0.01), 4)


def loss(params, rows):
    return jnp.mean((jnp.tanh(jnp.asarray(X)[rows] @ params["a"]) @ params["b"] - jnp.asarray(Y)[rows]) ** 2)


def step(state, schedule, count):
    """One update on a batch that the count picks; the state holds a random key."""
    params, moments, key = state
    rows = jax.random.randint(jax.random.fold_in(key, count), (32,), 0, 256)
    updates, moments = jaxlr.adamw(schedule).update(jax.grad(loss)(params, rows), moments, params)
    return optax.apply_updates(params, updates), moments, key


def start():
    noise = np.random.default_rng(2)
    params = {"a": jnp.asarray(noise.normal(size=(8, 32)) * 0.3, jnp.float32), "b": jnp.zeros((32, 2))}
    return params, jaxlr.adamw(0.0).init(params), jax.random.key(3)


def score(state):
    return {"loss": loss(state[0], jnp.arange(256))}


def same(one, other):
    for left, right in zip(jax.tree.leaves(one[:2]), jax.tree.leaves(other[:2]), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.fixture(scope="module")
def result():
    return branches(step, start(), TRUNK, BUDGETS, score=score, strategy="map")


def test_what_was_trained(result):
    assert result.budgets == (10, 20, 40)
    assert result.starts == (8, 16, 32)
    assert (result.updates, result.updates_alone) == (32 + 2 + 4 + 8, 70)
    assert result.scores["loss"].shape == result.trunk_scores["loss"].shape == (3,)
    assert [float(schedule(start)) for schedule, start in zip(result.schedules, result.starts, strict=True)] == [
        np.float32(0.01)
    ] * 3
    assert [float(schedule(budget)) for schedule, budget in zip(result.schedules, result.budgets, strict=True)] == [
        0
    ] * 3


def test_it_prints_its_scores_by_name(result):
    told = ", ".join(f"{float(loss):.4g}" for loss in result.scores["loss"])
    assert f"46 made instead of 70; loss {told}; map" in repr(result)
    alone = dataclasses.replace(result, scores=result.scores["loss"])
    assert f"; scores {told}; map" in repr(alone)
    assert "70; map" in repr(dataclasses.replace(result, scores=None))


def test_each_branch_has_the_bits_of_the_training_done_alone(result):
    run = jax.jit(lambda state, schedule, end: jax.lax.fori_loop(0, end, lambda n, s: step(s, schedule, n), state))
    for place, (budget, schedule) in enumerate(zip(result.budgets, result.schedules, strict=True)):
        alone = run(start(), schedule, budget)
        same(jax.tree.map(lambda leaf, place=place: leaf[place], result.states), alone)
        np.testing.assert_allclose(result.scores["loss"][place], score(alone)["loss"], rtol=1e-6)


def test_vmapped_branches_differ_in_the_last_bits_at_most(result):
    vmapped = branches(step, start(), TRUNK, BUDGETS, score=score, strategy="vmap")
    np.testing.assert_allclose(vmapped.scores["loss"], result.scores["loss"], rtol=1e-4)


def test_killed_it_goes_on_and_gives_the_same(result, tmp_path):
    class KilledError(Exception):
        pass

    parts = []

    def killed(part):
        parts.append(part)
        if len(parts) == 5:  # three of the trunk, two branches
            raise KilledError

    with pytest.raises(KilledError):
        branches(step, start(), TRUNK, BUDGETS, score=score, strategy="map", folder=tmp_path, watch=killed)
    again = branches(step, start(), TRUNK, BUDGETS, score=score, strategy="map", folder=tmp_path)
    assert again.loaded == 32 + 2 + 4
    same(again.states, result.states)
    np.testing.assert_array_equal(again.scores["loss"], result.scores["loss"])
    with pytest.raises(ValueError, match="holds a sweep of other schedules"):
        branches(step, start(), jaxlr.constant(0.5), BUDGETS, score=score, strategy="map", folder=tmp_path)


WRONG = {
    "step": (lambda: branches(1, (), TRUNK, [1]), TypeError, "step and score must be functions"),
    "trunk": (lambda: branches(step, (), 0.1, [1]), TypeError, "trunk must be a jaxlr.Schedule, got 0.1"),
    "none": (lambda: branches(step, (), TRUNK, []), ValueError, "budgets must hold at least one"),
    "twice": (lambda: branches(step, (), TRUNK, [5, 5]), ValueError, r"budgets must all be different, got \[5, 5\]"),
    "zero": (lambda: branches(step, (), TRUNK, [0]), ValueError, r"budgets\[0\] must be at least 1, got 0"),
    "share": (lambda: branches(step, (), TRUNK, [5], cooldown=0.0), ValueError, "above 0 and at most 1, got 0.0"),
    "strategy": (lambda: branches(step, (), TRUNK, [5], strategy="all"), ValueError, "strategy must be one of"),
}


@pytest.mark.parametrize(("make", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_with_its_value(make, error, message):
    with pytest.raises(error, match=message):
        make()
