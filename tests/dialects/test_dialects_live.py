"""The dialects against the packages themselves, each where it is installed.

jaxlr depends on none of them. `pip install --no-deps torch diffusers fastai fastcore mmengine mlx mlx-cpu tf_keras
megatron-core` brings what is asked for here but for levanter, which needs `--pre` with it, and fairseq, which is asked
where FAIRSEQ names the folder that it was unpacked to. The recorders run the modules with the schedules, with stand-ins
for the rest of the package; mlx is asked in its own arrays too. torch, transformers, timm and Keras have their live
tests beside their recorded ones.
"""

import contextlib
import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import record_levanter
import record_megatron
import record_mlx
import sampling
import test_dialect_levanter as levanter
import test_dialect_megatron as megatron
import test_dialects_small as small
from recorded import share_of_peak

DRAWS = 3
COUNTS = np.arange(sampling.STEPS)
# What the recorder of a package needs, and what else it puts stand-ins for.
NEEDED = {
    "diffusers": ("diffusers", "torch"),
    "fastai": ("fastai", "fastcore", "torch"),
    "mlx": ("mlx",),
    "mmengine": ("mmengine", "torch"),
    "tf_keras": ("tf_keras",),
    "fairseq": (),
}
STOOD_FOR = {"tf_keras": ("tensorflow",), "fairseq": ("omegaconf",), "megatron": ("optimizer_param_scheduler",)}
EACH = [pytest.param(*pair, id="-".join(pair)) for pair in small.NAMES if pair[0] in NEEDED]


@contextlib.contextmanager
def alone(framework):
    """What is loaded of a package, its stand-ins included, is set aside before and forgotten after."""

    def loaded():
        names = [name for name in sys.modules if name.partition(".")[0] in (framework, *STOOD_FOR.get(framework, ()))]
        return {name: sys.modules.pop(name) for name in names}

    before = loaded()
    try:
        yield
    finally:
        loaded()
        sys.modules.update(before)


def skip_without(*packages):
    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        pytest.skip(f"{', '.join(missing)} not installed")
    if "torch" in packages:
        import torch  # noqa: F401 - before a recorder does, in a place that is forgotten


@pytest.mark.parametrize(("framework", "name"), EACH)
def test_is_what_the_package_does(framework, name):
    skip_without(*NEEDED[framework])
    if framework == "fairseq" and "FAIRSEQ" not in os.environ:
        pytest.skip("FAIRSEQ names no folder")
    record, found = small.RECORDS[framework], []
    for arguments in sampling.draws(record.ARGUMENTS, name)[:DRAWS]:
        with alone(framework):
            theirs = record.rates(name, arguments)
        found.append(small.difference(framework, name, arguments, theirs, COUNTS))
    print(f"{framework} {name} {max(found):.1e}")
    assert max(found) <= small.BOUND


@pytest.mark.parametrize("name", record_mlx.ARGUMENTS)
def test_is_what_mlx_does_in_its_own_arrays(name):
    core = pytest.importorskip("mlx.core")
    schedulers = pytest.importorskip("mlx.optimizers.schedulers")

    def made(name, arguments):
        if name == "join_schedules":
            arguments = {**arguments, "schedules": [made(*part) for part in arguments["schedules"]]}
        return getattr(schedulers, name)(**arguments)

    found = []
    for arguments in sampling.draws(record_mlx.ARGUMENTS, name)[:DRAWS]:
        schedule = made(name, arguments)
        theirs = np.array([float(schedule(core.array(int(n)))) for n in COUNTS])
        found.append(small.difference("mlx", name, arguments, theirs, COUNTS))
    print(f"mlx arrays {name} {max(found):.1e}")
    assert max(found) <= 5e-6  # mlx' powers of float32


@pytest.mark.parametrize("name", record_megatron.NAMES)
def test_is_what_megatron_does(name):
    skip_without("megatron", "torch")
    folder = next(path for path in sys.path if Path(path, "megatron", "core", "optimizer_param_scheduler.py").exists())
    found = []
    with alone("megatron"):
        core = record_megatron.module(Path(folder))
    for arguments in record_megatron.cases(name)[:DRAWS]:
        scheduler = core.OptimizerParamScheduler(SimpleNamespace(param_groups=[{}]), **arguments)
        theirs = record_megatron.rates(scheduler, [1] * sampling.STEPS)
        found.append(megatron.difference(arguments, theirs, COUNTS))
    print(f"megatron {name} {max(found):.1e}")
    assert max(found) <= 1e-6


@pytest.mark.parametrize("name", record_levanter.NAMES)
def test_is_what_levanter_does(name):
    folder = next((path for path in sys.path if Path(path, "levanter", "optim", "config.py").exists()), None)
    if folder is None:
        pytest.skip("levanter not installed, or older than 1.2")
    make, found = record_levanter.source(Path(folder, "levanter")), []
    for arguments in record_levanter.cases(name)[:DRAWS]:
        theirs = np.asarray(make(**arguments)(COUNTS), np.float64)
        found.append(share_of_peak(levanter.made(name, arguments)(COUNTS), theirs))
    print(f"levanter {name} {max(found):.1e}")
    assert max(found) <= 1e-6
