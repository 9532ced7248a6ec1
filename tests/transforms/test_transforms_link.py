"""One shell for all links: one that is written in this file is counted, recorded, saved, and waits, as jaxlr's own."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.link import link, link_state
from jaxlr.transforms.trees import moments_like, update_moment
from jaxlr.transforms.waiting import RECORDS


def lion_of(state, b1, b2):
    """Lion: the sign of a mean that lies between the old one and the gradient."""
    beta1, beta2 = hyperparameters.share("b1", b1), hyperparameters.share("b2", b2)
    return link(
        state,
        start=lambda params: {"mu": moments_like(params)},
        advance=lambda step, old, gradients: {"mu": update_moment(old.mu, gradients, step.one_minus(beta2))},
        direction=lambda step, new, gradients: jax.tree.map(
            jnp.sign, update_moment(step.before.mu, gradients, step.one_minus(beta1))
        ),
        records={"b1": beta1},
    )


@pytest.fixture
def scale_by_lion():
    @link_state("b1")
    class ScaleByLionState(NamedTuple):
        count: jax.Array
        b1: jax.Array
        mu: optax.Updates

    yield lambda b1=0.9, b2=0.99: lion_of(ScaleByLionState, b1, b2)
    del RECORDS[ScaleByLionState]


GRADIENTS = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


def test_a_link_is_its_mathematics(scale_by_lion):
    ours, peer = scale_by_lion(), optax.scale_by_lion()
    state, other = ours.init(jnp.zeros(5)), peer.init(jnp.zeros(5))
    for gradient in GRADIENTS:
        updates, state = ours.update(gradient, state)
        expected, other = peer.update(gradient, other)
        np.testing.assert_array_equal(updates, expected)


def test_it_is_recorded_saved_and_waits(scale_by_lion):
    optimizer = jaxlr.accumulate(
        optax.chain(scale_by_lion(b1=lambda count: 0.9 - 0.1 * count), jaxlr.scale_by_learning_rate(0.1)), 2
    )
    state = optimizer.init({"w": jnp.zeros(5)})
    for gradient in GRADIENTS[:4]:
        _, state = optimizer.update({"w": gradient}, state)
    assert float(jaxlr.current_hyperparameters(state)["b1"]) == pytest.approx(0.8)
    saved = jaxlr.state_dict(state)
    assert int(saved["scale_by_lion/count"]) == 2
    assert saved["scale_by_lion/mu/w"].dtype == jnp.float32
