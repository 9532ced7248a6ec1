"""Python pickles of plain containers and arrays of bytes, read without running or building anything else."""

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxlr.errors import DataError


class PickledArray:
    """Stands where a pickle asks for a NumPy array and keeps what it is told."""

    def __init__(
        self, content: bytes = b"", dtype: "_PickledDtype | None" = None, shape: tuple[int, ...] = (), order: str = "C"
    ):
        self.content: bytes = content
        self.dtype: object = dtype
        self.shape: tuple[int, ...] = shape
        self.order: str = order

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.shape, self.dtype, fortran, self.content = state
        self.order = "F" if fortran else "C"

    def to_numpy(self) -> np.ndarray:
        """Makes the array, which must be one of unsigned bytes."""
        code = self.dtype.code if isinstance(self.dtype, _PickledDtype) else None
        if code not in ("u1", b"u1"):
            raise DataError(f"array of type {code!r}; expected unsigned bytes, 'u1'")
        return np.frombuffer(self.content, np.uint8).reshape(self.shape, order="F" if self.order == "F" else "C")


class _PickledDtype:
    def __init__(self, code: str | bytes, *flags: object):
        self.code: str | bytes = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Drops the byte order and the rest: a byte has none."""


def _reconstruct(*arguments: object) -> PickledArray:
    return PickledArray()


def _frombuffer(
    content: bytes, dtype: _PickledDtype, shape: tuple[int, ...], order: str, *axes: object
) -> PickledArray:
    return PickledArray(content, dtype, shape, order)


def _encode(text: str, encoding: str) -> bytes:
    return text.encode("latin1")


# NumPy's own constructors never run: they trust what a pickle tells them, and warn of what Python 2 wrote.
# The first three are what the published files ask for, the others what Python 3 makes of the same content.
_STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): _PickledDtype,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("_codecs", "encode"): _encode,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """Gives the stand-in for a name; refuses every other."""
        if (module, name) not in _STAND_INS:
            raise DataError(f"refused: the pickle asks for {f'{module}.{name}'!r}, no part of an array")
        return _STAND_INS[module, name]


def unpickle(content: bytes, *, origin: str) -> object:
    """Unpickles containers, numbers, strings (of Python 2 as bytes) and arrays of bytes, each as a `PickledArray`.

    Example:
      >>> unpickle(pickle.dumps({"labels": [3, 1]}), origin="example")
      {'labels': [3, 1]}
      >>> unpickle(pickle.dumps(print), origin="example")
      Traceback (most recent call last):
      jaxlr.errors.DataError: example: refused: the pickle asks for 'builtins.print', no part of an array
    """
    try:
        return _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except DataError as error:
        raise DataError(f"{origin}: {error}") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f"{origin}: truncated or damaged pickle ({type(error).__name__}: {error})") from error
