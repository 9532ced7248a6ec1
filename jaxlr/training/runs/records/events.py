"""Event files that TensorBoard reads: scalars over the updates, written without TensorFlow."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# The wire types of protocol buffers.
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_START = 1  # SessionLog.START: what an earlier process wrote from this step on no longer holds


class EventFile:
    """Writes scalars to a new event file of a folder.

    Args:
      folder: of the run; TensorBoard reads all its event files as one.
      start: the count from which on this file takes the place of earlier ones; None where there are none.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...   events = EventFile(Path(folder))
      ...   events.write(0, {"loss": 2.5})
      ...   events.close()
      ...   [path.name.split(".")[:3] for path in Path(folder).iterdir()]
      [['events', 'out', 'tfevents']]
    """

    def __init__(self, folder: Path, *, start: int | None = None):
        # A resumed run may be taken up twice in the same second.
        self.path: Path = folder / f"events.out.tfevents.{time.time_ns() // 1000:016d}.jaxlr"
        self._file = self.path.open("xb")
        self._record(_field(3, _LENGTH, b"brain.Event:2"))
        if start is not None:
            self._record(_field(2, _VARINT, start) + _field(7, _LENGTH, _field(1, _VARINT, _START)))

    def write(self, count: int, scalars: Mapping[str, float]) -> None:
        """Writes some figures of one update; the system has them after the next `flush`."""
        values = (_field(1, _LENGTH, name.encode()) + _field(2, _FOUR_BYTES, value) for name, value in scalars.items())
        summary = b"".join(_field(1, _LENGTH, value) for value in values)
        self._record(_field(2, _VARINT, count) + _field(5, _LENGTH, summary))

    def log(self, records: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Writes the figures of some updates, and hands them to the system."""
        for count, scalars in records:
            self.write(count, scalars)
        self.flush()

    def flush(self) -> None:
        """Hands what has been written to the system."""
        self._file.flush()

    def close(self) -> None:
        """Writes the rest and closes the file."""
        self._file.close()

    def _record(self, event: bytes) -> None:
        event = _field(1, _EIGHT_BYTES, time.time()) + event
        length = struct.pack("<Q", len(event))
        self._file.write(length + _masked(length) + event + _masked(event))


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum that TensorFlow's records carry.

    Example:
      >>> hex(crc32c(b"123456789"))
      '0xe3069283'

    References:
      RFC 3720, appendix B.4
    """
    register = 0xFFFFFFFF
    for byte in data:
        register = _TABLE[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ 0xFFFFFFFF


def _table_entry(number: int) -> int:
    for _ in range(8):
        number = (number >> 1) ^ (0x82F63B78 if number & 1 else 0)
    return number


_TABLE = [_table_entry(number) for number in range(256)]


def _masked(data: bytes) -> bytes:
    checksum = crc32c(data)
    rotated = (checksum >> 15) | (checksum << 17)
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)


def _field(number: int, kind: int, value: bytes | int | float) -> bytes:
    """One field of a protocol buffer."""
    key = _varint(number << 3 | kind)
    if isinstance(value, bytes):
        return key + _varint(len(value)) + value
    if kind == _VARINT:
        return key + _varint(int(value))
    return key + struct.pack("<d" if kind == _EIGHT_BYTES else "<f", value)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
