"""IDX files in a folder: plain or gzipped, in any of the usual places, and every way in which one can be bad."""

import gzip
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from image_files import FAMILY, IDX, assert_is_family, cut, idx_bytes, replace, said, write_family

from jaxlr.training.data.datasets import Source, load_dataset


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist", "kmnist"])
@pytest.mark.parametrize("gz", [False, True], ids=["plain", "gz"])
def test_idx_files_in_data_dir(tmp_path: Path, name: str, gz: bool) -> None:
    write_family(tmp_path, FAMILY, gz=gz)
    dataset = load_dataset(name, data_dir=tmp_path, validation_fraction=0.2, seed=4)
    assert_is_family(dataset)
    assert dataset.split_note == "240 train, 60 validation (seed 4), 50 test"


def test_idx_files_in_a_folder_of_the_set(tmp_path: Path) -> None:
    write_family(tmp_path / "kmnist", FAMILY, gz=True)
    assert_is_family(load_dataset("kmnist", data_dir=tmp_path))


def test_gzipped_content_under_a_plain_name(tmp_path: Path) -> None:
    write_family(tmp_path, FAMILY, gz=True)
    for path in tmp_path.iterdir():
        path.rename(path.with_suffix(""))
    assert_is_family(load_dataset("mnist", data_dir=tmp_path))


def test_files_of_a_system_package_need_no_network(tmp_path: Path) -> None:
    write_family(tmp_path / "share", FAMILY, gz=True)
    source = Source("fashion-mnist", urls=(), checksums={}, folder=tmp_path / "share")
    assert_is_family(load_dataset("fashion-mnist", sources={"fashion-mnist": source}))


def test_data_dir_goes_before_a_system_package(tmp_path: Path) -> None:
    write_family(tmp_path / "share", FAMILY | {IDX[3]: np.zeros(50, np.uint8)}, gz=True)
    write_family(tmp_path / "mine", FAMILY, gz=True)
    source = Source("fashion-mnist", urls=(), checksums={}, folder=tmp_path / "share")
    dataset = load_dataset("fashion-mnist", data_dir=tmp_path / "mine", sources={"fashion-mnist": source})
    assert_is_family(dataset)


@pytest.mark.parametrize(
    ("damage", "file", "words"),
    [
        pytest.param(Path.unlink, IDX[1], ["no train-labels-idx1-ubyte and no", ".gz; get", "https://"], id="missing"),
        pytest.param(
            partial(cut, count=1), IDX[0], ["truncated", "9,016 bytes", "300 x 6 x 5", "9,015"], id="truncated"
        ),
        pytest.param(partial(cut, count=9010), IDX[0], ["truncated", "header of 16 bytes", "found 6"], id="no header"),
        pytest.param(partial(replace, offset=9016, new=b"x"), IDX[0], ["too long", "9,016", "9,017"], id="too long"),
        pytest.param(partial(replace, offset=2, new=b"\x0d"), IDX[0], ["0x00000803", "0x00000d03"], id="floats"),
        pytest.param(partial(replace, offset=3, new=b"\x03"), IDX[3], ["0x00000801", "0x00000803"], id="no labels"),
        pytest.param(
            partial(replace, offset=4, new=b"\xff"), IDX[0], ["truncated", "4,278,190,380 x"], id="huge count"
        ),
        pytest.param(partial(replace, offset=20, new=b"\x0a"), IDX[1], ["label 10", "0 to 9"], id="label 10"),
        pytest.param(lambda path: path.write_bytes(b""), IDX[2], ["truncated", "found 0 bytes"], id="empty"),
        pytest.param(
            lambda path: path.write_bytes(idx_bytes(np.zeros((0, 6, 5), np.uint8))), IDX[2], ["no images"], id="0"
        ),
        pytest.param(
            lambda path: path.write_bytes(idx_bytes(np.zeros(49, np.uint8))),
            IDX[3],
            ["50 labels", IDX[2], "49"],
            id="pair",
        ),
        pytest.param(
            lambda path: path.write_bytes(idx_bytes(np.zeros((50, 7, 5), np.uint8))),
            IDX[2],
            ["6x5x1", "7x5x1"],
            id="sizes",
        ),
        pytest.param(
            lambda path: path.write_bytes(gzip.compress(b"x" * 99)[:-9]), IDX[0], ["truncated", "gzip"], id="cut gz"
        ),
        pytest.param(
            lambda path: path.write_bytes(gzip.compress(b"x")[:-5] + b"12345"), IDX[0], ["damaged gzip"], id="wrong CRC"
        ),
    ],
)
def test_bad_idx_file(tmp_path: Path, damage: Callable[[Path], object], file: str, words: list[str]) -> None:
    write_family(tmp_path, FAMILY, gz=False)
    damage(tmp_path / file)
    message = said(lambda: load_dataset("mnist", data_dir=tmp_path))
    about_both_parts = words == ["6x5x1", "7x5x1"]
    assert all(word in message for word in ["mnist" if about_both_parts else str(tmp_path), *words]), message
    assert about_both_parts or file in message


def test_folder_instead_of_a_file_is_missing(tmp_path: Path) -> None:
    write_family(tmp_path, FAMILY, gz=False)
    (tmp_path / IDX[0]).unlink()
    (tmp_path / IDX[0]).mkdir()
    assert f"no {IDX[0]}" in said(lambda: load_dataset("mnist", data_dir=tmp_path))


def test_a_further_set_is_one_entry(tmp_path: Path) -> None:
    write_family(tmp_path / "mine", FAMILY, gz=True)
    source = Source("mine", urls=(), checksums={}, classes=12)
    dataset = load_dataset("mine", data_dir=tmp_path, sources={"mine": source})
    assert (dataset.name, dataset.classes) == ("mine", 12)
    assert "Known are digits, mine, " in said(lambda: load_dataset("my", sources={"mine": source}))
