"""The torch dialect's optimizers follow torch's, also from a live optimizer and from and to a state dict of one."""

import copy
import functools
import inspect
import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr.dialects.torch import factories, from_optimizer
from jaxlr.dialects.torch import optimizers as torch_optimizers
from jaxlr.dialects.torch.saved import LINKS
from jaxlr.dialects.torch.state_dicts import load_optimizer_state, optimizer_state_dict

GOLDEN = Path(__file__).parents[1] / "golden"
TORCH = runpy.run_path(str(GOLDEN / "record_torch_dialect_optimizers.py"))
CASES, COUNTS, SAVED_AT = TORCH["CASES"], list(TORCH["COUNTS"]), TORCH["SAVED_AT"]
recorded = TORCH["recorded"]
FACTORIES = factories.FACTORIES
RATES = jnp.asarray([TORCH["rate"](count) for count in range(COUNTS[-1])], jnp.float32)
ONE_CYCLE_NAMES = [("dense/kernel", (1, 0)), "dense.bias"]
UNCOUNTED = {"sgd nesterov": SAVED_AT}  # torch's SGD does not save its count


def rate(count):
    return RATES[count]


def port(name, lr=rate):
    kind, arguments = CASES[name]
    return FACTORIES[kind](lr, **arguments)


@functools.cache
def runner(optimizer):
    """The program of `walk`, compiled once for an optimizer and a number of updates."""

    def step(carry, gradient):
        params, state = carry
        updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    return jax.jit(lambda params, state, gradients: jax.lax.scan(step, (params, state), gradients))


def walk(optimizer, params, state, gradients):
    """The parameters before the first of these updates and after each, and the last state."""
    (_, state), path = runner(optimizer)(params, state, gradients)
    return jax.tree.map(lambda first, rest: np.concatenate([first[None], rest]), params, path), state


def live(name, groups):
    """Stands in for one of torch's optimizers."""
    return type(name, (), {"__module__": f"torch.optim.{name.lower()}", "param_groups": groups})()


# Paths


def distance(name):
    """From the recorded path, as a share of the distance travelled; and the last state."""
    first, gradients = map(jnp.asarray, TORCH["problem"]())
    *path, travel = recorded(name)["path"]
    optimizer = port(name)
    got, state = walk(optimizer, first, optimizer.init(first), gradients)
    return (np.abs(got[COUNTS].astype(np.float64) - path).max(axis=0) / travel).max(), state


@pytest.mark.parametrize("name", CASES)
def test_follows_the_recorded_path_of_torch(name):
    worst, state = distance(name)
    assert worst < 2e-5
    assert jaxlr.current_learning_rate(state) == RATES[-1]


@pytest.mark.parametrize("name", CASES)
def test_follows_torch_live(name):
    pytest.importorskip("torch")
    first, gradients = TORCH["problem"]()
    path = TORCH["walk"](*TORCH["start"](name, first), gradients, 0)
    optimizer = port(name)
    got, _ = walk(optimizer, jnp.asarray(first), optimizer.init(jnp.asarray(first)), jnp.asarray(gradients))
    assert (np.abs(got.astype(np.float64) - path).max(axis=0) / TORCH["travel"](path)).max() < 2e-5


@pytest.mark.parametrize("name", FACTORIES)
def test_has_the_arguments_of_torch(name):
    torch = pytest.importorskip("torch")
    theirs = [p.replace(annotation="") for p in inspect.signature(getattr(torch.optim, name)).parameters.values()]
    own = [p.replace(annotation="") for p in inspect.signature(FACTORIES[name]).parameters.values()]
    assert own == theirs[1:]


@pytest.mark.parametrize("name", FACTORIES)
def test_the_rate_can_be_read_and_set(name):
    known = inspect.signature(FACTORIES[name]).parameters
    optimizer = FACTORIES[name](**{option: True for option in ("maximize", "foreach") if option in known})
    params = jnp.ones((1, 3), jnp.bfloat16)
    state = optimizer.init(params)
    default = known["lr"].default
    # Rprop's rate is a factor on its step sizes, and `lr` the first of those.
    assert jaxlr.current_learning_rate(state) == np.float32(1.0 if name == "Rprop" else default)
    updates, _ = optimizer.update(params, state, params)
    assert updates.dtype == jnp.bfloat16
    assert ((updates > 0) if "maximize" in known else (updates < 0)).all()
    still, state = optimizer.update(params, jaxlr.set_learning_rate(state, 0.0), params)
    assert jaxlr.current_learning_rate(state) == 0.0
    assert not still.any()


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "RAdam", "Adamax", "SGD", "RMSprop"])
def test_the_momentum_may_be_a_schedule(name):
    share = jaxlr.linear(0.5, 0.75, 1)
    arguments = {"momentum": share} if name in ("SGD", "RMSprop") else {"betas": (share, 0.999)}
    optimizer = FACTORIES[name](**arguments)
    state = optimizer.init(jnp.ones(2))
    for _ in range(2):
        _, state = optimizer.update(jnp.ones(2), state, jnp.ones(2))
    values = jaxlr.current_hyperparameters(state)
    assert values.get("momentum", values.get("b1")) == 0.75


# Wrong arguments

WRONG = {
    "lr": (lambda: torch_optimizers.SGD(-0.1), ValueError, r"lr must be .* got -0\.1"),
    "lr text": (lambda: torch_optimizers.SGD("fast"), TypeError, "lr must be a real number, got 'fast'"),
    "momentum": (lambda: torch_optimizers.SGD(momentum=1.0), ValueError, r"momentum must be .* got 1\.0"),
    "nesterov": (lambda: torch_optimizers.SGD(nesterov=True), ValueError, "nesterov needs a momentum above 0"),
    "damped": (
        lambda: torch_optimizers.SGD(momentum=0.9, dampening=0.1, nesterov=True),
        ValueError,
        "nesterov needs .* a dampening of 0, got 0.9 and 0.1",
    ),
    "alpha": (lambda: torch_optimizers.RMSprop(alpha=1.5), ValueError, r"alpha must be .* got 1\.5"),
    "betas": (lambda: torch_optimizers.Adam(betas=0.9), TypeError, "betas must be a pair of numbers.* got 0.9"),
    "b2": (lambda: torch_optimizers.Adamax(betas=(0.9, 1.0)), ValueError, r"betas\[1\] must be .* got 1\.0"),
    "lr_decay": (lambda: torch_optimizers.Adagrad(lr_decay=-1), ValueError, "lr_decay must be .* got -1"),
    "accumulator": (
        lambda: torch_optimizers.Adagrad(initial_accumulator_value=-1),
        ValueError,
        "initial_accumulator_value must be .* got -1",
    ),
    "maximize": (lambda: torch_optimizers.Adam(maximize=1), ValueError, "maximize must be one of False, True, got 1"),
    "fused": (lambda: torch_optimizers.Adam(fused="yes"), ValueError, "fused must be one of None, False, True"),
    "misspelt": (lambda: torch_optimizers.AdamW(beta1=0.9), TypeError, "beta1"),
    "unknown class": (
        lambda: from_optimizer(live("LBFGS", [])),
        TypeError,
        "must be one of torch.optim's .*SGD, .*, got torch.optim.lbfgs.LBFGS",
    ),
    "class of another package": (lambda: from_optimizer(optax.sgd(0.1)), TypeError, "must be one of torch.optim's"),
}


@pytest.mark.parametrize(("make", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_with_its_value(make, error, message):
    with pytest.raises(error, match=message):
        make()


# Live optimizers


@pytest.mark.parametrize("name", TORCH["SAVED"])
def test_a_live_optimizer_comes_back_as_its_factory(name):
    groups = TORCH["unflat"](recorded(name))["param_groups"]
    params = jnp.ones(3)

    def program(optimizer):
        return str(jax.make_jaxpr(optimizer.update)(params, optimizer.init(params), params))

    assert program(from_optimizer(live(CASES[name][0], groups), 0.25)) == program(port(name, 0.25))
    assert program(from_optimizer(live(CASES[name][0], groups))) == program(port(name, groups[0]["lr"]))
    assert program(from_optimizer(live(CASES[name][0], groups), 0.5)) != program(port(name, 0.25))


@pytest.mark.parametrize("name", [*LINKS, "AdamW"])
def test_a_run_goes_on_live_and_back(name):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    arguments = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    make = getattr(torch.optim, name)
    theirs = make(model.named_parameters(), lr=torch.tensor(0.01), weight_decay=0.1, **arguments)
    names = {"weight": ("kernel", (1, 0)), "bias": "bias"}

    def here(gradient=False):
        weight, bias = ((p.grad if gradient else p).detach().numpy().copy() for p in model.parameters())
        return {"kernel": jnp.asarray(weight.T), "bias": jnp.asarray(bias)}

    def step():
        theirs.zero_grad()
        (model(torch.ones(1, 3)) ** 2).sum().backward()
        theirs.step()

    for _ in range(7):
        step()
    optimizer, params = from_optimizer(theirs), here()
    count = 7 if name == "SGD" else None
    state = load_optimizer_state(optimizer.init(params), theirs.state_dict(), names=names, count=count)
    for _ in range(3):
        step()
        updates, state = optimizer.update(here(gradient=True), state, params)
        params = optax.apply_updates(params, updates)
    jax.tree.map(lambda own, wanted: np.testing.assert_allclose(own, wanted, rtol=1e-5, atol=1e-6), params, here())

    expected = theirs.state_dict()
    other = make(model.named_parameters(), lr=0.5, weight_decay=0.1, **arguments)
    other.load_state_dict(optimizer_state_dict(state, other.state_dict(), names=names, tensor=torch.tensor))
    given = other.state_dict()
    assert given["param_groups"][0]["lr"] == pytest.approx(0.01)
    for index, entry in expected["state"].items():
        assert given["state"][index].keys() == entry.keys()
        for field, value in entry.items():
            np.testing.assert_allclose(given["state"][index][field], value, rtol=1e-5, atol=1e-7)
    other.step()


@pytest.mark.parametrize("spelling", [["body.weight", "body.bias"], None, {"b": "body/bias", "w": "body/weight"}])
def test_two_groups_come_back_as_two(spelling):
    (group,) = TORCH["unflat"](recorded("adamw"))["param_groups"]
    weight = {
        **group,
        "lr": np.float32(0.5),
        "weight_decay": 0.25,
        "params": ["weight"],
        "param_names": ["body.weight"],
    }
    bias = {**group, "lr": 0.125, "weight_decay": 0.0, "params": ["bias"], "param_names": ["body.bias"]}
    if isinstance(spelling, dict):
        weight["param_names"], bias["param_names"] = ["w"], ["b"]
    params = {"body": {"weight": jnp.ones((2, 2)), "bias": jnp.ones(2)}}
    optimizer = from_optimizer(live("AdamW", [weight, bias]), names=spelling)
    state = optimizer.init(params)
    assert jaxlr.learning_rates(state) == {"group0": 0.5, "group1": 0.125}
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, params), state, params)
    np.testing.assert_array_equal(updates["body"]["weight"], np.full((2, 2), -0.125))
    np.testing.assert_array_equal(updates["body"]["bias"], np.zeros(2))
    scheduled = from_optimizer(live("AdamW", [weight, bias]), [0.75, jaxlr.constant(0.5)], names=spelling)
    assert jaxlr.learning_rates(scheduled.init(params)) == {"group0": 0.75, "group1": 0.5}


def two_groups(**changes):
    (group,) = TORCH["unflat"](recorded("adamw"))["param_groups"]
    return [{**group, "params": [0]}, {**group, **changes, "params": [1]}]


PARAMS = {"w": jnp.ones(2), "b": jnp.ones(2)}
WRONG_GROUPS = {
    "no names": (lambda: from_optimizer(live("AdamW", two_groups())), ValueError, "names must list .* 2 parameters"),
    "too few": (
        lambda: from_optimizer(live("AdamW", two_groups()), names=["w"]),
        ValueError,
        "each of .* 2 parameters",
    ),
    "text": (lambda: from_optimizer(live("AdamW", two_groups()), names="wb"), TypeError, "names must be a list of"),
    "number": (lambda: from_optimizer(live("AdamW", two_groups()), names=["w", 1]), TypeError, "must hold names, .* 1"),
    "axes": (
        lambda: from_optimizer(live("AdamW", two_groups()), names=["w", ("b", (1, 2))]),
        TypeError,
        "pairs of a name and axes",
    ),
    "twice": (lambda: from_optimizer(live("AdamW", two_groups()), names=["w", "w"]), ValueError, "got w several times"),
    "unknown to the mapping": (
        lambda: from_optimizer(live("AdamW", [g | {"param_names": ["x"]} for g in two_groups()]), names={"w": "w"}),
        ValueError,
        "no entry for torch's x; it has w",
    ),
    "parameter in no group": (
        lambda: from_optimizer(live("AdamW", two_groups()), names=["w", "bb"]).init(PARAMS),
        ValueError,
        "no group of the optimizer has the parameter b; the nearest bb",
    ),
    "another order": (
        lambda: from_optimizer(
            live(
                "AdamW", [g | {"params": [np.zeros(shape)]} for g, shape in zip(two_groups(), [(3, 2), 2], strict=True)]
            ),
            names=["b", "w"],
        ).init({"w": jnp.ones((2, 3)), "b": jnp.ones(2)}),
        ValueError,
        r"names must be in the order of .* groups: b has the shape \(2,\) here, and \(3, 2\) in torch's group0",
    ),
    "schedules": (
        lambda: from_optimizer(live("AdamW", two_groups()), [0.1], names=["w", "b"]),
        ValueError,
        "schedule must be one, or one for each of the 2 groups, got 1",
    ),
    "momentum": (
        lambda: from_optimizer(
            live("Adagrad", TORCH["unflat"](recorded("adagrad lr_decay"))["param_groups"]), momentum=0.9
        ),
        ValueError,
        "momentum must be None for Adagrad",
    ),
    "version": (
        lambda: from_optimizer(live("Adam", [{"params": [0], "lr": 0.1, "betas": (0.9, 0.999)}])),
        ValueError,
        "no parameter group of Adam as torch 2.14 writes it: it lacks eps, weight_decay",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), WRONG_GROUPS.values(), ids=WRONG_GROUPS)
def test_groups_that_cannot_be_read_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


# State dicts


@pytest.mark.parametrize("name", TORCH["SAVED"])
def test_a_state_dict_goes_on_as_in_torch(name):
    arrays = recorded(name)
    gradients = TORCH["problem"]()[1]
    *path, travel = arrays["path"]
    middle = COUNTS.index(SAVED_AT)
    optimizer, params = port(name), {"w": jnp.asarray(path[middle])}
    saved = TORCH["unflat"](arrays)
    state = load_optimizer_state(optimizer.init(params), saved, names=["w"], count=UNCOUNTED.get(name))
    assert jaxlr.current_learning_rate(state) == np.float32(saved["param_groups"][0]["lr"])
    got, _ = walk(optimizer, params, state, {"w": jnp.asarray(gradients[SAVED_AT:])})
    after = [count - SAVED_AT for count in COUNTS[middle:]]
    assert (np.abs(got["w"][after].astype(np.float64) - path[middle:]).max(axis=0) / travel).max() < 1e-5


@pytest.mark.parametrize("name", TORCH["SAVED"])
def test_a_state_dict_goes_there_and_back_unchanged(name):
    saved = TORCH["unflat"](recorded(name))
    params = {"w": jnp.zeros(16)}
    state = load_optimizer_state(port(name).init(params), saved, names=["w"], count=UNCOUNTED.get(name))
    back = optimizer_state_dict(state, saved, names=["w"])
    assert back["state"].keys() == saved["state"].keys()
    for field, value in saved["state"][0].items():
        assert back["state"][0][field].dtype == value.dtype
        np.testing.assert_array_equal(back["state"][0][field], value)
    assert list(map(plain, back["param_groups"])) == list(map(plain, saved["param_groups"]))


def plain(group):
    return {key: list(value) if isinstance(value, tuple) else value for key, value in group.items()}


@pytest.mark.parametrize("name", [name for name in FACTORIES if name not in {*LINKS, "AdamW"}])
def test_a_state_dict_that_cannot_be_read_is_named(name):
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.ones(2, 2))
    theirs = getattr(torch.optim, name)([weight])
    weight.grad = torch.ones(2, 2)
    theirs.step()
    params = {"w": jnp.ones((2, 2))}
    updates, state = from_optimizer(theirs).update(params, from_optimizer(theirs).init(params), params)
    assert updates["w"].shape == (2, 2)
    with pytest.raises(ValueError, match=r"state_dict is of none of torch's SGD, .* and AdamW: its groups hold"):
        load_optimizer_state(state, theirs.state_dict(), names=["w"])


@functools.cache
def one_cycle():
    """AdamW and OneCycleLR as torch ran them: the optimizer, the rates of the groups, and the momentum."""
    rates = [jaxlr.one_cycle(rate, TORCH["ONE_CYCLE_UPDATES"]) for rate in TORCH["ONE_CYCLE_RATES"]]
    momentum = jaxlr.one_cycle_momentum(TORCH["ONE_CYCLE_UPDATES"])
    groups = TORCH["unflat"](recorded("one cycle"))["param_groups"]
    return from_optimizer(live("AdamW", groups), rates, momentum=momentum, names=ONE_CYCLE_NAMES), rates, momentum


def as_tree(rows):
    """Parameters or gradients in a row as the tree here, the weight transposed."""
    kernel = rows[..., :12].reshape(*rows.shape[:-1], 3, 4).swapaxes(-1, -2)
    return {"dense": {"bias": jnp.asarray(rows[..., 12:]), "kernel": jnp.asarray(kernel)}}


def as_rows(tree):
    kernel = np.asarray(tree["dense"]["kernel"]).swapaxes(-1, -2)
    return np.concatenate([kernel.reshape(*kernel.shape[:-2], 12), tree["dense"]["bias"]], axis=-1)


def test_a_torch_run_stopped_in_the_middle_goes_on():
    arrays = recorded("one cycle")
    optimizer, _, _ = one_cycle()
    params = as_tree(arrays["late"][0])
    state = load_optimizer_state(optimizer.init(params), TORCH["unflat"](arrays), names=ONE_CYCLE_NAMES)
    got, _ = walk(optimizer, params, state, as_tree(arrays["gradients"][SAVED_AT:]))
    difference = np.abs(as_rows(got)[::10].astype(np.float64) - arrays["late"]).max(axis=0)
    assert (difference / arrays["travel"]).max() < 1e-5


def half_way(arrays):
    """The first half run here: the parameters and the state dict for torch."""
    optimizer, rates, momentum = one_cycle()
    params = as_tree(arrays["first"])
    path, state = walk(optimizer, params, optimizer.init(params), as_tree(arrays["gradients"][:SAVED_AT]))
    like = copy.deepcopy(TORCH["unflat"](arrays))
    for group in like["param_groups"]:
        group.update(lr=1e-9, betas=[0.5, group["betas"][1]])
    return as_rows(path)[-1], state, like, {"names": ONE_CYCLE_NAMES, "schedule": rates, "momentum": momentum}


def test_a_run_stopped_here_gives_torch_the_state_that_torch_had():
    arrays = recorded("one cycle")
    params, state, like, options = half_way(arrays)
    np.testing.assert_allclose(params, arrays["late"][0], rtol=1e-5, atol=1e-6)
    given, expected = optimizer_state_dict(state, like, **options), TORCH["unflat"](arrays)
    assert given["state"].keys() == expected["state"].keys()
    for index, entry in expected["state"].items():
        assert given["state"][index].keys() == entry.keys()
        for field, value in entry.items():
            np.testing.assert_allclose(given["state"][index][field], value, rtol=1e-5, atol=1e-12)
    for group, wanted in zip(given["param_groups"], expected["param_groups"], strict=True):
        np.testing.assert_allclose([group["lr"], *group["betas"]], [wanted["lr"], *wanted["betas"]], rtol=1e-6)
        assert {k: v for k, v in group.items() if k not in ("lr", "betas")} == {
            k: v for k, v in wanted.items() if k not in ("lr", "betas")
        }


def test_torch_goes_on_live_where_a_run_here_stopped():
    torch = pytest.importorskip("torch")
    arrays = recorded("one cycle")
    params, state, _, options = half_way(arrays)
    parameters, optimizer, scheduler = TORCH["one_cycle_start"](params)
    given = optimizer_state_dict(state, optimizer.state_dict(), tensor=torch.tensor, **options)
    optimizer.load_state_dict(given)
    scheduler.load_state_dict(scheduler.state_dict() | {"last_epoch": SAVED_AT, "_step_count": SAVED_AT + 1})
    got = TORCH["one_cycle_walk"](parameters, optimizer, scheduler, arrays["gradients"][SAVED_AT:])
    difference = np.abs(got[::10].astype(np.float64) - arrays["late"]).max(axis=0)
    assert (difference / arrays["travel"]).max() < 1e-5


def test_before_the_first_update_torch_gets_no_state():
    saved = TORCH["unflat"](recorded("sgd nesterov"))
    state = port("sgd nesterov").init({"w": jnp.ones(16)})
    assert optimizer_state_dict(state, saved, names=["w"])["state"] == {}


@pytest.mark.parametrize(
    "write", [jaxlr.set_learning_rate, lambda state, rate: optax.tree.set(state, learning_rate=rate)]
)
def test_a_rate_set_by_hand_goes_to_torch(write):
    saved = TORCH["unflat"](recorded("adamw"))
    params = {"w": jnp.ones(16)}
    state = write(jaxlr.set_learning_rate(port("adamw").init(params), 0.75), 0.25)
    for each in (state, port("adamw").update(params, state, params)[1]):
        (group,) = optimizer_state_dict(each, saved, names=["w"])["param_groups"]
        assert group["lr"] == 0.25


def load(into="adamw", params=None, names=("w",), count=None, source="adamw", **changes):
    saved = TORCH["unflat"](recorded(source))
    saved["state"][0].update(changes)
    params = {"w": jnp.zeros(16)} if params is None else params
    return load_optimizer_state(port(into).init(params), saved, names=list(names), count=count)


WRONG_STATE_DICTS = {
    "another optimizer": (
        lambda: load(source="adagrad lr_decay"),
        ValueError,
        "is of torch's Adagrad, but the optimizer state here has ScaleByAdamState",
    ),
    "a relative": (lambda: load(source="radam l2"), ValueError, "torch's RAdam, but .* ScaleByAdamState"),
    "sgd without momentum": (
        lambda: load(source="sgd nesterov", into="sgd", count=50),
        ValueError,
        r"state of w has momentum_buffer, and the optimizer here nothing: .*momentum",
    ),
    "amsgrad": (lambda: load(source="adam amsgrad"), ValueError, "has exp_avg, exp_avg_sq, max_exp_avg_sq, and .*ams"),
    "another version": (
        lambda: load(cautious=np.zeros(16)),
        ValueError,
        "cautious.* another version of torch than 2.13 or 2.14",
    ),
    "jaxlr's own": (
        lambda: load_optimizer_state(port("adam").init(PARAMS), jaxlr.state_dict(port("adam").init(PARAMS))),
        TypeError,
        "state_dict must be what a torch optimizer's state_dict",
    ),
    "an unknown optimizer": (
        lambda: load_optimizer_state((), {"state": {}, "param_groups": [{"params": [0], "lr": 1.0, "rho": 0.9}]}),
        ValueError,
        "none of torch's SGD, .* AdamW: its groups hold lr, params, rho",
    ),
    "count": (lambda: load(count=3), ValueError, "count must be None or 50, .* got 3"),
    "no count": (
        lambda: load(source="sgd nesterov", into="sgd nesterov"),
        ValueError,
        "count must be given: torch's SGD",
    ),
    "shape": (
        lambda: load(params={"w": jnp.zeros((4, 4))}),
        ValueError,
        r"has the shape \(16,\), and here it has \(4, 4\)",
    ),
    "unnamed": (
        lambda: load(params={"v": jnp.zeros(16)}),
        ValueError,
        "names has no v, a parameter here; the near.* w",
    ),
    "a name too many, before the first update": (
        lambda: load_optimizer_state(
            port("adam").init({"w": jnp.zeros(1)}),
            {"state": {}, "param_groups": [{**two_groups()[0], "params": [1, 2]}]},
            names=["w", "v"],
        ),
        ValueError,
        "names has v, which is no parameter here; the nearest are w",
    ),
    "counts that differ": (
        lambda: load_optimizer_state(
            port("adam").init({"w": jnp.zeros(1), "v": jnp.zeros(1)}),
            {
                "state": {
                    i: {"step": np.float32(i), "exp_avg": np.zeros(1), "exp_avg_sq": np.zeros(1)} for i in (1, 2)
                },
                "param_groups": [{**two_groups()[0], "params": [1, 2]}],
            },
            names=["w", "v"],
        ),
        ValueError,
        r"have been updated \[1, 2\] times; here all have one count",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), WRONG_STATE_DICTS.values(), ids=WRONG_STATE_DICTS)
def test_a_state_dict_that_does_not_fit_says_why(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_parameter_that_torch_never_updated_has_no_count_under_which_it_could_begin():
    saved = TORCH["unflat"](recorded("adamw"))
    saved["param_groups"][0]["params"] = [0, 1]
    params, names = {"w": jnp.zeros(16), "unused": jnp.zeros(3)}, ["w", "unused"]
    with pytest.raises(ValueError, match=r"no entry for unused, .*: leave it out with ParameterGroups\(frozen=..."):
        load_optimizer_state(port("adamw").init(params), saved, names=names)
    without = jaxlr.ParameterGroups(frozen=["unused"]).wrap(port("adamw"))
    moments = jaxlr.state_dict(load_optimizer_state(without.init(params), saved, names=names))
    np.testing.assert_array_equal(moments["trained:scale_by_adam/mu/w"], saved["state"][0]["exp_avg"])


def test_a_parameter_that_torch_never_updated_begins_with_a_buffer_of_zeros():
    saved = TORCH["unflat"](recorded("sgd nesterov"))
    saved["param_groups"][0]["params"] = [0, 1]
    params = {"w": jnp.zeros(16), "unused": jnp.zeros(3)}
    state = load_optimizer_state(port("sgd nesterov").init(params), saved, names=["w", "unused"], count=5)
    assert not jaxlr.state_dict(state)["scale_by_momentum/buffer/unused"].any()


def test_loading_keeps_one_trace_and_every_dtype():
    optimizer, params = port("nadam l2"), {"w": jnp.zeros(16)}
    fresh = optimizer.init(params)
    loaded = load_optimizer_state(fresh, TORCH["unflat"](recorded("nadam l2")), names=["w"])
    traces = []

    @jax.jit
    def step(state):
        traces.append(None)
        return optimizer.update(params, state, params)[1]

    jax.tree.map(lambda a, b: np.testing.assert_equal((a.dtype, a.shape), (b.dtype, b.shape)), fresh, loaded)
    step(step(loaded))
    step(fresh)
    assert len(traces) == 1


@pytest.mark.parametrize("kind", FACTORIES)
def test_a_tensor_of_one_number_is_that_number(kind):
    torch = pytest.importorskip("torch")
    tensors, numbers = {"lr": torch.tensor(1e-3)}, {"lr": float(np.float32(1e-3))}
    known = inspect.signature(FACTORIES[kind]).parameters
    if "weight_decay" in known:
        tensors["weight_decay"], numbers["weight_decay"] = torch.tensor(0.25), 0.25
    if "betas" in known:
        tensors["betas"], numbers["betas"] = (torch.tensor(0.5), torch.tensor([0.75])), (0.5, 0.75)
    params, gradient = jnp.array([[1.0, -2.0]]), jnp.array([[0.5, 0.25]])
    updates = []
    for arguments in (tensors, numbers):
        optimizer = FACTORIES[kind](**arguments)
        updates.append(optimizer.update(gradient, optimizer.init(params), params)[0])
    np.testing.assert_array_equal(*updates)
    with pytest.raises(TypeError, match="lr must be a real number, got tensor"):
        FACTORIES[kind](lr=torch.ones(2))
