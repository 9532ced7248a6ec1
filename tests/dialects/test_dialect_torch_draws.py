"""The torch dialect's Muon, Adafactor, Adadelta, Rprop and ASGD follow torch's with random arguments."""

import functools
import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optimizer_draws
import pytest

import jaxlr
from jaxlr.dialects import torch as dialect

GOLDEN = Path(__file__).parents[1] / "golden"
RECORD = runpy.run_path(str(GOLDEN / "record_torch_optimizer_draws.py"))
NAMES = list(RECORD["DRAW"])
SHORT = 1  # draw; each is a program to compile


def port(name, arguments):
    if name == "Rprop":
        return dialect.Rprop(**arguments)
    return getattr(dialect, name)(**arguments | {"lr": optimizer_draws.rates(RECORD, arguments["lr"])})


def walk(name, draw, arguments):
    return optimizer_draws.walk(RECORD, port(name, arguments), name, draw)


def distances(name, draws=None):
    return optimizer_draws.distances(RECORD, port, name, draws)


@pytest.mark.parametrize("draws", [SHORT, pytest.param(None, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", NAMES)
def test_follows_the_recorded_paths_of_torch(name, draws):
    with np.load(RECORD["FILE"]) as golden:
        assert str(golden["torch"]).startswith("2.14.1")
    assert max(distances(name, draws)) < 2e-5


@pytest.mark.ci
@pytest.mark.parametrize("name", NAMES)
def test_follows_torch_live(name):
    pytest.importorskip("torch")
    arguments = RECORD["draws"](name)[0]
    path = RECORD["walk"](name, 0, arguments)
    difference = np.abs(walk(name, 0, arguments).astype(np.float64) - path).max(axis=0)
    assert (difference / RECORD["travel"](path)).max() < 2e-5


@functools.cache
def muon_in_eight_bits():
    """How far torch's own Muon, in bfloat16, goes from the one here, as shares of the distance travelled."""
    far = []
    for draw, arguments in enumerate(RECORD["draws"]("Muon")[:SHORT]):
        path = RECORD["walk"]("Muon", draw, arguments, exact=False)
        difference = np.abs(walk("Muon", draw, arguments).astype(np.float64) - path).max(axis=0)
        far.append((difference / RECORD["travel"](path)).max())
    return max(far)


@pytest.mark.ci
def test_muon_differs_from_torchs_by_its_rounding_alone():
    pytest.importorskip("torch")
    assert 1e-5 < muon_in_eight_bits() < 2e-2


# What a step is multiplied by, of a matrix of 2 rows and 8 columns and of its transpose.
FACTORS = {
    None: (1.0, 2.0),
    "original": (1.0, 2.0),
    "match_rms_adamw": (0.2 * 8**0.5, 0.2 * 8**0.5),
    "spectral_unclamped": (0.5, 2.0),
}


@pytest.mark.parametrize("name", FACTORS)
def test_muons_step_is_in_proportion_to_the_shape(name):
    exact = {"momentum": 0.0, "weight_decay": 0.0, "ns_coefficients": (1.5, -0.5, 0.0), "ns_steps": 20}
    optimizer = dialect.Muon(lr=1.0, adjust_lr_fn=name, **exact)
    rows = jnp.eye(2, 8)  # are orthogonal, and stay what they are
    for gradient, factor in zip((rows, rows.T), FACTORS[name], strict=True):
        updates, _ = optimizer.update(gradient, optimizer.init(gradient), gradient)
        np.testing.assert_allclose(updates, -factor * gradient, rtol=1e-6)


def test_muon_takes_matrices_alone():
    with pytest.raises(ValueError, match=r"only real matrices .* got dense/bias of shape \(3,\) and float32"):
        dialect.Muon().init({"dense": {"bias": jnp.ones(3), "kernel": jnp.ones((2, 3))}})
    with pytest.raises(ValueError, match="complex64"):
        dialect.Muon().init(jnp.ones((2, 2), jnp.complex64))
    rest = optax.partition(
        {"matrices": dialect.Muon(), "rest": dialect.AdamW()},
        lambda params: jax.tree.map(lambda leaf: "matrices" if leaf.ndim == 2 else "rest", params),
    )
    assert jaxlr.learning_rates(rest.init({"b": jnp.ones(3), "w": jnp.ones((2, 3))})).keys() == {"matrices", "rest"}


def test_the_rate_is_known_where_a_formula_needs_it():
    state = dialect.Adafactor(lr=0.5, weight_decay=0.1).init(jnp.ones((2, 2)))
    assert jaxlr.current_learning_rate(state) == 0.5
    params = jnp.ones((2, 2))
    optimizer = dialect.Adafactor(lr=0.5, weight_decay=0.1)
    for _ in range(16):
        _, state = optimizer.update(params, state, params)
    assert jaxlr.current_learning_rate(state) == 0.25  # 1 / sqrt(16)
    assert jaxlr.current_learning_rate(dialect.Rprop(0.5).init(params)) == 1.0


WRONG = {
    "a rule over Adafactor": (
        lambda: dialect.Adafactor(jaxlr.reduce_on_plateau(0.1)),
        TypeError,
        "lr must be a number or a schedule, got .*: torch's Adafactor caps",
    ),
    "a rule over ASGD": (lambda: dialect.ASGD(jaxlr.reduce_on_plateau(0.1)), TypeError, "lr must be a number or a"),
    "a schedule for Rprop": (lambda: dialect.Rprop(jaxlr.constant(0.1)), TypeError, "no later rate changes torch's"),
    "one eta": (lambda: dialect.Rprop(etas=0.5), TypeError, "etas must be a pair of numbers, got 0.5"),
    "a large eta": (lambda: dialect.Rprop(etas=(1.5, 1.2)), ValueError, r"etas\[0\] must be .*, got 1.5"),
    "one eps": (lambda: dialect.Adafactor(eps=1e-3), TypeError, "eps must be a pair of numbers"),
    "a rising decay": (lambda: dialect.Adafactor(beta2_decay=0.8), ValueError, "beta2_decay must be .*, got 0.8"),
    "coefficients": (lambda: dialect.Muon(ns_coefficients=(1, 2)), TypeError, "ns_coefficients must be three"),
    "steps": (lambda: dialect.Muon(ns_steps=100), ValueError, "ns_steps must be an integer from 1 to 99, got 100"),
    "adjust": (lambda: dialect.Muon(adjust_lr_fn="rms"), ValueError, "adjust_lr_fn must be one of None, 'original'"),
    "complex Adafactor": (
        lambda: dialect.Adafactor().init({"w": jnp.ones(2, jnp.complex64)}),
        ValueError,
        "torch's Adafactor takes real parameters alone, got w",
    ),
    "lambd": (lambda: dialect.ASGD(lambd=-1.0), ValueError, "lambd must be .*, got -1.0"),
}


@pytest.mark.parametrize(("make", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
