"""The recorded rate: where it can be read and set, and that it is exact."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState

import jaxlr
from jaxlr import optimizers
from jaxlr.transforms import (
    ScaleByLearningRateState,
    accumulate,
    add_weight_decay,
    current_hyperparameters,
    current_learning_rate,
    learning_rates,
    scale_by_adam,
    scale_by_learning_rate,
    scale_by_momentum,
    scale_by_rmsprop,
    set_learning_rate,
)

RATES = np.array([0.1, 0.07, 0.03, 0.01, 0.003], np.float32)


def schedule(count):
    return jnp.asarray(RATES)[count]


def params_and_gradients():
    params = {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}
    return params, jax.tree.map(lambda p: jnp.full_like(p, 0.5), params)


CONTAINERS = {
    "bare": lambda link: link,
    "chain": lambda link: optax.chain(optax.clip_by_global_norm(1.0), optax.chain(optax.scale_by_adam(), link)),
    "masked": lambda link: optax.masked(link, {"kernel": True, "bias": False}),
    "partition": lambda link: optax.partition({"a": link, "b": optax.set_to_zero()}, {"kernel": "a", "bias": "b"}),
    "apply_if_finite": lambda link: optax.apply_if_finite(link, 5),
    "MultiSteps": lambda link: optax.MultiSteps(link, 1),
    "MultiSteps as a transformation": lambda link: optax.MultiSteps(link, 1).gradient_transformation(),
    "all": lambda link: optax.MultiSteps(
        optax.apply_if_finite(optax.chain(optax.masked(optax.trace(0.9), True), link), 3), 1
    ),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_rate_is_that_of_the_last_update_through_every_container(container):
    params, gradients = params_and_gradients()
    optimizer = container(scale_by_learning_rate(schedule))
    state = optimizer.init(params)
    assert current_learning_rate(state) == RATES[0]
    update = jax.jit(optimizer.update)
    for count in range(4):
        _, state = update(gradients, state, params)
        rate = current_learning_rate(state)
        assert rate.dtype == jnp.float32
        assert rate.shape == ()
        assert rate == RATES[count]


def test_rate_is_read_from_a_train_state():
    params, gradients = params_and_gradients()
    optimizer = optax.chain(optax.scale_by_adam(), scale_by_learning_rate(schedule))
    state = TrainState.create(apply_fn=nn.Dense(2).apply, params=params, tx=optimizer)
    step = jax.jit(lambda s: s.apply_gradients(grads=gradients))
    for count in range(3):
        state = step(state)
        assert current_learning_rate(state) == RATES[count]


def test_rate_is_read_from_an_nnx_optimizer_inside_and_outside_jit():
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(
        model, optax.chain(optax.scale_by_adam(), scale_by_learning_rate(schedule)), wrt=nnx.Param
    )

    @nnx.jit
    def step(model, optimizer):
        gradients = nnx.grad(lambda m: (m(jnp.ones((1, 3))) ** 2).mean())(model)
        optimizer.update(model, gradients)
        return current_learning_rate(optimizer)

    assert current_learning_rate(optimizer) == RATES[0]
    for count in range(3):
        assert step(model, optimizer) == RATES[count]
        assert current_learning_rate(optimizer) == RATES[count]


def test_rate_is_read_inside_jit_and_in_a_dictionary_of_things():
    params, _ = params_and_gradients()
    state = {"params": params, "opt_state": scale_by_learning_rate(0.25).init(params)}
    assert jax.jit(current_learning_rate)(state) == 0.25


def test_several_rates_are_listed():
    params, _ = params_and_gradients()
    groups = {"head": scale_by_learning_rate(0.5), "body": scale_by_learning_rate(0.125)}
    state = optax.partition(groups, {"kernel": "body", "bias": "head"}).init(params)
    assert {label: float(rate) for label, rate in learning_rates(state).items()} == {"head": 0.5, "body": 0.125}
    with pytest.raises(ValueError, match=r"(?=.*head: 0\.5)(?=.*body: 0\.125)"):
        current_learning_rate(state)
    with pytest.raises(ValueError, match=r"inside jit, read them with jaxlr\.learning_rates"):
        jax.jit(current_learning_rate)(state)


def test_several_equal_rates_are_one():
    params, _ = params_and_gradients()
    groups = {"head": scale_by_learning_rate(0.5), "body": scale_by_learning_rate(lambda count: 0.5)}
    state = optax.partition(groups, {"kernel": "body", "bias": "head"}).init(params)
    assert current_learning_rate(state) == 0.5


def test_paths_name_the_rates_without_a_label():
    params, _ = params_and_gradients()
    state = optax.chain(optax.scale_by_adam(), scale_by_learning_rate(0.5)).init(params)
    assert list(learning_rates(state)) == ["1"]
    assert list(learning_rates(scale_by_learning_rate(0.5).init(params))) == ["."]
    label_twice = optax.partition({"a": optax.chain(scale_by_learning_rate(0.5), scale_by_learning_rate(0.25))}, "a")
    assert sorted(float(rate) for rate in learning_rates(label_twice.init(params)).values()) == [0.25, 0.5]


def test_no_rate_says_how_to_record_one():
    params, _ = params_and_gradients()
    with pytest.raises(ValueError, match=r"end the chain with jaxlr\.scale_by_learning_rate"):
        current_learning_rate(optax.adam(0.1).init(params))


def test_accumulation_counts_updates_not_micro_batches():
    params, gradients = params_and_gradients()
    optimizer = optax.MultiSteps(scale_by_learning_rate(schedule), 3)
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    seen = []
    for _ in range(9):
        _, state = update(gradients, state, params)
        seen.append(np.asarray(current_learning_rate(state)))
    np.testing.assert_array_equal(seen, RATES[[0, 0, 0, 0, 0, 1, 1, 1, 2]])


def test_a_skipped_update_does_not_advance_the_schedule():
    params, gradients = params_and_gradients()
    optimizer = optax.apply_if_finite(scale_by_learning_rate(schedule), 5)
    state = optimizer.init(params)
    bad = jax.tree.map(lambda g: g * jnp.nan, gradients)
    for gradient, expected in [(gradients, 0), (bad, 0), (bad, 0), (gradients, 1), (gradients, 2)]:
        _, state = optimizer.update(gradient, state, params)
        assert current_learning_rate(state) == RATES[expected]


def test_state_structure_is_the_same_for_a_number_and_a_schedule():
    params, _ = params_and_gradients()

    def description(learning_rate):
        state = scale_by_learning_rate(learning_rate).init(params)
        return jax.tree.structure(state), [(leaf.dtype, leaf.shape, leaf.weak_type) for leaf in jax.tree.leaves(state)]

    expected = description(0.1)
    assert not any(weak for _, _, weak in expected[1])
    numbers = [
        schedule,
        1,
        np.float64(0.1),
        jnp.bfloat16(0.5),
        lambda n: 0.1 / (1 + n),
        optax.linear_schedule(1.0, 0.0, 5),
    ]
    for learning_rate in numbers:
        assert description(learning_rate) == expected


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_rate_is_float32_and_exact_whatever_the_updates_are(dtype):
    def warmup(count):
        return count.astype(jnp.float32) * jnp.float32(1e-3 / 10_000)

    link = scale_by_learning_rate(warmup)
    state = link.init(jnp.ones(3, dtype))._replace(count=jnp.int32(9990))
    updates, state = jax.jit(link.update)(jnp.ones(3, dtype), state)
    rate = np.float32(9990) * np.float32(1e-3 / 10_000)
    assert state.learning_rate.dtype == jnp.float32
    assert state.learning_rate == rate
    assert updates.dtype == dtype
    np.testing.assert_array_equal(updates, jnp.full(3, -rate).astype(dtype))


def test_a_traced_rate_changes_without_a_retrace():
    traces = []

    @jax.jit
    def step(rate, state, gradients):
        traces.append(None)
        return scale_by_learning_rate(rate).update(gradients, state)

    state = scale_by_learning_rate(0.5).init(jnp.ones(2))
    for rate in (0.5, 0.25, 0.125):
        updates, state = step(rate, state, jnp.ones(2))
        assert current_learning_rate(state) == rate
        np.testing.assert_array_equal(updates, [-rate, -rate])
    assert len(traces) == 1


def test_a_schedule_is_an_argument_of_the_jitted_step():
    traces = []

    @jax.jit
    def step(rate, momentum, state, gradients):
        traces.append(None)
        return optimizers.sgd(rate, momentum=momentum).update(gradients, state)

    for peak in (0.5, 0.25):
        rate = jaxlr.one_cycle(peak, 10)
        momentum = jaxlr.one_cycle_momentum(10)
        state = optimizers.sgd(rate, momentum=momentum).init(jnp.ones(2))
        for count in range(10):
            _, state = step(rate, momentum, state, jnp.ones(2))
            assert current_learning_rate(state) == rate(count)
            assert current_hyperparameters(state)["momentum"] == momentum(count)
    assert len(traces) == 1


def test_rates_are_swept_by_vmap():
    def one(rate):
        link = scale_by_learning_rate(rate)
        updates, state = link.update(jnp.ones(2), link.init(jnp.ones(2)))
        return updates, current_learning_rate(state)

    rates = jnp.array([0.5, 0.25])
    updates, recorded = jax.vmap(one)(rates)
    np.testing.assert_array_equal(recorded, rates)
    np.testing.assert_array_equal(updates, -jnp.stack([rates, rates], axis=1))


def test_count_stops_at_its_largest_value():
    state = scale_by_learning_rate(0.5).init(jnp.ones(2))._replace(count=jnp.int32(2**31 - 1))
    _, state = scale_by_learning_rate(0.5).update(jnp.ones(2), state)
    assert state.count == 2**31 - 1
    assert state.count.dtype == jnp.int32


def test_donating_the_state_leaves_the_callers_rate_alone():
    rate = jnp.float32(0.5)
    link = scale_by_learning_rate(rate)
    state = link.init(jnp.ones(2))
    jax.jit(link.update, donate_argnums=1)(jnp.ones(2), state)
    assert rate == 0.5
    constant = accumulate(scale_by_learning_rate(lambda count: rate), 2)
    jax.jit(constant.update, donate_argnums=1)(jnp.ones(2), constant.init(jnp.ones(2)))
    assert rate == 0.5


WRONG = {
    "negative": (-0.5, ValueError, r"learning_rate must be finite and at least 0, got -0\.5"),
    "nan": (float("nan"), ValueError, "learning_rate must be finite and at least 0, got nan"),
    "infinite": (float("inf"), ValueError, "learning_rate must be finite and at least 0, got inf"),
    "a word": ("0.1", TypeError, "learning_rate must be a.* number, got '0.1'"),
    "none": (None, TypeError, "learning_rate must be a real number, got None"),
    "a flag": (True, TypeError, "learning_rate must be a real number, got True"),
    "several": (np.ones(3), TypeError, r"learning_rate must be one number, got an array of shape \(3,\)"),
    "a mask": (lambda params: jax.tree.map(lambda p: True, {"w": params}), TypeError, "schedule of the update count"),
    "a mask of one": (
        lambda params: jnp.ndim(params) > 1,
        TypeError,
        "must be a real number, got False .a mask goes to",
    ),
}


@pytest.mark.parametrize(("learning_rate", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_rate_is_named(learning_rate, error, message):
    with pytest.raises(error, match=message):
        scale_by_learning_rate(learning_rate).init(jnp.ones(2))


def test_state_names_what_it_records():
    assert ScaleByLearningRateState._fields[:2] == ("count", "learning_rate")


# Setting the rate


def stepper(optimizer, params, gradients):
    """A jitted update, and the list that grows with each trace of it."""
    traces = []

    @jax.jit
    def step(state):
        traces.append(None)
        return optimizer.update(gradients, state, params)[1]

    return step, traces


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_a_rate_set_by_hand_stays_until_it_is_given_back(container):
    params, gradients = params_and_gradients()
    optimizer = container(scale_by_learning_rate(schedule))
    step, traces = stepper(optimizer, params, gradients)
    state = optimizer.init(params)
    before = [(leaf.dtype, leaf.shape, leaf.weak_type) for leaf in jax.tree.leaves(state)]
    seen = []
    for value in (0.5, "keep", None, "keep"):
        state = state if value == "keep" else set_learning_rate(state, value)
        assert [(leaf.dtype, leaf.shape, leaf.weak_type) for leaf in jax.tree.leaves(state)] == before
        state = step(state)
        seen.append(np.asarray(current_learning_rate(state)))
    np.testing.assert_array_equal(seen, np.array([0.5, 0.5, RATES[2], RATES[3]], np.float32))
    assert len(traces) == 1


def test_the_set_rate_is_the_one_applied():
    link = scale_by_learning_rate(schedule)
    updates, _ = link.update(jnp.ones(2), set_learning_rate(link.init(jnp.ones(2)), 0.25))
    np.testing.assert_array_equal(updates, [-0.25, -0.25])


@pytest.mark.parametrize("rate", [0.5, np.float32(0.5), jnp.float32(0.5)], ids=["Python", "NumPy", "jax"])
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_a_rate_written_over_the_record_stands_as_if_set(container, rate):
    params, gradients = params_and_gradients()
    optimizer = container(scale_by_learning_rate(schedule))
    state = optimizer.update(gradients, optimizer.init(params), params)[1]
    written = optax.tree.set(state, learning_rate=rate)
    assert current_learning_rate(written) == 0.5
    for step in (optimizer.update, jax.jit(optimizer.update)):
        expected, _ = step(gradients, set_learning_rate(state, 0.5), params)
        updates, after = step(gradients, written, params)
        jax.tree.map(np.testing.assert_array_equal, updates, expected)
        assert current_learning_rate(step(gradients, after, params)[1]) == 0.5  # and stays
        assert current_learning_rate(set_learning_rate(after, None)) == RATES[1]
    assert current_learning_rate(set_learning_rate(written, factor=0.5)) == 0.25
    halved = optax.tree.set(set_learning_rate(state, factor=0.5), learning_rate=rate)  # what is written is the rate
    assert current_learning_rate(optimizer.update(gradients, halved, params)[1]) == 0.5


@pytest.mark.parametrize("step", [lambda update: update, jax.jit], ids=["eager", "jit"])
def test_a_rate_written_over_the_record_stays_where_the_schedule_comes_by_it(step):
    link = scale_by_learning_rate(jaxlr.linear(1.0, 0.0, 8))
    update = step(link.update)
    state = optax.tree.set(link.init(jnp.ones(1)), learning_rate=0.75)
    for _ in range(4):  # the schedule's third rate is 0.75 as well
        updates, state = update(jnp.ones(1), state)
        np.testing.assert_array_equal(updates, [-0.75])
    halved = update(jnp.ones(1), set_learning_rate(state, factor=0.5))[0]
    np.testing.assert_array_equal(halved, [-0.375])
    by_schedule = update(jnp.ones(1), set_learning_rate(state, None))[0]
    np.testing.assert_array_equal(by_schedule, [-0.5])
    over = update(jnp.ones(1), optax.tree.set(state, learning_rate=jnp.float32(0.125)))[0]
    np.testing.assert_array_equal(over, [-0.125])


@pytest.mark.parametrize("shown", [(), (3.0, 3.0)], ids=["before a metric", "after metrics"])
def test_a_rate_written_over_that_of_a_rule_is_where_it_goes_on_from(shown):
    link = scale_by_learning_rate(jaxlr.reduce_on_plateau(1.0, factor=0.5, patience=0))
    state = link.init(jnp.ones(1))
    for metric in shown:
        state = jaxlr.observe(state, metric)
    expected = set_learning_rate(state, 0.25)
    for rate in (link.update(jnp.ones(1), each)[0] for each in (expected, optax.tree.set(state, learning_rate=0.25))):
        np.testing.assert_array_equal(rate, [-0.25])
    after = jaxlr.observe(link.update(jnp.ones(1), optax.tree.set(state, learning_rate=0.25))[1], 9.0)
    wanted = jaxlr.observe(link.update(jnp.ones(1), expected)[1], 9.0)
    np.testing.assert_array_equal(*(link.update(jnp.ones(1), each)[0] for each in (after, wanted)))


def test_a_schedule_that_is_no_number_is_not_taken_for_a_rate_set_by_hand():
    link = scale_by_learning_rate(lambda n: jnp.where(n == 1, jnp.nan, 0.5))
    state = link.init(jnp.ones(1))
    for rate in (-0.5, np.nan, -0.5):
        updates, state = link.update(jnp.ones(1), state)
        np.testing.assert_array_equal(updates, [rate])


def test_a_dictionary_of_before_the_record_was_kept_twice_sets_nothing_by_hand():
    optimizer = optimizers.sgd(jaxlr.linear(1.0, 0.0, 4))
    state = optimizer.update(jnp.ones(1), optimizer.init(jnp.ones(1)))[1]
    saved = {name: each for name, each in jaxlr.state_dict(state).items() if not name.endswith("/written")}
    found, report = jaxlr.load_state_dict(optimizer.init(jnp.ones(1)), saved)
    assert not report.missing
    assert current_learning_rate(optimizer.update(jnp.ones(1), found)[1]) == 0.75


RECORDED = {
    "b1 of adam": (lambda: optimizers.adam(0.1), "b1"),
    "b1 of adamw": (lambda: optimizers.adamw(0.1), "b1"),
    "b1 of a schedule": (lambda: optimizers.adamw(0.1, b1=lambda count: 0.9 - 0.1 / (1 + count)), "b1"),
    "b2 of a schedule": (lambda: optimizers.adam(0.1, b2=lambda count: 0.99 - 0.1 / (1 + count)), "b2"),
    "weight_decay of adamw": (lambda: optimizers.adamw(0.1), "weight_decay"),
    "weight_decay of sgd": (lambda: optimizers.sgd(0.1, weight_decay=0.3), "weight_decay"),
    "corrected": (lambda: optimizers.adamw(0.1, coupling="corrected", peak=0.1), "weight_decay"),
    "momentum": (lambda: optimizers.sgd(0.1, 0.9), "momentum"),
    "momentum of rmsprop": (lambda: optimizers.rmsprop(0.1, momentum=0.9), "momentum"),
    "decay": (lambda: optimizers.rmsprop(0.1), "decay"),
    "accumulate": (lambda: jaxlr.accumulate(optimizers.adamw(0.1), 2), "b1"),
    "MultiSteps": (lambda: optax.MultiSteps(optimizers.adamw(0.1), 2), "b1"),
    "apply_if_finite": (lambda: optax.apply_if_finite(optimizers.adamw(0.1), 2), "b1"),
    "guard": (lambda: jaxlr.guard(optimizers.adamw(0.1)), "weight_decay"),
    "masked": (lambda: optax.masked(optimizers.adamw(0.1), True), "b1"),
    "partition": (lambda: optax.partition({"all": optimizers.adamw(0.1)}, "all"), "weight_decay"),
    "groups": (lambda: jaxlr.ParameterGroups({"*": 0.5}).wrap(optimizers.adamw(0.1)), "b1"),
    "weight decays of groups": (
        lambda: jaxlr.ParameterGroups(weight_decays={"*": 0.5}).wrap(optimizers.adamw(0.1)),
        "weight_decay",
    ),
    "master weights": (lambda: jaxlr.with_master_weights(optimizers.adamw(0.1)), "b1"),
    "small states": (lambda: jaxlr.small_states(optimizers.adamw(0.1), least_size=0), "b1"),
    "torch": (lambda: jaxlr.dialects.torch.NAdam(0.1), "b1"),
    "keras": (lambda: jaxlr.dialects.keras.Adamax(0.1), "b1"),
}
OVER_RECORDS = {
    "Python's": lambda _: 0.5,
    "an integer": lambda _: 1,
    "nothing": lambda _: None,
    "np.float64": lambda _: np.float64(0.5),
    "np.float32": lambda _: np.float32(0.5),
    "np.float16": lambda _: np.float16(0.5),
    "NumPy's array": lambda _: np.array(0.5, np.float32),
    "jnp.float32": lambda _: jnp.float32(0.5),
    "weak": lambda _: jnp.asarray(0.5),
    "one number": lambda _: jnp.full(1, 0.5),
    "its half": lambda old: 0.5 * jnp.asarray(old),
}


def scanned(update):
    """The same update as the body of a scan over one count."""

    def run(gradients, state, params):
        def body(carry, _):
            updates, new = update(gradients, carry[1], params)
            return (updates, new), None

        return jax.lax.scan(body, (gradients, state), None, 1)[0]

    return run


def over_all(update):
    """The same update of several at once."""

    def run(*of_one):
        many = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), of_one)
        return jax.tree.map(lambda leaf: leaf[0], jax.vmap(update)(*many))

    return run


@pytest.mark.parametrize("way", [lambda f: f, jax.jit, scanned, over_all], ids=["eager", "jit", "scan", "vmap"])
@pytest.mark.parametrize(("make", "name"), RECORDED.values(), ids=RECORDED)
def test_whatever_is_written_over_another_record_is_refused(make, name, way):
    optimizer, params = make(), {"w": jnp.ones(1)}
    state = optimizer.init(params)
    old = jax.tree.leaves([value for _, value in optax.tree.get_all_with_path(state, name)])[-1]
    for kind, written in OVER_RECORDS.items():
        changed = optax.tree.set(state, **{name: written(old)})
        with pytest.raises(TypeError, match=f"{name} in the optimizer's state is a record.*load_state_dict"):
            pytest.fail(f"{kind}: {way(optimizer.update)(params, changed, params)}")


def test_a_number_of_inject_hyperparams_is_written_by_its_path_alone():
    optimizer = optax.inject_hyperparams(jaxlr.adam)(0.1, b1=0.9)
    state = optimizer.init(jnp.ones(1))
    with pytest.raises(TypeError, match=r"b1 in the optimizer's state is a record.*write state\.hyperparams\['b1'\]"):
        optimizer.update(jnp.ones(1), optax.tree.set(state, b1=jnp.float32(0.5)), jnp.ones(1))
    state.hyperparams["b1"] = jnp.float32(0.5)
    _, state = optimizer.update(jnp.ones(1), state, jnp.ones(1))
    assert current_hyperparameters(state)["b1"] == 0.5 == optax.tree.get(state, "mu")[0]


@pytest.mark.parametrize("make", [optimizers.adamw, lambda rate: optimizers.sgd(rate, 0.9), optimizers.rmsprop])
def test_a_state_that_was_taken_out_of_several_on_the_host_is_a_state(make):
    optimizer = make(0.1)
    taken_out = jax.tree.map(lambda leaf: np.stack([leaf, leaf])[1], optimizer.init(jnp.ones(1)))
    optimizer.update(jnp.ones(1), taken_out, jnp.ones(1))


def test_a_record_is_read_as_the_number_that_it_is():
    state = optimizers.sgd(0.1, 0.75).init(jnp.ones(1))
    (momentum,) = (value for _, value in optax.tree.get_all_with_path(state, "momentum"))
    assert float(momentum) == 0.75 == momentum.recorded == jnp.asarray(momentum)[0]
    assert (momentum.recorded.shape, momentum.recorded.dtype, repr(momentum)) == ((), jnp.float32, "0.75")


def test_a_number_put_into_a_record_is_refused_where_it_is_none_of_a_state():
    optimizer = optimizers.sgd(0.1, 0.75)
    state = jax.tree.map(lambda leaf: 0.5 if leaf == 0.75 else leaf, optimizer.init(jnp.zeros(1)))
    with pytest.raises(TypeError, match="momentum in the optimizer's state is a record"):
        optimizer.update(jnp.ones(1), state, jnp.ones(1))


def test_what_is_set_is_said_at_once_and_what_is_given_back_too():
    link = scale_by_learning_rate(schedule)
    state = set_learning_rate(link.init(jnp.ones(2)), 0.25)
    assert current_learning_rate(state) == 0.25
    assert current_learning_rate(set_learning_rate(state, None)) == RATES[0]
    _, state = link.update(jnp.ones(2), link.init(jnp.ones(2)))
    state = set_learning_rate(state, 0.25)
    assert current_learning_rate(state) == 0.25
    assert current_learning_rate(set_learning_rate(state, None)) == RATES[0]
    halved = set_learning_rate(state, None, factor=0.5)
    assert current_learning_rate(halved) == 0.5 * RATES[0]
    updates, halved = link.update(jnp.ones(2), halved)
    assert -updates[0] == current_learning_rate(halved) == np.float32(0.5 * RATES[1])


def test_a_train_state_comes_back_with_the_new_rate_and_all_else_untouched():
    params, gradients = params_and_gradients()
    optimizer = optax.chain(optax.scale_by_adam(), scale_by_learning_rate(schedule))
    before = TrainState.create(apply_fn=nn.Dense(2).apply, params=params, tx=optimizer)
    after = set_learning_rate(before, 0.5)
    assert isinstance(after, TrainState)
    assert after.params["kernel"] is params["kernel"]
    assert current_learning_rate(after.apply_gradients(grads=gradients)) == 0.5
    assert current_learning_rate(before.apply_gradients(grads=gradients)) == RATES[0]


def test_an_nnx_optimizer_is_written_in_place():
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(
        model, optax.chain(optax.scale_by_adam(), scale_by_learning_rate(schedule)), wrt=nnx.Param
    )
    traces = []

    @nnx.jit
    def step(model, optimizer):
        traces.append(None)
        optimizer.update(model, nnx.grad(lambda m: (m(jnp.ones((1, 3))) ** 2).mean())(model))

    step(model, optimizer)
    for value, expected in [(0.5, 0.5), (0.25, 0.25), (None, RATES[3])]:
        assert set_learning_rate(optimizer, value) is optimizer
        step(model, optimizer)
        assert current_learning_rate(optimizer) == np.float32(expected)
    assert len(traces) == 1
    nnx.jit(lambda o, rate: set_learning_rate(o, rate) and None)(optimizer, 0.125)
    step(model, optimizer)
    assert current_learning_rate(optimizer) == 0.125


def test_one_group_is_set_and_the_others_are_not():
    params, gradients = params_and_gradients()
    groups = {"head": scale_by_learning_rate(0.5), "body": scale_by_learning_rate(0.125)}
    optimizer = optax.partition(groups, {"kernel": "body", "bias": "head"})
    state = set_learning_rate(optimizer.init(params), 0.25, group="head")
    _, state = optimizer.update(gradients, state, params)
    assert {label: float(rate) for label, rate in learning_rates(state).items()} == {"head": 0.25, "body": 0.125}
    with pytest.raises(ValueError, match=r"group must be one of .*'body'.*'head'.*, got 'haed'"):
        set_learning_rate(state, 0.25, group="haed")
    for path in ("0", "1"):
        chain = optax.chain(scale_by_learning_rate(0.5), scale_by_learning_rate(0.5))
        rates = learning_rates(set_learning_rate(chain.init(params), 0.25, group=path))
        assert rates[path] == 0.25
        assert sorted(map(float, rates.values())) == [0.25, 0.5]


def test_the_rate_is_set_inside_jit_and_scan():
    link = scale_by_learning_rate(schedule)

    def step(state, value):
        _, state = link.update(jnp.ones(1), set_learning_rate(state, value))
        return state, current_learning_rate(state)

    _, rates = jax.jit(lambda s, v: jax.lax.scan(step, s, v))(link.init(jnp.ones(1)), jnp.array([0.5, 0.25]))
    np.testing.assert_array_equal(rates, [0.5, 0.25])


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (-0.5, ValueError, r"value must be finite and at least 0, got -0\.5"),
        (float("nan"), ValueError, "value must be .* got nan"),
        (schedule, TypeError, "value must be a number, not a schedule"),
        ("0.1", TypeError, "value must be a real number, got '0.1'"),
    ],
    ids=["negative", "nan", "a schedule", "a word"],
)
def test_a_wrong_value_is_named(value, error, message):
    with pytest.raises(error, match=message):
        set_learning_rate(scale_by_learning_rate(0.5).init(jnp.ones(1)), value)


def test_setting_where_no_rate_is_recorded_says_how_to_record_one():
    with pytest.raises(ValueError, match=r"end the chain with jaxlr\.scale_by_learning_rate"):
        set_learning_rate(optax.adam(0.1).init(jnp.ones(1)), 0.5)


# The other hyperparameters


def test_scheduled_hyperparameters_are_read_like_the_rate():
    def down(count):
        return 0.75 - 0.125 * count

    params, gradients = params_and_gradients()
    optimizer = optax.chain(
        add_weight_decay(down),
        scale_by_rmsprop(down),
        scale_by_momentum(down),
        scale_by_adam(down),
        scale_by_learning_rate(0.5),
    )
    state = optimizer.init(params)
    names = {"weight_decay", "decay", "momentum", "b1"}
    assert {name: float(v) for name, v in current_hyperparameters(state).items()} == dict.fromkeys(names, 0.75)
    for count in range(3):
        _, state = jax.jit(optimizer.update)(gradients, state, params)
        read = current_hyperparameters(state)
        assert {name: float(value) for name, value in read.items()} == dict.fromkeys(names, down(count))
        assert {value.dtype for value in read.values()} == {jnp.dtype(jnp.float32)}


def test_hyperparameters_of_groups_have_their_label():
    params, _ = params_and_gradients()
    groups = {"head": optimizers.sgd(0.5, momentum=0.5), "body": optimizers.adamw(0.5, weight_decay=0.25)}
    state = optax.partition(
        {**groups, "x": optimizers.sgd(0.5, momentum=0.75)}, {"kernel": "body", "bias": "head"}
    ).init(params)
    read = {name: round(float(value), 6) for name, value in current_hyperparameters(state).items()}
    assert read == {"head/momentum": 0.5, "x/momentum": 0.75, "b1": 0.9, "weight_decay": 0.25}


def test_hyperparameters_of_an_nnx_optimizer_are_arrays():
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optimizers.sgd(0.5, momentum=0.5), wrt=nnx.Param)
    assert isinstance(current_hyperparameters(optimizer)["momentum"], jax.Array)


@pytest.mark.parametrize("function", [current_learning_rate, lambda x: set_learning_rate(x, 0.1)])
def test_an_optimizer_in_the_place_of_its_state_is_named(function):
    with pytest.raises(ValueError, match="this is an optimizer, which records nothing: give its state"):
        function(optimizers.adamw(0.1))
