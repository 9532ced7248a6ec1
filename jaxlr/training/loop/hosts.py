"""Several processes that make one run: how they meet, which of them writes, and what they must agree on."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

__all__ = ["Hosts", "any_host", "connected", "first_host", "is_first", "largest", "wait_for_all"]


@dataclass(frozen=True)
class Hosts:
    """How the processes of a run find each other.

    Raises:
      ValueError: some of the three behind the first are given and some are not, or one is out of range.

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

    def __post_init__(self):
        names = ("coordinator", "num_processes", "process_id")
        missing = [name for name in names if vars(self)[name] is None]
        if missing and len(missing) < len(names):
            raise ValueError(f"{', '.join(names)} go together, got no {' and no '.join(missing)}")
        if self.coordinator is not None and not self.coordinator.rpartition(":")[2].isdecimal():
            raise ValueError(f"coordinator must be HOST:PORT, got {self.coordinator!r}")
        if self.num_processes is not None and self.process_id is not None:
            if self.num_processes < 1:
                raise ValueError(f"num_processes must be at least 1, got {self.num_processes}")
            if not 0 <= self.process_id < self.num_processes:
                raise ValueError(f"process_id must be from 0 to {self.num_processes - 1}, got {self.process_id}")
        if self.peer_timeout < 1:
            raise ValueError(f"peer_timeout must be at least 1, got {self.peer_timeout}")

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.distributed or self.coordinator is not None


@contextlib.contextmanager
def connected(hosts: Hosts) -> Iterator[None]:
    """Connects this process with the others, if there are any; to be entered before jax looks at a device.

    Args:
      hosts: how they find each other.

    Raises:
      ValueError: they cannot be found.
    """
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
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"the processes of the run cannot be found: {error}") from None
    try:
        yield
    except BaseException as error:
        if not getattr(error, "by_all", False):
            # At its end jax waits for the others, and they wait for this process.
            atexit.register(_leave, getattr(error, "code", 1))
        raise


def _leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


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


def first_host(function: Callable[[], Any]) -> Any:
    """Calls a function on the first host alone and gives its result to all; all hosts must ask.

    Args:
      function: returns what JSON can hold.

    Raises:
      ValueError: the function raised it; every host does then.
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
