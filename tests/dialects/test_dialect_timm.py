"""timm's schedulers under their own names, against rates recorded from timm, and against timm where it is installed."""

import math
import runpy
from fractions import Fraction
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import record_timm_configs as argument_files
from recorded import CONFIGS, share_of_peak

import jaxlr
from jaxlr import dialects
from jaxlr.dialects import timm as dialect

GOLDEN = Path(__file__).parents[1] / "golden"
RECORD = runpy.run_path(str(GOLDEN / "record_timm.py"))
STEPS = RECORD["STEPS"]
EVERY = pytest.mark.parametrize("name", RECORD["NAMES"])


def rule_rates(rule, metrics, first_seen):
    """The rates under a rule that sees the metrics from one update on."""
    link = jaxlr.scale_by_learning_rate(rule)
    state = link.init(jnp.zeros(1))

    def step(state, metric_and_count):
        metric, count = metric_and_count
        _, state = link.update(jnp.ones(1), state)
        rate = jaxlr.current_learning_rate(state)
        seen = jaxlr.observe(state, metric)
        return jax.tree.map(lambda new, old: jnp.where(count >= first_seen, new, old), seen, state), rate

    return np.asarray(jax.jit(lambda s, m: jax.lax.scan(step, s, m)[1])(state, (metrics, jnp.arange(len(metrics)))))


def jaxlr_rates(name, arguments, draw):
    made = getattr(dialect, name)(**arguments)
    if name == "PlateauLRScheduler":
        return rule_rates(made, RECORD["metrics"](name, draw), arguments["warmup_t"])
    return np.asarray(made(np.arange(STEPS)), np.float64)


def wrong_in_timm(name, arguments):
    """The counts at which a float of timm's may stop short of an integer: restarts of growing cycles, drops."""
    t = np.arange(STEPS) - arguments["warmup_t"] * arguments.get("warmup_prefix", False)
    if name == "StepLRScheduler" and isinstance(arguments["decay_t"], float):
        step = Fraction(repr(arguments["decay_t"]))
        return np.array([(Fraction(int(n)) / step).denominator == 1 for n in t])
    starts, start = [], Fraction(0)
    if arguments.get("cycle_mul", 1) != 1:
        for i in range(40):
            start += arguments["t_initial"] * Fraction(repr(arguments["cycle_mul"])) ** i
            starts.append(float(start))
    return np.array([any(abs(n - start) < 1e-9 for start in starts) for n in t])


def difference(name, arguments, ours, theirs, counts):
    """The largest difference as a share of the peak, where timm is right."""
    doubted = wrong_in_timm(name, arguments)[counts]
    assert not np.isnan(theirs[~doubted]).any()
    peak = np.nanmax(np.abs(theirs))
    return float(np.max(np.abs(ours - theirs)[~doubted], initial=0) / peak)


def recorded_differences(name, draws=slice(None)):
    """The difference from the recorded rates and the arguments, for each draw."""
    counts = RECORD["kept"](name)
    with np.load(GOLDEN / "timm_schedules.npz") as golden:
        assert str(golden["version"]) == "1.0.31"
        for draw, arguments in list(enumerate(RECORD["cases"](name)))[draws]:
            ours = jaxlr_rates(name, arguments, draw)[counts[draw]]
            yield difference(name, arguments, ours, golden[name][draw], counts[draw]), arguments


@pytest.mark.parametrize("draws", [slice(0, 1), pytest.param(slice(1, None), marks=pytest.mark.long)], ids=["1", "19"])
@EVERY
def test_is_what_timm_recorded(name, draws):
    for found, arguments in recorded_differences(name, draws):
        assert found <= 1e-6, arguments


@EVERY
def test_is_what_timm_does(name):
    pytest.importorskip("timm")
    found = []
    for draw, arguments in enumerate(RECORD["cases"](name)):
        theirs = RECORD["rates"](name, arguments, draw)
        ours = jaxlr_rates(name, arguments, draw)
        found.append(difference(name, arguments, ours, theirs, np.arange(STEPS)))
    print(f"{name} {max(found):.1e}")
    assert max(found) <= 1e-6


def test_every_restart_of_growing_cycles_has_its_peak():
    """Where timm's logarithm loses the 5th and the 10th."""
    rate = dialect.CosineLRScheduler(1.0, 10, cycle_mul=3.0, cycle_decay=0.5, cycle_limit=12)
    starts = [10 * (3**i - 1) // 2 for i in range(12)]
    assert [float(rate(t)) for t in starts] == [0.5**i for i in range(12)]
    assert float(rate(10 * (3**12 - 1) // 2)) == 0.0


@pytest.mark.ci
def test_fractional_powers_are_real_at_every_restart():
    rate = dialect.PolyLRScheduler(1.0, 7, cycle_mul=1.1, cycle_limit=9, k_decay=1.5)
    rates = np.asarray(rate(np.arange(2000)))
    assert np.isfinite(rates).all()
    assert rates.min() >= 0


def test_a_step_that_is_no_integer_drops_at_integers():
    rate = dialect.StepLRScheduler(1.0, decay_t=1.1, decay_rate=0.5)
    assert [round(math.log2(float(rate(t)))) for t in (0, 1, 2, 10, 11, 21, 22)] == [0, 0, -1, -9, -10, -19, -20]


@pytest.mark.ci
def test_numbers_can_be_traced():
    def rate(lr, t_initial, cycle_mul, warmup_t, decay_t):
        one = dialect.CosineLRScheduler(lr, t_initial, 0.0, cycle_mul, 0.5, 3, warmup_t, warmup_prefix=True)
        other = dialect.StepLRScheduler(lr, decay_t, 0.5, warmup_t)
        return one(jnp.arange(50)), other(jnp.arange(50))

    numbers = 0.1, 10, 1.5, 5, 2.5
    for ours, expected in zip(jax.jit(rate)(*numbers), rate(*numbers), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_a_schedule_is_written_down():
    for name in RECORD["NAMES"][:-1]:
        for arguments in RECORD["cases"](name)[:5]:
            made = getattr(dialect, name)(**arguments)
            again = jaxlr.schedules.parse(repr(made))
            assert again.to_dict() == made.to_dict()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: dialect.CosineLRScheduler(0.1, 10, noise_range_t=5), ValueError, "noise_range_t must be left out"),
        (lambda: dialect.PlateauLRScheduler(0.1, noise_type="u"), ValueError, "noise_type must be left out"),
        (lambda: dialect.StepLRScheduler(0.1, 10, noise_std=0.5), ValueError, "noise_std must be left out, got 0.5"),
        (lambda: dialect.CosineLRScheduler(0.1, t_total=10), TypeError, "t_initial"),
        (lambda: dialect.CosineLRScheduler(0.1, 10, t_total=10), TypeError, "CosineLRScheduler has no .* 't_total'"),
        (lambda: dialect.CosineLRScheduler(0.1, 10, lr_mini=0.1), TypeError, "did you mean 'lr_min'?"),
        (lambda: dialect.CosineLRScheduler(0.1, 10, noise_type="normal"), TypeError, "no argument 'noise_type'"),
        (lambda: dialect.CosineLRScheduler("0.1", 10), TypeError, "lr must be a number, got '0.1'"),
        (
            lambda: dialect.CosineLRScheduler(0.1, 10.5),
            TypeError,
            "t_initial must be an integer number of updates, got 10.5",
        ),
        (lambda: dialect.CosineLRScheduler(0.1, 0), ValueError, "t_initial must be at least 1, got 0"),
        (lambda: dialect.CosineLRScheduler(0.1, 10, -1.0), ValueError, "lr_min must be at least 0"),
        (lambda: dialect.CosineLRScheduler(0.1, 10, cycle_mul=0.5, cycle_limit=2), ValueError, "cycle_mul must be"),
        (lambda: dialect.CosineLRScheduler(0.1, 10, warmup_t=-1), ValueError, "warmup_t must be at least 0, got -1"),
        (lambda: dialect.TanhLRScheduler(0.1, 10, lb=3.0), ValueError, "lb must be below ub, got lb=3.0 and ub=3.0"),
        (lambda: dialect.PolyLRScheduler(0.1, 10, k_decay=0.0), ValueError, "k_decay must be above 0"),
        (lambda: dialect.StepLRScheduler(0.1, 0), ValueError, "decay_t must be above 0"),
        (lambda: dialect.MultiStepLRScheduler(0.1, [4, 2]), ValueError, "decay_t must be in rising order"),
        (lambda: dialect.WSDLRScheduler(0.1, 10, 11), ValueError, "decay_t must be at most t_initial, 10, got 11"),
        (lambda: dialect.WSDLRScheduler(0.1, 10, 5, stable_fn="flat"), ValueError, "stable_fn must"),
        (lambda: dialect.WSDLRScheduler(0.1, 10, 5, decay_fn=abs), ValueError, "decay_fn must be one of 'linear'"),
        (lambda: dialect.PlateauLRScheduler(0.1, mode="up"), ValueError, "mode must be one of 'min', 'max', got 'up'"),
    ],
)
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()


FILES = CONFIGS / "timm"


@pytest.mark.parametrize("file", argument_files.CONFIGS)
def test_a_file_of_arguments_is_what_timm_makes_of_it(file):
    recipe = dialects.from_file(FILES / file, steps_per_epoch=argument_files.UPDATES)
    with np.load(GOLDEN / "timm_configs.npz") as golden:
        assert share_of_peak(recipe.schedule(argument_files.counts(file)), golden[file]) <= 1e-6
    assert recipe.framework == "timm"


def test_without_the_updates_of_an_epoch_the_schedule_counts_epochs():
    recipe = dialects.from_file(FILES / "vit_args.yaml")
    whole = dialects.from_file(FILES / "vit_args.yaml", steps_per_epoch=10)
    assert jaxlr.per_epoch(recipe.schedule, 10).to_dict() == whole.schedule.to_dict()
    assert "give steps_per_epoch" in recipe.left_out["epochs"]
    assert "epochs" not in whole.left_out
    assert (whole.optimizer, whole.clip, whole.micro_batches) == ("jaxlr.adamw", 1.0, 2)


def test_what_decays_is_told_to_an_optimizer_of_optax_too():
    recipe = dialects.from_file(FILES / "wsd_updates.yaml", steps_per_epoch=7)
    params = {"w": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    optimizer = recipe.make()
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params)
    assert (float(jnp.abs(updates["bias"]).max()), recipe.left_out.keys()) == (0.0, {"layer_decay"})
    assert "mask=groups.decays" in str(recipe)
    scope = {}
    exec(str(recipe), scope)
    assert jax.tree.structure(scope["optimizer"].init(params)) == jax.tree.structure(optimizer.init(params))


ARGUMENTS = {"sched": "cosine", "lr": 0.1, "epochs": 9, "warmup_epochs": 0}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sched": "cosin"}, "sched must be one of cosine, tanh, .* did you mean 'cosine'"),
        ({"sched_on_updates": True}, "steps_per_epoch must be given where sched_on_updates is true"),
        ({"lr_noise": [0.4]}, "lr_noise must be left out"),
        ({"lr_cycle_mull": 2.0}, "unknown key 'lr_cycle_mull'; did you mean 'lr_cycle_mul'"),
        ({"warmup_epochs": 2.5}, "warmup_epochs must be a whole number"),
        ({"opt_betas": [0.9]}, "opt_betas must be a list of 2 numbers"),
    ],
)
def test_arguments_that_cannot_be_are_one_line(more, words):
    with pytest.raises(ValueError, match=words):
        dialect.from_config(ARGUMENTS | more)


@pytest.mark.parametrize("name", ["AdamW", "adamw"])
def test_a_name_is_one_in_capitals_too_and_its_rate_goes_with_the_root_of_the_batch(name):
    recipe = dialect.from_config({"opt": name, "lr_base": 0.1, "batch_size": 1024, "epochs": 9, "warmup_epochs": 0})
    assert recipe.optimizer == "jaxlr.adamw"
    assert float(recipe.schedule(0)) == np.float32(0.1 * (1024 / 256) ** 0.5)


def test_epochs_of_a_framework_that_counts_none(tmp_path):
    (tmp_path / "a.sh").write_text("--lr 1 --train-iters 5 --lr-decay-style linear")
    with pytest.raises(ValueError, match="steps_per_epoch must be left out, got 5: megatron does not count epochs"):
        dialects.from_file(tmp_path / "a.sh", steps_per_epoch=5)
