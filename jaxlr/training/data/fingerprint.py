"""A fingerprint of a data set: of what it holds, wherever it lies."""

from __future__ import annotations

import hashlib

import numpy as np

from jaxlr.training.data.splits import Dataset, MappedRows


def fingerprint(data: Dataset) -> str:
    """The SHA-256 of the three parts, in hexadecimal: number, shape and dtype of the images, their bytes, the labels.

    Of images in mapped files 1,024 are looked at, evenly apart, the first and the last among them.

    Example:
      >>> from jaxlr.training.data.splits import Split
      >>> part = Split(np.zeros((3, 2, 2, 1), np.uint8), np.array([0, 1, 1], np.int32))
      >>> other = Split(np.ones((3, 2, 2, 1), np.uint8), part.labels)
      >>> first, moved, grown = (fingerprint(Dataset(name, part, part, test, 2, "")) for name, test in
      ...   (("a", part), ("b", part), ("a", other)))
      >>> first == moved, first == grown
      (True, False)
    """
    digest = hashlib.sha256()
    for part in (data.train, data.validation, data.test):
        images = part.images
        digest.update(f"{images.shape} {np.dtype(images.dtype).name}\n".encode())
        if isinstance(images, MappedRows):
            images = images.some()
        digest.update(np.ascontiguousarray(images).data)
        digest.update(np.ascontiguousarray(part.labels, "<i4").data)
    return digest.hexdigest()
