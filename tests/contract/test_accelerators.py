"""What jaxlr owes a TPU and a GPU, asked of their real compilers, which need no device; rows in accelerated.py.

`pytest -m tpu` with libtpu (`pip install "jaxlr[tpu]"`), `pytest -m cuda` with the plugin of CUDA
(`pip install "jaxlr[compile-cuda]"`).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from accelerated import OPERATIONS, PARAMETERS, SCHEDULES, STEPS, WORK, unmentioned

import jaxlr
from jaxlr.compiling import TargetError, compile_for, describe
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.planning import plan

TARGETS = {"v5e": pytest.mark.tpu, "h100": pytest.mark.cuda}


@functools.cache
def described(name):
    try:
        return describe(name)
    except TargetError as error:
        if "not installed" not in str(error):
            raise
        return str(error)


def target_of(name):
    """The devices of a name; skips the test where their compiler is not installed."""
    found = described(name)
    if isinstance(found, str):
        pytest.skip(found)
    return found


def on(*suffixes):
    """A parameter `devices` that goes through all kinds of device, so many of each."""
    pairs = [(f"{chip}{suffix}", mark) for (chip, mark), suffix in zip(TARGETS.items(), suffixes, strict=True)]
    return pytest.mark.parametrize("devices", [pytest.param(name, id=name, marks=mark) for name, mark in pairs])


EACH = on("", "")
FOUR = on(":2x2", ":4")


@functools.cache
def compiled(name, devices, twin=False):
    step, *shapes = STEPS[name].program(twin)
    return compile_for(target_of(devices), step, *shapes)


def test_every_public_name_is_compiled_or_says_why_not():
    assert list(unmentioned()) == []


def owes(program):
    """What every program owes, whatever it does."""
    assert not program.float64, "no TPU has float64"
    assert not program.callbacks, "the host is far away"


@EACH
@pytest.mark.parametrize("schedule", [*SCHEDULES.values(), *OPERATIONS.values()], ids=[*SCHEDULES, *OPERATIONS])
def test_a_schedule(schedule, devices):
    count = jax.ShapeDtypeStruct((), jnp.int32)
    report = compile_for(target_of(devices), lambda count, schedule: (count + 1, schedule(count)), count, schedule)
    owes(report.program)
    assert report.memory.temporaries < 1_000_000, "beside a network it is nothing"
    assert not report.program.collectives


@EACH
@pytest.mark.parametrize("name", STEPS)
def test_a_step(name, devices):
    report = compiled(name, devices)
    owes(report.program)
    state = report.parts["params"] + report.parts.get("optimizer", 0)
    assert report.memory.aliased >= 0.999 * state, "the new state lies where the old one lay"
    assert report.memory.outputs - report.memory.aliased < 100_000
    work = WORK.get(name, 0) * 4 * PARAMETERS
    assert report.memory.temporaries < 0.01 * state + work, "nothing of the state's size is copied"
    assert all(size_of(each) < 100_000 for each in report.program.copies)


def size_of(type_):
    """The bytes of the first array of a type in the text of a program."""
    import re

    kind, sides = re.search(r"([a-z]+[0-9]*)\[([0-9,]*)\]", type_).groups()
    bits = int(re.sub(r"[a-z]+", "", kind) or 8)
    return bits // 8 * int(np.prod([int(side) for side in sides.split(",") if side]))


@EACH
@pytest.mark.parametrize("name", [name for name, step in STEPS.items() if step.twin])
def test_a_step_is_no_larger_than_optax_s(name, devices):
    own, theirs = compiled(name, devices), compiled(name, devices, twin=True)
    # A GPU has a kernel or two for each scalar that jaxlr keeps beside: a constant few, none for an array.
    assert own.program.fusions <= theirs.program.fusions + 6
    assert own.memory.temporaries <= theirs.memory.temporaries + 10_000
    if own.bytes_accessed:
        assert own.bytes_accessed <= 1.05 * theirs.bytes_accessed + PARAMETERS
    # Moments of both are float32 here.
    assert own.memory.arguments <= theirs.memory.arguments + 10_000


class Elsewhere:
    """Stands for `jax.jit`: what a test runs here is compiled for a device that is not here first."""

    def __init__(self, target, seen):
        self._target, self._seen, self._jit = target, seen, jax.jit

    def __call__(self, function=None, **options):
        if function is None:
            return lambda function: self(function, **options)
        here = self._jit(function, **options)
        static = {key: value for key, value in options.items() if key.startswith("static")}
        there = self._jit(function, **static)

        def compiled_first(arguments):
            if not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(arguments)):
                report = compile_for(self._target, there, arguments[0], *arguments[1:], place=self._place(arguments))
                owes(report.program)
                self._seen.append(report)

        def call(*arguments, **named):
            compiled_first(arguments)
            return here(*arguments, **named)

        def lower(*arguments):
            compiled_first(arguments)
            return here.lower(*arguments)

        call.lower = lower
        return functools.wraps(function)(call)

    @staticmethod
    def _place(arguments):
        from jax.sharding import NamedSharding, PartitionSpec

        return lambda mesh: tuple(NamedSharding(mesh, PartitionSpec()) for _ in arguments)


@pytest.fixture
def elsewhere(monkeypatch):
    """Compiles for a device whatever jaxlr jits from here on; gives the reports."""

    def begin(devices):
        seen = []
        monkeypatch.setattr(jax, "jit", Elsewhere(target_of(devices), seen))
        return seen

    return begin


def loss(params, batch):
    return jnp.mean((batch @ params["weights"]) ** 2)


WEIGHTS, BATCHES = {"weights": np.ones(8, np.float32)}, np.ones((20, 4, 8), np.float32)


@EACH
def test_a_range_test(devices, elsewhere):
    seen = elsewhere(devices)
    jaxlr.lr_range_test(loss, WEIGHTS, BATCHES, optimizer=jaxlr.adam, num_steps=20)
    jaxlr.lr_range_test(loss, WEIGHTS, list(BATCHES), num_steps=20)
    assert len(seen) >= 3


@EACH
def test_constant_rates(devices, elsewhere):
    seen = elsewhere(devices)
    jaxlr.constant_rate_test(loss, WEIGHTS, BATCHES, num_steps=10, strategy="vmap")
    assert seen


@EACH
def test_a_sweep(devices, elsewhere):
    def training(schedule):
        optimizer = jaxlr.sgd(schedule)

        def update(carry, batch):
            params, state = carry
            value, gradients = jax.value_and_grad(loss)(params, batch)
            updates, state = optimizer.update(gradients, state, params)
            return (jax.tree.map(jnp.add, params, updates), state), value

        start = jax.tree.map(jnp.asarray, WEIGHTS)
        return {"loss": jax.lax.scan(update, (start, optimizer.init(start)), BATCHES)[1][-1]}

    schedules = jax.vmap(lambda rate: jaxlr.triangular(rate, 0.1, 5))(jnp.array([0.01, 0.02, 0.03]))
    seen = elsewhere(devices)
    jaxlr.sweep(training, schedules, strategy="vmap")
    assert seen


RUNS = {
    "plain": {},
    "zero": {"zero": True},
    "bfloat16": {"precision": "bfloat16"},
    "zero, bfloat16": {"zero": True, "precision": "bfloat16"},
    "accumulate": {"accumulate": 2, "optimizer": "adamw"},
    "skip": {"nonfinite": "skip", "l1": 1e-4, "l2": 1e-4},
    "stride": {"downsample": "stride", "optimizer": "sgd", "loss": "mae"},
    "streamed": {"images_on": "host", "optimizer": "rmsprop", "momentum": 0.9},
}


def planned(devices, options):
    return plan(
        TrainConfig(**{"width": 16, "schedule": "warmup(cosine(0.1, 16ep), 1ep)", **options}), target_of(devices)
    )


@FOUR
@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS)
def test_a_run_of_the_trainer(options, devices):
    needed = planned(devices, options)
    for report in (needed.update, needed.evaluation):
        owes(report.program)
        assert report.fits
        assert sum(report.parts.values()) == report.memory.arguments, "every byte of the arguments has its name"
    parts, memory = needed.update.parts, needed.update.memory
    state = sum(parts[name] for name in ("parameters", "statistics", "optimizer state"))
    assert memory.aliased >= 0.99 * state
    exchanged = set(needed.update.program.collectives)
    if options.get("zero"):
        assert "all-gather" in exchanged, "the new parts of the parameters go to all"
        assert exchanged <= {"all-gather", "all-reduce", "reduce-scatter"}
        assert exchanged & {"all-reduce", "reduce-scatter"}
    else:
        assert exchanged == {"all-reduce"}, "gradients are added up, and nothing else is exchanged"


@on(":2x4", ":8")
def test_devices_that_share_the_moments_have_an_eighth_of_them_each(devices):
    whole, part = (planned(devices, {"zero": zero, "width": 256, "optimizer": "adam"}) for zero in (False, True))
    sizes = [needed.update.parts["optimizer state"] for needed in (whole, part)]
    assert sizes[0] / sizes[1] == pytest.approx(8, rel=0.03), "but for a few biases"
