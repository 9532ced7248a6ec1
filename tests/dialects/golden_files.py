"""What the tests of dialects share whose sources are recorded: differences from a golden file, and borders."""

import runpy
from pathlib import Path

import numpy as np

from jaxlr import dialects

GOLDEN = Path(__file__).parents[1] / "golden"
CONFIGS = Path(__file__).parent / "configs"


def recorder(name):
    """The recorder of a framework, as a table of its functions."""
    return runpy.run_path(str(GOLDEN / f"record_{name}.py"))


def largest(ours, theirs):
    """The largest difference as a share of the peak."""
    assert np.isfinite(theirs).all()
    return float(np.max(np.abs(np.asarray(ours, np.float64) - theirs)) / (np.max(np.abs(theirs)) or 1.0))


def differences(framework, record, name, make, draws=slice(None)):
    """The difference of what `make` makes of the arguments from the recorded values, and the arguments, by draws."""
    counts = record["kept"](name)
    with np.load(GOLDEN / f"{framework}.npz") as golden:
        for draw, arguments in list(enumerate(record["cases"](name)))[draws]:
            yield largest(make(**arguments)(counts[draw]), golden[name][draw]), arguments


def config_difference(framework, record, file):
    """That of a configuration file's schedule."""
    with np.load(GOLDEN / f"{framework}.npz") as golden:
        theirs = golden[file]
    recipe = dialects.from_file(CONFIGS / framework / file)
    assert recipe.framework == framework
    return largest(recipe.schedule(record["counts"](file)), theirs)


def assert_at(schedule, expected):
    """The values of a schedule at some counts, to seven digits."""
    counts = np.array(list(expected))
    np.testing.assert_allclose(schedule(counts), list(expected.values()), rtol=2e-7, atol=1e-12)
