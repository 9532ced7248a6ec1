"""`jaxlr.X` in place of `optax.X`: the same positions, names, defaults and steps, and nearer to float64."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr.dialects import optax as dialect
from jaxlr.dialects import torch

NAMES = ("sgd", "rmsprop", "adam", "adamw")
DRAWS = range(50)
UPDATES = 30


def schedule(random):
    """A number, a schedule of Optax or one of jaxlr."""
    rate = float(10 ** random.uniform(-3, -1))
    return [rate, optax.cosine_decay_schedule(rate, 20), jaxlr.linear(rate, rate / 10, 20)][random.integers(3)]


def arguments(name, random):
    """Arguments after the rate, as Optax has them, by name and in its order."""
    drawn = {
        "momentum": [None, 0.0, float(random.uniform(0.1, 0.95))][random.integers(3)],
        "nesterov": bool(random.integers(2)),
        "accumulator_dtype": [None, jnp.float32][random.integers(2)],
        "decay": float(random.uniform(0.5, 0.999)),
        "eps": float(10 ** random.uniform(-8, -3)),
        "initial_scale": float(random.integers(2)),
        "eps_in_sqrt": bool(random.integers(2)),
        "centered": bool(random.integers(2)),
        "bias_correction": bool(random.integers(2)),
        "b1": float(random.uniform(0.0, 0.95)),
        "b2": float(random.uniform(0.9, 0.9999)),
        "eps_root": [0.0, 0.01][random.integers(2)],
        "mu_dtype": [None, jnp.float32][random.integers(2)],
        "weight_decay": float(random.uniform(0.0, 0.3)),
        "mask": [None, {"a": True, "b": False}][random.integers(2)],
    }
    known = [each for each in inspect.signature(getattr(optax, name)).parameters if each != "learning_rate"]
    given = {each: drawn[each] for each in known if random.integers(4)}
    # Else the variance of the first updates is rounding alone, and Optax's below 0.
    return given | ({"initial_scale": 1.0} if given.get("centered") else {})


def walk(make, dtype):
    """How far the parameters are moved by each update."""
    random = np.random.default_rng(7)
    params = {name: jnp.asarray(random.normal(size=8), dtype) for name in "ab"}
    noise = random.normal(size=(UPDATES, 8))

    def step(carry, sample):
        params, state = carry
        gradients = jax.tree.map(lambda p: p + sample.astype(p.dtype), params)
        updates, state = optimizer.update(gradients, state, params)
        return (optax.apply_updates(params, updates), state), updates

    optimizer = make()
    steps = jax.jit(lambda p, s: jax.lax.scan(step, (p, s), jnp.asarray(noise, dtype))[1])(
        params, optimizer.init(params)
    )
    return np.concatenate([np.asarray(steps[name], np.float64) for name in "ab"], axis=1)


@pytest.mark.parametrize("draw", [pytest.param(k, marks=() if k < 3 else pytest.mark.long) for k in DRAWS])
@pytest.mark.parametrize("name", NAMES)
def test_the_steps_are_those_of_optax(name, draw):
    random = np.random.default_rng([NAMES.index(name), draw])
    rate, given = schedule(random), arguments(name, random)
    ours = walk(lambda: getattr(jaxlr, name)(rate, **given), jnp.float32)
    theirs = walk(lambda: getattr(optax, name)(rate, **given), jnp.float32)
    travelled = np.abs(theirs).sum(0)
    assert np.all(np.abs(ours - theirs).sum(0) <= 1e-5 * travelled), (rate, given)
    jax.config.update("jax_enable_x64", True)
    try:
        exact = walk(lambda: getattr(optax, name)(rate, **given), jnp.float64)
    finally:
        jax.config.update("jax_enable_x64", False)
    apart = np.abs(ours - theirs) > 2e-6 * np.abs(exact).max(0)
    assert np.abs(ours - exact)[apart].sum() <= np.abs(theirs - exact)[apart].sum(), (rate, given)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("module", [jaxlr, dialect])
def test_positions_names_and_defaults_are_those_of_optax(name, module):
    theirs = [
        each for each in inspect.signature(getattr(optax, name)).parameters.values() if each.kind != each.KEYWORD_ONLY
    ]
    ours = [
        each for each in inspect.signature(getattr(module, name)).parameters.values() if each.kind != each.KEYWORD_ONLY
    ]
    assert [(each.name, each.default) for each in ours] == [(each.name, each.default) for each in theirs]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_a_rate_that_inject_hyperparams_has_rounded_is_refused(dtype):
    params = {"w": jnp.ones(3, dtype)}
    with pytest.raises(ValueError, match=r"is b?float16, which keeps .* hyperparam_dtype=jnp.float32"):
        optax.inject_hyperparams(jaxlr.sgd)(learning_rate=0.1).init(params)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_numbers_that_lose_nothing_are_taken_under_jit_too(dtype):
    params = {"w": jnp.ones(3, dtype)}
    optimizer = optax.inject_hyperparams(jaxlr.sgd)(learning_rate=0.5)  # and its dampening of 0
    state = jax.jit(optimizer.update)(params, optimizer.init(params), params)[1]
    assert jaxlr.current_learning_rate(state) == 0.5


@pytest.mark.parametrize("rate", [0.1, jaxlr.cosine(0.1, 100)], ids=["number", "schedule"])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_a_rate_of_float32_within_inject_hyperparams_keeps_its_bits(rate, dtype):
    params = {"w": jnp.ones(3, dtype)}
    optimizer = optax.inject_hyperparams(jaxlr.sgd, hyperparam_dtype=jnp.float32)(learning_rate=rate)
    state = jax.jit(optimizer.update)(params, optimizer.init(params), params)[1]
    assert state.hyperparams["learning_rate"] == jnp.float32(0.1)
    assert jaxlr.current_learning_rate(state) == jnp.float32(0.1)


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (jaxlr.sgd, {"learning_rate": 0.1}),
        (jaxlr.sgd, {"learning_rate": jaxlr.cosine(0.1, 10), "momentum": 0.0, "weight_decay": 0.0}),
        (jaxlr.rmsprop, {"learning_rate": 0.1, "momentum": 0.5}),
        (jaxlr.adam, {"learning_rate": 0.1, "b1": jaxlr.linear(0.9, 0.5, 10)}),
        (jaxlr.adamw, {"learning_rate": 0.1, "weight_decay": 0.0}),
        (jaxlr.dialects.keras.Adam, {"learning_rate": 0.1}),
        (jaxlr.dialects.keras.SGD, {"learning_rate": 0.1, "momentum": 0.9, "clipnorm": 1.0}),
        (jaxlr.dialects.torch.SGD, {"lr": 0.1, "momentum": 0.9}),
    ],
)
def test_inject_hyperparams_takes_every_optimizer(make, given):
    optimizer = optax.inject_hyperparams(make)(**given)
    params = {"w": jnp.ones(2)}
    state = optimizer.init(params)
    updates, after = jax.jit(optimizer.update)(params, state, params)
    assert jax.tree.structure(state) == jax.tree.structure(after)
    plain = make(**given)
    expected, _ = plain.update(params, plain.init(params), params)
    np.testing.assert_allclose(updates["w"], expected["w"], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_structure_of_a_state_does_not_depend_on_a_number(name):
    numbers = {"sgd": "momentum", "rmsprop": "momentum", "adam": "weight_decay", "adamw": "weight_decay"}
    make = getattr(jaxlr, name)
    trees = {
        jax.tree.structure(make(0.1, **{numbers[name]: n}).init(jnp.ones(2))) for n in (0, 0.0, 0.5, jnp.zeros([]))
    }
    assert len(trees) == 1


@pytest.mark.parametrize("name", NAMES)
def test_none_stays_none_and_what_is_no_array_is_left_alone(name):
    make = getattr(jaxlr, name)
    optimizer = optax.chain(jaxlr.clip_by_global_norm(1.0), jaxlr.add_l1_penalty(0.1), make(0.1, weight_decay=0.1))
    model = {"w": jnp.ones(2), "activation": jax.nn.relu, "gap": None}
    arrays = {"w": jnp.ones(2), "activation": None, "gap": None}
    for wrap in (lambda o: o, lambda o: jaxlr.accumulate(o, 1), jaxlr.transforms.in_float32):
        wrapped = wrap(optimizer)
        updates, _ = wrapped.update(arrays, wrapped.init(arrays), model)
        assert updates["activation"] is None
        assert updates["gap"] is None
        assert np.all(updates["w"] < 0)


GROUPS = {
    "rates": {"rates": {"w": 0.5}},
    "no_decay": {"no_decay": ["w"]},
    "decay_from_rank": {"decay_from_rank": 2},
    "frozen": {"frozen": ["b"]},
    "thawed": {"frozen": {"b": 2}},
    "weight_decays": {"weight_decays": {"w": 0.5}},
}
AROUND = {
    "nothing": lambda o: o,
    "partition": lambda o: optax.partition({"all": o}, lambda p: jax.tree.map(lambda _: "all", p)),
    "masked": lambda o: optax.masked(o, lambda p: jax.tree.map(lambda _: True, p)),
    "accumulate": lambda o: jaxlr.accumulate(o, 1),
    "MultiSteps": lambda o: optax.MultiSteps(o, 1).gradient_transformation(),
    "master weights": jaxlr.with_master_weights,
    "guard": jaxlr.guard,
}


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("inside", AROUND.values(), ids=AROUND)
def test_groups_leave_alone_what_is_no_array_as_without_it(inside, groups):
    optimizer = jaxlr.ParameterGroups(**groups).wrap(inside(jaxlr.adamw(0.1, weight_decay=0.1)))
    arrays = {"w": jnp.ones(2), "b": jnp.ones((1, 2))}
    alone, _ = optimizer.update(arrays, optimizer.init(arrays), arrays)
    gaps = {"activation": None, "gap": None, "name": None}
    model = {**arrays, "activation": jax.nn.relu, "gap": None, "name": "mlp"}
    for outer in (lambda o: o, jaxlr.with_master_weights, lambda o: jaxlr.accumulate(o, 1)):
        wrapped = outer(optimizer)
        updates, state = wrapped.update({**arrays, **gaps}, wrapped.init({**arrays, **gaps}), model)
        wrapped.update({**arrays, **gaps}, state, model)
        assert {name: updates.pop(name) for name in gaps} == gaps
        jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-6), updates, alone)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_strict_promotion_has_nothing_to_object_to(name, dtype):
    params = {"w": jnp.ones(2, dtype)}
    optimizer = jaxlr.accumulate(optax.chain(jaxlr.clip_by_global_norm(1.0), getattr(jaxlr, name)(0.1)), 2)
    with jax.numpy_dtype_promotion("strict"):
        jax.jit(optimizer.update)(params, optimizer.init(params), params)


@pytest.mark.parametrize(
    "optimizer",
    [
        jaxlr.sgd(0.1),
        jaxlr.add_l1_penalty(0.1),
        jaxlr.scale_by_learning_rate(0.1),
        jaxlr.ParameterGroups(rates={"w": 0.5}).wrap(jaxlr.scale_by_learning_rate(0.1)),
        jaxlr.with_master_weights(jaxlr.scale_by_learning_rate(0.1)),
    ],
    ids=["sgd", "l1", "rate", "groups", "master weights"],
)
def test_an_integer_parameter_is_named(optimizer):
    params = {"steps": jnp.ones(2, jnp.int32), "w": jnp.ones(2)}
    gradients = jax.grad(lambda p: p["w"].sum(), allow_int=True)(params)
    with pytest.raises(TypeError, match=r"the gradient of \['steps'\] is float0"):
        optimizer.update(gradients, optimizer.init(params), params)


@pytest.mark.parametrize("name", NAMES)
def test_the_derivative_through_an_update_is_that_of_finite_differences(name):
    optimizer = getattr(jaxlr, name)(0.1, **({"eps_root": 1e-2} if name.startswith("adam") else {}))

    def after(x):
        params = jnp.zeros(2)
        gradients = jnp.stack([x, jnp.zeros_like(x)])  # the second is 0, as that of an unused parameter
        updates, state = optimizer.update(gradients, optimizer.init(params), params)
        return optimizer.update(2.0 * gradients, state, params)[0].sum() + updates.sum()

    derivative = jax.grad(after)(0.3)
    difference = (float(after(0.31)) - float(after(0.29))) / 0.02
    np.testing.assert_allclose(derivative, difference, rtol=0.02, atol=2e-3)


@pytest.mark.parametrize("make", [jaxlr.adam, torch.RMSprop, torch.Adagrad, torch.NAdam, torch.RAdam])
def test_a_gradient_of_0_leaves_the_derivatives_of_others_alone(make):
    optimizer = make(0.1)

    def after(x):
        state = optimizer.init(jnp.zeros(2))
        for factor in range(1, 9):  # RAdam divides by the root from its sixth update on
            updates, state = optimizer.update(factor * jnp.stack([x, jnp.zeros_like(x)]), state, jnp.zeros(2))
        return 100.0 * updates.sum()

    derivative = jax.grad(after)(0.3)
    difference = (float(after(0.33)) - float(after(0.27))) / 0.06
    np.testing.assert_allclose(derivative, difference, rtol=0.02, atol=0.02)


def test_eps_root_stands_inside_the_root():
    optimizer = jaxlr.adam(1.0, eps=0.0, eps_root=3.0)
    updates, _ = optimizer.update(jnp.ones(1), optimizer.init(jnp.ones(1)))
    assert float(updates[0]) == -0.5


def test_the_derivative_of_clipping_is_1_where_there_is_nothing_to_clip():
    clip = jaxlr.clip_by_global_norm(1.0)
    jacobian = jax.jacobian(lambda u: clip.update(u, clip.init(u))[0])(jnp.zeros(3))
    np.testing.assert_array_equal(jacobian, np.eye(3))
