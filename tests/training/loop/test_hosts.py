"""One run of two processes on 127.0.0.1: the numbers of one process, one voice, and an end when the other dies."""

import json
import re
import signal
import sys
import time

import jax
import numpy as np
import pytest
from pairs import end, start_pair, wait_for

from jaxlr.cli import main
from jaxlr.training.loop.hosts import Hosts, any_host, first_host, largest, tells_of_a_peer
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.run import resume, train
from jaxlr.training.runs.saving.checkpoints import read_position

WORDS = ["--width", "2", "--depth", "1", "--schedule", "constant(0.01)", "--checkpoint-every", "25"]
OF_A_RUN = ("epoch", "digits, ", "resumed at ")  # what a run says as it goes


def saved_counts(folder):
    place = folder / "checkpoints"
    return [int(path.name) for path in place.iterdir() if path.name.isdigit()] if place.exists() else []


def losses_of(folder):
    return [float(loss) for loss in re.findall(r'"loss": ([^,]+)', (folder / "metrics.jsonl").read_text())]


def kill_one(pair, folder):
    """Kills the second process: the first says why it ends, and the last checkpoint is whole."""
    pair[1].kill()
    died = time.monotonic()
    assert pair[0].wait(timeout=30) == 1
    assert time.monotonic() - died < 30
    complaints = [line for line in (folder / "said0").read_text().splitlines() if not line.startswith(OF_A_RUN)]
    assert len(complaints) == 1, complaints
    assert re.fullmatch(
        r"jaxlr train: another process of the run has died.*; go on with jaxlr train --resume run", complaints[0]
    )
    alone = resume(folder / "run")  # what two have saved goes on in one process
    assert alone.trainer.count == max(saved_counts(folder / "run"))
    alone.lock.release()


def check_losses(folder):
    """The first 40 losses are those of one process."""
    train(TrainConfig(width=2, depth=1, epochs=2, schedule="constant(0.01)"), out=folder / "alone")
    assert len(losses_of(folder / "alone")) == 40
    np.testing.assert_allclose(losses_of(folder / "run")[:40], losses_of(folder / "alone"), rtol=1e-5)


NEEDS_SIGNALS = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGTERM or SIGKILL")


@pytest.mark.ci
@NEEDS_SIGNALS
def test_two_processes_have_the_losses_of_one_and_end_with_either(tmp_path):
    pair = start_pair(tmp_path, "train", *WORDS, "--epochs", "100000", "--out", "run")
    try:
        wait_for(lambda: max(saved_counts(tmp_path / "run"), default=0) >= 50, pair)
        kill_one(pair, tmp_path)
    finally:
        end(pair)
    assert "epoch 1/100000" in re.sub(" +", " ", (tmp_path / "said0").read_text())
    assert "epoch" not in (tmp_path / "said1").read_text()
    check_losses(tmp_path)


GLOO = "UNKNOWN: Gloo AllGather failed: Connection closed by peer"


@pytest.mark.parametrize(
    ("error", "of_a_peer"),
    [
        (jax.errors.JaxRuntimeError(GLOO), True),  # of a program that is waited for
        (ValueError(GLOO), True),  # of one that fails as it is called
        (ValueError("UNKNOWN: Error writing [tensorstore_spec='...'] os_error_code='28'"), False),
        (ValueError("seed must be at least 0, got -1 (UNKNOWN: 3)"), False),
        (OSError(28, GLOO), False),
    ],
)
def test_an_error_tells_of_a_peer_where_there_is_one(error, of_a_peer, monkeypatch):
    assert not tells_of_a_peer(error)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    assert tells_of_a_peer(error) == of_a_peer


@pytest.mark.parametrize("place", ["cli.peers.check_same", "training.runs.run.prepare", "training.runs.run.execute"])
def test_a_process_that_dies_is_one_line_wherever_the_run_stands(place, tmp_path, monkeypatch, capsys):
    def lost(*arguments, **words):
        raise ValueError(GLOO)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"jaxlr.{place}", lost)
    monkeypatch.setattr("jaxlr.cli.peers.tells_of_a_peer", lambda error: str(error) == GLOO)
    assert main(["train", *WORDS, "--epochs", "1", "--out", "run"]) == 1
    line = capsys.readouterr().err
    assert line.startswith(f"jaxlr train: another process of the run has died ({GLOO}); ")
    assert line.count("\n") == 1


@NEEDS_SIGNALS
@pytest.mark.long
def test_two_processes_stop_together_and_go_on(tmp_path):
    run = tmp_path / "run"
    pair = start_pair(tmp_path, "train", *WORDS, "--epochs", "100000", "--out", "run")
    try:
        wait_for(lambda: saved_counts(run), pair)
        pair[1].send_signal(signal.SIGTERM)  # to one of them: both stop, at the same update
        assert [process.wait(timeout=120) for process in pair] == [143, 143]
    finally:
        end(pair)
    stopped = json.loads((run / "summary.json").read_text())
    assert (stopped["status"], stopped["device"]["processes"], stopped["device"]["used"]) == ("stopped", 2, 2)
    assert max(saved_counts(run)) == stopped["updates"]
    pair = start_pair(tmp_path, "train", "--resume", "run")
    try:
        wait_for(lambda: max(saved_counts(run)) >= max(50, stopped["updates"] + 25), pair)
        kill_one(pair, tmp_path)
    finally:
        end(pair)
    assert read_position(run).resumed == (stopped["updates"],)
    check_losses(tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--coordinator", "127.0.0.1:1"], "go together, got no num_processes and no process_id"),
        (["--num-processes", "2", "--process-id", "0"], "go together, got no coordinator"),
        (
            ["--coordinator", "here", "--num-processes", "2", "--process-id", "0"],
            "must be HOST:PORT, the port from 1 to 65535, got 'here'",
        ),
        (["--coordinator", "a:1", "--num-processes", "2", "--process-id", "2"], "must be from 0 to 1, got 2"),
        (["--coordinator", "a:1", "--num-processes", "0", "--process-id", "0"], "must be from 1 to 1,048,576, got 0"),
        (["--coordinator", "a:99999", "--num-processes", "2", "--process-id", "0"], "from 1 to 65535, got 'a:99999'"),
        (
            ["--coordinator", "a:1", "--num-processes", "9" * 11, "--process-id", "0"],
            "must be from 1 to 1,048,576, got",
        ),
        (["--distributed", "--peer-timeout", "0"], "peer_timeout must be from 1 to 1,000,000, got 0"),
        (["--distributed", "--lr", "auto"], "--lr auto runs in one process"),
    ],
    ids=["alone", "none", "no port", "place", "count", "port", "many", "timeout", "range test"],
)
def test_wrong_words_are_one_line(words, said, capsys):
    assert main(["train", *words]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert len(message.splitlines()) == 1


@pytest.mark.ci
@NEEDS_SIGNALS
def test_processes_with_other_options_are_refused_at_the_start(tmp_path):
    pair = start_pair(
        tmp_path, "train", *WORDS, "--epochs", "1", "--out", "run", own=(["--seed", "1"], ["--seed", "2"])
    )
    try:
        assert [process.wait(timeout=120) for process in pair] == [2, 2]
    finally:
        end(pair)
    said = "jaxlr train: the processes of a run need the same options: seed is 1 in process 0 and 2 in process 1\n"
    assert [(tmp_path / f"said{place}").read_text() for place in range(2)] == [said, said]
    assert not (tmp_path / "run").exists()


@pytest.mark.ci
@NEEDS_SIGNALS
def test_a_process_that_meets_nobody_says_so_in_one_line(tmp_path):
    (alone,) = start_pair(tmp_path, "train", "--epochs", "1", "--peer-timeout", "1", own=((),))
    try:
        assert alone.wait(timeout=60) == 1
    finally:
        end([alone])
    said = (tmp_path / "said0").read_text()
    assert re.fullmatch(
        r"jaxlr train: the other processes cannot be reached at \S+, .*; nothing has been begun\n", said
    )


def test_one_process_agrees_with_itself():
    assert (largest(2.5), any_host(False), any_host(True)) == (2.5, False, True)
    assert first_host(lambda: "x") == "x"
    assert Hosts().coordinator is None
