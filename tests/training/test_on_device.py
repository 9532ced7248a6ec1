"""The benchmark for one device, tried on the CPU: its parts run, and what has been measured is not measured again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "on_device.py"
PARTS = ("exactness", "optimizers", "range", "compile")


def measured(folder, *words):
    command = [sys.executable, SCRIPT, "--small", "--work", folder / "work", "--out", folder, *words]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=500, env=environment).stdout


@pytest.mark.ci
def test_its_small_form_runs_through_and_goes_on_where_it_was(tmp_path):
    first = measured(tmp_path, "--parts", *PARTS)
    assert [line.split(":")[0] for line in first.splitlines()[:-1]] == list(PARTS)
    table = (tmp_path / "on_device_cpu_small.md").read_text()
    assert "it failed" not in table
    assert "stopped after" not in table
    assert table.count("Not measured.") == 3
    for said in ("| linear |", "few       sgd", "rates: ", "adamw, 8 arrays, jaxlr"):
        assert said in table
    assert len(measured(tmp_path, "--parts", *PARTS).splitlines()) == 1  # where the table is, and nothing measured


@pytest.mark.ci
def test_a_part_that_takes_too_long_is_said_to_be_stopped(tmp_path):
    measured(tmp_path, "--parts", "range", "--minutes", "0.02")
    assert "stopped after" in (tmp_path / "on_device_cpu_small.md").read_text()
