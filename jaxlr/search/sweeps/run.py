"""Sweeps: one training for each of many schedules, in one compilation a family."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxlr.schedules import Schedule
from jaxlr.schedules.leaves import choice, flag, length
from jaxlr.search.sweeps.collected import Collected
from jaxlr.search.sweeps.members import Family, families_of, members_of
from jaxlr.search.sweeps.numbers import numbers_of
from jaxlr.search.sweeps.program import (
    MEMBERS_A_DEVICE,
    STRATEGIES,
    Program,
    choose_strategy,
    group_size_of,
    local_devices,
)
from jaxlr.search.sweeps.store import Store
from jaxlr.search.trials.trial import CompilerOption
from jaxlr.typing import PyTree


class GroupDone(NamedTuple):
    """What `watch` is called with after each group."""

    members: np.ndarray  # int64, (k,): the members of this group, as places in the sweep
    results: PyTree  # pytree of arrays (k, ...)
    done: int  # members that have results now
    total: int  # members of the sweep
    loaded: bool  # whether the group was found on disk rather than run


@dataclass(frozen=True)
class SweepResult:
    """The results of a sweep, member by member, with the numbers that made them.

    Attributes:
      results: what `train_fn` returned, each array with a leading axis of members.
      schedules: the schedule of each member.
      numbers: the schedules' numbers by name, each an array (members,); NaN where a member has no such number.
      strategies: for each family, "vmap" or "map".
      reasons: for each family, why.
      group_size: members in one call of a compiled program, the largest of all families.
      devices: how many devices the members were spread over.
      traces: how often `train_fn` was traced: once a family.
      loaded: members that were found on disk.
      compile_seconds: spent on compilation.
      seconds: spent on all, compilation included.
    """

    results: PyTree
    schedules: tuple[Schedule, ...]
    numbers: dict[str, np.ndarray]
    strategies: tuple[str, ...]
    reasons: tuple[str, ...]
    group_size: int
    devices: int
    traces: int
    loaded: int
    compile_seconds: float
    seconds: float

    @property
    def varied(self) -> dict[str, np.ndarray]:
        """The numbers that are not the same in all members."""
        return {name: values for name, values in self.numbers.items() if not np.all(values == values[0])}

    def order(self, key: str | None = None, mode: str = "max") -> np.ndarray:
        """The members from best to worst, those with NaN last.

        Args:
          key: which result, one number a member: "accuracy", or "validation.accuracy" for one inside another; None
            where `train_fn` returns a number.
          mode: "max" or "min".

        Raises:
          ValueError: there is no such result, it is not one number a member, or another word for `mode`.
        """
        scores = self.scores(key)
        if choice("mode", mode, ("max", "min")) == "max":
            scores = -scores
        return np.argsort(scores, kind="stable")

    def best(self, key: str | None = None, mode: str = "max") -> Schedule:
        """The schedule of the member with the best result, ready to train with.

        Args:
          key: as for `order`.
          mode: "max" or "min".

        Raises:
          ValueError: as for `order`, or every member has NaN.
        """
        best = self.order(key, mode)[0]
        if np.isnan(self.scores(key)[best]):
            raise ValueError(f"no member has a number for {key!r}: all {len(self.schedules)} are NaN")
        return self.schedules[best]

    def scores(self, key: str | None = None) -> np.ndarray:
        """One result as float64, (members,); `key` as for `order`."""
        found = {
            jax.tree_util.keystr(path, simple=True, separator="."): leaf
            for path, leaf in jax.tree.leaves_with_path(self.results)
        }
        name = key or ""
        if name not in found:
            known = ", ".join(map(repr, found)) if "" not in found else "None: train_fn returns one array"
            raise ValueError(f"key must be one of {known}, got {key!r}")
        if found[name].ndim != 1:
            raise ValueError(f"key must name one number a member, got {key!r} of shape {found[name].shape}")
        return found[name].astype(np.float64)

    def __repr__(self) -> str:
        families = "; ".join(f"{s}, {r}" for s, r in sorted(set(zip(self.strategies, self.reasons, strict=True))))
        return (
            f"<sweep of {len(self.schedules)} schedules: {families}; groups of up to {self.group_size} on "
            f"{self.devices} device{'s' if self.devices > 1 else ''}; {self.traces} trace"
            f"{'s' if self.traces > 1 else ''}; {self.seconds:.1f} s>"
        )


def sweep(
    train_fn: Callable[[Schedule], PyTree],
    schedules: Schedule | Sequence[Schedule],
    *,
    strategy: str = "auto",
    group_size: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    devices: Sequence[Any] | None = None,
    over_hosts: bool = False,
    compiler_options: Mapping[str, CompilerOption] | None = None,
    watch: Callable[[GroupDone], None] | None = None,
) -> SweepResult:
    """Runs one training for each of many schedules, tracing and compiling the training once a family.

    results[i] = train_fn(schedules[i])

    Schedules that differ in their numbers alone, horizons too, are one family. The members run in groups, each a call
    of the family's compiled program; on several devices each takes its share of a group.

    Args:
      train_fn: schedule -> pytree of arrays, of the same shapes for every member. It is traced, as by `jax.jit`, with
        the schedule as data, so it makes its optimizer inside. Arrays that it closes over are not compiled in.
      schedules: a batched schedule, as `jax.vmap` makes it from a factory, or a list of schedules, batched or not.
      strategy: how the members of a group run on a device: "vmap" (all at once), "map" (one after the other inside one
        program) or "auto", which takes "map" for convolutions on CPUs and "vmap" for all else. The result says which.
      group_size: members in one call, rounded down to a multiple of the devices. None: up to 16 a device with "vmap", 1
        with "map".
      folder: where finished groups are kept. A sweep that was stopped goes on from there, if it is the same sweep.
      devices: what the members are spread over; None is all local devices.
      over_hosts: whether the processes of a `jax.distributed` run share the groups out, each on its own devices. All of
        them call it alike and all get all results. Where one dies the others end with it; the same call with the same
        `folder`, by however many processes, then does what is left.
      compiler_options: for `jax.jit`.
      watch: called after each group of this process, and once at the end for the members of the others.

    Returns:
      A `SweepResult`.

    Raises:
      TypeError: `train_fn` is no function, something is no schedule, or an argument is of the wrong kind.
      ValueError: an argument is out of range, `schedules` is empty or not batched, the families' results differ in
        shape, or the folder holds another sweep.

    Example:
      >>> import jax, jax.numpy as jnp, jaxlr
      >>> def distance(schedule):
      ...   step = lambda count, x: x - schedule(count) * x  # gradient descent on x**2 / 2
      ...   return {"distance": jnp.abs(jax.lax.fori_loop(0, 10, step, 1.0))}
      >>> rates = jax.vmap(lambda peak: jaxlr.triangular(0.0, peak, 5))(jnp.array([0.25, 1.0, 3.0]))
      >>> result = sweep(distance, rates)
      >>> result.best("distance", "min")
      triangular(base_lr=0.0, max_lr=1.0, step_size=5)
      >>> result.numbers["max_lr"].tolist(), result.strategies, result.traces
      ([0.25, 1.0, 3.0], ('vmap',), 1)
    """
    started = time.perf_counter()
    if not callable(train_fn):
        raise TypeError(f"train_fn must be a function of a schedule, got {train_fn!r}")
    choice("strategy", strategy, STRATEGIES)
    flag("over_hosts", over_hosts)
    if group_size is not None:
        group_size = int(length("group_size", group_size))
    devices = local_devices(devices)
    members = members_of(schedules)
    families = families_of(members)
    programs = [Program(train_fn, family) for family in families]
    _require_same_results(programs)
    store = None if folder is None else Store(folder, members, [program.digest() for program in programs])
    run = _Run(programs[0], len(members), over_hosts, store, watch)
    found = [
        run.family(family, program, strategy, group_size, devices, compiler_options or {})
        for family, program in zip(families, programs, strict=True)
    ]
    run.gather()
    return SweepResult(
        results=run.results,
        schedules=tuple(members),
        numbers=_columns(members),
        strategies=tuple(each.strategy for each in found),
        reasons=tuple(each.reason for each in found),
        group_size=max(each.group_size for each in found),
        devices=max(each.devices for each in found),
        traces=len(programs),
        loaded=run.loaded,
        compile_seconds=sum(each.compile_seconds for each in found),
        seconds=time.perf_counter() - started,
    )


class _FamilyRun(NamedTuple):
    strategy: str
    reason: str
    group_size: int
    devices: int
    compile_seconds: float


class _Run:
    """Runs the groups that no process has done before, or those of them that fall to this one."""

    def __init__(
        self,
        program: Program,
        total: int,
        over_hosts: bool,
        store: Store | None,
        watch: Callable[[GroupDone], None] | None,
    ):
        self._structure, self._store, self._watch = program.structure, store, watch
        self._collected = Collected(program.shapes, total, over_hosts)
        self.loaded, self._turns = 0, itertools.count()
        for members, results in () if store is None else store.load(program.shapes):
            self._take(members, results, loaded=True)
        self._done_before = self._collected.done_anywhere()

    def family(
        self,
        family: Family,
        program: Program,
        strategy: str,
        group_size: int | None,
        devices: Sequence[Any],
        compiler_options: Mapping[str, CompilerOption],
    ) -> _FamilyRun:
        """Runs what is left of one family."""
        reason = "as asked"
        if strategy == "auto":
            strategy, reason = choose_strategy(program, devices)
        share = -(-len(family.members) // self._collected.processes)
        # Of all members, not of those left: a sweep that goes on then runs the program that it ran before.
        size, used = group_size_of(share, group_size or MEMBERS_A_DEVICE[strategy] * len(devices), len(devices))
        left = np.flatnonzero(~self._done_before[family.members])
        compile_seconds = 0.0
        for first in range(0, len(left), size):
            if not self._collected.is_mine(next(self._turns)):
                continue
            rows = left[first : first + size]
            # The program has one size: the last group is filled up with its last member.
            filled = np.pad(rows, (0, size - len(rows)), mode="edge")
            group = [leaf[filled] for leaf in family.leaves]
            if not compile_seconds:
                compile_seconds = program.compile(strategy, devices[:used], group, compiler_options)
            members, results = family.members[rows], [each[: len(rows)] for each in program(group)]
            if self._store is not None:
                self._store.save(members, results)
            self._take(members, results)
        return _FamilyRun(strategy, reason, size, used, compile_seconds)

    def gather(self) -> None:
        """Waits for the other processes, if they share the members, and takes what they have."""
        came = self._collected.gather()
        if len(came):
            self._say(came, loaded=False)

    @property
    def results(self) -> PyTree:
        return jax.tree.unflatten(self._structure, self._collected.arrays)

    def _take(self, members: np.ndarray, results: Sequence[np.ndarray], *, loaded: bool = False) -> None:
        self._collected.take(members, results)
        self.loaded += loaded * len(members)
        self._say(members, loaded=loaded)

    def _say(self, members: np.ndarray, *, loaded: bool) -> None:
        if self._watch is not None:
            results, done = jax.tree.unflatten(self._structure, self._collected.rows(members)), self._collected.done
            self._watch(GroupDone(members, results, int(done.sum()), len(done), loaded))


def _require_same_results(programs: Sequence[Program]) -> None:
    kinds = [(p.structure, [(s.shape, s.dtype) for s in p.shapes]) for p in programs]
    for index, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise ValueError(
                f"train_fn must return the same shapes for every family of schedules, got {_listed(programs[0])} for "
                f"the first and {_listed(programs[index])} for family {index + 1}"
            )


def _listed(program: Program) -> str:
    pairs = zip(program.names, program.shapes, strict=True)
    return "{" + ", ".join(f"{name or 'result'}: {shape.dtype}{list(shape.shape)}" for name, shape in pairs) + "}"


def _columns(members: Sequence[Schedule]) -> dict[str, np.ndarray]:
    rows = [numbers_of(member) for member in members]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: np.asarray([row.get(name, np.nan) for row in rows]) for name in names}
