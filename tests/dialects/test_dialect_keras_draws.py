"""The Keras dialect's Lion, Lamb, Adafactor, Muon and Ftrl follow Keras' with random arguments."""

import runpy
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optimizer_draws
import pytest

import jaxlr
from jaxlr.dialects import keras as dialect

GOLDEN = Path(__file__).parents[1] / "golden"
RECORD = runpy.run_path(str(GOLDEN / "record_keras_optimizer_draws.py"))
NAMES = list(RECORD["DRAW"])
SHORT = 1  # draw; each is a program to compile


def port(name, arguments):
    return getattr(dialect, name)(
        **arguments | {"learning_rate": optimizer_draws.rates(RECORD, arguments["learning_rate"])}
    )


def distances(name, draws=None):
    return optimizer_draws.distances(RECORD, port, name, draws)


@pytest.mark.parametrize("draws", [SHORT, pytest.param(None, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", NAMES)
def test_follows_the_recorded_paths_of_keras(name, draws):
    with np.load(RECORD["FILE"]) as golden:
        assert str(golden["keras"]).startswith("3.15.1")
    assert max(distances(name, draws)) < 2e-5


@pytest.mark.parametrize("name", NAMES)
def test_comes_from_its_config(name):
    shared = {"clipnorm": None, "use_ema": False, "ema_momentum": 0.99, "name": name.lower()}
    config = {**RECORD["draws"](name)[0], **shared}
    optimizer = dialect.from_config({"class_name": name, "config": config})
    params = {"w": jnp.ones((2, 3)), "b": jnp.ones(3)}
    updates, state = optimizer.update(params, optimizer.init(params), params)
    known = getattr(dialect, name)(**RECORD["draws"](name)[0])
    expected, _ = known.update(params, known.init(params), params)
    np.testing.assert_array_equal(updates["w"], expected["w"])
    assert float(jaxlr.current_learning_rate(state)) == pytest.approx(min(config["learning_rate"], 1.0))


def test_muon_leaves_what_is_excluded_to_adam():
    params = {"embedding": jnp.ones((2, 3)), "head": {"kernel": jnp.ones((2, 3))}, "body": {"kernel": jnp.ones((2, 3))}}
    gradients = {
        "embedding": 1e-3 * params["embedding"],
        "head": {"kernel": jnp.full((2, 3), 1e-3)},
        "body": {"kernel": jnp.full((2, 3), 1e-3)},
    }
    optimizer = dialect.Muon(1.0, exclude_layers=["^head/"], weight_decay=0.25, adam_weight_decay=None)
    updates, state = optimizer.update(gradients, optimizer.init(params), params)
    adam = -1e-3 / (1e-3 + 1e-7 / np.sqrt(1e-3))  # epsilon-hat
    np.testing.assert_allclose(updates["embedding"], adam, rtol=1e-4)
    np.testing.assert_allclose(updates["head"]["kernel"], adam, rtol=1e-4)
    assert float(jnp.abs(updates["body"]["kernel"] - adam).min()) > 0.1
    assert jaxlr.current_learning_rate(state) == 1.0
    other = dialect.Muon(1.0, exclude_embeddings=False, exclude_layers=["^head/"], weight_decay=0.25)
    updates, _ = other.update(gradients, other.init(params), params)
    np.testing.assert_array_equal(updates["embedding"], updates["body"]["kernel"])


def test_a_rate_of_zero_makes_no_step():
    params = jnp.ones(2)
    optimizer = dialect.Ftrl(lambda n: jnp.where(n == 0, 0.0, 0.5))
    updates, state = optimizer.update(params, optimizer.init(params), params)
    assert not updates.any()
    updates, _ = optimizer.update(params, state, params)
    assert jnp.isfinite(updates).all()
    assert updates.any()


PLATEAU = jaxlr.reduce_on_plateau(0.1)
REFUSED = {
    "a rule over Adafactor": (lambda: dialect.Adafactor(PLATEAU), TypeError, "learning_rate must be a number or a sch"),
    "a rule over Ftrl": (lambda: dialect.Ftrl(PLATEAU), TypeError, "Keras' Ftrl has it inside of its sums"),
    "a rule over a decayed Lamb": (
        lambda: dialect.Lamb(PLATEAU, weight_decay=0.1),
        TypeError,
        "learning_rate must be a number or a schedule, got .*: with a weight_decay",
    ),
    "power": (lambda: dialect.Ftrl(learning_rate_power=0.5), ValueError, "learning_rate_power must be at most 0"),
    "beta": (lambda: dialect.Muon(adam_beta_1=1.0), ValueError, "adam_beta_1 must be .*, got 1.0"),
    "exclude": (lambda: dialect.Muon(exclude_embeddings="no"), ValueError, "exclude_embeddings must be one of"),
    "a misspelt argument": (lambda: dialect.Muon(ns_step=5), TypeError, "unknown argument 'ns_step'"),
    "no parameters": (
        lambda: dialect.Ftrl().update(jnp.ones(1), dialect.Ftrl().init(jnp.ones(1))),
        ValueError,
        "Ftrl needs the parameters",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
