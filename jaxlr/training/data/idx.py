"""Images and labels in the IDX format of MNIST, plain or gzipped."""

import gzip
import math
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from jaxlr.errors import DataError
from jaxlr.training.data.splits import Split

_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"
LARGEST = 2**32  # bytes of one file, unpacked
_BEYOND = 2**16


def read_bytes(path: Path, most: int = LARGEST) -> bytes:
    """Reads at most so many bytes of a file, gunzipped where it is gzipped, whatever it is called."""
    with opened(path, "gzip file") as file:
        # Browsers and proxies unpack a .gz without renaming it, so the bytes decide; no IDX file begins like gzip.
        packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        file.seek(0)
        return gzip.GzipFile(fileobj=file).read(most) if packed else file.read(most)


@contextmanager
def opened(path: Path, kind: str = "file") -> Iterator[IO[bytes]]:
    """Opens a file to be read; a pipe, a device or a folder is refused, of which a reader might wait for ever."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path}: no regular file")
        with path.open("rb") as file:
            yield file
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: truncated or damaged {kind} ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def read_idx(path: Path, *, dimensions: int) -> np.ndarray:
    """Reads one IDX file of unsigned bytes, plain or gzipped, with so many dimensions; a view of its bytes.

    big-endian uint32 magic = 0x800 + dimensions; `dimensions` big-endian uint32 lengths; the bytes in C order

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "labels"
      >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
      >>> read_idx(path, dimensions=1)
      array([7, 2, 1], dtype=uint8)

    References:
      LeCun, Cortes, Burges, The MNIST database of handwritten digits, file formats
    """
    header = 4 + 4 * dimensions
    content = read_bytes(path, header + _BEYOND)
    if len(content) < header:
        raise DataError(f"{path}: truncated: expected an IDX header of {header} bytes, found {len(content)} bytes")
    magic, expected_magic = int.from_bytes(content[:4], "big"), _UNSIGNED_BYTE << 8 | dimensions
    if magic != expected_magic:
        raise DataError(
            f"{path}: wrong magic number: expected 0x{expected_magic:08x} (IDX, unsigned bytes, "
            f"{dimensions} dimension{'s' if dimensions > 1 else ''}), found 0x{magic:08x}"
        )
    shape = np.frombuffer(content, ">u4", count=dimensions, offset=4).tolist()
    expected = header + math.prod(shape)
    sides = " x ".join(f"{length:,}" for length in shape)
    # Beyond the end that the header states it reads a little, so that the message can say how much there is.
    content = read_bytes(path, min(expected, LARGEST) + _BEYOND)
    if len(content) != expected:
        which, more = ("truncated", "") if len(content) < expected else ("too long", "at least ")
        if expected > LARGEST and len(content) > LARGEST:
            raise DataError(f"{path}: {sides} bytes are more than the {LARGEST:,} that are read of one file")
        raise DataError(
            f"{path}: {which}: expected {expected:,} bytes (header and {sides}), found "
            f"{more if len(content) == expected + _BEYOND else ''}{len(content):,} bytes"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_idx_pair(images: Path, labels: Path, *, classes: int) -> Split:
    """Reads a file of images, which get one channel, and the file of their labels, all below `classes`."""
    pixels, classified = read_idx(images, dimensions=3), read_idx(labels, dimensions=1)
    if pixels.size == 0:
        raise DataError(f"{images}: holds no images (shape {pixels.shape})")
    if len(pixels) != len(classified):
        raise DataError(
            f"{labels}: expected {len(pixels):,} labels, one for each image in {images.name}, found {len(classified):,}"
        )
    if classified.max() >= classes:
        raise DataError(f"{labels}: label {classified.max()}; expected labels from 0 to {classes - 1}")
    return Split(pixels[..., np.newaxis], classified.astype(np.int32))


def load_idx(find: Callable[[str], Path], *, classes: int) -> tuple[Split, Split]:
    """Reads the four files of a set like MNIST, whose places `find` gives for their names without .gz."""
    train, test = (
        read_idx_pair(find(f"{part}-images-idx3-ubyte"), find(f"{part}-labels-idx1-ubyte"), classes=classes)
        for part in ("train", "t10k")
    )
    return train, test
