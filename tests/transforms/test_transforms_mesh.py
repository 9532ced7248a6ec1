"""The optimizers on a mesh of eight host devices, in a process that starts with them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.ci
def test_rates_moments_and_rules_on_a_mesh_of_eight():
    script = Path(__file__).parents[1] / "programs" / "mesh_of_eight.py"
    eight = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-W", "error", script]
    done = subprocess.run(command, env=eight, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "all hold"
