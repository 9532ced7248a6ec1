"""Epochs into updates, and the rules for other batch sizes."""

import optax
import pytest

import jaxlr


@pytest.mark.parametrize(
    ("epochs", "sizes", "expected"),
    [
        (1, {"examples": 1000, "batch_size": 100}, 10),
        (3, {"examples": 1099, "batch_size": 100}, 30),
        (3, {"examples": 1001, "batch_size": 100, "drop_last": False}, 33),
        (2, {"examples": 500, "batch_size": 100, "accumulate": 3}, 3),
        (0, {"examples": 500, "batch_size": 100}, 0),
        (2.5, {"examples": 1_281_167, "batch_size": 1024}, 3127),
        (0.29, {"examples": 100, "batch_size": 1}, 29),
        (1 / 3, {"examples": 1200, "batch_size": 100, "accumulate": 4}, 1),
        (0.99, {"examples": 100, "batch_size": 100}, 0),
        (3.0, {"examples": 1099, "batch_size": 100}, 30),
        (2**31 - 1, {"examples": 2**31 - 1, "batch_size": 1, "accumulate": 2}, (2**31 - 1) ** 2 // 2),
    ],
)
def test_updates(epochs, sizes, expected):
    assert jaxlr.updates(epochs, **sizes) == expected


@pytest.mark.parametrize("epochs", [-0.5, float("nan"), float("inf"), "2", None])
def test_epochs_that_are_none(epochs):
    with pytest.raises((TypeError, ValueError), match="epochs must be"):
        jaxlr.updates(epochs, examples=100, batch_size=10)


def test_updates_counts_as_multi_steps_does():
    optimizer = optax.MultiSteps(jaxlr.sgd(0.1), 3)
    state = optimizer.init(1.0)
    for _ in range(2 * 5):  # two epochs of five batches
        _, state = optimizer.update(1.0, state, 1.0)
    assert int(state.gradient_step) == jaxlr.updates(2, examples=5, batch_size=1, accumulate=3)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"batch_size": 1024}, 0.4),
        ({"batch_size": 64, "base_batch_size": 32}, 0.2),
        ({"batch_size": 1024, "rule": "sqrt"}, 0.2),
        ({"batch_size": 16, "rule": "inverse_sqrt"}, 0.025),
    ],
)
def test_scale_lr(sizes, expected):
    assert jaxlr.scale_lr(0.1, **sizes) == pytest.approx(expected)
