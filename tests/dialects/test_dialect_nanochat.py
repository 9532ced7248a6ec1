"""nanochat's schedules and nanoGPT's under their own names, against values recorded from their scripts."""

import numpy as np
import pytest
import record_nanochat as record
from recorded import BOTH, assert_at, differences

import jaxlr
from jaxlr.dialects import nanochat as dialect

EVERY = pytest.mark.parametrize("name", record.NAMES)
# Name, unit of the counts, first value, last count that is not past the end, what comes after it, the test of it.
CONVENTIONS = [
    (
        "get_lr_multiplier",
        "updates",
        "1 / warmup_steps",
        "num_iterations",
        "final_lr_frac",
        "test_the_borders_are_the_scripts",
    ),
    ("get_muon_momentum", "updates", "0.85", "num_iterations", "0.9", "test_the_borders_are_the_scripts"),
    ("get_weight_decay", "updates", "weight_decay", "num_iterations", "0", "test_the_borders_are_the_scripts"),
    (
        "get_lr (nanoGPT)",
        "updates",
        "peak / (warmup_iters + 1)",
        "lr_decay_iters",
        "min_lr",
        "test_the_borders_are_the_scripts",
    ),
]
BORDERS = {
    "get_lr_multiplier": (
        dialect.get_lr_multiplier(8, 2, 0.5, 0.5),
        {0: 0.5, 1: 1, 4: 1, 5: 0.875, 7: 0.625, 8: 0.5, 9: 0.5, 1000: 0.5},
    ),
    "get_muon_momentum": (
        dialect.get_muon_momentum(800, 0.25),
        {0: 0.85, 399: 0.9697, 400: 0.97, 600: 0.97, 700: 0.935, 800: 0.9, 801: 0.9},
    ),
    "get_weight_decay": (dialect.get_weight_decay(0.5, 4), {0: 0.5, 2: 0.25, 4: 0, 5: 0, 1000: 0}),
    "get_lr (nanoGPT)": (dialect.get_lr(1.0, 3, 7, 0.5), {0: 0.25, 2: 0.75, 3: 1, 5: 0.75, 7: 0.5, 8: 0.5}),
}


def made(name, arguments):
    return getattr(dialect, name)(**arguments)


@BOTH
@EVERY
def test_is_what_the_scripts_recorded(name, draws):
    for found, arguments in differences(record, made, name, draws):
        assert found <= 1e-6, arguments


@pytest.mark.parametrize("name", [row[0] for row in CONVENTIONS])
def test_the_borders_are_the_scripts(name):
    assert_at(*BORDERS[name])


def test_what_reaches_into_the_warm_down_jumps_after_it():
    assert_at(dialect.get_lr_multiplier(8, 6, 0.5, 0.0), {0: 1 / 6, 5: 1, 6: 0.5, 7: 0.25, 8: 0})
    assert_at(dialect.get_muon_momentum(400, 0.5), {200: 0.91, 399: 0.9697, 400: 0.9, 401: 0.9})
    assert_at(dialect.get_muon_momentum(100, 0.5), {0: 0.85, 100: 0.88, 500: 0.88})


def test_a_warm_up_of_all_of_nanogpts_run_does_not_divide_by_0():
    rates = np.asarray(dialect.get_lr(1.0, 3, 3, 0.5)(np.arange(6)))
    assert rates.tolist() == [0.25, 0.5, 0.75, 0.5, 0.5, 0.5]


def test_a_schedule_is_written_down():
    for name in record.NAMES:
        made = getattr(dialect, name)(**record.cases(name)[0])
        assert jaxlr.schedules.parse(repr(made)).to_dict() == made.to_dict()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: dialect.get_lr_multiplier(0), ValueError, "num_iterations must be at least 1, got 0"),
        (lambda: dialect.get_lr_multiplier(9, warmdown_ratio=1.5), ValueError, "warmdown_ratio must be at most 1"),
        (lambda: dialect.get_lr(1.0, 9, 5), ValueError, "lr_decay_iters must be at least warmup_iters, 9, got 5"),
        (lambda: dialect.get_weight_decay("a", 5), TypeError, "weight_decay must be a number"),
    ],
)
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()
