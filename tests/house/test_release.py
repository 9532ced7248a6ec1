"""Wheel and sdist: what is in them, that it runs where only its requirements are, and the notes of a version."""

import importlib.metadata
import json
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import address
import pytest
import release_notes
from packaging.requirements import Requirement

FOLDER = Path(__file__).parents[2]
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
DATA = ("jaxlr/py.typed", "jaxlr/training/data/digits.npz", "jaxlr/training/data/digits.LICENSE.md")


def build(what, source, folder):
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{what}", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    return build("sdist", FOLDER, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """The wheel that the sdist builds."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


def required(extras):
    """The installed distributions that jaxlr's metadata ask for, and those that they ask for."""
    found, waiting = {}, [(Requirement(line), extras) for line in PROJECT["dependencies"]]
    for extra in extras:
        waiting += [(Requirement(line), ()) for line in PROJECT["optional-dependencies"][extra]]
    while waiting:
        wanted, _ = waiting.pop()
        if wanted.name == "jaxlr":
            lines = [line for extra in wanted.extras for line in PROJECT["optional-dependencies"][extra]]
            waiting += [(Requirement(line), ()) for line in lines]
            continue
        if (wanted.name.lower(), tuple(wanted.extras)) in found:
            continue
        distribution = importlib.metadata.distribution(wanted.name)
        found[wanted.name.lower(), tuple(wanted.extras)] = distribution
        for line in distribution.requires or ():
            inner = Requirement(line)
            if inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in ("", *wanted.extras)):
                waiting.append((inner, ()))
    return {distribution.name: distribution for distribution in found.values()}.values()


def environment(folder, wheel, extras):
    """An environment with the wheel and, as links, nothing but what its metadata require; its folder of programs."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    install = ["install", "--quiet", "--no-deps", "--no-index", "--prefix", str(folder), "--ignore-installed"]
    subprocess.run([sys.executable, "-m", "pip", *install, str(wheel)], check=True, capture_output=True, text=True)
    for distribution in required(extras):
        for file in distribution.files:
            place = packages / file
            if ".." not in file.parts and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(file.locate())
    return folder / "bin"


def run(programs, words, folder):
    """A program of the environment, as it runs where jaxlr's sources are not."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # pip wrote the first line of the script for its own Python.
    command = [str(programs / "python"), *([str(programs / "jaxlr")] if words[0] == "jaxlr" else []), *words[1:]]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)


@pytest.mark.ci
def test_the_wheel_holds_its_data_and_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    assert set(DATA) <= set(names)
    assert {name.split("/", 2)[2] for name in names if ".dist-info/licenses/" in name} == set(PROJECT["license-files"])
    assert {name.split("/")[0] for name in names} == {"jaxlr", f"jaxlr-{PROJECT['version']}.dist-info"}
    for line in (f"Version: {PROJECT['version']}", f"License-Expression: {PROJECT['license']}", "Name: jaxlr"):
        assert line in metadata.splitlines()
    assert "Description-Content-Type: text/markdown" in metadata


@pytest.mark.ci
def test_the_sdist_holds_the_tests_and_builds_the_same_wheel_as_the_tree(sdist, wheel, tmp_path):
    with tarfile.open(sdist) as archive:
        names = {member.name.split("/", 1)[1] for member in archive.getmembers()}
    assert {*DATA, "LICENSE", "CHANGELOG.md", "CITATION.cff", "tests/house/test_release.py"} <= names
    assert not [name for name in names if ".venv" in name or name.startswith(("runs/", "build/"))]
    assert sdist.stat().st_size < 20e6
    of_tree = build("wheel", FOLDER, tmp_path)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(of_tree) as other:
        assert one.namelist() == other.namelist()
        assert [name for name in one.namelist() if one.read(name) != other.read(name)] == []


@pytest.mark.ci
def test_the_wheel_with_its_extra_trains_in_an_empty_environment(wheel, tmp_path):
    programs = environment(tmp_path / "environment", wheel, ["train"])
    where = run(programs, ["python", "-c", "import jaxlr; print(jaxlr.__version__, jaxlr.__file__)"], tmp_path)
    version, file = where.stdout.split()
    assert (version, Path(file).is_relative_to(tmp_path)) == (PROJECT["version"], True), where.stderr
    trained = run(programs, ["jaxlr", "train", "--epochs", "1", "--out", "run"], tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.splitlines()[-1].startswith("test accuracy ")
    assert json.loads((tmp_path / "run" / "summary.json").read_text())


@pytest.mark.ci
def test_the_wheel_alone_imports_and_names_the_extra(wheel, tmp_path):
    programs = environment(tmp_path / "environment", wheel, [])
    program = (
        "import importlib.util, jaxlr; rate = jaxlr.cosine(0.1, 10);"
        "print(float(rate(0)), jaxlr.adamw(rate) is not None, importlib.util.find_spec('flax'))"
    )
    imported = run(programs, ["python", "-c", program], tmp_path)
    assert imported.stdout == "0.10000000149011612 True None\n", imported.stderr
    trained = run(programs, ["jaxlr", "train"], tmp_path)
    assert (trained.returncode, trained.stdout, trained.stderr.count("\n")) == (2, "", 1)
    assert "jaxlr[train]" in trained.stderr


def test_the_classifiers_are_the_pythons_of_the_workflow_and_the_matrix():
    import matrix

    prefix = "Programming Language :: Python :: 3."
    named = tuple(line.removeprefix(prefix[:-2]) for line in PROJECT["classifiers"] if line.startswith(prefix))
    workflow = (FOLDER / ".github/workflows/tests.yml").read_text()
    assert named == matrix.PYTHONS
    assert f"python: {json.dumps(list(named))}" in workflow
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_the_workflows_are_read_and_call_what_is_there():
    yaml = pytest.importorskip("yaml")
    texts = {path.stem: path.read_text() for path in (FOLDER / ".github/workflows").glob("*.yml")}
    assert set(texts) == {"tests", "docs", "publish"}
    for text in texts.values():
        jobs = yaml.safe_load(text)["jobs"]
        assert all(job["runs-on"] and job["steps"] for job in jobs.values())
        assert all(need in jobs for job in jobs.values() if (need := job.get("needs", next(iter(jobs)))))
    for program in ("tools/address.py", "tools/release_notes.py", "tests/programs/matrix.py", "docs/conf.py"):
        assert (FOLDER / program).is_file()
    assert PROJECT["optional-dependencies"]["docs"]
    assert "id-token: write" in texts["publish"]
    assert "secrets." not in texts["publish"]


def test_the_citation_has_the_version():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((FOLDER / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == release_notes.version()
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]


def test_the_address_is_the_same_everywhere(capsys):
    assert address.main([]) == 0
    assert all(url.startswith(address.address()) for url in PROJECT["urls"].values())
    refused = address.PLACEHOLDER in address.address()
    assert address.main(["--published"]) == (2 if refused else 0)
    assert address.main(["https://nowhere/x"]) == 2
    assert "must be https://github.com/NAME/NAME, got 'https://nowhere/x'" in capsys.readouterr().err


def test_a_new_address_is_written_into_every_place(tmp_path, monkeypatch):
    (tmp_path / "colab").mkdir()
    for path in address.places():
        (tmp_path / path.relative_to(FOLDER)).write_bytes(path.read_bytes())
    monkeypatch.setattr(address, "FOLDER", tmp_path)
    assert address.main(["https://github.com/some-one/jaxlr"]) == 0
    assert address.main(["--published"]) == 0
    texts = [path.read_text() for path in address.places()]
    assert len(texts) == 2 + len(list((FOLDER / "colab").glob("*.ipynb")))
    assert all("some-one/jaxlr" in text and "github.com/OWNER" not in text for text in texts)
    assert all("colab.research.google.com/github/some-one/jaxlr" in text for text in texts[2:])


CHANGES = """# Changelog

## Unreleased

- A line that
  goes on.

## 0.2.0 (2027-01-31)

### Search

- One.
- Two, over
  two lines.

## 0.1.0

First.
"""


def test_the_notes_of_a_version():
    assert release_notes.notes_of("Unreleased", CHANGES) == "- A line that goes on.\n"
    assert release_notes.notes_of("0.2.0", CHANGES) == "### Search\n\n- One.\n- Two, over two lines.\n"
    assert release_notes.notes_of("0.1.0", CHANGES) == "First.\n"
    with pytest.raises(ValueError, match=r"no part for '0\.3\.0', it has Unreleased, 0\.2\.0, 0\.1\.0"):
        release_notes.notes_of("0.3.0", CHANGES)
    with pytest.raises(ValueError, match=r"two parts for '0\.1\.0'"):
        release_notes.parts(CHANGES + "\n## 0.1.0\n")
    with pytest.raises(ValueError, match=r"for '0\.1\.1' is empty"):
        release_notes.notes_of("0.1.1", CHANGES + "\n## 0.1.1\n\n")


def test_the_notes_of_this_version_and_of_a_wrong_tag(capsys):
    assert release_notes.main([]) == 0
    assert capsys.readouterr().out.startswith("### ")
    assert release_notes.main(["--tag", "v0.0.0"]) == 2
    assert capsys.readouterr().err.startswith("release_notes.py: the tag is 'v0.0.0', and pyproject.toml has version")
