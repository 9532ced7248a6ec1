"""The schedules of transformers by their names, against recorded rates, and against transformers itself."""

import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recorded import rule_rates

import jaxlr
from jaxlr.dialects import transformers as dialect

GOLDEN = Path(__file__).parents[1] / "golden"
RECORD = runpy.run_path(str(GOLDEN / "record_transformers.py"))
STEPS = RECORD["STEPS"]
EVERY = pytest.mark.parametrize("name", RECORD["NAMES"])


def jaxlr_rates(name, arguments, draw):
    made = dialect.get_scheduler(name, **arguments)
    if name == "reduce_lr_on_plateau":
        return rule_rates(made, RECORD["metrics"](name, draw))
    return np.asarray(made(np.arange(STEPS)), np.float64)


def difference(name, arguments, ours, theirs, counts):
    """The largest difference as a share of the rate, but where a float product may lose a restart."""
    sure = np.ones(len(counts), bool)
    if name == "cosine_with_restarts":
        warm, total = arguments["num_warmup_steps"], arguments["num_training_steps"]
        product = arguments["scheduler_specific_kwargs"]["num_cycles"] * (counts - warm)
        sure = (counts < warm) | (counts >= total) | (product % (total - warm) != 0)
    return float(np.max(np.abs(ours - theirs)[sure], initial=0) / arguments["lr"])


def recorded_differences(name, draws=slice(None)):
    """The difference from the recorded rates and the arguments, for each draw."""
    counts = RECORD["kept"](name)
    with np.load(GOLDEN / "transformers_schedules.npz") as golden:
        assert str(golden["version"]) == "5.24.0"
        for draw, arguments in list(enumerate(RECORD["cases"](name)))[draws]:
            ours = jaxlr_rates(name, arguments, draw)[counts[draw]]
            yield difference(name, arguments, ours, golden[name][draw], counts[draw]), arguments


@pytest.mark.parametrize("draws", [slice(0, 1), pytest.param(slice(1, None), marks=pytest.mark.long)], ids=["1", "19"])
@EVERY
def test_is_what_transformers_recorded(name, draws):
    for found, arguments in recorded_differences(name, draws):
        assert found <= 1e-6, arguments


@EVERY
def test_is_what_transformers_does(name):
    pytest.importorskip("transformers")
    found = []
    for draw, arguments in enumerate(RECORD["cases"](name)):
        theirs = RECORD["rates"](name, arguments, draw)
        found.append(difference(name, arguments, jaxlr_rates(name, arguments, draw), theirs, np.arange(STEPS)))
    print(f"{name} {max(found):.1e}")
    assert max(found) <= 1e-6


def test_every_restart_has_its_peak():
    """Where a float product loses seven of them."""
    rate = dialect.get_cosine_with_hard_restarts_schedule_with_warmup(1.0, 0, 49, num_cycles=49)
    assert np.asarray(rate(np.arange(51))).tolist() == [1.0] * 49 + [0.0] * 2


@pytest.mark.parametrize("name", ["linear", "polynomial"])
@pytest.mark.parametrize("total", [3, 5])
def test_a_run_that_ends_within_its_warmup_is_at_its_end_afterwards(name, total):
    rate = dialect.get_scheduler(name, 1.0, 5, total)
    end = {"linear": 0.0, "polynomial": np.float32(1e-7)}[name]
    np.testing.assert_allclose(rate(np.arange(7)), [0, 0.2, 0.4, 0.6, 0.8, end, end], rtol=1e-6)


def test_last_epoch_starts_later():
    whole = dialect.get_linear_schedule_with_warmup(1.0, 2, 6)
    later = dialect.get_linear_schedule_with_warmup(1.0, 2, 6, last_epoch=2)
    assert later(np.arange(4)).tolist() == whole(np.arange(3, 7)).tolist()


@pytest.mark.ci
def test_numbers_can_be_traced():
    def rate(lr, warm, total, cycles):
        wave = {"num_cycles": cycles, "min_lr_rate": 0.1}
        return dialect.get_scheduler("cosine_with_min_lr", lr, warm, total, wave)(jnp.arange(30))

    np.testing.assert_allclose(jax.jit(rate)(0.1, 3, 25, 1.5), rate(0.1, 3, 25, 1.5), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: dialect.get_scheduler("cosin", 0.1, 1, 9), ValueError, "name must be one of 'linear', 'cosine'"),
        (lambda: dialect.get_scheduler("greedy", 0.1, scheduler_specific_kwargs={"factor": 1.5}), ValueError, "factor"),
        (lambda: dialect.get_scheduler("linear", 0.1), ValueError, "num_warmup_steps must be given for 'linear'"),
        (lambda: dialect.get_scheduler("linear", 0.1, 5), ValueError, "num_training_steps must be given for 'linear'"),
        (
            lambda: dialect.get_scheduler("cosine", 0.1, 1, 9, {"cycles": 1}),
            TypeError,
            "'cosine' has no argument 'cycles'",
        ),
        (lambda: dialect.get_scheduler("cosine", "a", 1, 9), TypeError, "lr must be a number, got 'a'"),
        (lambda: dialect.get_scheduler("cosine", 0.1, 1.5, 9), TypeError, "num_warmup_steps must be an integer"),
        (
            lambda: dialect.get_scheduler("polynomial", 0.1, 1, 9, {"lr_end": 0.2}),
            ValueError,
            "lr_end must be below lr",
        ),
        (
            lambda: dialect.get_scheduler("cosine_with_min_lr", 0.1, 1, 9),
            ValueError,
            "just one of min_lr and min_lr_rate",
        ),
        (
            lambda: dialect.get_wsd_schedule(0.1, 5, 5),
            ValueError,
            "num_training_steps or num_stable_steps must be given",
        ),
        (lambda: dialect.get_wsd_schedule(0.1, 5, 5, 9), ValueError, "num_training_steps must be at least"),
        (lambda: dialect.get_wsd_schedule(0.1, 5, 5, 19, decay_type="exp"), ValueError, "decay_type must be one of"),
    ],
)
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("warmup_init", [False, True])
def test_adafactors_own_rates_are_its_formula(warmup_init):
    counts = np.array([0, 1, 77, 9_998, 9_999, 10_000, 39_999, 10**6])
    rates = [min(1e-6 * t if warmup_init else 1e-2, 1.0 / np.sqrt(t)) for t in (counts + 1).tolist()]
    for make in (dialect.AdafactorSchedule, dialect.get_adafactor_schedule):
        np.testing.assert_array_equal(make(warmup_init=warmup_init)(counts), np.float32(rates))


@pytest.mark.parametrize("warmup_init", [False, True])
def test_adafactors_own_rates_are_those_of_transformers(warmup_init):
    optimization = pytest.importorskip("transformers.optimization")
    group = {"lr": None, "relative_step": True, "warmup_init": warmup_init, "scale_parameter": False}
    schedule = dialect.AdafactorSchedule(warmup_init=warmup_init)
    for n in (0, 77, 9_999, 39_999):
        assert float(schedule(n)) == np.float32(optimization.Adafactor._get_lr(group, {"step": n + 1}))


def test_greedy_has_the_words_of_the_class():
    given = {"factor": 0.9, "patience": 3, "min_lr": 1e-4, "window_size": 7}
    by_name = dialect.get_scheduler("greedy", 0.1, scheduler_specific_kwargs=given)
    by_class = dialect.GreedyLR(0.1, "min", 0.9, 3, verbose=True, min_lr=1e-4, window_size=7)
    optimizers = [jaxlr.sgd(rule) for rule in (by_name, by_class)]
    one, other = (jax.tree.leaves(optimizer.init(jnp.zeros(1))) for optimizer in optimizers)
    assert all(map(np.array_equal, one, other))
    with pytest.raises(ValueError, match="relative_step must be True, got False"):
        dialect.AdafactorSchedule(relative_step=False)
