"""An .npz of one's own: as Keras has it or without a test part, and every way in which one can be bad."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from image_files import cut, numbered, rejoined, replace, said

from jaxlr.training.data.datasets import Split, load_dataset


def test_npz_as_keras_has_it(tmp_path: Path) -> None:
    images, labels = numbered((90, 5, 4, 1), seed=4), np.arange(90) % 3
    path = tmp_path / "mine.npz"
    np.savez(
        path, x_train=images[:60, ..., 0], y_train=labels[:60], x_test=images[60:, ..., 0], y_test=labels[60:, None]
    )
    dataset = load_dataset(path)
    np.testing.assert_array_equal(rejoined(dataset)[0], images[:60])
    np.testing.assert_array_equal(rejoined(dataset)[1], labels[:60])
    np.testing.assert_array_equal(dataset.test.images, images[60:])
    np.testing.assert_array_equal(dataset.test.labels, labels[60:])
    assert (dataset.classes, dataset.name) == (3, str(path))
    assert dataset.split_note == "54 train, 6 validation (seed 0), 30 test"


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "compressed"])
def test_npz_without_a_test_part(tmp_path: Path, compress: bool) -> None:
    images, labels = numbered((103, 5, 4, 3), seed=5), np.arange(103) % 4
    path = tmp_path / "mine.npz"
    (np.savez_compressed if compress else np.savez)(path, images=images, labels=labels)
    datasets = [load_dataset(str(path), seed=seed, validation_fraction=0.25) for seed in (0, 1)]
    for dataset in datasets:
        assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [62, 20, 21]
        assert "21 test (a fifth, the same for every seed)" in dataset.split_note
        np.testing.assert_array_equal(dataset.test.images, datasets[0].test.images)
        parts = [dataset.train, dataset.validation, dataset.test]
        together = np.concatenate([part.images for part in parts])
        order = np.argsort(together[:, 0, 1, 0])
        np.testing.assert_array_equal(together[order], images)
        np.testing.assert_array_equal(np.concatenate([part.labels for part in parts])[order], labels)
        assert set(np.bincount(dataset.test.labels)) <= {5, 6}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"], ids=str)
def test_npz_of_floats_is_used_as_it_is(tmp_path: Path, dtype: str) -> None:
    images = np.linspace(-2, 2, 20 * 16).reshape(20, 4, 4).astype(dtype)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.zeros(20, np.int64))
    dataset = load_dataset(str(tmp_path / "mine.npz"))
    assert dataset.train.images.dtype == np.float32
    assert dataset.train.images.dtype.isnative
    together = np.concatenate([part.images.ravel() for part in (dataset.train, dataset.validation, dataset.test)])
    np.testing.assert_array_equal(np.sort(together), images.astype(np.float32).ravel())


def notes(path: Path, images: np.ndarray, labels: np.ndarray) -> tuple[str, ...]:
    np.savez(path, images=images, labels=labels)
    return load_dataset(str(path)).notes


@pytest.mark.parametrize("scale", [255.0, 100.0])
def test_floats_that_were_bytes_are_noticed_and_left_as_they_are(scale: float, tmp_path: Path) -> None:
    images = np.linspace(0, scale, 40 * 16).reshape(40, 4, 4).astype(np.float32)
    (said_of_it,) = notes(tmp_path / "mine.npz", images, np.arange(40) % 2)
    assert said_of_it.startswith("images are floats from ")
    assert said_of_it.endswith(": for those of bytes, divide by 255 or keep them uint8")
    together = np.concatenate([part.images.ravel() for part in _parts(tmp_path / "mine.npz")])
    np.testing.assert_array_equal(np.sort(together), images.ravel())
    # As mapped files they are looked at, too.
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", np.arange(40) % 2)
    assert load_dataset(tmp_path).notes == (said_of_it,)


def _parts(path: Path) -> list[Split]:
    dataset = load_dataset(str(path))
    return [dataset.train, dataset.validation, dataset.test]


@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_floats_of_a_usual_range_are_nothing_to_note(low: float, tmp_path: Path) -> None:
    images = np.linspace(low, 1, 40 * 16).reshape(40, 4, 4)
    assert notes(tmp_path / "mine.npz", images, np.arange(40) % 2) == ()
    assert notes(tmp_path / "mine.npz", np.uint8(255 * abs(images)), np.arange(40) % 2) == ()
    assert notes(tmp_path / "mine.npz", 40 * images - 20, np.arange(40) % 2) == ()  # centred, however wide


def test_labels_from_1_and_classes_that_nobody_learns_are_noticed(tmp_path: Path) -> None:
    images = np.zeros((60, 4, 4), np.uint8)
    assert notes(tmp_path / "a.npz", images, 1 + np.arange(60) % 3) == (
        "labels count from 1 to 3: the network gets an output for a class 0, too; labels - 1 leaves it out",
    )
    assert notes(tmp_path / "a.npz", images, np.where(np.arange(60) % 3 == 1, 7, np.arange(60) % 3)) == (
        "no image has the class 1, 3, 4, 5, 6, of 8",
    )
    np.savez(tmp_path / "b.npz", x_train=images, y_train=np.arange(60) % 2, x_test=images[:9], y_test=np.arange(9) % 3)
    assert load_dataset(tmp_path / "b.npz").notes == (
        "the class 2 is among the test images alone: nothing is learned of it",
    )
    assert load_dataset("digits").notes == ()


GOOD = {"images": np.zeros((20, 4, 4), np.uint8), "labels": np.arange(20) % 2}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        pytest.param({"images": GOOD["images"]}, ["no labels in it, only images", "x_train, y_train"], id="no labels"),
        pytest.param({"x_train": GOOD["images"]}, ["no y_train and no x_test and no y_test"], id="half of Keras"),
        pytest.param({}, ["no images and no labels in it, only nothing"], id="nothing"),
        pytest.param(GOOD | {"labels": np.zeros(19, int)}, ["20 images but 19 labels"], id="lengths"),
        pytest.param(GOOD | {"labels": np.zeros(20)}, ["labels: float64", "expected integers"], id="float labels"),
        pytest.param(GOOD | {"labels": np.eye(20, dtype=int)}, ["labels: int64 of shape (20, 20)"], id="one-hot"),
        pytest.param(GOOD | {"labels": np.arange(20) - 1}, ["labels from -1 to 18"], id="label -1"),
        pytest.param(GOOD | {"labels": np.arange(20) + 1}, ["label 20 among 20 examples"], id="not counted from 0"),
        pytest.param(GOOD | {"labels": np.arange(20) << 40}, ["labels from 0 to"], id="beyond int32"),
        pytest.param(GOOD | {"images": np.zeros((20, 4, 4), int)}, ["images: dtype int64", "uint8"], id="int images"),
        pytest.param(GOOD | {"images": np.zeros((20, 16), np.uint8)}, ["(20, 16)", "(N, H, W)"], id="flat images"),
        pytest.param(
            GOOD | {"images": np.zeros((20, 0, 4), np.uint8)}, ["(20, 0, 4)", "none of them 0"], id="empty images"
        ),
        pytest.param(GOOD | {"images": np.full((20, 4, 4), np.nan)}, ["NaN"], id="NaN"),
        pytest.param(GOOD | {"images": np.full((20, 4, 4), 1e300)}, ["infinite"], id="beyond float32"),
        pytest.param(GOOD | {"labels": np.array([0] * 20, dtype=object)}, ["unreadable", "allow_pickle"], id="objects"),
        pytest.param({"images": GOOD["images"][:1], "labels": GOOD["labels"][:1]}, ["1 example is too few"], id="one"),
        pytest.param(
            {
                "x_train": GOOD["images"],
                "y_train": GOOD["labels"],
                "x_test": np.zeros((9, 5, 4)),
                "y_test": np.zeros(9, int),
            },
            ["4x4x1 uint8", "5x4x1 float32"],
            id="unlike parts",
        ),
    ],
)
def test_bad_npz(tmp_path: Path, arrays: dict[str, np.ndarray], words: list[str]) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    message = said(lambda: load_dataset(path))
    assert all(word in message for word in [str(path), *words]), message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, ["No such file"], id="missing"),
        pytest.param(b"", ["no .npz file"], id="empty"),
        pytest.param(pickle.dumps(GOOD), ["no .npz file"], id="pickle"),
        pytest.param("cut", ["truncated, or no .npz"], id="truncated"),
        pytest.param("flip", ["unreadable", "CRC"], id="damaged"),
    ],
)
def test_unreadable_npz(tmp_path: Path, content: bytes | str | None, words: list[str]) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, images=GOOD["images"], labels=GOOD["labels"])
    if content is None:
        path.unlink()
    elif content == "cut":
        cut(path, 100)
    elif content == "flip":
        replace(path, 200, b"\x99")
    else:
        path.write_bytes(content)
    message = said(lambda: load_dataset(path))
    assert all(word in message for word in [str(path), *words]), message
