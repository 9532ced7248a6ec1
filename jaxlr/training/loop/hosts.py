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

    Attributes:
      coordinator: HOST:PORT of the first process; None: from the environment, as all that follows.
      count: how many processes there are.
      place: which of them this is, from 0.
      timeout: seconds without a sign of life after which a process counts as dead.

    Raises:
      ValueError: some of the first three are given and some are not, or one is out of range.

    Example:
      >>> Hosts("10.0.0.1:1234", count=2, place=2)
      Traceback (most recent call last):
      ValueError: process_id must be from 0 to 1, got 2
    """

    coordinator: str | None = None
    count: int | None = None
    place: int | None = None
    timeout: int = 100

    def __post_init__(self):
        given = {"coordinator": self.coordinator, "num_processes": self.count, "process_id": self.place}
        missing = [name for name, value in given.items() if value is None]
        if missing and len(missing) < len(given):
            raise ValueError(f"{', '.join(given)} go together, got no {' and no '.join(missing)}")
        if self.coordinator is not None and not self.coordinator.rpartition(":")[2].isdecimal():
            raise ValueError(f"coordinator must be HOST:PORT, got {self.coordinator!r}")
        if self.count is not None and self.place is not None:
            if self.count < 1:
                raise ValueError(f"num_processes must be at least 1, got {self.count}")
            if not 0 <= self.place < self.count:
                raise ValueError(f"process_id must be from 0 to {self.count - 1}, got {self.place}")
        if self.timeout < 1:
            raise ValueError(f"peer_timeout must be at least 1, got {self.timeout}")


@contextlib.contextmanager
def connected(hosts: Hosts | None) -> Iterator[None]:
    """Connects this process with the others; to be entered before jax looks at a device.

    Args:
      hosts: how they find each other; None: there are no others.

    Raises:
      ValueError: they cannot be found.
    """
    if hosts is None:
        yield
        return
    try:
        jax.distributed.initialize(
            hosts.coordinator,
            hosts.count,
            hosts.place,
            initialization_timeout=hosts.timeout,
            heartbeat_timeout_seconds=hosts.timeout,
            shutdown_timeout_seconds=hosts.timeout,
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
