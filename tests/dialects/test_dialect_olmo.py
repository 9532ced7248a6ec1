"""OLMo-core's schedulers under their own names, and its configurations, against rates recorded from OLMo-core."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
import record_olmo as record
from recorded import BOTH, CONFIGS, assert_at, config_difference, differences

import jaxlr
from jaxlr import dialects
from jaxlr.dialects import olmo as dialect

EVERY = pytest.mark.parametrize("name", record.NAMES)
LINE = functools.partial(dialect.LinearWithWarmup, warmup=0, alpha_f=0.5)
# Name, unit of the counts, first value, last count that is not past the end, what comes after it, the test of it.
CONVENTIONS = [
    (
        "ConstantWithWarmup",
        "steps or tokens, from 1",
        "peak / warmup",
        "warmup",
        "initial_lr, without end",
        "test_the_borders_are_olmos",
    ),
    ("WSD", "steps or tokens, from 1", "peak / warmup", "max_steps", "decay_min_lr", "test_the_borders_are_olmos"),
    ("PowerLR", "steps or tokens, from 1", "peak / warmup", "max_steps", "decay_min_lr", "test_the_borders_are_olmos"),
    ("LinearWithWarmup", "steps or tokens, from 1", "peak / warmup", "t_max", "alpha_f", "test_the_borders_are_olmos"),
    (
        "InvSqrtWithWarmup",
        "steps or tokens, from 1",
        "peak / warmup",
        "none",
        "towards alpha_f, without end",
        "test_the_borders_are_olmos",
    ),
    ("CosWithWarmup", "steps or tokens, from 1", "peak / warmup", "t_max", "alpha_f", "test_the_borders_are_olmos"),
    (
        "HalfCosWithWarmup",
        "steps or tokens, from 1",
        "half the peak / warmup",
        "t_max",
        "alpha_f",
        "test_the_borders_are_olmos",
    ),
    (
        "CosWithWarmupAndLinearDecay",
        "steps or tokens, from 1",
        "peak / warmup",
        "max_steps",
        "decay_min_lr",
        "test_the_borders_are_olmos",
    ),
    (
        "WSDS",
        "steps or tokens, from 1",
        "peak / warmup",
        "sum of period_lengths",
        "decay_min_lr",
        "test_the_borders_are_olmos",
    ),
    (
        "ExponentialScheduler",
        "steps or tokens, from 1",
        "one part above lr_min",
        "max_steps",
        "initial_lr",
        "test_the_borders_are_olmos",
    ),
    (
        "SequentialScheduler",
        "steps or tokens, from 1",
        "the first's",
        "each length, included",
        "the next, from 1",
        "test_the_borders_are_olmos",
    ),
    (
        "ComposableScheduler",
        "steps or tokens, from 1",
        "one part from start_lr",
        "sum of durations",
        "last end_lr",
        "test_the_borders_are_olmos",
    ),
]
BORDERS = {
    "ConstantWithWarmup": (dialect.ConstantWithWarmup(1.0, 9, warmup=2), {0: 0, 1: 0.5, 2: 1, 3: 1, 10**9: 1}),
    "WSD": (dialect.WSD(1.0, 6, warmup=2, decay=2), {1: 0.5, 2: 1, 4: 1, 5: 0.5, 6: 0, 7: 0, 1000: 0}),
    "PowerLR": (
        dialect.PowerLR(1.0, 18, b=-0.5, warmup=4, decay=2),
        {2: 0.5, 4: 1, 9: 2 / 3, 16: 0.5, 17: 0.25, 18: 0, 19: 0},
    ),
    "LinearWithWarmup": (
        dialect.LinearWithWarmup(1.0, 99, alpha_f=0.5, warmup=2, t_max=4),
        {1: 0.5, 2: 1, 3: 0.75, 4: 0.5, 5: 0.5},
    ),
    "InvSqrtWithWarmup": (
        dialect.InvSqrtWithWarmup(1.0, 9, alpha_f=0.5, warmup=4),
        {2: 0.5, 4: 1, 16: 0.75, 64: 0.625, 6400: 0.5125},
    ),
    "CosWithWarmup": (dialect.CosWithWarmup(1.0, 6, alpha_f=0.5, warmup=2), {1: 0.5, 2: 1, 4: 0.75, 6: 0.5, 7: 0.5}),
    "HalfCosWithWarmup": (
        dialect.HalfCosWithWarmup(1.0, 6, alpha_f=0.5, warmup=2),
        {1: 0.375, 2: 0.75, 4: 0.5 + 0.25 * (1 - 0.5**0.5), 6: 0.5, 7: 0.5},
    ),
    "CosWithWarmupAndLinearDecay": (
        dialect.CosWithWarmupAndLinearDecay(1.0, 6, alpha_f=0.0, warmup=2, decay=2),
        {2: 1, 4: 0.5, 5: 0.25, 6: 0, 7: 0, 1000: 0},
    ),
    "WSDS": (
        dialect.WSDS(1.0, period_lengths=[4, 3], period_lr_multipliers=[1, 2], warmup=1, decay=2),
        {0: 0, 1: 1, 2: 1, 3: 0.5, 4: 0, 5: 2, 6: 1, 7: 0, 8: 0},
    ),
    "ExponentialScheduler": (dialect.ExponentialScheduler(1.0, 2, lr_min=0.01), {0: 0.01, 1: 0.1, 2: 1, 3: 1}),
    "SequentialScheduler": (
        dialect.SequentialScheduler(1.0, 6, schedulers=[LINE, LINE], schedulers_max=[4]),
        {0: 1, 3: 0.625, 4: 0.5, 5: 0.375, 6: 0.25, 7: 0.25},
    ),
    "ComposableScheduler": (
        dialect.ComposableScheduler(
            1.0,
            stages=[{"duration": 2, "start_lr": 0.5, "end_lr": 1.0}, {"duration": 2, "shape": "cosine", "end_lr": 0.0}],
        ),
        {0: 0.5, 1: 0.75, 2: 1, 3: 0.5, 4: 0, 5: 0},
    ),
}


def made(name, arguments):
    """A scheduler of the recorder's arguments."""
    said = dict(arguments)
    if said.get("override_decay"):
        said["override_decay"] = dialect.OverrideDecay(**said["override_decay"])
    if "schedulers" in said:
        said["schedulers"] = [functools.partial(getattr(dialect, kind), **inner) for kind, inner in said["schedulers"]]
    return getattr(dialect, name)(**said)


@BOTH
@EVERY
def test_is_what_olmo_recorded(name, draws):
    for found, arguments in differences(record, made, name, draws):
        assert found <= 1e-6, arguments


@pytest.mark.parametrize("name", [row[0] for row in CONVENTIONS])
def test_the_borders_are_olmos(name):
    assert_at(*BORDERS[name])


@pytest.mark.parametrize("file", record.CONFIGS)
def test_a_configuration_is_what_olmo_makes_of_it(file):
    assert config_difference(record, "olmo", file) <= 1e-6


def test_a_configuration_makes_an_optimizer_with_its_groups():
    recipe = dialects.from_file(CONFIGS / "olmo" / "two_stages.toml")
    params = {"embeddings": {"weight": jnp.ones((2, 2))}, "head": jnp.ones((2, 2))}
    rates = jaxlr.learning_rates(recipe.make().init(params))
    assert np.isclose(rates["embeddings/*"], 2 * 1e-3 / 100)
    still = dialects.from_file(CONFIGS / "olmo" / "run_1b.json")
    assert still.groups.no_decay == ["embeddings/weight"]
    assert "guard" in still.left_out["train_module.optim.type"]


@pytest.mark.parametrize("optimizer", ["adamw", "lion"])
def test_a_group_has_its_own_weight_decay_where_jaxlr_can_tell_it(optimizer):
    optim = {"type": optimizer, "lr": 1.0, "weight_decay": 0.25}
    optim["group_overrides"] = [{"params": ["head.*"], "opts": {"weight_decay": 0.5}}]
    said = {"optim": optim, "scheduler": {"type": "constant"}}
    recipe = dialect.from_config({"train_module": said, "trainer": {"max_duration": {"value": 5, "unit": "steps"}}})
    params = {"body": jnp.ones(1), "head": {"w": jnp.ones(1)}}
    said_here = {}
    exec(str(recipe), said_here)
    for made in (recipe.make(), said_here["optimizer"]):
        updates, _ = made.update({"body": jnp.zeros(1), "head": {"w": jnp.zeros(1)}}, made.init(params), params)
        assert float(updates["body"][0]) == -0.25
        assert float(updates["head"]["w"][0]) == (-0.5 if optimizer == "adamw" else -0.25)
    assert ("train_module.optim.group_overrides[0].weight_decay" in recipe.left_out) == (optimizer == "lion")


def test_tokens_that_are_whole_batches_are_updates():
    said = {"optim": {"lr": 1.0}, "scheduler": {"type": "wsd", "units": "tokens", "warmup": 80, "decay": 40}}
    said["scheduler"]["decay_fraction"] = None
    config = {"train_module": said, "trainer": {"max_duration": {"value": 160, "unit": "tokens"}}}
    recipe = dialect.from_config(config | {"data_loader": {"global_batch_size": 8}})
    assert recipe.schedule.to_dict() == jaxlr.warmup_stable_decay(1.0, 10, 5, 5).shift(1).to_dict()


def test_dots_are_levels():
    table = {"train_module.optim.lr": 1.0, "train_module.scheduler.type": "constant"}
    recipe = dialect.from_config(table | {"trainer.max_duration.value": 5, "trainer.max_duration.unit": "steps"})
    assert float(recipe.schedule(3)) == 1.0


def test_where_olmo_divides_by_0_or_goes_below_its_last_rate():
    still = dialect.ConstantWithWarmup(1.0, 9, warmup=0), dialect.WSD(1.0, 9, warmup=0, decay=0, decay_min_lr=0.25)
    assert_at(still[0], {0: 1, 1: 1})
    assert_at(still[1], {0: 1, 8: 1, 9: 0.25, 100: 0.25})
    assert_at(dialect.InvSqrtWithWarmup(1.0, 9, warmup=0), {0: 0.1, 5: 0.1})
    assert_at(dialect.PowerLR(1.0, 9, b=-1.0, warmup=0, decay=1), {0: 1, 1: 1, 4: 0.25, 8: 0.125, 9: 0})
    assert_at(dialect.WSDS(1.0, period_lengths=[3, 3], warmup=1, decay=0), {0: 0, 1: 1, 3: 1, 5: 1, 6: 0})
    assert_at(dialect.WSD(1.0, 6, warmup=5, decay=4), {4: 0.8, 5: 1, 6: 0, 7: 0})
    for name in ("WSD", "PowerLR", "CosWithWarmupAndLinearDecay"):
        rates = np.asarray(getattr(dialect, name)(1.0, 50, warmup=5, decay_min_lr=0.001)(np.arange(40, 400)))
        assert rates.min() == np.float32(0.001)


def test_a_schedule_is_written_down():
    for name in record.NAMES:
        schedule = made(name, record.cases(name)[0])
        assert jaxlr.schedules.parse(repr(schedule)).to_dict() == schedule.to_dict()


def said(**scheduler):
    table = {"optim": {"lr": 1e-3}, "scheduler": scheduler}
    return dialect.from_config({"train_module": table, "trainer": {"max_duration": {"value": 9, "unit": "steps"}}})


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: dialect.WSD(1.0, 9), ValueError, "warmup or warmup_fraction must be given, and only one"),
        (lambda: dialect.WSD(1.0, 9, warmup=1, decay=1, decay_fraction=0.1), ValueError, "decay or decay_fraction"),
        (lambda: dialect.WSD(1.0, 9, warmup=1, warmup_min_lr=1.0), ValueError, "warmup_min_lr must be below the rate"),
        (lambda: dialect.PowerLR(1.0, 9, b=0.5, warmup=1), ValueError, "b must be below 0, got 0.5"),
        (lambda: dialect.PowerLR(1.0, 9, warmup=1, decay=9), ValueError, "decay must be below max_steps, 9, got 9"),
        (lambda: dialect.WSDS(1.0, period_lengths=[], warmup=0, decay=1), ValueError, "period_lengths must hold one"),
        (lambda: dialect.WSDS(1.0, period_lengths=[4], warmup=3, decay=2), ValueError, "warmup and decay must fit"),
        (
            lambda: dialect.SequentialScheduler(1.0, 4, schedulers=[LINE, LINE], schedulers_max=[4]),
            ValueError,
            "max_ste",
        ),
        (lambda: dialect.ComposableScheduler(1.0, stages=[{"duraton": 4}]), ValueError, "did you mean 'duration'"),
        (lambda: said(type="cos_with_warmp"), ValueError, "did you mean 'cos_with_warmup'"),
        (lambda: said(type="wsd", warmup=1, alpha_f=0.1), ValueError, "wsd has no argument 'alpha_f'"),
        (lambda: said(type="wsd", warmpu=1), ValueError, "did you mean 'train_module.scheduler.warmup'"),
        (lambda: said(type="wsd", warmup="a"), ValueError, "train_module.scheduler.warmup must be a whole number"),
        (
            lambda: said(type="sequential", schedulers=[5], schedulers_max=[]),
            ValueError,
            "schedulers must be a list of",
        ),
        (
            lambda: dialect.from_config({"train_module": {"scheduler": {"type": "wsd"}}, "trainer": {}}),
            ValueError,
            "trainer.max_duration.value must be given",
        ),
    ],
)
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()
