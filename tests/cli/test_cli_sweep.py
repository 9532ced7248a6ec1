"""`jaxlr sweep`: what it prints and writes, that its members are trainings of `jaxlr train`, and that it goes on."""

import gc
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxlr
from jaxlr.cli import main
from jaxlr.search.sweeps.picture import plot_scores
from jaxlr.training.data.datasets import load_dataset
from jaxlr.training.loop.items import EpochEnd, TrainingDiverged
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.folder import FolderLock
from jaxlr.training.runs.run import prepare
from jaxlr.training.searches.sweep import make_training

# Runs of the whole command: the short form of a sweep is in test_search_sweep.py.
pytestmark = pytest.mark.long

NETWORK = ["--width", "2", "--depth", "1", "--batch-size", "128", "--epochs", "2"]
TINY = ["sweep", *NETWORK, "--schedule", "triangular(0.001, 0.01, 1ep)"]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Each test starts in an empty folder, on a terminal of the usual width."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def test_a_sweep_ends_with_its_table_sorted_by_validation(capsys, empty_folder):
    assert main([*TINY, "--vary", "max_lr", "1e25", "logspace(0.001, 0.1, 3)"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    folder = empty_folder / "runs/digits-sweep-1"
    lines = out.splitlines()
    assert lines[0] == "digits, adam, triangular(0.001, 0.01, 1ep): 4 members of 2 epochs into runs/digits-sweep-1/"
    progress = [line for line in lines if re.match(r"[1-4]/4  ", line)]
    assert [line.split()[2] for line in progress] == ["1e+25", "0.001", "0.01", "0.1"]
    assert all(re.search(r"(validation 0\.\d{4}|diverged)(  \d+ s left)?$", line) for line in progress)
    assert [" s left" in line for line in progress] == [False, True, True, True]
    start = lines.index(next(line for line in lines if line.split() == ["max_lr", "validation", "loss", "train"]))
    table = [line.split() for line in lines[start + 1 : start + 5]]
    scores = [float(row[1]) for row in table[:3]]
    assert scores == sorted(scores, reverse=True)
    assert " ".join(table[3]) == "1e+25 diverged at count 2"
    assert "map, one member after the other: on a CPU, convolutions" in out
    assert lines[-1] == f"best validation accuracy {scores[0]:.4f}"
    text = f"triangular(base_lr=0.001, max_lr={table[0][0]}, step_size=10)"
    words = "--epochs 2 --batch-size 128 --width 2 --depth 1"
    assert lines[-2] == f'to train with it: jaxlr train --schedule "{text}" {words}'
    members = json.loads((folder / "results.json").read_text())["members"]
    assert [f"{member['max_lr']:.4g}" for member in members] == [row[0] for row in table]
    assert members[0]["schedule"] == text
    assert members[3]["validation_accuracy"] is None
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "config.json").read_text())["vary"] == [["max_lr", "1e25 logspace(0.001, 0.1, 3)"]]
    # What it found trains to the same accuracy.
    summary = jaxlr_train(json.loads((folder / "config.json").read_text()), text)
    assert summary[-1].validation_accuracy == pytest.approx(members[0]["validation_accuracy"], abs=1e-6)


def jaxlr_train(options, text):
    """The epochs that `jaxlr train` goes through with these options."""
    names = ("width", "depth", "batch_size", "epochs", "accumulate", "loss", "l1", "l2", "optimizer")
    config = TrainConfig(**{name: options[name] for name in names if name in options}, schedule=text)
    return [item for item in prepare(config).trainer.run(config.epochs) if isinstance(item, EpochEnd)]


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 100, "accumulate": 5, "epochs": 3},
        {"batch_size": 256, "epochs": 2, "loss": "mse", "l2": 1e-3, "optimizer": "sgd"},
    ],
    ids=["accumulate", "loss"],
)
def test_a_member_is_the_training_of_jaxlr_train(options):
    options = {"width": 2, "depth": 1, **options}
    config = TrainConfig(**options)
    result = jax.jit(make_training(config, load_dataset("digits")))(jaxlr.linear(0.02, 0.0, 20))
    epochs = jaxlr_train(options, "linear(0.02, 0.0, 20)")
    assert int(result["updates"]) == epochs[-1].count
    for name in ("train_accuracy", "validation_accuracy", "validation_loss"):
        expected = [getattr(epoch, name) for epoch in epochs]
        np.testing.assert_allclose(result["epochs"][name], expected, rtol=2e-4)
        assert result[name] == result["epochs"][name][-1]
    assert result["best_validation_accuracy"] == max(result["epochs"]["validation_accuracy"])


def test_a_member_that_diverges_stops_where_jaxlr_train_does():
    config = TrainConfig(
        width=2, depth=1, batch_size=128, optimizer="sgd", schedule="join([constant(0.01), constant(1e30)], [4])"
    )
    with pytest.raises(TrainingDiverged) as stopped:
        list(prepare(config).trainer.run(1))
    schedule = jaxlr.join([jaxlr.constant(0.01), jaxlr.constant(1e30)], [4])
    result = jax.jit(make_training(config, load_dataset("digits")))(schedule)
    assert int(result["updates"]) == stopped.value.count == 5
    assert np.isnan(result["validation_accuracy"])
    assert np.isnan(result["epochs"]["train_loss"]).all()


def test_a_killed_sweep_goes_on_to_the_same_table(capsys, empty_folder):
    vary = ["--vary", "max_lr", "logspace(0.001, 0.1, 100)"]
    words = [*TINY, *vary, "--group-size", "2", "--out"]
    program = "import sys; from jaxlr.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen([sys.executable, "-c", program, *words, "killed"], stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline() for _ in range(5)]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, lines
    done = {path: path.stat().st_mtime_ns for path in (empty_folder / "killed/groups").glob("members-*.npz")}
    assert 2 <= len(done) < 50
    assert not (empty_folder / "killed/results.json").exists()
    assert main([*words, "killed"]) == 0
    out = capsys.readouterr().out
    assert out.count("was done before") == 2 * len(done)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert main([*words, "straight"]) == 0
    results = [(empty_folder / name / "results.json").read_bytes() for name in ("killed", "straight")]
    assert results[0] == results[1]
    # Nothing is left to do: it prints the same once more, in no time.
    started = time.monotonic()
    assert main([*words, "killed"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == out.splitlines()[-1]
    assert time.monotonic() - started < 60


def test_a_sweep_gives_its_folder_back_without_a_garbage_collection():
    gc.disable()
    try:
        assert main([*TINY, "--vary", "max_lr", "0.01", "--out", "run"]) == 0
        FolderLock(Path("run")).release()
    finally:
        gc.enable()


def test_several_numbers_are_tried_in_every_combination(capsys, empty_folder):
    varied = ["--vary", "max_lr", "0.01", "0.1", "--vary", "step_size", "0.5ep", "1ep"]
    assert main([*TINY, *varied, "--out", "grid", "--strategy", "vmap"]) == 0
    members = json.loads((empty_folder / "grid/results.json").read_text())["members"]
    assert {(each["max_lr"], each["step_size"]) for each in members} == {(0.01, 5), (0.01, 10), (0.1, 5), (0.1, 10)}
    assert "vmap, as asked" in capsys.readouterr().out


def test_a_sweep_that_only_diverges_exits_1(capsys, empty_folder):
    assert main([*TINY, "--vary", "max_lr", "1e25", "1e26", "--optimizer", "sgd"]) == 1
    out, err = capsys.readouterr()
    assert err == "jaxlr sweep: the loss diverged in all 2 members; try lower rates\n"
    assert out.count("diverged at count") == 2
    assert (empty_folder / "runs/digits-sweep-1/sweep.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (TINY, "--schedule needs --vary: name one of its numbers"),
        ([*TINY, "--vary", "max_rl", "0.1"], "--vary: triangular has no number 'max_rl'; did you mean 'max_lr'?"),
        ([*TINY, "--vary", "max_lr"], "--vary: max_lr: give at least one value"),
        ([*TINY, "--vary", "max_lr", "logspace(-3, 0, 4)"], "must start and stop above 0"),
        ([*TINY, "--vary", "max_lr", "0.0001"], "base_lr must be at most max_lr"),
        ([*TINY, "--vary", "max_lr", "0.1", "--vary", "max_lr", "0.2"], "max_lr is varied twice"),
        (["sweep", "--schedule", "triangle(1)", "--vary", "value", "1"], "schedule 'triangle(1)': unknown schedule"),
        (["sweep", "--batch-size", "5000"], "batch_size must be at most the 1293 training images, got 5000"),
        (["sweep", "--accumulate", "5000"], "accumulate must be at most the 320 batches of the run, got 5000"),
        ([*TINY, "--vary", "base_lr", "0.01", "-0.1"], "the rate must not be below 0, got -0.1 at count 0"),
        (["sweep", "--group-size", "0"], "group_size must be at least 1, got 0"),
        (["sweep", "--strategy", "pmap"], "--strategy must be one of 'auto', 'vmap', 'map', got 'pmap'"),
        (["sweep", "--data", "nowhere.npz"], "nowhere.npz"),
    ],
    ids=lambda value: None if isinstance(value, str) else " ".join(value[len(TINY) :] or value[-3:]),
)
def test_wrong_input_is_refused_in_one_line(capsys, empty_folder, words, message):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("jaxlr sweep: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(empty_folder.iterdir())


def test_a_folder_of_something_else_is_refused(capsys, empty_folder):
    vary = ["--vary", "max_lr", "1e25"]
    folder = empty_folder / "run"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    assert main([*TINY, *vary, "--out", "run"]) == 2
    assert "out must be a new or empty folder, got 'run'" in capsys.readouterr().err
    kept = {"epochs": 2, "vary": [["max_lr", "1e26"]]}
    (folder / "config.json").write_text(json.dumps(kept))
    assert main([*TINY, *vary, "--out", "run"]) == 2
    assert capsys.readouterr().err.startswith("jaxlr sweep: out: run holds a sweep with data None, not 'digits'")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "notes.txt"]


def test_the_picture_has_a_line_for_each_combination_and_marks_the_best():
    rates, sizes = np.array([0.1, 0.01, 1.0, 0.01]), np.array([5, 5, 5, 9])
    scores = np.array([0.5, 0.75, np.nan, 0.25])
    figure = plot_scores({"max_lr": rates, "step_size": sizes}, scores, best=1, label="accuracy")
    axes = figure.axes[0]
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines if line.get_label()[0] != "_"}
    assert list(lines) == ["step_size 5", "step_size 9"]
    assert lines["step_size 5"][:2] == [[0.01, 0.75], [0.1, 0.5]]
    assert lines["step_size 9"] == [[0.01, 0.25]]
    assert axes.get_title(loc="right") == "max_lr 0.01, step_size 5: 0.7500"
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["diverged"]


@pytest.mark.parametrize(
    ("scores", "panels"), [([0.5, 0.75, 0.75], ["accuracy", "loss"]), ([0.5, 0.75, 0.7], ["accuracy"])]
)
def test_the_losses_are_drawn_where_the_best_scores_tie(scores, panels):
    rates, losses = np.array([0.1, 0.2, 0.3]), np.array([0.9, 0.6, 0.4])
    figure = plot_scores({"max_lr": rates}, np.array(scores), best=2, label="accuracy", losses=losses)
    assert [axes.get_title() or axes.get_title(loc="left") for axes in figure.axes] == panels
    if "loss" in panels:
        assert figure.axes[1].lines[0].get_ydata().tolist() == losses.tolist()
        assert figure.axes[1].get_title(loc="right") == "max_lr 0.3: 0.4000"
