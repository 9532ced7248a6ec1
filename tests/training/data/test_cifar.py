"""CIFAR-10 from binary batches, Python batches and the archive; a pickle that asks for more is refused."""

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from image_files import (
    BATCHES,
    Writer,
    archive_bytes,
    assert_is_cifar,
    binary_batch,
    cut,
    files_under,
    planes,
    python2_batch,
    python3_batch,
    replace,
    said,
    write_batches,
)

from jaxlr.training.data.datasets import SOURCES, Source, load_dataset


@pytest.mark.parametrize(
    ("write", "suffix", "folder"),
    [
        pytest.param(binary_batch, ".bin", "", id="binary"),
        pytest.param(binary_batch, ".bin", "cifar-10-batches-bin", id="binary as unpacked"),
        pytest.param(binary_batch, ".bin", "cifar10", id="in a folder of the set"),
        pytest.param(python2_batch, "", "", id="Python 2"),
        pytest.param(python2_batch, "", "cifar-10-batches-py", id="Python 2 as unpacked"),
        *(
            pytest.param(partial(python3_batch, protocol=protocol), "", "", id=f"Python 3, protocol {protocol}")
            for protocol in range(2, 6)
        ),
        pytest.param(partial(python3_batch, protocol=4, encode=False), "", "", id="keys of Python 3"),
        pytest.param(partial(python3_batch, protocol=4, order="F"), "", "", id="Fortran order"),
        pytest.param(partial(python3_batch, protocol=5, order="F"), "", "", id="Fortran order, protocol 5"),
    ],
)
def test_cifar10_batches(tmp_path: Path, write: Writer, suffix: str, folder: str) -> None:
    write_batches(tmp_path / folder, BATCHES, write, suffix=suffix)
    assert_is_cifar(load_dataset("cifar10", data_dir=tmp_path))


def test_cifar10_archive_in_data_dir(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(archive_bytes(BATCHES))
    assert_is_cifar(load_dataset("cifar10", data_dir=tmp_path))
    assert files_under(tmp_path) == ["cifar-10-binary.tar.gz"]


def test_a_further_set_in_this_form_is_one_entry(tmp_path: Path) -> None:
    write_batches(tmp_path, BATCHES, binary_batch, suffix=".bin")
    source = Source("mine", urls=(), checksums=SOURCES["cifar10"].checksums)
    assert_is_cifar(load_dataset("mine", data_dir=tmp_path, sources={"mine": source}))


class Trap:
    """Unpickled by Python's own reader, it writes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.write_text, (self.path, "sprung")


@pytest.mark.parametrize("protocol", range(6))
def test_cifar10_pickle_cannot_run_anything(tmp_path: Path, protocol: int) -> None:
    write_batches(tmp_path, BATCHES, python2_batch, suffix="")
    trap = pickle.dumps({"data": Trap(tmp_path / "sprung")}, protocol=protocol)
    (tmp_path / "data_batch_2").write_bytes(trap)
    message = said(lambda: load_dataset("cifar10", data_dir=tmp_path))
    assert f"{tmp_path / 'data_batch_2'}: refused: the pickle asks for" in message
    assert not (tmp_path / "sprung").exists()
    pickle.loads(trap)  # the trap is a real one
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(lambda images, labels: python2_batch(images, labels)[:-1000], ["truncated"], id="truncated"),
        pytest.param(lambda images, labels: b"", ["truncated", "EOFError"], id="empty"),
        pytest.param(lambda images, labels: b"\xff" * 99, ["damaged pickle"], id="no pickle"),
        pytest.param(lambda images, labels: pickle.dumps([1, 2]), ["a dictionary", "found list"], id="a list"),
        pytest.param(
            lambda images, labels: pickle.dumps({"data": 3, "labels": []}), ["an array of bytes"], id="no array"
        ),
        pytest.param(
            lambda images, labels: pickle.dumps({"data": planes(images), "labels": [1.5]}),
            ["list of integers"],
            id="floats",
        ),
        pytest.param(
            lambda images, labels: pickle.dumps({"data": planes(images).astype(np.int64), "labels": [1]}),
            ["type 'i8'", "unsigned bytes"],
            id="array of integers",
        ),
        pytest.param(lambda images, labels: python2_batch(images, labels[:-1]), ["20 labels", "found 19"], id="labels"),
        pytest.param(lambda images, labels: python2_batch(images, labels + 5), ["labels from 5 to 14"], id="label 14"),
        pytest.param(
            lambda images, labels: pickle.dumps({"data": planes(images)[:, :-1], "labels": labels.tolist()}),
            ["(n, 3072)", "(20, 3071)"],
            id="width",
        ),
        pytest.param(
            lambda images, labels: python2_batch(images, labels).replace(b"K\x14M\x00\x0c", b"K\x15M\x00\x0c"),
            ["damaged array"],
            id="shape",
        ),
    ],
)
def test_bad_python_batch(tmp_path: Path, content: Writer, words: list[str]) -> None:
    write_batches(tmp_path, BATCHES, python2_batch, suffix="")
    (tmp_path / "data_batch_3").write_bytes(content(*BATCHES["data_batch_3"]))
    message = said(lambda: load_dataset("cifar10", data_dir=tmp_path))
    assert message.count(str(tmp_path / "data_batch_3")) == 1
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(Path.unlink, ["No such file"], id="missing"),
        pytest.param(
            partial(cut, count=1), ["3,073 bytes", "found 61,459 bytes (19 examples and 3,072"], id="truncated"
        ),
        pytest.param(partial(replace, offset=0, new=b"\x0a"), ["labels from 0 to 10"], id="label 10"),
        pytest.param(lambda path: path.write_bytes(b""), ["found 0 bytes"], id="empty"),
    ],
)
def test_bad_binary_batch(tmp_path: Path, damage: Callable[[Path], object], words: list[str]) -> None:
    write_batches(tmp_path, BATCHES, binary_batch, suffix=".bin")
    damage(tmp_path / "data_batch_4.bin")
    message = said(lambda: load_dataset("cifar10", data_dir=tmp_path))
    assert all(word in message for word in [str(tmp_path / "data_batch_4.bin"), *words]), message


def test_bad_cifar10_archive(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(archive_bytes(BATCHES)[:-50_000])
    assert f"{path}: truncated or damaged" in said(lambda: load_dataset("cifar10", data_dir=tmp_path))
    path.write_bytes(b"no archive")
    assert f"{path}: truncated or damaged" in said(lambda: load_dataset("cifar10", data_dir=tmp_path))
    path.write_bytes(archive_bytes(BATCHES, but="test_batch.bin"))
    assert said(lambda: load_dataset("cifar10", data_dir=tmp_path)) == f"{path}: no test_batch.bin in it"


def test_missing_cifar10_names_what_would_do(tmp_path: Path) -> None:
    message = said(lambda: load_dataset("cifar10", data_dir=tmp_path))
    assert all(word in message for word in (str(tmp_path), "data_batch_1.bin", "cifar-10-binary.tar.gz", "https://"))
