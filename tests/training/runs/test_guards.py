"""Disks that are full or read-only, checkpoints that are damaged: one line, and what was saved before is good."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jaxlr.cli import main

# 30 updates, and a disk for two checkpoints.
WORDS = ["--width", "4", "--depth", "1", "--batch-size", "128", "--epochs", "3", "--schedule", "cosine(0.1, 3ep)"]
WORDS += ["--events", "tensorboard", "--checkpoint-every", "4"]

# In a mount namespace of its own, so that the small disk is gone with the process.
DRIVER = """
import contextlib, io, json, os, shutil, subprocess, sys
from pathlib import Path
import jax
import jaxlr.training.loop.chunk, jaxlr.training.runs.run
from jaxlr.cli import main
disk, words = Path(sys.argv[1]), sys.argv[2:]
jaxlr.training.runs.run._draw_report = lambda *_: None
# All runs are of one program, whose name is part of its key: it is compiled once.
jaxlr.training.loop.chunk._traced_once = lambda function: function
jax.config.update("jax_compilation_cache_dir", str(disk.with_name("compiled")))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
told = []
def mount(*options):
    subprocess.run(["mount", *options, str(disk)], check=True)
def jaxlr_train(*words):
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        code = main(["train", *words])
    names = [path.name for path in (disk / "run/checkpoints").iterdir()] if (disk / "run").exists() else []
    told.append([code, err.getvalue(), sorted(int(name) for name in names if name.isdigit())])
run = str(disk / "run")
mount("-t", "tmpfs", "-o", "size=600k", "tmpfs")
jaxlr_train("--out", run, *words)
mount("-o", "remount,ro")
jaxlr_train("--resume", run)
jaxlr_train("--out", str(disk / "other"), *words)
mount("-o", "remount,rw,size=60m")
jaxlr_train("--resume", run)
shutil.copytree(run, disk.with_name("kept"))
jaxlr_train("--out", str(disk.with_name("straight")), *words[:-2])
print(json.dumps(told))
"""


def may_mount():
    words = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return shutil.which("unshare") and subprocess.run(words, capture_output=True, check=False).returncode == 0


def is_one_line(err, *parts):
    assert len(err.splitlines()) == 1, err
    assert all(part in err for part in parts), err


@pytest.mark.ci
@pytest.mark.skipif(not may_mount(), reason="mounts a small disk")
def test_a_disk_that_fills_up_leaves_the_checkpoints_before_it(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["unshare", "-rm", sys.executable, "-c", DRIVER, str(disk), *WORDS]
    result = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    full, resumed, new, roomy, straight = json.loads(result.stdout)
    assert full[0] == resumed[0] == 1
    again = f"once that is mended, go on with jaxlr train --resume {disk}/run\n"
    is_one_line(full[1], f"jaxlr train: {disk}/run/", "No space left on device", again)
    assert full[2]
    is_one_line(resumed[1], f"jaxlr train: {disk}/run/", "Read-only file system", again)
    assert new[:2] == [2, f"jaxlr train: out: {disk}/other: Read-only file system\n"]
    assert full[2] == resumed[2] == new[2]
    assert roomy[:2] == straight[:2] == [0, ""]
    # It went on to what a run has that never lacked room.
    kept = tmp_path / "kept"
    assert json.loads((kept / "summary.json").read_text())["resumed"] == full[2][-1:]
    assert (kept / "metrics.jsonl").read_text() == (tmp_path / "straight/metrics.jsonl").read_text()
    shas = [
        json.loads((folder / "summary.json").read_text())["parameters_sha256"]
        for folder in (kept, tmp_path / "straight")
    ]
    assert shas[0] == shas[1]


@pytest.mark.parametrize(
    "place",
    [
        "file/run",
        pytest.param("/proc/run", marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="has /proc")),
    ],
)
def test_a_place_where_no_folder_can_be_made_is_refused(place, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    assert main(["train", "--out", place, *WORDS]) == 2
    out, err = capsys.readouterr()
    is_one_line(err, f"jaxlr train: out: {place}: ")
    assert out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
