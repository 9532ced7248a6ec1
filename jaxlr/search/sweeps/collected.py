"""The results of many members: of this process, and at the end of all that share them out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import jax
import numpy as np

_LONGEST_WAIT = 10**9  # milliseconds: 11 days
_meetings = itertools.count()


class Collected:
    """A table of results, a row a member, filled by one process or by several.

    Several processes call each method alike and in the same order, but `take`, which each calls for its own rows.

    Args:
      shapes: shape and dtype of each result of one member.
      total: how many members there are.
      over_hosts: whether the processes of a `jax.distributed` run share them out.
    """

    def __init__(self, shapes: Sequence[jax.ShapeDtypeStruct], total: int, over_hosts: bool = False):
        self.arrays = [np.zeros((total, *shape.shape), shape.dtype) for shape in shapes]
        self.done = np.zeros(total, bool)  # whether this process has a member's results
        self.place, self.processes = (jax.process_index(), jax.process_count()) if over_hosts else (0, 1)

    def take(self, members: np.ndarray, results: Sequence[np.ndarray]) -> None:
        """Enters the results of some members, each array (k, ...)."""
        for array, result in zip(self.arrays, results, strict=True):
            array[members] = result
        self.done[members] = True

    def rows(self, members: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """The results of some members, each array (k, ...)."""
        return [array[members] for array in self.arrays]

    def is_mine(self, turn: int) -> bool:
        """Whether this process is the one whose turn it is."""
        return turn % self.processes == self.place

    def done_anywhere(self) -> np.ndarray:
        """Whether any process has a member's results: bool, (total,)."""
        return np.logical_or.reduce(self._done_by_process())

    def gather(self) -> np.ndarray:
        """Gives every process the results that any has; returns the members that came to this one."""
        if self.processes == 1:
            return np.zeros(0, np.int64)
        done = self._done_by_process()
        wanted = done.any(axis=0) & ~done.all(axis=0)
        sender = np.where(wanted, done.argmax(axis=0), -1)
        rows = [np.flatnonzero(sender == process) for process in range(self.processes)]
        came = np.flatnonzero(wanted & ~self.done)
        most = max(map(len, rows))
        # As bytes: JAX would make float32 of float64, and a sum of NaN has other bits.
        own = self._as_bytes(rows[self.place])
        filled = np.pad(own, ((0, most - len(own)), (0, 0)))
        of_all = _of_all(filled).reshape(self.processes, *filled.shape)
        for process, members in enumerate(rows):
            if process != self.place and len(members):
                self.take(members, self._from_bytes(of_all[process, : len(members)]))
        return came

    def _done_by_process(self) -> np.ndarray:
        """bool, (processes, total)."""
        if self.processes == 1:
            return self.done[None]
        return _of_all(self.done.astype(np.uint8)).reshape(self.processes, -1).astype(bool)

    def _as_bytes(self, members: np.ndarray) -> np.ndarray:
        """The results of some members as uint8, (k, bytes a member)."""
        parts = [
            np.ascontiguousarray(rows).reshape(len(members), math.prod(rows.shape[1:])).view(np.uint8)
            for rows in self.rows(members)
        ]
        return np.concatenate([np.zeros((len(members), 0), np.uint8), *parts], axis=1)

    def _from_bytes(self, content: np.ndarray) -> list[np.ndarray]:
        results, first = [], 0
        for array in self.arrays:
            size = math.prod(array.shape[1:]) * array.itemsize
            part = np.ascontiguousarray(content[:, first : first + size])
            results.append(part.view(array.dtype).reshape(len(content), *array.shape[1:]))
            first += size
        return results


def _of_all(array: np.ndarray) -> np.ndarray:
    """The uint8 arrays of all processes, which may come hours apart: a collective gives up after half an hour."""
    from jax._src.distributed import global_state  # its barrier has no public name
    from jax.experimental import multihost_utils

    if global_state.client is not None:
        global_state.client.wait_at_barrier(f"jaxlr.search {next(_meetings)}", _LONGEST_WAIT)
    return np.asarray(multihost_utils.process_allgather(array), np.uint8)
