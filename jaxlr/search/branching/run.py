"""Branches: a trunk that is trained once, and a cooldown from each of many of its counts."""

from __future__ import annotations

import operator
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np

from jaxlr.schedules import Schedule
from jaxlr.schedules.leaves import choice, flag
from jaxlr.search.branching.parts import PartDone, Parts, Step, Work, plan_of
from jaxlr.search.branching.states import PlainState
from jaxlr.search.sweeps.program import STRATEGIES, choose_strategy, local_devices
from jaxlr.search.sweeps.store import Store
from jaxlr.search.trials.trial import CompilerOption
from jaxlr.typing import PyTree, Scalar


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
    devices: Sequence[Any] | None = None,
    over_hosts: bool = False,
    watch: Callable[[PartDone], None] | None = None,
    compiler_options: Mapping[str, CompilerOption] | None = None,
) -> BranchesResult:
    """Trains for several budgets at the price of the longest trunk and the cooldowns.

    training b: step(state, cooldown(trunk, at=b - c, steps=c), n) for n = 0, ..., b - 1; c = cooldown b updates

    Before its cooldown each training is the same, so it is trained once; from the counts b - c the cooldowns branch,
    side by side on all local devices. With "map" each branch has the bits of the same training done alone; with "vmap"
    its batched products may round otherwise in the last bits.

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
      devices: what the branches are spread over; None is all local devices. The first of them trains the trunk.
      over_hosts: as for `sweep`: the first process trains the trunk, then all share the branches out.
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
    flag("over_hosts", over_hosts)
    devices = local_devices(devices)
    plan = plan_of(trunk, budgets, cooldown, shape, end_value)
    plain = PlainState(state)
    work = Work(step, score or (lambda state: ()), plain, list(map(np.asarray, plain.plain(state))), plan)
    reason = "as asked"
    if strategy == "auto":
        strategy, reason = choose_strategy(work.program, devices)
    members = [*plan.schedules, *plan.schedules]  # the branches, and behind them the trunk up to each
    store = None if folder is None else Store(folder, members, [work.digest()])
    parts = Parts(work, plan, devices, over_hosts, store, watch)
    parts.trunk(compiler_options or {})
    parts.branches(strategy, compiler_options or {})
    states, scores, trunk_scores = parts.results()
    return BranchesResult(
        budgets=plan.budgets,
        starts=plan.starts,
        schedules=plan.schedules,
        states=states,
        scores=scores,
        trunk_scores=trunk_scores,
        updates=plan.starts[-1] + sum(map(operator.sub, plan.budgets, plan.starts)),
        updates_alone=sum(plan.budgets),
        strategy=strategy,
        reason=reason,
        loaded=parts.loaded,
        compile_seconds=parts.compile_seconds,
        seconds=time.perf_counter() - started,
    )
