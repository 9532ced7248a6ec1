"""The dialect of Keras follows Keras: schedules, plateau, optimizers and configurations; what it lacks, it names."""

import os
import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr.dialects import keras as dialect

GOLDEN = Path(__file__).parents[1] / "golden"
RECORD = runpy.run_path(str(GOLDEN / "record_keras.py"))
SCHEDULES = list(RECORD["DRAW"])
LONG = np.arange(RECORD["STEPS"], dtype=np.int32)


def live_keras():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras")


# Schedules


def curve(name, arguments, at):
    return np.asarray(getattr(dialect, name)(**arguments)(np.asarray(at, np.int32)), np.float64)


def worst(name, arguments, at, source):
    """The largest distance over the peak; where Keras' logarithm misses a restart, the dialect has the new peak."""
    ours = curve(name, arguments, at)
    distances = np.abs(ours - source) / source.max()
    if name == "CosineDecayRestarts":
        missed = RECORD["misses_a_restart"](arguments, at) & (distances > 1e-3)
        assert (ours[missed] > source[missed]).all()
        distances[missed] = 0.0
    return distances.max()


def recorded_differences(name):
    """The difference from the recorded rates and the arguments, for each draw."""
    with np.load(GOLDEN / "keras_schedules.npz") as golden:
        assert str(golden["keras"]).startswith("3.15.1")
        recorded = golden[name]
    for arguments, source in zip(RECORD["draws"](name), recorded, strict=True):
        yield worst(name, arguments, RECORD["counts"](arguments), source), arguments


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_follow_the_recorded_ones(name):
    for found, arguments in recorded_differences(name):
        assert found <= 1e-6, arguments


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_follow_keras_live(name):
    live_keras()
    for arguments in RECORD["draws"](name):
        assert worst(name, arguments, LONG, RECORD["record_schedule"](name, arguments, LONG)) <= 1e-6


def test_the_dialect_is_sound_where_compiled_keras_is_not():
    """At multiples of decay_steps compiled Keras drops late, or has NaN; found with Keras 3.15.1 on JAX 0.10.2."""
    drop = dialect.ExponentialDecay(1.0, 194, 0.5, staircase=True)
    assert [float(drop(n)) for n in (193, 194, 195)] == [1.0, 0.5, 0.5]
    end = dialect.PolynomialDecay(1.0, 1000, end_learning_rate=0.25, power=0.9)
    assert [float(end(n)) for n in (1000, 1001)] == [0.25, 0.25]


# Optimizers


def walk(optimizer, first, gradients):
    """The parameters before the first update and after each, as two arrays side by side."""

    def step(carry, gradient):
        params, state = carry
        updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    first, gradients = (list(map(jnp.asarray, RECORD["halves"](array))) for array in (first, gradients))
    run = jax.jit(lambda params, state: jax.lax.scan(step, (params, state), gradients)[1])
    path = jnp.concatenate(run(first, optimizer.init(first)), axis=1)
    return np.concatenate([jnp.concatenate(first)[None], path])


def port(name):
    kind, arguments = RECORD["OPTIMIZERS"][name]
    table = jnp.asarray([RECORD["rate"](count) for count in range(RECORD["UPDATES"])], jnp.float32)
    return getattr(dialect, kind)(lambda count: table[count], **arguments)


def distance(name):
    """From the recorded path, as a share of the distance travelled."""
    with np.load(GOLDEN / "keras_optimizers.npz") as golden:
        assert str(golden["keras"]).startswith("3.15.1")
        reference, travel = golden[name], golden[f"{name} travel"]
    path = walk(port(name), *RECORD["problem"]())[RECORD["KEPT_UPDATES"]]
    return (np.abs(path - reference).max(axis=0) / travel).max()


@pytest.mark.parametrize("name", RECORD["OPTIMIZERS"])
def test_optimizers_follow_the_recorded_paths(name):
    assert distance(name) < 2e-5


@pytest.mark.parametrize("name", RECORD["OPTIMIZERS"])
def test_optimizers_follow_keras_live(name):
    live_keras()
    reference = RECORD["record_optimizer"](name)
    path = walk(port(name), *RECORD["problem"]())
    assert (np.abs(path - reference).max(axis=0) / RECORD["travel"](reference)).max() < 2e-5


def test_every_optimizer_is_recorded():
    optimizers = {"SGD", "RMSprop", "Adam", "AdamW", "Nadam", "Adamax", "Adagrad", "Adadelta"}
    assert {kind for kind, _ in RECORD["OPTIMIZERS"].values()} == optimizers


MAKE = {
    "SGD": lambda rate: dialect.SGD(rate, momentum=0.9, nesterov=True, weight_decay=0.01, clipnorm=1.0),
    "RMSprop": lambda rate: dialect.RMSprop(rate, momentum=0.9, centered=True, weight_decay=0.01),
    "Adam": lambda rate: dialect.Adam(rate, amsgrad=True, weight_decay=0.01, clipvalue=1.0),
    "Nadam": lambda rate: dialect.Nadam(rate, global_clipnorm=1.0),
    "Adamax": lambda rate: dialect.Adamax(rate),
    "Adagrad": lambda rate: dialect.Adagrad(rate),
    "Adadelta": lambda rate: dialect.Adadelta(rate),
}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_one_trace_in_bfloat16(make):
    params = {"kernel": jnp.ones((3, 2), jnp.bfloat16), "bias": jnp.zeros(2, jnp.bfloat16)}
    optimizer = make(jaxlr.cosine(0.1, 10))
    traces = []

    @jax.jit
    def step(params, state):
        traces.append(None)
        updates, state = optimizer.update(jax.tree.map(jnp.ones_like, params), state, params)
        return optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    kinds = jax.tree.map(lambda leaf: (leaf.dtype, leaf.shape), state)
    for _ in range(3):
        params, state = step(params, state)
        assert jax.tree.map(lambda leaf: (leaf.dtype, leaf.shape), state) == kinds
    assert len(traces) == 1
    assert jax.tree.leaves(params)[0].dtype == jnp.bfloat16


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_one_rate_is_recorded_watched_and_set(make):
    params = jnp.ones(2)
    optimizer = make(dialect.ReduceLROnPlateau(1.0, factor=0.5, patience=1))
    state = jaxlr.observe(jaxlr.observe(optimizer.init(params), 1.0), 1.0)
    _, state = optimizer.update(jnp.ones(2), state, params)
    assert float(jax.jit(jaxlr.current_learning_rate)(state)) == 0.5
    _, state = optimizer.update(jnp.ones(2), jaxlr.set_learning_rate(state, 0.25), params)
    assert float(jaxlr.current_learning_rate(state)) == 0.25


def test_the_decay_beside_a_momentum_follows_the_mask_and_accumulation():
    params = {"kernel": jnp.ones(1), "bias": jnp.ones(1)}
    optimizer = dialect.SGD(0.5, momentum=0.5, weight_decay=0.25, mask={"kernel": True, "bias": False})
    accumulated = jaxlr.accumulate(optimizer, 2)
    state = accumulated.init(params)
    for _ in range(2):
        updates, state = accumulated.update({"kernel": jnp.ones(1), "bias": jnp.ones(1)}, state, params)
    assert float(updates["kernel"][0]) == -0.5 - 0.125
    assert float(updates["bias"][0]) == -0.5


# Reduce on plateau, whose cuts tests/transforms/test_transforms_plateau.py compares with Keras' one by one


@pytest.mark.parametrize(
    ("arguments", "metrics", "expected"),
    [
        ({"patience": 2}, [3.0, 3.0, 3.0], 0.1),
        ({"patience": 2, "min_delta": -1.0, "factor": 0.5}, [3.0, 2.5, 2.4], 0.5),
        ({"patience": 1, "monitor": "val_accuracy"}, [0.5, 0.6, 0.7], 1.0),
        ({"patience": 1, "monitor": "val_accuracy", "mode": "min", "min_lr": 0.25}, [0.5, 0.6, 0.7], 0.25),
    ],
    ids=["defaults", "a negative min_delta", "an accuracy rises", "mode before monitor"],
)
def test_reduce_on_plateau(arguments, metrics, expected):
    optimizer = dialect.SGD(dialect.ReduceLROnPlateau(1.0, **arguments))
    state = optimizer.init(jnp.zeros(1))
    for metric in metrics:
        state = jaxlr.observe(state, metric)
    _, state = optimizer.update(jnp.ones(1), state)
    assert float(jaxlr.current_learning_rate(state)) == pytest.approx(expected)


# Configurations

COSINE = {
    "module": "keras.optimizers.schedules",
    "class_name": "CosineDecay",
    "config": {
        "initial_learning_rate": 0.1,
        "decay_steps": 10,
        "alpha": 0.0,
        "name": "CosineDecay",
        "warmup_target": None,
        "warmup_steps": 0,
    },
    "registered_name": None,
}
SHARED = {
    "name": "adam_w_3",
    "learning_rate": COSINE,
    "weight_decay": 0.004,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
ADAMW = {**SHARED, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": False}


@pytest.mark.parametrize(
    ("config", "class_name"),
    [(COSINE, None), (COSINE["config"], None), (COSINE["config"], "CosineDecay"), (COSINE, "CosineDecay")],
    ids=["serialized", "get_config", "get_config with the class", "both"],
)
def test_a_schedule_from_its_config(config, class_name):
    schedule = dialect.from_config(config, class_name)
    assert schedule.to_dict() == jaxlr.cosine(0.1, 10).to_dict()


@pytest.mark.parametrize("config", [ADAMW, {"class_name": "AdamW", "config": ADAMW}], ids=["get_config", "serialized"])
def test_an_optimizer_from_its_config(config):
    optimizer = dialect.from_config(config)
    params = jnp.ones(1)
    updates, state = optimizer.update(jnp.ones(1), optimizer.init(params), params)
    assert float(jaxlr.current_learning_rate(state)) == np.float32(0.1)
    assert float(updates[0]) == pytest.approx(-0.1 * (1 / (1 + 1e-7 / np.sqrt(1e-3)) + 0.004))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, under NumPy 2
def test_every_config_of_keras_live_comes_back():
    keras = live_keras()
    for name in SCHEDULES:
        for arguments in RECORD["draws"](name)[:3]:
            live = getattr(keras.optimizers.schedules, name)(**arguments)
            ours = getattr(dialect, name)(**arguments).to_dict()
            assert dialect.from_config(live.get_config()).to_dict() == ours
            assert dialect.from_config(keras.optimizers.schedules.serialize(live)).to_dict() == ours
    for kind, arguments in RECORD["OPTIMIZERS"].values():
        live = getattr(keras.optimizers, kind)(**arguments)
        for config in (live.get_config(), keras.optimizers.serialize(live)):
            got = dialect.from_config(config).init(jnp.ones(2))
            wanted = getattr(dialect, kind)(**arguments).init(jnp.ones(2))
            assert jax.tree.structure(got) == jax.tree.structure(wanted)
            assert all(jax.tree.leaves(jax.tree.map(np.array_equal, got, wanted)))


# Numbers as data, and what is refused


def test_numbers_may_be_traced():
    def rates(first, alpha, steps):
        return dialect.CosineDecay(first, steps, alpha=alpha, warmup_target=2 * first, warmup_steps=steps)(LONG)

    expected = rates(0.1, 0.25, 40)
    np.testing.assert_allclose(jax.jit(rates)(0.1, 0.25, 40), expected, rtol=1e-6)
    boundary = jax.jit(lambda boundary: dialect.PiecewiseConstantDecay([boundary], [1.0, 0.5])(jnp.arange(4)))(2)
    assert boundary.tolist() == [1.0, 1.0, 1.0, 0.5]


def test_keras_reads_a_whole_float_as_a_length_and_an_integer_as_a_rate():
    assert repr(dialect.ExponentialDecay(1, 10.0, 0.5)) == repr(dialect.ExponentialDecay(1.0, 10, 0.5))
    assert float(dialect.ExponentialDecay(1, 3, 0.5)(3)) == 0.5


def test_the_warm_up_needs_a_target():
    assert repr(dialect.CosineDecay(0.1, 10, warmup_steps=5)) == repr(jaxlr.cosine(0.1, 10))


REFUSED = {
    "a length of 0": (lambda: dialect.CosineDecay(0.1, 0), ValueError, "decay_steps must be at least 1, got 0"),
    "a broken length": (lambda: dialect.PolynomialDecay(0.1, 2.5), TypeError, "decay_steps must be an integer"),
    "a rate that is none": (
        lambda: dialect.PolynomialDecay("0.1", 2),
        TypeError,
        "initial_learning_rate must be a number",
    ),
    "boundaries": (
        lambda: dialect.PiecewiseConstantDecay([1], [0.1]),
        ValueError,
        "boundaries must be one fewer than values",
    ),
    "a metric without direction": (
        lambda: dialect.ReduceLROnPlateau(0.1, "val_f1"),
        ValueError,
        'mode must be "min" or "max" for monitor=\'val_f1\'',
    ),
    "two clippings": (
        lambda: dialect.SGD(0.1, clipnorm=1.0, clipvalue=2.0),
        ValueError,
        r"at most one of clipnorm, clipvalue, global_clipnorm may be given, got clipnorm=1\.0, clipvalue=2\.0",
    ),
    "no clipping": (lambda: dialect.SGD(0.1, clipnorm=0.0), ValueError, "clipnorm must be finite and above 0"),
    "AdamW without": (lambda: dialect.AdamW(0.1, weight_decay=None), ValueError, "weight_decay must be a number"),
    "beta": (lambda: dialect.Adam(0.1, beta_1=1.0), ValueError, "beta_1 must be"),
    "an average": (lambda: dialect.Adam(0.1, use_ema=True), ValueError, "use_ema must be left out.*optax"),
    "a scaled loss": (lambda: dialect.Adam(loss_scale_factor=2.0), ValueError, "loss_scale_factor must be left out"),
    "accumulation": (lambda: dialect.Adam(gradient_accumulation_steps=2), ValueError, r"jaxlr\.accumulate"),
    "a misspelt argument": (
        lambda: dialect.Adam(0.1, us_ema=True),
        TypeError,
        "unknown argument 'us_ema' of a Keras optimizer; did you mean 'use_ema'",
    ),
    "an unknown class": (
        lambda: dialect.from_config({"class_name": "CosineDecai", "config": {}}),
        ValueError,
        "unknown Keras class 'CosineDecai': did you mean 'CosineDecay'. supported are ExponentialDecay",
    ),
    "a custom class": (
        lambda: dialect.from_config({"class_name": "Adam", "registered_name": "mine>Adam", "config": {}}),
        ValueError,
        "'mine>Adam' is a custom class: supported are",
    ),
    "two classes": (lambda: dialect.from_config(COSINE, "Adam"), ValueError, "class_name must be that of the config"),
    "no config": (lambda: dialect.from_config("CosineDecay"), TypeError, "config must be the dictionary"),
    "an unknown argument": (
        lambda: dialect.from_config({"decay_step": 3}, "CosineDecay"),
        TypeError,
        "CosineDecay has no argument 'decay_step'; did you mean 'decay_steps'",
    ),
    "an argument of Keras 2": (
        lambda: dialect.from_config({**ADAMW, "jit_compile": True}, "AdamW"),
        TypeError,
        "AdamW has no argument 'jit_compile'; there are",
    ),
    "a config of two classes": (
        lambda: dialect.from_config({**ADAMW, "name": "mine"}),
        ValueError,
        "class_name must be given.*one of Adam, AdamW",
    ),
    "a missing argument": (
        lambda: dialect.from_config({"decay_steps": 3}, "CosineDecay"),
        TypeError,
        "initial_learning_rate",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
