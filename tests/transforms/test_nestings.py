"""What nests in what: drawn at random, each equal to float64 by hand or refused at the start; never silently wrong."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import nests
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr.dialects import keras, torch

UPDATES = 6
NAMES = ("b", "e", "w")
SHAPES = {"b": (2,), "e": (3,), "w": (2, 2)}


def falling(count):
    """jaxlr.linear(0.1, 0.02, 6), by hand."""
    return 0.1 - 0.08 * min(count, 6) / 6


# Optimizers: from a rate, and by hand: the rule with its numbers, and what stands around it.
RMS = {"decay": 0.8, "eps": 1e-3}
OPTIMIZERS = {
    "sgd": (jaxlr.sgd, {"rule": nests.sgd}),
    "sgd, momentum": (
        lambda r: jaxlr.sgd(r, 0.8, dampening=0.5, weight_decay=0.2),
        {"rule": partial(nests.sgd, momentum=0.8, dampening=0.5), "decay": 0.2},
    ),
    "sgd, nesterov": (
        lambda r: jaxlr.sgd(r, 0.8, nesterov=True, weight_decay=0.2, decoupled=True),
        {"rule": partial(nests.sgd, momentum=0.8, nesterov=True), "decay": 0.2, "decoupled": True},
    ),
    "rmsprop": (
        lambda r: jaxlr.rmsprop(r, **RMS, momentum=0.7, weight_decay=0.2),
        {"rule": partial(nests.rmsprop, **RMS, in_root=True), "decay": 0.2, "after": 0.7},
    ),
    "rmsprop, centered": (
        lambda r: jaxlr.rmsprop(r, **RMS, initial_scale=1.0, centered=True, bias_correction=True, eps_in_sqrt=False),
        {"rule": partial(nests.rmsprop, **RMS, in_root=False, start=1.0, centered=True, correct=True)},
    ),
    "adam": (lambda r: jaxlr.adam(r, weight_decay=0.2), {"rule": nests.adam, "decay": 0.2}),
    "adam, nesterov": (
        lambda r: jaxlr.adam(r, 0.7, 0.9, 1e-3, 1e-2, nesterov=True),
        {"rule": partial(nests.adam, b1=0.7, b2=0.9, eps=1e-3, eps_root=1e-2, nesterov=True)},
    ),
    "adamw": (lambda r: jaxlr.adamw(r, weight_decay=0.2), {"rule": nests.adam, "decay": 0.2, "decoupled": True}),
    "adamw, amsgrad": (
        lambda r: jaxlr.adamw(r, b2=0.7, weight_decay=0.2, amsgrad=True),
        {"rule": partial(nests.adam, b2=0.7, amsgrad=True), "decay": 0.2, "decoupled": True},
    ),
    "adamw, independent": (
        lambda r: jaxlr.adamw(r, weight_decay=0.02, coupling="independent", peak=0.1, cautious=True),
        {
            "rule": nests.adam,
            "decay": 0.02,
            "decoupled": True,
            "coupling": "independent",
            "peak": 0.1,
            "cautious": True,
        },
    ),
    "adamw, corrected": (
        lambda r: jaxlr.adamw(r, weight_decay=0.2, coupling="corrected", peak=0.1),
        {"rule": nests.adam, "decay": 0.2, "decoupled": True, "coupling": "corrected", "peak": 0.1},
    ),
    "torch.SGD": (
        lambda r: torch.SGD(r, 0.8, weight_decay=0.2),
        {"rule": partial(nests.sgd, momentum=0.8), "decay": 0.2},
    ),
    "torch.RMSprop": (
        lambda r: torch.RMSprop(r, weight_decay=0.2),
        {"rule": partial(nests.rmsprop, decay=0.99, eps=1e-8, in_root=False), "decay": 0.2},
    ),
    "torch.AdamW": (
        lambda r: torch.AdamW(r, weight_decay=0.2),
        {"rule": nests.adam, "decay": 0.2, "decoupled": True},
    ),
    "torch.NAdam": (lambda r: torch.NAdam(r, weight_decay=0.2), {"rule": nests.nadam, "decay": 0.2}),
    "torch.Adamax": (lambda r: torch.Adamax(r, weight_decay=0.2), {"rule": nests.adamax, "decay": 0.2}),
    "torch.Adagrad": (lambda r: torch.Adagrad(r, 0.1), {"rule": partial(nests.adagrad, rate_decay=0.1)}),
    "keras.SGD": (
        lambda r: keras.SGD(r, 0.8, True, 0.2),
        {"rule": nests.sgd, "decay": 0.2, "decoupled": True, "after": 0.8, "nesterov": True},
    ),
    "keras.Adam": (
        lambda r: keras.Adam(r, weight_decay=0.2),
        {"rule": partial(nests.adam, eps=1e-7, hat=True), "decay": 0.2, "decoupled": True},
    ),
    "optax.sgd": (lambda r: optax.sgd(r, 0.8), {"rule": partial(nests.sgd, momentum=0.8), "hears": False}),
    "optax.adamw": (
        lambda r: optax.adamw(r, weight_decay=0.2),
        {"rule": nests.adam, "decay": 0.2, "decoupled": True, "hears": False},
    ),
}

GROUPS = jaxlr.ParameterGroups(rates={"b": 2.0}, no_decay=["b"], frozen=["e"])
OWN_DECAYS = dataclasses.replace(GROUPS, weight_decays={"w": 0.7})
MOST = ("b", "w")
WRAPPERS = {
    "accumulate": (lambda o: jaxlr.accumulate(o, 2), nests.Accumulate),
    "accumulate by 3": (lambda o: jaxlr.accumulate(o, 3), partial(nests.Accumulate, every=3)),
    "MultiSteps": (
        lambda o: optax.MultiSteps(o, 2).gradient_transformation(),
        partial(nests.Accumulate, narrows=True),
    ),
    "groups": (GROUPS.wrap, partial(nests.Groups, factors={"b": 2.0}, decayed=("e", "w"), frozen=("e",))),
    "own decays": (
        OWN_DECAYS.wrap,
        partial(nests.Groups, factors={"b": 2.0}, decayed=("e", "w"), frozen=("e",), own={"w": 0.7}),
    ),
    "master weights": (jaxlr.with_master_weights, nests.Master),
    "masked": (
        lambda o: optax.masked(o, {name: name in MOST for name in NAMES}),
        partial(nests.Masked, names=MOST),
    ),
    "partition": (
        lambda o: optax.partition(
            {"most": o, "other": jaxlr.sgd(0.05)}, {name: "most" if name in MOST else "other" for name in NAMES}
        ),
        lambda node: nests.Partition(node, MOST, nests.Leaf(nests.sgd, lambda count: 0.05, fixed=True)),
    ),
    "if finite": (lambda o: optax.apply_if_finite(o, 3), nests.IfFinite),
    "clip": (lambda o: optax.chain(jaxlr.clip_by_global_norm(1.0), o), nests.Clip),
    "optax clip": (lambda o: optax.chain(optax.clip_by_global_norm(1.0), o), nests.Clip),
    "plain": (
        lambda o: optax.GradientTransformation(o.init, lambda u, s, p=None: o.update(u, s, p)),
        nests.Around,
    ),
    "inject": (None, partial(nests.Injected, rate=falling)),  # made from a factory: see `built`
    "sam": (lambda o: optax.contrib.sam(o, optax.sgd(0.05)), nests.Sam),
    "schedule free": (lambda o: optax.contrib.schedule_free(o, 0.1), nests.ScheduleFree),
}
AGAIN = ("accumulate", "MultiSteps", "plain", "clip")  # what may stand in a nesting twice
WIDE_ONLY = ("optax clip", "sam", "schedule free")  # Optax computes these in bfloat16 where the parameters are
OFTEN = {"groups": 4.0, "master weights": 2.0, "sam": 2.0, "if finite": 2.0, "plain": 0.5, "clip": 0.5}
KEEPS_NAN_OUT = ("accumulate", "accumulate by 3", "groups", "clip", "plain", "inject", "masked", "partition")


@dataclasses.dataclass(frozen=True)
class Nest:
    """An optimizer, what is around it from outside in, and what happens in its run."""

    optimizer: str
    around: tuple[str, ...]
    narrow: bool = False  # bfloat16 parameters and gradients
    constant: bool = False  # a rate that is a number
    bad: int | None = None  # the update whose gradient is NaN
    set_at: int | None = None  # the update before which the rate is set by hand

    @property
    def refused(self):
        """What the error says with which this is refused, or None: as docs/composition.md has it."""
        groups = next((name for name in self.around if name in ("groups", "own decays")), None)
        if groups is None:
            return None
        inside = self.around[self.around.index(groups) + 1 :]
        differences = {"sam", "schedule free"} & set(inside)
        if differences or self.optimizer == "optax.adamw":
            return r"which must not decay.* \(sam, schedule_free\).* put the groups inside it"
        if groups == "own decays" and "decay" not in OPTIMIZERS[self.optimizer][1]:
            return "nothing in the optimizer adds a weight decay to w"
        if "master weights" in inside and self.optimizer == "optax.sgd":
            return "would be lost: the optimizer keeps copies.* put it around the groups"
        return None


def drawn(seed):
    random = np.random.default_rng([15, seed])
    narrow = bool(random.random() < 0.3)
    known = [name for name in WRAPPERS if name != "own decays" and not (narrow and name in WIDE_ONLY)]
    around = []
    odds = np.array([OFTEN.get(name, 1.0) for name in known])
    for name in random.choice(known, size=random.choice(4, p=(0.05, 0.2, 0.35, 0.4)), p=odds / odds.sum()):
        around += [str(name)] if name not in around or name in AGAIN else []
    bad = None
    if "if finite" in around and set(around[: around.index("if finite")]) <= set(KEEPS_NAN_OUT):
        bad = int(random.integers(1, UPDATES - 1))
    hand = int(random.integers(1, UPDATES)) if random.random() < 0.25 else None
    optimizer = str(random.choice(list(OPTIMIZERS)))
    return Nest(optimizer, tuple(around), narrow, bool(random.integers(2)), bad, hand)


def built(nest):
    """The transformation, and the same by hand."""
    make, by_hand = OPTIMIZERS[nest.optimizer]
    for name in reversed(nest.around):
        wrap = WRAPPERS[name][0]
        make = injected(make) if wrap is None else wrapped(wrap, make)
    node = nests.Leaf(rate=(lambda count: 0.1) if nest.constant else falling, **by_hand)
    for name in reversed(nest.around):
        node = WRAPPERS[name][1](node)
    return optax.with_extra_args_support(make(0.1 if nest.constant else jaxlr.linear(0.1, 0.02, 6))), node


def wrapped(wrap, make):
    return lambda rate: wrap(make(rate))


def injected(make):
    def factory(learning_rate):
        return make(learning_rate)

    # Whatever the rate is elsewhere: this one is a schedule of this wrapper's own count. Optax before 0.2.8 gives it
    # the type of the first parameter otherwise, which jaxlr refuses.
    made = optax.inject_hyperparams(factory, hyperparam_dtype=jnp.float32)
    return lambda rate: made(learning_rate=jaxlr.linear(0.1, 0.02, 6))


def given(nest):
    """The parameters at the start and the gradients, in the dtype of the nesting."""
    random = np.random.default_rng(3)
    dtype = jnp.bfloat16 if nest.narrow else jnp.float32
    params = {name: jnp.asarray(random.normal(size=SHAPES[name]), dtype) for name in NAMES}
    gradients = [{name: jnp.asarray(random.normal(size=SHAPES[name]), dtype) for name in NAMES} for _ in range(UPDATES)]
    if nest.bad is not None:
        gradients[nest.bad]["w"] = gradients[nest.bad]["w"].at[0, 0].set(jnp.nan)
    return params, gradients


def compare(nest, jit=False):
    """Walks a nesting and its like by hand side by side; raises where they part."""
    optimizer, node = built(nest)
    params, gradients = given(nest)
    state = optimizer.init(params)
    by_hand = partial(nests.Tree, narrow=nest.narrow)
    node.init(by_hand(params))
    update = jax.jit(optimizer.update) if jit else optimizer.update
    for k, gradient in enumerate(gradients):
        if k == nest.set_at:
            state = set_by_hand(state, node)
        check_records(state, node)
        expected = node.update(by_hand(gradient), by_hand(params))
        updates, after = update(gradient, state, params)
        if not {"sam", "if finite"} <= set(nest.around):  # whose flags turn into integers inside of sam
            assert [x.dtype for x in jax.tree.leaves(after)] == [x.dtype for x in jax.tree.leaves(state)]
        state = after
        for name in NAMES:
            near(nest, updates[name], expected[name], params[name], f"update {k} of {name}")
        params = optax.apply_updates(params, updates)
    check_records(state, node)
    check_masters(state, node)


def near(nest, value, expected, param, what):
    wide = {"rtol": 1e-4, "atol": 3e-6}
    narrow = {"rtol": 2.0**-6, "atol": 2.0**-7 * np.abs(np.asarray(param, np.float64)).max()}
    limits = narrow if nest.narrow else wide
    np.testing.assert_allclose(np.asarray(value, np.float64), expected, **limits, err_msg=what)


def set_by_hand(state, node):
    """The rate set to 0.03, if there is one of jaxlr's."""
    if not jaxlr.learning_rates(state):
        return state
    for leaf in node.leaves():
        leaf.override = 0.03 if leaf.hears else None
    refresh(node)
    return jaxlr.set_learning_rate(state, 0.03)


def refresh(node):
    """Notes the rate that was set, with the factors of the groups."""
    told = nests.NOTHING
    while isinstance(node, nests.Around):
        told = node.told(dict.fromkeys(NAMES), told) if isinstance(node, nests.Groups) else told
        if isinstance(node, nests.Partition):
            node.other.note(told)
        node = node.inner
    if node.hears:
        node.note(told)


def check_records(state, node):
    """The rates that are read, and the count where it is read, are those of the last update."""
    heard = [leaf for leaf in node.leaves() if leaf.hears]
    expected = sorted({round(rate, 6) for leaf in heard for rate in leaf.last.values()})
    read = sorted({round(float(rate), 6) for rate in jaxlr.learning_rates(state).values()})
    np.testing.assert_allclose(read, expected, rtol=1e-5, err_msg="recorded rates")
    try:
        count = int(jaxlr.update_count(state))
    except ValueError:
        return
    assert count == node.leaves()[0].count


def check_masters(state, node):
    copies = [s for s in jax.tree.leaves(state, is_leaf=is_master) if is_master(s)]
    while isinstance(node, nests.Around):
        if isinstance(node, nests.Master):
            for name in node.copy:
                np.testing.assert_allclose(copies[0].master[name], node.copy[name], rtol=1e-4, atol=3e-4)
        node = node.inner


def is_master(node):
    return isinstance(node, jaxlr.transforms.MasterWeightsState)


def require_right(nest, jit=False):
    """Raises unless a nesting is right, or refused where that is expected."""
    if nest.refused is None:
        compare(nest, jit)
        return
    with pytest.raises(ValueError, match=nest.refused):
        built(nest)[0].init(given(nest)[0])


@pytest.fixture
def branches(monkeypatch):
    """Branches are taken where they are known, and not compiled anew at each step."""

    def cond(ready, yes, no, *operands, operand=None):
        return (yes if bool(ready) else no)(*(operands or (operand,)))

    real = jax.lax.cond
    monkeypatch.setattr(jax.lax, "cond", lambda *given, **named: (real if traced(given[0]) else cond)(*given, **named))


def traced(x):
    return isinstance(x, jax.core.Tracer)


def when(first):
    """A hundred with every run of the tests, as many again where `.ci/run` takes longer, and the others."""
    return () if first < 100 else pytest.mark.ci if first < 200 else pytest.mark.long


@pytest.mark.parametrize("first", [pytest.param(k, marks=when(k)) for k in range(0, 3000, 10)])
@pytest.mark.usefixtures("branches")
def test_a_nesting_is_right_or_refused(first):
    for seed in range(first, first + 10):
        require_right(drawn(seed))


def with_own_decays(seed):
    """A nesting with groups, whose groups have a weight decay of their own."""
    nest = drawn(seed)
    return dataclasses.replace(nest, around=tuple("own decays" if x == "groups" else x for x in nest.around))


@pytest.mark.parametrize("first", [pytest.param(k, marks=when(k)) for k in range(0, 1000, 25)])
@pytest.mark.usefixtures("branches")
def test_a_nesting_of_groups_with_own_weight_decays_is_right_or_refused(first):
    for seed in range(20_000 + first, 20_000 + first + 25):
        if "groups" in drawn(seed).around:
            require_right(with_own_decays(seed))


@pytest.mark.parametrize(
    "first", [pytest.param(k, marks=pytest.mark.ci if k < 40 else pytest.mark.long) for k in range(0, 400, 10)]
)
def test_a_compiled_nesting_is_right_or_refused(first):
    for seed in range(10_000 + first, 10_000 + first + 10):
        require_right(drawn(seed), jit=True)


def test_most_draws_are_no_refusals():
    assert sum(drawn(seed).refused is not None for seed in range(200)) < 30
