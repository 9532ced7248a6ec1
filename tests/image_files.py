"""Small image files in the formats that data sets come in, and what the tests of their readers share."""

import gzip
import io
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from jaxlr.training.data.datasets import DataError, Dataset

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CIFAR = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def said(call: Callable[[], object]) -> str:
    """The message of the DataError that a call raises, which must be one line."""
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def rejoined(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation part together, sorted by the number that `numbered` wrote into each image."""
    images = np.concatenate([dataset.train.images, dataset.validation.images])
    labels = np.concatenate([dataset.train.labels, dataset.validation.labels])
    order = np.argsort(images[:, 0, 0, 0].astype(int) * 256 + images[:, 0, 1, 0])
    return images[order], labels[order]


def numbered(shape: tuple[int, ...], *, seed: int) -> np.ndarray:
    """Random bytes (N, H, W, C) of which the first two pixels of channel 0 say which image it is."""
    images = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.divmod(np.arange(len(images)), 256)
    return images


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


# 300 and 50 images of 6 x 5 in the four parts of MNIST.
FAMILY = {
    IDX[0]: numbered((300, 6, 5, 1), seed=1)[..., 0],
    IDX[1]: (np.arange(300) * 7 % 10).astype(np.uint8),
    IDX[2]: numbered((50, 6, 5, 1), seed=2)[..., 0],
    IDX[3]: (np.arange(50) * 3 % 10).astype(np.uint8),
}


def write_family(folder: Path, family: dict[str, np.ndarray], *, gz: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in family.items():
        content = idx_bytes(array)
        (folder / f"{name}.gz" if gz else folder / name).write_bytes(gzip.compress(content, 1) if gz else content)


def assert_is_family(dataset: Dataset) -> None:
    images, labels = rejoined(dataset)
    np.testing.assert_array_equal(images[..., 0], FAMILY[IDX[0]])
    np.testing.assert_array_equal(labels, FAMILY[IDX[1]])
    np.testing.assert_array_equal(dataset.test.images[..., 0], FAMILY[IDX[2]])
    np.testing.assert_array_equal(dataset.test.labels, FAMILY[IDX[3]])
    assert dataset.classes == 10
    assert dataset.train.images.dtype == dataset.test.images.dtype == np.uint8
    assert dataset.train.labels.dtype == dataset.test.labels.dtype == np.int32


def cut(path: Path, count: int) -> None:
    path.write_bytes(path.read_bytes()[:-count])


def replace(path: Path, offset: int, new: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[offset : offset + len(new)] = new
    path.write_bytes(content)


def files_under(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


Batches = dict[str, tuple[np.ndarray, np.ndarray]]


def numbered_batches() -> Batches:
    """Five training batches and a test batch of 20 images (n, 32, 32, 3), numbered through, with their labels."""
    images = numbered((120, 32, 32, 3), seed=3)
    labels = np.arange(120) * 7 % 10
    return {name: (images[20 * i : 20 * i + 20], labels[20 * i : 20 * i + 20]) for i, name in enumerate(CIFAR)}


BATCHES = numbered_batches()


def planes(images: np.ndarray) -> np.ndarray:
    """Red, green and blue plane of each image in a row, as the files have them."""
    return np.stack([np.concatenate([image[:, :, channel].ravel() for channel in range(3)]) for image in images])


def binary_batch(images: np.ndarray, labels: np.ndarray) -> bytes:
    return b"".join(bytes([label]) + row.tobytes() for label, row in zip(labels, planes(images), strict=True))


def python2_batch(images: np.ndarray, labels: np.ndarray) -> bytes:
    """The pickle that Python 2 wrote, opcode by opcode as in the published files."""

    def text(word: bytes) -> bytes:
        return b"U" + bytes([len(word)]) + word

    content = planes(images).tobytes()
    numbers = b"(" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09"
        + b"(K\x01K"
        + bytes([len(images)])
        + b"M\x00\x0c\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b"
        + b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<i", len(content))
        + content
        + b"tb"
    )
    names = b"(" + b"".join(text(b"some_image_s_%06d.png" % number) for number in range(len(images))) + b"e"
    return (
        b"\x80\x02}q\x01("
        + (text(b"batch_label") + b"q\x02" + text(b"training batch 1 of 5") + b"q\x03")
        + (text(b"labels") + b"q\x04]q\x05" + numbers)
        + (text(b"data") + b"q\x06" + array)
        + (text(b"filenames") + b"q\x0c]q\x0d" + names)
        + b"u."
    )


def python3_batch(
    images: np.ndarray, labels: np.ndarray, *, protocol: int, encode: bool = True, order: Literal["C", "F"] = "C"
) -> bytes:
    """What Python 3 makes of the same content; its keys are strings unless `encode`."""
    data = np.asarray(planes(images), order=order)
    content = {"data": data, "labels": labels.tolist(), "filenames": [b"a.png"] * len(labels)}
    if encode:
        return pickle.dumps({key.encode(): value for key, value in content.items()}, protocol=protocol)
    return pickle.dumps(content, protocol=protocol)


def assert_is_cifar(dataset: Dataset) -> None:
    images, labels = rejoined(dataset)
    np.testing.assert_array_equal(images, np.concatenate([BATCHES[name][0] for name in CIFAR[:5]]))
    np.testing.assert_array_equal(labels, np.concatenate([BATCHES[name][1] for name in CIFAR[:5]]))
    np.testing.assert_array_equal(dataset.test.images, BATCHES["test_batch"][0])
    np.testing.assert_array_equal(dataset.test.labels, BATCHES["test_batch"][1])
    assert dataset.classes == 10
    assert dataset.test.images.dtype == np.uint8
    assert dataset.test.labels.dtype == np.int32


Writer = Callable[[np.ndarray, np.ndarray], bytes]


def write_batches(folder: Path, batches: Batches, write: Writer, *, suffix: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (images, labels) in batches.items():
        (folder / f"{name}{suffix}").write_bytes(write(images, labels))


def archive_bytes(batches: Batches, *, but: str = "") -> bytes:
    """The .tar.gz of the binary version, with one of its files left out if it is named."""
    contents = {"readme.html": b"<html>"} | {f"{name}.bin": binary_batch(*batch) for name, batch in batches.items()}
    contents.pop(but, None)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()
