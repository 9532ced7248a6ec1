"""Event files, read back by the format's own description: length, checksums, and fields of protocol buffers."""

import struct

import numpy as np
import pytest

from jaxlr.training.loop.items import Chunk, EpochEnd, Updates
from jaxlr.training.runs.records.events import EventFile, crc32c
from jaxlr.training.runs.records.writers import scalars_of


def fields(message):
    """The fields of a protocol buffer: (number, value), a nested message as bytes."""
    place = 0

    def varint():
        nonlocal place
        value = shift = 0
        while True:
            byte, place = message[place], place + 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(message):
        key = varint()
        number, kind = key >> 3, key & 7
        if kind == 0:
            yield number, varint()
            continue
        size = {1: 8, 5: 4}[kind] if kind != 2 else varint()
        content, place = message[place : place + size], place + size
        yield number, struct.unpack({1: "<d", 5: "<f"}[kind], content)[0] if kind != 2 else content


def unmask(masked):
    rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
    return ((rotated << 15) | (rotated >> 17)) & 0xFFFFFFFF


def read(folder):
    """The events of a folder's files in order: dictionaries of their fields."""
    for path in sorted(folder.glob("events.out.tfevents.*")):
        content, place = path.read_bytes(), 0
        while len(content) - place >= 12:  # a kill may have cut the last one
            length, of_length = struct.unpack_from("<QI", content, place)
            event = content[place + 12 : place + 12 + length]
            (of_event,) = struct.unpack_from("<I", content, place + 12 + length)
            assert unmask(of_length) == crc32c(content[place : place + 8])
            assert unmask(of_event) == crc32c(event)
            place += 16 + length
            yield dict(fields(event))


def scalars(events):
    for event in events:
        for _, value in fields(event.get(5, b"")):
            parts = dict(fields(value))
            yield event.get(2, 0), parts[1].decode(), parts[2]


# RFC 3720, appendix B.4.
@pytest.mark.parametrize(
    ("data", "checksum"),
    [(bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)],
    ids=["zeros", "ones", "rising"],
)
def test_the_checksum_is_that_of_the_standard(data, checksum):
    assert crc32c(data) == checksum


def test_what_the_loop_gives_out_is_read_back(tmp_path):
    events = EventFile(tmp_path)
    count = np.array([299, 300, 300, 301], np.int32)
    nan = np.nan
    figures = np.float32([[0.1, 0.1, 0.2, 0.2], [2.5, nan, 1.5, nan], [0.25, 1, 0.5, 1], [4, nan, 3, nan]])
    momentum = np.float32([0.9, 0.9, 0.8, 0.8])
    chunk = Chunk(
        Updates(count, *figures), np.array([False, True, False, True]), hyperparameters={"momentum": momentum}
    )
    skipped = Chunk(Updates(*(column[-1:] for column in chunk.entries)), np.array([True]))
    for item, speed in ((chunk, 1e4), (skipped, 0.0), (EpochEnd(1, 301, 0.375, 0.75, 1.25), 0.0)):
        events.log(list(scalars_of(item, images_per_second=speed)))
    events.close()
    first, *others = read(tmp_path)
    assert first[3] == b"brain.Event:2"
    assert list(scalars(others)) == [
        (299, "learning_rate", np.float32(0.1)),
        (299, "train/loss", 2.5),
        (299, "train/accuracy", 0.25),
        (299, "train/gradient_norm", 4.0),
        (299, "momentum", np.float32(0.9)),
        (300, "train/skipped", 1.0),
        (300, "learning_rate", np.float32(0.2)),
        (300, "train/loss", 1.5),
        (300, "train/accuracy", 0.5),
        (300, "train/gradient_norm", 3.0),
        (300, "momentum", np.float32(0.8)),
        (301, "train/skipped", 1.0),
        (300, "images_per_second", 1e4),
        (301, "train/skipped", 1.0),
        (300, "train/epoch_accuracy", 0.375),
        (300, "validation/accuracy", 0.75),
        (300, "validation/loss", 1.25),
    ]
    assert all(event[1] > 1.7e9 for event in others)


def test_a_file_that_goes_on_says_from_where(tmp_path):
    EventFile(tmp_path).close()
    EventFile(tmp_path, start=300).close()
    _, _, start = read(tmp_path)
    assert (start[2], dict(fields(start[7]))) == (300, {1: 1})


def test_a_file_that_starts_again_says_so(tmp_path):
    EventFile(tmp_path, start=0).close()
    _, start = read(tmp_path)
    assert (start.get(2, 0), dict(fields(start[7]))) == (0, {1: 1})
