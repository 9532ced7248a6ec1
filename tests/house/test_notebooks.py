"""The notebooks run from top to bottom as they are, say nothing on stderr, and are saved with what they show."""

import base64
import struct
import time
import tomllib

import nbformat
import pytest
from notebook_runtimes import FOLDER, NOTEBOOKS, RUNTIMES, execute, processor_seconds, together
from packaging.requirements import Requirement

import jaxlr
from jaxlr.schedules import FAMILIES


def read(path):
    return nbformat.read(path, as_version=4)


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures(notebook):
    return [output for output in outputs(notebook) if "image/png" in output.get("data", {})]


def structure(notebook):
    """What each cell of code puts out: a stream's name, or the kinds of what is shown."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {
        cell.id: [
            output.get("name") or sorted(set(output.data) & {"text/plain", "image/png"}) for output in cell.outputs
        ]
        for cell in cells
    }


def size(picture):
    """Width and height of a PNG in pixels."""
    return struct.unpack(">II", base64.b64decode(picture.data["image/png"])[16:24])


@pytest.mark.ci
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_small_form_has_the_structure_that_is_saved(path, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXLR_SMOKE", "1")
    # In another folder: a notebook must not need the files beside it.
    notebook = execute(path, tmp_path)
    assert structure(notebook) == structure(read(path))
    assert "jax 0." in outputs(notebook)[0].text
    assert all("<Figure" in picture.data["text/plain"] for picture in pictures(notebook))


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_full_form_takes_less_than_two_minutes(path, tmp_path, monkeypatch):
    monkeypatch.delenv("JAXLR_SMOKE", raising=False)
    started, spent = time.perf_counter(), processor_seconds()
    notebook = execute(path, tmp_path)
    # On a machine that does other things besides, the wall clock tells of those.
    assert min(time.perf_counter() - started, processor_seconds() - spent) < 120
    assert structure(notebook) == structure(read(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_valid_and_saved_with_small_pictures(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.language_info == {"name": "python"}
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert {output.name for output in outputs(notebook) if output.output_type == "stream"} == {"stdout"}
    assert all(cell.outputs == together(cell.outputs) for cell in notebook.cells if cell.cell_type == "code")
    assert pictures(notebook)
    # A figure is 7 to 11 inches wide: 100 dots an inch.
    assert all(600 < size(picture)[0] < 1150 for picture in pictures(notebook))
    assert path.stat().st_size < 2e6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_is_explained_and_an_exercise_ends_it(path):
    cells = read(path).cells
    for cell, below in zip(cells, [*cells[1:], None], strict=True):
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            assert below is not None, cell.id
            assert below.source.startswith("**What to see.**") or below.cell_type == "code", cell.id
    assert cells[-1].source.startswith("## Exercise\n")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_opens_by_a_click_and_its_teaching_cells_have_no_switch(path):
    cells = read(path).cells
    title, badge, _ = cells[0].source.split("\n\n", 2)
    assert title.startswith("# ")
    assert badge.endswith(f"/blob/main/colab/{path.name})")
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert "SMALL = " in code[0]
    assert not [source for source in code[2:] if "SMALL" in source or "JAXLR_SMOKE" in source]


def test_all_install_from_one_address_and_move_nothing():
    firsts = {next(cell for cell in read(path).cells if cell.cell_type == "code").source for path in NOTEBOOKS}
    assert len(NOTEBOOKS) == 5
    (first,) = firsts
    assert first.count("REPOSITORY = ") == 1
    assert '"--constraint"' in first


def test_the_pictures_show_every_family_of_schedules_that_everybody_needs():
    source = NOTEBOOKS[0].read_text()
    assert [name for name in FAMILIES if name in jaxlr.__all__ and f"{name}(" not in source] == []


def test_each_runtime_is_what_the_floors_allow():
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["train"], *extras["plot"]]
    wanted = [Requirement(line) for line in lines if not line.startswith("jaxlr")]
    assert len(RUNTIMES) == 2
    for name, path in RUNTIMES.items():
        pins = dict(line.lower().split("==") for line in path.read_text().splitlines()[1:])
        assert [str(each) for each in wanted if not each.specifier.contains(pins.get(each.name, "9999"))] == [], name
