"""Ctrl-C and SIGTERM at any moment: one line that says how to go on, and nothing half-made."""

import os
import signal
import subprocess
import sys
import time

import pytest

from jaxlr.training.runs.folder import begun, check_folder, discard, make_folder, write_json
from jaxlr.training.runs.run import resume

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")

# What a command does is put in its place: it says that it is there, and takes its time in Python or in C.
DRIVER = """
import hashlib, sys, time, types
import jaxlr.cli
from jaxlr.cli import stopping
from jaxlr.cli.parsing import CommandError
def run(words):
    if "over" in words:
        return
    if "patient" in words:
        with stopping.patience() as came:
            print("there", flush=True)
            end = time.monotonic() + 60
            while time.monotonic() < end and not ("deaf" not in words and came()):
                time.sleep(0.01)
        raise CommandError(f"saved after {stopping.came()}", code=128 + stopping.came())
    stopping.stands(lambda: "all is as it was")
    print("there", flush=True)
    if "busy" in words:
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # C that never looks at a signal
    time.sleep(60)
sys.modules["command"] = types.SimpleNamespace(run=run)
jaxlr.cli.COMMANDS["train"] = jaxlr.cli.Command("", "command", "train", ())
sys.exit(jaxlr.cli.main())
"""


def start(*words, program=("-c", DRIVER)):
    return subprocess.Popen(
        [sys.executable, *program, "train", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def stopped(process, *signals, apart=0.0):
    """What a process says to these signals, once it is there."""
    assert process.stdout.readline() == "there\n"
    for number in signals:
        process.send_signal(number)
        time.sleep(apart)
    began = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 20
    return process.returncode, err


@pytest.mark.parametrize(
    ("number", "words", "code", "line"),
    [
        (signal.SIGINT, [], 130, "interrupted; all is as it was"),
        (signal.SIGINT, ["busy"], 130, "interrupted; all is as it was"),
        (signal.SIGTERM, [], 143, "ended by SIGTERM; all is as it was"),
        (signal.SIGINT, ["patient"], 130, "saved after 2"),
        (signal.SIGTERM, ["patient"], 143, "saved after 15"),
    ],
    ids=["in Python", "in C", "SIGTERM", "patient", "patient SIGTERM"],
)
def test_a_signal_ends_a_command_with_one_line(number, words, code, line):
    assert stopped(start(*words), number) == (code, f"jaxlr train: {line}\n")


def test_a_command_that_is_over_is_over():
    end = 'code = jaxlr.cli.main()\nprint("there", flush=True)\ntime.sleep(0.5)\nsys.exit(code)'
    late = DRIVER.replace("sys.exit(jaxlr.cli.main())", end)
    assert stopped(start("over", program=("-c", late)), signal.SIGINT, signal.SIGTERM) == (0, "")


def test_the_second_one_ends_at_once():
    code, err = stopped(start("patient", "deaf"), signal.SIGINT, signal.SIGINT, apart=0.3)
    assert (code, err) == (130, "jaxlr train: interrupted; nothing has been begun\n")


@pytest.mark.ci
@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0])
def test_ctrl_c_while_a_run_gets_ready_leaves_nothing_or_what_goes_on(seconds, tmp_path):
    words = [
        "--epochs",
        "1000000",
        "--width",
        "2",
        "--depth",
        "1",
        "--batch-size",
        "128",
        "--out",
        str(tmp_path / "run"),
    ]
    process = start(*words, program=("-m", "jaxlr"))
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert len(err.splitlines()) == 1, err
    if "go on with" in err:
        assert (tmp_path / "run" / "config.json").exists()
    else:
        assert err.startswith("jaxlr train: interrupted; nothing has been ")
        check_folder(tmp_path / "run")


def test_the_beginnings_of_a_run_are_begun_again_and_what_has_begun_is_not(tmp_path):
    folder = make_folder(tmp_path / "run", "digits")
    # What a process leaves that is killed while it saves the weights it starts from.
    (folder / "metrics.jsonl").write_text("")
    (folder / "checkpoints" / "0").mkdir(parents=True)
    check_folder(folder)
    with pytest.raises(ValueError, match="the run was ended before it began; the same words start it again"):
        resume(folder)
    assert make_folder(folder, "digits") == folder
    assert [path.name for path in folder.iterdir()] == [".starting"]
    write_json(folder / "config.json", {})
    with pytest.raises(ValueError, match="out must be a new or empty folder"):
        check_folder(folder)
    begun(folder)
    assert not discard(folder)
    assert [path.name for path in folder.iterdir()] == ["config.json"]


def test_a_folder_with_anything_else_in_it_is_never_cleared(tmp_path):
    folder = make_folder(tmp_path / "run", "digits")
    (folder / "notes.txt").write_text("mine")
    assert not discard(folder)
    with pytest.raises(ValueError, match="out must be a new or empty folder"):
        make_folder(folder, "digits")
    assert (folder / "notes.txt").read_text() == "mine"


def test_what_has_only_been_made_is_taken_away(tmp_path):
    assert discard(make_folder(tmp_path / "run", "digits"))
    assert os.listdir(tmp_path) == []
