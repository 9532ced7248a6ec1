"""What a recipe makes, beside NumPy in float64, and that the Python that it prints makes the same."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr.dialects.recipe import Recipe

PARAMS = {"kernel": jnp.full((2, 2), 2.0), "bias": jnp.full(2, -1.0)}
GRADIENTS = [{"kernel": jnp.full((2, 2), 3.0 * k), "bias": jnp.full(2, 4.0 * k)} for k in (1, -2, 3, 5)]
RATE = jaxlr.linear(0.5, 0.1, 4)
DECAYED = jaxlr.ParameterGroups(rates={"bias": 0.5}, decay_from_rank=2)

RECIPES = {
    "clipped": Recipe("mine", RATE, "jaxlr.sgd", {"momentum": 0.9}, clip=0.7),
    "accumulated": Recipe("mine", RATE, "jaxlr.adamw", {"b2": 0.95, "weight_decay": 0.1}, micro_batches=2),
    "groups": Recipe("mine", RATE, "jaxlr.adamw", {"weight_decay": 0.1}, groups=DECAYED),
    "of optax": Recipe("mine", RATE, "optax.lion", {"weight_decay": 0.1}, groups=DECAYED, clip=1.0, micro_batches=2),
    "frozen": Recipe("mine", RATE, "jaxlr.adam", groups=jaxlr.ParameterGroups(frozen=["bias"]), clip=1.0),
}


def walk(optimizer):
    params, state = PARAMS, optimizer.init(PARAMS)
    for gradients in GRADIENTS:
        updates, state = optimizer.update(gradients, state, params)
        params = optax.apply_updates(params, updates)
    return params


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_the_python_that_is_printed_makes_the_same(recipe):
    names = {}
    exec(str(recipe), names)
    jax.tree.map(np.testing.assert_array_equal, walk(recipe.make()), walk(names["optimizer"]))


def test_the_mean_of_a_window_is_clipped_and_no_micro_batch_alone():
    got = walk(Recipe("mine", RATE, "jaxlr.sgd", clip=0.7, micro_batches=2).make())
    params = {name: np.asarray(each, np.float64) for name, each in PARAMS.items()}
    for rate, window in ((0.5, GRADIENTS[:2]), (0.4, GRADIENTS[2:])):
        mean = {name: sum(np.asarray(each[name], np.float64) for each in window) / 2 for name in params}
        norm = np.sqrt(sum((each**2).sum() for each in mean.values()))
        params = {name: params[name] - rate * mean[name] * min(1.0, 0.7 / norm) for name in params}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), got, params)


def test_what_does_not_decay_and_what_is_frozen():
    still = {"kernel": jnp.zeros((2, 2)), "bias": jnp.zeros(2)}
    for name in ("groups", "of optax"):
        optimizer = RECIPES[name].make()
        state = optimizer.init(PARAMS)
        for _ in range(RECIPES[name].micro_batches):
            updates, state = optimizer.update(still, state, PARAMS)
        np.testing.assert_allclose(updates["kernel"], -0.5 * 0.1 * 2.0, rtol=1e-6)
        np.testing.assert_array_equal(updates["bias"], np.zeros(2))
    np.testing.assert_array_equal(walk(RECIPES["frozen"].make())["bias"], PARAMS["bias"])


def test_no_optimizer_is_made_where_none_is_named():
    with pytest.raises(ValueError, match="the mine configuration names no optimizer"):
        Recipe("mine", RATE).make()
