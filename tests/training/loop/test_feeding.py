"""Images that lie in mapped files and reach the devices a few updates ahead: the run of those on the device."""

import math

import chex
import numpy as np
import pytest
from test_loop import DATA, TRAIN, join, make_model, make_trainer

import jaxlr
from jaxlr.training.data.datasets import DataError, load_dataset
from jaxlr.training.data.splits import MappedRows, Split
from jaxlr.training.loop import feed as feeding
from jaxlr.training.loop import trainer as loop
from jaxlr.training.loop.feed import are_resident


@pytest.fixture
def files(tmp_path):
    """The training rows of test_loop as files, those of the test beside them."""
    for part, split in (("train", DATA.train), ("test", DATA.test)):
        np.save(tmp_path / f"x_{part}.npy", split.images)
        np.save(tmp_path / f"y_{part}.npy", split.labels)
    return tmp_path


@pytest.mark.ci
@pytest.mark.parametrize("accumulate", [1, 4], ids="accumulate {}".format)
def test_a_run_from_the_host_is_that_from_the_device(accumulate, monkeypatch):
    runs = []
    for where, window_bytes, seconds in (("device", 1, 1e9), ("host", 2 * accumulate * 8 * 16, 1e9), ("host", 1, 0.0)):
        monkeypatch.setattr(feeding, "_WINDOW_BYTES", window_bytes)
        monkeypatch.setattr(loop, "_CHUNK_SECONDS", seconds)
        trainer = make_trainer(model=make_model(dropout=0.5), accumulate=accumulate, images_on=where)
        runs.append((join(trainer.run(3)), trainer.parameters))
        if where == "host":
            assert trainer._feed.capacity == (2 if seconds else 1)
    chex.assert_trees_all_equal(*runs)


@pytest.mark.ci
def test_a_run_that_skips_or_goes_on_elsewhere_takes_the_same_images(monkeypatch):
    monkeypatch.setattr(feeding, "_WINDOW_BYTES", 4 * 8 * 16)
    straight = make_trainer(jaxlr.adam(0.01))
    losses = join(straight.run(3)).loss
    first = make_trainer(jaxlr.adam(0.01), images_on="host")
    before = join(first.run(1)).loss
    second = make_trainer(jaxlr.adam(0.01), images_on="host")
    second.load(first.state, count=6, epoch=1, accuracies=np.zeros(0, np.float32))
    np.testing.assert_array_equal(np.concatenate([before, join(second.run(2)).loss]), losses)
    bad = DATA.train.images.astype(np.float32)
    bad[17] = np.inf
    data = type(DATA)("bad", Split(bad, DATA.train.labels), DATA.validation, DATA.test, 3, "")
    skipping = [make_trainer(data=data, nonfinite="skip", images_on=where) for where in ("device", "host")]
    chex.assert_trees_all_equal(*(join(trainer.run(3)) for trainer in skipping))
    assert skipping[0].skipped == skipping[1].skipped > 0


@pytest.mark.ci
def test_a_folder_of_files_holds_the_images_of_an_archive(files, tmp_path):
    np.savez(tmp_path / "same.npz", **{path.stem: np.load(path) for path in files.glob("*.npy")})
    mapped, loaded = load_dataset(files), load_dataset(tmp_path / "same.npz")
    assert isinstance(mapped.train.images, MappedRows)
    assert (mapped.classes, mapped.split_note) == (loaded.classes, loaded.split_note)
    for part in ("train", "validation", "test"):
        one, other = getattr(mapped, part), getattr(loaded, part)
        np.testing.assert_array_equal(np.asarray(one.images), other.images)
        np.testing.assert_array_equal(one.labels, other.labels)
    runs = []
    for data, where in ((mapped, "host"), (mapped, "auto"), (loaded, "device")):
        trainer = make_trainer(data=data, images_on=where)
        runs.append((join(trainer.run(2)), trainer.parameters))
    chex.assert_trees_all_equal(*runs)


def test_mapped_images_are_not_read_beforehand(files):
    """A file of 4 TB, nearly all of it a hole: opening it must read no more than its header."""
    shape = (10**9, 64, 64, 1)
    with (files / "x_train.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + int(np.prod(shape)))
    images = np.load(files / "x_train.npy", mmap_mode="r")
    split = Split(MappedRows(images, np.arange(0, 10**9, 10**6)), np.zeros(1000, np.int32))
    assert split[np.arange(1000) % 2 == 0].images[:3].shape == (3, 64, 64, 1)


def test_images_that_take_more_than_half_of_the_memory_stay_on_the_host():
    needed = TRAIN * 16
    assert are_resident("auto", DATA.train, 2 * needed)
    assert not are_resident("auto", DATA.train, 2 * needed - 1)
    assert are_resident("device", DATA.train, 0)
    assert not are_resident("host", DATA.train, math.inf)


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("x_test", None, r"no x_test in it, only x_train, y_test, y_train; expected"),
        ("x_train", np.zeros((5, 4, 4)), r"x_train: dtype float64; expected uint8 \(0 to 255\) or float32 in a mapped"),
        ("x_train", np.zeros((5, 4), np.uint8), r"x_train: shape \(5, 4\); expected \(N, H, W\)"),
        ("y_train", np.zeros(5, np.int32), "52 x_train but 5 y_train; expected one label for each image"),
        ("y_test", np.array([{}]), r"y_test\.npy: unreadable"),
    ],
    ids=["missing", "dtype", "shape", "length", "objects"],
)
def test_files_that_cannot_be_used_are_named(name, array, said, files):
    (files / f"{name}.npy").unlink()
    if array is not None:
        np.save(files / f"{name}.npy", array)
    with pytest.raises(DataError, match=said):
        load_dataset(files)
