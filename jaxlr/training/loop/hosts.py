"""Several processes that make one run: how they meet, which of them writes, and what they must agree on."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

_MOST_PROCESSES = 2**20  # no machine has more hosts
_LONGEST_WAIT = 10**6  # seconds: 11 days
_PARTING = 10.0  # seconds that a process waits for others that refuse the same
_WRONG_INPUT = 2  # the exit code of it
# A plain ValueError where a program fails while it is called: `test_an_error_tells_of_a_peer_where_there_is_one`.
_STATUS = re.compile("(ABORTED|CANCELLED|DEADLINE_EXCEEDED|INTERNAL|UNAVAILABLE|UNKNOWN): ")


@dataclass(frozen=True)
class Hosts:
    """How the processes of a run find each other.

    Example:
      >>> Hosts(coordinator="10.0.0.1:1234", num_processes=2, process_id=2)
      Traceback (most recent call last):
      ValueError: process_id must be from 0 to 1, got 2
    """

    distributed: bool = False
    """Whether several processes make this run, one on each host, that find each other by what a TPU pod, Slurm or Open
    MPI tells them. All get the same options and see the same folders; the first writes."""
    coordinator: str | None = None
    """The same by hand: HOST:PORT of the first process, where the others meet it."""
    num_processes: int | None = None
    """With --coordinator: how many processes there are."""
    process_id: int | None = None
    """With --coordinator: which of them this is, from 0."""
    peer_timeout: int = 100
    """Seconds without a sign of life after which another process counts as dead and this one ends."""

    def __post_init__(self) -> None:
        names = ("coordinator", "num_processes", "process_id")
        missing = [name for name in names if vars(self)[name] is None]
        if missing and len(missing) < len(names):
            raise ValueError(f"{', '.join(names)} go together, got no {' and no '.join(missing)}")
        if self.coordinator is not None and not _is_address(self.coordinator):
            raise ValueError(f"coordinator must be HOST:PORT, the port from 1 to 65535, got {self.coordinator!r}")
        if self.num_processes is not None and self.process_id is not None:
            if not 1 <= self.num_processes <= _MOST_PROCESSES:
                raise ValueError(f"num_processes must be from 1 to {_MOST_PROCESSES:,}, got {self.num_processes}")
            if not 0 <= self.process_id < self.num_processes:
                raise ValueError(f"process_id must be from 0 to {self.num_processes - 1}, got {self.process_id}")
        if not 1 <= self.peer_timeout <= _LONGEST_WAIT:
            raise ValueError(f"peer_timeout must be from 1 to {_LONGEST_WAIT:,}, got {self.peer_timeout}")

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.distributed or self.coordinator is not None


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and re.fullmatch("[0-9]{1,5}", port) is not None and 1 <= int(port) <= 65535


@contextlib.contextmanager
def connected(hosts: Hosts) -> Iterator[None]:
    """Connects this process with the others, if there are any; to be entered before jax looks at a device."""
    if not hosts.several:
        yield
        return
    try:
        jax.distributed.initialize(
            hosts.coordinator,
            hosts.num_processes,
            hosts.process_id,
            initialization_timeout=hosts.peer_timeout,
            heartbeat_timeout_seconds=hosts.peer_timeout,
            shutdown_timeout_seconds=hosts.peer_timeout,
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"the processes of the run cannot be found: {error}") from None
    try:
        yield
    except BaseException as error:
        if not getattr(error, "by_all", False):
            # At its end jax waits for the others, and they may wait for this process.
            code = getattr(error, "code", 1)
            atexit.register(_leave, code, _parting(hosts.peer_timeout) if code == _WRONG_INPUT else None)
            raise
        jax.distributed.shutdown()
        raise
    jax.distributed.shutdown()


def _parting(longest: float) -> Callable[[], None]:
    """Tells the others that this process ends; gives what waits, for a while, until they do as well.

    What is wrong for one is mostly wrong for all, and whoever left first, the coordinator with him, would take the word
    from those who have not said it yet.
    """
    told = threading.Thread(target=_quiet_shutdown, daemon=True)
    told.start()  # here, since Python starts no thread at its exit
    return lambda: told.join(min(longest, _PARTING))


def _quiet_shutdown() -> None:
    with contextlib.suppress(Exception):  # another is gone already, or does not come
        jax.distributed.shutdown()


def _leave(code: int, wait: Callable[[], None] | None) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    if wait is not None:
        wait()
    os._exit(code)


def tells_of_a_peer(error: Exception) -> bool:
    """Whether an error says that another process of the run is gone: the device of this one has nothing to answer for.

    Example:
      >>> tells_of_a_peer(ValueError("UNKNOWN: Gloo AllGather failed: Connection closed by peer"))  # of one process
      False
    """
    if jax.process_count() == 1:
        return False
    text = str(error)
    # tensorstore, which writes the checkpoints, has the same words for a disk.
    of_program = isinstance(error, ValueError) and _STATUS.match(text) is not None and "tensorstore" not in text
    return isinstance(error, jax.errors.JaxRuntimeError) or of_program


def is_first() -> bool:
    """Whether this process writes the run's files and speaks for it."""
    return jax.process_index() == 0


def largest(value: float) -> float:
    """The largest of the hosts' values; all hosts must ask."""
    if jax.process_count() == 1:
        return value
    return float(np.max(multihost_utils.process_allgather(np.float32(value))))


def any_host(flag: bool) -> bool:
    """Whether a flag is set on any host; all hosts must ask."""
    return bool(largest(float(flag)))


def wait_for_all() -> None:
    """Waits until all hosts have come here."""
    largest(0.0)


def check_same(options: Mapping[str, Any]) -> None:
    """Refuses processes that were started with different options; all hosts must ask.

    Example:
      >>> check_same({"seed": 0})  # the only process agrees with itself
    """
    if jax.process_count() == 1:
        return
    of_all = [json.loads(text) for text in _of_all(json.dumps({name: str(each) for name, each in options.items()}))]
    for name, first in of_all[0].items():
        for place, others in enumerate(of_all):
            if others.get(name) != first:
                raise ValueError(
                    f"the processes of a run need the same options: {name} is {first} in process 0 and "
                    f"{others.get(name)} in process {place}"
                )


def _of_all(text: str) -> list[str]:
    """A text of each host, in the order of their places."""
    letters = np.frombuffer(text.encode(), np.uint8)
    lengths = np.asarray(multihost_utils.process_allgather(np.int32(len(letters)))).reshape(-1)
    padded = np.pad(letters, (0, int(lengths.max()) - len(letters)))
    rows = np.asarray(multihost_utils.process_allgather(padded), np.uint8).reshape(len(lengths), -1)
    return [row[:length].tobytes().decode() for row, length in zip(rows, lengths, strict=True)]


def first_host(function: Callable[[], Any]) -> Any:
    """Calls a function on the first host alone, and gives its result, which JSON can hold, or its ValueError to all.

    All hosts must ask.
    """
    if jax.process_count() == 1:
        return function()
    outcome: list[Any] = [None, None]
    if is_first():
        try:
            outcome[0] = function()
        except ValueError as error:
            outcome[1] = str(error)
    text = json.dumps(outcome).encode()
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(text))))
    letters = np.frombuffer(text if is_first() else bytes(length), np.uint8)
    result, error = json.loads(np.asarray(multihost_utils.broadcast_one_to_all(letters), np.uint8).tobytes())
    if error is not None:
        raise ValueError(error)
    return result
