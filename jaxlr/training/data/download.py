"""Files of data sets from the network: checked against a checksum, kept in a cache."""

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jaxlr.errors import DataError

_SECONDS_WITHOUT_AN_ANSWER = 30
_CHUNK, _FEW = 1 << 18, 1 << 11
_LARGEST = 2**30  # bytes of one file; the largest known has 170 million
_PATIENCE = 20.0  # seconds before slowness counts
_SLOWEST = 1_000  # bytes a second
_FORGOTTEN = 600.0  # seconds


@dataclass(frozen=True)
class Source:
    """Where the files of a data set come from."""

    name: str  # the name of the data set
    urls: tuple[str, ...]  # folders on the network that hold the files, each ending in a slash; tried in order
    checksums: Mapping[str, str]  # from the name of a file to its checksum, "sha256:..." or "md5:..."
    folder: Path | None = None  # where a package of the system puts the files, if there is one
    package: str = ""  # that package
    classes: int = 10  # how many the set has

    @property
    def how_to_get(self) -> str:
        """Says in a few words where a person finds the files."""
        return f"get {', '.join(self.checksums)} from {self.urls[0]}"

    @property
    def or_install(self) -> str:
        """Says what else would do, if there is a package."""
        return f", or install {self.package}" if self.package else ""


def fetch(file: str, source: Source, cache_dir: Path | None = None) -> Path:
    """The path of a file of a source whose checksum is right, downloaded if the cache does not hold it.

    Downloads are kept in a folder for each data set, in the user's cache by default; nothing of a failed one stays.
    """
    import pooch  # here, because it takes 0.1 s and only a download needs it
    import requests
    import urllib3

    path = (pooch.os_cache("jaxlr") if cache_dir is None else cache_dir) / source.name / file
    failures = []
    _forget(path.parent)
    for url in source.urls:
        try:
            with _quiet(pooch.get_logger()):
                pooch.retrieve(
                    url + file,
                    source.checksums[file],
                    path.name,
                    path.parent,
                    downloader=_download,  # pyright: ignore[reportArgumentType]  pooch passes these by position
                )
            return path
        except (requests.RequestException, urllib3.exceptions.HTTPError, _GivenUpError) as error:
            failures.append(f"{url}{file}: {_reason(error)}")
        except OSError as error:
            raise DataError(f"{path}: cannot keep the download: {error.strerror or error}") from error
        except ValueError as error:
            failures.append(f"{url}{file}: wrong checksum, download deleted ({str(error).split('. ')[0]})")
    if path.exists():
        failures.append(f"{path}, from before, does not match its checksum {source.checksums[file]}")
    raise DataError(
        f"{source.name}: cannot download {file}: {'; '.join(failures)}. "
        f"By hand: {source.how_to_get} and name their folder with data_dir (--data-dir){source.or_install}"
    )


class _GivenUpError(Exception):
    """A download that was given up."""


def _forget(folder: Path) -> None:
    """Takes away what downloads have left that were killed: files that nobody has written to for a while."""
    with contextlib.suppress(OSError):
        for path in folder.glob("tmp*"):
            if path.is_file() and time.time() - path.stat().st_mtime > _FORGOTTEN:
                path.unlink()


def _download(url: str, output_file: str, _: object) -> None:
    """Downloads as it was stored: a server that unpacks on the way would break the checksum."""
    import requests

    words = {"stream": True, "timeout": _SECONDS_WITHOUT_AN_ANSWER, "headers": {"Accept-Encoding": "identity"}}
    began, size = time.monotonic(), 0
    with requests.get(url, **words) as answer, _bar(url) as move, open(output_file, "wb") as file:
        answer.raise_for_status()
        # What has come, not what would fill a chunk; urllib3 gives that from 2.0 on.
        read = getattr(answer.raw, "read1", answer.raw.read)
        length = answer.headers.get("content-length", "")
        move(total=int(length) if length.isdecimal() else None)
        while chunk := read(_CHUNK if hasattr(answer.raw, "read1") else _FEW):
            file.write(chunk)
            move(advance=len(chunk))
            size, seconds = size + len(chunk), time.monotonic() - began
            if size > _LARGEST:
                raise _GivenUpError(f"more than {_LARGEST:,} bytes")
            if seconds > _PATIENCE and size < seconds * _SLOWEST:
                raise _GivenUpError(f"slower than {_SLOWEST:,} bytes a second")
        if length.isdecimal() and size != int(length):
            raise _GivenUpError(f"it ended after {size:,} of {int(length):,} bytes")


@contextmanager
def _bar(url: str) -> Iterator[Callable[..., None]]:
    """A bar on a terminal that is gone when the download is; gives what moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    task = progress.add_task(f"downloading {url}", total=None)
    # Elsewhere than on a terminal rich would leave an empty line.
    with progress if progress.console.is_terminal else contextlib.nullcontext():
        yield functools.partial(progress.update, task)


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keeps pooch from telling what the bar and the message of an error already tell."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _reason(error: Exception) -> str:
    """Says in a few words what requests says in three lines."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {_SECONDS_WITHOUT_AN_ANSWER} seconds"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, _GivenUpError):
        return f"given up: {error}"
    return str(error)
