"""The API reference is made by the README's command, whole, and needs no network to be read."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from jaxlr import dialects

README = Path(__file__).parent.parent.parent / "README.md"
MODULES = [
    "jaxlr",
    "jaxlr.schedules",
    "jaxlr.transforms",
    "jaxlr.search",
    "jaxlr.descent",
    "jaxlr.errors",
    "jaxlr.training",
    "jaxlr.training.data",
    *(f"jaxlr.dialects.{name}" for name in dialects.FRAMEWORKS),
]


@pytest.mark.long
def test_every_public_name_has_its_entry_and_nothing_is_loaded_from_elsewhere(tmp_path):
    (command,) = re.findall(r"^python .*-m pdoc (?:.*\\\n)*.*", README.read_text(), re.MULTILINE)
    words = shlex.split(command.replace("build/api", str(tmp_path)))
    subprocess.run([sys.executable, *words[1:]], check=True, timeout=300)
    for name in MODULES:
        page = (tmp_path / f"{name.replace('.', '/')}.html").read_text()
        entries = set(re.findall(r'id="([\w.]+)"', page))
        modules = {"dialects", "schedules", "transforms"} if name == "jaxlr" else set()
        assert set(importlib.import_module(name).__all__) - modules <= entries, name
    for page in tmp_path.rglob("*.html"):
        assert not re.search(r'(src|<link[^>]+href)="https?:', page.read_text()), page
    page = (tmp_path / "jaxlr.html").read_text()
    entry = page[page.index('id="triangular"') : page.index('id="triangular2"')]
    assert "Arguments:" in entry
    assert "<strong>step_size:</strong>" in entry
    assert '<span class="gp">&gt;&gt;&gt; </span>' in entry
