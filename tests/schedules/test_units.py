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
    ],
)
def test_updates(epochs, sizes, expected):
    assert jaxlr.updates(epochs, **sizes) == expected


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
