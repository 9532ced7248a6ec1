"""accumulate, around and inside whatever others wrap: the same steps as one update with the mean of the gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr

# Not weakly typed, as no parameter is after an update: one program then does for all updates.
PARAMS = {"kernel": jnp.full((2, 2), 1.5, jnp.float32), "bias": jnp.full(2, -0.5, jnp.float32)}
GRADIENTS = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)


def plain(optimizer):
    """A wrapper that passes no keywords on."""
    return optax.GradientTransformation(
        optimizer.init, lambda updates, state, params=None: optimizer.update(updates, state, params)
    )


def compiled(optimizer):
    """A wrapper whose program is compiled on its own, and once."""
    return optax.GradientTransformation(optimizer.init, jax.jit(optimizer.update))


def in_a_branch(optimizer):
    """A wrapper that runs the optimizer in a branch of `lax.cond`."""

    def update(updates, state, params=None):
        ready = jnp.all(jnp.isfinite(updates["bias"]))
        return jax.lax.cond(ready, lambda: optimizer.update(updates, state, params), lambda: (updates, state))

    return optax.GradientTransformation(optimizer.init, update)


def twice(optimizer):
    """A wrapper that makes two steps of half an update's time each."""

    def update(updates, state, params=None):
        first, state = optimizer.update(updates, state, params)
        second, state = optimizer.update(updates, state, optax.apply_updates(params, first))
        return jax.tree.map(jnp.add, first, second), state

    return optax.GradientTransformation(optimizer.init, update)


def noting(optimizer):
    """A wrapper that keeps a number of the state in a place of its own, where another was before."""

    def update(updates, state, params=None):
        updates, inner = optimizer.update(updates, state[0], params)
        return updates, (inner, jax.tree.leaves(inner)[0])

    return optax.GradientTransformation(lambda params: (optimizer.init(params), jnp.int32(-1)), update)


WRAPPERS = {
    "nothing": lambda optimizer: optimizer,
    "plain": plain,
    "compiled": compiled,
    "branch": in_a_branch,
    "twice": twice,
    "noting": noting,
    "complex": optax.contrib.split_real_and_imaginary,
    "masked": lambda optimizer: optax.masked(optimizer, {"kernel": True, "bias": False}),
    "partition": lambda optimizer: optax.partition({"a": optimizer, "b": jaxlr.sgd(0.1)}, {"kernel": "a", "bias": "b"}),
    "if finite": lambda optimizer: optax.apply_if_finite(optimizer, 3),
    "MultiSteps": lambda optimizer: optax.MultiSteps(optimizer, 1).gradient_transformation(),
    "accumulate": lambda optimizer: jaxlr.accumulate(optimizer, 1),
    "master weights": jaxlr.with_master_weights,
    "chain": lambda optimizer: optax.chain(jaxlr.clip_by_global_norm(1.0), optimizer, optax.scale(0.5)),
    "ema": lambda optimizer: optax.chain(optimizer, optax.ema(0.5)),
    "schedule free": lambda optimizer: optax.contrib.schedule_free(optimizer, 0.1),
    "sam": lambda optimizer: optax.contrib.sam(optimizer, jaxlr.sgd(0.05), sync_period=2),
    "noise": lambda optimizer: optax.chain(optimizer, optax.add_noise(0.1, 0.5, jax.random.key(0))),
}
OPTIMIZERS = {
    "adamw": lambda: jaxlr.adamw(jaxlr.cosine(0.1, 5), weight_decay=0.1),
    "sgd": lambda: jaxlr.sgd(0.1, momentum=lambda n: 0.5 + 0.1 * n),
    "optax": lambda: optax.adam(0.1),
}


def walk(optimizer, gradients, jit, **extra):
    """The parameters and the state after each update."""
    params, state = PARAMS, optimizer.init(PARAMS)
    update = jax.jit(optimizer.update) if jit else optimizer.update
    path, states = [], []
    for gradient in gradients:
        updates, state = update(
            {"kernel": jnp.full((2, 2), gradient[0]), "bias": jnp.asarray(gradient)}, state, params, **extra
        )
        params = optax.apply_updates(params, updates)
        path.append(params)
        states.append(state)
    return path, states


def assert_close(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6), one, other)


CASES = [("adamw", wrap, True) for wrap in WRAPPERS]
CASES += [(make, wrap, True) for make in ("sgd", "optax") for wrap in ("nothing", "plain", "master weights")]
CASES += [("adamw", wrap, False) for wrap in ("compiled", "branch")]


@pytest.mark.parametrize(("make", "wrap", "jit"), CASES)
def test_two_micro_steps_are_one_update_of_their_mean(make, wrap, jit):
    # Two of them, so that nothing was compiled for the other.
    optimizer, alone = WRAPPERS[wrap](OPTIMIZERS[make]()), WRAPPERS[wrap](OPTIMIZERS[make]())
    means = GRADIENTS.reshape(6, 2, 2).mean(1)
    expected, states = walk(optax.with_extra_args_support(alone), means, jit=False)
    path, accumulated = walk(jaxlr.accumulate(optimizer, 2), GRADIENTS, jit)
    assert_close(path[1::2], expected)
    assert_close(path[0::2], [PARAMS, *expected[:-1]])
    states = jax.tree.map(number, [optimizer.init(PARAMS), *states])
    inner = [jax.tree.map(number, state.inner_state) for state in accumulated]
    assert_close(inner[1::2], states[1:])
    assert_close(inner[0::2], states[:-1])


def number(leaf):
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


@pytest.mark.parametrize("every", [(2, 3), (3, 2)])
def test_accumulate_in_accumulate_is_as_many_as_their_product(every):
    inner, outer = every
    path, states = walk(jaxlr.accumulate(jaxlr.accumulate(jaxlr.adam(0.1), inner), outer), GRADIENTS, jit=True)
    expected, _ = walk(jaxlr.adam(0.1), GRADIENTS.reshape(2, 6, 2).mean(1), jit=True)
    assert_close(path[5::6], expected)
    assert int(states[-1].inner_state.count) == 2


@pytest.mark.parametrize("around", ["outside", "inside"])
def test_accumulated_master_weights_land_on_the_rounded_copy(around):
    params = {"w": jnp.asarray(np.random.default_rng(1).normal(size=1000), jnp.bfloat16)}
    inner = jaxlr.sgd(1.0, 0.9)
    optimizer = (
        jaxlr.accumulate(jaxlr.with_master_weights(inner), 2)
        if around == "outside"
        else jaxlr.with_master_weights(jaxlr.accumulate(inner, 2))
    )
    state = optimizer.init(params)
    for k in range(6):
        gradient = {"w": jnp.asarray(np.random.default_rng(k).normal(size=1000) / 30, jnp.bfloat16)}
        updates, state = jax.jit(optimizer.update)(gradient, state, params)
        params = optax.apply_updates(params, updates)
    master = (state.inner_state if around == "outside" else state).master["w"]
    np.testing.assert_array_equal(params["w"], master.astype(jnp.bfloat16))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize(
    "wrap", [lambda o: jaxlr.accumulate(o, 2), jaxlr.transforms.in_float32, jaxlr.with_master_weights]
)
@pytest.mark.parametrize("make", [lambda: optax.adamw(0.1), lambda: optax.sgd(0.1, 0.9), lambda: jaxlr.adamw(0.1)])
def test_the_dtypes_of_a_state_never_change(make, wrap, dtype):
    optimizer = wrap(make())
    params = jax.tree.map(lambda p: p.astype(dtype), PARAMS)
    state = optimizer.init(params)
    after = jax.eval_shape(optimizer.update, params, state, params)[1]
    assert jax.tree.map(lambda leaf: leaf.dtype, state) == jax.tree.map(lambda leaf: leaf.dtype, after)


def test_micro_steps_are_weighted_and_values_averaged():
    rule = jaxlr.reduce_on_plateau(0.1, factor=0.5, patience=0)
    optimizer = jaxlr.accumulate(jaxlr.sgd(rule), 2)
    state = optimizer.init(jnp.zeros(1))
    for gradient, weight, value in [(1.0, 3, 4.0), (5.0, 1, 8.0), (1.0, 1, 5.0), (1.0, 1, 6.0)]:
        updates, state = optimizer.update(jnp.array([gradient]), state, weight=weight, value=value)
        if weight == 1 and gradient == 5.0:
            np.testing.assert_allclose(updates, [-0.1 * (3 * 1.0 + 5.0) / 4], rtol=1e-6)
    watched = state.inner_state[-1].rule
    assert float(watched.best) == (3 * 4.0 + 8.0) / 4  # the second window's mean, 5.5, is no improvement
    np.testing.assert_allclose(jaxlr.current_learning_rate(state), 0.05, rtol=1e-6)


def test_a_partial_window_is_flushed_on_request():
    optimizer = jaxlr.accumulate(jaxlr.sgd(1.0), 4)
    state = optimizer.init(jnp.zeros(1))
    steps = []
    for gradient, flush in [(1.0, False), (2.0, True), (3.0, False), (5.0, jnp.asarray(True))]:
        updates, state = jax.jit(optimizer.update)(jnp.array([gradient]), state, flush=flush)
        steps.append(float(updates[0]))
    assert steps == [0.0, -1.5, 0.0, -4.0]
    assert [int(state.count), int(state.micro_step)] == [2, 0]


def test_the_length_of_a_window_may_follow_the_updates():
    optimizer = jaxlr.accumulate(jaxlr.sgd(1.0), lambda n: 1 + n)
    state = optimizer.init(jnp.zeros(1))
    steps = []
    for gradient in [1.0, 2.0, 4.0, 3.0, 3.0, 6.0]:
        updates, state = jax.jit(optimizer.update)(jnp.array([gradient]), state)
        steps.append(float(updates[0]))
    assert steps == [-1.0, 0.0, -3.0, 0.0, 0.0, -4.0]


MASTER = jaxlr.with_master_weights(jaxlr.adamw(0.1))
CHAIN = optax.chain(MASTER, optax.scale(0.5))


@pytest.mark.parametrize(
    ("optimizer", "behind"),
    [
        (CHAIN, 1),
        (optax.named_chain(("inner", MASTER), ("clip", optax.clip(1.0)), ("none", optax.identity())), 2),
        (optax.chain(optax.masked(MASTER, True), optax.scale(0.5)), 1),
        (optax.chain(optax.chain(optax.clip(1.0), MASTER), optax.scale(0.5)), 1),
        (optax.chain(jaxlr.accumulate(MASTER, 2), optax.scale(0.5)), 1),
        (optax.chain(optax.partition({"all": MASTER}, "all"), optax.scale(0.5)), 1),
        (optax.apply_if_finite(CHAIN, 3), 1),
        (optax.MultiSteps(CHAIN, 2), 1),
        (optax.chain(jaxlr.with_master_weights(CHAIN)), 1),
        (optax.chain(optax.named_chain(("last", MASTER)), optax.scale(0.5)), 1),
        (optax.named_chain(("inner", optax.chain(MASTER)), ("scale", optax.scale(0.5))), 1),
    ],
)
@pytest.mark.parametrize("way", [lambda init: init, jax.jit, lambda init: functools.partial(jax.eval_shape, init)])
def test_a_link_behind_master_weights_is_refused(optimizer, behind, way):
    said = f"with_master_weights must come last in a chain, got {behind} link"
    with pytest.raises(ValueError, match=said):
        way(optimizer.init)({"w": jnp.ones(3, jnp.bfloat16)})


@pytest.mark.parametrize(
    "optimizer",
    [
        optax.chain(optax.clip(1.0), MASTER),
        optax.named_chain(("clip", optax.clip(1.0)), ("last", optax.chain(MASTER))),
        jaxlr.with_master_weights(optax.chain(jaxlr.adamw(0.1), optax.scale(0.5))),
    ],
)
def test_master_weights_that_come_last_are_not(optimizer):
    optimizer.init({"w": jnp.ones(3, jnp.bfloat16)})


CONDITIONS = {
    "apply_if_finite": lambda o: optax.apply_if_finite(o, 3),
    "conditionally_mask": lambda o: optax.conditionally_mask(o, lambda step: (step != 3) & (step < 7)),
    "apply_if_finite in groups": lambda o: jaxlr.ParameterGroups(rates={"w": 1.0}).wrap(optax.apply_if_finite(o, 3)),
    "accumulate": lambda o: jaxlr.accumulate(optax.apply_if_finite(o, 3), 1),
    "around accumulate": lambda o: optax.apply_if_finite(jaxlr.accumulate(o, 1), 3),
    "guard": lambda o: jaxlr.guard(o, least=100),
}


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("wrap", CONDITIONS.values(), ids=CONDITIONS)
def test_master_weights_in_a_condition_are_those_outside(wrap, dtype):
    random = np.random.default_rng(4)
    left_out = (3, 7, 8)
    start = np.concatenate([random.normal(size=30), 1e-3 * random.normal(size=30), [1e-6, 3.0]])
    gradients = jnp.asarray(random.normal(size=(9, 62)), dtype)

    def walk(optimizer, steps):
        """The copies bit for bit, and the parameters, which follow them within the rounding of an update."""
        params = {"w": jnp.asarray(start, dtype), "b": jnp.ones(1)}
        state = optimizer.init(params)
        update = jax.jit(optimizer.update)
        for k in steps:
            bad = jnp.nan if k in left_out else 0.0
            updates, state = update({"w": gradients[k].at[2].add(bad), "b": jnp.ones(1)}, state, params)
            params = optax.apply_updates(params, updates)
        return optax.tree.get(state, "master")["w"], params["w"]

    inner = jaxlr.with_master_weights(jaxlr.sgd(0.3, weight_decay=0.1))
    alone, rounded = walk(inner, [k for k in range(9) if k not in left_out])
    copy, params = walk(wrap(inner), range(9))
    np.testing.assert_array_equal(copy, alone)
    steps = 0.3 * np.abs(np.asarray(gradients, np.float64)).max()
    limit = steps * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.float64(params), np.float64(rounded), rtol=0, atol=limit)


def test_master_weights_in_a_condition_follow_what_moves_the_parameters():
    optimizer = optax.apply_if_finite(jaxlr.with_master_weights(jaxlr.sgd(2.0**-10)), 3)
    params = {"w": jnp.ones(2, jnp.bfloat16)}
    state = optimizer.init(params)
    for expected in (1.0 - 2.0**-10, 1.0 - 2.0**-9):  # both are 1 in bfloat16
        updates, state = optimizer.update(params, state, params)
        np.testing.assert_array_equal(optax.tree.get(state, "master")["w"], np.full(2, expected))
        params = optax.apply_updates(params, updates)
    _, state = optimizer.update(params, state, {"w": jnp.array([0.5, 1.0], jnp.bfloat16)})
    np.testing.assert_array_equal(optax.tree.get(state, "master")["w"], [0.5 - 2.0**-10, 1.0 - 3 * 2.0**-10])
