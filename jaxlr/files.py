"""Files that are there in whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole(path: Path, suffix: str = ".part") -> Iterator[Path]:
    """Gives a place to write to, which becomes the file at the end of the block; what was there stays until then.

    Args:
      path: of the file.
      suffix: of the place, beside the file; one for each process where several may write.

    Raises:
      OSError: it cannot be written; it has the file's name, and nothing is left of it.

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
