"""Optimizer states from and to Optax, their counts, and what is set in containers of all kinds."""

import dataclasses
import functools
import io
import sys
import types
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxlr

PARAMS = {"w": jnp.linspace(-1.0, 1.0, 6), "b": jnp.ones(2)}
PAIRS = {
    "adam": (lambda: optax.adam(0.1), lambda: jaxlr.adam(0.1)),
    "adamw": (lambda: optax.adamw(optax.linear_schedule(0.1, 0, 9)), lambda: jaxlr.adamw(jaxlr.linear(0.1, 0, 9))),
    "amsgrad": (lambda: optax.amsgrad(0.1), lambda: jaxlr.adam(0.1, amsgrad="corrected")),
    "rmsprop": (lambda: optax.rmsprop(0.1, momentum=0.9), lambda: jaxlr.rmsprop(0.1, momentum=0.9)),
    "centered": (
        lambda: optax.rmsprop(0.1, centered=True, initial_scale=1.0),
        lambda: jaxlr.rmsprop(0.1, centered=True, initial_scale=1.0),
    ),
    "sgd": (lambda: optax.sgd(0.1, 0.9, nesterov=True), lambda: jaxlr.sgd(0.1, 0.9, nesterov=True)),
    "clipped": (
        lambda: optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1)),
        lambda: optax.chain(jaxlr.clip_by_global_norm(1.0), jaxlr.adam(0.1)),
    ),
}


def walk(optimizer, state, params, updates):
    for k in range(updates):
        gradients = jax.tree.map(lambda p, shift=0.1 * k: p + shift, params)
        steps, state = optimizer.update(gradients, state, params)
        params = optax.apply_updates(params, steps)
    return params, state


@pytest.mark.parametrize("name", PAIRS)
def test_a_training_goes_on_in_the_other_library_and_back(name):
    theirs, ours = (make() for make in PAIRS[name])
    count = None if name in ("adam", "adamw", "amsgrad", "clipped") else 3
    middle, state = walk(theirs, theirs.init(PARAMS), PARAMS, 3)
    expected, end = walk(theirs, state, middle, 3)
    taken = jaxlr.from_optax_state(state, ours, PARAMS, count=count)
    params, last = walk(ours, taken, middle, 3)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=5e-6), params, expected)
    assert jaxlr.update_count(last) == 6
    given = jaxlr.to_optax_state(last, theirs, PARAMS)
    assert jax.tree.structure(given) == jax.tree.structure(end)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5), given, end)


def test_a_state_of_other_links_or_without_a_count_is_refused():
    with pytest.raises(
        ValueError, match=r"the state has the links \['ScaleByMomentumState'\], the optimizer \['ScaleByAdam"
    ):
        jaxlr.from_optax_state(optax.sgd(0.1, 0.9).init(PARAMS), jaxlr.adam(0.1), PARAMS)
    with pytest.raises(ValueError, match="count must say how many updates were made"):
        jaxlr.from_optax_state(optax.sgd(0.1, 0.9).init(PARAMS), jaxlr.sgd(0.1, 0.9), PARAMS)


def test_all_counts_are_set_together():
    optimizer = jaxlr.accumulate(jaxlr.adamw(jaxlr.linear(1.0, 0.0, 10)), 2)
    state = optimizer.init(PARAMS)
    assert jaxlr.update_count(state) == 0
    moved = jaxlr.set_update_count(state, 7)
    assert jaxlr.update_count(moved) == 7
    assert [int(s.count) for s in (moved, *moved.inner_state)] == [7, 7, 7, 7]
    torn = state._replace(inner_state=moved.inner_state)
    with pytest.raises(ValueError, match=r"the counts of this state differ: inner_state/0/count: 7, .*, count: 0"):
        jaxlr.update_count(torn)
    many = jaxlr.set_update_count(optax.MultiSteps(jaxlr.sgd(0.1), 3).init(PARAMS), 4)
    assert [int(many.gradient_step), int(many.mini_step), int(jaxlr.update_count(many))] == [4, 0, 4]
    _, after = walk(jaxlr.adam(0.1), jaxlr.adam(0.1).init(PARAMS), PARAMS, 2)
    zeroed = jaxlr.set_update_count(after, 0, moments="zero")
    assert not any(np.any(leaf) for leaf in jax.tree.leaves((zeroed[0].mu, zeroed[0].nu)))
    assert jaxlr.set_update_count(after, 0)[0].mu["b"][0] == after[0].mu["b"][0]


def test_what_is_read_outlives_a_donated_state():
    optimizer = jaxlr.sgd(jaxlr.held(jaxlr.constant(0.1)), 0.9)
    state = optimizer.init(PARAMS)
    read = [
        jaxlr.current_learning_rate(state),
        jaxlr.update_count(state),
        *jaxlr.current_hyperparameters(state).values(),
    ]
    schedule = jaxlr.current_schedule(state)
    jax.tree.map(lambda leaf: leaf.delete(), state)
    assert [float(each) for each in read] == pytest.approx([0.1, 0, 0.9])
    assert float(schedule(0)) == np.float32(0.1)


@dataclasses.dataclass
class Plain:
    opt_state: object


@dataclasses.dataclass(frozen=True)
class Frozen:
    opt_state: object


class Closed:
    __slots__ = ("_state",)

    def __init__(self, opt_state):
        self._state = opt_state

    @property
    def opt_state(self):
        return self._state


@pytest.mark.parametrize("make", [Plain, Frozen, lambda s: types.SimpleNamespace(opt_state=s)])
def test_a_container_of_any_kind_is_written_or_copied(make):
    optimizer = jaxlr.sgd(jaxlr.reduce_on_plateau(0.5, factor=0.5, patience=0))
    box = make(optimizer.init(PARAMS))
    box = jaxlr.set_learning_rate(box, 0.25)
    assert jaxlr.current_learning_rate(box) == 0.25
    box = jaxlr.observe(jaxlr.observe(box, 1.0), 1.0)
    assert optimizer.update(PARAMS, box.opt_state)[0]["b"][0] == -0.125
    box = jaxlr.set_update_count(box, 3)
    assert jaxlr.update_count(box) == 3
    box, _ = jaxlr.load_state_dict(box, jaxlr.state_dict(optimizer.init(PARAMS)))
    assert jaxlr.update_count(box) == 0


def test_a_container_that_can_be_neither_copied_nor_written_is_refused():
    with pytest.raises(TypeError, match="Closed can be neither copied with another opt_state nor written"):
        jaxlr.set_learning_rate(Closed(jaxlr.sgd(0.1).init(PARAMS)), 0.2)


def test_the_rate_is_read_and_set_in_the_state_of_an_nnx_optimizer():
    model = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, jaxlr.adamw(0.5), wrt=nnx.Param)
    state = nnx.state(optimizer)
    assert jaxlr.current_learning_rate(state) == 0.5
    nnx.update(optimizer, jaxlr.set_learning_rate(state, 0.25))
    assert jaxlr.current_learning_rate(optimizer) == 0.25


IN_NNX = {
    "adamw": lambda: jaxlr.adamw(jaxlr.linear(0.5, 0.0, 10)),
    "plateau": lambda: jaxlr.adamw(jaxlr.reduce_on_plateau(0.5, factor=0.5, patience=0)),
    "greedy": lambda: jaxlr.sgd(jaxlr.greedy(0.5, patience=0), 0.9),
    "kl": lambda: jaxlr.sgd(jaxlr.kl_adaptive(0.5)),
    "held": lambda: jaxlr.sgd(jaxlr.held(jaxlr.linear(0.5, 0.0, 10))),
    "groups": lambda: jaxlr.ParameterGroups({"bias": 0.5}).wrap(jaxlr.adamw(jaxlr.reduce_on_plateau(0.5))),
    "accumulate": lambda: jaxlr.accumulate(jaxlr.sgd(jaxlr.reduce_on_plateau(0.5, patience=0), 0.9), 1),
    "MultiSteps": lambda: optax.MultiSteps(jaxlr.guard(jaxlr.adam(0.5)), 1),
    "partition": lambda: optax.partition({"a": jaxlr.adam(0.5)}, lambda params: jax.tree.map(lambda _: "a", params)),
    "Optax' adam": lambda: optax.chain(optax.scale_by_adam(), jaxlr.scale_by_learning_rate(0.5)),
    "one link": lambda: jaxlr.scale_by_learning_rate(0.5),
}
SET_IN_NNX = {
    "set_learning_rate": lambda x: jaxlr.set_learning_rate(x, 0.25),
    "factor": lambda x: jaxlr.set_learning_rate(x, factor=0.5),
    "set_update_count": lambda x: jaxlr.set_update_count(x, 4, moments="zero"),
    "observe": lambda x: jaxlr.observe(jaxlr.observe(x, 3.0), 3.0),
}


def pure(state):
    return nnx.to_pure_dict(state)


@pytest.mark.parametrize("kept", [nnx.state, lambda each: nnx.split(each)[1], lambda each: pure(nnx.state(each))])
@pytest.mark.parametrize("change", SET_IN_NNX.values(), ids=SET_IN_NNX)
@pytest.mark.parametrize("make", IN_NNX.values(), ids=IN_NNX)
def test_what_nnx_leaves_of_an_optimizer_is_read_and_set_as_the_optimizer(make, change, kept):
    optimizers = []
    for _ in range(2):
        model = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
        optimizers.append(nnx.Optimizer(model, make(), wrt=nnx.Param))
        for each in (0.5, 1.0):
            optimizers[-1].update(model, jax.tree.map(lambda p, by=each: p + by, nnx.state(model, nnx.Param)))
    direct, through = optimizers
    state = kept(through)
    try:
        change(direct)
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)[:40]):
            change(state)
        return
    new = change(state)
    assert type(new) is type(state)
    for read in (jaxlr.learning_rates, jaxlr.update_count, jaxlr.current_hyperparameters):
        jax.tree.map(np.testing.assert_array_equal, read(new), read(direct))
    if isinstance(new, dict):
        replaced = nnx.state(through)
        nnx.replace_by_pure_dict(replaced, new)
        new = replaced
    nnx.update(through, new)
    for one, other in zip(*(jax.tree.leaves(nnx.state(each)) for each in optimizers), strict=True):
        np.testing.assert_array_equal(one, other)
    if make is IN_NNX["held"]:
        with pytest.raises(ValueError, match=r"without its form, as nnx\.state leaves them: give the nnx\.Optimizer"):
            jaxlr.current_schedule(state)
        with pytest.raises(ValueError, match="without its form"):
            jaxlr.set_schedule(state, jaxlr.linear(0.25, 0.0, 5))


def test_the_dictionary_of_what_nnx_leaves_fits_itself_alone():
    optimizer = nnx.Optimizer(nnx.Linear(2, 2, rngs=nnx.Rngs(0)), jaxlr.adam(0.5), wrt=nnx.Param)
    wider = nnx.Optimizer(nnx.Linear(3, 2, rngs=nnx.Rngs(0)), jaxlr.adam(0.5), wrt=nnx.Param)
    saved = jaxlr.state_dict(nnx.state(optimizer))
    _, report = jaxlr.load_state_dict(nnx.state(optimizer), saved)
    assert len(report.restored) == len(saved) - 1
    older = {name.removesuffix("/recorded"): leaf for name, leaf in saved.items()}  # of before a record was a node
    assert older.keys() != saved.keys()
    _, report = jaxlr.load_state_dict(nnx.state(optimizer), older)
    assert (len(report.restored), report.extra) == (len(saved) - 1, ())
    with pytest.raises(ValueError, match="kinds of links are not known in this state"):
        jaxlr.load_state_dict(nnx.state(wider), saved)


def test_names_that_collide_are_refused():
    params = {"a/b": jnp.ones(1), "a": {"b": jnp.ones(1)}}
    with pytest.raises(ValueError, match="two parameters have the name scale_by_momentum/buffer/a/b"):
        jaxlr.state_dict(jaxlr.sgd(0.1, 0.9).init(params))


def test_bfloat16_goes_through_an_npz_file():
    optimizer = jaxlr.adam(0.1, mu_dtype=jnp.bfloat16)
    _, state = walk(optimizer, optimizer.init(PARAMS), PARAMS, 2)
    file = io.BytesIO()
    np.savez(file, **jaxlr.state_dict(state))
    file.seek(0)
    loaded, report = jaxlr.load_state_dict(optimizer.init(PARAMS), np.load(file))
    assert not report.missing
    jax.tree.map(np.testing.assert_array_equal, loaded, state)


def test_a_held_schedule_changes_without_a_retrace_and_is_saved():
    traces = []
    optimizer = jaxlr.sgd(jaxlr.held(jaxlr.cosine(0.5, 10)))

    @jax.jit
    def step(gradients, state):
        traces.append(1)
        return optimizer.update(gradients, state)

    _, state = step(PARAMS, optimizer.init(PARAMS))
    longer = jaxlr.retime(jaxlr.current_schedule(state), 1, decay_steps=20)
    state = jaxlr.set_schedule(state, longer)
    _, state = step(PARAMS, state)
    assert jaxlr.current_learning_rate(state) == longer(1)
    assert len(traces) == 1
    loaded, _ = jaxlr.load_state_dict(optimizer.init(PARAMS), jaxlr.state_dict(state))
    assert repr(jaxlr.current_schedule(loaded)) == repr(longer)
    with pytest.raises(ValueError, match="schedule must have the form of the held"):
        jaxlr.set_schedule(state, jaxlr.constant(0.1))


@pytest.mark.parametrize("rate", [lambda n: -0.1, lambda n: 0.1 / n, lambda n: jnp.nan, 0.1 * jaxlr.constant(-1.0)])
def test_a_rate_that_trains_uphill_is_named_when_it_is_initialized(rate):
    with pytest.raises(ValueError, match="learning_rate at count 0 must be finite and at least 0, got"):
        jaxlr.adamw(rate).init(PARAMS)


CORRECTED = {
    "adam": lambda: jaxlr.adam(0.1),
    "one array": lambda: jaxlr.adam(0.1),
    "adamax": lambda: jaxlr.dialects.torch.Adamax(0.1),
    "nadam": lambda: jaxlr.dialects.torch.NAdam(0.1),
    "radam": lambda: jaxlr.dialects.torch.RAdam(0.1),
    "rmsprop": lambda: jaxlr.rmsprop(0.1, bias_correction=True),
    "adafactor": lambda: jaxlr.dialects.torch.Adafactor(0.1),
    "Optax' adam": lambda: optax.adam(0.1),
    "Optax' nadam": lambda: optax.chain(optax.clip(1.0), optax.nadam(0.1)),
    "Optax' amsgrad": lambda: optax.amsgrad(0.1),
    "Optax' adabelief": lambda: optax.adabelief(0.1),
    "Optax' adan": lambda: optax.adan(0.1),
    "Optax' yogi, jaxlr's rate": lambda: optax.chain(optax.scale_by_yogi(), jaxlr.scale_by_learning_rate(0.1)),
    "Optax' rmsprop": lambda: optax.rmsprop(0.1, bias_correction=True),
    "Optax' novograd": lambda: optax.novograd(0.1),
    "Optax' ema": lambda: optax.chain(optax.ema(0.9), jaxlr.scale_by_learning_rate(0.1)),
    "Optax' adam inside": lambda: optax.MultiSteps(optax.partition({"all": optax.adam(0.1)}, "all"), 1),
    "two labels deep": lambda: optax.partition({"a": optax.partition({"b": jaxlr.adam(0.1)}, "b")}, "a"),
    "inside": lambda: jaxlr.accumulate(optax.partition({"all": jaxlr.adamw(0.1)}, "all"), 2),
}


@pytest.mark.parametrize("make", CORRECTED.values(), ids=CORRECTED)
def test_a_parameter_without_moments_does_not_join_under_a_count_that_corrects_them(make, request):
    one = "one array" in request.node.name
    old, new = (jnp.ones(3), jnp.ones(5)) if one else ({"w": PARAMS["w"]}, PARAMS)
    optimizer = make()
    saved = jaxlr.state_dict(optimizer.init(old))
    jaxlr.load_state_dict(optimizer.init(new), saved)  # before its first update none has come from 0
    _, state = walk(optimizer, optimizer.init(old), old, 2)
    with pytest.raises(
        ValueError, match=r"saved has no .*(scale_by_\w+|ema)/\w+(/b)? that fits, and .* has made [12] updates"
    ):
        jaxlr.load_state_dict(optimizer.init(new), jaxlr.state_dict(state))


def test_what_was_frozen_joins_as_a_new_parameter_does():
    frozen = jaxlr.ParameterGroups(frozen=["b"])
    for make, refused in ((lambda: jaxlr.sgd(0.1, 0.9), False), (lambda: jaxlr.adam(0.1), True)):
        optimizer, all_of_it = frozen.wrap(make()), make()
        _, state = walk(optimizer, optimizer.init(PARAMS), PARAMS, 3)
        if refused:
            with pytest.raises(ValueError, match="saved has no scale_by_adam/mu/b that fits"):
                jaxlr.load_state_dict(all_of_it.init(PARAMS), jaxlr.state_dict(state))
            continue
        loaded, report = jaxlr.load_state_dict(all_of_it.init(PARAMS), jaxlr.state_dict(state))
        assert report.missing == ("scale_by_momentum/buffer/b",)
        steps, _ = all_of_it.update(PARAMS, loaded, PARAMS)
        np.testing.assert_allclose(steps["b"], -0.1 * PARAMS["b"], rtol=1e-6)
        back, report = jaxlr.load_state_dict(optimizer.init(PARAMS), jaxlr.state_dict(loaded))
        assert (int(jaxlr.update_count(back)), report.missing) == (3, ())


UNCORRECTED = {
    "momentum": lambda: jaxlr.sgd(0.1, 0.9),
    "lion": lambda: optax.chain(optax.scale_by_lion(), jaxlr.scale_by_learning_rate(0.1)),
    "Optax' lion": lambda: optax.lion(0.1, weight_decay=0.0),
    "MultiSteps": lambda: optax.MultiSteps(jaxlr.sgd(0.1), 1),
    "guard": lambda: jaxlr.guard(jaxlr.sgd(0.1)),
    "injected": lambda: optax.inject_hyperparams(optax.sgd)(lambda n: 0.1, momentum=0.9),
}


@pytest.mark.parametrize("make", UNCORRECTED.values(), ids=UNCORRECTED)
def test_a_parameter_that_joins_where_no_count_matters_steps_by_the_rate(make):
    optimizer = make()
    _, state = walk(optimizer, optimizer.init({"w": PARAMS["w"]}), {"w": PARAMS["w"]}, 3)
    state, report = jaxlr.load_state_dict(optimizer.init(PARAMS), jaxlr.state_dict(state))
    assert not report.misshapen
    steps, _ = optimizer.update(PARAMS, state, PARAMS)
    np.testing.assert_allclose(steps["b"], -0.1 * PARAMS["b"], rtol=1e-6)


def test_a_parameter_joins_where_all_moments_begin_anew_or_with_a_link_of_its_own():
    optimizer = jaxlr.adam(jaxlr.linear(0.1, 0.0, 20_000))
    _, state = walk(optimizer, optimizer.init({"w": PARAMS["w"]}), {"w": PARAMS["w"]}, 3)
    saved = jaxlr.state_dict(jaxlr.set_update_count(state, 10_000))
    anew = {name: each for name, each in saved.items() if not name.startswith("scale_by_adam")}
    state, _ = jaxlr.load_state_dict(optimizer.init(PARAMS), anew)
    steps, _ = optimizer.update(PARAMS, state, PARAMS)
    np.testing.assert_allclose(steps["b"], -0.05, rtol=1e-5)
    both = optax.partition({"old": optimizer, "new": jaxlr.adam(0.1)}, {"w": "old", "b": "new"})
    steps, _ = both.update(PARAMS, both.init(PARAMS), PARAMS)
    np.testing.assert_allclose(steps["b"], -0.1, rtol=1e-5)


def test_a_parameter_may_join_where_nothing_is_corrected():
    optimizer = jaxlr.sgd(0.1, 0.9)
    _, state = walk(optimizer, optimizer.init({"w": PARAMS["w"]}), {"w": PARAMS["w"]}, 3)
    state, report = jaxlr.load_state_dict(optimizer.init(PARAMS), jaxlr.state_dict(state))
    assert report.missing == ("scale_by_momentum/buffer/b",)
    steps, _ = optimizer.update(PARAMS, state, PARAMS)
    np.testing.assert_allclose(steps["b"], -0.1 * PARAMS["b"], rtol=1e-6)


ACCUMULATED = {
    "accumulate": lambda: jaxlr.accumulate(jaxlr.sgd(0.1), 3),
    "accumulate in groups": lambda: jaxlr.ParameterGroups(rates={"[wb]": 1.0}).wrap(
        jaxlr.accumulate(jaxlr.sgd(0.1), 3)
    ),
    "in a part": lambda: optax.partition(
        {"all": jaxlr.accumulate(jaxlr.sgd(0.1), 3)}, lambda p: dict.fromkeys(p, "all")
    ),
    "in an accumulation": lambda: jaxlr.accumulate(jaxlr.accumulate(optax.sgd(0.1), 3), 1),
    "small states": lambda: jaxlr.small_states(jaxlr.accumulate(jaxlr.sgd(0.1), 3)),
    "MultiSteps": lambda: optax.MultiSteps(optax.sgd(0.1), 3).gradient_transformation(),
    "sums of MultiSteps": lambda: optax.MultiSteps(
        jaxlr.sgd(0.1 / 3), 3, use_grad_mean=False
    ).gradient_transformation(),
}


@pytest.mark.parametrize("grown", [False, True], ids=["new", "grown"])
@pytest.mark.parametrize("make", ACCUMULATED.values(), ids=ACCUMULATED)
def test_no_parameter_joins_in_the_middle_of_a_window(make, grown):
    """A mean of three gradients of which it has seen two would be two thirds of theirs."""
    optimizer, old = make(), {"w": jnp.ones(2), **({"b": jnp.ones(1)} if grown else {})}
    new = {"w": jnp.ones(2), "b": jnp.ones(3)}
    state = optimizer.init(old)
    for micro_steps in range(1, 4):
        _, state = optimizer.update(old, state, old)
        saved = jaxlr.state_dict(state)
        if micro_steps < 3:
            with pytest.raises(ValueError, match="in the middle of a window") as error:
                jaxlr.load_state_dict(optimizer.init(new), saved)
            saved = eval(str(error.value).split("begin it anew: ")[1], {"saved": saved})
        joined, _ = jaxlr.load_state_dict(optimizer.init(new), saved)
        for k in (1.0, 2.0, 6.0):
            steps, joined = optimizer.update({"w": jnp.ones(2), "b": jnp.full(3, k)}, joined, new)
        np.testing.assert_allclose(
            steps["b"], -0.1 * np.mean([1.0, 2.0, 6.0]), rtol=2e-2 if "small" in str(make) else 1e-6
        )


HOLDING = {
    "a warm-up": jaxlr.warmup(jaxlr.cosine(0.05, 90), 10),
    "epochs": jaxlr.per_epoch(jaxlr.cosine(0.05, 90), 12.5),
    "phases": jaxlr.join([jaxlr.linear(0.1, 0.2, 5), jaxlr.piecewise_constant([0.2, 0.1], [7])], [9]),
}


@pytest.mark.parametrize("moments", ["keep", "zero"])
@pytest.mark.parametrize("schedule", HOLDING.values(), ids=HOLDING)
def test_the_lengths_of_a_held_schedule_count_no_updates(schedule, moments):
    optimizer = jaxlr.accumulate(jaxlr.adamw(jaxlr.held(schedule)), 1)
    _, state = walk(optimizer, optimizer.init(PARAMS), PARAMS, 3)
    assert jaxlr.update_count(state) == 3
    moved = jaxlr.set_update_count(state, 70, moments=moments)
    assert jaxlr.update_count(moved) == 70
    for before, after in zip(*map(jax.tree.leaves, map(jaxlr.current_schedule, (state, moved))), strict=True):
        np.testing.assert_array_equal(before, after)
    _, last = optimizer.update(PARAMS, moved, PARAMS)
    assert jaxlr.current_learning_rate(last) == schedule(70)


def test_a_run_goes_on_under_a_schedule_that_is_held_from_now_on_and_back():
    schedule = jaxlr.warmup(jaxlr.cosine(0.05, 90), 10)
    plain, holding = jaxlr.adamw(schedule), jaxlr.adamw(jaxlr.held(schedule))
    _, state = walk(plain, plain.init(PARAMS), PARAMS, 3)
    taken, _ = jaxlr.load_state_dict(holding.init(PARAMS), jaxlr.state_dict(state))
    assert jaxlr.update_count(taken) == 3
    back, _ = jaxlr.load_state_dict(plain.init(PARAMS), jaxlr.state_dict(taken))
    expected, _ = walk(plain, state, PARAMS, 2)
    for optimizer, each in ((holding, taken), (plain, back)):
        jax.tree.map(np.testing.assert_array_equal, walk(optimizer, each, PARAMS, 2)[0], expected)


NESTED = {
    "accumulate in accumulate": lambda o: jaxlr.accumulate(jaxlr.accumulate(o, 3), 2),
    "MultiSteps in accumulate": lambda o: jaxlr.accumulate(optax.MultiSteps(o, 3).gradient_transformation(), 2),
    "accumulate in MultiSteps": lambda o: optax.MultiSteps(jaxlr.accumulate(o, 3), 2).gradient_transformation(),
    "MultiSteps in MultiSteps": lambda o: optax.MultiSteps(
        optax.MultiSteps(o, 3).gradient_transformation(), 2
    ).gradient_transformation(),
    "three deep": lambda o: jaxlr.accumulate(jaxlr.accumulate(jaxlr.accumulate(o, 1), 2), 3),
    "through others": lambda o: jaxlr.guard(
        optax.apply_if_finite(jaxlr.accumulate(optax.masked(jaxlr.small_states(jaxlr.accumulate(o, 3)), True), 2), 2)
    ),
    "small states around": lambda o: jaxlr.small_states(jaxlr.accumulate(o, 6)),
}


@pytest.mark.parametrize("optimizer", [jaxlr.sgd, optax.sgd], ids=["jaxlr", "optax"])
@pytest.mark.parametrize("wrap", NESTED.values(), ids=NESTED)
def test_updates_are_counted_where_the_schedule_sees_them(wrap, optimizer):
    wrapped = wrap(optimizer(jaxlr.linear(1.0, 0.0, 100)))
    params = {"w": jnp.ones(2), "micro_step": jnp.ones(())}
    state = wrapped.init(params)
    update = jax.jit(wrapped.update)
    for k in range(20):
        assert int(jaxlr.update_count(state)) == k // 6
        _, state = update(params, state, params)
    state = jaxlr.set_update_count(state, 50)
    assert int(jaxlr.update_count(state)) == 50
    for expected in (0.0, 0.0, 0.0, -0.5):  # the windows, 2 of 6 micro-steps long, are as they were
        steps, state = update(params, state, params)
        np.testing.assert_allclose(steps["w"], expected, rtol=1e-6)
    assert int(jaxlr.update_count(state)) == 51


FINITE = partial(optax.apply_if_finite, max_consecutive_errors=3)
LEAVING_OUT = {
    "apply_if_finite": FINITE,
    "guard": partial(jaxlr.guard, window=8),
    "sam": lambda o: optax.contrib.sam(o, optax.sgd(0.05)),
    "a part of the parameters": lambda o: optax.masked(FINITE(o), True),
    "beside a link without a count": lambda o: optax.chain(optax.clip(1.0), FINITE(o)),
    "beside one with a count of other parameters": lambda o: optax.partition(
        {"a": FINITE(o), "b": jaxlr.sgd(0.1)}, {"w": "a", "b": "b"}
    ),
}
WINDOWS = {
    "accumulate": lambda o: jaxlr.accumulate(o, 2),
    "MultiSteps": lambda o: optax.MultiSteps(o, 2).gradient_transformation(),
}
ONE_NAN = [{"w": jnp.full(2, value), "b": jnp.ones(2)} for value in (1.0, 1.0, jnp.nan, 1.0)]


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("optimizer", [jaxlr.sgd, optax.sgd], ids=["jaxlr", "optax"])
@pytest.mark.parametrize("leave_out", LEAVING_OUT.values(), ids=LEAVING_OUT)
def test_windows_are_no_count_of_updates_where_some_were_left_out(leave_out, optimizer, window):
    """Two windows, of which one made an update."""
    wrapped = window(leave_out(optimizer(0.1)))
    state = wrapped.init(ONE_NAN[0])
    assert jaxlr.update_count(state) == 0
    for gradient in ONE_NAN:
        _, state = wrapped.update(gradient, state, ONE_NAN[0])
    with pytest.raises(ValueError, match=r"the counts of this state .*(count|gradient_step): 2"):
        jaxlr.update_count(state)


OUTSIDE = {
    "around the window": lambda o: FINITE(jaxlr.accumulate(o, 2)),
    "around Optax' window": lambda o: FINITE(optax.MultiSteps(o, 2).gradient_transformation()),
    "between two windows": lambda o: jaxlr.accumulate(FINITE(jaxlr.accumulate(o, 1)), 2),
    "around a part of the chain": lambda o: jaxlr.accumulate(
        optax.chain(FINITE(optax.clip(1.0)), jaxlr.scale_by_momentum(0.0), o), 2
    ),
    "Optax' own": lambda o: optax.MultiSteps(
        o, 2, should_skip_update_fn=optax.skip_not_finite
    ).gradient_transformation(),
}


@pytest.mark.parametrize("optimizer", [jaxlr.sgd, optax.sgd], ids=["jaxlr", "optax"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_updates_are_counted_where_others_were_left_out_outside(name, optimizer):
    wrapped = OUTSIDE[name](optimizer(0.1))
    state = wrapped.init(ONE_NAN[0])
    for gradient in ONE_NAN:
        _, state = wrapped.update(gradient, state, ONE_NAN[0])
    # A part of a chain gives zeros, of which the others make an update.
    assert jaxlr.update_count(state) == (2 if "part" in name else 1)


def test_a_schedule_of_micro_steps_is_no_count_of_updates():
    optimizer = optax.inject_hyperparams(lambda rate: jaxlr.accumulate(jaxlr.sgd(rate), 2))(jaxlr.linear(1.0, 0.0, 9))
    state = optimizer.init(jnp.ones(1))
    for _ in range(3):
        _, state = optimizer.update(jnp.ones(1), state)
    with pytest.raises(ValueError, match="the counts of this state differ"):
        jaxlr.update_count(state)


ASKED = {
    "current_learning_rate": jaxlr.current_learning_rate,
    "learning_rates": jaxlr.learning_rates,
    "current_hyperparameters": jaxlr.current_hyperparameters,
    "update_count": jaxlr.update_count,
    "current_schedule": jaxlr.current_schedule,
    "set_learning_rate": lambda state: jaxlr.set_learning_rate(state, 0.25),
    "an array": lambda state: jaxlr.set_learning_rate(state, np.float32(0.25)),
    "factor": lambda state: jaxlr.set_learning_rate(state, None, factor=0.5),
    "set_update_count": lambda state: jaxlr.set_update_count(state, 5),
    "observe": lambda state: jaxlr.observe(state, 3.0),
    "set_schedule": lambda state: jaxlr.set_schedule(state, jaxlr.linear(0.2, 0.0, 5)),
}
IN_STATES = {
    "held": lambda: jaxlr.adamw(jaxlr.held(jaxlr.linear(0.5, 0.0, 10))),
    "plateau": lambda: optax.chain(jaxlr.clip_by_global_norm(1.0), jaxlr.adamw(jaxlr.reduce_on_plateau(0.5))),
    "greedy": lambda: jaxlr.sgd(jaxlr.greedy(0.5), 0.9),
    "kl": lambda: jaxlr.guard(jaxlr.rmsprop(jaxlr.kl_adaptive(0.5), momentum=0.9)),
    "partition": lambda: optax.partition({"a": jaxlr.adam(jaxlr.reduce_on_plateau(0.5))}, "a"),
}


@functools.cache
def state_of(make, many):
    """A state beside so many parameters, whose arrays are apart; all questions are asked of the same one."""
    return jax.tree.map(jnp.array, make().init(dict.fromkeys([f"p{i:04}" for i in range(many)], jnp.ones(1))))


def calls_of(function, argument):
    made = []
    sys.setprofile(lambda frame, event, what: made.append(event))
    try:
        function(argument)
    finally:
        sys.setprofile(None)
    return len(made)


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("make", IN_STATES.values(), ids=IN_STATES)
def test_it_is_asked_where_transfers_are_not_allowed_and_looks_into_no_parameter(make, ask):
    """jax's guard stops what is put on a device in passing, on a CPU too; calls are the same for 2 and 2,000 arrays."""
    calls = []
    for many in (2, 2_000):
        state = state_of(make, many)
        try:
            ask(state)
        except ValueError as error:
            assert "is held" in str(error) or "nothing to observe" in str(error)  # noqa: PT017
            return
        with jax.transfer_guard("disallow"):
            calls.append(calls_of(ask, state))
    assert calls[1] <= 1.2 * calls[0] + 50


def test_moments_begin_anew_and_dictionaries_are_loaded_where_transfers_are_not_allowed():
    optimizer = jaxlr.adamw(0.5)
    saved = jax.device_get(jaxlr.state_dict(walk(optimizer, optimizer.init(PARAMS), PARAMS, 2)[1]))
    fresh = optimizer.init(PARAMS)
    with jax.transfer_guard("disallow"):
        loaded, _ = jaxlr.load_state_dict(fresh, saved)
        zeroed = jaxlr.set_update_count(loaded, 0, moments="zero")
    assert (int(jaxlr.update_count(loaded)), int(jaxlr.update_count(zeroed))) == (2, 0)
    assert not np.any(zeroed[0].mu["b"])
