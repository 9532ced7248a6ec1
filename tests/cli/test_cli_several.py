"""`jaxlr sweep` by two processes on 127.0.0.1: the results of one, one voice, and a resume where one has died."""

import json
import signal
import sys

import pytest
from pairs import end, start_pair, wait_for

from jaxlr.cli import main

pytestmark = [
    pytest.mark.ci,
    pytest.mark.skipif(sys.platform == "win32", reason="sends SIGTERM or SIGKILL"),
]

TINY = ["--width", "2", "--depth", "1", "--batch-size", "128"]
MEMBERS = [*TINY, "--epochs", "2", "--schedule", "triangular(0.001, 0.01, 1ep)"]
MEMBERS += ["--vary", "max_lr", "1e25", "logspace(0.001, 0.1, 11)"]
BUDGETS = [*TINY, "--schedule", "constant(0.01)", "--budgets", "1ep,2ep,30,4ep", "--cooldown", "0.5"]
LONG_BUDGETS = [*TINY, "--schedule", "constant(0.01)", "--budgets", "40ep,60ep,80ep,100ep,120ep", "--cooldown", "0.9"]
GOES_ON = "the same command with --out found goes on from there"


def members(folder):
    return sorted(path.name for path in folder.rglob("members-*.npz"))


def said(folder, place):
    return (folder / f"said{place}").read_text().splitlines()


def results(folder):
    return json.loads((folder / "results.json").read_text())


@pytest.fixture
def by_one(tmp_path, monkeypatch, capsys):
    """Runs the command in this process; gives its results."""
    monkeypatch.chdir(tmp_path)

    def run(words, name):
        assert main(["sweep", *words, "--out", name]) == 0
        capsys.readouterr()
        return results(tmp_path / name)

    return run


@pytest.mark.parametrize(("words", "files"), [(MEMBERS, 12), (BUDGETS, 8)], ids=["sweep", "branches"])
def test_two_processes_find_what_one_finds(words, files, tmp_path, by_one):
    pair = start_pair(tmp_path, "sweep", *words, "--out", "found")
    try:
        assert [process.wait(timeout=240) for process in pair] == [0, 0]
    finally:
        end(pair)
    assert len(members(tmp_path / "found")) == files
    assert results(tmp_path / "found") == by_one(words, "alone")
    assert said(tmp_path, 1) == []
    lines = said(tmp_path, 0)
    assert sum(line.startswith("digits, adam") for line in lines) == 1
    assert lines[-1].startswith(("best validation accuracy", "validation accuracy of the longest"))


@pytest.mark.parametrize(
    ("words", "files", "killed"),
    [([*MEMBERS, "--epochs", "10"], 12, 0), ([*MEMBERS, "--epochs", "10"], 12, 1), (LONG_BUDGETS, 10, 1)],
    ids=["sweep, the first", "sweep", "branches"],
)
def test_what_a_dead_process_has_not_done_a_resume_does(words, files, killed, tmp_path, by_one):
    pair = start_pair(tmp_path, "sweep", *words, "--out", "found")
    try:
        wait_for(lambda: len(members(tmp_path / "found")) >= 3, pair)
        pair[killed].kill()
        assert pair[1 - killed].wait(timeout=60) == 1
    finally:
        end(pair)
    (complaint,) = [line for line in said(tmp_path, 1 - killed) if line.startswith("jaxlr sweep: ")]
    assert complaint.startswith("jaxlr sweep: another process of the run has died")
    assert complaint.endswith(f" are in found/, {GOES_ON}")
    assert 3 <= len(members(tmp_path / "found")) < files
    found = by_one(words, "found")
    assert found == by_one(words, "alone")


def test_a_process_that_is_stopped_ends_both(tmp_path):
    pair = start_pair(tmp_path, "sweep", *MEMBERS, "--epochs", "100", "--out", "found")
    try:
        wait_for(lambda: members(tmp_path / "found"), pair)
        pair[1].send_signal(signal.SIGTERM)
        assert pair[1].wait(timeout=60) == 143
        assert pair[0].wait(timeout=60) == 1
    finally:
        end(pair)
    stands = f"finished groups are in found/, {GOES_ON}"
    assert said(tmp_path, 1) == [f"jaxlr sweep: ended by SIGTERM; {stands}"]
    assert said(tmp_path, 0)[-1].startswith("jaxlr sweep: another process of the run has died")
    assert said(tmp_path, 0)[-1].endswith(stands)


@pytest.mark.parametrize(
    ("own", "complaint"),
    [
        (
            (["--seed", "1"], ["--seed", "2"]),
            "the processes of a run need the same options: seed is 1 in",
        ),
        ((["--out", "full"],) * 2, "out must be a new or empty folder, got 'full'"),
        ((["--vary", "nothing", "1"],) * 2, "--vary: "),
    ],
)
def test_what_is_wrong_is_one_line_of_each(own, complaint, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").touch()
    pair = start_pair(tmp_path, "sweep", *MEMBERS, own=own)
    try:
        assert [process.wait(timeout=120) for process in pair] == [2, 2]
    finally:
        end(pair)
    for place in (0, 1):
        (line,) = said(tmp_path, place)
        assert line.startswith(f"jaxlr sweep: {complaint}")
    assert not (tmp_path / "runs").exists()


ODD = """
import sys, time
from jaxlr import cli
from jaxlr.cli import sweep
at_once = sweep._variations
sweep._variations = lambda *given: AT_ONCE
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("late", [0, 1])
def test_who_sees_what_is_wrong_first_leaves_its_line_to_the_other(late, tmp_path):
    programs = [("-m", "jaxlr"), ("-m", "jaxlr")]
    programs[late] = ("-c", ODD.replace("AT_ONCE", "(time.sleep(3), at_once(*given))[1]"))
    pair = start_pair(tmp_path, "sweep", *MEMBERS, own=(["--vary", "nothing", "1"],) * 2, programs=programs)
    try:
        assert [process.wait(timeout=120) for process in pair] == [2, 2]
    finally:
        end(pair)
    assert [len(said(tmp_path, place)) for place in (0, 1)] == [1, 1]
    assert all(said(tmp_path, place)[0].startswith("jaxlr sweep: --vary: ") for place in (0, 1))


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_process_that_alone_is_wrong_ends_both(wrong, tmp_path):
    programs = [("-m", "jaxlr"), ("-m", "jaxlr")]
    programs[wrong] = ("-c", ODD.replace("AT_ONCE", "int('')"))
    pair = start_pair(tmp_path, "sweep", *MEMBERS, "--peer-timeout", "4", programs=programs)
    try:
        assert pair[wrong].wait(timeout=60) == 2
        assert pair[1 - wrong].wait(timeout=60) == 1
    finally:
        end(pair)
    assert said(tmp_path, wrong)[0].startswith("jaxlr sweep: invalid literal for int()")
    assert said(tmp_path, 1 - wrong)[-1].startswith("jaxlr sweep: another process of the run has died")
