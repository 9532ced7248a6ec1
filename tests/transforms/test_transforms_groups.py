"""Groups of parameters by path: rate factors, weight decay, freezing, over dictionaries and nnx states."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxlr
from jaxlr import optimizers
from jaxlr.dialects import torch as dialect
from jaxlr.transforms import (
    ParameterGroups,
    accumulate,
    add_weight_decay,
    clip_by_global_norm,
    layerwise_rates,
    learning_rates,
    set_learning_rate,
    with_master_weights,
)

# Not weakly typed, as no parameter is after an update: one program then does for all updates.
PARAMS = {
    "embed": {"table": jnp.full((4, 2), 0.5, jnp.float32)},
    "body": [{"kernel": jnp.full((2, 2), 0.5, jnp.float32), "bias": jnp.zeros(2)} for _ in range(2)],
    "head": {"kernel": jnp.full((2, 1), 0.5, jnp.float32), "bias": jnp.zeros(1)},
}
GRADIENTS = jax.tree.map(lambda p: p + 0.25, PARAMS)


def after(optimizer, params=PARAMS, gradients=GRADIENTS, updates=3):
    state = optimizer.init(params)
    step = jax.jit(optimizer.update)
    for _ in range(updates):
        changes, state = step(gradients, state, params)
        params = optax.apply_updates(params, changes)
    return params


def assert_equal(tree, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), tree, other)


def test_a_factor_is_that_of_an_optimizer_with_that_rate():
    groups = ParameterGroups(rates={"head/*": 10.0, "body/0/*": 0.5})
    got = after(groups.wrap(optimizers.adam(0.01)))
    plain = {factor: after(optimizers.adam(0.01 * factor)) for factor in (1.0, 10.0, 0.5)}
    assert_equal(got["head"], plain[10.0]["head"])
    assert_equal(got["body"][0], plain[0.5]["body"][0])
    assert_equal(got["body"][1], plain[1.0]["body"][1])
    assert_equal(got["embed"], plain[1.0]["embed"])


def test_the_first_pattern_that_matches_counts():
    groups = ParameterGroups(rates={"*/bias": 2.0, "head/*": 10.0})
    factors = groups.factors(PARAMS)
    assert factors["head"] == {"kernel": 10.0, "bias": 2.0}
    assert factors["embed"] == {"table": 1.0}


def test_frozen_parameters_stay_and_have_no_moments():
    groups = ParameterGroups(frozen=["embed/*", "body/0/*"])
    optimizer = groups.wrap(optimizers.adamw(0.1))
    got = after(optimizer)
    assert_equal(got["embed"], PARAMS["embed"])
    assert_equal(got["body"][0], PARAMS["body"][0])
    assert groups.factors(PARAMS)["embed"] == {"table": 0.0}
    assert not np.allclose(got["head"]["kernel"], PARAMS["head"]["kernel"])
    sizes = sum(leaf.size for leaf in jax.tree.leaves(optimizer.init(PARAMS)) if leaf.ndim)
    assert sizes == 2 * (4 + 2 + 2 + 1)


GROUPS = ParameterGroups(no_decay=["embed/*"], decay_from_rank=2, frozen=["body/1/*"])


@pytest.mark.parametrize(
    "optimizer",
    [
        GROUPS.wrap(optimizers.sgd(1.0, weight_decay=0.5)),
        GROUPS.wrap(optimizers.sgd(1.0, weight_decay=0.5, mask=GROUPS.decays)),
        GROUPS.wrap(optimizers.adamw(1.0, weight_decay=0.5)),
        GROUPS.wrap(dialect.AdamW(1.0, weight_decay=0.5)),
        GROUPS.wrap(optax.chain(clip_by_global_norm(1.0), optimizers.adamw(1.0, weight_decay=0.5))),
        GROUPS.wrap(accumulate(optimizers.adamw(1.0, weight_decay=0.5), 1)),
        accumulate(GROUPS.wrap(optimizers.adamw(1.0, weight_decay=0.5)), 1),
        optax.MultiSteps(GROUPS.wrap(optimizers.adamw(1.0, weight_decay=0.5)), 1),
        ParameterGroups(no_decay=["embed/*"]).wrap(
            ParameterGroups(decay_from_rank=2, frozen=["body/1/*"]).wrap(optimizers.sgd(1.0, weight_decay=0.5))
        ),
    ],
    ids=["sgd", "sgd, mask", "adamw", "torch", "chain", "accumulate in", "accumulate out", "MultiSteps", "groups"],
)
def test_decay_by_pattern_and_rank(optimizer):
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    ones = jax.tree.map(jnp.ones_like, PARAMS)
    got = after(optimizer, ones, zeros, updates=1)
    assert jax.tree.map(lambda p: float(p.ravel()[0]), got) == {
        "embed": {"table": 1.0},
        "body": [{"kernel": 0.5, "bias": 1.0}, {"kernel": 1.0, "bias": 1.0}],
        "head": {"kernel": 0.5, "bias": 1.0},
    }


def test_a_pattern_for_decay_may_name_what_is_frozen():
    groups = ParameterGroups(no_decay=["embed/*"], frozen=["embed/*"])
    after(groups.wrap(optimizers.adamw(0.1)))


def test_layers_decay_towards_the_input():
    rates = layerwise_rates(0.5, ["embed/*", "body/0/*", "body/1/*", "head/*"])
    factors = ParameterGroups(rates=rates).factors(PARAMS)
    assert [factors["embed"]["table"], *(layer["bias"] for layer in factors["body"]), factors["head"]["bias"]] == [
        0.125,
        0.25,
        0.5,
        1.0,
    ]


def test_the_base_rate_is_read_and_set_through_the_groups():
    groups = ParameterGroups(rates={"head/*": 10.0}, frozen=["embed/*"])
    optimizer = groups.wrap(optimizers.sgd(0.5))
    state = set_learning_rate(optimizer.init(PARAMS), 0.25)
    assert learning_rates(state) == {"head/*": 2.5, "others": 0.25}
    updates, state = optimizer.update(jax.tree.map(jnp.ones_like, PARAMS), state, PARAMS)
    assert learning_rates(state) == {"head/*": 2.5, "others": 0.25}
    assert updates["head"]["bias"] == -2.5
    updates, _ = optimizer.update(updates, set_learning_rate(state, 0.125, group="head/*"), PARAMS)
    assert updates["head"]["bias"] == 0.125 * 2.5


def test_groups_of_an_nnx_model():
    class Model(nnx.Module):
        def __init__(self, rngs):
            self.first = nnx.Linear(2, 2, rngs=rngs)
            self.body = nnx.Linear(2, 2, rngs=rngs)
            self.head = nnx.Linear(2, 1, rngs=rngs)

    model = Model(nnx.Rngs(0))
    before = jax.tree.map(jnp.array, nnx.to_pure_dict(nnx.state(model, nnx.Param)))
    groups = ParameterGroups(rates={"head/*": 2.0}, frozen=["first/*"], decay_from_rank=2)
    assert groups.table(nnx.state(model, nnx.Param)).splitlines()[3] == "first/bias    2      frozen  -"
    optimizer = nnx.Optimizer(model, groups.wrap(optimizers.sgd(0.5, weight_decay=0.5)), wrt=nnx.Param)
    optimizer.update(model, jax.tree.map(jnp.zeros_like, nnx.state(model, nnx.Param)))
    got = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    assert_equal(got["first"], before["first"])
    assert_equal(got["body"]["kernel"], 0.75 * before["body"]["kernel"])
    assert_equal(got["head"]["kernel"], 0.5 * before["head"]["kernel"])
    assert_equal(got["head"]["bias"], before["head"]["bias"])


def test_the_table_tells_what_each_parameter_gets():
    groups = ParameterGroups(rates={"head/*": 0.1, "*/0/*": 3}, no_decay=["*/bias"], frozen=["embed/*"])
    assert groups.table(PARAMS).splitlines() == [
        "parameter      shape  rate    decay",
        "body/0/bias    2      x 3     no",
        "body/0/kernel  2 x 2  x 3     yes",
        "body/1/bias    2      x 1     no",
        "body/1/kernel  2 x 2  x 1     yes",
        "embed/table    4 x 2  frozen  -",
        "head/bias      1      x 0.1   no",
        "head/kernel    2 x 1  x 0.1   yes",
        "7 parameter arrays with 23 numbers, 8 of them frozen",
    ]


NOTHING = {
    "rates": (
        ParameterGroups(rates={"haed/*": 10.0}),
        r"'haed/\*' in rates matches none of the 7 parameters; .* head/",
    ),
    "no_decay": (ParameterGroups(no_decay=["*/scale"]), r"'\*/scale' in no_decay matches none"),
    "frozen": (ParameterGroups(frozen=["embed"]), "'embed' in frozen matches none of the 7 parameters; .* embed/table"),
}


@pytest.mark.parametrize(("groups", "message"), NOTHING.values(), ids=NOTHING)
def test_a_pattern_that_matches_nothing_is_an_error(groups, message):
    for use in (groups.wrap(optimizers.sgd(0.1)).init, groups.table):
        with pytest.raises(ValueError, match=message):
            use(PARAMS)


def test_a_mask_alone_notices_too():
    with pytest.raises(ValueError, match=r"'\*/scale' in no_decay matches none"):
        add_weight_decay(0.1, mask=ParameterGroups(no_decay=["*/scale"]).decays).init(PARAMS)


WRONG = {
    "one text": (lambda: ParameterGroups(frozen="embed/*"), TypeError, "frozen must be a list of patterns, got 'embed"),
    "no text": (lambda: ParameterGroups(no_decay=[0]), TypeError, "no_decay must hold patterns, which are text, got 0"),
    "negative": (lambda: ParameterGroups(rates={"a": -1.0}), ValueError, r"rates\['a'\] must be .* got -1\.0"),
    "word": (lambda: ParameterGroups(rates={"a": "no"}), TypeError, r"rates\['a'\] must be a real number, got 'no'"),
    "rank": (lambda: ParameterGroups(decay_from_rank=-1), ValueError, "decay_from_rank must be at least 0, got -1"),
    "layers": (lambda: layerwise_rates(0.5, "body"), TypeError, "layers must be a list of patterns, got 'body'"),
    "decay": (lambda: layerwise_rates(-0.5, ["body"]), ValueError, r"decay must be .* got -0\.5"),
}


@pytest.mark.parametrize(("make", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_with_its_value(make, error, message):
    with pytest.raises(error, match=message):
        make()


def plain(optimizer):
    """A wrapper that passes no keywords on."""
    return optax.GradientTransformation(
        optimizer.init, lambda updates, state, params=None: optimizer.update(updates, state, params)
    )


def walk(optimizer, params=PARAMS, updates=3, gradient=0.0):
    state, update = optimizer.init(params), jax.jit(optimizer.update)
    for _ in range(updates):
        steps, state = update(jax.tree.map(lambda p: jnp.full_like(p, gradient), params), state, params)
        params = optax.apply_updates(params, steps)
    return params, state


DECAYING = {
    "itself": lambda: optimizers.adamw(0.1, weight_decay=0.5),
    "plain wrapper": lambda: plain(optimizers.adamw(0.1, weight_decay=0.5)),
    "accumulate": lambda: accumulate(optimizers.adamw(0.1, weight_decay=0.5), 1),
    "MultiSteps": lambda: optax.MultiSteps(optimizers.adamw(0.1, weight_decay=0.5), 1).gradient_transformation(),
    "if finite": lambda: optax.apply_if_finite(optimizers.adamw(0.1, weight_decay=0.5), 2),
    "master weights": lambda: with_master_weights(optimizers.adamw(0.1, weight_decay=0.5)),
    "named by hand": lambda: optax.adamw(0.1, weight_decay=0.5, mask=NO_BIAS.decays),
}
NO_BIAS = ParameterGroups(decay_from_rank=2, rates={"head/*": 2.0})


@pytest.mark.parametrize("make", DECAYING)
def test_what_must_not_decay_does_not_through_any_wrapper(make):
    params, _ = walk(NO_BIAS.wrap(DECAYING[make]()))
    np.testing.assert_allclose(params["head"]["kernel"], PARAMS["head"]["kernel"] * 0.9**3, rtol=1e-6)
    np.testing.assert_array_equal(params["head"]["bias"], PARAMS["head"]["bias"])


@pytest.mark.parametrize(
    ("groups", "make", "match"),
    [
        (NO_BIAS, lambda: optax.adamw(0.1, weight_decay=0.5), "must not decay: the wrapped optimizer decays by other"),
        (NO_BIAS, lambda: optax.chain(optax.add_decayed_weights(0.1), optimizers.adamw(0.1)), "must not decay"),
        (NO_BIAS, lambda: optax.flatten(optimizers.adamw(0.1)), "changes the tree of the parameters"),
        (ParameterGroups(rates={"head/*": lambda n: 0.1}), lambda: optax.sgd(0.1), "has a schedule or is frozen for a"),
        (ParameterGroups(frozen={"head/*": 3}), lambda: optax.sgd(0.1), "has a schedule or is frozen for a time"),
        (
            ParameterGroups(rates={"head/*": 2.0}),
            lambda: with_master_weights(optax.sgd(0.1)),
            "would be lost: the optimizer keeps copies of",
        ),
        (NO_BIAS, lambda: NO_BIAS.wrap(optimizers.adamw(0.1)), "put all patterns into one"),
    ],
)
def test_what_cannot_hear_of_its_group_is_refused_when_it_is_initialized(groups, make, match):
    with pytest.raises(ValueError, match=match):
        groups.wrap(make()).init(PARAMS)


def test_what_was_compiled_apart_from_its_groups_is_refused():
    inner = optimizers.adamw(0.1)
    optimizer = NO_BIAS.wrap(optax.GradientTransformation(inner.init, jax.jit(inner.update)))
    with pytest.raises(ValueError, match="was compiled on its own"):
        walk(optimizer)


def test_a_group_may_have_a_schedule_and_another_be_frozen_for_a_time():
    groups = ParameterGroups(
        rates={"head/*": lambda n: 0.5 * n}, frozen={"embed/*": 2}, names={"head/*": "head", "embed/*": "embedding"}
    )
    params, state = walk(groups.wrap(plain(optimizers.sgd(0.25))), gradient=1.0)
    moved = jax.tree.map(lambda after, before: float(np.ravel(before - after)[0]), params, PARAMS)
    assert moved["head"]["bias"] == 0.0 + 0.5 + 1.0
    assert moved["body"][0]["kernel"] == 3 * 0.25
    assert jax.tree.leaves(moved["embed"])[0] == 0.25
    assert learning_rates(state) == {"embedding": 0.25, "head": 1.0, "others": 0.25}


@pytest.mark.parametrize("inside", [True, False])
def test_factors_count_inside_and_around_master_weights(inside):
    groups = ParameterGroups(rates={"body/*": 0.125})
    inner = optimizers.sgd(0.0078125)
    optimizer = groups.wrap(with_master_weights(inner)) if inside else with_master_weights(groups.wrap(inner))
    params = jax.tree.map(lambda p: jnp.ones_like(p, jnp.bfloat16), PARAMS)
    params, _ = walk(optimizer, params, updates=16, gradient=1.0)
    assert (
        float(np.ravel(params["body"][0]["kernel"])[0]) == 1 - 16 * 0.125 * 0.0078125
    )  # a multiple of bfloat16's 2**-8


@pytest.mark.parametrize("around", ["groups", "partition", "masked"])
def test_a_mask_of_all_parameters_fits_where_some_are_left_out(around):
    mask = jax.tree.map(lambda p: p.ndim > 1, PARAMS)
    inner = optimizers.sgd(0.1, weight_decay=0.5, mask=mask)
    frozen = jax.tree_util.tree_map_with_path(lambda path, _: path[0].key == "embed", PARAMS)
    labels = jax.tree.map(lambda still: "still" if still else "moving", frozen)
    optimizer = {
        "groups": lambda: ParameterGroups(frozen=["embed/*"]).wrap(inner),
        "partition": lambda: optax.partition({"moving": inner, "still": optax.set_to_zero()}, labels),
        "masked": lambda: optax.masked(inner, jax.tree.map(lambda still: not still, frozen)),
    }[around]()
    params, _ = walk(optimizer, updates=1)
    np.testing.assert_allclose(params["head"]["kernel"], 0.95 * PARAMS["head"]["kernel"], rtol=1e-6)
    np.testing.assert_array_equal(params["head"]["bias"], PARAMS["head"]["bias"])
    with pytest.raises(ValueError, match="mask has an entry for elsewhere, which is no parameter"):
        optimizers.sgd(0.1, weight_decay=0.5, mask={**mask, "elsewhere": True}).init(PARAMS)


def test_what_an_optimizer_itself_cannot_do_is_said_by_it():
    narrow = {"w": jnp.ones((2, 2), jnp.bfloat16), "b": jnp.ones(2, jnp.bfloat16)}
    inner = optax.apply_if_finite(jaxlr.with_master_weights(jaxlr.adamw(0.1)), 2)
    with pytest.raises(TypeError, match="cond branches must have equal output types"):
        jaxlr.ParameterGroups(decay_from_rank=2).wrap(inner).init(narrow)
