"""Checkpoints: written whole, read back to the last bit, and one line for whatever is wrong with one."""

import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlr
from jaxlr.training.runs.records.position import CheckpointError, Position
from jaxlr.training.runs.saving.checkpoints import Checkpoints, load_network, load_state, read_position
from jaxlr.transforms.records import numbers_in

SCHEDULES = ((0, "cosine(0.1, 10)"), (4, "cosine(0.1, 20)"))


def make_state(seed=0, width=3):
    random = np.random.default_rng(seed)
    draw = lambda *shape: jnp.asarray(random.normal(size=shape), jnp.float32)  # noqa: E731
    network = ({"kernel": draw(width, 2), "half": draw(4).astype(jnp.bfloat16)}, {"key": jax.random.key(seed)})
    return network, ({"count": jnp.int32(seed), "empty": (), "moments": [draw(2), draw(3)]},)


def position(count, **others):
    return Position(count=count, epoch=1, skipped=0, metrics_bytes=100, seconds=0.5, schedules=SCHEDULES, **others)


def write(folder, counts, *, keep=2, accuracies=()):
    checkpoints = Checkpoints(folder, keep=keep)
    try:
        for place, count in enumerate(counts):
            accuracy = accuracies[place] if accuracies else None
            checkpoints.save(make_state(count), position(count), validation_accuracy=accuracy)
            checkpoints.finish()
    finally:
        checkpoints.close()


def steps(folder):
    return sorted(int(path.name) for path in (folder / "checkpoints").iterdir() if path.name.isdigit())


def is_one_line(caught, *parts):
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert part in message


def test_everything_comes_back_to_the_last_bit(tmp_path):
    write(tmp_path, [3, 5])
    assert read_position(tmp_path) == position(5)
    chex.assert_trees_all_equal(load_state(tmp_path, 5, make_state(9)), make_state(5))
    chex.assert_trees_all_equal(load_network(tmp_path, make_state(9)[0]), make_state(5)[0])
    chex.assert_trees_all_equal(load_state(tmp_path, 3, make_state(9)), make_state(3))


def test_the_last_ones_and_the_best_stay(tmp_path):
    write(tmp_path, range(1, 7), keep=2, accuracies=[0.1, 0.8, 0.9, 0.3, 0.4, 0.5])
    assert steps(tmp_path) == [3, 5, 6]
    (tmp_path / "plain").mkdir()
    write(tmp_path / "plain", range(1, 5), keep=1)
    assert steps(tmp_path / "plain") == [4]


def test_a_state_is_taken_before_its_buffers_are_used_again(tmp_path):
    move = jax.jit(lambda state: jax.tree.map(lambda leaf: leaf + 1, state), donate_argnums=0)
    state = {"large": jnp.zeros(300_000), "small": jnp.zeros(3)}
    checkpoints = Checkpoints(tmp_path, keep=9)
    for count in range(4):
        checkpoints.save((state, {"count": jnp.int32(count)}), position(count))
        state = move(state)
    checkpoints.finish()
    checkpoints.close()
    for count in range(4):
        saved, _ = load_state(tmp_path, count, (state, {"count": jnp.int32(0)}))
        assert all((np.asarray(leaf) == count).all() for leaf in saved.values())


def test_what_a_kill_leaves_is_passed_over_and_cleared_away(tmp_path):
    write(tmp_path, [1, 2])
    torn = tmp_path / "checkpoints" / "9.orbax-checkpoint-tmp"
    torn.mkdir()
    (torn / "part").write_text("x")
    assert read_position(tmp_path).count == 2
    write(tmp_path, [3])
    assert steps(tmp_path) == [2, 3]
    assert not torn.exists()


def test_a_checkpoint_of_another_network_is_named(tmp_path):
    write(tmp_path, [2])
    network, optimizer = make_state(width=4)
    with pytest.raises(CheckpointError) as caught:
        load_state(tmp_path, 2, (network, optimizer))
    is_one_line(caught, "checkpoint of another network: 0.kernel is float32[3,2] there and float32[4,2] here")
    with pytest.raises(CheckpointError) as caught:
        load_state(tmp_path, 2, (make_state()[0], {"count": optimizer[0]["count"]}))
    is_one_line(caught, "checkpoint of another optimizer: count is absent there and int32[] here")


@pytest.mark.parametrize("part", ["position/metadata", "network/_METADATA", "network/**/d/*"])
def test_a_truncated_checkpoint_is_named_and_the_one_before_it_is_good(part, tmp_path):
    write(tmp_path, [1, 2])
    place = tmp_path / "checkpoints" / "2"
    for path in place.glob(part):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError) as caught:
        load_state(tmp_path, read_position(tmp_path).count, make_state())
    is_one_line(caught, str(place), "truncated or damaged checkpoint; without this folder")
    shutil.rmtree(place)
    chex.assert_trees_all_equal(load_state(tmp_path, read_position(tmp_path).count, make_state()), make_state(1))


def test_what_tensorstore_answers_too_late_is_dropped_and_nothing_else(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(str(unraisable.exc_value)))
    before = sys.unraisablehook

    def answer():
        for message in ("Event loop is closed", "another"):
            sys.unraisablehook(SimpleNamespace(exc_value=RuntimeError(message)))

    checkpoints = Checkpoints(tmp_path, keep=9)
    checkpoints.save(make_state(1), position(1))
    answer()
    checkpoints.finish()
    checkpoints.close()
    assert read_position(tmp_path) == position(1)
    assert (told, sys.unraisablehook) == (["another"], before)
    # After a failure they may come until the process ends.
    for path in (tmp_path / "checkpoints/1/network").rglob("d/*"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for _ in range(2):
        with pytest.raises(CheckpointError):
            load_state(tmp_path, 1, make_state())
        answer()
    assert told == ["another"] * 3


def test_the_hook_is_given_back_where_no_read_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    before = sys.unraisablehook
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match="holds no complete checkpoint"):
        read_position(tmp_path)
    assert sys.unraisablehook == before


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        read_position(tmp_path)
    is_one_line(caught, f"{tmp_path}: holds no checkpoint; a run writes them with --checkpoint-every")
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match="holds no complete checkpoint"):
        read_position(tmp_path)


# In a process of its own, since a limit on the size of files holds for all that it writes.
FULL = """
import resource, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_checkpoints import make_state, position
from jaxlr.training.runs.saving.checkpoints import Checkpoints
from jaxlr.training.runs.records.position import CheckpointError
import jax.numpy as jnp
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
checkpoints = Checkpoints(Path(sys.argv[1]), keep=3)
checkpoints.save(make_state(1), position(1))
checkpoints.finish()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import numpy
large = jnp.asarray(numpy.random.default_rng(0).normal(size=200_000), jnp.float32)
try:
    checkpoints.save(({"large": large}, {"count": jnp.int32(0)}), position(2))
    checkpoints.finish()
except CheckpointError as error:
    print(error)
    checkpoints.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of a file")
def test_a_disk_that_is_full_is_one_line_and_leaves_the_last_checkpoint_good(tmp_path):
    words = [sys.executable, "-c", FULL, str(tmp_path), os.path.dirname(__file__)]
    result = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 1
    assert re.match(f"{tmp_path}/checkpoints: cannot write a checkpoint .*File too large", result.stdout)
    assert read_position(tmp_path).count == 1
    chex.assert_trees_all_equal(load_state(tmp_path, 1, make_state()), make_state(1))


@pytest.mark.parametrize("raised", [jax.errors.JaxRuntimeError, ValueError])  # later, or as it is called
@pytest.mark.parametrize("processes", [1, 2])
def test_a_process_that_is_lost_in_the_middle_of_a_write_is_not_the_disk_s_fault(
    processes, raised, tmp_path, monkeypatch
):
    def lost(*arguments, **words):
        raise raised("UNKNOWN: Gloo AllGather failed: Connection closed by peer")

    kind = raised if processes > 1 else CheckpointError

    checkpoints = Checkpoints(tmp_path, keep=2)
    monkeypatch.setattr(checkpoints._manager, "save", lost)
    monkeypatch.setattr(jax, "process_count", lambda: processes)
    with pytest.raises(kind, match="Connection closed by peer"):
        checkpoints.save(make_state(), position(1))
    monkeypatch.undo()
    checkpoints.close()


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(CheckpointError) as caught:
        Checkpoints(tmp_path, keep=1)
    is_one_line(caught, "cannot write a checkpoint")


def test_the_position_is_plain_json(tmp_path):
    write(tmp_path, [2])
    notes = json.loads((tmp_path / "checkpoints/2/position/metadata").read_text())
    assert (notes["count"], notes["schedules"]) == (2, [list(each) for each in SCHEDULES])
    assert notes["layout"]["optimizer"]["0.count"] == "int32[]"


def test_a_checkpoint_of_before_records_were_nodes_is_read(tmp_path):
    optimizer = jaxlr.sgd(0.1, 0.9, weight_decay=0.5)
    state, network = optimizer.init({"w": jnp.ones(2)}), make_state()[0]
    checkpoints = Checkpoints(tmp_path, keep=2)
    checkpoints.save((network, numbers_in(state)), position(3))
    checkpoints.close()
    found = load_state(tmp_path, 3, (network, jax.tree.map(jnp.zeros_like, state)))[1]
    chex.assert_trees_all_equal(found, state)
    notes = json.loads((tmp_path / "checkpoints/3/position/metadata").read_text())
    assert notes["layout"]["optimizer"]["1.momentum"] == "float32[]"


def test_an_older_checkpoint_has_no_factor_of_its_rate(tmp_path):
    old = {"learning_rate": jnp.float32(0.25), "overridden": jnp.asarray(False)}
    new = {**old, "base": jnp.float32(9.0), "factor": jnp.float32(1.0), "share": jnp.float32(0.5)}
    new |= {"written": jnp.float32(9.0)}
    network = make_state()[0]
    checkpoints = Checkpoints(tmp_path, keep=2)
    checkpoints.save((network, (old,)), position(3))
    checkpoints.close()
    # Nor was what says that it was set by hand a number.
    fresh = {**new, "learning_rate": jnp.float32(9.0), "overridden": jnp.int32(0)}
    (found,) = load_state(tmp_path, 3, (network, (fresh,)))[1]
    assert found == {**new, "base": 0.25, "written": 0.25, "overridden": 0}
    assert found["overridden"].dtype == jnp.int32
    with pytest.raises(CheckpointError) as caught:
        load_state(tmp_path, 3, (({**network[0], "base": jnp.zeros(2)}, network[1]), (old,)))
    is_one_line(caught, "checkpoint of another network: 0.base is absent there and float32[2] here")
