"""The notebooks run from top to bottom as they are, say nothing on stderr, and are saved without outputs."""

import resource
import time
from pathlib import Path

import nbclient
import nbformat
import pytest

from jaxlr.schedules import FAMILIES

FOLDER = Path(__file__).parents[2] / "colab"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def executed(path, folder):
    notebook = nbformat.read(path, as_version=4)
    # In another folder: a notebook must not need the files beside it.
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()
    return notebook


def processor_seconds():
    """What processes that this one has started, and that have ended, took of all cores."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures(notebook):
    return [output for output in outputs(notebook) if "image/png" in output.get("data", {})]


@pytest.mark.ci
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_small_form_runs_and_shows_pictures(path, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXLR_SMOKE", "1")
    notebook = executed(path, tmp_path)
    streams = {output.name for output in outputs(notebook) if output.output_type == "stream"}
    assert streams == {"stdout"}
    assert "jax 0." in outputs(notebook)[0].text
    figures = [output for output in outputs(notebook) if "<Figure" in output.get("data", {}).get("text/plain", "")]
    assert figures == pictures(notebook) != []


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_full_form_takes_less_than_two_minutes(path, tmp_path, monkeypatch):
    monkeypatch.delenv("JAXLR_SMOKE", raising=False)
    started, spent = time.perf_counter(), processor_seconds()
    notebook = executed(path, tmp_path)
    # On a machine that does other things besides, the wall clock tells of those.
    assert min(time.perf_counter() - started, processor_seconds() - spent) < 120
    assert pictures(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_valid_and_saved_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert not outputs(notebook)
    assert all(cell.get("execution_count") is None for cell in notebook.cells)


def test_all_install_from_one_address_and_keep_the_runtimes_jax():
    firsts = [next(c for c in nbformat.read(p, as_version=4).cells if c.cell_type == "code") for p in NOTEBOOKS]
    assert len(firsts) == 4
    assert len({first.source for first in firsts}) == 1
    assert 'REPOSITORY = "https://' in firsts[0].source
    assert 'for name in ("jax", "jaxlib")' in firsts[0].source


def test_the_pictures_show_every_family_of_schedules():
    source = NOTEBOOKS[0].read_text()
    assert [name for name in FAMILIES if f"{name}(" not in source] == []
