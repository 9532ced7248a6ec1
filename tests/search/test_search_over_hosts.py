"""Sweeps and branches that two processes share: each gets, to the bit, what one alone finds."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from pairs import end, free_address

import jaxlr
from jaxlr.search.sweeps.collected import Collected

PROGRAM = Path(__file__).parents[1] / "programs" / "search_of_two.py"


@pytest.mark.ci
def test_two_processes_find_what_one_finds(tmp_path):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(PROGRAM), free_address()]
    pair = [
        subprocess.Popen([*command, place, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True)
        for place in "01"
    ]
    try:
        outputs = [process.communicate(timeout=240)[0] for process in pair]
    finally:
        end(pair)
    specification = importlib.util.spec_from_file_location("search_of_two", PROGRAM)
    program = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(program)
    alone, told, _ = program.search()
    assert sorted(told[:6]) == [[0], [1], [2], [3], [4], [5]]
    for output in outputs:
        lines = [line for line in output.splitlines() if not line.startswith("[Gloo]")]
        assert lines[0] == lines[3] == alone
        assert lines[2] == "(0, 0)"
        assert lines[5] == f"(6, {8 + 8 + 16 + 32 + 2 + 4 + 8 + 16})"
    # Families in turn: the constant and the linear ones, the cosine to whose turn it is.
    first, second = (ast.literal_eval(output.splitlines()[-5]) for output in outputs)
    assert first[:4] == [[0], [2], [4], [1, 3, 5]]
    assert second[:4] == [[1], [3], [5], [0, 2, 4]]


def test_alone_nothing_is_asked_of_others():
    rows = Collected([jax.ShapeDtypeStruct((2,), np.float32)], 3, over_hosts=True)
    rows.take(np.array([1]), [np.ones((1, 2), np.float32)])
    assert rows.done_anywhere().tolist() == [False, True, False]
    assert rows.gather().tolist() == []
    assert rows.is_mine(0)
    assert rows.is_mine(1)


def test_over_hosts_is_a_flag():
    for call in (
        lambda: jaxlr.sweep(lambda schedule: schedule(0), [jaxlr.constant(0.1)], over_hosts=2),
        lambda: jaxlr.branches(lambda x, *_: x, 0.0, jaxlr.constant(0.1), [10], over_hosts=2),
    ):
        with pytest.raises(TypeError, match="over_hosts must be True or False, got 2"):
            call()


def test_processes_meet_before_each_exchange(monkeypatch):
    """A collective alone gives up after half an hour."""
    happened = []

    class Client:
        def wait_at_barrier(self, name, milliseconds):
            assert milliseconds > 10 * 24 * 3600 * 1000
            happened.append(name)

    monkeypatch.setattr("jax._src.distributed.global_state.client", Client())
    monkeypatch.setattr("jax.process_count", lambda: 2)

    def gathered(array):
        happened.append("all")
        return np.stack([array] * 2)

    monkeypatch.setattr("jax.experimental.multihost_utils.process_allgather", gathered)
    rows = Collected([jax.ShapeDtypeStruct((), np.float32)], 3, over_hosts=True)
    rows.done_anywhere()
    rows.gather()
    assert happened[1::2] == ["all"] * (len(happened) // 2)
    assert len(set(happened[::2])) == len(happened) // 2 >= 2
