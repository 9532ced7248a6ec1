"""Commands that several processes make together: how they meet, and the one line where one of them is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from jaxlr.cli import stopping
from jaxlr.cli.aborts import peers_in_one_line
from jaxlr.cli.parsing import CommandError
from jaxlr.training.loop.hosts import Hosts, check_same, connected, tells_of_a_peer

_DIED = "another process of the run has died"


@contextlib.contextmanager
def several(command: str, hosts: Hosts) -> Iterator[None]:
    """Connects the processes of a command, if there are several, and says in one line where one is lost."""
    if not hosts.several:
        yield
        return
    where = f" at {hosts.coordinator}" if hosts.coordinator else ""
    told = [f"the other processes cannot be reached{where}, or not all came in {hosts.peer_timeout} s"]
    with peers_in_one_line(command, lambda: told[0]), connected(hosts):
        told[0] = _DIED
        stopping.hear_again()
        yield


@contextlib.contextmanager
def lost_peers() -> Iterator[None]:
    """Says in one line that another process of the run is gone, where a program of all of them fails."""
    try:
        yield
    except Exception as error:
        if not tells_of_a_peer(error):
            raise
        raise CommandError(f"{_DIED} ({error}); {stopping.how_it_stands()}", code=1) from None


def need_same_options(options: Mapping[str, Any]) -> None:
    """Refuses processes that were started with different options, in one line of each."""
    try:
        with lost_peers():
            check_same(options)
    except ValueError as error:
        raise CommandError(error, by_all=True) from None
