"""Data sets by name: the digits, the parts that never overlap, and arguments that are refused in one line."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from image_files import said

from jaxlr.training.data.datasets import SOURCES, load_dataset
from jaxlr.training.data.splits import stratified


def test_digits_are_the_1797_of_scikit_learn() -> None:
    digits = load_dataset("digits")
    parts = (digits.train, digits.validation, digits.test)
    assert [len(part) for part in parts] == [1293, 144, 360]
    # Every value times 16 / 255 must give back the integer that scikit-learn has.
    images = np.concatenate([part.images for part in parts])[..., 0].astype(float) * 16 / 255
    labels = np.concatenate([part.labels for part in parts])
    assert np.abs(images - images.round()).max() < 0.04
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert len(np.unique(images.round().reshape(1797, 64), axis=0)) == 1797  # so no image is in two parts
    with np.load(Path(load_dataset.__code__.co_filename).with_name("digits.npz")) as stored:
        content = stored["images"].tobytes() + stored["labels"].tobytes()
        in_parts = {image.tobytes() for image in images.round().astype(np.uint8)}
        assert in_parts == {image.tobytes() for image in stored["images"]}
    # Recorded from scikit-learn 1.9.1: load_digits().images and .target as uint8.
    assert hashlib.sha256(content).hexdigest() == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_digits_test_part_is_the_same_for_every_seed_and_fraction() -> None:
    first = load_dataset("digits")
    for seed, fraction in ((0, 0.5), (1, 0.1), (2**40, 0.1)):
        other = load_dataset("digits", seed=seed, validation_fraction=fraction)
        np.testing.assert_array_equal(other.test.images, first.test.images)
        np.testing.assert_array_equal(other.test.labels, first.test.labels)
    # Recorded once: a change of it makes accuracies of two versions incomparable.
    content = first.test.images.tobytes() + first.test.labels.astype(np.uint8).tobytes()
    assert hashlib.sha256(content).hexdigest() == "fb36e42ff5733d2272f76072bd06c71c76bffdb5def110fd550ef722bc3db0bc"


def test_digits_split_note_states_the_parts() -> None:
    note = load_dataset("digits", seed=3).split_note
    assert note == "1,293 train, 144 validation (seed 3), 360 test (a fifth, the same for every seed)"


def test_validation_part_follows_the_seed() -> None:
    first, again, other = (load_dataset("digits", seed=seed).validation.images for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    shared = {image.tobytes() for image in first} & {image.tobytes() for image in other}
    assert len(shared) < 40  # a tenth of 144 by chance


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        pytest.param([178, 182, 177, 183, 181], 91, id="nearly equal classes"),
        pytest.param([900, 90, 9, 1], 100, id="unequal classes"),
        pytest.param([1] * 7, 3, id="one example each"),
        pytest.param([4, 4], 8, id="all"),
        pytest.param([3, 0, 5], 1, id="one"),
    ],
)
def test_stratified_takes_each_class_in_proportion(sizes: list[int], count: int) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    for seed in range(5):
        chosen = stratified(labels, count, seed=seed)
        assert chosen.sum() == count
        drawn = np.bincount(labels[chosen], minlength=len(sizes))
        share = np.array(sizes) * count / len(labels)
        assert np.all((drawn >= np.floor(share)) & (drawn <= np.ceil(share)))


def test_stratified_gives_every_example_of_a_class_its_chance() -> None:
    labels = np.repeat([0, 1], [12, 28])
    times = sum(stratified(labels, 10, seed=seed).astype(int) for seed in range(400))
    np.testing.assert_allclose(times / 400, 0.25, atol=5 * np.sqrt(0.25 * 0.75 / 400))


@pytest.mark.parametrize(
    ("name", "near"),
    [("fashion_mnist", "fashion-mnist"), ("MNIST", "mnist"), ("cifar-10", "cifar10"), ("digit", "digits"), ("x", None)],
)
def test_unknown_name_suggests_the_nearest(name: str, near: str | None) -> None:
    message = said(lambda: load_dataset(name))
    assert f"unknown data set {name!r}" in message
    assert f"Known are {', '.join(['digits', *SOURCES])}, a path that ends in .npz, and a folder of" in message
    assert (f"did you mean {near!r}?" in message) if near else ("did you mean" not in message)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), 0.0001, 0.9999])
def test_validation_fraction_out_of_range(fraction: float) -> None:
    message = said(lambda: load_dataset("digits", validation_fraction=fraction))
    assert "validation_fraction" in message
    assert str(fraction) in message


def test_bad_seed() -> None:
    assert said(lambda: load_dataset("digits", seed=-1)) == "seed must be at least 0; got -1"
    with pytest.raises(TypeError):
        load_dataset("digits", seed=1.5)  # pyright: ignore[reportArgumentType]  the mistake to be refused


def test_data_dir_that_is_not_there(tmp_path: Path) -> None:
    message = said(lambda: load_dataset("mnist", data_dir=tmp_path / "absent"))
    assert message == f"data_dir {tmp_path / 'absent'}: no such folder"


def test_a_name_with_a_line_break_is_told_in_one_line(tmp_path: Path) -> None:
    assert "No such file" in said(lambda: load_dataset(tmp_path / "two\nlines.npz"))
