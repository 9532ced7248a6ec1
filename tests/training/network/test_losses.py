"""Losses and penalties against their formulas in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlr.training.network.losses import LOSSES, l1_penalty, l2_penalty, loss_by_name

RANDOM = np.random.default_rng(0)
OUTPUTS = 2 * RANDOM.normal(size=(7, 5))
LABELS = RANDOM.integers(0, 5, 7)
DIFFERENCE = OUTPUTS - np.eye(5)[LABELS]
DISTANCE = np.abs(DIFFERENCE)
SMOOTH = np.where(DISTANCE <= 1, DIFFERENCE**2 / 2, DISTANCE - 0.5)

EXPECTED = {
    "cross-entropy": np.log(np.exp(OUTPUTS).sum(axis=1)) - OUTPUTS[np.arange(7), LABELS],
    "mse": (DIFFERENCE**2).mean(axis=1),
    "mae": DISTANCE.mean(axis=1),
    "smooth-l1": SMOOTH.mean(axis=1),
}
PARAMETERS = {
    "convolution": {"kernel": RANDOM.normal(size=(3, 3, 2, 4)), "scale": RANDOM.normal(size=4)},
    "dense": {"kernel": RANDOM.normal(size=(4, 5)), "bias": RANDOM.normal(size=5)},
}
KERNELS = np.concatenate([PARAMETERS[layer]["kernel"].ravel() for layer in PARAMETERS])


def test_every_loss_has_a_formula_here():
    assert set(LOSSES) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_loss_of_each_example(name):
    losses = jax.jit(loss_by_name(name))(jnp.asarray(OUTPUTS, jnp.float32), jnp.asarray(LABELS))
    np.testing.assert_allclose(losses, EXPECTED[name], rtol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "hint"), [("cross_entropy", "cross-entropy"), ("smoothl1", "smooth-l1"), ("MSE", None)]
)
def test_an_unknown_loss_is_named_with_the_nearest(wrong, hint):
    with pytest.raises(ValueError, match="loss must be one of cross-entropy, mse, mae, smooth-l1") as error:
        loss_by_name(wrong)
    assert repr(wrong) in str(error.value)
    assert hint is None or str(error.value).endswith(f"did you mean {hint}?")


def test_penalties_count_kernels_alone():
    parameters = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), PARAMETERS)
    np.testing.assert_allclose(l1_penalty(parameters), np.abs(KERNELS).sum(), rtol=1e-6)
    np.testing.assert_allclose(l2_penalty(parameters), (KERNELS**2).sum() / 2, rtol=1e-6)


def test_gradients_of_the_penalties_are_the_sign_and_the_weight():
    parameters = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), PARAMETERS)
    signs, weights = jax.grad(l1_penalty)(parameters), jax.grad(l2_penalty)(parameters)
    np.testing.assert_array_equal(signs["dense"]["kernel"], np.sign(PARAMETERS["dense"]["kernel"]))
    np.testing.assert_array_equal(weights["dense"]["kernel"], parameters["dense"]["kernel"])
    assert not signs["dense"]["bias"].any()
    assert not weights["convolution"]["scale"].any()


def test_penalties_of_nothing_are_zero():
    assert float(l1_penalty({})) == float(l2_penalty({"bias": jnp.ones(3)})) == 0.0
