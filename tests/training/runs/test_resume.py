"""A run that is stopped and taken up again: the same records and the same parameters as one that went through."""

import contextlib
import json
import math
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache.compilation_cache import reset_cache
from test_events import read, scalars

import jaxlr
from jaxlr.cli import main
from jaxlr.schedules import parse
from jaxlr.training.loop.items import Chunk, EpochEnd, Updates
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.folder import FolderLock
from jaxlr.training.runs.records.events import EventFile
from jaxlr.training.runs.records.metrics import curves, decode, encode, parse_records, read_start
from jaxlr.training.runs.records.position import Position
from jaxlr.training.runs.run import Stopped, execute, prepare, resume, train
from jaxlr.training.runs.showing.past_runs import read_run
from jaxlr.training.runs.starting.resuming import (
    Epochs,
    changed_schedule,
    check_changes,
    check_epochs,
    check_rest,
    schedule_of,
)

# 1,293 digits to train on: 20 batches of 64 in two of which an update, 30 updates in all; dropout and momentum as well.
WORDS = ["--width", "2", "--depth", "1", "--batch-size", "64", "--accumulate", "2", "--epochs", "3"]
WORDS += ["--schedule", "cosine(0.1, 30)", "--optimizer", "sgd", "--checkpoint-every", "7"]
CONFIG = TrainConfig(
    width=2,
    depth=1,
    batch_size=64,
    accumulate=2,
    epochs=3,
    schedule="cosine(0.1, 30)",
    optimizer="sgd",
    checkpoint_every="7",
)


@pytest.fixture(autouse=True, scope="module")
def compiled_once(tmp_path_factory):
    """Every run here is of one program: what the processes share is its compilation, and no picture is looked at."""
    folder = str(tmp_path_factory.mktemp("compiled"))
    options = {
        "jax_compilation_cache_dir": folder,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in options}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", folder)
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        # The name of a program is part of its key.
        patch.setattr("jaxlr.training.loop.chunk._traced_once", lambda function: function)
        patch.setattr("jaxlr.training.runs.run._draw_report", lambda *_: None)
        for name, value in options.items():
            jax.config.update(name, value)
        reset_cache()
        yield
    for name, value in before.items():
        jax.config.update(name, value)
    reset_cache()


def change(config, **options):
    return TrainConfig(**{**vars(config), **options})


def metrics(folder):
    return (folder / "metrics.jsonl").read_text()


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def steps(folder):
    return sorted(int(path.name) for path in (folder / "checkpoints").iterdir() if path.name.isdigit())


def stop_at(count):
    """A `watch` and a `stop` that end a run once it has made this many updates."""
    seen = []

    def watch(item):
        seen.append(item.count if isinstance(item, EpochEnd) else item.count[-1] + 1)

    return {"watch": watch, "stop": lambda: seen[-1] >= count}


class Pair(NamedTuple):
    """Two runs of the same options, but that one saved nothing."""

    straight: Path  # went through
    resumed: Path  # stopped twice


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folders = Pair(*(tmp_path_factory.mktemp("runs") / name for name in Pair._fields))
    train(change(CONFIG, checkpoint_every=None), out=folders.straight)
    with pytest.raises(Stopped):
        execute(prepare(change(CONFIG, events="tensorboard"), out=folders.resumed), **stop_at(11))
    first = summary(folders.resumed)
    assert (first["status"], first["parameters_sha256"]) == ("stopped", None)
    # Lines after the checkpoint, the last one cut in the middle, as a kill leaves them.
    with (folders.resumed / "metrics.jsonl").open("a") as file:
        file.write('{"count": 99, "learning_rate": 1.0, "loss": 1.0, "accuracy": 1.0}\n{"cou')
    events = EventFile(folders.resumed)
    events.write(first["updates"], {"train/loss": 99.0, "validation/accuracy": 99.0})
    events.close()
    events.path.write_bytes(events.path.read_bytes() + bytes(5))
    with pytest.raises(Stopped):
        execute(resume(folders.resumed), **stop_at(first["updates"] + 1))
    second = summary(folders.resumed)
    assert 11 <= first["updates"] < second["updates"] < 30
    last = execute(resume(folders.resumed))
    assert last["resumed"] == [first["updates"], second["updates"]]
    return folders


@pytest.mark.ci
def test_a_run_that_is_stopped_twice_goes_on_to_the_same_result(pair):
    assert metrics(pair.resumed) == metrics(pair.straight)
    ended, expected = summary(pair.resumed), summary(pair.straight)
    same = ("status", "parameters_sha256", "test_loss", "updates", "best_epoch", "learning_rate_first")
    assert {name: ended[name] for name in same} == {name: expected[name] for name in same}


def test_a_process_killed_before_the_summary_writes_it_when_taken_up_again(pair, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(pair.resumed, folder)
    (folder / "summary.json").unlink()
    assert resume(folder).notes == ("resumed at count 30, the end",)
    execute(resume(folder))
    assert metrics(folder) == metrics(pair.straight)
    ended, expected = summary(folder), summary(pair.straight)
    same = ("status", "parameters_sha256", "test_loss", "updates", "learning_rate_end", "best_epoch")
    assert {name: ended[name] for name in same} == {name: expected[name] for name in same}


def test_a_process_killed_before_its_first_checkpoint_starts_again(pair, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(pair.resumed / "config.json", folder)
    assert resume(folder).notes == ("resumed at count 0, the start, since it has no checkpoint yet",)
    # What a kill in the middle of the first save leaves.
    (folder / "metrics.jsonl").write_bytes((pair.straight / "metrics.jsonl").read_bytes()[:777])
    (folder / "checkpoints" / "7.orbax-checkpoint-tmp").mkdir(parents=True)
    assert execute(resume(folder))["resumed"] == [0]
    assert metrics(folder) == metrics(pair.straight)
    assert summary(folder)["parameters_sha256"] == summary(pair.straight)["parameters_sha256"]


@pytest.mark.ci
def test_a_run_that_goes_on_has_no_summary_of_before(tmp_path):
    folder = tmp_path / "run"
    execute(prepare(change(CONFIG, epochs=1, schedule="constant(0.1)"), out=folder))
    assert summary(folder)["updates"] == 10
    seen = []
    longer = change(CONFIG, epochs=2, schedule="constant(0.1)")
    execute(resume(folder, longer), watch=lambda _: seen.append((folder / "summary.json").exists()))
    assert set(seen) == {False}
    assert summary(folder)["updates"] == len(read_run(folder).count) == 20


def own_reader(folder):
    """The values of each name by update; a file that goes on takes the place of what earlier ones say from there on."""
    values = {}
    for event in read(folder):
        if 7 in event:
            for steps_of in values.values():
                for step in [step for step in steps_of if step >= event.get(2, 0)]:
                    del steps_of[step]
        for step, name, value in scalars([event]):
            assert step not in values.setdefault(name, {})
            values[name][step] = value
    return values


def tensorboards_reader(folder):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    accumulator = reader.EventAccumulator(str(folder), size_guidance={reader.SCALARS: 0})
    accumulator.Reload()
    values = {
        name: [(each.step, each.value) for each in accumulator.Scalars(name)] for name in accumulator.Tags()["scalars"]
    }
    assert all(len(dict(each)) == len(each) for each in values.values())
    return {name: dict(each) for name, each in values.items()}


@pytest.mark.parametrize("reader", [own_reader, tensorboards_reader])
def test_the_event_files_of_a_run_taken_up_twice_tell_of_one_run(reader, pair):
    values = reader(pair.resumed)
    records = [json.loads(line) for line in metrics(pair.straight).splitlines()]
    for name, key in (("learning_rate", "learning_rate"), ("train/loss", "loss"), ("train/accuracy", "accuracy")):
        expected = {record["count"]: np.float32(record[key]) for record in records if "loss" in record}
        assert values[name] == expected, name
    for name, key in (("validation/accuracy", "validation_accuracy"), ("validation/loss", "validation_loss")):
        expected = {record["count"] - 1: np.float32(record[key]) for record in records if "epoch" in record}
        assert values[name] == expected, name
    assert max(values["images_per_second"]) == 29
    assert all(value > 0 for value in values["images_per_second"].values())


def test_a_damaged_checkpoint_is_one_line_and_the_one_before_it_goes_on(pair, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(pair.resumed, "run")
    Path("run/summary.json").unlink()
    # The arrays lie in several files, and not all of them are needed.
    for path in Path("run/checkpoints/30/network").rglob("d/*"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert main(["train", "--resume", "run"]) == 1
    said = "run/checkpoints/30: truncated or damaged checkpoint; without this folder a resumed run starts"
    out, err = capsys.readouterr()
    assert (err.startswith(f"jaxlr train: {said}"), len(err.splitlines()), out) == (True, 1, ""), err
    # The line says what to do.
    shutil.rmtree("run/checkpoints/30")
    assert main(["train", "--resume", "run"]) == 0
    assert "resumed at count 28" in capsys.readouterr().out
    assert metrics(Path("run")) == metrics(pair.straight)
    assert summary(Path("run"))["parameters_sha256"] == summary(pair.straight)["parameters_sha256"]


@pytest.mark.ci
def test_a_checkpoint_of_another_network_is_one_line_and_stays(pair, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(pair.resumed, "run")
    Path("run/summary.json").unlink()
    config = Path("run/config.json").read_text()
    Path("run/config.json").write_text(config.replace('"width": 2', '"width": 4'))
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    assert main(["train", "--resume", "run"]) == 1
    out, err = capsys.readouterr()
    said = "jaxlr train: run/checkpoints/30: checkpoint of another network: "
    assert (err.startswith(said), len(err.splitlines()), out) == (True, 1, ""), err
    assert {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()} == before


def test_the_last_checkpoints_stay_and_the_end_is_one(pair):
    # Due at 7, 14, 21, 28 and at the end, and where the run was stopped; of these only the end knows how good it is.
    assert steps(pair.resumed) == [28, 30]
    assert not (pair.straight / "checkpoints").exists()


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "jaxlr", "train", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.ci
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGTERM")
def test_sigterm_saves_and_says_how_to_go_on(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    long = [*WORDS[:-2], "--epochs", "100000", "--schedule", "cosine(0.1, 30)"]
    with start(*long, "--checkpoint-every", "3", "--out", "run") as process:
        wait_for(lambda: (tmp_path / "run/checkpoints").exists() and steps(tmp_path / "run"))
        assert main(["train", "--resume", "run", "--epochs", "3", "--checkpoint-every", "7"]) == 2
        assert capsys.readouterr().err == "jaxlr train: out: run: another run is writing into this folder\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 143
    count = summary(tmp_path / "run")["updates"]
    assert err == f"jaxlr train: stopped at count {count} by SIGTERM and saved; go on with jaxlr train --resume run\n"
    assert steps(tmp_path / "run")[-1] == count
    assert resume(tmp_path / "run").start.count == count


def test_a_run_stopped_between_an_epochs_updates_and_its_evaluation_goes_on_without_nan(pair, tmp_path, capsys):
    with pytest.raises(Stopped):
        execute(prepare(CONFIG, out=tmp_path / "run"), **stop_at(10))
    assert summary(tmp_path / "run")["updates"] == 10
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^epoch 1/3  accuracy 0\.\d{3}  validation 0\.\d{3}$", out, re.MULTILINE)
    assert "nan" not in out
    assert metrics(tmp_path / "run") == metrics(pair.straight)


KILLED = """
import os, signal, sys
from pathlib import Path
import jaxlr.training.loop.chunk
from jaxlr.training.runs.config import load_config
from jaxlr.training.runs.run import execute, prepare
jaxlr.training.loop.chunk._traced_once = lambda function: function
def watch(item):
    if (item.count if isinstance(item.count, int) else item.count[-1]) >= 11:
        os.kill(os.getpid(), signal.SIGKILL)
execute(prepare(load_config(Path(sys.argv[1])), out=Path(sys.argv[2])), watch=watch)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_sigkill_loses_nothing_and_doubles_nothing(pair, tmp_path):
    folder = tmp_path / "run"
    words = [sys.executable, "-c", KILLED, str(pair.resumed / "config.json"), str(folder)]
    assert subprocess.run(words, timeout=300, check=False).returncode == -signal.SIGKILL
    assert len(read_run(folder).count) > 11
    # The checkpoint of count 7 or 10 may have been half-written.
    ended = execute(resume(folder))
    assert ended["resumed"][0] in (0, 7, 10)
    assert metrics(folder) == metrics(pair.straight)
    assert ended["parameters_sha256"] == summary(pair.straight)["parameters_sha256"]


@pytest.mark.ci
def test_other_epochs_and_another_horizon_follow_retime(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Stopped):
        execute(prepare(CONFIG, out=tmp_path / "run"), **stop_at(14))
    at = summary(tmp_path / "run")["updates"]
    words = ["--resume", "run", "--epochs", "4", "--schedule", "cosine(0.1, 4ep, end_value=0.01)"]
    assert main(["train", *words]) == 0
    out = capsys.readouterr().out
    assert f"resumed at count {at}" in out
    assert "epochs 3 becomes 4" in out
    assert "schedule cosine(0.1, 30) becomes cosine(init_value=" in out
    rates = [
        line["learning_rate"] for line in map(json.loads, metrics(tmp_path / "run").splitlines()) if "loss" in line
    ]
    old = 0.05 * (1 + np.cos(np.pi * np.arange(at + 1) / 30))
    rest = 1 + np.cos(np.pi * np.arange(at, 40) / 40)
    expected = [*old[:at], *(0.01 + (old[at] - 0.01) * rest / rest[0])]
    np.testing.assert_allclose(rates, [rate if n < at else expected[n] for n, rate in enumerate(expected)], rtol=1e-5)
    assert summary(tmp_path / "run")["schedule_changes"] == [
        {"count": at, "schedule": "cosine(0.1, 4ep, end_value=0.01)"}
    ]
    assert json.loads((tmp_path / "run/config.json").read_text())["epochs"] == 4


@pytest.mark.ci
def test_new_training_from_old_weights(pair, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--from", str(pair.resumed), "--schedule", "constant(1e-30)", "--epochs", "1", "--out", "tuned"]
    assert main(["train", *words, "--optimizer", "adam", "--seed", "1", "--checkpoint-every", "1ep"]) == 0
    assert f"weights of {pair.resumed} at count 30" in capsys.readouterr().out
    tuned = summary(tmp_path / "tuned")
    # At a rate of next to 0 the weights stay, whatever the optimizer.
    assert tuned["parameters_sha256"] == summary(pair.resumed)["parameters_sha256"]
    lines = [json.loads(line) for line in metrics(tmp_path / "tuned").splitlines()]
    assert [line["count"] for line in lines if "loss" in line] == list(range(10))
    # Killed at once and taken up again, it still starts from these weights.
    (tmp_path / "tuned/summary.json").unlink()
    assert steps(tmp_path / "tuned") == [0, 10]
    shutil.rmtree(tmp_path / "tuned/checkpoints/10")
    assert execute(resume(tmp_path / "tuned"))["parameters_sha256"] == tuned["parameters_sha256"]
    assert main(["train", "--from", str(pair.resumed), "--width", "4", "--out", "wider"]) == 1
    err = capsys.readouterr().err
    assert f"{pair.resumed}/weights.npz: of another network: 0.blocks.layers.0.bias is " in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "wider").exists()


def test_what_cannot_be_resumed_is_named(pair, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, said, code in (
        (["--resume", "absent"], "absent/config.json: No such file or directory", 2),
        (["--resume", str(pair.resumed)], "the run of 3 epochs is over; more --epochs go on, --from starts anew", 2),
        (["--resume", str(pair.resumed), "--batch-size", "32"], "resume: batch_size must stay 64, got 32", 2),
        (["--resume", str(pair.resumed), "--out", "x"], "leave --out away", 2),
        (["--resume", str(pair.resumed), "--from", "x"], "--resume and --from exclude each other", 2),
        (["--checkpoint-every", "soon"], "checkpoint_every must be a number of updates", 2),
        (["--keep-checkpoints", "0"], "keep_checkpoints must be at least 1, got 0", 2),
    ):
        assert main(["train", *words]) == code, words
        out, err = capsys.readouterr()
        assert (said in err, len(err.splitlines()), out) == (True, 1, ""), err
    assert main(["train", "--resume", str(pair.straight), "--epochs", "4"]) == 1
    assert capsys.readouterr().err == (
        f"jaxlr train: {pair.straight}: holds no checkpoint; a run writes them with --checkpoint-every\n"
    )


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run of 3 epochs of 10 updates that was stopped in the second or the third."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.raises(Stopped):
        execute(prepare(CONFIG, out=folder), **stop_at(11))
    return folder


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_fewer_epochs_than_the_run_has_begun_change_nothing(stopped, pair, capsys):
    before, count = files(stopped), summary(stopped)["updates"]
    reached = -(-count // 10)
    assert main(["train", "--resume", str(stopped), "--epochs", "1"]) == 2
    out, err = capsys.readouterr()
    said = f"epochs must be at least {reached}, got 1: {stopped} has reached count {count} in epoch {reached}"
    assert (out, err) == ("", f"jaxlr train: resume: {said}\n")
    assert files(stopped) == before
    # It still goes on, and as many epochs are enough.
    assert resume(stopped).start.count == count
    assert resume(stopped, change(CONFIG, epochs=reached)).updates == 10 * reached
    # A run that is over needs more than it has.
    assert main(["train", "--resume", str(pair.resumed), "--epochs", "2"]) == 2
    assert "the run of 3 epochs is over; more --epochs go on" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--epochs", "5"], ["--epochs", "4", "--schedule", "cosine(0.1, 4ep)"]], ids=["epochs", "schedule"]
)
def test_going_on_at_a_rate_of_0_changes_nothing(pair, capsys, words):
    before, updates = files(pair.resumed), 10 * int(words[1]) - 30
    assert main(["train", "--resume", str(pair.resumed), *words]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    if "--schedule" in words:
        assert "has ended at 30, and no curve goes on from its last rate; start anew" in err
    else:
        assert f"the rate is 0 at each of the {updates} updates from count 30 on; give a --schedule that" in err
        assert err.endswith(f"with --from {pair.resumed}\n")
    assert files(pair.resumed) == before


@pytest.mark.ci
def test_a_run_that_was_begun_goes_through_at_a_rate_of_0(tmp_path):
    config = change(CONFIG, schedule="cosine(0.1, 1ep)")
    with pytest.raises(Stopped):
        execute(prepare(config, out=tmp_path), **stop_at(11))
    assert resume(tmp_path).updates == 30
    assert resume(tmp_path, change(config, epochs=2)).updates == 20
    with pytest.raises(ValueError, match="the rate is 0 at each of the"):
        resume(tmp_path, change(config, epochs=4))
    with pytest.raises(ValueError, match="has ended at 10, and no curve goes on from its last rate; start anew"):
        resume(tmp_path, change(config, schedule="cosine(0.1, 4ep, end_value=0.01)"))


@pytest.mark.parametrize(
    ("count", "epoch", "skipped", "least"), [(11, 1, 0, 2), (9, 1, 2, 2), (20, 1, 0, 2), (20, 2, 0, 2)]
)
def test_the_epochs_of_a_run_that_goes_on_reach_its_place(tmp_path, count, epoch, skipped, least):
    position = Position(count, epoch, skipped, 0, 0.0, ((0, "constant(0.1)"),))
    check_epochs(tmp_path, least, position, lambda epochs: 10 * epochs)
    with pytest.raises(ValueError, match=f"epochs must be at least {least}, got {least - 1}: .* in epoch {least}$"):
        check_epochs(tmp_path, least - 1, position, lambda epochs: 10 * epochs)


def test_a_folder_is_held_by_one_run(tmp_path):
    lock = FolderLock(tmp_path)
    with pytest.raises(ValueError, match="another run is writing into this folder"):
        FolderLock(tmp_path)
    lock.release()
    FolderLock(tmp_path).release()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cosine(0.1, 30)", "linear(0.1, 0.0, 30)", "schedule must stay cosine"),
        ("warmup(cosine(0.1, 30), 3)", "cosine(0.1, 30)", "schedule must stay warmup(cosine)"),
        ("warmup(cosine(0.1, 30), 3)", "warmup(cosine(0.1, 40), 4)", "warmup_steps of the warm-up must stay"),
        ("triangular(0.1, 1.0, 3)", "triangular(0.1, 1.0, 4)", "schedule must have a horizon"),
        ("cosine(0.1, 30)", "cosine(0.2, 30)", "init_value is what keep='rate' sets"),
        ("cosine(0.1, 30)", "cosine(0.1, 10)", "it has ended by then, at 10; give a longer one"),
    ],
)
def test_a_schedule_that_cannot_be_changed_is_named(old, new, said):
    with pytest.raises(ValueError, match="resume: ") as caught:
        changed_schedule(parse(old), parse(old), parse(new), 14)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_schedule_changed_twice_is_retimed_twice():
    history = [(0, "cosine(0.1, 30)"), (10, "cosine(0.1, 40)"), (20, "cosine(0.1, 40, end_value=0.01)")]
    schedule = schedule_of(history, steps_per_epoch=1)
    once = jaxlr.retime(jaxlr.cosine(0.1, decay_steps=30), 10, decay_steps=40)
    assert repr(schedule) == repr(jaxlr.retime(once, 20, end_value=0.01))
    same = parse("warmup(cosine(0.1, decay_steps=30), 3)")
    assert changed_schedule(same, same, parse("warmup(cosine(0.1, 30), 3)"), 5) is same
    longer = changed_schedule(same, same, parse("warmup(cosine(0.1, 40), 3)"), 13)
    assert repr(longer) == repr(jaxlr.retime(same, 13, decay_steps=40))


def cosine(n, rate, steps, end=0.0):
    return end + (rate - end) * 0.5 * (1 + math.cos(math.pi * min(n / steps, 1.0)))


def cosine_on(n, at, old, new, rate=0.1):
    """A cosine of `old` updates that is one of `new` updates from `at` on, at the rate that it had there."""
    return cosine(n, rate, new) * cosine(at, rate, old) / cosine(at, rate, new)


# What was asked for, what is asked for now and at which count; the same in Python, and in numbers at later counts.
CHANGED = {
    "product": ("0.5 * cosine(0.1, 100)", "0.5 * cosine(0.1, 200)", 50, {"decay_steps": 200},
                lambda n: 0.5 * cosine_on(n, 50, 100, 200)),
    "clip": ("cosine(0.1, 100).clip(0.01, 0.09)", "cosine(0.1, 200).clip(0.01, 0.09)", 50, {"decay_steps": 200},
             lambda n: min(max(cosine_on(n, 50, 100, 200), 0.01), 0.09)),
    "per_epoch": ("per_epoch(cosine(0.1, 10), 10)", "per_epoch(cosine(0.1, 20), 10)", 55, {"decay_steps": 20},
                  lambda n: cosine_on(n // 10, 5, 10, 20)),
    "shift": ("cosine(0.1, 100).shift(10)", "cosine(0.1, 200).shift(10)", 50, {"decay_steps": 200},
              lambda n: cosine_on(n + 10, 60, 100, 200)),
    "clipped in a warm-up": (
        "warmup(cosine(0.1, 100).clip(min=0.01), 5)", "warmup(cosine(0.1, 200).clip(min=0.01), 5)", 50,
        {"decay_steps": 200}, lambda n: max(cosine_on(n - 5, 45, 100, 200), 0.01)),
    "join": ("join([constant(0.1), cosine(0.1, 90)], [10])", "join([constant(0.1), cosine(0.1, 190)], [10])", 50,
             {"decay_steps": 190}, lambda n: cosine_on(n - 10, 40, 90, 190)),
    "to come": ("join([constant(0.1), cosine(0.1, 90)], [60])", "join([constant(0.1), cosine(0.1, 190)], [60])", 50,
                {"decay_steps": 190}, lambda n: cosine(max(n - 60, 0), 0.1, 190)),
    "boundaries": ("join([constant(0.1), cosine(0.1, 90)], [60])", "join([constant(0.1), cosine(0.1, 90)], [70])", 50,
                   {"boundaries": [70]}, lambda n: cosine(max(n - 70, 0), 0.1, 90)),
    "milestones": ("multi_step(0.1, [30, 60], 0.1)", "multi_step(0.1, [30, 80, 120], 0.1)", 50,
                   {"milestones": [30, 80, 120]}, lambda n: 0.1 * 0.1 ** sum(n >= m for m in (30, 80, 120))),
    "a warm-up": ("warmup(cosine(0.1, 100), 60)", "warmup(cosine(0.1, 100), 80)", 50, {"warmup_steps": 80},
                  lambda n: 0.1 * (5 + (n - 50) / 30) / 6 if n < 80 else cosine(n - 80, 0.1, 100)),
    "a shorter one": ("warmup(cosine(0.1, 100), 100)", "warmup(cosine(0.1, 100), 60)", 50, {"warmup_steps": 60},
                      lambda n: 0.05 + 0.05 * (n - 50) / 10 if n < 60 else cosine(n - 60, 0.1, 100)),
    "an overlapping one": (
        "warmup(cosine(0.1, 200), 60, overlap=True)", "warmup(cosine(0.1, 200), 80, overlap=True)", 50,
        {"warmup_steps": 80}, lambda n: (
            cosine(50, 0.1, 200) * (50 / 60 - 50 / 80) / (30 / 80) * max(1 - n / 80, 0)
            + cosine(n, 0.1, 200) * min(n / 80, 1))),
    "a cooldown": ("cooldown(constant(0.1), 60, 20)", "cooldown(constant(0.1), 60, 90)", 50, {"steps": 90},
                   lambda n: 0.1 * min(1, 1 - (n - 60) / 90)),
    "a later one": ("cooldown(constant(0.1), 60, 20)", "cooldown(constant(0.1), 100, 20)", 50, None,
                    lambda n: 0.1 * min(1, max(0, 1 - (n - 100) / 20))),
    "two": ("cosine(0.1, 100) + cosine(0.2, 100)", "cosine(0.1, 200) + cosine(0.2, 150)", 50, None,
            lambda n: cosine_on(n, 50, 100, 200) + cosine_on(n, 50, 100, 150, rate=0.2)),
    "from a constant": ("warmup(constant(0.1), 5)", "warmup(cosine(0.3, 150, end_value=0.01), 5)", 50, None,
                        lambda n: 0.01 + 0.09 * (1 + math.cos(math.pi * min((n - 5) / 150, 1)))
                        / (1 + math.cos(math.pi * 45 / 150))),
    "to a warm-up that is over": ("constant(0.1)", "warmup(cosine(0.3, 150, end_value=0.01), 5)", 50, None,
                                  lambda n: 0.01 + 0.09 * (1 + math.cos(math.pi * min((n - 5) / 150, 1)))
                                  / (1 + math.cos(math.pi * 45 / 150))),
    "to a cooldown": ("constant(0.1)", "cooldown(constant(0.1), 60, 20)", 50, None,
                      lambda n: 0.1 * min(1, max(0, 1 - (n - 60) / 20))),
    "to a cooldown of a curve": (
        "cosine(0.1, 100)", "cooldown(cosine(0.1, 200), 60, 20)", 50, None,
        lambda n: cosine_on(min(n, 60), 50, 100, 200) * min(1, max(0, 1 - (n - 60) / 20))),
    "to epochs": ("constant(0.1)", "per_epoch(cosine(0.1, 20), 10)", 50, None,
                  lambda n: 0.1 * cosine(n // 10 * 10, 0.1, 200) / cosine(50, 0.1, 200)),
    "to a clip": ("cosine(0.1, 100)", "cosine(0.1, 200).clip(min=0.01)", 50, None,
                  lambda n: max(0.01, cosine_on(n, 50, 100, 200))),
    "another behind": ("one_cycle(0.1, 50)", "join([one_cycle(0.1, 50), cosine(0.05, 100)], [50])", 50, None,
                       lambda n: cosine(n - 50, 0.05, 100)),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
def test_a_schedule_is_changed_as_python_changes_it(name):
    old, new, count, numbers, exact = CHANGED[name]
    changed = schedule_of([(0, old), (count, new)], steps_per_epoch=10)
    if numbers is not None:
        assert repr(changed) == repr(jaxlr.retime(parse(old), count, **numbers))
    counts = np.arange(count, 150)
    np.testing.assert_allclose(changed(counts), [exact(int(n)) for n in counts], rtol=2e-6, atol=1e-9)
    # Nothing more is asked for by the same words again.
    assert changed_schedule(changed, parse(new), parse(new), count + 5) is changed


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0.5 * cosine(0.1, 30)", "0.25 * cosine(0.1, 40)", "left of (0.5 * cosine(init_value=0.1, decay_steps=30)) "
         "must stay 0.5, got 0.25"),
        ("cosine(0.1, 30).clip(min=0.01)", "cosine(0.1, 30).clip(min=0.02)", "must stay 0.01, got 0.02"),
        ("cosine(0.1, 30).clip(min=0.01)", "cosine(0.1, 40).clip(max=0.02)", "must stay 0.01, got None"),
        ("per_epoch(cosine(0.1, 30), 10)", "per_epoch(cosine(0.1, 30), 20)", "must stay 10, got 20"),
        ("cosine(0.1, 30)", "cosine(0.1, 40, after='rise')", "must stay 'hold', got 'rise'"),
        ("join([constant(0.2), cosine(0.1, 30)], [10])", "join([constant(0.1), cosine(0.1, 30)], [10])",
         "constant(value=0.2) must stay, for it is over, got constant(value=0.1)"),
        ("join([constant(0.1), cosine(0.1, 30)], [20])", "join([constant(0.1), cosine(0.1, 30)], [10])",
         "boundaries up to the count 14 must stay, for they are over: [], got [10]"),
        ("cosine(0.1, 30)", "join([cosine(0.1, 30), constant(0.01)], [13])", "boundaries[0] must be at least 14, got"),
        ("cooldown(constant(0.1), 10, 20)", "cooldown(constant(0.1), 20, 20)", "before the cooldown begins, 10"),
        ("cooldown(constant(0.1), 20, 20)", "cooldown(constant(0.1), 10, 20)", "before the cooldown begins, 10"),
        ("warmup(cosine(0.1, 30), 20)", "warmup(cosine(0.1, 30), 10)", "before the end of the warm-up, 10, got 14"),
        ("warmup(cosine(0.1, 30), 20)", "warmup(cosine(0.1, 30), 20, init_value=0.01)", "must stay None, got 0.01"),
        ("cosine(0.1, 30).repeat(5)", "cosine(0.1, 40).repeat(5)", "schedule must have a horizon"),
        ("constant(0.1)", "constant(0.2)", "value of constant(value=0.1) must stay 0.1, got 0.2"),
        ("cosine(0.1, 30) * cosine(0.1, 30)", "cosine(0.1, 30)", "schedule must stay product(cosine, cosine)"),
    ],
)  # fmt: skip
def test_a_number_that_must_stay_is_named(old, new, said):
    with pytest.raises(ValueError, match="resume: schedule cannot become") as caught:
        changed_schedule(parse(old), parse(old), parse(new), 14)
    assert said in str(caught.value)
    assert str(caught.value).endswith("; a run from these weights with another schedule is --from")


@pytest.mark.parametrize(
    "new",
    [
        "warmup(cosine(0.1, 90), 30)",
        "0.5 * cosine(0.1, 90)",
        "cooldown(cosine(0.1, 90), 10, 90)",
        "multi_step(0.1, [30], 0.5)",
        "cosine(0.1, 90).clip(max=0.05)",
    ],
)
def test_what_would_jump_goes_behind_as_the_error_says(new):
    old = "constant(0.1)"
    with pytest.raises(ValueError, match="resume: schedule cannot become") as caught:
        changed_schedule(parse(old), parse(old), parse(new), 14)
    behind = re.search(r"its own count 0: (join\(.*\], \[14\]\));", str(caught.value)).group(1)
    changed = changed_schedule(parse(old), parse(old), parse(behind), 14)
    counts = np.arange(14, 120)
    np.testing.assert_array_equal(changed(counts), parse(new)(counts - 14))


def test_a_long_schedule_is_named_in_part():
    old, new = (" + ".join(f"cosine(0.1, {steps})" for _ in range(30)) for steps in (100, 200))
    with pytest.raises(ValueError, match="resume: schedule cannot become") as caught:
        changed_schedule(parse(old), parse(old), parse(f"0.5 * ({new})"), 14)
    assert len(str(caught.value)) < 1_000


# Runs of 10 updates an epoch that were to have 3 epochs, and stand at this count: more of them may be made, or not.
ENDED = "the rate is {} at each of the 20 updates from count 30 on; give a --schedule that {}"
BEHIND = 'goes on behind it, as "join([{}, constant(0.001)], [30])", or start anew from these weights with --from run'


@pytest.mark.parametrize(
    ("text", "count", "held"),
    [
        ("one_cycle(0.1, 30)", 30, "4e-07"),
        ("cosine(0.1, 30, end_value=1e-05)", 30, "1e-05"),
        ("linear(0.1, 0.01, 30)", 30, "0.01"),  # which the plan did not hold
        ("warmup(per_epoch(one_cycle(0.1, 2), 10), 10)", 30, "4e-07"),
        ("exponential(0.1, 0.5, end_value=1.2e-10)", 30, "1.2e-10"),
        ("one_cycle(0.1, 30) * multi_step(1.0, [10], 0.1)", 30, "4e-08"),
        ("one_cycle(0.1, 30)", 11, "4e-07"),
        ("0.5 * cosine(0.1, 30).clip(min=0.001)", 25, "0.0005"),
    ],
)
def test_more_epochs_are_refused_where_the_schedule_ends_with_the_plan(text, count, held):
    position, epochs = Position(count, count // 10, 0, 0, 0.0, ((0, text),)), Epochs(3, 5, lambda each: 10 * each)
    with pytest.raises(ValueError, match=r"^schedule ") as caught:
        check_rest(Path("run"), text, parse(text), position, epochs, changed=False)
    assert ENDED.format(held, "ends later, or start" if count < 30 else BEHIND.format(text)) in str(caught.value)
    check_rest(Path("run"), text, parse(text), position, epochs, changed=True)  # somebody wants it so
    check_rest(Path("run"), text, parse(text), position, epochs._replace(planned=5), changed=False)


@pytest.mark.parametrize(
    "text",
    [
        "constant(0.1)",
        "warmup(constant(0.1), 5)",
        "multi_step(0.1, [10, 20], 0.1)",
        "piecewise_constant([0.1, 0.01], [10])",
        "triangular2(0.01, 0.1, 5)",
        "exponential(0.1, 0.9)",
        "cosine_restarts(0.1, 10)",
        "linear(0.1, 0.01, 20)",  # held for an epoch of the plan
        "linear(0.0, 0.1, 20)",
        "cosine(0.1, 50)",
        "join([cosine(0.1, 30), constant(0.001)], [30])",
    ],
)
def test_more_epochs_go_on_where_the_plan_does(text):
    position = Position(30, 3, 0, 0, 0.0, ((0, text),))
    check_rest(Path("run"), text, parse(text), position, Epochs(3, 5, lambda each: 10 * each), changed=False)


@pytest.mark.parametrize("text", ["one_cycle(0.1, 20)", "cosine(0.1, 20, end_value=1e-5)"])
def test_a_dead_rate_that_the_plan_held_is_refused_too(text):
    position = Position(30, 3, 0, 0, 0.0, ((0, text),))
    with pytest.raises(
        ValueError, match=r"ends at 20: the rate is .* at each of the 20 updates from count 30 on; give"
    ):
        check_rest(Path("run"), text, parse(text), position, Epochs(3, 5, lambda each: 10 * each), changed=False)


@pytest.mark.ci
def test_a_finished_run_goes_on_with_another_schedule_behind_its_own(tmp_path, capsys):
    folder = tmp_path / "run"
    train(change(CONFIG, schedule="one_cycle(0.1, 3ep)"), out=folder)
    before = files(folder)
    words = ["train", "--resume", str(folder), "--epochs", "5"]
    for more in ([], ["--schedule", "one_cycle(0.1, 30)"]):  # the same in other words
        assert main([*words, *more]) == 2
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        assert "ends at 30: the rate is 4e-07 at each of the 20 updates from count 30 on; give a --schedule that" in err
    assert main([*words, "--schedule", "one_cycle(0.1, 5ep)"]) == 2
    assert "has ended at 30, and no curve goes on from its last rate; start anew" in capsys.readouterr().err
    assert files(folder) == before
    assert main([*words, "--schedule", "join([one_cycle(0.1, 3ep), cosine(0.05, 2ep)], [3ep])"]) == 0
    assert ": the rate goes from 4e-07 to 0.05\n" in capsys.readouterr().out
    rates = curves(parse_records(metrics(folder))).updates.learning_rate
    np.testing.assert_allclose(rates[30:], [cosine(n, 0.05, 20) for n in range(20)], rtol=1e-6)


@pytest.mark.ci
def test_a_run_is_resumed_with_other_numbers_within(tmp_path, capsys):
    folder = tmp_path / "run"
    with pytest.raises(Stopped):
        execute(prepare(change(CONFIG, schedule="0.5 * constant(0.1).clip(max=0.2)"), out=folder), **stop_at(11))
    at = summary(folder)["updates"]
    words = ["train", "--resume", str(folder), "--schedule", "0.5 * cosine(0.1, 3ep).clip(max=0.2)"]
    assert main(words) == 0
    assert ": the rate goes on from where it is\n" in capsys.readouterr().out
    rates = curves(parse_records(metrics(folder))).updates.learning_rate
    scale = 0.1 / cosine(at, 0.1, 30)
    expected = [0.05] * at + [0.5 * min(cosine(n, 0.1, 30) * scale, 0.2) for n in range(at, 30)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_records_are_read_back_as_the_loop_gave_them():
    first, second = decode(
        parse_records(
            '{"count": 3, "learning_rate": 0.10000000149011612, "loss": 2.5, "accuracy": 0.5}\n'
            '{"epoch": 1, "count": 4, "train_accuracy": null, "validation_accuracy": 0.25, "validation_loss": 2.0}\n'
        )
    )
    assert isinstance(first, Chunk)
    assert (first.updates.count.tolist(), first.updates.learning_rate[0]) == ([3], np.float32(0.1))
    assert isinstance(second, EpochEnd)
    assert np.isnan(second.train_accuracy)
    assert second[3:] == (0.25, 2.0)


LINES = """\
{"count": 0, "learning_rate": 0.10000000149011612, "loss": 2.5, "accuracy": 0.5, "gradient_norm": 1.5}
{"count": 1, "skipped": 0.10000000149011612}
{"count": 1, "skipped": 0.10000000149011612}
{"count": 1, "learning_rate": 0.20000000298023224, "loss": 2.0, "accuracy": 0.75, "gradient_norm": null}
{"epoch": 1, "count": 2, "train_accuracy": 0.625, "validation_accuracy": 0.25, "validation_loss": null}
{"count": 2, "learning_rate": 0.0, "loss": 1.5, "accuracy": 1.0, "gradient_norm": 0.25}
"""


def test_what_the_records_say_is_written_as_it_was_read():
    items = list(decode(parse_records(LINES)))
    assert [type(item) for item in items] == [Chunk, EpochEnd, Chunk]
    assert "".join(map(encode, items)) == LINES
    in_float32 = items[0]._replace(entries=Updates(*(column.astype(np.float32) for column in items[0].entries)))
    assert encode(in_float32) == "".join(LINES.splitlines(keepends=True)[:4])
    figures = curves(parse_records(LINES))
    assert (figures.updates.count.tolist(), figures.updates.loss.tolist()) == ([0, 1, 2], [2.5, 2.0, 1.5])
    assert (figures.ends.tolist(), figures.train_accuracy.tolist()) == ([2], [0.625])


@pytest.mark.parametrize("length", [len(LINES), len(LINES) - 5, len(LINES) + 1], ids=["damaged", "cut off", "short"])
def test_records_that_a_checkpoint_cannot_have_seen_are_named(tmp_path, length):
    (tmp_path / "metrics.jsonl").write_text(LINES.replace("2.5", "2,5"))
    said = {len(LINES): "damaged: line 1 is no record", len(LINES) - 5: "damaged: line 6 is cut off"}
    with pytest.raises(ValueError, match=said.get(length, f"bytes, but the checkpoint has seen {length}")) as caught:
        read_start(tmp_path, length)
    assert str(caught.value).startswith(f"resume: {tmp_path}/metrics.jsonl: ")


def test_options_that_save_and_go_on_may_change():
    check_changes(CONFIG, change(CONFIG, epochs=9, schedule=None, checkpoint_every=None, keep_checkpoints=5))
    with pytest.raises(ValueError, match="resume: seed must stay 0, got 1"):
        check_changes(CONFIG, change(CONFIG, seed=1))


@pytest.mark.ci
def test_a_diverged_run_never_saves_what_is_not_finite(tmp_path):
    config = change(CONFIG, schedule="join([constant(0.01), constant(1e30)], [12])", checkpoint_every="1")
    with contextlib.suppress(RuntimeError):
        train(config, out=tmp_path / "run")
    # Update 12 has the rate that ruins the weights; the loss of the next is not finite.
    assert summary(tmp_path / "run")["status"] == "diverged"
    assert steps(tmp_path / "run")[-1] <= 13
