"""Every transformation follows its formula, in every precision, with one trace; a wrong argument is named."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest
from flax import nnx

from jaxlr import optimizers, transforms
from jaxlr.transforms import (
    AccumulateState,
    ScaleByLearningRateState,
    accumulate,
    add_l1_penalty,
    add_weight_decay,
    clip_by_global_norm,
    current_learning_rate,
    in_float32,
    scale_by_adagrad,
    scale_by_adam,
    scale_by_learning_rate,
    scale_by_momentum,
    scale_by_radam,
    scale_by_rmsprop,
    with_master_weights,
)
from jaxlr.transforms.debiasing import one_minus_power
from jaxlr.transforms.hyperparameters import Hyperparameter
from jaxlr.transforms.state.walk import change_states, find_states

GRADIENTS = np.random.default_rng(3).normal(size=(12, 5)) * np.logspace(0, -4, 5)


def run(link, gradients=GRADIENTS, params=None):
    """The new update for each gradient."""

    def step(state, gradient):
        new, state = link.update(gradient, state, params)
        return state, new

    state = link.init(jnp.zeros(gradients.shape[1:], jnp.float32) if params is None else params)
    return np.asarray(jax.jit(lambda state: jax.lax.scan(step, state, jnp.asarray(gradients, jnp.float32))[1])(state))


def scheduled(count):
    return 0.95 - 0.02 * count


# The references: float64, one loop each, written from the papers' formulas.


def momentum_average(b):
    m, new = 0.0, []
    for g in GRADIENTS:
        m = b * m + (1 - b) * g
        new.append(m)
    return new


def momentum_sum(dampening=0.0, nesterov=False, decay=lambda count: 0.9):
    m, new = None, []
    for count, g in enumerate(GRADIENTS):
        m = g if m is None else decay(count) * m + (1 - dampening) * g
        new.append(g + decay(count) * m if nesterov else m)
    return new


def rmsprop(eps=1e-8, inside=False, centered=False, start=0.0, decay=lambda count: 0.9):
    v, a, new = start, 0.0, []
    for count, g in enumerate(GRADIENTS):
        b = decay(count)
        v, a = b * v + (1 - b) * g**2, b * a + (1 - b) * g
        spread = v - a**2 if centered else v
        new.append(g / (np.sqrt(spread + eps) if inside else np.sqrt(spread) + eps))
    return new


def adam(b1=lambda count: 0.9, b2=0.99, eps=1e-8, hat=False, amsgrad=False, nesterov=False):
    m = v = largest = 0.0
    new = []
    for t, g in enumerate(GRADIENTS, start=1):
        b = b1(t - 1)
        m, v = b * m + (1 - b) * g, b2 * v + (1 - b2) * g**2
        c1, c2 = 1 - b**t, 1 - b2**t
        mean = b * m / (1 - b ** (t + 1)) + (1 - b) * g / c1 if nesterov else m / c1
        largest = np.maximum(largest, v / c2 if amsgrad == "corrected" else v)
        square = {False: v / c2, "raw": largest / c2, "corrected": largest}[amsgrad]
        new.append(mean / (np.sqrt(square) + (eps / np.sqrt(c2) if hat else eps)))
    return new


def radam(b1=lambda count: 0.9, b2=0.99, eps=1e-8):
    m = v = 0.0
    new = []
    for t, g in enumerate(GRADIENTS, start=1):
        b = b1(t - 1)
        m, v = b * m + (1 - b) * g, b2 * v + (1 - b2) * g**2
        longest = 2 / (1 - b2) - 1
        r = longest - 2 * t * b2**t / (1 - b2**t)
        mean = m / (1 - b**t)
        if r > 5:
            factor = np.sqrt((r - 4) * (r - 2) * longest / ((longest - 4) * (longest - 2) * r))
            mean = mean * factor * np.sqrt(1 - b2**t) / (np.sqrt(v) + eps)
        new.append(mean)
    return new


def adagrad(eps=1e-10, start=0.0, decay=0.0):
    totals = start + np.cumsum(GRADIENTS**2, axis=0)
    return [g / (np.sqrt(s) + eps) / (1 + decay * n) for n, (g, s) in enumerate(zip(GRADIENTS, totals, strict=True))]


FORMULAS = {
    "moving average": (scale_by_momentum(0.9, dampening=0.9, first="average"), momentum_average(0.9)),
    "momentum": (scale_by_momentum(0.9), momentum_sum()),
    "momentum, damped": (scale_by_momentum(0.9, dampening=0.4), momentum_sum(dampening=0.4)),
    "momentum, nesterov": (scale_by_momentum(0.9, nesterov=True), momentum_sum(nesterov=True)),
    "momentum, scheduled": (
        scale_by_momentum(scheduled, nesterov=True),
        momentum_sum(nesterov=True, decay=scheduled),
    ),
    "rmsprop": (scale_by_rmsprop(0.9), rmsprop()),
    "rmsprop, large eps": (scale_by_rmsprop(0.9, eps=1e-2), rmsprop(eps=1e-2)),
    "rmsprop, eps in the root": (scale_by_rmsprop(0.9, eps=1e-3, eps_in_sqrt=True), rmsprop(eps=1e-3, inside=True)),
    "rmsprop, centered": (scale_by_rmsprop(0.9, eps=1e-4, centered=True), rmsprop(eps=1e-4, centered=True)),
    "rmsprop, from 1": (scale_by_rmsprop(0.9, initial_scale=1.0), rmsprop(start=1.0)),
    "rmsprop, scheduled": (scale_by_rmsprop(scheduled), rmsprop(decay=scheduled)),
    "adam": (scale_by_adam(b2=0.99), adam()),
    "adam, large eps": (scale_by_adam(b2=0.99, eps=1e-2), adam(eps=1e-2)),
    "adam, eps hat": (scale_by_adam(b2=0.99, eps=1e-2, eps_mode="hat"), adam(eps=1e-2, hat=True)),
    "adam, b2 0.999999": (scale_by_adam(b2=0.999999), adam(b2=0.999999)),
    "adam, amsgrad": (scale_by_adam(b2=0.5, amsgrad="raw"), adam(b2=0.5, amsgrad="raw")),
    "adam, amsgrad corrected": (scale_by_adam(b2=0.5, amsgrad="corrected"), adam(b2=0.5, amsgrad="corrected")),
    "adam, nesterov": (scale_by_adam(b2=0.99, nesterov=True), adam(nesterov=True)),
    "adam, scheduled": (scale_by_adam(scheduled, 0.99, nesterov=True), adam(b1=scheduled, nesterov=True)),
    "radam": (scale_by_radam(b2=0.99), radam()),
    "radam, large eps": (scale_by_radam(b2=0.9999, eps=1e-2), radam(b2=0.9999, eps=1e-2)),
    "radam, never rectified": (scale_by_radam(b2=0.5), radam(b2=0.5)),
    "radam, scheduled": (scale_by_radam(scheduled, 0.99), radam(b1=scheduled)),
    "adagrad": (scale_by_adagrad(), adagrad()),
    "adagrad, all": (
        scale_by_adagrad(eps=1e-2, initial_total=0.5, rate_decay=0.1),
        adagrad(eps=1e-2, start=0.5, decay=0.1),
    ),
}


@pytest.mark.parametrize(("link", "reference"), FORMULAS.values(), ids=FORMULAS)
def test_follows_its_formula(link, reference):
    np.testing.assert_allclose(run(link), reference, rtol=1e-5, atol=1e-6)


OPTAX = {
    "adam": (scale_by_adam(), optax.scale_by_adam()),
    "adam, nesterov": (scale_by_adam(nesterov=True), optax.scale_by_adam(nesterov=True)),
    "amsgrad": (scale_by_adam(amsgrad="corrected"), optax.scale_by_amsgrad()),
    "rmsprop": (scale_by_rmsprop(0.9, eps_in_sqrt=True), optax.scale_by_rms(0.9)),
    "centered": (scale_by_rmsprop(0.9, eps_in_sqrt=True, centered=True), optax.scale_by_stddev(0.9)),
    "momentum": (scale_by_momentum(0.9, nesterov=True), optax.trace(0.9, nesterov=True)),
}


@pytest.mark.parametrize(("link", "peer"), OPTAX.values(), ids=OPTAX)
def test_is_optax_where_optax_has_the_formula(link, peer):
    np.testing.assert_allclose(run(link), run(peer), rtol=2e-3)


@pytest.mark.parametrize("base", [0.0, 0.5, 0.9, 0.999, 0.99999, 0.999999])
@pytest.mark.parametrize("known", [True, False], ids=["known", "scheduled"])
def test_bias_correction_is_right_to_a_few_ulps(base, known):
    counts = np.unique(np.concatenate([np.arange(1, 40), np.geomspace(40, 2**31 - 1, 60).astype(np.int64)]))
    given = base if known else lambda count: jnp.float32(base)
    got = jax.vmap(lambda t: one_minus_power(Hyperparameter("b", given), t - 1, t))(jnp.asarray(counts, jnp.int32))
    with mpmath.workdps(40):
        exact_base = mpmath.mpf(base if known else float(np.float32(base)))
        exact = [1 - exact_base ** int(t) for t in counts]
        errors = [
            abs(mpmath.mpf(float(g)) - e) / float(np.spacing(np.float32(e))) for g, e in zip(got, exact, strict=True)
        ]
    assert max(errors) <= 5


OPTIMIZERS = {
    "sgd": lambda rate: optimizers.sgd(rate),
    "sgd, momentum": lambda rate: optimizers.sgd(rate, momentum=0.9, nesterov=True, weight_decay=0.01),
    "sgdw": lambda rate: optimizers.sgd(rate, momentum=scheduled, weight_decay=scheduled, decoupled=True),
    "rmsprop": lambda rate: optimizers.rmsprop(rate, centered=True, momentum=0.9),
    "adam": lambda rate: optimizers.adam(rate, weight_decay=0.01),
    "amsgrad": lambda rate: optimizers.adam(rate, amsgrad=True, b1=scheduled),
    "adamw": lambda rate: optimizers.adamw(rate),
    "links": lambda rate: optax.chain(
        clip_by_global_norm(1.0),
        add_l1_penalty(0.01),
        add_weight_decay(0.1, mask=lambda params: jax.tree.map(lambda p: p.ndim > 1, params)),
        scale_by_adam(mu_dtype=jnp.bfloat16, nu_dtype=jnp.float16, nesterov=True, amsgrad="corrected"),
        scale_by_rmsprop(),
        scale_by_radam(),
        scale_by_adagrad(rate_decay=0.01),
        scale_by_momentum(),
        scale_by_learning_rate(rate),
    ),
    "accumulated": lambda rate: accumulate(optimizers.adamw(rate), 2),
}


def warmup(count):
    return count.astype(jnp.float32) * jnp.float32(1e-7)


def description(tree):
    return jax.tree.structure(tree), [(x.dtype, x.shape, getattr(x, "weak_type", False)) for x in jax.tree.leaves(tree)]


def step_of(optimizer, traces=None):
    def step(params, state, gradients):
        if traces is not None:
            traces.append(None)
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, updates

    return step


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("gradient_dtype", [jnp.bfloat16, jnp.float32], ids=["bf16 gradients", "f32 gradients"])
@pytest.mark.parametrize("param_dtype", [jnp.bfloat16, jnp.float32], ids=["bf16 params", "f32 params"])
def test_fixed_dtypes_in_every_mix_of_precisions(make, param_dtype, gradient_dtype):
    """What comes out is of the kind of what went in, so that a second step is the first one's program."""
    params = {"kernel": jnp.ones((3, 2), param_dtype), "bias": jnp.zeros(2, param_dtype)}
    optimizer = make(warmup)
    state = optimizer.init(params)
    assert not any(weak for _, _, weak in description(state)[1])
    gradients = jax.tree.map(lambda p: jnp.full(p.shape, 0.5, gradient_dtype), params)
    after, changed, updates = jax.eval_shape(step_of(optimizer), params, state, gradients)
    assert (description(after), description(changed)) == (description(params), description(state))
    assert {x.dtype for x in jax.tree.leaves(updates)} == {jnp.dtype(gradient_dtype)}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_one_trace_and_the_rate_of_each_update(make):
    params = {"kernel": jnp.ones((3, 2), jnp.bfloat16), "bias": jnp.zeros(2, jnp.bfloat16)}
    optimizer, traces = make(warmup), []
    step, state = jax.jit(step_of(optimizer, traces)), optimizer.init(params)
    expected = description(state)
    state = change_states(state, ScaleByLearningRateState, lambda s: s._replace(count=jnp.full_like(s.count, 9985)))
    for _ in range(10):
        params, state, updates = step(params, state, jax.tree.map(lambda p: jnp.full(p.shape, 0.5), params))
        assert description(state) == expected
    assert len(traces) == 1
    (recorded,) = find_states(state, ScaleByLearningRateState).values()
    assert recorded.count == (9990 if isinstance(state, AccumulateState) else 9995)
    assert current_learning_rate(state) == np.float32(recorded.count - 1) * np.float32(1e-7)
    assert all(np.isfinite(np.asarray(x, np.float32)).all() for x in jax.tree.leaves((params, updates)))


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_state_is_the_same_for_a_number_and_a_schedule(make):
    params = {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}
    assert description(make(0.1).init(params)) == description(make(warmup).init(params))


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_donated_states_share_no_buffer(make):
    params = {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}
    optimizer = make(jnp.float32(0.1))
    state = optimizer.init(params)
    step = jax.jit(lambda p, s: optimizer.update(jax.tree.map(jnp.ones_like, p), s, p), donate_argnums=(0, 1))
    step(params, state)


def test_bfloat16_optimizers_round_once():
    """The exact update is 1 + 0.003 + 0.003: links that round each time lose both terms."""
    params, gradient = jnp.ones(1, jnp.bfloat16), jnp.ones(1, jnp.bfloat16)
    links = optax.chain(add_weight_decay(0.003), add_weight_decay(0.003))
    assert in_float32(links).update(gradient, links.init(params), params)[0] == jnp.bfloat16(1.006)
    decayed = optimizers.sgd(0.5, weight_decay=0.006).update(
        gradient, optimizers.sgd(0.5, weight_decay=0.006).init(params), params
    )[0]
    assert decayed == -jnp.bfloat16(0.503)


def test_traced_numbers_do_not_retrace_and_equal_the_known_ones():
    params, gradient = jnp.full(3, 0.5), jnp.array([0.1, -0.2, 0.3])
    traces = []

    def make(numbers):
        rate, momentum, decay, weight_decay, b1 = numbers
        return optax.chain(
            clip_by_global_norm(rate * 2),
            scale_by_adam(b1, decay, eps=rate),
            scale_by_rmsprop(decay, eps=rate),
            scale_by_radam(b1, decay, eps=rate),
            scale_by_adagrad(eps=rate, initial_total=decay, rate_decay=rate),
            scale_by_momentum(momentum, dampening=decay),
            add_l1_penalty(rate),
            add_weight_decay(weight_decay),
            scale_by_learning_rate(rate),
        )

    @jax.jit
    def step(numbers, state):
        traces.append(None)
        return make(numbers).update(gradient, state, params)

    for numbers in [(0.1, 0.9, 0.99, 0.01, 0.8), (0.2, 0.8, 0.9, 0.02, 0.5)]:
        state = make(numbers).init(params)
        got, got_state = step(tuple(map(jnp.float32, numbers)), state)
        expected, expected_state = make(numbers).update(gradient, state, params)
        np.testing.assert_allclose(got, expected, rtol=1e-5)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), got_state, expected_state)
    assert len(traces) == 1


def test_sweeps_by_vmap_equal_single_runs():
    def final(rate, momentum):
        optimizer = optimizers.sgd(rate, momentum=momentum)
        params = jnp.ones(3)
        state = optimizer.init(params)
        for _ in range(3):
            updates, state = optimizer.update(2 * params, state, params)
            params = optax.apply_updates(params, updates)
        return params

    rates, momenta = jnp.array([0.1, 0.2]), jnp.array([0.9, 0.5])
    swept = jax.vmap(final)(rates, momenta)
    for i in range(2):
        np.testing.assert_allclose(swept[i], final(float(rates[i]), float(momenta[i])), rtol=1e-6)


def test_complex_parameters_keep_real_squares():
    params = jnp.array([1.0 + 1.0j])
    link = scale_by_adam(eps=0.0)
    updates, state = link.update(jnp.array([3.0 + 4.0j]), link.init(params), params)
    assert state.nu.dtype == jnp.float32
    np.testing.assert_allclose(updates, [0.6 + 0.8j], rtol=1e-6)


# Weight decay, penalties and their masks


def test_l2_and_decoupled_are_a_matter_of_order():
    params, gradient = jnp.array([2.0]), jnp.array([0.5])
    l2 = optimizers.rmsprop(0.1, weight_decay=0.25, decay=0.75, eps=0.0)
    decoupled = optimizers.rmsprop(0.1, weight_decay=0.25, decay=0.75, eps=0.0, decoupled=True)
    np.testing.assert_allclose(l2.update(gradient, l2.init(params), params)[0], [-0.1 * 2], rtol=1e-6)
    np.testing.assert_allclose(decoupled.update(gradient, decoupled.init(params), params)[0], [-0.1 * 2.5], rtol=1e-6)


def test_fully_decoupled_decay_follows_the_rate_after_it():
    chain = optax.chain(scale_by_learning_rate(0.1), add_weight_decay(-0.25))
    params = jnp.array([2.0])
    np.testing.assert_allclose(chain.update(jnp.array([1.0]), chain.init(params), params)[0], [-0.6], rtol=1e-6)


def test_the_rate_goes_inside_or_outside_the_momentum():
    table = jnp.array([1.0, 0.1], jnp.float32)
    inside = optax.chain(scale_by_learning_rate(lambda count: table[count]), scale_by_momentum(0.5))
    outside = optax.chain(scale_by_momentum(0.5), scale_by_learning_rate(lambda count: table[count]))
    gradients = np.ones((2, 1))
    np.testing.assert_allclose(run(inside, gradients)[:, 0], [-1.0, -0.6], rtol=1e-6)
    np.testing.assert_allclose(run(outside, gradients)[:, 0], [-1.0, -0.15], rtol=1e-6)


PARAMS = {"body": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}, "head": {"kernel": jnp.ones((2, 1))}}
MASKS = {
    "tree": {"body": {"kernel": True, "bias": False}, "head": {"kernel": True}},
    "prefix": {"body": {"kernel": True, "bias": False}, "head": True},
    "function": lambda params: jax.tree.map(lambda p: p.ndim > 1, params),
    "NumPy": {"body": {"kernel": np.bool_(True), "bias": np.bool_(False)}, "head": True},
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("link", [add_weight_decay, add_l1_penalty])
def test_a_mask_chooses_the_parameters(link, mask):
    chain = link(0.5, mask=mask)
    updates, _ = jax.jit(chain.update)(jax.tree.map(jnp.zeros_like, PARAMS), chain.init(PARAMS), PARAMS)
    assert jax.tree.map(lambda u: float(u.ravel()[0]), updates) == {
        "body": {"kernel": 0.5, "bias": 0.0},
        "head": {"kernel": 0.5},
    }


WRONG_MASKS = {
    "too little": ({"body": True}, ValueError, "mask has no entry for the parameter head/kernel"),
    "misspelt": (
        {"body": True, "head": True, "haed": True},
        ValueError,
        "mask has an entry for haed, which is no param",
    ),
    "too deep": ({"body": True, "head": {"kernel": {"w": True}}}, ValueError, "no entry for the parameter head/kernel"),
    "numbers": ({"body": 1, "head": True}, TypeError, "mask must hold True or False, got 1 at body"),
    "the weight": (0.5, TypeError, "mask must hold True or False, got 0.5"),
}


@pytest.mark.parametrize(("mask", "error", "message"), WRONG_MASKS.values(), ids=WRONG_MASKS)
def test_a_mask_that_does_not_fit_is_an_error(mask, error, message):
    with pytest.raises(error, match=message):
        optimizers.adamw(0.1, mask=mask).init(PARAMS)


@pytest.mark.parametrize("link", [add_weight_decay(0.1), add_l1_penalty(0.1)])
def test_decay_without_parameters_is_an_error(link):
    with pytest.raises(ValueError, match=r"needs the parameters: call update\(updates, state, params\)"):
        link.update(PARAMS, link.init(PARAMS))


@pytest.mark.parametrize("wrap", [lambda mask: mask, lambda mask: lambda params: mask], ids=["tree", "function"])
def test_a_mask_made_from_an_nnx_state_fits_the_optimizer(wrap):
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    mask = jax.tree.map(lambda p: p.ndim > 1, nnx.state(model, nnx.Param))
    optimizer = nnx.Optimizer(model, optimizers.sgd(1.0, weight_decay=0.5, mask=wrap(mask)), wrt=nnx.Param)
    kernel, bias = model.kernel[...], model.bias[...]
    gradients = jax.tree.map(jnp.zeros_like, nnx.state(model, nnx.Param))
    optimizer.update(model, gradients)
    np.testing.assert_allclose(model.kernel[...], 0.5 * kernel, rtol=1e-6)
    np.testing.assert_array_equal(model.bias[...], bias)


# Clipping


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clip_is_that_of_optax(dtype, max_norm):
    updates = {"a": jnp.asarray(GRADIENTS, dtype), "b": jnp.asarray(GRADIENTS[0], dtype)}
    got, _ = clip_by_global_norm(max_norm).update(updates, optax.EmptyState())
    expected, _ = optax.clip_by_global_norm(max_norm).update(updates, optax.EmptyState())
    rtol = 1e-6 if dtype == jnp.float32 else 2**-7
    jax.tree.map(lambda x, y: np.testing.assert_allclose(np.float32(x), np.float32(y), rtol=rtol), got, expected)
    assert all(x.dtype == dtype for x in jax.tree.leaves(got))


def test_clip_leaves_small_and_zero_updates_as_they_are():
    updates = {"a": jnp.asarray(GRADIENTS[0], jnp.float32)}
    for given in (updates, jax.tree.map(jnp.zeros_like, updates)):
        got, _ = clip_by_global_norm(100.0).update(given, optax.EmptyState())
        np.testing.assert_array_equal(got["a"], given["a"])


# Wrong arguments

WRONG = {
    "decay of 1": (
        lambda: scale_by_momentum(1.0),
        ValueError,
        "decay must be finite and at least 0 and below 1, got 1.0",
    ),
    "negative momentum": (lambda: optimizers.sgd(0.1, momentum=-0.1), ValueError, r"momentum must be .* got -0\.1"),
    "momentum of 1": (lambda: optimizers.rmsprop(0.1, momentum=1), ValueError, "momentum must be .* got 1"),
    "dampening": (
        lambda: scale_by_momentum(0.9, dampening=warmup),
        TypeError,
        "dampening must be a number, not a sched",
    ),
    "first": (
        lambda: scale_by_momentum(first="mean"),
        ValueError,
        "first must be one of 'gradient', 'average', got 'mean'",
    ),
    "nesterov": (lambda: scale_by_momentum(nesterov=1), ValueError, "nesterov must be one of False, True, got 1"),
    "rms decay": (lambda: scale_by_rmsprop(1.5), ValueError, r"decay must be .* got 1\.5"),
    "rms eps": (lambda: scale_by_rmsprop(eps=-1e-8), ValueError, "eps must be finite and at least 0, got -1e-08"),
    "rms scale": (lambda: scale_by_rmsprop(initial_scale=-1), ValueError, "initial_scale must be .* got -1"),
    "b1": (lambda: optimizers.adam(0.1, b1=1.0), ValueError, r"b1 must be .* got 1\.0"),
    "b2": (lambda: optimizers.adam(0.1, b2=-0.5), ValueError, r"b2 must be .* got -0\.5"),
    "b2 schedule": (
        lambda: transforms.scale_by_nadam(b2=warmup),
        TypeError,
        "b2 must be a number, not a schedule",
    ),
    "eps": (lambda: optimizers.adamw(0.1, eps=-1.0), ValueError, r"eps must be .* got -1\.0"),
    "eps mask": (
        lambda: optimizers.adamw(0.1, eps=lambda p: p),
        TypeError,
        "eps must be a number, not a schedule or an",
    ),
    "eps_mode": (lambda: scale_by_adam(eps_mode="inside"), ValueError, "eps_mode must be one of .* got 'inside'"),
    "amsgrad": (
        lambda: scale_by_adam(amsgrad=True),
        ValueError,
        "amsgrad must be one of False, 'raw', 'corrected', got True",
    ),
    "amsgrad of adam": (
        lambda: optimizers.adam(0.1, amsgrad="largest"),
        ValueError,
        "amsgrad must be one of False, 'raw', 'corrected', got",
    ),
    "mu_dtype": (lambda: scale_by_adam(mu_dtype=jnp.int32), ValueError, "mu_dtype must be a floating-point dtype"),
    "weight decay": (
        lambda: optimizers.adamw(0.1, weight_decay=-0.01),
        ValueError,
        r"weight_decay must be .* got -0\.01",
    ),
    "weight decay word": (lambda: add_weight_decay("no"), TypeError, "weight_decay must be a real number, got 'no'"),
    "weight decay mask": (
        lambda: add_weight_decay(lambda params: jax.tree.map(lambda p: False, params)).init(PARAMS),
        TypeError,
        r"weight_decay, a schedule of the update count, must return one number; .* got False \(a mask goes",
    ),
    "radam b2": (lambda: scale_by_radam(b2=1.0), ValueError, r"b2 must be .* got 1\.0"),
    "adagrad": (lambda: scale_by_adagrad(initial_total=-1.0), ValueError, r"initial_total must be .* got -1\.0"),
    "l1": (lambda: add_l1_penalty(warmup), TypeError, "weight must be a number, not a schedule"),
    "max_norm": (lambda: clip_by_global_norm(0.0), ValueError, "max_norm must be finite and above 0, got 0.0"),
    "max_norm nan": (lambda: clip_by_global_norm(float("nan")), ValueError, "max_norm must be .* got nan"),
    "misspelt": (lambda: optimizers.adamw(0.1, beta1=0.9), TypeError, "beta1"),
}


@pytest.mark.parametrize(("make", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_with_its_value(make, error, message):
    with pytest.raises(error, match=message):
        make()


# Master weights


def test_master_weights_train_as_float32_parameters_do():
    first = jnp.asarray(np.random.default_rng(5).normal(size=8), jnp.bfloat16)
    optimizer = optimizers.adamw(1e-3)
    wide, narrow = first.astype(jnp.float32), first
    wide_state, narrow_state = optimizer.init(wide), with_master_weights(optimizer).init(narrow)

    @jax.jit
    def step(wide, wide_state, narrow, narrow_state, gradient):
        updates, wide_state = optimizer.update(gradient.astype(jnp.float32), wide_state, wide)
        changes, narrow_state = with_master_weights(optimizer).update(gradient, narrow_state, narrow)
        return optax.apply_updates(wide, updates), wide_state, optax.apply_updates(narrow, changes), narrow_state

    for gradient in np.random.default_rng(6).normal(size=(200, 8)):
        gradient = jnp.asarray(gradient, jnp.bfloat16)
        wide, wide_state, narrow, narrow_state = step(wide, wide_state, narrow, narrow_state, gradient)
        assert narrow.dtype == jnp.bfloat16
        np.testing.assert_array_equal(narrow, wide.astype(jnp.bfloat16))
    np.testing.assert_array_equal(narrow_state.master, wide)
    assert (narrow != first).sum() > 4


@pytest.mark.parametrize("wrap", [lambda o: o, lambda o: accumulate(o, 2)], ids=["plain", "accumulated"])
def test_master_weights_keep_dtypes_and_share_no_buffer(wrap):
    params = {"w": jnp.ones(3, jnp.bfloat16), "f": jnp.ones(2)}
    optimizer = wrap(with_master_weights(optimizers.sgd(1e-3, momentum=0.9)))
    state = optimizer.init(params)
    expected = description(state)

    def step(params, state):
        updates, state = optimizer.update(jax.tree.map(jnp.ones_like, params), state, params)
        return optax.apply_updates(params, updates), state

    step = jax.jit(step, donate_argnums=(0, 1))
    for _ in range(3):
        params, state = step(params, state)
        assert description(state) == expected
    assert params["w"].dtype == jnp.bfloat16


def test_master_weights_need_the_parameters():
    optimizer = with_master_weights(optimizers.sgd(0.1))
    with pytest.raises(
        ValueError, match=r"with_master_weights needs the parameters: call update\(updates, state, params\)"
    ):
        optimizer.update(jnp.ones(1), optimizer.init(jnp.ones(1)))
