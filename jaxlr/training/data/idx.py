"""Images and labels in the IDX format of MNIST, plain or gzipped."""

import gzip
import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxlr.errors import DataError
from jaxlr.training.data.splits import Split

_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"


def read_bytes(path: Path) -> bytes:
    """Reads a whole file, gunzipped where it is gzipped, whatever it is called.

    Raises:
      DataError: the file cannot be read, or its gzip stream is cut off or damaged.

    Example:
      >>> read_bytes(Path("absent"))
      Traceback (most recent call last):
      jaxlr.errors.DataError: absent: No such file or directory
    """
    try:
        content = path.read_bytes()
        # Browsers and proxies unpack a .gz without renaming it, so the bytes decide; no IDX file begins like gzip.
        return gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: truncated or damaged gzip file ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def read_idx(path: Path, *, dimensions: int) -> np.ndarray:
    """Reads one IDX file of unsigned bytes.

    big-endian uint32 magic = 0x800 + dimensions; `dimensions` big-endian uint32 lengths; the bytes in C order

    Args:
      path: the file, plain or gzipped.
      dimensions: how many the file must have: 3 for images, 1 for labels.

    Returns:
      uint8, in the shape that the file states; a view of its bytes.

    Raises:
      DataError: the file cannot be read, is no such IDX file, or is shorter or longer than it states.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "labels"
      >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
      >>> read_idx(path, dimensions=1)
      array([7, 2, 1], dtype=uint8)

    References:
      LeCun, Cortes, Burges, The MNIST database of handwritten digits, file formats
    """
    content = read_bytes(path)
    header = 4 + 4 * dimensions
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
    if len(content) != expected:
        raise DataError(
            f"{path}: {'truncated' if len(content) < expected else 'too long'}: expected {expected:,} bytes "
            f"(header and {' x '.join(f'{length:,}' for length in shape)}), found {len(content):,} bytes"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_idx_pair(images: Path, labels: Path, *, classes: int) -> Split:
    """Reads a file of images and the file of their labels.

    Args:
      images: an IDX file of three dimensions.
      labels: an IDX file of one dimension.
      classes: every label must be below it.

    Returns:
      The images with one channel, uint8, and the labels.

    Raises:
      DataError: either file is bad, holds nothing, or does not fit the other or `classes`.

    Example:
      >>> read_idx_pair(Path("absent"), Path("absent"), classes=10)
      Traceback (most recent call last):
      jaxlr.errors.DataError: absent: No such file or directory
    """
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
    """Reads the four files of a set like MNIST.

    Args:
      find: from a file's name without .gz to where it is.
      classes: how many classes the set has.

    Returns:
      The training part and the test part.

    Raises:
      DataError: a file is missing or bad.

    Example:
      >>> load_idx(Path, classes=10)
      Traceback (most recent call last):
      jaxlr.errors.DataError: train-images-idx3-ubyte: No such file or directory
    """
    train, test = (
        read_idx_pair(find(f"{part}-images-idx3-ubyte"), find(f"{part}-labels-idx1-ubyte"), classes=classes)
        for part in ("train", "t10k")
    )
    return train, test
