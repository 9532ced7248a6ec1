"""Files that are there in whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole(path: Path, suffix: str = ".part") -> Iterator[Path]:
    """Gives a place beside a file to write to, which becomes the file at the end of the block.

    What was there stays until then; where it cannot be written, the OSError has the file's name, and nothing is left.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "a.json"
      >>> with whole(path) as part:
      ...   _ = part.write_text("{}")
      >>> path.read_text(), part.exists()
      ('{}', False)
    """
    part = path.with_name(path.name + suffix)
    try:
        yield part
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from None
