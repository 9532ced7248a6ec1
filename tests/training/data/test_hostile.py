"""Data files that mean harm, or are cut, damaged or of another shape: one line, and no more memory than is stated."""

import gzip
import io
import os
import struct
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from image_files import IDX, said

from jaxlr.training.data import cifar, idx
from jaxlr.training.data.cifar import load_cifar10, load_cifar10_archive
from jaxlr.training.data.datasets import load_dataset
from jaxlr.training.data.idx import read_idx


def idx_file(shape, content):
    return struct.pack(f">I{len(shape)}I", 0x800 + len(shape), *shape) + content


def test_a_bomb_is_unpacked_no_further_than_its_header_says(tmp_path, monkeypatch):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx_file((4, 30, 32), bytes(2**26))))
    asked, read = [], gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: asked.append(size) or read(self, size))
    assert "too long: expected 3,856 bytes (header and 4 x 30 x 32), found at least 69,392 bytes" in said(
        lambda: read_idx(path, dimensions=3)
    )
    assert asked
    assert all(0 <= size < 2**17 for size in asked)


def test_a_header_of_more_than_a_file_may_have_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "LARGEST", 1000)
    monkeypatch.setattr(idx, "_BEYOND", 100)
    path = tmp_path / "images"
    path.write_bytes(idx_file((4, 30, 32), bytes(4 * 30 * 32)))
    assert "4 x 30 x 32 bytes are more than the 1,000 that are read of one file" in said(
        lambda: read_idx(path, dimensions=3)
    )


def archive(path, *members):
    with tarfile.open(path, "w:gz") as file:
        for name, size in members:
            entry = tarfile.TarInfo(name)
            entry.size = size
            file.addfile(entry, io.BytesIO(bytes(size)))


@pytest.mark.parametrize("name", ["other.bin", "data_batch_1.bin"])
def test_an_archive_is_unpacked_up_to_a_limit(name, tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "_LARGEST_ARCHIVE", 100_000)
    path = tmp_path / "cifar-10-binary.tar.gz"
    archive(path, (name, 200_000))
    assert said(lambda: load_cifar10_archive(path)) == f"{path}: unpacks to more than 100,000 bytes"


def test_a_sparse_entry_takes_no_memory(tmp_path):
    entry = tarfile.TarInfo("data_batch_1.bin")
    entry.size = 2**40
    content = entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(gzip.compress(content))
    assert "unpacks to more than" in said(lambda: load_cifar10_archive(path))


def test_an_archive_with_a_wrong_checksum_is_refused(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    archive(path, *((f"{name}.bin", 3073) for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch")))
    assert len(load_cifar10_archive(path)[0]) == 5
    content = bytearray(path.read_bytes())
    content[-8] ^= 1  # the CRC is in the last 8 bytes
    path.write_bytes(content)
    assert "truncated or damaged" in said(lambda: load_cifar10_archive(path))


def test_a_batch_is_read_up_to_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "_LARGEST_BATCH", 4000)
    (tmp_path / "data_batch_1.bin").write_bytes(bytes(5000))
    assert "more than the 4,000 bytes that are read of one batch" in said(lambda: load_cifar10(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="makes a pipe")
@pytest.mark.parametrize("name", ["pipe.npz", "mnist", "folder"])
def test_a_pipe_is_refused_and_not_waited_for(name, tmp_path):
    if name == "mnist":
        for file in IDX:
            os.mkfifo(tmp_path / file)
        assert "no regular file" in said(lambda: load_dataset("mnist", data_dir=tmp_path))
    elif name == "folder":
        (tmp_path / name).mkdir()
        for array in ("images", "labels"):
            os.mkfifo(tmp_path / name / f"{array}.npy")
        assert "no regular file" in said(lambda: load_dataset(tmp_path / name))
    else:
        os.mkfifo(tmp_path / name)
        assert "no regular file" in said(lambda: load_dataset(tmp_path / name))


def header(shape, dtype="|u1"):
    words = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words.encode()


LABELS = header("(4,)", "<i4") + np.arange(4, dtype="<i4").tobytes()
HEADERS = {
    "a shape of 2^70": header(f"({2**70}, 8, 8)"),
    "2^70 in all": header(f"({2**40}, {2**30}, 1)"),
    "a negative shape": header("(-4, 8, 8)"),
    "no shape": header("x"),
    "objects": header("(4, 8, 8)", "|O") + bytes(256),
    "another magic": b"\x93NUMPX" + bytes(200),
    "cut": header("(4, 8, 8)")[:40],
    "nothing": b"",
    "too few": header("(4, 8, 8)") + bytes(255),
    "brackets": header("(" * 50),
}


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_a_header_that_cannot_be_is_one_line(content, tmp_path):
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as file:
        file.writestr("images.npy", content)
        file.writestr("labels.npy", LABELS)
    assert said(lambda: load_dataset(tmp_path / "data.npz")).startswith(f"{tmp_path / 'data.npz'}: ")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "images.npy").write_bytes(content)
    (tmp_path / "folder" / "labels.npy").write_bytes(LABELS)
    assert said(lambda: load_dataset(tmp_path / "folder")).startswith(f"{tmp_path / 'folder'}")


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_is_one_line(compression, tmp_path):
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("images.npy", header("(4, 8, 8)") + np.random.default_rng(0).bytes(256))
        file.writestr("labels.npy", LABELS)
    content = bytearray(path.read_bytes())
    for place in range(50, 250, 7):
        damaged = content.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        said(lambda: load_dataset(path))


def test_an_archive_named_as_an_array_is_one_line(tmp_path):
    np.savez(tmp_path / "images.npz", np.zeros(3))
    (tmp_path / "images.npz").rename(tmp_path / "images.npy")
    np.save(tmp_path / "labels.npy", np.zeros(3, np.int32))
    assert "images.npy: no array that can be mapped" in said(lambda: load_dataset(tmp_path))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_bad_test_images_in_a_mapped_file_are_met_before_the_training(value, tmp_path):
    images = np.zeros((3000, 2, 2), np.float32)
    images[2999] = value
    for name, array in {"x_train": images[:100], "y_train": np.arange(100) % 3, "x_test": images}.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.save(tmp_path / "y_test.npy", np.arange(3000) % 3)
    assert "NaN or infinite values among the test images" in said(lambda: load_dataset(tmp_path))


def test_channels_first_are_asked_about(tmp_path):
    path = tmp_path / "data.npz"
    images = np.zeros((40, 3, 8, 8), np.uint8)
    np.savez(path, images=images, labels=np.arange(40) % 4)
    assert "expected the channels last, as numpy.moveaxis(images, 1, -1) puts them" in said(lambda: load_dataset(path))
    np.savez(path, images=np.moveaxis(images, 1, -1), labels=np.arange(40) % 4)
    assert load_dataset(path).train.images.shape[1:] == (8, 8, 3)


@pytest.mark.parametrize("place", [".", "raw", "MNIST/raw", "mnist/MNIST/raw"])
@pytest.mark.parametrize("dotted", [False, True])
def test_idx_files_are_found_where_people_have_them(place, dotted, tmp_path):
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    for name in IDX:
        labels = "labels" in name
        content = idx_file((30,), bytes(range(10)) * 3) if labels else idx_file((30, 4, 4), bytes(480))
        (folder / (name.replace("-idx", ".idx") if dotted else name)).write_bytes(content)
    assert len(load_dataset("mnist", data_dir=tmp_path).test) == 30
