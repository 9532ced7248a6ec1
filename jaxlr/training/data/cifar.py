"""CIFAR-10 from its binary batches, its Python batches, or the archive of the binary ones."""

import gzip
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from jaxlr.errors import DataError
from jaxlr.training.data.idx import opened, read_bytes
from jaxlr.training.data.pickled import PickledArray, unpickle
from jaxlr.training.data.splits import Split

ARCHIVE = "cifar-10-binary.tar.gz"
CLASSES = 10
_CHANNELS_HEIGHT_WIDTH = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST = "test_batch"
_LARGEST_BATCH = 2**28  # bytes; the published ones have 31 million
_LARGEST_ARCHIVE = 2**30  # bytes, unpacked
_PADDING = 2**20


class Batch(NamedTuple):
    """One file of examples as it is stored."""

    pixels: np.ndarray  # (n, 3072) uint8: the red, the green and the blue plane, each 32 x 32
    labels: np.ndarray  # (n,) integers


def load_cifar10(folder: Path) -> tuple[Split, Split]:
    """Reads CIFAR-10 from a folder: binary batches, Python batches, or the archive of the binary ones.

    References:
      Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009
    """
    for place in (folder, folder / "cifar-10-batches-bin", folder / "cifar-10-batches-py"):
        if (place / "data_batch_1.bin").is_file():
            return _load_batches(lambda name, place=place: read_binary_batch(place / f"{name}.bin"))
        if (place / "data_batch_1").is_file():
            return _load_batches(lambda name, place=place: read_python_batch(place / name))
    if (folder / ARCHIVE).is_file():
        return load_cifar10_archive(folder / ARCHIVE)
    raise DataError(
        f"{folder}: no data_batch_1.bin (binary version), data_batch_1 (Python version) or {ARCHIVE}; "
        "get the last from https://www.cs.toronto.edu/~kriz/cifar.html"
    )


def load_cifar10_archive(archive: Path) -> tuple[Split, Split]:
    """Reads the binary batches out of their .tar.gz; nothing is unpacked to disk."""
    wanted = {f"{name}.bin": name for name in (*_TRAIN, _TEST)}
    batches: dict[str, Batch] = {}
    # One pass from front to back: going back in a compressed archive means decompressing it again.
    with (
        opened(archive, "archive") as file,
        gzip.open(file) as unpacked,
        tarfile.open(fileobj=unpacked, mode="r|") as members,
    ):
        for member in members:
            if member.offset_data + member.size > _LARGEST_ARCHIVE:
                raise DataError(f"{archive}: unpacks to more than {_LARGEST_ARCHIVE:,} bytes")
            name = wanted.get(PurePosixPath(member.name).name)
            content = members.extractfile(member) if name and member.isfile() else None
            if name and content:
                batches[name] = _parse_binary(content.read(), origin=f"{archive}: {name}.bin")
        unpacked.read(_PADDING)  # to the end, where the checksum is
    missing = [f"{name}.bin" for name in (*_TRAIN, _TEST) if name not in batches]
    if missing:
        raise DataError(f"{archive}: no {', '.join(missing)} in it")
    return _load_batches(batches.pop)


def read_binary_batch(path: Path) -> Batch:
    """Reads a batch of the binary version: for each example one byte of label and 3072 bytes of pixels."""
    return _parse_binary(_read_whole(path), origin=str(path))


def read_python_batch(path: Path) -> Batch:
    """Reads a batch of the Python version: a pickled dictionary of arrays and lists; nothing else is let in."""
    batch = unpickle(_read_whole(path), origin=str(path))
    if not isinstance(batch, dict):
        raise DataError(f"{path}: expected a dictionary of data and labels, found {type(batch).__name__}")
    pixels, labels = (batch.get(key.encode(), batch.get(key)) for key in ("data", "labels"))
    if not isinstance(pixels, PickledArray) or not isinstance(labels, list) or not all(type(n) is int for n in labels):
        raise DataError(f"{path}: expected data, an array of bytes, and labels, a list of integers")
    try:
        data = pixels.to_numpy()
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: damaged array ({error})") from error
    return _checked(data, np.array(labels), origin=str(path))


def _read_whole(path: Path) -> bytes:
    content = read_bytes(path, _LARGEST_BATCH + 1)
    if len(content) > _LARGEST_BATCH:
        raise DataError(f"{path}: more than the {_LARGEST_BATCH:,} bytes that are read of one batch")
    return content


def _parse_binary(content: bytes, *, origin: str) -> Batch:
    record = 1 + _PIXELS
    if not content or len(content) % record:
        raise DataError(
            f"{origin}: expected a whole number of examples of {record:,} bytes, found {len(content):,} bytes "
            f"({len(content) // record:,} examples and {len(content) % record:,} bytes)"
        )
    examples = np.frombuffer(content, np.uint8).reshape(-1, record)
    return _checked(examples[:, 1:], examples[:, 0], origin=origin)


def _checked(pixels: np.ndarray, labels: np.ndarray, *, origin: str) -> Batch:
    if pixels.ndim != 2 or pixels.shape[1] != _PIXELS or not len(pixels):
        raise DataError(f"{origin}: expected data of shape (n, {_PIXELS}), found {pixels.shape}")
    if len(labels) != len(pixels):
        raise DataError(f"{origin}: expected {len(pixels):,} labels, one for each image, found {len(labels):,}")
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise DataError(
            f"{origin}: labels from {labels.min()} to {labels.max()}; expected labels from 0 to {CLASSES - 1}"
        )
    return Batch(pixels, labels)


def _load_batches(read: Callable[[str], Batch]) -> tuple[Split, Split]:
    return _joined([read(name) for name in _TRAIN]), _joined([read(_TEST)])


def _joined(batches: list[Batch]) -> Split:
    images = np.empty((sum(len(batch.labels) for batch in batches), 32, 32, 3), np.uint8)
    start = 0
    for batch in batches:
        planes = batch.pixels.reshape(-1, *_CHANNELS_HEIGHT_WIDTH)
        images[start : start + len(planes)] = planes.transpose(0, 2, 3, 1)
        start += len(planes)
    return Split(images, np.concatenate([batch.labels for batch in batches]).astype(np.int32))
