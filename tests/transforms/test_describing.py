"""What optimizers and their states print: short, telling, and without touching what cannot be read."""

import inspect
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr.dialects import keras, torch

PARAMS = {"kernel": jnp.ones((30, 40)), "bias": jnp.ones(40)}
MANY = {str(i): jnp.ones(4) for i in range(9)}
COSINE = "cosine(init_value=0.1, decay_steps=100)"

OPTIMIZERS = {
    "adamw(learning_rate=0.1)": lambda: jaxlr.adamw(0.1, b2=0.999),
    f"sgd(learning_rate={COSINE}, momentum=0.9)": lambda: jaxlr.sgd(jaxlr.cosine(0.1, 100), 0.9),
    f"accumulate(optimizer=rmsprop(learning_rate={COSINE}), every=4)": lambda: jaxlr.accumulate(
        jaxlr.rmsprop(jaxlr.cosine(0.1, 100)), 4
    ),
    "with_master_weights(inner=adam(learning_rate=0.1))": lambda: jaxlr.with_master_weights(jaxlr.adam(0.1)),
    "ParameterGroups(frozen=['bias']).wrap(optimizer=adam(learning_rate=0.1))": lambda: jaxlr.ParameterGroups(
        frozen=["bias"]
    ).wrap(jaxlr.adam(0.1)),
    "SGD(lr=0.1, momentum=0.9)": lambda: torch.SGD(0.1, 0.9),
    "Adam(learning_rate=0.1, clipnorm=1.0)": lambda: keras.Adam(0.1, clipnorm=1.0),
}


@pytest.mark.parametrize("said", OPTIMIZERS)
def test_an_optimizer_prints_as_the_call_that_made_it(said):
    optimizer = OPTIMIZERS[said]()
    assert repr(optimizer) == said
    assert isinstance(optimizer, optax.GradientTransformationExtraArgs)
    init, update = optimizer
    assert (optimizer.init, optimizer.update) == (init, update)
    assert isinstance(jax.tree.map(lambda each: each, optimizer), optax.GradientTransformationExtraArgs)


def test_an_optimizer_that_is_made_of_its_functions_prints_them():
    made = jaxlr.adam(0.1)._replace(init=jaxlr.sgd(0.1).init)
    assert repr(made).startswith("Described(init=<function")


GIVEN = {"learning_rate": jaxlr.cosine(0.1, 100), "weight_decay": 0.1, "weight": 0.1, "max_norm": 1.0}
LINKS = [name for name in jaxlr.transforms.__all__ if name.startswith(("scale_by_", "add_", "clip_", "orthog"))]


@pytest.mark.parametrize("name", LINKS)
def test_a_link_is_the_call_that_made_it(name):
    make = getattr(jaxlr.transforms, name)
    signature = inspect.signature(make).parameters
    given = {each: GIVEN[each] for each in signature if signature[each].default is inspect.Parameter.empty}
    one = make(**given)
    words = ", ".join(f"{each}={value!r}" for each, value in given.items())
    other = pickle.loads(pickle.dumps(one))
    assert (repr(one), repr(other)) == (f"{name}({words})", repr(one))
    params = {"kernel": PARAMS["kernel"]}
    (steps, _), (expected, _) = (each.update(params, each.init(params), params) for each in (other, one))
    jax.tree.map(np.testing.assert_array_equal, steps, expected)


def test_a_state_prints_numbers_and_shapes():
    adam, rate = jaxlr.adam(jaxlr.cosine(0.1, 100)).init(PARAMS)
    shapes = "{'bias': float32[40], 'kernel': float32[30,40]}"
    assert repr(adam) == f"ScaleByAdamState(count=0, b1=0.9, mu={shapes}, nu={shapes})"
    assert repr(rate) == "ScaleByLearningRateState(count=0, learning_rate=0.1)"
    plateau = jaxlr.sgd(jaxlr.reduce_on_plateau(0.1)).init(PARAMS)
    rule = "PlateauState(base=0.1, scale=1.0, best=inf, bad=0, cooling=0, total=0.0, seen=0)"
    assert repr(plateau) == f"(ScaleByLearningRateState(count=0, learning_rate=0.1, rule={rule}),)"


@pytest.mark.parametrize(
    "make",
    [
        lambda: jaxlr.accumulate(jaxlr.adamw(0.1), 4),
        lambda: jaxlr.guard(jaxlr.adamw(0.1)),
        lambda: jaxlr.with_master_weights(jaxlr.adamw(0.1)),
        lambda: jaxlr.small_states(jaxlr.adamw(0.1)),
        lambda: jaxlr.ParameterGroups(rates={"0": 2.0}).wrap(jaxlr.adamw(0.1)),
    ],
    ids=["accumulate", "guard", "master weights", "small states", "groups"],
)
def test_a_state_of_many_arrays_is_a_few_lines(make):
    text = repr(make().init(MANY))
    assert len(text) < 900
    assert "Array(" not in text


def test_what_cannot_be_read_is_told_by_its_shape():
    optimizer = jaxlr.sgd(0.1, momentum=0.9)
    abstract = jax.eval_shape(optimizer.init, jnp.ones(3))
    expected = "ScaleByMomentumState(count=int32[], momentum=float32[], buffer=float32[3])"
    assert repr(abstract[0]) == expected
    seen = []
    jax.jit(lambda state: seen.append(repr(state[0])))(optimizer.init(jnp.ones(3)))
    assert seen == [expected]
    state = optimizer.init(jnp.ones(3))
    jax.jit(lambda state: jax.tree.map(lambda x: x + 1, state), donate_argnums=0)(state)
    assert repr(state[0]).startswith("ScaleByMomentumState(count=int32[] deleted, ")
