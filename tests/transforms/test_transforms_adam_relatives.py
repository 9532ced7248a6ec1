"""Nadam, Adamax, and Adam with a scheduled b2 follow their formulas, wait for what is due, and take traced numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlr
from jaxlr.transforms import accumulate, scale_by_adam, scale_by_adamax, scale_by_nadam

GRADIENTS = np.random.default_rng(3).normal(size=(12, 5)) * np.logspace(0, -4, 5)


def scheduled(count):
    return 0.95 - 0.02 * count


def run(link, gradients=GRADIENTS):
    """The new update for each gradient."""

    def step(state, gradient):
        new, state = link.update(gradient, state)
        return state, new

    state = link.init(jnp.zeros(gradients.shape[1:]))
    return np.asarray(jax.jit(lambda state: jax.lax.scan(step, state, jnp.asarray(gradients, jnp.float32))[1])(state))


# The references: float64, one loop each, written from the formulas.


def nadam(b1, b2, eps, decay):
    m, v, product, new = 0.0, 0.0, 1.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        b = b1(t - 1)
        here, following = (b * (1 - 0.5 * 0.96 ** (s * decay)) for s in (t, t + 1))
        product *= here
        m, v = b * m + (1 - b) * g, b2 * v + (1 - b2) * g**2
        mean = following * m / (1 - product * following) + (1 - here) * g / (1 - product)
        new.append(mean / (np.sqrt(v / (1 - b2**t)) + eps))
    return new


def adamax(b1, b2, eps, inside):
    m, w, new = 0.0, 0.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        m = b1 * m + (1 - b1) * g
        w = np.maximum(b2 * w, np.abs(g) + (eps if inside else 0.0))
        new.append(m / (1 - b1**t) / (w + (0.0 if inside else eps)))
    return new


def adam_with_b2(b1, b2, eps, amsgrad=False, nesterov=False):
    """Adam whose second moment has the weight that the b2 of every update left it."""
    m, v, largest, product, new = 0.0, 0.0, 0.0, 1.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        share = b2(t - 1)
        m, v, product = b1 * m + (1 - b1) * g, share * v + (1 - share) * g**2, product * share
        largest = np.maximum(largest, v)
        mean = m / (1 - b1**t)
        if nesterov:
            mean = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        new.append(mean / (np.sqrt((largest if amsgrad else v) / (1 - product)) + eps))
    return new


def rising(count):
    return 0.8 + 0.015 * count


CASES = {
    "adam, scheduled b2": (scale_by_adam(b2=rising), adam_with_b2(0.9, rising, 1e-8)),
    "adam, scheduled b2, nesterov": (
        scale_by_adam(0.7, jaxlr.linear(0.8, 0.95, 10), eps=1e-3, nesterov=True),
        adam_with_b2(0.7, lambda count: min(rising(count), 0.95), 1e-3, nesterov=True),
    ),
    "adam, scheduled b2, amsgrad": (
        scale_by_adam(b2=rising, amsgrad="raw"),
        adam_with_b2(0.9, rising, 1e-8, amsgrad=True),
    ),
    "nadam, PyTorch": (scale_by_nadam(), nadam(lambda t: 0.9, 0.999, 1e-8, 0.004)),
    "nadam, Keras": (
        scale_by_nadam(0.8, 0.95, eps=1e-3, momentum_decay=1.0),
        nadam(lambda t: 0.8, 0.95, 1e-3, 1.0),
    ),
    "nadam, scheduled": (scale_by_nadam(scheduled), nadam(scheduled, 0.999, 1e-8, 0.004)),
    "adamax, PyTorch": (scale_by_adamax(0.8, 0.95, eps=1e-3), adamax(0.8, 0.95, 1e-3, True)),
    "adamax, Keras": (
        scale_by_adamax(0.8, 0.95, eps=1e-3, eps_mode="outside"),
        adamax(0.8, 0.95, 1e-3, False),
    ),
}


@pytest.mark.parametrize(("link", "expected"), CASES.values(), ids=CASES)
def test_follows_its_formula(link, expected):
    np.testing.assert_allclose(run(link), expected, rtol=2e-5)


@pytest.mark.parametrize(("link", "expected"), CASES.values(), ids=CASES)
def test_stands_still_until_an_update_is_due(link, expected):
    twice = np.repeat(GRADIENTS, 2, axis=0)
    np.testing.assert_allclose(run(accumulate(link, 2), twice)[1::2], expected, rtol=2e-5)


@pytest.mark.parametrize("make", [scale_by_nadam, scale_by_adamax])
def test_traced_numbers_equal_the_known_ones(make):
    def first(b1, b2, eps):
        link = make(b1, b2, eps=eps)
        return link.update(jnp.ones(3), link.init(jnp.ones(3)))[0]

    np.testing.assert_allclose(jax.jit(first)(0.8, 0.9, 1e-3), first(0.8, 0.9, 1e-3), rtol=1e-5)


@pytest.mark.parametrize("make", [scale_by_nadam, scale_by_adamax])
@pytest.mark.parametrize(("arguments", "message"), [({"b1": 1.0}, "b1 must be"), ({"eps": -1.0}, "eps must be")])
def test_wrong_arguments_are_named(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)
