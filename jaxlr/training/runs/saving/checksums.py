"""Checksums over all files of a checkpoint, kept inside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from jaxlr.files import whole
from jaxlr.training.runs.records.schema import check_fields, read_json, text

FILE = "checksums.json"


def write_checksums(folder: Path, pattern: str = "**/*") -> None:
    """Writes down the SHA-256 of every file that is there and has none yet; those that are known are not read again.

    Example:
      >>> import tempfile
      >>> folder = Path(tempfile.mkdtemp())
      >>> _ = (folder / "arrays").write_bytes(b"abc")
      >>> write_checksums(folder)
      >>> changed_file(folder) is None
      True
      >>> _ = (folder / "arrays").write_bytes(b"abd")
      >>> changed_file(folder)
      'arrays'
    """
    known = read_json(folder / FILE)["sha256"] if (folder / FILE).exists() else {}
    names = (path.relative_to(folder).as_posix() for path in folder.glob(pattern) if path.is_file())
    new = {name: _sha256(folder / name) for name in sorted(names) if name not in known and not name.startswith(FILE)}
    with whole(folder / FILE) as part:
        part.write_text(json.dumps({"sha256": {**known, **new}}, indent=1) + "\n", encoding="utf-8")


def changed_file(folder: Path) -> str | None:
    """The first file of a checkpoint that is not what was written; None where all are, or none has a checksum."""
    if not (folder / FILE).exists():
        return None
    try:
        found = read_json(folder / FILE)
        check_fields(found, {"sha256": lambda value: isinstance(value, dict)}, what="a list of checksums")
        check_fields(found["sha256"], dict.fromkeys(found["sha256"], text(64)), what="a list of checksums")
    except ValueError:
        return FILE
    sums = found["sha256"]
    return next((name for name in sums if not (folder / name).is_file() or _sha256(folder / name) != sums[name]), None)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
