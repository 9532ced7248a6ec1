"""`jaxlr sweep --budgets`: its table and files, that it goes on where it was killed; a branch is a training."""

import json

import pytest

from jaxlr.cli import main
from jaxlr.training.runs.folder import FolderLock

pytestmark = pytest.mark.ci

TINY = ["sweep", "--width", "2", "--depth", "1", "--batch-size", "128", "--schedule", "constant(0.01)"]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Each test starts in an empty folder, on a terminal of the usual width."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def test_it_ends_with_its_table_and_goes_on_where_it_was_killed(capsys, empty_folder):
    command = [*TINY, "--budgets", "1ep,2ep,30", "--cooldown", "0.5", "--out", "branches"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert err == ""
    results = json.loads((empty_folder / "branches/results.json").read_text())
    assert [(row["updates"], row["start"]) for row in results["budgets"]] == [(10, 5), (20, 10), (30, 15)]
    assert (results["updates"], results["updates_alone"]) == (15 + 5 + 10 + 15, 60)
    assert "45 updates instead of 60; map, one member after the other" in out
    assert (empty_folder / "branches/branches.png").stat().st_size > 5000
    (empty_folder / "branches/parts/members-000001.npz").unlink()  # as after a kill before it was written
    assert main(command) == 0
    assert "35 were done" in capsys.readouterr().out
    assert json.loads((empty_folder / "branches/results.json").read_text()) == results
    lock = FolderLock(empty_folder / "branches")
    assert main(command) == 2
    assert "another run is writing into this folder" in capsys.readouterr().err
    lock.release()


def test_a_branch_is_the_training_of_jaxlr_train(capsys, empty_folder):
    assert main([*TINY, "--budgets", "1ep,2ep", "--out", "branches"]) == 0
    results = json.loads((empty_folder / "branches/results.json").read_text())
    command = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("to train the longest"))
    schedule = results["budgets"][-1]["schedule"]
    assert f'jaxlr train --schedule "{schedule}" --epochs 2 --batch-size 128 --width 2 --depth 1' in command
    words = ["train", "--schedule", schedule, "--epochs", "2", "--batch-size", "128", "--width", "2", "--depth", "1"]
    assert main([*words, "--out", "run"]) == 0
    summary = json.loads((empty_folder / "run/summary.json").read_text())
    assert summary["updates"] == 20
    assert summary["validation_accuracy"] == pytest.approx(results["budgets"][-1]["validation_accuracy"], abs=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budgets", "2x"], "--budgets must be lengths such as 2ep,4ep,8ep or 500,1000, got '2x' in '2x'"),
        (["--budgets", "1ep", "--vary", "value", "0.1"], "--budgets goes without --vary"),
        (["--budgets", "1ep", "--cooldown", "2"], "cooldown must be a share of each budget"),
        (["--budgets", "1ep,1ep"], "budgets must all be different"),
    ],
)
def test_wrong_words_are_one_line(words, message, capsys):
    assert main([*TINY, *words]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
