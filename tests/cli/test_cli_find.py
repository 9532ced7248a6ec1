"""`jaxlr find` and `jaxlr train --lr auto`: what they print and write, and that the run is not disturbed."""

import json
import re
import shlex
from pathlib import Path

import pytest

from jaxlr.cli import main
from jaxlr.cli.command_lines import train_command
from jaxlr.cli.parsing import parse
from jaxlr.cli.train import TrainOptions
from jaxlr.training.runs.config import TrainConfig

NETWORK = ["--width", "2", "--depth", "1", "--batch-size", "128", "--epochs", "2"]
SHORT = ["--steps", "20", "--tests", "1"]
TEST = [*NETWORK, "--start", "1e-4", "--end", "100", "--steps", "60", "--tests", "1"]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Each test starts in an empty folder, on a terminal of the usual width."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def test_it_says_the_rate_and_how_to_train_with_it(capsys, empty_folder):
    assert main(["find", *TEST]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    folder = empty_folder / "runs/digits-find-1"
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "range_test.json", "range_test.png"]
    found = json.loads((folder / "range_test.json").read_text())
    answer, command, files = out.splitlines()
    rate = f"{found['recommendation']:g}"
    assert answer.startswith(f"learning rate {rate}, constant or as a peak")
    assert found["schedule"] == f"triangular2({found['recommendation'] / 10:.2g}, {rate}, 1ep)"
    words = "--epochs 2 --batch-size 128 --width 2 --depth 1"
    assert command == f'to train with it: jaxlr train --schedule "{found["schedule"]}" {words}'
    assert files == "files runs/digits-find-1/"
    assert 1e-4 <= found["recommendation"] < found["max_stable"]
    assert (folder / "range_test.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.ci
def test_the_table_has_the_curve_and_the_rules_of_others(capsys, empty_folder):
    assert main(["find", *TEST, "--table"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = json.loads((empty_folder / "runs/digits-find-1/range_test.json").read_text())
    assert lines[3].split() == ["learning", "rate", "loss", "smoothed", "accuracy"]
    assert len(lines[4].split()) == 4
    assert [line.split()[0] for line in lines if line.startswith(("steepest", "valley", "minimum", "slide"))] == [
        method for method, rate in found["suggestions"].items() if rate is not None
    ]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "sgd", "batch_size": 128, "epochs": 5, "momentum": 0.5, "seed": 3, "precision": "bfloat16"},
        {"data": "my images.npz", "data_dir": Path("it's here"), "l2": 1e-5, "weight_decay": 0.1, "zero": True},
        {"schedule": "cosine(0.1, 5)", "accumulate": 2, "loss": "mse", "dropout": 0.0, "downsample": "stride"},
    ],
    ids=lambda options: next(iter(options), "none"),
)
def test_the_command_that_is_printed_has_every_option(options):
    schedule = "cyclic(0.1, 1.0, 5, shape='cos')"
    config = TrainConfig(**options)
    words = shlex.split(train_command(config, schedule))
    assert words[:2] == ["jaxlr", "train"]
    read = parse("train", TrainOptions, words[2:]).config
    assert vars(read) == {**vars(config), "schedule": schedule}


@pytest.mark.ci
def test_a_training_that_finds_its_rate_is_the_one_that_is_given_it(capsys, empty_folder):
    assert main(["train", *NETWORK, "--lr", "auto"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("range test: learning rate 0.")
    assert out.splitlines()[-1].startswith("test accuracy 0.")
    folder = empty_folder / "runs/digits-1"
    found = json.loads((folder / "range_test.json").read_text())
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["schedule"] == found["schedule"] == json.loads((folder / "config.json").read_text())["schedule"]
    assert main(["train", *NETWORK, "--schedule", found["schedule"]]) == 0
    alone = json.loads((empty_folder / "runs/digits-2/summary.json").read_text())
    assert alone["parameters_sha256"] == summary["parameters_sha256"]


@pytest.mark.ci
def test_a_curve_without_an_answer_is_one_line_and_exit_1(capsys, empty_folder):
    assert main(["find", *NETWORK, "--start", "1e-12", "--end", "1e-10", *SHORT, "--json"]) == 1
    out, err = capsys.readouterr()
    assert re.fullmatch(r"jaxlr find: no recommendation: .*; raise end \(the curve is in runs/digits-find-1/\)\n", err)
    found = json.loads(out)
    assert found["bounds"] is None
    assert found["recommendation"] is None
    assert len(found["losses"]) == 20
    assert (empty_folder / "runs/digits-find-1/range_test.png").exists()


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("find", ["--start", "1", "--end", "0.1"], "start must be below end, got start=1.0 and end=0.1"),
        ("find", ["--steps", "1"], "steps must be at least 2, got 1"),
        ("find", ["--tests", "0"], "tests must be at least 1, got 0"),
        ("find", ["--mode", "linear"], "--mode must be one of 'ramp', 'constant', got 'linear'"),
        ("find", ["--schedule", "0.1"], "unknown option --schedule"),
        ("find", ["--batch-size", "5000"], "batch_size must be at most the 1293 training images, got 5000"),
        ("find", ["--mode", "Ramp"], "--mode must be one of 'ramp', 'constant', got 'Ramp'; did you mean 'ramp'?"),
        ("train", ["--lr", "fast"], "--lr must be a number or auto, got 'fast'"),
        (
            "train",
            ["--lr", "nan"],
            "schedule 'constant(nan)': 'nan' has no meaning here; write numbers, lists, words and schedules",
        ),
        ("train", ["--lr", "-1"], "learning_rate at count 0 must be finite and at least 0, got -1"),
        ("train", ["--lr", "auto", "--schedule", "0.1"], "--lr and --schedule exclude each other"),
        ("train", ["--lr", "auto", "--resume", "runs/x"], "runs/x/config.json: No such file or directory"),
    ],
)
def test_wrong_options_are_one_line_and_leave_nothing(capsys, empty_folder, command, arguments, said):
    assert main([command, *arguments]) == 2
    assert capsys.readouterr().err == f"jaxlr {command}: {said}\n"
    assert list(empty_folder.iterdir()) == []
