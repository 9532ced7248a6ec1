"""muP: factors from two shape trees, activations that move alike at every width, rates by group."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr import mup_factors

INPUTS, OUTPUTS, EXAMPLES = 32, 10, 64


def initial(width, seed):
    """Weights of variance 1 / fan_in, in three layers; drawn by NumPy, since jax compiles a program for each shape."""
    draw = np.random.default_rng(seed).normal
    shapes = {"in": (INPUTS, width), "mid": (width, width), "out": (width, OUTPUTS)}
    return {name: np.float32(draw(size=shape) / shape[0] ** 0.5) for name, shape in shapes.items()}


def activations(params, x):
    hidden = jnp.tanh(x @ params["in"]) @ params["mid"]
    return {"hidden": hidden, "outputs": jnp.tanh(hidden) @ params["out"]}


def moved(params, optimizer, rate, mup, steps=4):
    """How far the activations move in a few updates: the roots of the mean squares."""
    rule = optimizer(rate)
    if mup:
        factors = mup_factors(initial(64, 0), params, optimizer=optimizer.__name__)
        params, rule = factors.scaled(params), factors.groups().wrap(rule)
    x = np.float32(np.random.default_rng(7).normal(size=(EXAMPLES, INPUTS)))
    labels = jnp.arange(EXAMPLES) % OUTPUTS

    def loss(params):
        logits = activations(params, x)["outputs"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    def step(carry, _):
        params, state = carry
        updates, state = rule.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    (after, _), _ = jax.lax.scan(step, (params, rule.init(params)), None, length=steps)
    change = jax.tree.map(lambda a, b: a - b, activations(after, x), activations(params, x))
    return jnp.stack([jnp.sqrt(jnp.mean(change[name] ** 2)) for name in ("hidden", "outputs")])


def spread(widths, optimizer, rate, mup, seeds=2):
    """The largest change over the smallest, of all widths; for each activation."""
    run = jax.jit(moved, static_argnums=(1, 2, 3))
    means = [
        np.mean([run(initial(width, seed), optimizer, rate, mup) for seed in range(seeds)], axis=0) for width in widths
    ]
    return np.max(means, axis=0) / np.min(means, axis=0)


@pytest.mark.parametrize(
    ("optimizer", "rate", "widths"),
    [
        (jaxlr.adam, 0.003, (64, 1024)),
        pytest.param(jaxlr.adam, 0.003, (64, 128, 256, 512, 1024), marks=pytest.mark.long),
        pytest.param(jaxlr.sgd, 0.1, (64, 128, 256, 512, 1024), marks=pytest.mark.long),
    ],
)
def test_a_step_moves_the_activations_alike_at_every_width_and_not_without(optimizer, rate, widths):
    assert np.all(spread(widths, optimizer, rate, mup=True) < 1.2)
    assert np.max(spread(widths, optimizer, rate, mup=False)) > 2.0


def test_the_factors_of_table_3():
    def shapes(m, heads=1):
        return {
            "embed": (50, 8 * m),
            "bias": (8 * m,),
            "query": (8 * m, 2 * m, 4),
            "back": (2 * m, 4, 8 * m),
            "conv": (3, 3, 8 * m, 16 * m),
            "head": (8 * m, 10),
            "scale": (),
            "fixed": (7, 7),
        }

    base, wide = (
        jax.tree.map(
            lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32), shapes(m), is_leaf=lambda x: type(x) is tuple
        )
        for m in (1, 4)
    )
    adam, sgd = mup_factors(base, wide), mup_factors(base, wide, optimizer="sgd")
    inner = {"query": 0.25, "back": 0.25, "conv": 0.25, "head": 0.25}
    assert adam.rates == {"embed": 1.0, "bias": 1.0, "scale": 1.0, "fixed": 1.0, **inner}
    assert sgd.rates == {
        **dict.fromkeys(("query", "back", "conv", "scale", "fixed"), 1.0),
        "embed": 4,
        "bias": 4,
        "head": 0.25,
    }
    assert adam.init == {**dict.fromkeys(base, 1.0), "head": 0.5}


def test_growing_heads_and_their_sizes_need_a_word():
    base, wide = {"back[0]": jnp.ones((2, 4, 8))}, {"back[0]": jnp.ones((4, 8, 32))}
    with pytest.raises(
        ValueError, match=r"3 axes of back\[0\] grow, \(2, 4, 8\) to \(4, 8, 32\): say which are fan_in"
    ):
        mup_factors(base, wide)
    factors = mup_factors(base, wide, inputs={"back*": (0, 1)})
    assert factors.rates == {"back[0]": 0.25}
    state = factors.groups().wrap(jaxlr.adam(1.0)).init(wide)
    assert {name: float(rate) for name, rate in jaxlr.learning_rates(state).items()} == {"x 0.25": 0.25}


def test_other_trees_and_ranks_are_refused():
    with pytest.raises(ValueError, match="their trees differ"):
        mup_factors({"a": jnp.ones(1)}, {"b": jnp.ones(1)})
    with pytest.raises(ValueError, match="a must have the rank of its base, 1, got 2"):
        mup_factors({"a": jnp.ones(1)}, {"a": jnp.ones((1, 2))})
