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
    "no number": (
        lambda: ParameterGroups(weight_decays={"a": "no"}),
        TypeError,
        r"weight_decays\['a'\] must be a real number, got 'no'",
    ),
    "negative decay": (
        lambda: ParameterGroups(weight_decays={"a": -1.0}),
        ValueError,
        r"weight_decays\['a'\] must be .* got -1\.0",
    ),
    "one decay": (lambda: ParameterGroups(weight_decays=0.1), TypeError, "weight_decays must be a mapping, .* got 0.1"),
    "no pattern": (lambda: ParameterGroups(weight_decays={0: 0.1}), TypeError, "weight_decays must hold patterns"),
    "no such name": (
        lambda: ParameterGroups(weight_decays={"a": 0.1}, names={"b": "x"}),
        ValueError,
        "names has 'b', which is no pattern in rates, frozen or weight_decays",
    ),
    "two of a name": (
        lambda: ParameterGroups(weight_decays={"a": 0.1, "b": 0.2}, names={"a": "x", "b": "x"}),
        ValueError,
        r"the name of weight_decays\['b'\], 'x', is that of another weight decay too",
    ),
    "others": (
        lambda: ParameterGroups(weight_decays={"others": 0.1}),
        ValueError,
        "'others', is that of all other parameters",
    ),
    "layers": (lambda: layerwise_rates(0.5, "body"), TypeError, "layers must be a list of patterns, got 'body'"),
    "decay": (lambda: layerwise_rates(-0.5, ["body"]), ValueError, r"decay must be .* got -0\.5"),
}


@pytest.mark.parametrize(("make", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_with_its_value(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "groups",
    [
        ParameterGroups(rates={"head/*": 1.0, "body/*": 3.0}, names={"head/*": "x", "body/*": "x"}),
        ParameterGroups(rates={"head/*": 3.0}, names={"head/*": "others"}),
        ParameterGroups(rates={"head/*": 3.0}, frozen={"body/*": 3}, names={"head/*": "x", "body/*": "x"}),
    ],
)
def test_a_name_of_two_rates_is_an_error(groups):
    with pytest.raises(ValueError, match=r"stands for two rates, of .* and others: give each its own"):
        groups.wrap(optimizers.sgd(0.1)).init(PARAMS)


def test_one_name_may_stand_for_one_rate_of_several_patterns():
    twice = {pattern: jaxlr.cosine(0.1, 10) for pattern in ("head/*", "body/*")}
    groups = ParameterGroups(twice, names=dict.fromkeys(twice, "x"), weight_decays=twice)
    state = groups.wrap(optimizers.adamw(0.2)).init(PARAMS)
    assert set(learning_rates(state)) == {"x", "others"}
    other = {"head/*": jaxlr.cosine(0.1, 10), "body/*": jaxlr.cosine(0.1, 11)}
    with pytest.raises(ValueError, match="is that of another weight decay too"):
        ParameterGroups(names=dict.fromkeys(other, "x"), weight_decays=other)
    with pytest.raises(ValueError, match="stands for two rates"):
        ParameterGroups(other, names=dict.fromkeys(other, "x")).wrap(optimizers.sgd(0.2)).init(PARAMS)


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
    copies = jaxlr.with_master_weights(jaxlr.adamw(0.1))

    def update(updates, state, params):
        return jax.lax.cond(jnp.bool_(True), lambda: copies.update(updates, state, params), lambda: (updates, state))

    inner = optax.GradientTransformation(copies.init, update)
    with pytest.raises(TypeError, match="cond branches must have equal output types"):
        jaxlr.ParameterGroups(decay_from_rank=2).wrap(inner).init(narrow)


# Weight decays of groups, against NumPy's float64 by hand.
OWN = ParameterGroups(
    rates={"head/*": 2.0},
    decay_from_rank=2,
    weight_decays={"head/*": 0.7, "body/*": lambda n: 0.1 + 0.2 * n},
    names={"head/*": "head", "body/*": "body"},
)


def own_decay(name, count):
    """What OWN says of a parameter, beside an optimizer's 0.3."""
    if name.endswith("bias"):
        return 0.0
    return {"head": 0.7, "body": 0.1 + 0.2 * count}.get(name.split("/")[0], 0.3)


def by_hand(rule, rate, decoupled, decay_of=own_decay, updates=3, every=1):
    """The parameters after the updates of a rule, each the same gradient, by name."""
    named = {jax.tree_util.keystr(path, simple=True, separator="/"): (p, g) for path, p, g in with_gradients()}
    after = {}
    for name, (start, gradient) in named.items():
        p, moments, factor = start, {}, 2.0 if name.startswith("head") else 1.0
        for count in range(updates // every):
            shrink = decay_of(name, count) * p
            step = rule(gradient if decoupled else gradient + shrink, moments, count + 1)
            p = p - factor * rate * (step + (shrink if decoupled else 0.0))
        after[name] = p
    return after


def with_gradients():
    for (path, p), g in zip(jax.tree_util.tree_leaves_with_path(PARAMS), jax.tree.leaves(GRADIENTS), strict=True):
        yield path, np.asarray(p, np.float64), np.asarray(g, np.float64)


def sgd_rule(g, moments, t):
    del moments, t
    return g


def adam_rule(g, m, t, b1=0.9, b2=0.999, eps=1e-8):
    m["m"] = b1 * m.get("m", 0.0) + (1 - b1) * g
    m["v"] = b2 * m.get("v", 0.0) + (1 - b2) * g * g
    return m["m"] / (1 - b1**t) / (np.sqrt(m["v"] / (1 - b2**t)) + eps)


def assert_by_hand(params, expected, rtol=1e-5):
    for path, p in jax.tree_util.tree_leaves_with_path(params):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        np.testing.assert_allclose(np.asarray(p, np.float64), expected[name], rtol=rtol, atol=1e-6, err_msg=name)


DECAY_RULES = {
    "sgd, L2": (lambda **given: optimizers.sgd(0.1, weight_decay=0.3, **given), sgd_rule, False),
    "sgd, decoupled": (lambda **given: optimizers.sgd(0.1, weight_decay=0.3, decoupled=True, **given), sgd_rule, True),
    "adam, L2": (lambda **given: optimizers.adam(0.1, weight_decay=0.3, **given), adam_rule, False),
    "adamw": (lambda **given: optimizers.adamw(0.1, weight_decay=0.3, **given), adam_rule, True),
}
DECAY_WRAPPERS = {
    "itself": (OWN.wrap, 1),
    "plain wrapper": (lambda o: OWN.wrap(plain(o)), 1),
    "accumulate in": (lambda o: OWN.wrap(accumulate(o, 2)), 2),
    "accumulate out": (lambda o: accumulate(OWN.wrap(o), 2), 2),
    "MultiSteps": (lambda o: OWN.wrap(optax.MultiSteps(o, 2).gradient_transformation()), 2),
    "master weights in": (lambda o: OWN.wrap(with_master_weights(o)), 1),
    "master weights out": (lambda o: with_master_weights(OWN.wrap(o)), 1),
    "loose clip": (lambda o: OWN.wrap(optax.chain(clip_by_global_norm(100.0), o)), 1),
    "other groups": (lambda o: ParameterGroups(no_decay=["*/bias"]).wrap(OWN.wrap(o)), 1),
    "in other groups": (lambda o: OWN.wrap(ParameterGroups(no_decay=["*/bias"]).wrap(o)), 1),
    "small states": (lambda o: OWN.wrap(jaxlr.small_states(o)), 1),
    "by its mask": (None, 1),
}


@pytest.mark.parametrize("rule", DECAY_RULES)
@pytest.mark.parametrize("around", DECAY_WRAPPERS)
def test_a_group_decays_by_its_own_weight_decay_through_any_wrapper(rule, around):
    make, by, decoupled = DECAY_RULES[rule]
    wrap, every = DECAY_WRAPPERS[around]
    if wrap is None:  # the mask in place of decay_from_rank
        mask = jax.tree.map(lambda p: p.ndim >= 2, PARAMS)
        groups = ParameterGroups(OWN.rates, names=OWN.names, weight_decays=OWN.weight_decays)
        optimizer = groups.wrap(make(mask=mask))
    else:
        optimizer = wrap(make())
    assert_by_hand(after(optimizer, updates=4), by_hand(by, 0.1, decoupled, updates=4, every=every))


def test_the_weight_decay_of_each_group_is_recorded_by_its_name():
    optimizer = OWN.wrap(optimizers.sgd(0.1, weight_decay=lambda n: 0.5 - 0.25 * n))
    state = optimizer.init(PARAMS)
    read = {name: float(value) for name, value in jaxlr.current_hyperparameters(state).items()}
    assert read == pytest.approx({"body/weight_decay": 0.1, "head/weight_decay": 0.7, "others/weight_decay": 0.5})
    for _ in range(2):
        _, state = jax.jit(optimizer.update)(GRADIENTS, state, PARAMS)
    read = {name: float(value) for name, value in jaxlr.current_hyperparameters(state).items()}
    assert read == pytest.approx({"body/weight_decay": 0.3, "head/weight_decay": 0.7, "others/weight_decay": 0.25})
    assert "'head': 0.7" in repr(state)
    again, report = jaxlr.load_state_dict(optimizer.init(PARAMS), jaxlr.state_dict(state))
    assert not report.missing + report.extra + report.misshapen
    assert jaxlr.current_hyperparameters(again).keys() == read.keys()


def test_the_records_of_two_optimizers_say_whose_they_are():
    labels = {"embed": "one", "body": "two", "head": "two"}
    inner = optax.partition({each: optimizers.sgd(0.1, weight_decay=0.3) for each in ("one", "two")}, labels)
    state = ParameterGroups(weight_decays={"head/*": 0.7}).wrap(inner).init(PARAMS)
    names = [name.replace("trained/", "") for name in jaxlr.current_hyperparameters(state)]
    assert names == ["one/others/weight_decay", "two/head/*/weight_decay", "two/others/weight_decay"]


def test_a_state_without_own_weight_decays_is_as_it_was():
    state = ParameterGroups(rates={"head/*": 2.0}).wrap(optimizers.adamw(0.1)).init(PARAMS)
    assert float(jaxlr.current_hyperparameters(state)["weight_decay"]) == pytest.approx(1e-4)
    plain = optimizers.sgd(0.1, weight_decay=0.3).init(PARAMS)
    assert [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(plain[0])] == [((), jnp.int32), ((), jnp.float32)]


def test_the_first_pattern_of_a_weight_decay_counts_and_0_is_none():
    groups = ParameterGroups(weight_decays={"*/bias": 0.0, "head/*": 0.5})
    ones = jax.tree.map(jnp.ones_like, PARAMS)
    got = after(groups.wrap(optimizers.sgd(1.0, weight_decay=0.25)), ones, jax.tree.map(jnp.zeros_like, ones), 1)
    assert jax.tree.map(lambda p: float(p.ravel()[0]), got) == {
        "embed": {"table": 0.75},
        "body": [{"kernel": 0.75, "bias": 1.0}] * 2,
        "head": {"kernel": 0.5, "bias": 1.0},
    }
    assert [line.split()[-1] for line in groups.table(PARAMS).splitlines()[1:-1]] == (
        ["0", "yes", "0", "yes", "yes", "0", "0.5"]
    )


def test_a_traced_weight_decay_of_a_group_needs_no_new_program():
    @jax.jit
    def once(decay):
        optimizer = ParameterGroups(weight_decays={"head/*": decay}).wrap(optimizers.sgd(1.0, weight_decay=0.5))
        zeros = jax.tree.map(jnp.zeros_like, PARAMS)
        return optimizer.update(zeros, optimizer.init(PARAMS), PARAMS)[0]["head"]["kernel"]

    assert [float(once(decay)[0, 0]) for decay in (0.25, 0.5)] == [-0.125, -0.25]


def test_a_weight_decay_is_the_groups_own_where_some_are_left_out():
    groups = ParameterGroups(weight_decays={"embed/*": 0.9, "head/*": 0.5}, frozen=["body/0/*"])
    kept = jax.tree_util.tree_map_with_path(lambda path, _: path[0].key != "embed", PARAMS)
    optimizer = optax.masked(groups.wrap(optimizers.sgd(1.0, weight_decay=0.25)), kept)
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    got = after(optimizer, gradients=zeros, updates=1)
    np.testing.assert_allclose(got["head"]["kernel"], 0.5 * PARAMS["head"]["kernel"])
    np.testing.assert_allclose(got["body"][1]["kernel"], 0.75 * PARAMS["body"][1]["kernel"])
    assert_equal((got["embed"], got["body"][0]), (PARAMS["embed"], PARAMS["body"][0]))
    assert list(jaxlr.current_hyperparameters(optimizer.init(PARAMS))) == ["head/*/weight_decay", "others/weight_decay"]


def test_an_nnx_optimizer_decays_by_group_and_tells_it():
    model = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
    before = np.array(model.kernel[...])
    groups = ParameterGroups(weight_decays={"kernel": 0.5})
    optimizer = nnx.Optimizer(model, groups.wrap(optimizers.sgd(1.0, weight_decay=0.25)), wrt=nnx.Param)
    optimizer.update(model, jax.tree.map(jnp.zeros_like, nnx.state(model, nnx.Param)))
    np.testing.assert_allclose(model.kernel[...], 0.5 * before, rtol=1e-6)
    for holder in (optimizer, nnx.state(optimizer)):
        read = {name: float(value) for name, value in jaxlr.current_hyperparameters(holder).items()}
        assert read == {"kernel/weight_decay": 0.5, "others/weight_decay": 0.25}


def test_a_parameter_without_a_gradient_keeps_the_record_of_its_group():
    optimizer = ParameterGroups(weight_decays={"a": 0.5}).wrap(optimizers.sgd(1.0, weight_decay=0.25))
    params = {"a": jnp.ones(2), "b": jnp.ones(2)}
    state = optimizer.init(params)
    updates, state = optimizer.update({"a": None, "b": jnp.zeros(2)}, state, {"a": None, "b": params["b"]})
    assert updates["a"] is None
    assert updates["b"].tolist() == [-0.25, -0.25]
    assert float(jaxlr.current_hyperparameters(state)["a/weight_decay"]) == 0.5


def test_another_decay_of_asgd_is_not_the_groups():
    groups = ParameterGroups(weight_decays={"head/*": 0.5})
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    got = after(groups.wrap(dialect.ASGD(1.0, lambd=0.25, weight_decay=0.125)), gradients=zeros, updates=1)
    np.testing.assert_allclose(got["head"]["kernel"], (1 - 0.5 - 0.25) * PARAMS["head"]["kernel"], rtol=1e-6)
    np.testing.assert_allclose(got["embed"]["table"], (1 - 0.125 - 0.25) * PARAMS["embed"]["table"], rtol=1e-6)


HEAD_DECAYS = ParameterGroups(weight_decays={"head/*": 0.5})
CANNOT_DECAY = {
    "none of its own": (
        HEAD_DECAYS,
        lambda: optimizers.sgd(0.1),
        "nothing in the optimizer adds a weight decay to head",
    ),
    "of a part": (
        HEAD_DECAYS,
        lambda: optax.masked(optimizers.adamw(0.1), {"embed": True, "body": True, "head": False}),
        "nothing in the optimizer adds a weight decay to head/bias",
    ),
    "of Optax": (HEAD_DECAYS, lambda: optax.adamw(0.1), "has a weight decay of its own: .* by other means"),
    "beside it": (
        HEAD_DECAYS,
        lambda: optax.chain(optax.add_decayed_weights(0.1), optimizers.adamw(0.1)),
        r"has a weight decay of its own: .* Give it jaxlr.add_weight_decay for weight_decays\['head/\*'\]",
    ),
    "sam": (HEAD_DECAYS, lambda: optax.contrib.sam(optimizers.adamw(0.1), optax.sgd(0.1)), "put the groups inside it"),
    "two": (
        HEAD_DECAYS,
        lambda: optax.chain(add_weight_decay(0.1), optimizers.adamw(0.1)),
        "has 2 weight decays of head",
    ),
    "behind the rate": (
        HEAD_DECAYS,
        lambda: optax.chain(optimizers.adam(0.1), add_weight_decay(-0.1)),
        r"add_weight_decay\(-0.1\), which is negative, can't have",
    ),
    "masked": (
        HEAD_DECAYS,
        lambda: optimizers.adamw(0.1, mask={"embed": True, "body": True, "head": False}),
        r"weight_decays\['head/\*'\] would be lost: no_decay, decay_from_rank or the optimizer's mask",
    ),
    "by rank": (
        ParameterGroups(weight_decays={"*/bias": 0.5}, decay_from_rank=2),
        lambda: optimizers.adamw(0.1),
        r"weight_decays\['\*/bias'\] would be lost",
    ),
    "no such": (
        ParameterGroups(weight_decays={"haed/*": 0.5}),
        lambda: optimizers.adamw(0.1),
        "in weight_decays matches no",
    ),
    "groups": (
        HEAD_DECAYS,
        lambda: HEAD_DECAYS.wrap(optimizers.adamw(0.1)),
        "weight_decays in two ParameterGroups, one around the other: put all patterns into one",
    ),
}


@pytest.mark.parametrize("case", CANNOT_DECAY)
def test_a_weight_decay_that_nothing_can_follow_is_refused_when_it_is_initialized(case):
    groups, make, match = CANNOT_DECAY[case]
    with pytest.raises(ValueError, match=match):
        groups.wrap(make()).init(PARAMS)


def test_links_that_share_the_parameters_by_masks_hear_of_the_group_each():
    by_kind = [jax.tree.map(lambda p, rank=rank: p.ndim == rank, PARAMS) for rank in (1, 2)]
    links = [add_weight_decay(0.25, mask=mask) for mask in by_kind]
    ones = jax.tree.map(jnp.ones_like, PARAMS)
    optimizer = HEAD_DECAYS.wrap(optax.chain(*links, jaxlr.scale_by_learning_rate(1.0)))
    got = after(optimizer, ones, jax.tree.map(jnp.zeros_like, ones), 1)
    assert [float(p.ravel()[0]) for p in jax.tree.leaves(got)] == [0.75] * 5 + [0.5] * 2


def test_what_depends_on_the_parameters_for_another_reason_may_say_so():
    trust = optax.chain(add_weight_decay(0.25), optax.scale_by_trust_ratio(), jaxlr.scale_by_learning_rate(1.0))
    with pytest.raises(ValueError, match="has a weight decay of its own"):
        HEAD_DECAYS.wrap(trust).init(PARAMS)
    state = HEAD_DECAYS.wrap(trust, own_decay=True).init(PARAMS)
    assert float(jaxlr.current_hyperparameters(state)["head/*/weight_decay"]) == 0.5


def test_a_state_of_other_weight_decays_is_refused_when_updated():
    inner = optimizers.sgd(0.1, weight_decay=0.3)
    with_own, without = HEAD_DECAYS.wrap(inner), ParameterGroups().wrap(inner)
    others = ParameterGroups(weight_decays={"body/*": 0.5}).wrap(inner)
    for optimizer, state in ((with_own, without), (without, with_own), (others, with_own)):
        with pytest.raises(ValueError, match="this state was made with other weight_decays of ParameterGroups"):
            optimizer.update(GRADIENTS, state.init(PARAMS), PARAMS)
    with pytest.raises(TypeError, match="weight_decay in the optimizer's state is a record"):
        with_own.update(GRADIENTS, optax.tree.set(with_own.init(PARAMS), weight_decay=0.5), PARAMS)


def test_a_weight_decay_that_was_compiled_apart_from_its_groups_is_refused():
    inner = optimizers.adamw(0.1)
    optimizer = HEAD_DECAYS.wrap(optax.GradientTransformation(inner.init, jax.jit(inner.update)))
    with pytest.raises(ValueError, match="was compiled on its own"):
        walk(optimizer)
