"""A run compiled for devices that are not there: what is said of it, and what is refused."""

import dataclasses
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import jaxlr
from jaxlr.cli import main
from jaxlr.cli.parsing import parse
from jaxlr.cli.train import TrainOptions
from jaxlr.compiling import CHIPS, describe, targets
from jaxlr.training.loop.feed import AHEAD
from jaxlr.training.loop.trainer import Trainer
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.planning import plan
from jaxlr.training.runs.starting.assembly import load_data, make_model, make_optimizer

CONFIG = TrainConfig(width=2, depth=1, batch_size=32, schedule="constant(0.01)", optimizer="sgd", momentum=0.9)


@pytest.fixture(scope="module")
def planned():
    return plan(CONFIG, "cpu")


def trainer_of(config):
    data = load_data(config)
    return Trainer(
        make_model(config, data),
        make_optimizer(config, jaxlr.constant(0.01)),
        data,
        batch_size=config.batch_size,
        images_on=config.images_on,
    )


def test_every_byte_of_the_arguments_is_that_of_a_real_trainer(planned):
    trainer, parts = trainer_of(CONFIG), planned.update.parts
    (parameters, variables), optimizer = trainer.state
    images, labels, order = trainer._feed.fed(0, 0)

    def size(tree):
        leaves = [
            jax.random.key_data(leaf) if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
            for leaf in jax.tree.leaves(tree)
        ]
        return sum(leaf.nbytes for leaf in leaves)

    assert parts["parameters"] == size(parameters)
    assert parts["statistics"] == size(variables)
    assert parts["optimizer state"] == size(optimizer)
    assert parts["images"] == size((images, labels)) == planned.images_bytes
    assert parts["order"] == size(order) + 4  # and the number of updates
    assert sum(parts.values()) == planned.update.memory.arguments
    assert planned.parameters == sum(leaf.size for leaf in jax.tree.leaves(parameters))


def test_the_program_is_the_one_that_a_trainer_compiles(planned):
    trainer = trainer_of(CONFIG)
    trainer._compile()
    own, real = planned.update.compiled, trainer._compiled
    assert planned.update.memory.temporaries == real.memory_analysis().temp_size_in_bytes
    assert own.as_text().count("fusion(") == real.as_text().count("fusion(")


def test_images_on_the_host_are_there_a_window_at_a_time():
    needed = plan(dataclasses.replace(CONFIG, images_on="host"), "cpu")
    window = needed.update.parts["images of a window"]
    assert needed.update.beside == {"windows to come": AHEAD * window}
    assert needed.update.peak == needed.update.memory.peak + AHEAD * window
    assert "stay on the host" in str(needed)


def test_it_is_printed_with_its_numbers(planned):
    text = str(planned)
    for word in ("parameters", "optimizer state", "images", "temporaries", "peak", "operations", "fusions", "it fits"):
        assert word in text
    assert planned.verdict.startswith("cpu: a batch of 32 fits: it needs ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["v5x:2x4"], "v5x:2x4: unknown chip 'v5x'; did you mean 'v5p'?"),
        (["v5e:"], "'v5e:' names no devices; write CHIP or CHIP:TOPOLOGY, such as v5e:2x4 or h100:8"),
        (["v5e:0x4"], "'v5e:0x4' names no devices; write CHIP or CHIP:TOPOLOGY, such as v5e:2x4 or h100:8"),
        (["cpu", "--batch-size", "5000"], "batch_size must be at most the 1293 training images, got 5000"),
        (["cpu", "--devices", "2"], "devices must be at most the 1 that are there, got 2"),
        (["cpu", "--out", "x"], "--compile-for runs and writes nothing, leave --out away"),
        (["cpu", "--lr", "auto"], "--compile-for runs and writes nothing, leave --lr auto away"),
    ],
)
def test_what_cannot_be_is_one_line(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--compile-for", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"jaxlr train: {said}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "extra"), [("v5e:2x4", "tpu"), ("h100", "compile-cuda")])
def test_a_missing_compiler_is_named_with_what_installs_it(name, extra, monkeypatch, capsys):
    there = targets.importlib.util.find_spec
    missing = ("libtpu", "jax_cuda12_plugin", "jax_cuda13_plugin")
    monkeypatch.setattr(
        targets.importlib.util, "find_spec", lambda package: None if package in missing else there(package)
    )
    assert main(["train", "--compile-for", name]) == 2
    kind = "TPUs" if extra == "tpu" else "GPUs"
    said = f'{name}: the compiler for {kind} is not installed: pip install "jaxlr[{extra}]"'
    assert capsys.readouterr().err == f"jaxlr train: {said}\n"


@pytest.mark.ci
def test_a_run_that_does_not_fit_ends_with_the_numbers(monkeypatch, capsys):
    monkeypatch.setattr(
        "jaxlr.compiling.targets.describe", lambda name: dataclasses.replace(describe("cpu"), memory=100_000)
    )
    words = ["--width", "2", "--depth", "1", "--batch-size", "512", "--schedule", "constant(0.1)", "--optimizer", "sgd"]
    assert main(["train", "--compile-for", "cpu", *words]) == 1
    out, err = capsys.readouterr()
    assert "it does not fit" in out
    assert err.startswith("jaxlr train: cpu: a batch of 512 does not fit: it needs ")
    assert "a device, there are 100.00 kB; the largest batch found to fit is " in err


@pytest.mark.tpu
def test_devices_that_cannot_share_the_batch(capsys):
    pytest.importorskip("libtpu")
    assert main(["train", "--compile-for", "v5e:2x4", "--batch-size", "100"]) == 2
    said = "batch_size must be a multiple of the 8 devices, got 100; with devices=5 it can stay"
    assert capsys.readouterr().err == f"jaxlr train: {said}\n"


PROGRAM = Path(__file__).parents[2] / "programs" / "memory_of_devices.py"


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="asks Linux for the highest")
@pytest.mark.parametrize("devices", [1, 8])
def test_what_is_said_is_what_is_taken(devices):
    words = [sys.executable, PROGRAM, str(devices)]
    # A program that was read from a file lies in memory otherwise than one that was compiled, and what the C library
    # keeps of freed memory for each thread is not the run's.
    own = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    own |= {"JAX_PLATFORMS": "cpu", "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=500, env=own)
    said, taken = map(int, done.stdout.split())
    assert said == pytest.approx(taken, rel=0.1)


PAGE = (Path(__file__).parents[3] / "docs" / "before_your_reservation.md").read_text()


def test_the_page_s_python_runs(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(block, "docs/before_your_reservation.md", "exec"), names := {})
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(names["state"]["optimizer"]))
    fits, said, taken_over = capsys.readouterr().out.split()
    assert (fits, taken_over) == ("True", "True")
    assert 2 * 4 * 1024 * 512 < int(said) <= size  # numbers that the step only writes are not read


def test_the_page_s_commands_are_options_that_there_are():
    commands = [line for line in PAGE.splitlines() if line.startswith("jaxlr train")]
    assert len(commands) == 2
    for command in commands:
        options = parse("train", TrainOptions, shlex.split(command)[2:])
        assert options.compile_for
        for name in options.compile_for:
            assert name.split(":")[0] in CHIPS
