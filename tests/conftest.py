"""What all tests share: the programs that they compile, and how many cases of one test are run by default."""

import collections
import functools
import gc
import hashlib
import os
import platform
import re
import shutil
from pathlib import Path

import jax
import pytest
from jax._src.interpreters import mlir

_CASES = 4  # of one test, where everything is run; `pytest -m ci` has the others, and a run of a file has all
_LARGEST = 500_000_000  # bytes of compiled programs; more are those of past versions


def _processor():
    """What tells one kind of processor from another: a program is compiled for the one that it was made on."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def _share_dialects():
    """One MLIR context for all programs of a process: jax loads all dialects anew for each of thousands."""
    if hasattr(mlir, "make_ir_context"):  # a private name: where it is gone, tests are only slower
        mlir.make_ir_context = functools.cache(mlir.make_ir_context)


def pytest_configure(config):
    """Keeps compiled programs in the checkout, for all processes of this session and for the next one.

    Tracing is not kept, so a test that counts traces counts what it did.
    """
    if re.search(r"(?<!not )\b(tpu|cuda)\b", config.option.markexpr):  # compiled for, and nothing runs on one
        jax.config.update("jax_platforms", "cpu")
    _share_dialects()
    gc.set_threshold(100_000, 50, 1000)  # programs are many objects that stay: looking through them is slow
    kind = hashlib.sha256(_processor().encode()).hexdigest()[:8]
    folder = config.rootpath / ".pytest_cache" / f"jax-{kind}"
    first = not hasattr(config, "workerinput")  # the process that starts the others
    if first and folder.exists() and sum(path.stat().st_size for path in folder.iterdir()) > _LARGEST:
        shutil.rmtree(folder)
    kept = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    # jax writes an entry in place: one that another process is in the middle of is compiled here too.
    unread = "ignore:Error reading persistent compilation cache entry"
    config.addinivalue_line("filterwarnings", unread)
    for name, value in kept.items():
        jax.config.update(name, value)
    # The commands, notebooks and examples that tests start are processes of their own.
    os.environ |= {name.upper(): str(value) for name, value in kept.items()} | {"PYTHONWARNINGS": unread}


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Tells a process that pytest-xdist starts what it is started for."""
    node.workerinput["everything"] = _runs_everything(node.config)


def _runs_everything(config):
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.keyword


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Where everything is run, a test with many cases has a few by default, evenly spread; the others are marked."""
    worker = getattr(config, "workerinput", None)
    if not (worker["everything"] if worker else _runs_everything(config)):
        return
    tests = collections.defaultdict(list)
    for item in items:
        if not {"long", "ci", "tpu", "cuda"} & {mark.name for mark in item.iter_markers()}:
            tests[item.nodeid.partition("[")[0]].append(item)
    for cases in tests.values():
        kept = {i * (len(cases) - 1) // (_CASES - 1) for i in range(_CASES)}
        for i, item in enumerate(cases):
            if i not in kept:
                item.add_marker(pytest.mark.ci)
