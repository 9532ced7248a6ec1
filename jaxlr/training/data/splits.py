"""What a data set is made of, and how its parts are drawn: each class in proportion, by a seed."""

import math
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from jaxlr.errors import DataError

# The test part of a set that comes without one is drawn with this seed, whatever the seed of the run.
_TEST_SEED = 1797
_LOOKED_AT = 1024  # mapped images at a time
HELD_OUT_NOTE = " (a fifth, the same for every seed)"


class MappedRows:
    """Some rows, or all for None, of an array in a mapped file; what is asked for is read then, and not kept.

    Example:
      >>> rows = MappedRows(np.arange(10).reshape(5, 2), np.array([4, 0, 2]))
      >>> rows.shape, rows[1:].tolist(), rows[np.array([[0]])].tolist()
      ((3, 2), [[0, 1], [4, 5]], [[[8, 9]]])
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray | None = None):
        self._array, self._rows = array, np.arange(len(array)) if rows is None else rows
        self.shape: tuple[int, ...] = (len(self._rows), *array.shape[1:])
        self.dtype: np.dtype[Any] = array.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, chosen: slice | np.ndarray) -> np.ndarray:
        return np.asarray(self._array[self._rows[chosen]])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    def some(self) -> np.ndarray:
        """Of 1,024 rows or fewer all, else as many, evenly apart, the first and the last among them."""
        return self[np.unique(np.linspace(0, len(self) - 1, _LOOKED_AT).astype(np.int64))]

    def take(self, chosen: np.ndarray) -> "MappedRows":
        """Some of the rows, still unread."""
        return MappedRows(self._array, self._rows[chosen])


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels; read them, never write to them (an array may be a view of a file's bytes)."""

    images: np.ndarray | MappedRows  # (N, H, W, C), uint8 from 0 to 255, or float32 to be used as it is
    labels: np.ndarray  # (N,) int32, the class of each image, from 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def nbytes(self) -> int:
        """The bytes of the images."""
        return math.prod(self.images.shape) * self.images.dtype.itemsize

    def __getitem__(self, chosen: np.ndarray) -> "Split":
        images = self.images.take(chosen) if isinstance(self.images, MappedRows) else self.images[chosen]
        return Split(images, self.labels[chosen])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in three parts that share no example."""

    name: str  # the name or path that it was asked for by
    train: Split  # what the network learns from
    validation: Split  # split off the training part by the seed of the run; for choosing settings
    test: Split  # the same for every seed; for the one number at the end
    classes: int  # how many classes there are
    split_note: str  # the sizes of the three parts in one line
    notes: tuple[str, ...] = ()  # what is odd about images and labels, a line each


def stratified(labels: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Draws `count` examples at random, each class in proportion to its size (rounded down or up), as a mask.

    Of n examples in a row, sorted by class and shuffled within each class, those at floor((2 i + 1) n / (2 count)); the
    same seed draws the same with every version of NumPy.

    Example:
      >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
      >>> chosen = stratified(labels, 2, seed=0)
      >>> labels[chosen].tolist()
      [0, 1]
    """
    # NumPy promises the same raw stream for ever, but not the same permutation.
    keys = np.random.PCG64(seed).random_raw(len(labels))
    in_classes = np.lexsort((keys, labels))
    places = (2 * np.arange(count) + 1) * len(labels) // (2 * count)
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[in_classes[places]] = True
    return chosen


def hold_out_test(examples: Split, *, origin: str) -> tuple[Split, Split]:
    """Splits a test part off examples that come without one: a fifth of them, rounded up, the same for every seed.

    Example:
      >>> train, test = hold_out_test(Split(np.zeros((12, 8, 8, 1), np.uint8), np.arange(12) % 3), origin="example")
      >>> len(train), len(test)
      (9, 3)
    """
    if len(examples) < 2:
        raise DataError(f"{origin}: {len(examples)} example is too few to split a test part off")
    test = stratified(examples.labels, -(-len(examples) // 5), seed=_TEST_SEED)
    return examples[~test], examples[test]


def count_classes(train: Split, test: Split, *, origin: str) -> int:
    """Counts the classes of a set whose labels are all there is to tell: the largest label and 1.

    Example:
      >>> part = Split(np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 2, 1], np.int32))
      >>> count_classes(part, part, origin="example")
      3
    """
    largest = int(max(train.labels.max(), test.labels.max()))
    if largest >= len(train) + len(test):
        raise DataError(
            f"{origin}: label {largest:,} among {len(train) + len(test):,} examples; expected classes counted from 0"
        )
    return largest + 1


def check_split_arguments(validation_fraction: float, seed: int) -> None:
    """Refuses a validation fraction outside (0, 1) and a seed that is not an integer of at least 0.

    Example:
      >>> check_split_arguments(1.5, seed=0)
      Traceback (most recent call last):
      jaxlr.errors.DataError: validation_fraction must lie between 0 and 1, both excluded; got 1.5
    """
    if not 0 < validation_fraction < 1:
        raise DataError(f"validation_fraction must lie between 0 and 1, both excluded; got {validation_fraction!r}")
    if operator.index(seed) < 0:
        raise DataError(f"seed must be at least 0; got {seed!r}")


def split_dataset(
    name: str, train: Split, test: Split, *, classes: int, validation_fraction: float, seed: int, test_note: str = ""
) -> Dataset:
    """Splits the validation part, a fraction that the seed draws, off the training part and states the sizes.

    Example:
      >>> examples = Split(np.zeros((10, 8, 8, 1), np.uint8), np.arange(10, dtype=np.int32) % 2)
      >>> split_dataset("example", examples, examples, classes=2, validation_fraction=0.2, seed=0).split_note
      '8 train, 2 validation (seed 0), 10 test'
    """
    _require_same_images(name, train, test)
    _require_finite(name, test)
    count = round(validation_fraction * len(train))
    if not 0 < count < len(train):
        raise DataError(
            f"{name}: validation_fraction {validation_fraction!r} of {len(train):,} training examples leaves "
            f"{len(train) - count:,} to train and {count:,} to validate; each needs at least 1"
        )
    chosen = stratified(train.labels, count, seed=seed)
    note = f"{len(train) - count:,} train, {count:,} validation (seed {seed}), {len(test):,} test{test_note}"
    return Dataset(name, train[~chosen], train[chosen], test, classes, note)


def _require_finite(name: str, test: Split) -> None:
    """Refuses mapped test images that are not finite: else a whole training would come before they are met."""
    if isinstance(test.images, MappedRows) and test.images.dtype != np.uint8:
        for first in range(0, len(test), _LOOKED_AT):
            if not np.isfinite(test.images[first : first + _LOOKED_AT]).all():
                raise DataError(f"{name}: NaN or infinite values among the test images; expected finite ones")


def _require_same_images(name: str, train: Split, test: Split) -> None:
    kinds = [f"{'x'.join(map(str, part.images.shape[1:]))} {part.images.dtype}" for part in (train, test)]
    if kinds[0] != kinds[1]:
        raise DataError(f"{name}: training images are {kinds[0]}, test images {kinds[1]}; they must be alike")
