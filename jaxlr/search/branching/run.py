"""Branches: a trunk that is trained once, and a cooldown from each of many of its counts."""

from __future__ import annotations

import functools
import hashlib
import operator
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax import lax

from jaxlr.schedules import Schedule
from jaxlr.schedules import cooldown as cooled
from jaxlr.schedules.leaves import choice, length
from jaxlr.search.branching.states import PlainState, on_host
from jaxlr.search.sweeps.members import Family
from jaxlr.search.sweeps.program import STRATEGIES, Program, choose_strategy
from jaxlr.search.sweeps.store import Store
from jaxlr.search.trials.trial import CompilerOption
from jaxlr.typing import PyTree, Scalar

__all__ = ["BranchesResult", "PartDone", "branches"]

Step = Callable[[PyTree, Schedule, jax.Array], PyTree]


class PartDone(NamedTuple):
    """What `watch` is called with after each part."""

    what: Literal["trunk", "branches"]
    budgets: tuple[int, ...]  # those of the branches, or the one whose branching point the trunk has reached
    updates: int  # made in this part
    scores: PyTree  # what `score` gave, (k, ...); of the trunk before its cooldown where it is that
    loaded: bool  # whether it was found on disk rather than run


@dataclass(frozen=True)
class BranchesResult:
    """The results of `branches`, by budget in rising order.

    Attributes:
      budgets: updates of each whole training.
      starts: the count at which each leaves the trunk.
      schedules: the schedule of each whole training.
      states: the last states, each array (k, ...).
      scores: what `score` made of them, each array (k, ...).
      trunk_scores: what it made of the trunk where each branch leaves it.
      updates: made for all of them: trunk and cooldowns.
      updates_alone: what the same trainings one by one would have made.
      strategy: "vmap" or "map", for the branches.
      reason: why.
      loaded: updates that were found on disk.
      compile_seconds: spent on compilation.
      seconds: spent on all, compilation included.
    """

    budgets: tuple[int, ...]
    starts: tuple[int, ...]
    schedules: tuple[Schedule, ...]
    states: PyTree
    scores: PyTree
    trunk_scores: PyTree
    updates: int
    updates_alone: int
    strategy: str
    reason: str
    loaded: int
    compile_seconds: float
    seconds: float

    def __repr__(self) -> str:
        return (
            f"<branches of {', '.join(f'{budget:,}' for budget in self.budgets)} updates: {self.updates:,} made "
            f"instead of {self.updates_alone:,}{self._told_scores()}; {self.strategy}, {self.reason}; "
            f"{self.seconds:.1f} s>"
        )

    def _told_scores(self) -> str:
        """The scores that are one number a budget, by their names."""
        told = ""
        for path, values in jax.tree_util.tree_leaves_with_path(self.scores):
            if np.shape(values) == (len(self.budgets),):
                name = jax.tree_util.keystr(path, simple=True, separator="/") or "scores"
                told += f"; {name} {', '.join(f'{float(value):.4g}' for value in np.asarray(values))}"
        return told


def branches(
    step: Step,
    state: PyTree,
    trunk: Schedule,
    budgets: Sequence[int],
    *,
    cooldown: Scalar = 0.2,
    shape: Literal["linear", "1-sqrt", "cosine", "exponential", "power"] = "1-sqrt",
    end_value: Scalar = 0.0,
    score: Callable[[PyTree], PyTree] | None = None,
    strategy: str = "auto",
    folder: str | os.PathLike[str] | None = None,
    watch: Callable[[PartDone], None] | None = None,
    compiler_options: Mapping[str, CompilerOption] | None = None,
) -> BranchesResult:
    """Trains for several budgets at the price of the longest trunk and the cooldowns.

    training b: step(state, cooldown(trunk, at=b - c, steps=c), n) for n = 0, ..., b - 1; c = cooldown b updates

    Before its cooldown each training is the same, so it is trained once; from the counts b - c the cooldowns branch,
    side by side. With "map" trunk and branches run in one compiled program, so that each branch has the bits of the
    same training done alone; with "vmap" its batched products may round otherwise in the last bits.

    Args:
      step: (state, schedule, count) -> state: one update, count (int32) being those before it. It is traced, with the
        schedule as data, so it makes its optimizer inside, as a `train_fn` of `sweep` does; the data of an update are
        picked by the count. Arrays that it closes over are not compiled in.
      state: at count 0; any pytree of arrays, random keys too.
      trunk: the schedule of the stable part, such as `warmup(constant(0.1), 100)`.
      budgets: numbers of updates, all different.
      cooldown: share of each budget that cools down, in (0, 1]; rounded to whole updates, at least one.
      shape: of the cooldown, as for `jaxlr.cooldown`.
      end_value: the rate at the end.
      score: state -> pytree of arrays, for the table; None scores nothing.
      strategy: as for `sweep`: how the branches run on a device.
      folder: where the trunk's branching points and finished branches are kept: killed, the same call goes on there.
      watch: called after each part.
      compiler_options: for `jax.jit`.

    Returns:
      A `BranchesResult`.

    Raises:
      TypeError: something is no function, no schedule or no integer, or a step changes the state's structure.
      ValueError: an argument is out of range, or the folder holds other branches.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> def step(x, schedule, count):
      ...   return x - schedule(count) * (x - jnp.sin(1.0 * count))  # follows a moving target
      >>> result = branches(step, jnp.float32(5.0), jaxlr.constant(0.5), [10, 20, 40], score=jnp.abs)
      >>> result.starts, result.updates, result.updates_alone
      ((8, 16, 32), 46, 70)
      >>> alone = branches(step, jnp.float32(5.0), jaxlr.constant(0.5), [20], score=jnp.abs)
      >>> bool(result.states[1] == alone.states[0])
      True

    References:
      Hagele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations, 2024, arXiv:2405.18392
    """
    started = time.perf_counter()
    if not callable(step) or not (score is None or callable(score)):
        raise TypeError(f"step and score must be functions, got {step!r} and {score!r}")
    choice("strategy", strategy, STRATEGIES)
    plan = _plan(trunk, budgets, cooldown, shape, end_value)
    plain = PlainState(state)
    work = _Work(step, score or (lambda state: ()), plain, on_host(plain.plain(state)), plan)
    reason = "as asked"
    if strategy == "auto":
        strategy, reason = choose_strategy(work.program, jax.local_devices())
    members = [*plan.schedules, *plan.schedules]  # the branches, and behind them the trunk up to each
    store = None if folder is None else Store(folder, members, [work.digest()])
    parts = _Parts(work, plan, store, watch, dict(compiler_options or {}))
    snapshots = parts.trunk()
    ends = parts.branches(snapshots, strategy)
    states, scores = work.split([np.stack(column) for column in zip(*ends, strict=True)])
    at_start = work.split([np.stack(column) for column in zip(*snapshots, strict=True)])[1]
    return BranchesResult(
        budgets=plan.budgets,
        starts=plan.starts,
        schedules=plan.schedules,
        states=states,
        scores=scores,
        trunk_scores=at_start,
        updates=plan.starts[-1] + sum(map(operator.sub, plan.budgets, plan.starts)),
        updates_alone=sum(plan.budgets),
        strategy=strategy,
        reason=reason,
        loaded=parts.loaded,
        compile_seconds=parts.compile_seconds,
        seconds=time.perf_counter() - started,
    )


class _Plan(NamedTuple):
    budgets: tuple[int, ...]
    starts: tuple[int, ...]
    schedules: tuple[Schedule, ...]


def _plan(trunk: Any, budgets: Sequence[int], share: Any, shape: Any, end_value: Any) -> _Plan:
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
    return _Plan(tuple(known), starts, tuple(schedules))


class _Work:
    """Some updates from a state on, and what they lead to, as one traced program of arrays."""

    def __init__(self, step: Step, score: Callable[[PyTree], PyTree], plain: PlainState, first: list[Any], plan: _Plan):
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


class _Parts:
    """Runs the parts, or finds them on disk."""

    def __init__(self, work: _Work, plan: _Plan, store: Store | None, watch: Any, options: dict[str, Any]):
        self._work, self._plan, self._store, self._watch, self._options = work, plan, store, watch, options
        self._compiled: tuple[str, int] | None = None
        self.loaded, self.compile_seconds = 0, 0.0

    def trunk(self) -> list[list[np.ndarray]]:
        """The results of the program at each branching point."""
        k = len(self._plan.starts)
        snapshots, arrays, count = [], self._work.first, 0
        for branch, start in enumerate(self._plan.starts):
            results = self._on_disk.get(k + branch)
            loaded = results is not None
            if results is None:
                # Before its cooldown a branch has the trunk's rate.
                lanes = self._work.lanes([arrays], [branch], [count], [start])
                results = [each[0] for each in self._run("map", lanes)]
                self._keep([k + branch], [each[None] for each in results])
            self._say("trunk", [branch], start - count, [each[None] for each in results], loaded)
            snapshots.append(results)
            arrays, count = results[: len(self._work.first)], start
        return snapshots

    def branches(self, snapshots: list[list[np.ndarray]], strategy: str) -> list[list[np.ndarray]]:
        """The results of the program at the end of each budget."""
        plan, arrays = self._plan, len(self._work.first)
        ends = {place: results for place, results in self._on_disk.items() if place < len(plan.starts)}
        for place, results in ends.items():
            self._say("branches", [place], self._cooldown(place), [each[None] for each in results], True)
        left = [branch for branch in range(len(plan.starts)) if branch not in ends]
        for group in [left] if strategy == "vmap" and left else [[branch] for branch in left]:
            lanes = self._work.lanes(
                [snapshots[branch][:arrays] for branch in group],
                group,
                [plan.starts[branch] for branch in group],
                [plan.budgets[branch] for branch in group],
            )
            results = self._run(strategy, lanes)
            self._keep(group, results)
            self._say("branches", group, sum(map(self._cooldown, group)), results, False)
            ends |= {branch: [each[row] for each in results] for row, branch in enumerate(group)}
        return [ends[branch] for branch in range(len(plan.starts))]

    def _cooldown(self, branch: int) -> int:
        return self._plan.budgets[branch] - self._plan.starts[branch]

    def _run(self, strategy: str, lanes: list[np.ndarray]) -> list[np.ndarray]:
        wanted = (strategy, len(lanes[0]))
        if self._compiled != wanted:
            devices = jax.local_devices()[:1]
            self.compile_seconds += self._work.program.compile(strategy, devices, lanes, self._options)
            self._compiled = wanted
        return self._work.program(lanes)

    @functools.cached_property
    def _on_disk(self) -> dict[int, list[np.ndarray]]:
        if self._store is None:
            return {}
        found = self._store.load(self._work.program.shapes)
        return {
            int(place): [each[row] for each in results] for places, results in found for row, place in enumerate(places)
        }

    def _keep(self, places: Sequence[int], results: list[np.ndarray]) -> None:
        if self._store is not None:
            self._store.save(np.asarray(places, np.int64), results)

    def _say(self, what: Any, group: Sequence[int], updates: int, results: list[np.ndarray], loaded: bool) -> None:
        self.loaded += updates if loaded else 0
        if self._watch is not None:
            budgets = tuple(self._plan.budgets[branch] for branch in group)
            self._watch(PartDone(what, budgets, updates, self._work.split(results)[1], loaded))
