"""A saved state fits the optimizer again, also when the chain around it has changed."""

import pickle

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from flax import nnx

from jaxlr import optimizers
from jaxlr.transforms import (
    ParameterGroups,
    clip_by_global_norm,
    current_learning_rate,
    load_state_dict,
    scale_by_learning_rate,
    scale_by_momentum,
    state_dict,
)
from jaxlr.transforms.records import numbers_in
from jaxlr.transforms.wrappers.accumulation import accumulate

# Not weakly typed, as no parameter is after an update: one program then does for all updates.
PARAMS = {"dense": {"kernel": jnp.full((3, 2), 0.5, jnp.float32), "bias": jnp.zeros(2)}}
GRADIENTS = [jax.tree.map(lambda p, i=i: jnp.sin(p + i), PARAMS) for i in range(7)]


def steps(optimizer, state, params, gradients):
    update = jax.jit(optimizer.update)
    for gradient in gradients:
        updates, state = update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def assert_same_bits(tree, other):
    assert jax.tree.structure(tree) == jax.tree.structure(other)
    for leaf, twin in zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True):
        assert (leaf.dtype, leaf.shape) == (twin.dtype, twin.shape)
        np.testing.assert_array_equal(leaf, twin)


def through_orbax(tree, folder):
    with ocp.StandardCheckpointer() as store:
        store.save(folder / "state", tree)
    with ocp.StandardCheckpointer() as store:
        return store.restore(folder / "state", jax.tree.map(jnp.zeros_like, tree))


RATE_FIELDS = ("written", "count", "learning_rate", "overridden", "override", "base", "factor", "share")


def test_names_tell_link_field_and_parameter():
    names = set(state_dict(optimizers.adamw(0.1).init(PARAMS)))
    assert names == {
        "jaxlr_state_version",
        "scale_by_adam/count",
        "scale_by_adam/b1",
        *(f"scale_by_adam/{field}/dense/{name}" for field in ("mu", "nu") for name in ("kernel", "bias")),
        "add_weight_decay/count",
        "add_weight_decay/weight_decay",
        *(f"scale_by_learning_rate/{field}" for field in RATE_FIELDS),
    }


def through_npz(saved, folder):
    np.savez(folder / "state.npz", **saved)
    return dict(np.load(folder / "state.npz"))


# A state of before records were nodes, what `init` gave then and a folder -> a dictionary.
OLD_WAYS = {
    "dictionary": lambda old, fresh, folder: state_dict(old),
    "npz": lambda old, fresh, folder: through_npz(state_dict(old), folder),
    "bytes of a dictionary": lambda old, fresh, folder: flax.serialization.msgpack_restore(
        flax.serialization.to_bytes(state_dict(old))
    ),
    "bytes": lambda old, fresh, folder: state_dict(
        flax.serialization.from_bytes(fresh, flax.serialization.to_bytes(old))
    ),
    "pickle": lambda old, fresh, folder: state_dict(pickle.loads(pickle.dumps(jax.device_get(old)))),
    "orbax": lambda old, fresh, folder: state_dict(through_orbax(old, folder)),
}
OLD = {
    "adamw": lambda: optimizers.adamw(lambda n: 0.1 / (1 + n), b1=lambda n: 0.9 - 0.01 * n, b2=lambda n: 0.99),
    "rmsprop": lambda: optimizers.rmsprop(0.1, momentum=0.9),
    "groups": lambda: ParameterGroups({"*bias": 0.5}, weight_decays={"*kernel": 0.3}).wrap(
        accumulate(optimizers.sgd(0.1, 0.9, weight_decay=0.1), 2)
    ),
    "partition": lambda: optax.partition({"all": optimizers.adam(0.1)}, "all"),
}


@pytest.mark.parametrize("make", OLD.values(), ids=OLD)
def test_a_state_of_before_records_were_nodes_goes_on_to_the_bit(make, tmp_path):
    optimizer = make()
    fresh = optimizer.init(PARAMS)
    params, state = steps(optimizer, fresh, PARAMS, GRADIENTS[:3])
    expected = steps(optimizer, state, params, GRADIENTS[3:])
    old = numbers_in(state)
    assert jax.tree.structure(old) != jax.tree.structure(state)
    assert state_dict(old).keys() == state_dict(state).keys()
    for way in OLD_WAYS.values():
        found, report = load_state_dict(fresh, way(old, numbers_in(fresh), tmp_path))
        assert (report.missing, report.extra, report.misshapen) == ((), (), ())
        assert_same_bits(steps(optimizer, found, params, GRADIENTS[3:]), expected)
    for update in (optimizer.update, jax.jit(optimizer.update)):
        with pytest.raises(TypeError, match=r"changes nothing where it is written.*load_state_dict\(optimizer\.init"):
            update(GRADIENTS[0], old, params)


def test_equal_links_are_numbered_and_groups_named():
    twice = optax.chain(scale_by_momentum(), scale_by_momentum(), scale_by_learning_rate(0.1))
    assert {"scale_by_momentum/count", "scale_by_momentum#2/count"} <= set(state_dict(twice.init(PARAMS)))
    groups = optax.partition(
        {"a": scale_by_momentum(), "b": scale_by_momentum()}, {"dense": {"kernel": "a", "bias": "b"}}
    )
    names = set(state_dict(groups.init(PARAMS)))
    assert {"a:scale_by_momentum/buffer/dense/kernel", "b:scale_by_momentum/buffer/dense/bias"} <= names


def test_a_constant_adamw_goes_on_in_a_longer_chain_with_a_schedule():
    params, state = steps(optimizers.adamw(0.1), optimizers.adamw(0.1).init(PARAMS), PARAMS, GRADIENTS[:4])
    longer = optax.chain(clip_by_global_norm(1e9), optimizers.adamw(lambda count: jnp.where(count < 0, 1.0, 0.1)))
    loaded, report = load_state_dict(longer.init(PARAMS), state_dict(state))
    assert report.missing == report.extra == report.misshapen == ()
    assert len(report.restored) == len(jax.tree.leaves(state))
    straight, _ = steps(optimizers.adamw(0.1), state, params, GRADIENTS[4:])
    resumed, _ = steps(longer, loaded, params, GRADIENTS[4:])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), resumed, straight)
    assert current_learning_rate(loaded) == np.float32(0.1)


def test_the_report_tells_what_is_missing_extra_and_misshapen():
    saved = state_dict(optimizers.sgd(0.1, momentum=0.9).init(PARAMS))
    wider = {"dense": {"kernel": jnp.ones((4, 2)), "bias": jnp.ones(2), "scale": jnp.ones(2)}}
    saved["scale_by_momentum/buffer/dense/bias"] = np.full(2, 7.0, np.float64)
    saved["old/thing"] = np.zeros(1)
    state, report = load_state_dict(optimizers.sgd(0.1, momentum=0.9).init(wider), saved)
    assert report.missing == ("scale_by_momentum/buffer/dense/scale",)
    assert report.extra == ("old/thing",)
    assert report.misshapen == ("scale_by_momentum/buffer/dense/kernel",)
    assert len(report.restored) == 11
    assert str(report).splitlines() == [
        "11 restored",
        "1 missing: scale_by_momentum/buffer/dense/scale",
        "1 extra: old/thing",
        "1 misshapen: scale_by_momentum/buffer/dense/kernel",
    ]
    buffer = state[0].buffer["dense"]
    assert buffer["bias"].dtype == jnp.float32
    np.testing.assert_array_equal(buffer["bias"], [7.0, 7.0])
    np.testing.assert_array_equal(buffer["kernel"], np.zeros((4, 2)))


OF_OPTAX = {
    "constant": lambda: optax.adamw(0.1),
    "scheduled": lambda: optax.adamw(optax.linear_schedule(0.1, 0.0, 20)),
    "injected": lambda: optax.inject_hyperparams(optax.adamw)(0.1),
    "momentum": lambda: optax.sgd(0.1, 0.9),
    "rmsprop": lambda: optax.rmsprop(0.1),
    "amsgrad": lambda: optax.amsgrad(0.1),
}


@pytest.mark.parametrize("make", OF_OPTAX.values(), ids=OF_OPTAX)
def test_the_dictionary_of_an_optax_state_is_refused_for_what_takes_it_over(make):
    """Its count of Adam would stand beside schedules that begin at 0."""
    optimizer = make()
    _, state = steps(optimizer, optimizer.init(PARAMS), PARAMS, GRADIENTS)
    ours = optimizers.adamw(lambda count: 0.1 / (1 + count)).init(PARAMS)
    for saved in (state_dict(state), flax.serialization.to_state_dict(state)):
        with pytest.raises(ValueError, match=r"jaxlr\.from_optax_state takes over a state"):
            load_state_dict(ours, saved)


def test_the_count_of_a_schedule_that_the_dictionary_lacks_is_asked_for():
    schedule = optax.linear_schedule(0.1, 0.0, 20)
    _, state = steps(optax.adamw(0.1), optax.adamw(0.1).init(PARAMS), PARAMS, GRADIENTS)
    for optimizer, name in (
        (optimizers.adamw(schedule), "scale_by_learning_rate/count"),
        (optax.adamw(schedule), "scale_by_schedule/count"),
        (ParameterGroups({"dense/bias": 0.5}).wrap(optimizers.adamw(schedule)), "others:scale_by_learning_rate/count"),
        (optax.masked(optimizers.adamw(schedule), True), "scale_by_learning_rate/count"),
    ):
        with pytest.raises(ValueError, match=f"saved has no (dense/bias:|{name}).*adam/count is 7: the schedule would"):
            load_state_dict(optimizer.init(PARAMS), state_dict(state))
        names = [name, "dense/bias:scale_by_learning_rate/count"]
        loaded, report = load_state_dict(optimizer.init(PARAMS), state_dict(state) | dict.fromkeys(names, 7))
        assert name in report.restored
        moments = [each for each in state_dict(loaded) if each.endswith("mu/dense/kernel")]
        np.testing.assert_array_equal(state_dict(loaded)[moments[0]], state[0].mu["dense"]["kernel"])
        assert int(state_dict(loaded)[name]) == 7
        load_state_dict(optimizer.init(PARAMS), state_dict(state) | dict.fromkeys(names, 0))


def test_a_new_part_of_a_partition_begins_with_a_schedule_of_its_own():
    make = lambda label: optax.partition({"a": optimizers.adamw(0.1), "b": optimizers.adamw(0.1)}, label)  # noqa: E731
    optimizer = make("a")
    _, state = steps(optimizer, optimizer.init(PARAMS), PARAMS, GRADIENTS)
    saved = {name: each for name, each in state_dict(state).items() if not name.startswith("b:")}
    _, report = load_state_dict(make({"dense": {"kernel": "a", "bias": "b"}}).init(PARAMS), saved)
    assert "b:scale_by_learning_rate/count" in report.missing


@pytest.mark.parametrize(
    "flat", [pytest.param(True, id="state_dict"), pytest.param(False, id="state", marks=pytest.mark.ci)]
)
def test_orbax_brings_back_every_bit_in_mid_accumulation(flat, tmp_path):
    optimizer = optax.MultiSteps(optimizers.adamw(lambda count: 0.1 / (1 + count)), 3)
    params, state = steps(optimizer, optimizer.init(PARAMS), PARAMS, GRADIENTS[:5])
    assert state.mini_step == 2
    if flat:
        restored, report = load_state_dict(optimizer.init(PARAMS), through_orbax(state_dict(state), tmp_path))
        assert report.missing == report.extra == report.misshapen == ()
    else:
        restored = through_orbax(state, tmp_path)
    assert_same_bits(restored, state)
    assert_same_bits(steps(optimizer, restored, params, GRADIENTS[5:]), steps(optimizer, state, params, GRADIENTS[5:]))


def test_an_nnx_optimizer_is_saved_and_loaded_in_place():
    def make(seed):
        model = nnx.Linear(3, 2, rngs=nnx.Rngs(seed))
        return model, nnx.Optimizer(model, optimizers.adam(0.1), wrt=nnx.Param)

    model, optimizer = make(0)
    optimizer.update(model, jax.tree.map(jnp.ones_like, nnx.state(model, nnx.Param)))
    saved = state_dict(optimizer)
    assert {"scale_by_adam/mu/kernel", "scale_by_learning_rate/count"} <= set(saved)
    _, other = make(1)
    loaded, report = load_state_dict(other, saved)
    assert loaded is other
    assert report.missing == report.extra == ()
    for name, leaf in state_dict(other).items():
        np.testing.assert_array_equal(leaf, saved[name])


def test_a_loaded_state_shares_no_buffer_with_the_dictionary():
    optimizer = optimizers.sgd(0.1, momentum=0.9)
    saved = state_dict(optimizer.init(PARAMS))
    step = jax.jit(lambda state: optimizer.update(PARAMS, state, PARAMS)[1], donate_argnums=0)
    for _ in range(2):
        step(load_state_dict(optimizer.init(PARAMS), saved)[0])


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"scale_by_adam/count": 1}, r"saved must come from jaxlr\.state_dict: it has no jaxlr_state_version"),
        ({"jaxlr_state_version": 99}, "saved is of version 99; this jaxlr knows versions up to 1"),
    ],
    ids=["foreign", "newer"],
)
def test_a_foreign_dictionary_is_an_error(saved, message):
    with pytest.raises(ValueError, match=message):
        load_state_dict(optimizers.sgd(0.1).init(PARAMS), saved)
