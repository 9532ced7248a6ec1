"""Data sets of NumPy arrays: in one .npz file, in a folder of .npy files, and the digits that come with the package."""

import math
import zipfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import IO

import numpy as np

from jaxlr.errors import DataError
from jaxlr.training.data.idx import LARGEST, opened
from jaxlr.training.data.splits import MappedRows, Split, hold_out_test

_KERAS = ("x_train", "y_train", "x_test", "y_test")
_WHOLE = ("images", "labels")


def load_npz(path: Path) -> tuple[Split, Split, bool]:
    """Reads images and labels from an .npz file: training part, test part, and whether that was drawn here.

    It holds x_train, y_train, x_test and y_test, as Keras has them, or images and labels; of the latter a fifth of each
    class becomes the test part, the same fifth for every seed. Images are (N, H, W) or (N, H, W, C), uint8 from 0 to
    255 or floats, used as they are, in float32; labels are integers from 0, (N,) or (N, 1). No pickled objects.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "tiny.npz"
      >>> np.savez(path, images=np.zeros((10, 8, 8), np.uint8), labels=np.arange(10) % 2)
      >>> train, test, drawn_here = load_npz(path)
      >>> train.images.shape, len(test), drawn_here
      ((8, 8, 8, 1), 2, True)
    """
    with opened(path) as file:
        arrays = _read_arrays(file, origin=str(path))
    return _to_parts(arrays, origin=str(path))


def load_npy_folder(folder: Path) -> tuple[Split, Split, bool]:
    """Opens images and labels in a folder of .npy files, which are mapped: images are read as they are needed.

    The files have the names that the arrays of an .npz file have: x_train.npy, y_train.npy, x_test.npy and y_test.npy,
    or images.npy and labels.npy. Images are uint8 or float32, the rest is as in `load_npz`; that floats are finite is
    checked of the test part alone.

    Example:
      >>> import tempfile
      >>> folder = Path(tempfile.mkdtemp())
      >>> np.save(folder / "images.npy", np.zeros((10, 8, 8), np.uint8))
      >>> np.save(folder / "labels.npy", np.arange(10) % 2)
      >>> train, test, drawn_here = load_npy_folder(folder)
      >>> train.images.shape, len(test), drawn_here
      ((8, 8, 8, 1), 2, True)
    """
    there = sorted(path.stem for path in folder.glob("*.npy"))
    _check_names(there, origin=str(folder))
    arrays = {}
    for name in _KERAS if set(_KERAS) <= set(there) else _WHOLE:
        path = folder / f"{name}.npy"
        with opened(path):
            try:
                array = np.load(path, mmap_mode="r", allow_pickle=False)
            except OSError:
                raise
            except Exception as error:  # NumPy raises many kinds over a damaged header
                raise DataError(f"{path}: unreadable ({error})") from error
        if hasattr(array, "close"):  # an archive under the name of an array
            array.close()
        if not isinstance(array, np.memmap):
            raise DataError(f"{path}: no array that can be mapped")
        arrays[name] = array
    return _to_parts(arrays, origin=str(folder))


def load_digits() -> tuple[Split, Split]:
    """Reads the 1,797 handwritten digits that come with the package; needs no network.

    Pixels are spread from their 0 to 16 over 0 to 255, so that every set of bytes has the same range. The test part is
    a fifth of each class, the same for every seed. Source and licence: digits.LICENSE.md beside the file.

    Example:
      >>> train, test = load_digits()
      >>> train.images.shape, int(train.images.max()), len(test)
      ((1437, 8, 8, 1), 255, 360)

    References:
      Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, 1998, UCI, doi:10.24432/C50P49
    """
    with files("jaxlr.training.data").joinpath("digits.npz").open("rb") as file:
        digits = _to_split(_read_arrays(file, origin="digits"), *_WHOLE, origin="digits")
    spread = np.round(np.arange(17) * 255 / 16).astype(np.uint8)
    return hold_out_test(Split(spread[digits.images], digits.labels), origin="digits")


def _read_arrays(file: IO[bytes], *, origin: str) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(file):
        raise DataError(f"{origin}: truncated, or no .npz file at all")
    file.seek(0)
    try:
        with np.load(file, allow_pickle=False) as archive:
            _check_names(archive.files, origin=origin)
            names = _KERAS if set(_KERAS) <= set(archive.files) else _WHOLE
            for name in names:
                _check_size(archive.zip, f"{name}.npy", origin=origin)
            return {name: np.asarray(archive[name]) for name in names}
    except DataError:
        raise
    except Exception as error:  # NumPy and zipfile raise many kinds over what is damaged
        raise DataError(f"{origin}: unreadable ({type(error).__name__}: {error})") from error


def _check_size(archive: zipfile.ZipFile, member: str, *, origin: str) -> None:
    """Refuses a member that unpacks to more, or says that it holds more, than a file may."""
    size = archive.getinfo(member).file_size
    if size > LARGEST:
        raise DataError(f"{origin}: {member} has {size:,} bytes, more than the {LARGEST:,} that are read of one array")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if math.prod(shape) * dtype.itemsize > size:
            raise DataError(f"{origin}: {member} is truncated: {shape} {dtype} in {size:,} bytes")


def _check_names(names: list[str], *, origin: str) -> None:
    """Refuses names that are of neither layout; says what is missing of the one that they come closest to."""
    keras, whole = ([name for name in layout if name not in names] for layout in (_KERAS, _WHOLE))
    if keras and whole:
        missing = keras if len(keras) < len(_KERAS) else whole
        raise DataError(
            f"{origin}: no {' and no '.join(missing)} in it, only {', '.join(names) or 'nothing'}; "
            f"expected {', '.join(_KERAS)}, or {' and '.join(_WHOLE)}"
        )


def _to_parts(arrays: Mapping[str, np.ndarray], *, origin: str) -> tuple[Split, Split, bool]:
    """The training part, the test part, and whether the test part was drawn here."""
    if set(_KERAS) <= set(arrays):
        train, test = (_to_split(arrays, f"x_{part}", f"y_{part}", origin=origin) for part in ("train", "test"))
        return train, test, False
    return *hold_out_test(_to_split(arrays, *_WHOLE, origin=origin), origin=origin), True


def _to_split(arrays: Mapping[str, np.ndarray], images: str, labels: str, *, origin: str) -> Split:
    pixels = _to_images(arrays[images], origin=f"{origin}: {images}")
    if pixels.ndim == 4 and pixels.shape[1] in (1, 3) and pixels.shape[3] not in (1, 2, 3, 4):
        raise DataError(
            f"{origin}: {images} has shape {pixels.shape}; expected the channels last, as "
            f"numpy.moveaxis({images}, 1, -1) puts them"
        )
    classified = _to_labels(arrays[labels], origin=f"{origin}: {labels}")
    if len(pixels) != len(classified):
        raise DataError(
            f"{origin}: {len(pixels):,} {images} but {len(classified):,} {labels}; expected one label for each image"
        )
    return Split(pixels, classified)


def _to_images(images: np.ndarray, *, origin: str) -> np.ndarray | MappedRows:
    if images.ndim not in (3, 4) or images.size == 0:
        raise DataError(f"{origin}: shape {images.shape}; expected (N, H, W) or (N, H, W, C), none of them 0")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise DataError(f"{origin}: dtype {images.dtype}; expected uint8 (0 to 255) or a float type")
    if isinstance(images, np.memmap):
        if images.dtype not in (np.uint8, np.float32):
            raise DataError(f"{origin}: dtype {images.dtype}; expected uint8 (0 to 255) or float32 in a mapped file")
        return MappedRows(images if images.ndim == 4 else images[..., np.newaxis])
    if images.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused here
            images = images.astype(np.float32, copy=False)
        if not np.isfinite(images).all():
            raise DataError(f"{origin}: NaN or infinite values (in float32); expected finite ones")
    return images if images.ndim == 4 else images[..., np.newaxis]


def _to_labels(labels: np.ndarray, *, origin: str) -> np.ndarray:
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.ndim != 1 or flat.size == 0 or flat.dtype.kind not in "iu":
        raise DataError(f"{origin}: {labels.dtype} of shape {labels.shape}; expected integers of shape (N,) or (N, 1)")
    if flat.min() < 0 or flat.max() > np.iinfo(np.int32).max:
        raise DataError(f"{origin}: labels from {flat.min()} to {flat.max()}; expected classes counted from 0")
    return np.asarray(flat, np.int32)
