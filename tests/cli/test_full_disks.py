"""A disk that takes no more, in find, sweep and `--lr auto`: one line, exit code 1, and its advice is true."""

import io
import json
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import jaxlr
from jaxlr.cli import main
from jaxlr.schedules.leaves import MOST_PRINTED

NETWORK = ["--width", "2", "--depth", "1", "--batch-size", "128", "--epochs", "2"]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def curve():
    """A range test of a quadratic, whose largest stable rate is 2."""
    loss = lambda x, batch: jnp.sum(x**2) / 2 + 0 * batch.sum()  # noqa: E731
    return jaxlr.lr_range_test(loss, jnp.ones(3), np.zeros((40, 1)), start=1e-3, end=100.0, num_steps=40)


class Disk:
    """Refuses the files of a name while it is full."""

    def __init__(self, monkeypatch):
        self.full: str | None = None
        replace = Path.replace

        def refuse(path, target):
            if self.full is not None and Path(target).name == self.full:
                raise OSError(28, "No space left on device", str(path))
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", refuse)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.mark.parametrize("file", ["range_test.json", "range_test.png", "config.json"])
def test_what_find_has_found_is_told_and_its_files_come_with_the_same_command(file, disk, curve, capsys, monkeypatch):
    monkeypatch.setattr("jaxlr.training.searches.finding.find_rates", lambda *_, **__: curve)
    disk.full = file
    words = ["find", *NETWORK, "--out", "found"]
    assert main(words) == 1
    out, err = capsys.readouterr()
    said = f"found/{file}: No space left on device; once that is mended, the same command makes the files"
    assert err == f"jaxlr find: {said}\n"
    assert out.splitlines()[0].startswith("learning rate ")
    assert out.splitlines()[1].startswith("to train with it: jaxlr train --schedule ")
    assert not Path("found").exists()
    disk.full = None
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(out)
    names = ["config.json", "range_test.json", "range_test.png"]
    assert sorted(path.name for path in Path("found").iterdir()) == names


@pytest.mark.parametrize("file", ["range_test.json", "range_test.png"])
def test_lr_auto_leaves_nothing_and_the_same_command_starts_it_again(file, disk, curve, capsys, monkeypatch):
    monkeypatch.setattr("jaxlr.training.searches.finding.find_rates", lambda *_, **__: curve)
    disk.full = file
    assert main(["train", *NETWORK, "--lr", "auto", "--out", "run"]) == 1
    out, err = capsys.readouterr()
    said = f"run/{file}: No space left on device; once that is mended, the same command starts it again"
    assert (out, err) == ("", f"jaxlr train: {said}\n")
    assert not Path("run").exists()


def test_a_run_whose_config_cannot_be_written_leaves_nothing(disk, capsys):
    disk.full = "config.json"
    assert main(["train", *NETWORK, "--out", "run"]) == 1
    said = "run/config.json: No space left on device; once that is mended, the same command starts it again"
    assert capsys.readouterr().err == f"jaxlr train: {said}\n"
    assert not Path("run").exists()


SWEEP = ["sweep", *NETWORK, "--schedule", "constant(0.1)", "--vary", "value", "0.01", "0.1", "--out", "swept"]


@pytest.fixture
def quick_members(monkeypatch):
    """A member's training that takes no time."""
    names = ("validation_accuracy", "validation_loss", "best_validation_accuracy", "train_loss", "train_accuracy")

    def make_training(*_):
        def train(schedule):
            score = 1 / (1 + schedule(0))
            return {**dict.fromkeys(names, score), "updates": jnp.int32(20)}

        return train

    monkeypatch.setattr("jaxlr.training.searches.sweep.make_training", make_training)


@pytest.mark.parametrize("file", ["config.json", "sweep.json", "members-000001.npz", "results.json", "sweep.png"])
def test_a_sweep_goes_on_from_what_the_disk_has_taken(file, disk, quick_members, capsys):
    disk.full = file
    assert main([*SWEEP, "--group-size", "1"]) == 1
    err = capsys.readouterr().err
    assert re.fullmatch(rf"jaxlr sweep: swept/\S*{file}: No space left on device; once that is mended, .*\n", err), err
    again = "the same command starts again" if file == "config.json" else "the same command with --out swept goes on"
    assert again in err
    disk.full = None
    assert main([*SWEEP, "--group-size", "1"]) == 0
    kept = {"members-000001.npz": 1, "results.json": 2, "sweep.png": 2}.get(file, 0)
    assert capsys.readouterr().out.count("was done before") == kept
    assert not [path for path in Path("swept").rglob("*") if path.name.endswith((".part", ".starting"))]
    members = json.loads(Path("swept/results.json").read_text())["members"]
    assert [member["value"] for member in members] == [0.01, 0.1]


def test_a_damaged_file_of_a_sweep_is_one_line_and_without_it_its_group_is_run_again(quick_members, capsys):
    words = [*SWEEP, "--group-size", "1"]
    assert main(words) == 0
    results, path = Path("swept/results.json").read_bytes(), Path("swept/groups/members-000001.npz")
    others = io.BytesIO()
    np.savez(others, **{**np.load(path), "members": np.array([9])})
    capsys.readouterr()
    for content in (b"", bytes(40), path.read_bytes()[:200], others.getvalue()):
        path.write_bytes(content)
        assert main(words) == 2
        err = capsys.readouterr().err
        assert err.startswith("jaxlr sweep: swept/groups/members-000001.npz is ")
        assert err.endswith(": delete it, and its group is run again\n")
        assert len(err.splitlines()) == 1
    path.unlink()
    assert main(words) == 0
    assert capsys.readouterr().out.count("was done before") == 1
    assert Path("swept/results.json").read_bytes() == results


@pytest.mark.parametrize(
    ("content", "said"), [("{", "not a JSON file: "), ("[" * 100_000, "nested too deeply"), ("", "not a JSON file: ")]
)
def test_a_damaged_config_of_a_sweep_is_named(content, said, capsys):
    Path("swept").mkdir()
    Path("swept/config.json").write_text(content)
    assert main(SWEEP) == 2
    err = capsys.readouterr().err
    assert err.startswith("jaxlr sweep: out: swept/config.json: ")
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_sweep_that_was_killed_before_its_config_starts_again(quick_members, capsys):
    Path("swept").mkdir()
    for name in (".starting", "config.part"):
        Path("swept", name).touch()
    assert main(SWEEP) == 0
    assert sorted(path.name for path in Path("swept").iterdir()) == [
        "config.json",
        "groups",
        "results.json",
        "sweep.png",
    ]


def test_a_long_list_is_written_whole(quick_members):
    few = MOST_PRINTED.set(3)  # of 1,000
    try:
        table = "piecewise_constant([0.1, 0.2, 0.3, 0.4, 0.5], [1, 2, 3, 4]) * constant(1.0)"
        assert main(["sweep", *NETWORK, "--schedule", table, "--vary", "right.value", "1", "2", "--out", "long"]) == 0
        text = json.loads(Path("long/results.json").read_text())["members"][0]["schedule"]
        assert "..." in repr(jaxlr.schedules.parse(text))
    finally:
        MOST_PRINTED.reset(few)
    assert [float(jaxlr.schedules.parse(text)(n)) for n in (0, 2, 9)] == pytest.approx([0.1, 0.3, 0.5])
