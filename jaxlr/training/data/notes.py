"""What is odd about data that can be trained on as they are: said before the training, and left as it is."""

from __future__ import annotations

import numpy as np

from jaxlr.training.data.splits import MappedRows, Split

_BYTES = 255  # the range of floats that were bytes
_LISTED = 5  # classes in a message


def notes_of(train: Split, test: Split, classes: int) -> tuple[str, ...]:
    """Remarks on images and labels that are allowed and seldom meant, each in one line.

    Example:
      >>> part = Split(np.full((4, 2, 2, 1), 200.0, np.float32), np.array([1, 2, 2, 1], np.int32))
      >>> for note in notes_of(part, part, 3):
      ...   print(note)
      images are floats from 200 to 200 and used as they are: for those of bytes, divide by 255 or keep them uint8
      labels count from 1 to 2: the network gets an output for a class 0, too; labels - 1 leaves it out
    """
    return (*_of_images(train), *_of_labels(train.labels, test.labels, classes))


def _of_images(train: Split) -> tuple[str, ...]:
    images = train.images
    if images.dtype == np.uint8:
        return ()
    if isinstance(images, MappedRows):
        images = images.some()
    low, high = float(images.min()), float(images.max())
    # Standardized images reach some 10 at most; those from -1 to 1 or 0 to 1 are below.
    if not (low >= 0 and _BYTES / 4 < high <= _BYTES):
        return ()
    return (
        f"images are floats from {low:g} to {high:g} and used as they are: for those of bytes, divide by 255 or keep "
        "them uint8",
    )


def _of_labels(train: np.ndarray, test: np.ndarray, classes: int) -> tuple[str, ...]:
    there = np.union1d(train, test)
    notes = []
    if len(there) == classes - 1 and there[0] == 1:
        notes.append(
            f"labels count from 1 to {classes - 1}: the network gets an output for a class 0, too; labels - 1 leaves "
            "it out"
        )
    elif missing := np.setdiff1d(np.arange(classes), there).tolist():
        notes.append(f"no image has the class {_listed(missing)}, of {classes:,}")
    if unseen := np.setdiff1d(test, train).tolist():
        notes.append(f"the class {_listed(unseen)} is among the test images alone: nothing is learned of it")
    return tuple(notes)


def _listed(classes: list[int]) -> str:
    shown = ", ".join(map(str, classes[:_LISTED]))
    return shown if len(classes) <= _LISTED else f"{shown} and {len(classes) - _LISTED:,} more"
