"""Parameters that are a model which can be called, as Equinox' are: a tree like any other, masks too."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr


@partial(jax.tree_util.register_dataclass, data_fields=["weight", "bias"], meta_fields=[])
@dataclasses.dataclass
class Model:
    """Called by nobody here: whoever calls it fails."""

    weight: object
    bias: object

    def __call__(self, x):
        raise AssertionError("a model was taken for a function")


# Not weakly typed, as no parameter is after an update: one program then does for all updates.
MODEL = Model(jnp.full((2, 3), 0.5, jnp.float32), jnp.ones(3))
GRADIENT = Model(jnp.full((2, 3), 0.25, jnp.float32), jnp.full(3, -2.0, jnp.float32))
OPTIMIZERS = {
    "sgd": lambda: jaxlr.sgd(0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda: jaxlr.rmsprop(0.1, centered=True, momentum=0.9),
    "adam": lambda: jaxlr.adam(0.1, amsgrad=True),
    "adamw": lambda: jaxlr.adamw(jaxlr.cosine(0.1, 10), weight_decay=0.1),
    "nadam": lambda: optax.chain(jaxlr.scale_by_nadam(), jaxlr.scale_by_learning_rate(0.1)),
    "radam": lambda: optax.chain(jaxlr.scale_by_radam(), jaxlr.scale_by_learning_rate(0.1)),
    "adamax": lambda: optax.chain(jaxlr.scale_by_adamax(), jaxlr.scale_by_learning_rate(0.1)),
    "adagrad": lambda: optax.chain(jaxlr.scale_by_adagrad(), jaxlr.scale_by_learning_rate(0.1)),
    "accumulate": lambda: jaxlr.accumulate(jaxlr.adamw(0.1), 1),
    "guard": lambda: jaxlr.guard(jaxlr.adamw(0.1)),
    "small_states": lambda: jaxlr.small_states(jaxlr.adamw(0.1), "int8", least_size=1),
    "with_master_weights": lambda: jaxlr.with_master_weights(jaxlr.adamw(0.1)),
    "groups": lambda: jaxlr.ParameterGroups(rates={"weight": 0.5}, decay_from_rank=2).wrap(jaxlr.adamw(0.1)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_model_is_trained_as_the_dictionary_of_its_arrays(name):
    def last(params, gradient):
        optimizer = OPTIMIZERS[name]()
        state = optimizer.init(params)
        for _ in range(2):
            updates, state = optimizer.update(gradient, state, params)
        return jaxlr.learning_rates(state), updates

    rates, updates = last(MODEL, GRADIENT)
    same_rates, same = last(vars(MODEL), vars(GRADIENT))
    assert isinstance(updates, Model)
    np.testing.assert_array_equal(updates.weight, same["weight"])
    np.testing.assert_array_equal(updates.bias, same["bias"])
    assert {k: float(v) for k, v in rates.items()} == {k: float(v) for k, v in same_rates.items()}


@pytest.mark.parametrize(
    "mask", [Model(True, False), lambda m: Model(True, False), jax.tree_util.Partial(lambda m: Model(True, False))]
)
def test_a_mask_may_be_such_a_model_or_a_function_that_gives_one(mask):
    optimizer = jaxlr.sgd(1.0, weight_decay=0.5, mask=mask)
    nothing = jax.tree.map(jnp.zeros_like, MODEL)
    updates, _ = optimizer.update(nothing, optimizer.init(MODEL), MODEL)
    np.testing.assert_array_equal(updates.weight, -0.25 * np.ones((2, 3)))
    np.testing.assert_array_equal(updates.bias, np.zeros(3))


def test_a_range_test_of_one_gives_a_rate():
    def loss(model, batch):
        return jnp.sum((model.weight - batch) ** 2) + jnp.sum(model.bias**2)

    result = jaxlr.lr_range_test(loss, MODEL, jnp.zeros((60, 1)), optimizer=jaxlr.adam, num_steps=60)
    assert result.recommendation is not None
