"""A sweep's finished groups on disk: each file is there in whole or not at all, and belongs to this sweep alone."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxlr.files import whole
from jaxlr.schedules import Schedule

_MANIFEST = "sweep.json"


class Store:
    """The folder of a sweep.

    It holds sweep.json, which says what was swept, and a file members-NUMBER.npz for each finished group.

    Args:
      folder: made if it is not there.
      members: the schedules.
      programs: what tells each traced program, and the data in it, from any other.
    """

    def __init__(self, folder: str | os.PathLike[str], members: Sequence[Schedule], programs: Sequence[str]):
        self._folder, self._total = Path(folder), len(members)
        manifest = {
            "members": len(members),
            "schedules": [repr(member) for member in members],
            "numbers_sha256": _numbers_digest(members),
            "programs_sha256": list(programs),
            "jax": jax.__version__,
        }
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise ValueError(f"folder: {error.filename}: {error.strerror}") from None
        path = self._folder / _MANIFEST
        if path.exists():
            self._check(path, manifest)
        elif any(self._files()):
            raise ValueError(f"folder {str(folder)!r} holds results but no {_MANIFEST}: give another folder")
        else:
            _write(path, (json.dumps(manifest, indent=2) + "\n").encode())

    def load(self, shapes: Sequence[jax.ShapeDtypeStruct]) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        """The finished groups: their members, and their results in these shapes and dtypes."""
        for path in self._files():
            try:
                with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                    members = file["members"]
                    # NumPy does not know the names of JAX's small dtypes and gives their bytes back.
                    results = [_viewed(file[str(i)], shape.dtype) for i, shape in enumerate(shapes)]
            except (OSError, EOFError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error):
                raise ValueError(f"{path} is damaged: delete it, and its group is run again") from None
            if (
                members.dtype.kind not in "iu"
                or members.ndim != 1
                or not np.isin(members, np.arange(self._total)).all()
            ):
                raise ValueError(f"{path} is of other members: delete it, and its group is run again")
            if any(r.shape != (len(members), *s.shape) for r, s in zip(results, shapes, strict=True)):
                raise ValueError(f"{path} holds results of other shapes: delete it, and its group is run again")
            yield members, results

    def save(self, members: np.ndarray, results: Sequence[np.ndarray]) -> None:
        """Writes a finished group."""
        content = io.BytesIO()
        arrays: dict[str, Any] = {str(index): result for index, result in enumerate(results)}
        np.savez(content, members=members, **arrays)
        _write(self._folder / f"members-{members[0]:06}.npz", content.getvalue())

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("members-*.npz"))

    def _check(self, path: Path, manifest: dict[str, Any]) -> None:
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            raise ValueError(f"{path} is no {_MANIFEST} of a sweep: give another folder") from None
        kept = kept if isinstance(kept, dict) else {}
        for names, what in (
            (("members", "numbers_sha256"), "other schedules"),
            (("jax",), f"results made with jax {kept.get('jax')}, not {jax.__version__}"),
            (("programs_sha256",), "another train_fn, or one with other data in it"),
        ):
            if any(kept.get(name) != manifest[name] for name in names):
                raise ValueError(f"folder {str(self._folder)!r} holds a sweep of {what}: give another folder")


def _numbers_digest(members: Sequence[Schedule]) -> str:
    digest = hashlib.sha256()
    for member in members:
        digest.update(repr(member).encode())
        for leaf in jax.tree.leaves(member):
            digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()


def _viewed(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return array.view(dtype) if array.dtype.kind == "V" else array


def _write(path: Path, content: bytes) -> None:
    with whole(path, f".{jax.process_index()}.part") as part:  # several processes may write the same file
        part.write_bytes(content)
