"""Where a run stands: what a checkpoint holds beside the arrays."""

from __future__ import annotations

from dataclasses import dataclass

from jaxlr.errors import CheckpointError

__all__ = ["CheckpointError", "Position"]


@dataclass(frozen=True)
class Position:
    """Where a run stands, beside its arrays."""

    count: int  # updates applied
    epoch: int  # epochs completed, their evaluation included
    skipped: int  # updates left out because their loss or gradient was not finite
    metrics_bytes: int  # length of metrics.jsonl
    seconds: float  # of training
    schedules: tuple[tuple[int, str], ...]  # the schedule as it was asked for, from which count on
    resumed: tuple[int, ...] = ()  # the counts at which the run was taken up again
