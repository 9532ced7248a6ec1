"""What a run keeps is what was written, and its data are those of before: anything else is refused in one line."""

import contextlib
import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from test_checkpoints import make_state, position, steps, write

from jaxlr.errors import CheckpointError
from jaxlr.training import load_network
from jaxlr.training.data.datasets import load_dataset
from jaxlr.training.data.fingerprint import fingerprint
from jaxlr.training.runs.config import TrainConfig, load_config
from jaxlr.training.runs.records.metrics import parse_records
from jaxlr.training.runs.records.position import Position, to_position
from jaxlr.training.runs.run import execute, prepare, resume, train
from jaxlr.training.runs.saving import checkpoints
from jaxlr.training.runs.saving.checkpoints import load_state, read_position
from jaxlr.training.runs.saving.weights import read_weights, write_weights

CONFIG = TrainConfig(
    width=2, depth=1, batch_size=64, epochs=2, schedule="cosine(0.1, 2ep)", optimizer="sgd", checkpoint_every="5"
)


def flip(path, bit=None):
    """Turns one bit of a file over, the middle one where none is named; gives back what it held."""
    content = bytearray(path.read_bytes())
    bit = 4 * len(content) if bit is None else bit
    content[bit // 8] ^= 1 << bit % 8
    before = path.read_bytes()
    path.write_bytes(content)
    return before


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)


def test_one_flipped_bit_in_any_file_of_a_checkpoint_is_refused_and_the_one_before_it_offered(tmp_path):
    write(tmp_path, [3, 5])
    place = tmp_path / "checkpoints" / "5"
    assert len(files(place)) > 10
    for path in files(place):
        before = flip(path)
        with pytest.raises(CheckpointError) as caught:
            load_state(tmp_path, 5, make_state(9))
        assert str(caught.value).startswith(f"{place}: truncated or damaged checkpoint; without this folder ")
        assert "starts at the one before, count 3" in str(caught.value), path
        path.write_bytes(before)
    assert read_position(tmp_path) == position(5)
    shutil.rmtree(place)
    assert read_position(tmp_path) == position(3)
    flip(tmp_path / "checkpoints" / "3" / "checksums.json")
    with pytest.raises(CheckpointError, match="without this folder a resumed run starts at its beginning"):
        read_position(tmp_path)


def test_checksums_that_a_kill_left_half_written_are_taken_away_and_the_checkpoint_is_whole(tmp_path):
    write(tmp_path, [3, 5])
    left = tmp_path / "checkpoints" / "5" / "checksums.json.part"
    left.write_text('{"sha256"')
    assert read_position(tmp_path) == position(5)
    write(tmp_path, [7])
    assert not left.exists()
    assert read_position(tmp_path) == position(7)


def test_what_a_kill_left_incomplete_is_left_to_orbax(tmp_path, monkeypatch):
    """It takes that away in a thread, and fails where a file is gone before: so here is no manager that does."""
    monkeypatch.setattr(checkpoints.ocp, "CheckpointManager", lambda *given, **named: None)
    names = ("5.orbax-checkpoint-tmp", "7")
    incomplete, whole = (tmp_path / "checkpoints" / name / "checksums.json.part" for name in names)
    for part in (incomplete, whole):
        part.parent.mkdir(parents=True)
        part.write_text('{"sha256"')
    checkpoints.Checkpoints(tmp_path, keep=2)
    assert incomplete.exists()
    assert not whole.exists()


def test_every_complete_checkpoint_has_checksums_and_one_without_is_an_older_one(tmp_path):
    write(tmp_path, [3, 5, 8])
    assert [(tmp_path / f"checkpoints/{count}/checksums.json").exists() for count in steps(tmp_path)] == [True, True]
    for path in (tmp_path / "checkpoints").glob("*/checksums.json"):
        path.unlink()
    assert read_position(tmp_path) == position(8)


NETWORK = {"kernel": np.float32([[1.5, -2.0]]), "mean": np.float32([0.5])}


def test_the_weights_come_back_and_one_flipped_bit_in_them_is_refused(tmp_path):
    network = (jax.tree.map(jax.numpy.asarray, NETWORK), {"key": jax.random.key(3), "drawn": jax.numpy.uint32(4)})
    write_weights(tmp_path, network, 12)
    other = jax.tree.map(lambda leaf: leaf if leaf.dtype != np.float32 else 0 * leaf, network)
    found, count = read_weights(tmp_path, other)
    np.testing.assert_array_equal(found[0]["kernel"], NETWORK["kernel"])
    assert (found[1]["key"] == network[1]["key"], count) == (True, 12)
    path = tmp_path / "weights.npz"
    whole, arrays = path.read_bytes(), dict(np.load(path))
    refused = 0
    for bit in range(0, 8 * len(whole), 37):
        flip(path, bit)
        # A bit of the archive may say nothing of its content, such as one of a time.
        with contextlib.suppress(CheckpointError):
            read, _ = read_weights(tmp_path, other)
            np.testing.assert_array_equal(read[0]["kernel"], arrays["0.kernel"])
            refused -= 1
        refused += 1
        path.write_bytes(whole)
    assert refused > 0.3 * 8 * len(whole) / 37
    with pytest.raises(CheckpointError, match=r"of another network: 0.kernel is float32\[1,2\] there and absent here"):
        read_weights(tmp_path, ({}, {}))


def write_data(path, examples=200, seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(examples) % 4
    images = np.uint8(random.integers(0, 200, (examples, 8, 8)) + 10 * labels[:, None, None])
    np.savez(path, images=images, labels=labels)


def stop_after_the_first(prepared):
    """Executes a run up to its first item."""
    with pytest.raises(Exception, match="stopped at count"):
        execute(prepared, stop=lambda: True)


@pytest.mark.ci
def test_data_that_grew_are_refused_and_data_that_moved_are_found(tmp_path):
    first, moved, folder = tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "run"
    write_data(first)
    config = dataclasses.replace(CONFIG, data=str(first), batch_size=32)
    straight = train(config, out=tmp_path / "straight")
    stop_after_the_first(prepare(config, out=folder))
    first.rename(moved)
    with pytest.raises(
        ValueError, match=r"a\.npz: No such file or directory; where the data lie elsewhere now, --data"
    ):
        resume(folder)
    write_data(first, examples=240)
    with pytest.raises(ValueError, match=r"resume: data: .*a\.npz' does not hold what the run was trained on"):
        resume(folder)
    ended = execute(resume(folder, dataclasses.replace(config, data=str(moved))))
    assert ended["parameters_sha256"] == straight["parameters_sha256"]
    assert load_config(folder / "config.json").data == str(moved)


def test_every_run_keeps_its_last_weights(tmp_path):
    config = dataclasses.replace(CONFIG, checkpoint_every=None, epochs=1)
    summary = train(config, out=tmp_path / "run")
    assert not (tmp_path / "run/checkpoints").exists()
    network = load_network(tmp_path / "run")
    test = load_dataset("digits").test
    right = np.asarray(network(jax.numpy.asarray(test.images))).argmax(axis=1) == test.labels
    assert right.mean() == pytest.approx(summary["test_accuracy"], abs=1e-9)
    assert prepare(config, out=tmp_path / "other", weights=tmp_path / "run").notes == (
        f"weights of {tmp_path / 'run'} at count 20",
    )


def test_a_fingerprint_is_of_the_contents(tmp_path):
    marks = []
    for name, arguments in (("a", {}), ("b", {}), ("c", {"seed": 1}), ("d", {"examples": 201})):
        write_data(tmp_path / f"{name}.npz", **arguments)
        marks.append(fingerprint(load_dataset(tmp_path / f"{name}.npz")))
    with np.load(tmp_path / "a.npz") as arrays:
        (tmp_path / "folder").mkdir()
        for name in arrays.files:
            np.save(tmp_path / "folder" / f"{name}.npy", arrays[name])
    # Mapped files of so few images are read whole.
    marks.append(fingerprint(load_dataset(tmp_path / "folder")))
    assert [marks.index(mark) for mark in marks] == [0, 0, 2, 3, 0]


NOTES = {"count": 3, "epoch": 1, "skipped": 0, "metrics_bytes": 9, "seconds": 0.5, "schedules": [[0, "cosine(0.1, 9)"]]}
WRONG = ["75", [1], {}, None, True, 3.5, -1, 2**31, 10**30, 10**400, float("nan"), float("inf")]


@pytest.mark.parametrize("field", ["count", "epoch", "skipped"])
@pytest.mark.parametrize("value", WRONG, ids=lambda value: str(value)[:9])
def test_a_position_of_another_kind_is_named(field, value):
    with pytest.raises(ValueError, match=rf"^{field} is .*, which a position cannot hold there$"):
        to_position({**NOTES, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("schedules", value) for value in ([], [[0]], [["0", "x"]], [[0, 1]], "ab", [[0, "x", 1]], None)]
    + [("resumed", value) for value in (["1"], 3, [[1]], [-1])]
    + [("seconds", value) for value in (-1, "1", float("nan"), 10**400)]
    + [("metrics_bytes", value) for value in (-1, 2**54, "9", 1.0)]
    + [("data", value) for value in (3, "a" * 65)],
)
def test_every_field_of_a_position_is_looked_at(field, value):
    with pytest.raises(ValueError, match=rf"^{field} is .*, which a position cannot hold there$"):
        to_position({**NOTES, field: value})
    with pytest.raises(
        ValueError, match=f"^a position has no {field}$" if field in NOTES else "^a position has no count$"
    ):
        to_position({name: each for name, each in NOTES.items() if name != (field if field in NOTES else "count")})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1]", "line 1: expected a record, an object, got [1]"),
        ("3", "line 1: expected a record, an object, got 3"),
        ('{"loss": 1}', "line 1: a record has no learning_rate"),
        ('{"count": "75", "learning_rate": 1, "loss": 1}', "line 1: count is '75', which"),
        ('{"count": 1e3, "learning_rate": 1, "loss": 1}', "line 1: count is 1000.0, which"),
        (f'{{"count": {10**30}, "learning_rate": 1, "loss": 1}}', f"line 1: count is {10**30}, which"),
        ('{"count": 1, "learning_rate": [], "loss": 1}', "line 1: learning_rate is [], which"),
        ('{"count": 1, "learning_rate": 1, "loss": 1e400}', "line 1: loss is inf, which"),
        ('{"count": 1, "learning_rate": 1, "loss": NaN}', "line 1 is no record"),
        ('{"count": 1, "learning_rate": 1, "loss": 1, "accuracy": "x"}', "line 1: accuracy is 'x', which"),
        ('{"epoch": 3.5, "count": 1, "validation_accuracy": 1}', "line 1: epoch is 3.5, which"),
        ('{"epoch": 1, "count": 1}', "line 1: a record has no validation_accuracy"),
        ("[" * 100_000, "line 1 is no record"),
        ('{"count": ' + "9" * 5000 + "}", "line 1 is no record"),
    ],
    ids=lambda value: value[:40],
)
def test_a_line_that_is_no_record_is_named_with_its_field(line, said):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, said below
        parse_records(f"{line}\n")
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[" * 100_000, "not a JSON file: nested too deeply"),
        ('{"epochs": ' + "9" * 5000 + "}", "not a JSON file"),
        (b"\xff\xfe{", "not a JSON file: not a text"),
        (json.dumps({"epochs": 10**30}), "epochs must be at most 2147483647, got a number of more than 30 digits"),
        (json.dumps({"width": 10**7}), "width must be at most 65536, got 10000000"),
        (json.dumps({"l1": 1e308}), "l1 must be at most 3.4e+38, got 1e+308"),
        ('{"l1": 1e400}', "l1 must be finite, got inf"),
        ('{"l1": NaN}', "not a JSON file: NaN"),
        (json.dumps({"checkpoint_every": "9" * 5000}), "checkpoint_every must be a number of updates"),
        (json.dumps({"data": "x" * 200_000}), "data must have at most 100,000 letters, got 200,000"),
        (json.dumps({"seed": 3 * 2**30}), "seed must be at most 2147483647, got 3221225472"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_config_beyond_its_bounds_is_one_line(content, said, tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError) as caught:  # noqa: PT011, said below
        load_config(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert len(str(caught.value)) < 400


def test_the_position_of_an_older_jaxlr_is_read():
    assert to_position(NOTES) == Position(3, 1, 0, 9, 0.5, ((0, "cosine(0.1, 9)"),), resumed=(), data=None)
    assert to_position({**NOTES, "resumed": [3, 5], "layout": {}}).resumed == (3, 5)
