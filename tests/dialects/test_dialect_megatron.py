"""Megatron's scheduler under its own name, and its launch files, against values recorded from Megatron."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import record_megatron as record
from recorded import BOTH, CONFIGS, assert_at, share_of_peak

import jaxlr
from jaxlr import dialects
from jaxlr.dialects import megatron as dialect

EVERY = pytest.mark.parametrize("name", record.NAMES)
DECAY = ("start_wd", "end_wd", "wd_incr_steps", "wd_incr_style")
# Name, unit of the counts, first value, last count that is not past the end, what comes after it, the test of it.
CONVENTIONS = [
    ("OptimizerParamScheduler", "samples", "init_lr", "lr_decay_steps", "min_lr", "test_the_borders_are_megatrons"),
    (
        "OptimizerParamScheduler constant",
        "samples",
        "init_lr",
        "lr_warmup_steps",
        "max_lr, without end",
        "test_the_borders_are_megatrons",
    ),
    (
        "OptimizerParamScheduler inverse-square-root",
        "samples",
        "init_lr",
        "lr_decay_steps",
        "min_lr, at once",
        "test_the_borders_are_megatrons",
    ),
    ("OptimizerParamScheduler WSD", "samples", "init_lr", "lr_decay_steps", "min_lr", "test_the_borders_are_megatrons"),
    ("weight_decay", "samples", "start_wd", "wd_incr_steps", "end_wd", "test_the_borders_are_megatrons"),
]


def scheduler(style, **others):
    return dialect.OptimizerParamScheduler(0.0, 1.0, 0.5, 2, 6, style, **others)


BORDERS = {
    "OptimizerParamScheduler": (scheduler("linear"), {0: 0, 1: 0.5, 2: 1, 3: 0.875, 5: 0.625, 6: 0.5, 7: 0.5}),
    "OptimizerParamScheduler constant": (scheduler("constant"), {0: 0, 1: 0.5, 2: 1, 3: 1, 6: 1, 7: 1, 10**9: 1}),
    "OptimizerParamScheduler inverse-square-root": (
        scheduler("inverse-square-root"),
        {0: 0, 1: 0.5, 2: 1, 3: (2 / 3) ** 0.5, 6: (1 / 3) ** 0.5, 7: 0.5},
    ),
    "OptimizerParamScheduler WSD": (
        scheduler("WSD", wsd_decay_steps=2, lr_wsd_decay_style="exponential"),
        {1: 0.5, 2: 1, 4: 1, 5: 0.5 + 0.5 * (2 * 0.5**0.5 - 1), 6: 0.5, 7: 0.5, 8: 0.5, 1000: 0.5},
    ),
    "weight_decay": (dialect.weight_decay(0.25, 0.75, 4, "cosine"), {0: 0.25, 2: 0.5, 4: 0.75, 5: 0.75}),
}


def recorded_differences(name, draws=slice(None)):
    """The differences of the rate and of the weight decay, as shares of their peaks, and the arguments."""
    counts = record.kept(name)
    with np.load(record.FILE) as golden:
        for draw, arguments in list(enumerate(record.cases(name)))[draws]:
            yield difference(arguments, golden[name][draw], counts[draw]), arguments


def difference(arguments, theirs, counts):
    """That of the rate and of the weight decay, the columns of `theirs`."""
    made = dialect.OptimizerParamScheduler(**arguments), dialect.weight_decay(*(arguments[k] for k in DECAY))
    return max(share_of_peak(each(counts), column) for each, column in zip(made, theirs.T, strict=True))


@BOTH
@EVERY
def test_is_what_megatron_recorded(name, draws):
    for found, arguments in recorded_differences(name, draws):
        assert found <= 1e-6, arguments


@pytest.mark.parametrize("name", [row[0] for row in CONVENTIONS])
def test_the_borders_are_megatrons(name):
    assert_at(*BORDERS[name])


@pytest.mark.parametrize("file", record.CONFIGS)
def test_a_launch_file_is_what_megatron_makes_of_it(file):
    recipe = dialects.from_file(CONFIGS / "megatron" / file)
    assert recipe.framework == "megatron"
    counts, decay = record.counts(file), recipe.arguments["weight_decay"]
    decays = decay(counts) if callable(decay) else np.full(len(counts), decay)
    made = [recipe.schedule(counts), *(each(counts) for each in list(recipe.groups.rates.values())[:1]), decays]
    with np.load(record.FILE) as golden:
        for ours, theirs in zip(made, golden[file].T, strict=True):
            assert share_of_peak(ours, theirs) <= 1e-6


def test_a_launch_file_makes_an_optimizer():
    recipe = dialects.from_file(CONFIGS / "megatron" / "moe_functional.yaml")
    params = {
        "embedding": jnp.ones((2, 2)),
        "output_layer": jnp.ones((2, 2)),
        "mlp": jnp.ones((2, 2)),
        "b": jnp.ones(2),
    }
    state = recipe.make().init(params)
    rates = jaxlr.learning_rates(state)
    assert rates["*embedding*"] == rates["*output_layer*"]
    assert (recipe.clip, recipe.groups.decay_from_rank, recipe.optimizer) == (None, 2, "jaxlr.sgd")


def test_samples_become_updates_where_every_length_is_whole_batches():
    said = {
        "lr": 1.0,
        "train_samples": 800,
        "global_batch_size": 8,
        "lr_warmup_samples": 80,
        "lr_decay_style": "linear",
    }
    assert dialect.from_config(said).schedule.to_dict() == jaxlr.warmup(jaxlr.linear(1.0, 0.0, 90), 10).to_dict()
    odd = dialect.from_config(said | {"lr_warmup_samples": 84}).schedule
    assert_at(odd, {0: 0, 10: 80 / 84, 11: 1 - 4 / 716, 100: 0})


def test_a_batch_size_that_grows_in_steps():
    said = {"lr": 1.0, "train_samples": 1000, "lr_decay_style": "linear", "seq_length": 10}
    recipe = dialect.from_config(said | {"step_batch_size_schedule": "0:100 2K:200, 6k:400"})
    assert_at(recipe.schedule, {0: 1.0, 2: 0.8, 3: 0.6, 4: 0.4, 5: 0.0})


def test_a_wsd_that_falls_inside_its_warm_up_jumps_at_the_end_of_it():
    rate = dialect.OptimizerParamScheduler(0.0, 1.0, 0.0, 4, 6, "WSD", wsd_decay_steps=8, lr_wsd_decay_style="linear")
    assert_at(rate, {0: 0, 3: 0.75, 4: 1.0, 5: 1 / 8, 6: 0, 7: 0})
    none = dialect.OptimizerParamScheduler(0.0, 1.0, 0.25, 0, 6, "WSD", wsd_decay_steps=0, lr_wsd_decay_style="cosine")
    assert_at(none, {0: 1, 6: 1, 7: 0.25})


def test_where_megatron_divides_by_0_the_weight_decay_is_at_its_end():
    assert_at(dialect.weight_decay(0.1, 0.3, 0, "linear"), {0: 0.3, 1: 0.3})


@pytest.mark.ci
def test_numbers_can_be_traced():
    def rates(peak, low, warm, end):
        styles = ("constant", "linear", "cosine", "inverse-square-root")
        made = [dialect.OptimizerParamScheduler(0.0, peak, low, warm, end, style) for style in styles]
        wsd = {"wsd_decay_steps": end // 2, "lr_wsd_decay_style": "exponential"}
        made.append(dialect.OptimizerParamScheduler(0.0, peak, low, warm, end, "WSD", **wsd))
        return [each(jnp.arange(50)) for each in made]

    numbers = 0.1, 0.01, 10, 40
    for ours, expected in zip(jax.jit(rates)(*numbers), rates(*numbers), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_a_schedule_is_written_down():
    for name in record.NAMES:
        for arguments in record.cases(name)[:5]:
            made = dialect.OptimizerParamScheduler(**arguments)
            assert jaxlr.schedules.parse(repr(made)).to_dict() == made.to_dict()


RIGHT = {"lr": 1e-3, "lr_decay_style": "cosine", "train_iters": 100}


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: scheduler("cosin"), ValueError, "lr_decay_style must be one of 'constant', 'linear'"),
        (lambda: scheduler("WSD"), ValueError, "wsd_decay_steps must be given"),
        (lambda: scheduler("WSD", wsd_decay_steps=2), ValueError, "lr_wsd_decay_style must be one of .* got None"),
        (lambda: dialect.OptimizerParamScheduler(2.0, 1.0, 0.0, 2, 6, "linear"), ValueError, "init_lr must be at most"),
        (lambda: dialect.OptimizerParamScheduler(0.0, 1.0, 2.0, 2, 6, "linear"), ValueError, "min_lr must be at most"),
        (lambda: dialect.OptimizerParamScheduler(0.0, 1.0, 0.0, 6, 6, "linear"), ValueError, "lr_warmup_steps must be"),
        (lambda: dialect.OptimizerParamScheduler(0.0, 1.0, 0.0, -1.5, 6, "linear"), ValueError, "lr_warmup_steps must"),
        (lambda: dialect.weight_decay(0.1, 0.2, 5), ValueError, "end_wd must be start_wd, 0.1, where"),
        (lambda: dialect.weight_decay(0.2, 0.1, 5, "linear"), ValueError, "end_wd must be at least start_wd, 0.2, got"),
        (lambda: dialect.from_config(RIGHT | {"train_samples": 5}), ValueError, "train_iters and train_samples contra"),
        (lambda: dialect.from_config({"lr": 1e-3}), ValueError, "train_iters or train_samples must be given"),
        (lambda: dialect.from_config({"train_iters": 5}), ValueError, "lr must be given"),
        (
            lambda: dialect.from_config(RIGHT | {"lr_warmup_samples": 5}),
            ValueError,
            "train_iters and lr_warmup_samples",
        ),
        (
            lambda: dialect.from_config(RIGHT | {"rampup_batch_size": [1, 1, 1]}),
            ValueError,
            "train_iters and rampup_bat",
        ),
        (
            lambda: dialect.from_config(RIGHT | {"lr_warmup_fraction": 0.1, "lr_warmup_iters": 5}),
            ValueError,
            "lr_warmup_fraction and lr_warmup_iters contradict",
        ),
        (
            lambda: dialect.from_config(RIGHT | {"lr_warmup_iters": 100}),
            ValueError,
            "lr_warmup_iters must be below lr_de",
        ),
        (
            lambda: dialect.from_config(RIGHT | {"start_weight_decay": 0.1}),
            ValueError,
            "start_weight_decay and a constant",
        ),
        (lambda: dialect.from_config(RIGHT | {"lr_decay_sytle": "x"}), ValueError, "did you mean 'lr_decay_style'"),
        (
            lambda: dialect.from_config(RIGHT | {"lr_decay_style": "WSD"}),
            ValueError,
            "lr_wsd_decay_iters must be given",
        ),
        (lambda: dialect.from_config(RIGHT | {"warmup": 5}), ValueError, "warmup is Megatron's old percentage"),
        (
            lambda: dialect.from_config(
                {"lr": 1.0, "train_samples": 9, "global_batch_size": 9, "rampup_batch_size": [2, 2, 5]}
            ),
            ValueError,
            "rampup_batch_size must be a start, an increment",
        ),
        (
            lambda: dialect.from_config({"lr": 1.0, "train_samples": 9, "step_batch_size_schedule": "5:9"}),
            ValueError,
            "step_batch_size_schedule must be sizes",
        ),
    ],
)
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()
