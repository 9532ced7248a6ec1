"""The README's Python runs, and its commands are the ones that exist."""

import math
import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_runs_in_order(capsys):
    names = {}
    for block in blocks("python"):
        exec(block, names)
    assert names["rates"].shape == (3, 1000)
    last, after = map(float, capsys.readouterr().out.split())
    assert last == pytest.approx(0.1 * math.sin(math.pi / 1800) ** 2, rel=2e-7)  # count 999 is the cosine's 899 of 900
    assert after == 0.0


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines() if line])
def test_every_command_has_its_help(line):
    words = line.split("#")[0].split()
    if "jaxlr" in words:
        assert words[words.index("jaxlr") + 1] in ("train", "plot", "list")


def test_every_picture_is_there():
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", README)
    assert pictures
    assert all((Path(__file__).parent.parent / picture).is_file() for picture in pictures)
