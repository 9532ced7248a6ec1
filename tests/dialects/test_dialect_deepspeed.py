"""DeepSpeed's schedules under their own names, and its JSON files, against rates recorded from DeepSpeed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import record_deepspeed as record
from recorded import BOTH, CONFIGS, assert_at, config_difference, differences

import jaxlr
from jaxlr import dialects
from jaxlr.dialects import deepspeed as dialect

EVERY = pytest.mark.parametrize("name", record.NAMES)
# Name, unit of the counts, first value, last count that is not past the end, what comes after it, the test of it.
CONVENTIONS = [
    ("LRRangeTest", "updates", "lr_range_test_min_lr", "none", "grows without end", "test_the_borders_are_deepspeeds"),
    (
        "OneCycle",
        "updates",
        "cycle_min_lr",
        "both step sizes",
        "cycle_min_lr / (1 + r t)",
        "test_the_borders_are_deepspeeds",
    ),
    (
        "one_cycle_momentum",
        "updates",
        "cycle_max_mom",
        "both step sizes",
        "cycle_max_mom * (1 + r t)",
        "test_the_borders_are_deepspeeds",
    ),
    (
        "WarmupLR",
        "updates",
        "warmup_min_lr, twice",
        "warmup_num_steps + 1",
        "warmup_max_lr",
        "test_the_borders_are_deepspeeds",
    ),
    (
        "WarmupLR log",
        "updates",
        "warmup_min_lr, twice",
        "warmup_num_steps",
        "warmup_max_lr",
        "test_the_borders_are_deepspeeds",
    ),
    (
        "WarmupDecayLR",
        "updates",
        "warmup_min_lr, twice",
        "total_num_steps + 1",
        "warmup_min_lr",
        "test_the_borders_are_deepspeeds",
    ),
    (
        "WarmupDecayLR log",
        "updates",
        "warmup_min_lr, twice; the peak twice",
        "total_num_steps + 1",
        "warmup_min_lr",
        "test_the_borders_are_deepspeeds",
    ),
    (
        "WarmupCosineLR",
        "updates",
        "0, then warmup_min_ratio",
        "total_num_steps",
        "cos_min_ratio",
        "test_the_borders_are_deepspeeds",
    ),
    (
        "WarmupCosineLR log",
        "updates",
        "0, then warmup_min_ratio",
        "total_num_steps",
        "cos_min_ratio",
        "test_the_borders_are_deepspeeds",
    ),
]
CYCLE = {"cycle_first_step_size": 2, "cycle_second_step_size": 4, "decay_step_size": 2}
LINE = {"warmup_num_steps": 2, "warmup_type": "linear"}
BORDERS = {
    "LRRangeTest": (dialect.LRRangeTest(9.0, 0.5, 2, 1.0), {0: 0.5, 1: 0.75, 2: 1.0, 200: 50.5}),
    "OneCycle": (
        dialect.OneCycle(9.0, 0.5, 1.0, 1.0, **CYCLE),
        {0: 0.5, 1: 0.75, 2: 1.0, 5: 0.625, 6: 0.5, 7: 0.5 / 1.5, 8: 0.25},
    ),
    "one_cycle_momentum": (
        dialect.one_cycle_momentum(9.0, **CYCLE, cycle_min_mom=0.5, cycle_max_mom=0.75, decay_mom_rate=0.25),
        {0: 0.75, 1: 0.625, 2: 0.5, 6: 0.75, 8: 0.75 * 1.25, 10: 0.999, 10**6: 0.999},
    ),
    "WarmupLR": (dialect.WarmupLR(1.0, 0.5, **LINE), {0: 0.5, 1: 0.5, 2: 0.75, 3: 1.0, 4: 1.0}),
    "WarmupLR log": (dialect.WarmupLR(1.0, 0.5, None, 4), {0: 0.5, 1: 0.5, 2: 0.75, 4: 1.0, 5: 1.0}),
    "WarmupDecayLR": (
        dialect.WarmupDecayLR(9.0, 4, 0.0, 1.0, **LINE),
        {0: 0, 1: 0, 2: 0.5, 3: 1.0, 4: 0.5, 5: 0, 6: 0},
    ),
    "WarmupDecayLR log": (
        dialect.WarmupDecayLR(9.0, 6, 0.0, 1.0, 4),
        {0: 0, 1: 0, 2: 0.5, 4: 1.0, 5: 1.0, 6: 0.5, 7: 0, 8: 0},
    ),
    "WarmupCosineLR": (
        dialect.WarmupCosineLR(1.0, 4, 0.25, cos_min_ratio=0.0, **LINE),
        {0: 0, 1: 0.25, 2: 0.625, 3: 0.5, 4: 0, 5: 0},
    ),
    "WarmupCosineLR log": (
        dialect.WarmupCosineLR(1.0, 6, 0.0, 4, 0.0),
        {0: 0, 1: 0, 2: 0.5, 4: 1.0, 5: 0.5, 6: 0, 7: 0},
    ),
}


def made(name, arguments):
    return getattr(dialect, name)(**arguments)


@BOTH
@EVERY
def test_is_what_deepspeed_recorded(name, draws):
    for found, arguments in differences(record, made, name, draws):
        assert found <= 1e-6, arguments


@pytest.mark.parametrize("name", [row[0] for row in CONVENTIONS])
def test_the_borders_are_deepspeeds(name):
    assert_at(*BORDERS[name])


@pytest.mark.parametrize("file", record.CONFIGS)
def test_a_json_file_is_what_deepspeed_makes_of_it(file):
    assert config_difference(record, "deepspeed", file) <= 1e-6


def test_a_json_file_makes_an_optimizer():
    recipe = dialects.from_file(CONFIGS / "deepspeed" / "zero3_warmup_decay.json")
    assert (recipe.clip, recipe.micro_batches, recipe.optimizer) == (0.7, 8, "jaxlr.adamw")
    assert recipe.arguments == {"b1": 0.9, "b2": 0.95, "eps": 1e-8, "weight_decay": 0.1}
    assert float(jaxlr.current_learning_rate(recipe.make().init(jnp.zeros(2)))) == np.float32(1e-6)
    cycled = dialects.from_file(CONFIGS / "deepspeed" / "one_cycle.json")
    assert cycled.arguments["b2"] == 0.99
    assert_at(cycled.arguments["b1"], {0: 0.99, 1000: 0.85, 1700: 0.99, 5000: 0.99})


def test_what_the_trainer_fills_in_is_listed():
    recipe = dialects.from_file(CONFIGS / "deepspeed" / "cosine_auto.json")
    assert set(recipe.left_out) >= {"optimizer.params.betas", "gradient_clipping", "gradient_accumulation_steps"}
    assert (recipe.optimizer, recipe.clip) == ("optax.lion", 1.0)


def test_a_warm_up_that_is_the_whole_run_falls_at_its_end():
    for kind, last in (("linear", 0.75), ("log", 1.0)):
        rate = dialect.WarmupDecayLR(9.0, 3, 0.0, 1.0, 4, kind)
        assert_at(rate, {0: 0.0, 4: last, 5: 0.0, 6: 0.0, 1000: 0.0})
        cosine = dialect.WarmupCosineLR(1.0, 3, 0.0, 4, 0.25, kind)
        assert_at(cosine, {0: 0.0, 4: last, 5: 0.25, 1000: 0.25})


def test_a_warm_up_of_one_step_does_not_divide_by_0():
    for make in (dialect.WarmupLR, lambda *a, **k: dialect.WarmupDecayLR(*a, 9, 0.0, 1.0, **k)):
        rates = np.asarray(make(1.0, warmup_num_steps=1, warmup_type="log")(np.arange(9)))
        assert np.isfinite(rates).all()
        assert rates[:4].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("up", "down", "stairs"), [(6, 9, 3), (7, 5, 3), (5, 7, 5), (4, 4, 1)])
def test_stairs_are_counted_in_integers(up, down, stairs):
    rate = dialect.OneCycle(9.0, 0.0, 1.0, 0.0, up, down, stairs)
    whole = up + down
    exact = [(n * stairs // up if n <= up else (whole - n) * stairs // down) / stairs for n in range(whole + 1)]
    np.testing.assert_allclose(rate(np.arange(whole + 1)), exact, rtol=2e-7)


def test_a_run_goes_on_with_the_rate_it_had():
    whole = dialect.WarmupDecayLR(9.0, 20, 0.0, 1.0, 5)
    later = dialect.WarmupDecayLR(9.0, 20, 0.0, 1.0, 5, last_batch_iteration=7)
    counts = np.arange(15)
    np.testing.assert_array_equal(later(counts), whole(counts + 8))


@pytest.mark.ci
def test_numbers_can_be_traced():
    def rates(peak, steps, total):
        made = [
            dialect.LRRangeTest(0.1, peak, steps),
            dialect.OneCycle(0.1, 0.0, peak, 0.5, steps, decay_step_size=steps),
            dialect.WarmupLR(peak, warmup_num_steps=steps),
            dialect.WarmupDecayLR(0.1, total, 0.0, peak, steps),
            dialect.WarmupCosineLR(peak, total, 0.1, steps, warmup_type="linear"),
        ]
        return [each(jnp.arange(50)) for each in made]

    numbers = 0.5, 10, 40
    for ours, expected in zip(jax.jit(rates)(*numbers), rates(*numbers), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)


def test_a_schedule_is_written_down():
    for name in record.NAMES:
        for arguments in record.cases(name)[:5]:
            made = getattr(dialect, name)(**arguments)
            assert jaxlr.schedules.parse(repr(made)).to_dict() == made.to_dict()


def said(kind, **params):
    return dialect.from_config({"scheduler": {"type": kind, "params": params}})


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: dialect.WarmupLR(0.1, warmup_type="cos"), ValueError, "warmup_type must be one of 'log', 'linear'"),
        (lambda: dialect.WarmupLR([0.1, 0.2]), TypeError, "lr must be one number, got an array"),
        (lambda: dialect.WarmupLR(0.1, warmup_num_steps=0), ValueError, "warmup_num_steps must be at least 1, got 0"),
        (lambda: dialect.OneCycle(0.1, 0.0, 1.0, cycle_first_step_size=0), ValueError, "cycle_first_step_size must be"),
        (
            lambda: dialect.OneCycle(0.1, 0.0, 1.0, cycle_first_step_size=4, cycle_first_stair_count=5),
            ValueError,
            "cycle_first_stair_count must be at most the updates of its way, 4, got 5",
        ),
        (lambda: dialect.one_cycle_momentum(0.1, cycle_momentum=False), ValueError, "cycle_momentum must be True"),
        (lambda: dialect.one_cycle_momentum(0.1, cycle_max_mom=1.0), ValueError, "cycle_max_mom must be below 1"),
        (lambda: dialect.from_config({"train_batch_size": 8}), ValueError, "scheduler.type or optimizer.type must be"),
        (lambda: said("WarmupLr"), ValueError, "scheduler.type must be one of .* did you mean 'WarmupLR'"),
        (lambda: said("WarmupDecayLR"), ValueError, "scheduler.params.total_num_steps must be given"),
        (
            lambda: said("WarmupLR", warmup_max_lr="auto"),
            ValueError,
            "warmup_max_lr must be .* filled in by the trainer",
        ),
        (
            lambda: said("WarmupLR", warmup_max_lr=1.0, total_num_steps=9),
            ValueError,
            "WarmupLR has no argument 'total_n",
        ),
        (lambda: said("WarmupLR", warmup_maxlr=1.0), ValueError, "unknown key .*did you mean .*warmup_max_lr"),
        (lambda: said("WarmupCosineLR", total_num_steps=9), ValueError, "optimizer.params.lr must be given"),
        (lambda: dialect.from_config({"optimzer": {"type": "Adam"}}), ValueError, "did you mean 'optimizer.type'"),
        (
            lambda: dialect.from_config({"optimizer": {"type": "Adam", "params": {"betas": [0.9]}}}),
            ValueError,
            r"optimizer.params.betas must be a list of 2 numbers, got \[0.9\]",
        ),
    ],
)
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()
