"""Training on several devices: the numbers of one, in processes that start with eight."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jaxlr.training.loop.mesh import DataMesh, choose_devices


def run_with_eight(script, *words, timeout=280):
    eight = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-W", "error", Path(__file__).parents[2] / "programs" / script, *words]
    return subprocess.run(command, env=eight, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.parametrize(
    "form", [pytest.param("short", marks=pytest.mark.ci), pytest.param("long", marks=pytest.mark.long)]
)
def test_losses_moments_and_checkpoints_on_eight_devices(form, tmp_path):
    done = run_with_eight("devices_of_eight.py", form, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "all hold"


def test_a_batch_that_cannot_be_shared_is_named(monkeypatch):
    monkeypatch.setattr(jax, "devices", lambda: ["a device"] * 6)
    assert len(choose_devices(12)) == 6
    assert len(choose_devices(64, 4)) == 4
    with pytest.raises(ValueError, match=r"multiple of the 6 devices, got 64; with devices=4 it can stay"):
        choose_devices(64)
    with pytest.raises(ValueError, match="devices must be at most the 6 that are there, got 8"):
        choose_devices(64, 8)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(ValueError, match="devices must be all 6 of a run on several hosts, got 3"):
        choose_devices(63, 3)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((3, 3, 64, 128), 2),  # an eighth of the last side would be filled up to all of it
        ((512, 128), 0),
        ((512, 4096), 1),  # both alike there: along the longer one
        ((128,), 0),
        ((2, 1024, 8), 1),
        ((8, 8), 0),
    ],
)
def test_moments_are_parted_so_that_a_tpu_need_not_fill_them_up(shape, axis):
    mesh = DataMesh(jax.devices()[:1])
    mesh.size = 8
    assert list(mesh.of_moments(jax.ShapeDtypeStruct(shape, "float32")).spec).index("data") == axis
