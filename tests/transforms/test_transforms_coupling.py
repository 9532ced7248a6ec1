"""How weight decay follows the rate, and where it acts: each option beside its formula in NumPy's float64."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr import optimizers
from jaxlr.transforms import ParameterGroups, add_weight_decay, scale_by_adam, scale_by_learning_rate

UPDATES, PEAK, WEIGHT = 12, 0.25, 0.5
SCHEDULE = jaxlr.warmup(jaxlr.cosine(PEAK, UPDATES - 4), 4)
DRAW = np.random.default_rng(7)
FIRST = {"kernel": DRAW.normal(size=(4, 3)).astype(np.float32), "bias": DRAW.normal(size=3).astype(np.float32)}
GRADIENTS = [jax.tree.map(lambda p: DRAW.normal(size=p.shape).astype(np.float32), FIRST) for _ in range(UPDATES)]
MATRICES = {"kernel": True, "bias": False}
COUPLED = {"rate": {}, "independent": {"peak": PEAK}, "corrected": {"peak": PEAK}}
SHARES = {
    "rate": lambda rate, peak: rate,
    "independent": lambda rate, peak: rate / peak,
    "corrected": lambda rate, peak: rate**2 / peak,
}
BOTH = pytest.mark.parametrize("cautious", [False, True])
ALL = pytest.mark.parametrize("coupling", COUPLED)


def scheduled(count):
    """The rate, by its formula."""
    return PEAK * count / 4 if count < 4 else PEAK * (1 + np.cos(np.pi * (count - 4) / (UPDATES - 4))) / 2


def falling(count):
    """A schedule of the weight decay."""
    return WEIGHT * (1.0 - 0.05 * count)


def adam_steps(gradients, b1=0.9, b2=0.999, eps=1e-8):
    """What AdamW multiplies by the rate, beside the decay."""
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        yield (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)


def expected(name, coupling="rate", cautious=False, rate=scheduled, peak=PEAK, weight=lambda count: WEIGHT, steps=None):
    """A parameter's path, in float64."""
    p = FIRST[name].astype(np.float64)
    path, gradients = [], [each[name].astype(np.float64) for each in GRADIENTS]
    for count, u in enumerate(adam_steps(gradients) if steps is None else steps(gradients)):
        decays = u * p >= 0 if cautious else 1.0
        p = p - rate(count) * u - SHARES[coupling](rate(count), peak) * weight(count) * decays * p
        path.append(p)
    return np.stack(path)


def walk(optimizer, params=None, gradients=None):
    """The path of the parameters, and the last state."""
    params = jax.tree.map(jnp.asarray, FIRST) if params is None else params
    state, path = optimizer.init(params), []

    @jax.jit
    def step(params, state, gradient):
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    for gradient in GRADIENTS if gradients is None else gradients:
        params, state = step(params, state, gradient)
        path.append(params)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *path), state


def near(got, wanted):
    np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-6)


def options(coupling, cautious=False):
    return {"coupling": coupling, "cautious": cautious, **COUPLED[coupling]}


@ALL
@BOTH
def test_adamw_is_its_formula_under_warm_up_cosine_and_mask(coupling, cautious):
    optimizer = optimizers.adamw(SCHEDULE, weight_decay=WEIGHT, mask=MATRICES, **options(coupling, cautious))
    got, _ = walk(optimizer)
    near(got["kernel"], expected("kernel", coupling, cautious))
    near(got["bias"], expected("bias", weight=lambda count: 0.0))


@ALL
@BOTH
def test_a_chain_is_the_optimizer(coupling, cautious):
    """Its last link is that of the rate, or for "corrected" the one that stands for both."""
    chosen = options(coupling, cautious)
    if coupling == "corrected":
        chain = optax.chain(scale_by_adam(), add_weight_decay(WEIGHT, learning_rate=SCHEDULE, **chosen))
    else:
        chain = optax.chain(scale_by_adam(), add_weight_decay(WEIGHT, **chosen), scale_by_learning_rate(SCHEDULE))
    got, state = walk(chain)
    near(got["kernel"], expected("kernel", coupling, cautious))
    assert float(jaxlr.current_learning_rate(state)) == pytest.approx(scheduled(UPDATES - 1))


@ALL
@BOTH
def test_the_weight_decay_may_be_a_schedule_and_is_recorded_as_it_is_given(coupling, cautious):
    got, state = walk(optimizers.adamw(SCHEDULE, weight_decay=falling, **options(coupling, cautious)))
    near(got["kernel"], expected("kernel", coupling, cautious, weight=falling))
    recorded = jaxlr.transforms.current_hyperparameters(state)["weight_decay"]
    assert float(recorded) == pytest.approx(falling(UPDATES - 1))


@ALL
def test_no_option_changes_the_structure_of_the_state(coupling):
    params = jax.tree.map(jnp.asarray, FIRST)
    plain = optimizers.adamw(SCHEDULE).init(params)
    state = optimizers.adamw(SCHEDULE, **options(coupling, True)).init(params)
    assert jax.tree.structure(state) == jax.tree.structure(plain)
    shape = jax.eval_shape(lambda: optimizers.adamw(SCHEDULE, **options(coupling, True)).update(params, state, params))
    assert jax.tree.structure(shape[1]) == jax.tree.structure(plain)


def test_corrected_at_its_peak_is_the_plain_decay_to_the_last_bit():
    params = jax.tree.map(jnp.asarray, FIRST)
    steps = [
        each.update(GRADIENTS[0], each.init(params), params)[0]
        for each in (optimizers.adamw(0.3), optimizers.adamw(0.3, coupling="corrected", peak=0.3))
    ]
    jax.tree.map(np.testing.assert_array_equal, *steps)


@ALL
@BOTH
def test_sgd_climbs_and_descends_by_the_same_rule(coupling, cautious):
    def momentum(gradients):
        m = 0.0
        for count, g in enumerate(gradients):
            m = 0.5 * m + g if count else g
            yield m

    chosen = options(coupling, cautious)
    optimizer = optimizers.sgd(SCHEDULE, momentum=0.5, weight_decay=WEIGHT, decoupled=True, **chosen)
    got, _ = walk(optimizer)
    near(got["bias"], expected("bias", coupling, cautious, steps=momentum))
    climbing = jaxlr.transforms.assembly.assemble(
        [], SCHEDULE, weight_decay=WEIGHT, decoupled=True, maximize=True, **chosen
    )
    got, _ = walk(climbing)
    near(got["bias"], expected("bias", coupling, cautious, steps=lambda gradients: [-g for g in gradients]))


@ALL
@BOTH
def test_rmsprop_decays_beside_the_momentum_by_the_whole_step(coupling, cautious):
    chosen = options(coupling, cautious)
    optimizer = optimizers.rmsprop(SCHEDULE, momentum=0.5, weight_decay=WEIGHT, decoupled=True, **chosen)
    got, _ = walk(optimizer)
    p, v, m = FIRST["kernel"].astype(np.float64), 0.0, 0.0
    for count, each in enumerate(GRADIENTS):
        g, rate = each["kernel"].astype(np.float64), scheduled(count)
        v = 0.9 * v + 0.1 * g**2
        m = 0.5 * m + rate * g / np.sqrt(v + 1e-8)
        p = p - m - SHARES[coupling](rate, PEAK) * WEIGHT * (m * p >= 0 if cautious else 1.0) * p
        near(got["kernel"][count], p)


# Cautious


def test_cautious_decays_where_the_signs_agree_or_one_is_0():
    link = add_weight_decay(1.0, cautious=True)
    tiny = np.float32(1e-30)  # whose products are 0
    params = jnp.array([2.0, -2.0, 2.0, -2.0, 2.0, -tiny, 0.0])
    updates = jnp.array([1.0, 1.0, -1.0, -1.0, 0.0, tiny, 3.0])
    got, _ = link.update(updates, link.init(params), params)
    np.testing.assert_array_equal(got, np.float32([3.0, 1.0, -1.0, -3.0, 2.0, tiny, 3.0]))


def test_the_parts_of_a_complex_number_decay_on_their_own():
    link = add_weight_decay(1.0, cautious=True)
    params = jnp.array([2.0 - 3.0j])
    got, _ = link.update(jnp.array([1.0 + 1.0j]), link.init(params), params)
    assert got.tolist() == [3.0 + 1.0j]


# The rate that is read is that of the update


@pytest.mark.parametrize("coupling", ["independent", "corrected"])
def test_a_rate_that_is_set_by_hand_counts(coupling):
    params = {"p": jnp.array([8.0])}
    optimizer = optimizers.adamw(0.5, weight_decay=0.25, coupling=coupling, peak=0.5)
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = jaxlr.set_learning_rate(optimizer.init(params), 0.125)
    updates, state = optimizer.update(zeros, state, params)
    assert float(updates["p"][0]) == -SHARES[coupling](0.125, 0.5) * 0.25 * 8
    state = optax.tree.set(state, learning_rate=jnp.float32(0.25))  # written over the record
    updates, state = optimizer.update(zeros, state, params)
    assert float(updates["p"][0]) == -SHARES[coupling](0.25, 0.5) * 0.25 * 8
    state = jaxlr.set_learning_rate(state, None, factor=0.5)
    updates, _ = optimizer.update(zeros, state, params)
    assert float(updates["p"][0]) == -SHARES[coupling](0.25, 0.5) * 0.25 * 8


@pytest.mark.parametrize("coupling", ["independent", "corrected"])
def test_a_rate_under_a_rule_counts_in_the_update_that_shows_the_metric(coupling):
    rule = jaxlr.reduce_on_plateau(0.5, factor=0.5, patience=0)
    optimizer = optimizers.adamw(rule, weight_decay=0.25, coupling=coupling, peak=0.5)
    params = jnp.array([8.0])
    state = optimizer.init(params)
    rates = []
    for value in (1.0, 1.0, 1.0):
        updates, state = optimizer.update(jnp.zeros(1), state, params, value=value)
        rates.append(float(jaxlr.current_learning_rate(state)))
        assert float(updates[0]) == -SHARES[coupling](rates[-1], 0.5) * 0.25 * 8
    assert rates == [0.5, 0.25, 0.125]


def test_a_held_schedule_counts():
    optimizer = optimizers.adamw(jaxlr.held(jaxlr.constant(0.5)), weight_decay=0.25, coupling="corrected", peak=0.5)
    params = jnp.array([8.0])
    state = jaxlr.set_schedule(optimizer.init(params), jaxlr.constant(0.25))
    updates, _ = optimizer.update(jnp.zeros(1), state, params)
    assert float(updates[0]) == -0.125 * 0.25 * 8


# Groups


@ALL
@BOTH
def test_a_group_with_a_factor_has_its_own_rate_and_peak(coupling, cautious):
    groups = ParameterGroups(rates={"kernel": 2.0}, names={"kernel": "wide"})
    optimizer = groups.wrap(optimizers.adamw(SCHEDULE, weight_decay=WEIGHT, **options(coupling, cautious)))
    got, state = walk(optimizer)
    near(got["kernel"], expected("kernel", coupling, cautious, rate=lambda n: 2 * scheduled(n), peak=2 * PEAK))
    near(got["bias"], expected("bias", coupling, cautious))
    assert sorted(jaxlr.learning_rates(state)) == ["others", "wide"]


@pytest.mark.parametrize("coupling", ["independent", "corrected"])
def test_a_rate_set_for_a_group_counts(coupling):
    optimizer = ParameterGroups(rates={"a": 2.0}).wrap(
        optimizers.adamw(0.5, weight_decay=0.25, coupling=coupling, peak=0.5)
    )
    params = {"a": jnp.array([8.0]), "b": jnp.array([8.0])}
    state = jaxlr.set_learning_rate(optimizer.init(params), 0.25, group="a")
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, params), state, params)
    assert float(updates["a"][0]) == -SHARES[coupling](0.25, 1.0) * 2.0
    assert float(updates["b"][0]) == -SHARES[coupling](0.5, 0.5) * 2.0


@pytest.mark.parametrize("coupling", ["independent", "corrected"])
def test_what_stands_still_does_not_decay(coupling):
    groups = ParameterGroups(rates={"a": 0.0}, frozen={"b": 3})
    optimizer = groups.wrap(optimizers.adamw(0.5, coupling=coupling, peak=0.5))
    params = {name: jnp.array([8.0]) for name in "abc"}
    updates, _ = optimizer.update(jax.tree.map(jnp.ones_like, params), optimizer.init(params), params)
    assert [float(updates[name][0]) == 0.0 for name in "abc"] == [True, True, False]


@pytest.mark.parametrize("coupling", ["independent", "corrected"])
def test_a_factor_may_be_traced(coupling):
    params = {"a": jnp.array([8.0]), "b": jnp.array([8.0])}

    @jax.jit
    def decayed(factor, peak):
        optimizer = optimizers.adamw(0.5, weight_decay=0.25, coupling=coupling, peak=peak)
        optimizer = ParameterGroups(rates={"a": factor}).wrap(optimizer)
        return optimizer.update(jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params)[0]

    for factor in (0.0, 2.0):
        updates = decayed(factor, 0.5)
        assert float(updates["a"][0]) == (-SHARES[coupling](1.0, 1.0) * 2.0 if factor else 0.0)
        assert float(updates["b"][0]) == -SHARES[coupling](0.5, 0.5) * 2.0


@pytest.mark.parametrize("coupling", ["independent", "corrected"])
def test_a_group_that_decays_with_a_schedule_of_its_own_is_refused(coupling):
    params, own = jax.tree.map(jnp.asarray, FIRST), {"bias": jaxlr.constant(0.5)}
    optimizer = optimizers.adamw(SCHEDULE, weight_decay=WEIGHT, coupling=coupling, peak=PEAK)
    with pytest.raises(ValueError, match=r"the group 'bias' has a schedule of its own, whose peak is not known"):
        ParameterGroups(rates=own).wrap(optimizer).init(params)
    got, _ = walk(ParameterGroups(rates=own, no_decay=["bias"]).wrap(optimizer))
    near(got["kernel"], expected("kernel", coupling))
    near(got["bias"], expected("bias", rate=lambda count: 0.5, weight=lambda count: 0.0))
    got, _ = walk(ParameterGroups(rates=own).wrap(optimizers.adamw(SCHEDULE, weight_decay=WEIGHT, cautious=True)))
    near(got["bias"], expected("bias", cautious=True, rate=lambda count: 0.5))


@ALL
def test_partition_and_mask_leave_parameters_out(coupling):
    parts = {
        "kernel": optimizers.adamw(SCHEDULE, weight_decay=WEIGHT, **options(coupling, True)),
        "bias": optax.set_to_zero(),
    }
    got, _ = walk(optax.partition(parts, {"kernel": "kernel", "bias": "bias"}))
    near(got["kernel"], expected("kernel", coupling, True))
    np.testing.assert_array_equal(got["bias"][-1], FIRST["bias"])


# Wrappers


@ALL
@BOTH
def test_accumulated_updates_are_those_of_the_means(coupling, cautious):
    optimizer = jaxlr.accumulate(optimizers.adamw(SCHEDULE, weight_decay=WEIGHT, **options(coupling, cautious)), 2)
    halves = [jax.tree.map(lambda g, s=sign: g + s * 0.5, each) for each in GRADIENTS for sign in (-1, 1)]
    got, state = walk(optimizer, gradients=halves)
    near(got["kernel"][1::2], expected("kernel", coupling, cautious))
    np.testing.assert_array_equal(got["kernel"][2::2], got["kernel"][1:-1:2])
    assert int(jaxlr.update_count(state)) == UPDATES


@ALL
@BOTH
def test_master_weights_decay_from_their_own_values(coupling, cautious):
    narrow = jax.tree.map(lambda p: jnp.asarray(p, jnp.bfloat16), FIRST)
    optimizer = optimizers.adamw(SCHEDULE, weight_decay=WEIGHT, **options(coupling, cautious))
    got, state = walk(jaxlr.with_master_weights(optimizer), narrow)
    wide, _ = walk(optimizer, jax.tree.map(lambda p: p.astype(jnp.float32), narrow))
    np.testing.assert_allclose(state.master["kernel"], wide["kernel"][-1], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(got["kernel"][-1], state.master["kernel"].astype(jnp.bfloat16))


@ALL
def test_bfloat16_is_rounded_once(coupling):
    params = jnp.ones(1, jnp.bfloat16)
    chosen = options(coupling)
    optimizer = optimizers.sgd(PEAK, weight_decay=0.006, decoupled=True, **chosen)
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    assert updates.dtype == jnp.bfloat16
    assert updates[0] == -jnp.bfloat16(PEAK + SHARES[coupling](PEAK, PEAK) * 0.006)
    if coupling == "corrected":
        link = add_weight_decay(0.006, learning_rate=PEAK, **chosen)
        assert link.update(params, link.init(params), params)[0] == updates


@ALL
def test_none_stays_none_and_numbers_may_be_swept(coupling):
    optimizer = optimizers.adamw(SCHEDULE, **options(coupling, True))
    params = {"w": jnp.ones(2), "f": None}
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    assert updates["f"] is None

    def last(weight):
        chosen = optimizers.adamw(SCHEDULE, weight_decay=weight, **options(coupling, True))
        return walk(chosen)[0]["kernel"][-1] if not isinstance(weight, jax.core.Tracer) else stepped(chosen)

    def stepped(chosen):
        params = jnp.ones(2)
        return chosen.update(jnp.ones(2), chosen.init(params), params)[0]

    swept = jax.vmap(last)(jnp.array([0.1, 0.2]))
    for got, weight in zip(swept, (0.1, 0.2), strict=True):
        np.testing.assert_allclose(
            got, stepped(optimizers.adamw(SCHEDULE, weight_decay=weight, **options(coupling, True)))
        )


def test_hyperparams_that_are_injected_are_traced():
    inject = optax.inject_hyperparams(optimizers.adamw, static_args=("coupling",))
    optimizer = inject(0.25, weight_decay=0.5, coupling="corrected", peak=0.5, cautious=True)
    params = jnp.array([8.0])
    updates, state = jax.jit(optimizer.update)(jnp.zeros(1), optimizer.init(params), params)
    assert float(updates[0]) == -(0.25**2 / 0.5) * 0.5 * 8
    assert float(state.hyperparams["peak"]) == 0.5


# Wrong arguments

WRONG = {
    "word": (
        {"coupling": "fully"},
        ValueError,
        "coupling must be one of 'rate', 'independent', 'corrected', got 'fully'",
    ),
    "flag": ({"cautious": 1}, ValueError, "cautious must be one of False, True, got 1"),
    "no base": ({"coupling": "independent"}, ValueError, "peak must be the base rate, a number, .* got None"),
    "no peak": ({"coupling": "corrected"}, ValueError, "peak must be the highest rate, a number, .* got None"),
    "idle peak": ({"peak": 0.1}, ValueError, "peak needs coupling='independent' or 'corrected', got 0.1 with 'rate'"),
    "peak of 0": ({"coupling": "corrected", "peak": 0.0}, ValueError, "peak must be finite and above 0, got 0.0"),
    "scheduled peak": ({"coupling": "corrected", "peak": SCHEDULE}, TypeError, "peak must be a number, not a schedule"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(
    "make",
    [
        lambda **given: optimizers.adamw(0.1, **given),
        lambda **given: optimizers.adamw(0.1, weight_decay=None, **given),
        lambda **given: optimizers.sgd(0.1, weight_decay=0.1, decoupled=True, **given),
        lambda **given: optimizers.rmsprop(0.1, momentum=0.9, weight_decay=0.1, decoupled=True, **given),
        lambda **given: add_weight_decay(0.1, **given),
    ],
    ids=["adamw", "undecayed", "sgd", "rmsprop", "link"],
)
def test_wrong_arguments_raise_at_once(make, arguments, error, message):
    with pytest.raises(error, match=message):
        make(**arguments)


MISPLACED = {
    "corrected alone": (
        lambda: add_weight_decay(0.1, coupling="corrected", peak=0.1),
        "learning_rate must be given with coupling='corrected'",
    ),
    "a rate too many": (
        lambda: add_weight_decay(0.1, coupling="independent", peak=0.1, learning_rate=0.1),
        "learning_rate is for coupling='corrected' alone, got it with 'independent'",
    ),
    "a wrong rate": (
        lambda: add_weight_decay(0.1, coupling="corrected", peak=0.1, learning_rate=-1.0),
        "learning_rate must be finite and at least 0, got -1.0",
    ),
    "negative": (
        lambda: add_weight_decay(-0.1, cautious=True),
        "weight_decay must be finite and at least 0, got -0.1",
    ),
    "a coupled penalty": (
        lambda: optimizers.sgd(0.1, weight_decay=0.1, coupling="corrected", peak=0.1),
        "coupling='corrected' needs decoupled=True",
    ),
    "a cautious penalty": (
        lambda: optimizers.rmsprop(0.1, weight_decay=0.1, cautious=True),
        "cautious=True needs decoupled=True",
    ),
}


@pytest.mark.parametrize(("make", "message"), MISPLACED.values(), ids=MISPLACED)
def test_options_that_do_not_fit_each_other_raise_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [optimizers.sgd, optimizers.rmsprop, optimizers.adamw])
def test_the_options_go_by_keyword_behind_all_others(make):
    last = [*inspect.signature(make).parameters.values()][-3:]
    assert [each.name for each in last] == ["coupling", "peak", "cautious"]
    assert {each.kind for each in last} == {inspect.Parameter.KEYWORD_ONLY}
