"""torchtitan's schedule under its own name, and its TOML files, against rates recorded from torchtitan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import record_torchtitan as record
from recorded import CONFIGS, assert_at, config_difference, differences

import jaxlr
from jaxlr import dialects
from jaxlr.dialects import torchtitan as dialect

make = dialect.LRSchedulersContainer
# Name, unit of the counts, first value, last count that is not past the end, what comes after it, the test of it.
CONVENTIONS = [
    (
        "LRSchedulersContainer",
        "updates",
        "lr / warmup_steps",
        "total_steps",
        "min_lr_factor",
        "test_the_borders_are_torchtitans",
    ),
    (
        "LRSchedulersContainer without warm-up",
        "updates",
        "lr",
        "total_steps",
        "min_lr_factor",
        "test_the_borders_are_torchtitans",
    ),
]
BORDERS = {
    "LRSchedulersContainer": (
        make(1.0, 8, 2, None, 0.5, "linear", 0.5),
        {0: 0.5, 1: 1, 2: 1, 4: 1, 5: 0.875, 7: 0.625, 8: 0.5, 9: 0.5, 1000: 0.5},
    ),
    "LRSchedulersContainer without warm-up": (make(1.0, 4, 0), {0: 1, 1: 0.75, 3: 0.25, 4: 0, 5: 0}),
}


def made(name, arguments):
    return make(**arguments)


@pytest.mark.parametrize("draws", [slice(0, 5), pytest.param(slice(5, None), marks=pytest.mark.long)], ids=["5", "15"])
def test_is_what_torchtitan_recorded(draws):
    for found, arguments in differences(record, made, "LRSchedulersContainer", draws):
        assert found <= 1e-6, arguments


@pytest.mark.parametrize("name", [row[0] for row in CONVENTIONS])
def test_the_borders_are_torchtitans(name):
    assert_at(*BORDERS[name])


@pytest.mark.parametrize("file", record.CONFIGS)
def test_a_toml_file_is_what_torchtitan_makes_of_it(file):
    assert config_difference(record, "torchtitan", file) <= 1e-6


def test_a_toml_file_makes_an_optimizer():
    recipe = dialects.from_file(CONFIGS / "torchtitan" / "wsd_cosine.toml")
    assert recipe.arguments == {"b1": 0.92, "b2": 0.98, "eps": 1e-8, "weight_decay": 0.05}
    state = recipe.make().init(jnp.zeros(2))
    assert np.isclose(float(jaxlr.current_learning_rate(state)), 1.2e-3 / 333)
    assert dialects.from_file(CONFIGS / "torchtitan" / "early_stop_sqrt.toml").clip is None


@pytest.mark.parametrize("kind", ["linear", "sqrt", "cosine"])
def test_past_the_end_the_rate_is_the_lowest(kind):
    rates = np.asarray(make(1.0, 9, 2, None, 0.4, kind, 0.25)(np.arange(9, 40)))
    assert (rates == 0.25).all()


def test_a_warm_up_longer_than_the_run_is_cut_and_there_is_no_decay():
    assert_at(make(1.0, 4, 9), {0: 0.25, 3: 1, 4: 1, 100: 1})
    assert_at(make(1.0, 4, 3, None, 1.0), {0: 1 / 3, 2: 1, 3: 1, 4: 0})


def test_the_rates_can_be_traced_and_lengths_not():
    rate = jax.jit(lambda peak, low: make(peak, 20, 5, min_lr_factor=low)(jnp.arange(25)))
    np.testing.assert_allclose(rate(0.5, 0.1), make(0.5, 20, 5, min_lr_factor=0.1)(np.arange(25)), rtol=1e-6)
    with pytest.raises(TypeError, match="training_steps must be known, got a traced number"):
        jax.jit(lambda steps: make(1.0, steps)(0))(5)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: make(0.1, 0), ValueError, "training_steps must be at least 1, got 0"),
        (lambda: make(0.1, 9, decay_ratio=1.5), ValueError, "decay_ratio must be at most 1, got 1.5"),
        (lambda: make(0.1, 9, decay_type="exp"), ValueError, "decay_type must be one of 'linear'"),
        (
            lambda: dialect.from_config({"lr_scheduler": {"min_lr_factor": 0.1, "lr_min": 0.1}}),
            ValueError,
            "lr_scheduler.min_lr_factor and lr_scheduler.lr_min contradict",
        ),
        (
            lambda: dialect.from_config({"lr_scheduler": {"decay_tpye": "x"}}),
            ValueError,
            "unknown key 'lr_scheduler.decay_tpye'; did you mean 'lr_scheduler.decay_type'",
        ),
        (
            lambda: dialect.from_config({"lr_schedular": {"decay_type": "x"}}),
            ValueError,
            "did you mean 'lr_scheduler.de",
        ),
        (
            lambda: dialect.from_config({"optimizer": {"name": "Muon"}}),
            ValueError,
            "optimizer.name must be one of AdamW",
        ),
    ],
)
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()
