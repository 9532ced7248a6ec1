"""Downloads from a server on this machine: checked, kept, used again; nothing stays of one that fails."""

import dataclasses
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest
from image_files import (
    BATCHES,
    FAMILY,
    IDX,
    archive_bytes,
    assert_is_cifar,
    assert_is_family,
    files_under,
    replace,
    said,
    write_family,
)

from jaxlr.training.data import download
from jaxlr.training.data.datasets import SOURCES, Source, load_dataset


@dataclass
class Server:
    """A web server over a folder that remembers what it was asked for."""

    folder: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = Server(tmp_path / "served")
    served.folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            served.asked.append(self.path)

    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(served.folder)))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http://127.0.0.1:{http.server_port}/"
    yield served
    http.shutdown()
    http.server_close()
    thread.join()


def source_over(server: Server, name: str, *urls: str) -> dict[str, Source]:
    checksums = {
        path.name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sorted(server.folder.iterdir())
    }
    return {name: Source(name, urls=urls or (server.url,), checksums=checksums)}


@pytest.fixture
def closed_url() -> str:
    """An address of this machine where nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as http:
        return f"http://127.0.0.1:{http.server_port}/"


def test_download_is_kept_and_used_again(tmp_path: Path, server: Server) -> None:
    write_family(server.folder, FAMILY, gz=True)
    load = partial(load_dataset, "mnist", sources=source_over(server, "mnist"), cache_dir=tmp_path / "cache")
    assert_is_family(load())
    assert sorted(server.asked) == sorted(f"/{name}.gz" for name in IDX)
    assert files_under(tmp_path / "cache") == sorted(f"{name}.gz" for name in IDX)
    assert_is_family(load())
    assert len(server.asked) == 4


def test_default_cache_is_the_users(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "users"
    monkeypatch.setattr("pooch.os_cache", lambda project: cache / project)
    write_family(server.folder, FAMILY, gz=True)
    load_dataset("kmnist", sources=source_over(server, "kmnist"))
    assert len(list((cache / "jaxlr" / "kmnist").iterdir())) == 4


def test_wrong_checksum_leaves_nothing(
    tmp_path: Path,
    server: Server,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pooch.get_logger(), "handlers", [caplog.handler])
    write_family(server.folder, FAMILY, gz=True)
    sources = source_over(server, "mnist")
    replace(server.folder / f"{IDX[0]}.gz", 50, b"tampered")
    found = hashlib.sha256((server.folder / f"{IDX[0]}.gz").read_bytes()).hexdigest()
    message = said(lambda: load_dataset("mnist", sources=sources, cache_dir=tmp_path / "cache"))
    for word in (f"{server.url}{IDX[0]}.gz", "wrong checksum", sources["mnist"].checksums[f"{IDX[0]}.gz"], found):
        assert word in message
    assert files_under(tmp_path / "cache") == []
    # The message is all that a person sees.
    assert capfd.readouterr().err == ""
    assert caplog.records == []


def test_a_terminal_sees_a_bar(
    tmp_path: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes this for a terminal
    monkeypatch.setenv("COLUMNS", "200")
    write_family(server.folder, FAMILY, gz=True)
    load_dataset("mnist", sources=source_over(server, "mnist"), cache_dir=tmp_path / "cache")
    assert f"downloading {server.url}{IDX[0]}.gz" in capfd.readouterr().err


def test_second_mirror_serves_where_the_first_does_not(tmp_path: Path, server: Server, closed_url: str) -> None:
    write_family(server.folder, FAMILY, gz=True)
    absent = f"{server.url}absent/"
    sources = source_over(server, "mnist", closed_url, absent, server.url)
    assert_is_family(load_dataset("mnist", sources=sources, cache_dir=tmp_path / "cache"))


def test_damaged_file_in_the_cache_is_replaced(tmp_path: Path, server: Server) -> None:
    write_family(server.folder, FAMILY, gz=True)
    load = partial(load_dataset, "mnist", sources=source_over(server, "mnist"), cache_dir=tmp_path / "cache")
    load()
    replace(tmp_path / "cache" / "mnist" / f"{IDX[1]}.gz", 3, b"damaged")
    assert_is_family(load())


def test_damaged_file_in_the_cache_and_no_network(tmp_path: Path, server: Server, closed_url: str) -> None:
    write_family(server.folder, FAMILY, gz=True)
    cache = tmp_path / "cache"
    load_dataset("mnist", sources=source_over(server, "mnist"), cache_dir=cache)
    damaged = cache / "mnist" / f"{IDX[1]}.gz"
    replace(damaged, 3, b"damaged")
    message = said(lambda: load_dataset("mnist", sources=source_over(server, "mnist", closed_url), cache_dir=cache))
    assert "no connection" in message
    assert f"{damaged}, from before, does not match its checksum" in message


@pytest.mark.parametrize(
    ("place", "words"),
    [("closed", ["no connection"]), ("absent", ["the server answered 404"])],
    ids=["no network", "404"],
)
def test_no_download_says_what_to_do(
    tmp_path: Path, server: Server, closed_url: str, place: str, words: list[str]
) -> None:
    write_family(server.folder, FAMILY, gz=True)
    url = closed_url if place == "closed" else f"{server.url}absent/"
    sources = source_over(server, "kmnist", url)
    sources["kmnist"] = dataclasses.replace(sources["kmnist"], package="a package")
    message = said(lambda: load_dataset("kmnist", sources=sources, cache_dir=tmp_path / "cache"))
    for word in (
        *words,
        "kmnist: cannot download",
        f"get {', '.join(sources['kmnist'].checksums)} from {url}",
        "name their folder with data_dir (--data-dir), or install a package",
    ):
        assert word in message
    assert files_under(tmp_path / "cache") == []


def test_cache_that_cannot_be_written(tmp_path: Path, server: Server) -> None:
    write_family(server.folder, FAMILY, gz=True)
    (tmp_path / "cache").write_text("a file where the folder should be")
    message = said(lambda: load_dataset("mnist", sources=source_over(server, "mnist"), cache_dir=tmp_path / "cache"))
    assert str(tmp_path / "cache" / "mnist") in message
    assert server.asked == []


def test_cifar10_download(tmp_path: Path, server: Server) -> None:
    (server.folder / "cifar-10-binary.tar.gz").write_bytes(archive_bytes(BATCHES))
    load = partial(load_dataset, "cifar10", sources=source_over(server, "cifar10"), cache_dir=tmp_path / "cache")
    assert_is_cifar(load())
    assert_is_cifar(load())
    assert server.asked == ["/cifar-10-binary.tar.gz"]


def test_published_sources_have_a_checksum_for_every_file() -> None:
    assert SOURCES.keys() >= {"fashion-mnist", "mnist", "kmnist", "cifar10"}
    for name, source in SOURCES.items():
        assert source.name == name
        assert set(source.checksums) in ({"cifar-10-binary.tar.gz"}, {f"{file}.gz" for file in IDX})
        assert all(len(checksum) == 71 and checksum.startswith("sha256:") for checksum in source.checksums.values())
        assert all(url.startswith("https://") and url.endswith("/") for url in source.urls)
    checksums = [checksum for source in SOURCES.values() for checksum in source.checksums.values()]
    assert len(set(checksums)) == len(checksums)


class Endless(SimpleHTTPRequestHandler):
    """Gives a byte now and then, for ever."""

    pause = 0.0

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * (1 if self.pause else 4096))
                time.sleep(self.pause)
        except OSError:  # the other side has had enough
            pass

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.mark.parametrize(
    ("pause", "words"),
    [(0.0, "given up: more than 50,000 bytes"), (0.05, "given up: slower than 1,000 bytes a second")],
    ids=["endless", "slow"],
)
def test_a_download_has_limits_of_size_and_time(pause, words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "_LARGEST", 50_000)
    monkeypatch.setattr(download, "_PATIENCE", 0.2)
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Endless,), {"pause": pause}))
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    source = Source("tiny", urls=(f"http://127.0.0.1:{http.server_port}/",), checksums={"a.gz": "md5:0"})
    message = said(lambda: download.fetch("a.gz", source, tmp_path))
    http.shutdown()
    http.server_close()
    thread.join()
    assert words in message
    assert files_under(tmp_path) == []


def test_what_a_killed_download_has_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    old, new = tmp_path / "tiny" / "tmpabc", tmp_path / "tiny" / "tmpdef"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    source = Source("tiny", urls=("http://127.0.0.1:9/",), checksums={"a.gz": "md5:0"})
    assert "cannot download a.gz" in said(lambda: download.fetch("a.gz", source, tmp_path))
    assert files_under(tmp_path) == ["tmpdef"]
