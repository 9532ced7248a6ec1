"""MaxText's schedule by its own words and from its files, against rates recorded from MaxText."""

import fnmatch
import re
from inspect import signature
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import record_maxtext as record
from recorded import BOTH, assert_sane, assert_traces, differences, share_of_peak

import jaxlr
from jaxlr import dialects
from jaxlr.dialects import maxtext as dialect
from jaxlr.dialects.patterns import glob

CONFIGS = sorted(record.CONFIGS.glob("*.yml"))
# name, unit, first rate, count of the last rate of a run of N updates, what comes after, the test of the border
CONVENTIONS = [
    ("cosine", "updates", "0", "N - 1", "0 in a longer run, else held", "test_the_last_update_is_at_the_end"),
    ("wsd", "updates", "0", "N - 1", "0 in a longer run, else held", "test_the_last_update_is_at_the_end"),
]


def made(name, arguments):
    return dialect.create_learning_rate_schedule(**arguments)


@BOTH
@pytest.mark.parametrize("name", record.NAMES)
def test_is_what_maxtext_recorded(name, draws):
    for found, arguments in differences(record, made, name, draws):
        assert found <= 1e-6, arguments


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_file_has_the_rates_of_the_source(path):
    import yaml

    recipe = dialects.from_file(path)
    assert recipe.framework == "maxtext"
    counts = record.config_counts(yaml.safe_load(path.read_text())["steps"])
    with np.load(record.FILE) as golden:
        assert share_of_peak(recipe.schedule(np.array(counts)), golden[path.name]) <= 1e-6


def test_three_files_are_there():
    assert [path.stem for path in CONFIGS] == ["llama3_8b_cosine", "moe_wsd", "sft_short"]


@pytest.mark.ci
def test_a_file_makes_the_optimizer():
    params = {"layer": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}, "pre_norm": jnp.ones(2)}
    dense, moe, tuned = (dialects.from_file(path) for path in CONFIGS)
    assert dense.arguments == {"b1": 0.9, "b2": 0.95, "eps": 1e-8, "weight_decay": 0.1}
    assert dense.groups == jaxlr.ParameterGroups(no_decay=["*norm*", "*bias"])
    assert (dense.clip, moe.clip, dense.micro_batches, moe.micro_batches) == (1.0, None, 1, 4)
    assert (dense.left_out, list(moe.left_out)) == ({}, ["skip_step_on_spikes"])
    assert list(tuned.left_out) == ["opt_type", "trainable_parameters_mask"]
    known = set(signature(optax.contrib.muon).parameters)
    for recipe in (dense, moe, tuned):
        # Where Optax is older than the word.
        if not recipe.optimizer.startswith("optax") or set(recipe.arguments) <= known:
            recipe.make().init(params)


@pytest.mark.parametrize("kind", [{}, {"lr_schedule_type": "wsd"}], ids=["cosine", "wsd"])
def test_the_last_update_is_at_the_end(kind):
    rate = dialect.create_learning_rate_schedule(learning_rate=1.0, learning_rate_schedule_steps=20, steps=22, **kind)
    assert [float(rate(n)) for n in (0, 1, 2)] == [0.0, 0.5, 1.0]
    assert float(rate(18)) > float(rate(19)) == np.float32(0.1)
    assert [float(rate(n)) for n in (20, 21, 22)] == [0.0, 0.0, 0.0]
    held = dialect.create_learning_rate_schedule(learning_rate=1.0, steps=20, **kind)
    assert [float(held(n)) for n in (19, 20, 10**6)] == [np.float32(0.1)] * 3


@pytest.mark.parametrize("warm", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 40])
@pytest.mark.parametrize("kind", [{}, {"lr_schedule_type": "wsd", "wsd_decay_steps_fraction": 0.5}])
def test_a_cosine_does_not_rise_again_and_short_runs_are_finite(kind, steps, warm):
    if kind and warm == 1.0:
        kind = kind | {"wsd_decay_steps_fraction": 0.0}
    rate = dialect.create_learning_rate_schedule(learning_rate=1.0, steps=steps, warmup_steps_fraction=warm, **kind)
    assert_sane(rate, end=steps)


@pytest.mark.ci
def test_numbers_can_be_traced():
    def cosine(peak, last, steps):
        return dialect.create_learning_rate_schedule(
            learning_rate=peak, learning_rate_final_fraction=last, learning_rate_schedule_steps=steps, steps=50
        )

    def wsd(peak, share, steps):
        return dialect.create_learning_rate_schedule(
            learning_rate=peak, lr_schedule_type="wsd", wsd_decay_steps_fraction=share, steps=steps
        )

    for steps in (1, 2, 40, 50, 60):
        assert_traces(cosine, 0.3, 0.25, steps)
    for steps, share in ((40, 0.0), (40, 0.25), (40, 0.03), (2, 0.5)):
        assert_traces(wsd, 0.3, share, steps)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"lr_schedule_type": "cosin"}, ValueError, "lr_schedule_type must be one of 'cosine', 'wsd', got 'cosin'"),
        ({"steps": -1}, ValueError, "steps or learning_rate_schedule_steps must be given, got -1 for both"),
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"warmup_steps_fraction": 1.5}, ValueError, "warmup_steps_fraction must be at most 1, got 1.5"),
        (
            {"lr_schedule_type": "wsd", "warmup_steps_fraction": 0.6, "wsd_decay_steps_fraction": 0.5},
            ValueError,
            "warmup_steps_fraction and wsd_decay_steps_fraction must be at most 1 together, got 0.6 and 0.5",
        ),
        ({"learning_rate": "3e-4"}, TypeError, "learning_rate must be a number, got '3e-4'"),
        ({"warmup_fraction": 0.1}, TypeError, "warmup_fraction"),
    ],
)
def test_what_cannot_be_is_said(arguments, error, words):
    with pytest.raises(error, match=words):
        dialect.create_learning_rate_schedule(**arguments)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"learning_rate": "__import__('os').getcwd()"}, "learning_rate must be a number"),
        ({"warmup_step_fraction": 0.1}, "unknown key 'warmup_step_fraction'; did you mean 'warmup_steps_fraction'?"),
        (
            {"learning_rate_final_fraction": 0.1, "cosine_learning_rate_final_fraction": 0.1},
            "learning_rate_final_fraction and cosine_learning_rate_final_fraction, its older name, must not both",
        ),
        ({"opt_type": "adam"}, "opt_type must be one of adamw, adam_pax, sgd, muon, got 'adam'"),
        ({"adamw_mask": "bias"}, "adamw_mask must be a list of regular expressions, got 'bias'"),
        ({"steps": 10.5}, "steps must be a whole number of at least -1, got 10.5"),
    ],
)
def test_a_wrong_key_is_one_line(config, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        dialect.from_config(config)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_older_key_and_an_expression_that_is_no_pattern():
    older = dialect.from_config({"cosine_learning_rate_final_fraction": 0.5, "steps": 100, "adamw_mask": ["(a|b)"]})
    assert float(older.schedule(99)) == np.float32(1.5e-5)
    assert list(older.left_out) == ["adamw_mask"]
    assert older.groups is None


def test_a_schedule_is_written_down():
    for name in record.NAMES:
        for arguments in record.cases(name)[:5]:
            rate = made(name, arguments)
            assert jaxlr.schedules.parse(repr(rate)).to_dict() == rate.to_dict()


def test_the_port_reads_its_files():
    from jaxlr.cli.port import recipes

    assert "maxtext.create_learning_rate_schedule" in recipes()
    assert Path(CONFIGS[0]).suffix == ".yml"


@pytest.mark.parametrize(
    "expression", [".*norm.*", "bias$", "^embed", "layers.0/", r"wi\.0", "a[bc]", "(a|b)", "", ".*", "x*", "a+b", "[*]"]
)
@pytest.mark.parametrize("anchored", [False, True])
def test_a_pattern_matches_what_its_expression_does(expression, anchored):
    pattern = glob(expression, anchored=anchored)
    if pattern is None:
        assert re.search(r"[(\[+]|(?<!\.)\*", expression)
        return
    paths = [
        "norm",
        "pre_norm/scale",
        "mlp/bias",
        "bias/x",
        "embed/w",
        "w/embed",
        "layers_0/w",
        "wi.0",
        "wi_0",
        "",
        "x/a",
    ]
    for path in paths:
        found = (re.match if anchored else re.search)(expression, path)
        assert fnmatch.fnmatchcase(path, pattern) == bool(found), (path, pattern)
