"""How near a dialect is to the rates recorded from its source, and where its schedules start and end.

A recorder is a module `record_NAME` of tests/golden, with `NAMES`, `cases(name)`, `kept(name)` and `FILE`, and with
`last(arguments)` where the source has no rate after that count.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlr
from jaxlr import dialects

GOLDEN = Path(__file__).parent / "golden"
CONFIGS = Path(__file__).parent / "dialects" / "configs"
BOTH = pytest.mark.parametrize(
    "draws", [slice(0, 1), pytest.param(slice(1, None), marks=pytest.mark.long)], ids=["1", "19"]
)


def differences(record, make, name, draws=slice(None)):
    """The largest difference as a share of the peak, and the arguments, for each draw."""
    counts = record.kept(name)
    with np.load(record.FILE) as golden:
        rows = golden[name]
    for draw, arguments in list(enumerate(record.cases(name)))[draws]:
        here = counts[draw] <= record.last(arguments) if hasattr(record, "last") else slice(None)
        yield share_of_peak(make(name, arguments)(counts[draw][here]), rows[draw][here]), arguments


def rule_rates(rule, metrics):
    """The rates under a rule that sees a metric after every update."""
    link = jaxlr.scale_by_learning_rate(rule)

    def step(state, metric):
        _, state = link.update(jnp.ones(1), state)
        return jaxlr.observe(state, metric), jaxlr.current_learning_rate(state)

    return np.asarray(jax.jit(lambda s, m: jax.lax.scan(step, s, m)[1])(link.init(jnp.zeros(1)), metrics))


def share_of_peak(ours, theirs):
    """The largest difference over the largest rate; over 1 where the kept rates are all 0."""
    assert np.isfinite(theirs).all()
    return float(np.max(np.abs(np.asarray(ours, np.float64) - theirs)) / (np.max(np.abs(theirs)) or 1.0))


def config_difference(record, folder, file):
    """That of a configuration file's schedule, at the counts that the recorder says."""
    with np.load(record.FILE) as golden:
        theirs = golden[file]
    recipe = dialects.from_file(CONFIGS / folder / file)
    assert recipe.framework == folder
    return share_of_peak(recipe.schedule(record.counts(file)), theirs)


def assert_at(schedule, expected):
    """The values of a schedule at some counts, to seven digits."""
    counts = np.array(list(expected))
    np.testing.assert_allclose(schedule(counts), list(expected.values()), rtol=2e-7, atol=1e-12)


def assert_traces(make, *numbers):
    """Rates of numbers that are traced are those of the numbers."""
    counts = np.arange(60)
    traced = jax.jit(lambda *numbers: make(*numbers)(counts))(*numbers)
    np.testing.assert_allclose(traced, make(*numbers)(counts), rtol=1e-5, atol=1e-12)


def assert_sane(schedule, steps=300, *, end=None):
    """No rate is NaN, infinite or below 0, and past the end none changes."""
    rates = np.asarray(schedule(np.array([*range(steps), 10**6, 2**31 - 1])), np.float64)
    assert np.isfinite(rates).all()
    assert rates.min() >= 0
    if end is not None:
        assert (rates[end:] == rates[end]).all()
