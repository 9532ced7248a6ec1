"""The README's Python runs, its commands run or at least parse, and its pictures are there."""

import dataclasses
import importlib
import re
import shlex
import textwrap
from pathlib import Path

import numpy as np
import optax
import pytest

import jaxlr
from jaxlr.cli import COMMANDS, main
from jaxlr.cli.parsing import parse
from jaxlr.schedules import FAMILIES
from jaxlr.schedules import parse as parse_schedule

FOLDER = Path(__file__).parents[2]
README = (FOLDER / "README.md").read_text()
SHORT = ("list", "plot", "port")
# These make an environment, or start this very test; `.ci/run` runs the README's line with the tests.
ELSEWHERE = (
    "python3 -m venv",
    ". .venv/bin/activate",
    "python -m pytest",
    "pip install",
    ".venv/bin/pip",
    ".venv/bin/python -m pytest",
    "pytest",
    "apt",
    "git clone",
)


def blocks(*languages):
    """The blocks of code in some languages, those within lists too."""
    found = re.findall(rf"^ *```(?:{'|'.join(languages)})\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def commands():
    """Every command of the shell blocks as its words, without comments."""
    for block in blocks("sh", "bash", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            for command in line.removeprefix("$ ").split("&&"):
                if words := shlex.split(command, comments=True):
                    yield words


def of_jaxlr():
    """The words after `jaxlr`."""
    return [words[1:] for words in commands() if words[0].split("/")[-1] == "jaxlr"]


@pytest.mark.parametrize("block", blocks("python", "py"), ids=lambda block: block.strip().splitlines()[-1][:40])
def test_a_block_of_python_runs_alone(block, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    if "before" in names:  # the two schedules are one
        after = jaxlr.warmup(jaxlr.cosine(3e-4, 99_000), 1_000)
        before = optax.warmup_cosine_decay_schedule(0.0, 3e-4, 1_000, 100_000)
        counts = np.arange(0, 100_001, 500)
        np.testing.assert_allclose(after(counts), [before(count) for count in counts], atol=1e-6 * 3e-4)
    if "current_learning_rate" in block:
        assert capsys.readouterr().out.strip() == "0.0"
        assert float(jaxlr.current_learning_rate(names["state"])) == np.float32(1e-4)
    if "result" in names:
        assert names["result"].recommendation is not None
    if "rates" in names:
        assert names["rates"].shape == (3, 10_000)


def test_it_is_read_in_five_minutes():
    assert len(README.split()) <= 1200


def test_every_command_is_one_of_jaxlrs_or_known():
    assert of_jaxlr()
    for words in commands():
        text = " ".join(words)
        assert words[0].split("/")[-1] == "jaxlr" or text.startswith(ELSEWHERE), text


@pytest.mark.parametrize("words", of_jaxlr(), ids=" ".join)
def test_a_short_command_runs_and_a_long_one_parses(words, tmp_path, monkeypatch):
    command, *arguments = words
    assert command in COMMANDS
    monkeypatch.chdir(tmp_path)
    if command in SHORT:
        assert main(words) == 0
        return
    module = importlib.import_module(COMMANDS[command].module)
    options = [
        each for name, each in vars(module).items() if dataclasses.is_dataclass(each) and name.endswith("Options")
    ]
    parse(command, options[0], arguments)
    for text in arguments:
        if text.split("(")[0] in FAMILIES:
            parse_schedule(text, steps_per_epoch=100)


@pytest.mark.long
def test_the_commands_run_one_after_another(tmp_path, monkeypatch):
    """In one folder, as a reader would; a data set that is downloaded gives way to the digits."""
    monkeypatch.chdir(tmp_path)
    for words in of_jaxlr():
        if any("big" in word for word in words):  # the large run: test_devices.py, test_hosts.py and test_resume.py
            continue
        assert main(["digits" if word in ("fashion-mnist", "mnist", "cifar10") else word for word in words]) == 0, words


def test_every_picture_and_file_is_there():
    links = re.findall(r"\]\(([^)#]+?)\)", README)
    assert any(link.endswith((".png", ".svg")) for link in links)
    missing = [link for link in links if "://" not in link and not (FOLDER / link).exists()]
    assert missing == []
    named = re.findall(r"`((?:benchmarks|colab|tests|jaxlr)/[\w./]+)`", README)
    assert [name for name in named if not (FOLDER / name).exists()] == []
