"""The pages of the site: their code runs from top to bottom, their commands parse, their links lead somewhere."""

import contextlib
import dataclasses
import importlib
import io
import re
import shlex
from pathlib import Path

import pytest

from jaxlr.cli import COMMANDS
from jaxlr.cli.parsing import parse

FOLDER = Path(__file__).parents[2] / "docs"
PAGES = sorted(path for path in FOLDER.glob("*.md"))
# What a page may show without it being a dependency of the tests.
GUESTS = ("equinox", "keras", "torch", "flax")


def blocks(text, *languages):
    return re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def with_code():
    return [path for path in PAGES if blocks(path.read_text(), "python")]


def test_the_pages_of_the_tasks_have_code():
    tasks = re.findall(r":caption: Tasks\n\n(.*?)```", (FOLDER / "index.md").read_text(), re.DOTALL)[0].split()
    assert {f"{task}.md" for task in tasks} <= {path.name for path in with_code()}


# The others run with every change; these take seconds each.
SLOW = {"equinox", "find_a_rate", "keras", "pytorch", "reinforcement_learning"}


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[pytest.mark.ci] if path.stem in SLOW else []) for path in with_code()],
)
def test_the_code_runs_in_order(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, printed = {}, io.StringIO()
    text = path.read_text()
    for block in blocks(text, "python"):
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(block, path.name, "exec"), names)
        except ModuleNotFoundError as error:
            if error.name not in GUESTS:
                raise
            pytest.skip(f"{error.name} is not installed")
    for promised in re.findall(r"^It prints:\n\n```\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        assert promised in printed.getvalue()


def commands():
    for path in PAGES:
        for block in blocks(path.read_text(), "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words and words[0] == "jaxlr":
                    yield pytest.param(words[1:], id=f"{path.stem}: {' '.join(words)}")


@pytest.mark.parametrize("words", list(commands()))
def test_a_command_parses(words):
    command, *arguments = words
    module = importlib.import_module(COMMANDS[command].module)
    options = [
        each for name, each in vars(module).items() if dataclasses.is_dataclass(each) and name.endswith("Options")
    ]
    parse(command, options[0], arguments)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_has_a_picture_and_its_links_lead_to_files(path):
    text = path.read_text()
    assert "```{picture} " in text
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    generated = "reference/dialects/"
    assert [link for link in links if not link.startswith(generated) and not (FOLDER / link).exists()] == []
