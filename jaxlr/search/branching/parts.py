"""The parts of a training with branches: the trunk up to each branching point, and the cooldowns from there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax import lax

from jaxlr.schedules import Schedule
from jaxlr.schedules import cooldown as cooled
from jaxlr.schedules.leaves import length
from jaxlr.search.branching.states import PlainState
from jaxlr.search.sweeps.collected import Collected
from jaxlr.search.sweeps.members import Family
from jaxlr.search.sweeps.program import MEMBERS_A_DEVICE, Program, group_size_of
from jaxlr.search.sweeps.store import Store
from jaxlr.search.trials.trial import CompilerOption
from jaxlr.typing import PyTree

Step = Callable[[PyTree, Schedule, jax.Array], PyTree]


class PartDone(NamedTuple):
    """What `watch` is called with after each part."""

    what: Literal["trunk", "branches"]
    budgets: tuple[int, ...]  # those of the branches, or the one whose branching point the trunk has reached
    updates: int  # made in this part
    scores: PyTree  # what `score` gave, (k, ...); of the trunk before its cooldown where it is that
    loaded: bool  # whether it was found on disk rather than run


class Plan(NamedTuple):
    """The trainings, the shortest first: their updates, where they leave the trunk, their schedules."""

    budgets: tuple[int, ...]
    starts: tuple[int, ...]
    schedules: tuple[Schedule, ...]


def plan_of(trunk: Any, budgets: Sequence[int], share: Any, shape: Any, end_value: Any) -> Plan:
    """The plan for what `branches` is called with."""
    if not isinstance(trunk, Schedule):
        raise TypeError(f"trunk must be a jaxlr.Schedule, got {trunk!r}")
    if isinstance(budgets, str) or not len(budgets):
        raise ValueError(f"budgets must hold at least one number of updates, got {budgets!r}")
    known = sorted(int(length(f"budgets[{i}]", budget)) for i, budget in enumerate(budgets))
    if len(set(known)) < len(known):
        raise ValueError(f"budgets must all be different, got {list(budgets)!r}")
    if not isinstance(share, int | float) or not 0 < share <= 1:
        raise ValueError(f"cooldown must be a share of each budget, above 0 and at most 1, got {share!r}")
    steps = [max(1, round(share * budget)) for budget in known]
    starts = tuple(budget - each for budget, each in zip(known, steps, strict=True))
    schedules = [
        jax.tree.map(np.asarray, cooled(trunk, start, each, shape=shape, end_value=end_value))
        for start, each in zip(starts, steps, strict=True)
    ]
    return Plan(tuple(known), starts, tuple(schedules))


class Work:
    """Some updates from a state on, and what they lead to, as one traced program of arrays."""

    def __init__(self, step: Step, score: Callable[[PyTree], PyTree], plain: PlainState, first: list[Any], plan: Plan):
        self.first, self._plan = first, plan
        self._plain, self._arrays = plain, len(first)
        structure = jax.tree.structure(plan.schedules[0])

        def run(arguments: tuple[Any, ...]) -> tuple[list[Any], PyTree]:
            arrays, schedule, begin, end = arguments

            def one(count: jax.Array, arrays: list[Any]) -> list[Any]:
                return plain.plain(step(plain.state(arrays), schedule, count))

            arrays = lax.fori_loop(begin, end, one, list(arrays))
            return arrays, score(plain.state(arrays))

        tree = jax.tree.structure((first, jax.tree.unflatten(structure, range(structure.num_leaves)), 0, 0))
        self.program = Program(run, Family(np.zeros(1, np.int64), self.lanes([first], [0], [0], [0]), tree))

    def lanes(
        self, arrays: Sequence[Sequence[Any]], branch: Sequence[int], begin: Sequence[int], end: Sequence[int]
    ) -> list[np.ndarray]:
        """The arguments of some lanes of the program: from which state, which schedule, from and to which count."""
        states = [np.stack(column) for column in zip(*arrays, strict=True)]
        leaves = [jax.tree.leaves(self._plan.schedules[each]) for each in branch]
        numbers = [np.stack(column) for column in zip(*leaves, strict=True)]
        return [*states, *numbers, np.asarray(begin, np.int32), np.asarray(end, np.int32)]

    def split(self, results: Sequence[Any]) -> tuple[PyTree, PyTree]:
        """State and scores from the program's results."""
        arrays, scores = jax.tree.unflatten(self.program.structure, results)
        return self._plain.state(arrays), scores

    def digest(self) -> str:
        """What tells this work from any other: the program, the data in it, the first state."""
        digest = hashlib.sha256(self.program.digest().encode())
        for array in self.first:
            digest.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
        return digest.hexdigest()


class Parts:
    """Runs the parts, or finds them: the branches are the members 0, ..., k - 1, the trunk up to each those behind."""

    def __init__(
        self, work: Work, plan: Plan, devices: Sequence[Any], over_hosts: bool, store: Store | None, watch: Any
    ):
        self._work, self._plan, self._devices, self._store, self._watch = work, plan, devices, store, watch
        self._collected = Collected(work.program.shapes, 2 * len(plan.starts), over_hosts)
        for members, results in () if store is None else store.load(work.program.shapes):
            self._collected.take(members, results)
        self._found = self._collected.done.copy()
        self._collected.gather()
        self._compiled: Any = None
        self.loaded, self.compile_seconds = 0, 0.0

    def trunk(self, options: Mapping[str, CompilerOption]) -> None:
        """The trunk up to each branching point, by the first process: each goes on from the one before."""
        k, arrays, count = len(self._plan.starts), self._work.first, 0
        for branch, start in enumerate(self._plan.starts):
            if not self._collected.done[k + branch] and self._collected.is_mine(0):
                # Before its cooldown a branch has the trunk's rate.
                lanes = self._work.lanes([arrays], [branch], [count], [start])
                self._run([k + branch], "map", lanes, options)
            if self._collected.done[k + branch]:
                arrays = self._state(k + branch)
                self._say("trunk", [k + branch])
            count = start
        for came in self._collected.gather():
            self._say("trunk", [int(came)])

    def branches(self, strategy: str, options: Mapping[str, CompilerOption]) -> None:
        """The cooldown of each budget."""
        plan, k = self._plan, len(self._plan.starts)
        for branch in np.flatnonzero(self._collected.done[:k]):
            self._say("branches", [int(branch)])
        left = [branch for branch in range(k) if not self._collected.done[branch]]
        share = max(1, -(-len(left) // self._collected.processes))
        size, used = group_size_of(share, MEMBERS_A_DEVICE[strategy] * len(self._devices), len(self._devices))
        groups = [left[first : first + size] for first in range(0, len(left), size)]
        for turn, group in enumerate(groups):
            if not self._collected.is_mine(turn):
                continue
            filled = [*group, *group[-1:] * (size - len(group))]
            lanes = self._work.lanes(
                [self._state(k + branch) for branch in filled],
                filled,
                [plan.starts[branch] for branch in filled],
                [plan.budgets[branch] for branch in filled],
            )
            self._run(group, strategy, lanes, options, used)
            self._say("branches", group)
        came = self._collected.gather()
        if len(came):
            self._say("branches", came)

    def results(self) -> tuple[PyTree, PyTree, PyTree]:
        """The last states, their scores, and the scores of the trunk at the branching points."""
        k = len(self._plan.starts)
        states, scores = self._work.split(self._collected.rows(np.arange(k)))
        return states, scores, self._work.split(self._collected.rows(np.arange(k, 2 * k)))[1]

    def _state(self, member: int) -> list[np.ndarray]:
        return [array[member] for array in self._collected.arrays[: len(self._work.first)]]

    def _run(
        self,
        members: Sequence[int],
        strategy: str,
        lanes: list[np.ndarray],
        options: Mapping[str, CompilerOption],
        used: int = 1,
    ) -> None:
        """Runs lanes of the program, of which those behind the members only fill it, and keeps what they give."""
        if self._compiled != (wanted := (strategy, len(lanes[0]), used)):
            program = self._work.program
            self.compile_seconds += program.compile(strategy, self._devices[:used], lanes, options)
            self._compiled = wanted
        results = [each[: len(members)] for each in self._work.program(lanes)]
        places = np.asarray(members, np.int64)
        if self._store is not None:
            self._store.save(places, results)
        self._collected.take(places, results)

    def _say(self, what: Literal["trunk", "branches"], members: Sequence[int] | np.ndarray) -> None:
        plan, k = self._plan, len(self._plan.starts)
        rows = [int(member) % k for member in members]
        first, last = ((0, *plan.starts), plan.starts) if what == "trunk" else (plan.starts, plan.budgets)
        made = [last[row] - first[row] for row in rows]
        loaded = bool(self._found[members].all())
        self.loaded += sum(made) if loaded else 0
        if self._watch is not None:
            scores = self._work.split(self._collected.rows(np.asarray(members)))[1]
            self._watch(PartDone(what, tuple(plan.budgets[row] for row in rows), sum(made), scores, loaded))
