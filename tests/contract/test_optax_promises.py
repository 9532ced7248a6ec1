"""What Optax promises of its optimizers, asked of every optimizer of jaxlr and of its dialects."""

import copy
import inspect
import pickle

import flax.serialization
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jaxlr
from jaxlr.dialects import keras
from jaxlr.dialects.torch.factories import FACTORIES


def _makes_optimizers(factory):
    return "Optimizer" in str(inspect.signature(factory).return_annotation) and "config" not in factory.__name__


MAKE = {
    **{f"jaxlr.{name}": getattr(jaxlr, name) for name in ("sgd", "rmsprop", "adam", "adamw")},
    **{f"torch.{name}": make for name, make in FACTORIES.items()},
    **{f"keras.{name}": getattr(keras, name) for name in keras.__all__ if _makes_optimizers(getattr(keras, name))},
}
# torch's Rprop has a rate at its beginning alone, ASGD one of its own making.
OWN_RATES = ("torch.Rprop", "torch.ASGD")
OPTIMIZERS = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
PARAMS = {"w": jnp.linspace(-1.0, 1.0, 4).reshape(2, 2), "b": jnp.ones((1, 2))}
GRADIENTS = {"w": jnp.linspace(-0.5, 2.0, 4).reshape(2, 2), "b": jnp.full((1, 2), 0.25)}


def kinds(tree):
    """What `lax.scan` asks a carry to keep."""
    return [(x.shape, x.dtype, x.weak_type) for x in map(jax.typeof, jax.tree.leaves(tree))]


def after(optimizer, updates=2, params=PARAMS, gradients=GRADIENTS):
    state = optimizer.init(params)
    for _ in range(updates):
        steps, state = optimizer.update(gradients, state, params)
    return steps, state


def same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_every_optimizer_is_asked():
    assert len(MAKE) == 4 + 13 + 13


@OPTIMIZERS
def test_a_state_keeps_its_structure_whatever_the_numbers_and_steps(make):
    scheduled = [] if make is FACTORIES["Rprop"] else [lambda n: 0.1 / (1 + n)]
    states = [make(rate).init(PARAMS) for rate in (0.1, 0.0, jnp.float32(0.1), *scheduled)]
    assert len({jax.tree.structure(state) for state in states}) == 1
    assert kinds(states[0]) == kinds(states[-1])
    assert kinds(jax.eval_shape(make(0.1).update, GRADIENTS, states[0], PARAMS)[1]) == kinds(states[0])


@pytest.mark.parametrize("make", [make for name, make in MAKE.items() if name not in OWN_RATES])
def test_it_counts_its_updates_and_says_its_rate(make):
    optimizer = optax.named_chain(("clip", jaxlr.clip_by_global_norm(1.0)), ("rule", make(lambda n: 0.5 / (1 + n))))
    state = optimizer.init(PARAMS)
    for count in range(3):
        assert jaxlr.update_count(state) == count
        assert jaxlr.current_learning_rate(state) == np.float32(0.5 / max(count, 1))
        state = optimizer.update(GRADIENTS, state, PARAMS)[1]
    assert set(state) == {"clip", "rule"}
    assert float(optax.tree.get(state, "learning_rate")) == np.float32(0.5 / 3)


@OPTIMIZERS
def test_a_state_is_made_of_shapes_and_where_it_is_wanted(make):
    optimizer = make(0.1)
    shapes = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), PARAMS)
    wanted = jax.eval_shape(optimizer.init, shapes)
    assert kinds(wanted) == kinds(optimizer.init(PARAMS))
    mesh = Mesh(np.array(jax.devices()[:1]), "x")
    place = jax.tree.map(lambda leaf: NamedSharding(mesh, PartitionSpec("x") if leaf.ndim else PartitionSpec()), wanted)
    lowered = jax.jit(optimizer.init, out_shardings=place).lower(PARAMS)
    assert kinds(lowered.out_info) == kinds(wanted)


WRAPPED = {
    "with_master_weights": lambda rate: jaxlr.with_master_weights(jaxlr.adamw(rate)),
    "accumulate": lambda rate: jaxlr.accumulate(jaxlr.adamw(jaxlr.reduce_on_plateau(rate)), 2),
    "guard": lambda rate: jaxlr.guard(jaxlr.adamw(jaxlr.greedy(rate))),
    "small_states": lambda rate: jaxlr.small_states(jaxlr.adamw(rate), least_size=1),
    "groups": lambda rate: jaxlr.ParameterGroups({"w": 0.5}, decay_from_rank=2, frozen={"b": 3}).wrap(
        jaxlr.adamw(rate)
    ),
}


@pytest.mark.parametrize("make", (MAKE | WRAPPED).values(), ids=MAKE | WRAPPED)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_state_made_of_plain_shapes_trains_as_that_of_the_parameters(make, dtype):
    optimizer = make(0.1)
    params = jax.tree.map(lambda p: p.astype(dtype), PARAMS)
    of_shapes = optimizer.init(jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), params))
    of_params = optimizer.init(params)
    assert kinds(of_shapes) == kinds(of_params)
    same(*(optimizer.update(params, state, params) for state in (of_shapes, of_params)))


@OPTIMIZERS
def test_a_state_goes_through_bytes(make):
    optimizer = make(0.1)
    _, state = after(optimizer)
    fresh = optimizer.init(PARAMS)
    same(flax.serialization.from_bytes(fresh, flax.serialization.to_bytes(state)), state)
    same(pickle.loads(pickle.dumps(state)), state)


@pytest.mark.parametrize("make", (MAKE | WRAPPED).values(), ids=MAKE | WRAPPED)
def test_an_optimizer_is_pickled_as_the_call_that_made_it(make):
    optimizer = make(0.1 if make is FACTORIES["Rprop"] else jaxlr.linear(0.1, 0.0, 9))
    for again in (pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)):
        assert repr(again) == repr(optimizer)
        same(after(again), after(optimizer))


def test_what_cannot_be_pickled_says_which_function():
    for optimizer in (jaxlr.adam(lambda count: 0.1), optax.chain(jaxlr.adam(0.1)), jaxlr.adam(0.1)._replace()):
        with pytest.raises((AttributeError, pickle.PicklingError), match=r"lambda|init"):
            pickle.dumps(optimizer)


@OPTIMIZERS
def test_other_keywords_and_masks_change_nothing(make):
    optimizer = make(0.1)
    steps, state = after(optimizer)
    again = optimizer.update(GRADIENTS, state, PARAMS)
    same(optimizer.update(GRADIENTS, state, PARAMS, value=1.0, grad=GRADIENTS, other="word"), again)
    same(steps, after(optimizer)[0])
    masked, _ = after(optax.masked(optimizer, {"w": True, "b": False}))
    np.testing.assert_array_equal(masked["w"], after(optimizer, 2, {"w": PARAMS["w"]}, {"w": GRADIENTS["w"]})[0]["w"])
    np.testing.assert_array_equal(masked["b"], GRADIENTS["b"])


@OPTIMIZERS
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_updates_have_the_dtype_of_the_gradients_and_moments_are_float32(make, dtype):
    params = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, dtype), PARAMS)
    optimizer = make(0.1)
    state = jax.eval_shape(optimizer.init, params)
    steps, new = jax.eval_shape(optimizer.update, params, state, params)
    assert kinds(steps) == kinds(params)
    assert kinds(new) == kinds(state)
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} <= {jnp.dtype(jnp.float32), jnp.dtype(jnp.int32)}


@OPTIMIZERS
def test_what_is_missing_stays_missing(make):
    optimizer = make(0.1)
    params, gradients = {**PARAMS, "gap": None}, {**GRADIENTS, "gap": None}
    steps, _ = after(optimizer, 2, params, gradients)
    assert steps["gap"] is None
    same({name: steps[name] for name in PARAMS}, after(optimizer)[0])
    for empty in ({}, ()):
        assert jax.tree.leaves(after(optimizer, 2, empty, empty)[0]) == []


MISSING = {
    **MAKE,
    "with_master_weights": lambda rate: jaxlr.with_master_weights(jaxlr.sgd(rate)),
    "accumulate": lambda rate: jaxlr.accumulate(jaxlr.sgd(rate), 2),
    "guard": lambda rate: jaxlr.guard(jaxlr.adam(rate)),
    "small_states": lambda rate: jaxlr.small_states(jaxlr.adam(rate), least_size=1),
    "groups": lambda rate: jaxlr.ParameterGroups(rates={"b": 2.0}).wrap(jaxlr.adam(rate)),
    "frozen": lambda rate: jaxlr.ParameterGroups(frozen=["b"]).wrap(jaxlr.adam(rate)),
    "apply_if_finite": lambda rate: optax.apply_if_finite(jaxlr.adam(rate), 2),
}


@pytest.mark.parametrize("make", MISSING.values(), ids=MISSING)
def test_a_gradient_that_is_missing_is_named_where_its_parameter_has_a_state(make):
    optimizer = make(0.1)
    state, gradients = optimizer.init(PARAMS), {**GRADIENTS, "b": None}
    if make in (MAKE["jaxlr.sgd"], MAKE["torch.SGD"], MAKE["torch.ASGD"], MAKE["keras.SGD"]):
        assert optimizer.update(gradients, state, PARAMS)[0]["b"] is None  # there is nothing that could differ
        return
    with pytest.raises(TypeError, match=r"the gradient of \['b'\] is None, and .* give zeros where the loss does not"):
        optimizer.update(gradients, state, PARAMS)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
@pytest.mark.parametrize(
    "make",
    [
        *MAKE.values(),
        lambda rate: keras.Lamb(rate, weight_decay=0.1),
        lambda rate: keras.Adafactor(rate, weight_decay=0.1),
        lambda rate: jaxlr.small_states(jaxlr.adamw(rate), least_size=1),
        lambda rate: jaxlr.small_states(jaxlr.adamw(rate), "int8", least_size=1),
        lambda rate: optax.apply_if_finite(jaxlr.with_master_weights(jaxlr.adamw(rate)), 2),
        lambda rate: jaxlr.guard(jaxlr.sgd(rate, 0.9, weight_decay=0.1), act="lower", recovery=3),
        lambda rate: jaxlr.ParameterGroups(rates={"w": 2.0}, weight_decays={"w": 0.1}).wrap(jaxlr.adamw(rate)),
        lambda rate: jaxlr.sgd(jaxlr.reduce_on_plateau(rate)),
    ],
)
def test_strict_promotion_has_nothing_to_object_to(make, dtype):
    params = jax.tree.map(lambda x: x.astype(dtype), PARAMS)
    with jax.numpy_dtype_promotion("strict"):
        strict, _ = after(jaxlr.accumulate(make(0.1), 1), params=params, gradients=params)
    same(strict, after(jaxlr.accumulate(make(0.1), 1), params=params, gradients=params)[0])


@OPTIMIZERS
def test_a_derivative_goes_through_an_update(make):
    optimizer = make(0.1)

    def loss(x):
        params = {"w": jnp.stack([x, 2.0 * x])[None], "b": jnp.zeros((1, 2))}
        steps, _ = optimizer.update(params, optimizer.init(params), params)
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(steps))

    assert np.isfinite(jax.grad(loss)(0.3))


@OPTIMIZERS
def test_parameters_in_a_state_are_mapped_as_those_of_optax(make):
    optimizer = make(0.1)
    _, state = after(optimizer)
    doubled = optax.tree_utils.tree_map_params(optimizer, lambda leaf: 2 * leaf, state)
    for leaf, new in zip(jax.tree.leaves(state), jax.tree.leaves(doubled), strict=True):
        np.testing.assert_array_equal(new, 2 * leaf if leaf.ndim else leaf)


@pytest.mark.parametrize(
    "name", [name for name in FACTORIES if name not in ("Muon", "Adafactor")]
)  # torch's own limits
def test_torch_takes_a_complex_parameter_as_two_real_ones(name):
    optimizer = FACTORIES[name](0.1, **({} if name == "Rprop" else {"weight_decay": 0.1}))
    whole = {"w": jnp.array([1.0 + 2.0j, -0.5j])}
    parts = {"w": jnp.stack([whole["w"].real, whole["w"].imag], -1)}
    steps, _ = after(optimizer, 3, whole, whole)
    expected, _ = after(optimizer, 3, parts, parts)
    np.testing.assert_allclose(jnp.stack([steps["w"].real, steps["w"].imag], -1), expected["w"], rtol=1e-6)


def test_a_program_that_takes_a_state_is_exported():
    optimizer = jaxlr.accumulate(jaxlr.with_master_weights(jaxlr.adamw(jaxlr.reduce_on_plateau(0.1))), 2.0)
    state = optimizer.init(PARAMS)
    program = jax.export.export(jax.jit(optimizer.update))(GRADIENTS, state, PARAMS)
    read = jax.export.deserialize(program.serialize())
    same(read.call(GRADIENTS, state, PARAMS)[1].micro_step, jnp.int32(1))


def test_a_number_as_a_schedule_stores_it_is_refused_in_words():
    stored = jaxlr.exponential(0.1, 0.9).arguments["decay_rate"]
    with pytest.raises(
        TypeError, match="learning_rate must be a real number, got one as a schedule stores it, a Factor"
    ):
        jaxlr.sgd(stored)


def test_what_must_be_known_says_how_it_stays_so_in_inject_hyperparams():
    make = FACTORIES["Muon"]
    with pytest.raises(TypeError, match=r'ns_steps must be known.*static_args="ns_steps"'):
        optax.inject_hyperparams(make)(0.1).init(PARAMS)
    matrices = {"w": jnp.eye(2), "b": jnp.ones((1, 2))}
    injected, _ = after(optax.inject_hyperparams(make, static_args="ns_steps")(0.1), 2, matrices, matrices)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), injected, after(make(0.1), 2, matrices, matrices)[0]
    )


def test_what_goes_by_the_rate_before_refuses_the_rates_of_inject_hyperparams():
    schedule = jaxlr.linear(0.5, 0.0, 4)
    make, params = FACTORIES["ASGD"], {"w": jnp.ones(2)}
    with pytest.raises(TypeError, match=r'lr: ASGD goes by the rate of the update before.*static_args="lr"'):
        optax.inject_hyperparams(make)(schedule).init(params)
    inject = optax.inject_hyperparams
    for injected, alone in ((inject(make, static_args="lr")(schedule), make(schedule)), (inject(make)(0.5), make(0.5))):
        same(after(injected, 3, params, params)[0], after(alone, 3, params, params)[0])
